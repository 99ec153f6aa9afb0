"""What a command works on: a repository, a sysroot or nothing; it is opened before ``run``.

A module names one of the constants below as ``NEEDS``. It decides which common options the command
has and what ``run`` gets between its ``Args`` and the output stream.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TextIO

from pyostree.cli.options import Option, UsageError, filename, flag
from pyostree.errors import NotFoundError, OstreeError, doing

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo
    from pyostree.sysroot import Sysroot

Values = Mapping[str, object]

_REPO = filename(
    "repo",
    metavar="PATH",
    dest="_repo",
    help="Repository to use; default: the current directory if it is one, $OSTREE_REPO, or the "
    "system's /ostree/repo",
)
_SYSROOT = filename(
    "sysroot",
    metavar="PATH",
    dest="_sysroot",
    help="Root file system with the deployments; default: $OSTREE_SYSROOT, or /",
)
_SYSROOT_OF_REPO = filename(
    "sysroot", metavar="PATH", dest="_sysroot", help="Use the repository of this sysroot instead"
)
_PRINT_CURRENT_DIR = flag("print-current-dir", dest="_print_current_dir", hidden=True)


class Finished(Exception):  # noqa: N818 - not an error
    """A common option has done all there is to do."""


class Need:
    """Nothing: ``run(args, out)``. The other kinds derive from this one."""

    __slots__ = ()
    options_before: tuple[Option, ...] = ()
    options_after: tuple[Option, ...] = ()

    @contextmanager
    def acquire(self, values: Values, out: TextIO) -> Iterator[tuple[object, ...]]:
        """Give the arguments of ``run`` between the first and the last.

        Args:
            values: of all options, by their `dest`.
            out: for messages while waiting.

        Raises:
            Finished: nothing is left to do.
        """
        yield ()


class RepoNeed(Need):
    """An open repository: ``run(args, repo, out)``.

    Args:
        writable: fail at once when the repository cannot be written to.
    """

    __slots__ = ("_writable",)
    options_before = (_REPO,)

    def __init__(self, *, writable: bool = False) -> None:
        self._writable = writable

    @contextmanager
    def acquire(self, values: Values, out: TextIO) -> Iterator[tuple[object, ...]]:
        path = _text(values, "_repo")
        with _open_repo(path) as repo:
            if self._writable:
                repo.check_writable()
            yield (repo,)


class RepoUnlessNeed(RepoNeed):
    """An open repository, or None when an option does without: ``run(args, repo, out)``.

    Args:
        option: its `dest`.
    """

    __slots__ = ("_option",)

    def __init__(self, option: str) -> None:
        super().__init__()
        self._option = option

    @contextmanager
    def acquire(self, values: Values, out: TextIO) -> Iterator[tuple[object, ...]]:
        if values[self._option] is not None:
            yield (None,)
            return
        with super().acquire(values, out) as found:
            yield found


class RepoPathNeed(Need):
    """Where a repository will be; the default one must be there: ``run(args, path, out)``."""

    __slots__ = ()
    options_before = (_REPO,)

    @contextmanager
    def acquire(self, values: Values, out: TextIO) -> Iterator[tuple[object, ...]]:
        path = _text(values, "_repo")
        if path is None:
            with _open_repo(None) as repo:
                path = repo.path
        with doing("Creating repo"):
            _check_named(path, "mkdirat")
        yield (path,)


class RepoOrSysrootNeed(Need):
    """An open repository, also found by its sysroot: ``run(args, repo, out)``."""

    __slots__ = ()
    options_after = (_REPO, _SYSROOT_OF_REPO)

    @contextmanager
    def acquire(self, values: Values, out: TextIO) -> Iterator[tuple[object, ...]]:
        sysroot = _text(values, "_sysroot")
        if sysroot is None:
            with _open_repo(_text(values, "_repo")) as repo:
                yield (repo,)
        else:
            with _open_repo_of_sysroot(sysroot) as repo:
                yield (repo,)


class SysrootPathNeed(Need):
    """The options of ``admin`` commands, but no sysroot: ``run(args, out)``."""

    __slots__ = ()
    options_before = (_SYSROOT, _PRINT_CURRENT_DIR)


class SysrootNeed(Need):
    """A loaded sysroot: ``run(args, sysroot, out)``.

    Args:
        root: refuse to touch a booted system unless the user is root.
        unlocked: only read, so take no lock and keep the mounts as they are.
    """

    __slots__ = ("_root", "_unlocked")
    options_before = (_SYSROOT, _PRINT_CURRENT_DIR)

    def __init__(self, *, root: bool = False, unlocked: bool = False) -> None:
        self._root = root
        self._unlocked = unlocked

    @contextmanager
    def acquire(self, values: Values, out: TextIO) -> Iterator[tuple[object, ...]]:
        with open_sysroot(_text(values, "_sysroot")) as sysroot:
            if not self._unlocked:
                with doing("Initializing with mountns"):
                    sysroot.enter_mount_namespace()
                sysroot.lock(on_wait=lambda: _say_waiting(out))
            sysroot.load()
            if self._root and sysroot.booted is not None and os.geteuid() != 0:
                raise OstreeError("You must be root to perform this command")
            if values["_print_current_dir"]:
                _print_current_dir(sysroot, out)
                raise Finished
            yield (sysroot,)


NOTHING = Need()
REPO = RepoNeed()
REPO_WRITABLE = RepoNeed(writable=True)
REPO_PATH = RepoPathNeed()
REPO_OR_SYSROOT = RepoOrSysrootNeed()
SYSROOT_PATH = SysrootPathNeed()
SYSROOT = SysrootNeed()
SYSROOT_ROOT = SysrootNeed(root=True)
SYSROOT_UNLOCKED = SysrootNeed(unlocked=True)
SYSROOT_ROOT_UNLOCKED = SysrootNeed(root=True, unlocked=True)


def default_repo_path() -> str:
    """Return the repository that is meant when nobody names one."""
    from pyostree.fs.dir import Dir  # not needed when `--repo` is given

    with Dir.at(".") as here:
        if here.is_dir("objects") and here.is_file("config"):
            return "."
    sysroot = os.environ.get("OSTREE_SYSROOT") or "/"
    return os.environ.get("OSTREE_REPO") or os.path.join(sysroot, "ostree/repo")


def open_sysroot(path: str | None) -> Sysroot:
    """Open the sysroot at `path`, by default the one that the environment names."""
    from pyostree.sysroot import Sysroot  # a repository command never needs it

    with doing("Initializing sysroot"):
        return Sysroot.open(os.path.abspath(path or os.environ.get("OSTREE_SYSROOT") or "/"))


def _open_repo(path: str | None) -> AbstractContextManager[Repo]:
    from pyostree.repo.repo import Repo  # `--help` needs none

    if path is not None:
        with doing("opening repo"):
            _check_named(path, "opendir()")
    try:
        repo = Repo.open(os.path.abspath(default_repo_path() if path is None else path))
    except (FileNotFoundError, NotFoundError) as err:
        if path is None:
            raise UsageError("Command requires a --repo argument", spaced=False) from err
        raise
    return _with_write_access(repo)


@contextmanager
def _open_repo_of_sysroot(path: str) -> Iterator[Repo]:
    from pyostree.fs.dir import Dir
    from pyostree.repo.repo import Repo

    with doing("loading sysroot"), doing("Initializing sysroot"):
        root = Dir.at(os.path.abspath(path))
    with root:
        with doing("loading sysroot"), doing("Opening sysroot repo"):
            repo = Repo.open_below(root, "ostree/repo", sysroot_dir=root)
        with repo:
            yield repo


def _check_named(path: str, call: str) -> None:
    # An empty name, as of an unset variable, must not mean the current directory.
    if not path:
        err = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        err.add_note(call)
        raise err


def _with_write_access(repo: Repo) -> Repo:
    # The seam for a system repository below a read-only /sysroot, which root may remount in a
    # private mount namespace; until that exists such a repository is only read.
    return repo


def _text(values: Values, dest: str) -> str | None:
    value = values[dest]
    return value if isinstance(value, str) else None


def _say_waiting(out: TextIO) -> None:
    out.write("Waiting for sysroot lock...\n")
    out.flush()


def _print_current_dir(sysroot: Sysroot, out: TextIO) -> None:
    if not sysroot.deployments:
        raise OstreeError("Unable to find a deployment in sysroot")
    out.write(f"{sysroot.deployment_path(sysroot.deployments[0])}\n")
