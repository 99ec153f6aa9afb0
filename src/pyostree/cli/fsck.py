"""``ostree fsck``: check the repository for consistency."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pyostree.cli.needs import REPO
from pyostree.cli.options import flag
from pyostree.cli.progress import PercentProgress

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

PARAMETERS = ""
NEEDS = REPO
OPTIONS = (
    flag("add-tombstones", help="Delete commits whose parent is missing, leaving tombstones"),
    flag("quiet", "q", help="Do not print the headings"),
    flag("all", "a", help="Report all corrupt objects, not only the first"),
    flag("delete", help="Delete corrupt objects"),
    flag("verify-bindings", help="Check that commits belong to the refs that point to them"),
    flag("verify-back-refs", help="Check that the refs to which commits belong point to them"),
)


class Args(NamedTuple):
    add_tombstones: bool
    quiet: bool
    all: bool
    delete: bool
    verify_bindings: bool
    verify_back_refs: bool


def run(args: Args, repo: Repo, out: TextIO) -> None:
    """Check the repository."""
    from pyostree.repo.fsck import FsckOptions, fsck

    options = FsckOptions(
        keep_going=args.all,
        delete=args.delete,
        add_tombstones=args.add_tombstones,
        verify_bindings=args.verify_bindings,
        verify_back_refs=args.verify_back_refs,
    )
    printer = _Printer(out, is_quiet=args.quiet)
    try:
        commits = fsck(repo, options, printer)
    finally:
        printer.close()
    out.write(f"object fsck of {commits} commits completed successfully - no errors found.\n")


class _Printer:
    """Prints what the check reports: steps and progress as results, findings as messages."""

    def __init__(self, out: TextIO, *, is_quiet: bool) -> None:
        self._out = out
        self._is_quiet = is_quiet
        self._bar: PercentProgress | None = None

    def begin(self, step: str) -> None:
        if not self._is_quiet:
            self._out.write(f"{step}\n")

    def find(self, problem: str) -> None:
        self._out.flush()
        sys.stderr.write(f"{problem}\n")

    def note(self, text: str) -> None:
        self.close()
        self._out.write(f"{text}\n")

    def progress(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = PercentProgress(self._out)
        self._bar.update(f"fsck objects ({done}/{total})", done, total)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.finish()
            self._bar = None
