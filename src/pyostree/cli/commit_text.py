"""How ``log`` and ``show`` print a commit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pyostree.formats.commit import Commit
    from pyostree.formats.objects import Checksum
    from pyostree.repo.repo import Repo

_U64 = (1 << 64) - 1


def write_commit(
    out: TextIO, checksum: Checksum, commit: Commit, *, with_checksum: bool = True
) -> None:
    """Print the header lines, subject and body of a commit, and an empty line.

    Args:
        with_checksum: begin with the line that names the commit.

    Raises:
        SystemExit: the date cannot be shown; the message has been printed, in the reference's
            own style.
    """
    from pyostree.errors import FormatError
    from pyostree.formats.commit_date import format_commit_date

    head = f"commit {checksum}\n" if with_checksum else ""
    try:
        date = format_commit_date(commit.timestamp & _U64)
    except FormatError as err:
        out.write(head)
        out.flush()
        sys.stderr.write(f"ostree: Failed to read commit: {err}\n")
        raise SystemExit(1) from None
    parts = [head]
    if commit.parent is not None:
        parts.append(f"Parent:  {commit.parent}\n")
    parts.append(f"ContentChecksum:  {commit.content_checksum()}\nDate:  {date}\n")
    version = commit.lookup_str("version")
    if version is not None:
        parts.append(f"Version: {version}\n")
    parts.append(f"\n{_indented(commit.subject)}" if commit.subject else "(no subject)\n")
    if commit.body:
        parts.append(f"\n{_indented(commit.body)}")
    parts.append("\n")
    out.write("".join(parts))


def _indented(text: str) -> str:
    return "    " + text.removesuffix("\n").replace("\n", "\n    ") + "\n"


def write_raw_commit(out: TextIO, repo: Repo, checksum: Checksum, *, swap: bool = True) -> None:
    """Print the checksum line and the whole commit as text.

    Args:
        swap: read all numbers as big-endian, which suits the timestamp and nothing else.
    """
    from pyostree.formats.commit import COMMIT_TYPE
    from pyostree.formats.objects import ObjectName, ObjectType

    data = repo.store.read_metadata(ObjectName(checksum, ObjectType.COMMIT))
    out.write(f"commit {checksum}\n")
    write_variant(out, COMMIT_TYPE, data, swap=swap)


def write_variant(out: TextIO, type_text: str, data: bytes, *, swap: bool = True) -> None:
    """Print serialized data as text, on one line."""
    from pyostree.formats.gvariant import decode, format_text

    value = decode(type_text, data, byteorder="big" if swap else "little")
    out.write(f"{format_text(type_text, value)}\n")
