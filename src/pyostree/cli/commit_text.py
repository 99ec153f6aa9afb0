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
    from pyostree.formats.dates import format_commit_date

    if with_checksum:
        out.write(f"commit {checksum}\n")
    try:
        date = format_commit_date(commit.timestamp & _U64)
    except FormatError as err:
        out.flush()
        sys.stderr.write(f"ostree: Failed to read commit: {err}\n")
        raise SystemExit(1) from None
    if commit.parent is not None:
        out.write(f"Parent:  {commit.parent}\n")
    out.write(f"ContentChecksum:  {commit.content_checksum()}\nDate:  {date}\n")
    version = commit.lookup_str("version")
    if version is not None:
        out.write(f"Version: {version}\n")
    if commit.subject:
        out.write("\n")
        _write_indented(out, commit.subject)
    else:
        out.write("(no subject)\n")
    if commit.body:
        out.write("\n")
        _write_indented(out, commit.body)
    out.write("\n")


def _write_indented(out: TextIO, text: str) -> None:
    for line in text.removesuffix("\n").split("\n"):
        out.write(f"    {line}\n")


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
