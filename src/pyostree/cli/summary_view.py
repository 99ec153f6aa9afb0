"""What ``summary`` and ``remote summary`` print of a summary."""

from __future__ import annotations

from typing import NamedTuple, TextIO

from pyostree.errors import NotFoundError


class SummaryView(NamedTuple):
    """Which part of a summary is wanted; by default all of it, for people."""

    raw: bool
    list_metadata_keys: bool
    print_metadata_key: str | None

    @property
    def is_asked_for(self) -> bool:
        """Whether an option names a part."""
        return self.raw or self.list_metadata_keys or self.print_metadata_key is not None

    @property
    def is_default(self) -> bool:
        """Whether everything is printed for people."""
        return not self.is_asked_for

    def show(self, data: bytes, out: TextIO) -> None:
        """Print the part of the summary `data`.

        Raises:
            FormatError: it is no summary.
            NotFoundError: it does not have the wanted key.
        """
        from pyostree.formats.gvariant import byteswap, decode, format_text
        from pyostree.formats.summary import EMPTY_SUMMARY, SUMMARY_TYPE, decode_summary
        from pyostree.formats.summary_text import format_summary

        summary = decode_summary(data)
        if self.raw:
            swapped = byteswap(SUMMARY_TYPE, decode(SUMMARY_TYPE, data or EMPTY_SUMMARY))
            print(format_text(SUMMARY_TYPE, swapped), file=out)
        elif self.list_metadata_keys:
            for key in sorted(key for key, _ in summary.metadata):
                print(key, file=out)
        elif self.print_metadata_key is not None:
            found = summary.lookup(self.print_metadata_key)
            if found is None:
                raise NotFoundError(f"No such metadata key '{self.print_metadata_key}'")
            value = byteswap(found.type, found.value)
            print(format_text(found.type, value), file=out)
        else:
            out.write(format_summary(summary))
