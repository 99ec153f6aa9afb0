"""``ostree checksum PATH``: print the checksum that a local file would have as an object."""

from __future__ import annotations

import os
from typing import NamedTuple, TextIO

from pyostree.cli.needs import NOTHING
from pyostree.cli.options import flag, positional

PARAMETERS = "PATH"
NEEDS = NOTHING
OPTIONS = (
    flag("ignore-xattrs", help="Leave out extended attributes"),
    positional("path", missing="A filename must be given", plain=True),
)


class Args(NamedTuple):
    ignore_xattrs: bool
    path: str


def run(args: Args, out: TextIO) -> None:
    """Print the checksum; for a directory that of its metadata."""
    from pyostree.fs.dir import Dir
    from pyostree.repo.checksum_file import checksum_entry

    # Without xattrs the path is taken as it is; with them `..` and a last slash are only text.
    path = args.path if args.ignore_xattrs or not args.path else os.path.abspath(args.path)
    base, name = ("/", path.lstrip("/") or ".") if path.startswith("/") else (".", path)
    with Dir.at(base) as directory:
        try:
            status = directory.stat(name)
        except OSError as err:
            err.__notes__ = [_missing_text(args)]
            raise
        checksum = checksum_entry(
            directory, name, with_xattrs=not args.ignore_xattrs, status=status
        )
    out.write(f"{checksum}\n")


def _missing_text(args: Args) -> str:
    if args.ignore_xattrs:
        return f"fstatat({args.path})"
    return f"Error when getting information for file “{os.path.abspath(args.path)}”"
