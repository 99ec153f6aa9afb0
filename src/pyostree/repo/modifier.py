"""`CommitModifier`: what a commit changes in the files it reads, or leaves out."""

from __future__ import annotations

import stat
from collections.abc import Container, Iterable
from typing import NamedTuple, TypeVar

from pyostree.errors import ConflictError, FormatError, OstreeError
from pyostree.formats.dirmeta import Dirmeta
from pyostree.formats.file_header import FileHeader
from pyostree.formats.variant_dict import variant_dict_order
from pyostree.repo.commit_labels import NO_LABELS, CommitLabels

Meta = TypeVar("Meta", Dirmeta, FileHeader)

_CANONICAL_FILE = 0o100755
_CANONICAL_DIR = 0o040755
_PERMISSION_BITS = 0o7777


class UnmatchedPathsError(OstreeError):
    """A list of paths named some that the tree does not have.

    Attributes:
        lines: one message for each such path.
    """

    hint = "paths are absolute from the root of the tree, such as /usr/bin/su"

    def __init__(self, message: str, lines: tuple[str, ...]) -> None:
        super().__init__(message, lines)
        self.message = message
        self.lines = lines

    def __str__(self) -> str:
        return self.message


class Ownership(NamedTuple):
    """Owner and mode (with type bits) of one entry."""

    uid: int
    gid: int
    mode: int


class StatOverride(NamedTuple):
    """Mode changes by path: bits to add, and permission bits to set instead."""

    add: dict[str, int]
    replace: dict[str, int]


class CommitModifier:
    """Applies to each entry, in this order: owner, read-only executables, mode changes, skip list,
    canonical permissions. Used from several threads at once.

    As in the reference, a path of the skip list, and one whose mode gets bits added, counts only
    where it is met first: a later layer of the tree may bring it back as it is.

    Attributes:
        skip_xattrs: leave out all xattrs that files have.
        skip_archived_xattrs: the same for archives, where canonical permissions do not count.
        labels: security labels for what is committed, also beside `skip_xattrs`.
        is_active: False when nothing would change, so that trees may be taken by reference.
    """

    def __init__(  # noqa: PLR0913  # the options of a command, all by keyword
        self,
        *,
        owner_uid: int | None = None,
        owner_gid: int | None = None,
        read_only_executables: bool = False,
        statoverride: StatOverride | None = None,
        skip_list: Iterable[str] | None = None,
        canonical: bool = False,
        canonical_by_mode: bool = False,
        skip_xattrs: bool = False,
        labels: CommitLabels = NO_LABELS,
    ) -> None:
        self._owner_uid = owner_uid
        self._owner_gid = owner_gid
        self._read_only_executables = read_only_executables
        overrides = statoverride or StatOverride({}, {})
        self._overrides = overrides
        self._replaced_modes = overrides.replace
        # What is left of these when all trees were read was not met.
        self._added_modes = dict(overrides.add)
        self._skipped = dict.fromkeys(skip_list or (), True)
        self._listed = tuple(self._added_modes), tuple(self._skipped)
        self._contradicts_owners = canonical
        self._canonical_by_mode = canonical_by_mode
        self._skips_xattrs = skip_xattrs
        self._has_filter = bool(
            owner_uid is not None
            or owner_gid is not None
            or read_only_executables
            or statoverride is not None
            or skip_list is not None
        )
        self.labels = labels
        self._set_canonical(canonical_by_mode=canonical_by_mode)

    def _set_canonical(self, *, canonical_by_mode: bool) -> None:
        self._canonical = self._contradicts_owners or canonical_by_mode
        self.skip_xattrs = self._skips_xattrs or self._canonical
        self.skip_archived_xattrs = self._skips_xattrs or canonical_by_mode
        self.is_active = self._has_filter or self.skip_xattrs or self.labels.is_wanted

    def change(self, path: str, found: Meta, *, skip_xattrs: bool) -> Meta | None:
        """Return what the commit says of an entry whose xattrs are known; None leaves it out.

        Args:
            path: see `apply`.
            skip_xattrs: leave out all that it has; labels may be added.
        """
        wanted = self.apply(path, Ownership(found.uid, found.gid, found.mode))
        if wanted is None:
            return None
        xattrs = self.labels.relabel(path, wanted.mode, () if skip_xattrs else found.xattrs)
        return found._replace(uid=wanted.uid, gid=wanted.gid, mode=wanted.mode, xattrs=xattrs)

    @property
    def changes_entries(self) -> bool:
        """Whether `apply` may return anything but what it is given."""
        return self._has_filter or self._canonical

    def apply(self, path: str, found: Ownership) -> Ownership | None:
        """Return what the commit says of the entry at `path`; None leaves it out.

        Args:
            path: ``/`` for the root, ``/a/b`` below, without a slash at the end.
        """
        uid, gid, mode = found
        if self._has_filter:
            if self._owner_uid is not None:
                uid = self._owner_uid
            if self._owner_gid is not None:
                gid = self._owner_gid
            mode = self._change_mode(path, mode)
            if self._skipped.pop(path, False):
                return None
        if self._canonical:
            uid = gid = 0
            if stat.S_ISREG(mode):
                mode &= _CANONICAL_FILE
            elif stat.S_ISDIR(mode):
                mode &= _CANONICAL_DIR
        return Ownership(uid, gid, mode)

    def _change_mode(self, path: str, mode: int) -> int:
        if self._read_only_executables and stat.S_ISREG(mode) and mode & 0o111:
            mode &= ~0o222
        bits = self._added_modes.pop(path, None)
        if bits is not None:
            return mode | bits
        bits = self._replaced_modes.get(path)
        return mode if bits is None else stat.S_IFMT(mode) | bits

    def begin(self, *, canonical_by_mode: bool, can_hold_labels: bool) -> None:
        """Make ready for a commit, be it the second with the same modifier.

        Args:
            canonical_by_mode: the repository can hold only what canonical permissions leave.
            can_hold_labels: it has a place for security labels.
        """
        if self.labels.is_wanted:
            self.labels.begin(can_hold=can_hold_labels)
        self._added_modes = dict(self._overrides.add)
        self._skipped = dict.fromkeys(self._listed[1], True)
        self._set_canonical(canonical_by_mode=canonical_by_mode or self._canonical_by_mode)

    def check_options(self) -> None:
        """Raise `ConflictError` when an owner was asked for beside canonical permissions.

        Labels are checked, too (see `CommitLabels.check`).

        Where only the repository's mode demands these (`canonical_by_mode`), owners are ignored.
        """
        for name, value in (("uid", self._owner_uid), ("gid", self._owner_gid)):
            if self._contradicts_owners and value is not None and value > 0:
                raise ConflictError(
                    f"Cannot specify both --canonical-permissions and non-zero --owner-{name}"
                )
        self.labels.check()

    def check_all_matched(self) -> None:
        """Raise `UnmatchedPathsError` when a listed path was not met.

        Mode changes with ``=`` are not checked, as in the reference.
        """
        added, skipped = self._listed
        _check_none_left("statoverride", added, self._added_modes)
        _check_none_left("skip-list", skipped, self._skipped)


def _check_none_left(what: str, listed: tuple[str, ...], left: Container[str]) -> None:
    # In the order of the reference, which has them in a hash table.
    paths = (path for path in variant_dict_order(listed) if path in left)
    lines = tuple(f"Unmatched {what} path: {path}" for path in paths)
    if lines:
        raise UnmatchedPathsError(f"Unmatched {what} paths", lines)


def parse_statoverride(text: str) -> StatOverride:
    """Return the mode changes of a file with lines ``[=]NUMBER PATH``.

    NUMBER is decimal or ``0x`` hexadecimal, never octal.

    Raises:
        FormatError: a line without a space, or a number that is more than permission bits.
    """
    add: dict[str, int] = {}
    replace: dict[str, int] = {}
    for line in text.split("\n"):
        if not line:
            continue
        value, space, path = line.partition(" ")
        if not space:
            raise FormatError("Malformed statoverride file (no space found)")
        if value.startswith("="):
            replace[path] = _parse_mode(value[1:], line)
        else:
            add[path] = _parse_mode(value.removeprefix("+"), line)
    return StatOverride(add, replace)


def _parse_mode(text: str, line: str) -> int:
    bits = _parse_c_number(text)
    if not 0 <= bits <= _PERMISSION_BITS:
        # Other bits would change the type of the file, and make a commit that nothing can read.
        raise FormatError(f"Malformed statoverride file (no permission bits: {line})")
    return bits


def _parse_c_number(text: str) -> int:
    """Return what C's strtod makes of `text`, truncated; text without a number is 0."""
    stripped = text.strip().lower()
    try:
        if stripped.startswith("0x"):
            return int(stripped, 16)
        return int(float(stripped))
    except (ValueError, OverflowError):
        return 0


def parse_path_list(text: str) -> tuple[str, ...]:
    """Return the non-empty lines of a skip list."""
    return tuple(line for line in text.split("\n") if line)
