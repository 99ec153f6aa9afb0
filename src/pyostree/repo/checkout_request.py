"""Checkouts as the command line asks for them: flags that exclude each other, lists from files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from pyostree.errors import (
    ConflictError,
    PathNotFoundError,
    UnsupportedError,
    doing,
)
from pyostree.formats.objects import Checksum
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.progress import UNWATCHED, Watch
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_labels import read_labels
from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
from pyostree.repo.modifier import parse_path_list
from pyostree.repo.repo import Repo
from pyostree.repo.text_file import read_text_file

_STDIN_FD = 0


class CheckoutRequest(NamedTuple):
    """The flags of ``ostree checkout``."""

    user_mode: bool = False
    disable_cache: bool = False
    subpath: str | None = None
    union: bool = False
    union_add: bool = False
    union_identical: bool = False
    whiteouts: bool = False
    passthrough_whiteouts: bool = False
    allow_missing: bool = False
    require_hardlinks: bool = False
    force_copy_empty: bool = False
    force_copy: bool = False
    limit_dir_modes: bool = False
    skip_list_path: str | None = None
    selinux_policy_path: str | None = None
    selinux_prefix: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether only the oldest options are used.

        The reference has two code paths: this one knows the cache of uncompressed objects and
        missing paths, the other checks for options that contradict each other.
        """
        return not (
            self.disable_cache
            or self.whiteouts
            or self.passthrough_whiteouts
            or self.require_hardlinks
            or self.union_add
            or self.union_identical
            or self.force_copy
            or self.force_copy_empty
            or self.limit_dir_modes
            or self.skip_list_path is not None
            or self.selinux_policy_path is not None
            or self.selinux_prefix is not None
        )


def checkout_one(
    repo: Repo, request: CheckoutRequest, rev: str, destination: str, watch: Watch = UNWATCHED
) -> None:
    """Check out the revision `rev` to the path `destination`.

    Raises:
        ConflictError: the request contradicts itself.
        OstreeError, OSError: see `checkout`.
    """
    commit = repo.resolve(rev)
    prepared = _Prepared(request, _options(request), watch)
    _checkout(repo, prepared, commit, destination, request.subpath)


def refuse_composefs(repo: Repo, request: CheckoutRequest, rev: str) -> NoReturn:
    """Raise what a build of the reference without composefs does, where an image is asked for."""
    repo.resolve(rev)
    if not request.is_plain:
        raise ConflictError("Specified options are incompatible with --composefs")
    raise UnsupportedError("composefs is not supported in this ostree build")


def checkout_many(
    repo: Repo,
    request: CheckoutRequest,
    destination: str,
    list_path: str | None,
    watch: Watch = UNWATCHED,
) -> None:
    """Check out what a list of ``REV NUL SUBPATH NUL`` names, all to `destination`.

    Args:
        list_path: file with the list; None reads standard input.
    """
    prepared = None
    for rev, subpath in _read_pairs(list_path):
        commit = repo.resolve(rev)
        with doing(f"Processing tree {commit}"):
            prepared = prepared or _Prepared(request, _options(request), watch)
            _checkout(repo, prepared, commit, destination, subpath)


def _read_pairs(list_path: str | None) -> Iterator[tuple[str, str | None]]:
    # A revision without a path at the end of the list is wanted whole.
    if list_path is None:
        with InputFile.duplicate(_STDIN_FD) as file:
            data = file.read_rest()
    else:
        data = _read_list(list_path)
    text = data.decode("utf-8", "surrogateescape").removesuffix("\0")
    fields = iter(text.split("\0"))
    for rev in fields:
        if not rev:
            return
        yield rev, next(fields, None)


def _read_list(path: str) -> bytes:
    try:
        parent, name = Dir.above(path)
        with parent:
            return parent.read_file(name)
    except OSError as err:
        raise _renamed(err, f"Error opening file {os.path.abspath(path)}") from None


def _renamed(err: OSError, call: str) -> OSError:
    """Return the same error with the name that the reference gives to what failed."""
    renamed = OSError(err.errno, os.strerror(err.errno or 0))
    renamed.add_note(call)
    return renamed


class _Prepared(NamedTuple):
    """A request with the files read that it names."""

    request: CheckoutRequest
    options: CheckoutOptions
    watch: Watch


def _checkout(
    repo: Repo, prepared: _Prepared, commit: Checksum, destination: str, subpath: str | None
) -> None:
    request, options, watch = prepared
    parent, name = _open_parent(destination)
    with parent:
        try:
            checkout(
                repo,
                commit,
                parent,
                name,
                options,
                subpath="/" if subpath is None else subpath,
                watch=watch,
            )
        except PathNotFoundError:
            if not (request.allow_missing and request.is_plain):
                raise


def _open_parent(destination: str) -> tuple[Dir, str]:
    try:
        if not destination:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return Dir.above(destination)
    except OSError as err:
        raise _renamed(err, "mkdirat") from None


def _options(request: CheckoutRequest) -> CheckoutOptions:
    if not request.is_plain:
        _check_conflicts(request)
    overwrite = Overwrite.NONE
    if request.union:
        overwrite = Overwrite.UNION
    elif request.union_add:
        overwrite = Overwrite.ADD
    elif request.union_identical:
        overwrite = Overwrite.IDENTICAL
    labels = None
    if request.selinux_policy_path is not None:
        labels = read_labels(request.selinux_policy_path, request.selinux_prefix)
    skip_list = frozenset[str]()
    if request.skip_list_path is not None:
        skip_list = frozenset(parse_path_list(read_text_file(request.skip_list_path)))
    return CheckoutOptions(
        user_mode=request.user_mode,
        overwrite=overwrite,
        require_hardlinks=request.require_hardlinks,
        force_copy=request.force_copy or request.selinux_policy_path is not None,
        whiteouts=request.whiteouts,
        passthrough_whiteouts=request.passthrough_whiteouts,
        limit_dir_modes=request.limit_dir_modes,
        skip_list=skip_list,
        labels=labels,
        use_cache=request.is_plain,
    )


def _check_conflicts(request: CheckoutRequest) -> None:
    must_copy = request.force_copy or request.selinux_policy_path is not None
    pairs = (
        ("union", request.union, "union-add", request.union_add),
        ("union", request.union, "union-identical", request.union_identical),
        ("union-add", request.union_add, "union-identical", request.union_identical),
        ("require-hardlinks", request.require_hardlinks, "force-copy", must_copy),
    )
    for one, has_one, other, has_other in pairs:
        if has_one and has_other:
            raise ConflictError(f"Cannot specify both --{one} and --{other}")
    if request.selinux_prefix is not None and request.selinux_policy_path is None:
        raise ConflictError("Cannot specify --selinux-prefix without --selinux-policy")
    if request.union_identical and not request.require_hardlinks:
        raise ConflictError("--union-identical requires --require-hardlinks")
