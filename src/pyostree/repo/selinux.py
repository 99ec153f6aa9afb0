"""`SelinuxPolicy`: which security labels the policy in a root file system gives to its paths.

```
etc/selinux/config                        SELINUX=enforcing, SELINUXTYPE=NAME
etc/selinux/NAME/contexts/files/*         the labels
etc/selinux/NAME/policy/policy.NUMBER     what the kernel loads
```
"""

from __future__ import annotations

import errno
import os
from typing import Protocol

from pyostree.errors import ConfigError, NotFoundError, OstreeError, PathNotFoundError, doing
from pyostree.fs.dir import Dir
from pyostree.fs.resolve import is_dir_in_root, open_dir_in_root, read_file_in_root
from pyostree.fs.selinux import CONTEXT_FILES, FileContexts
from pyostree.repo.repo import Repo
from pyostree.repo.tree import CommitTree, TreeDir

LABEL_XATTR = b"security.selinux"
_HOMES = ("etc/selinux", "usr/etc/selinux")
_ENABLED = ("enforcing", "permissive")
_MAX_FILE_BYTES = 64 << 20
_DIRECTORY_MODE = 0o40755
_POLICY_PREFIX = "policy."


class SelinuxPolicy:
    """Labels for the paths of a tree; may be used from several threads.

    Attributes:
        name: what ``SELINUXTYPE`` says; None where SELinux is off, and nothing gets a label.
    """

    def __init__(self, name: str | None, contexts: FileContexts | None) -> None:
        self.name = name
        self._contexts = contexts

    def label(self, path: str, mode: int) -> bytes | None:
        """Return the label of an absolute path, or None to leave it as it is.

        Args:
            mode: with the type bits.

        Raises:
            OstreeError: the policy has a broken pattern.
        """
        if self._contexts is None:
            return None
        # Policies speak of what is mounted there, not of the directory below.
        return self._contexts.look_up("/mnt" if path == "/proc" else path, mode)


NO_POLICY = SelinuxPolicy(None, None)


class _Source(Protocol):
    """Where the files of a policy lie."""

    def read(self, path: str) -> bytes: ...
    def list(self, path: str) -> list[str]: ...


class _RootSource:
    """A directory of the file system, with itself as ``/`` for links."""

    def __init__(self, root: Dir) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        try:
            return read_file_in_root(self._root, path, max_bytes=_MAX_FILE_BYTES)
        except OSError as err:
            raise _plain(err) from None

    def list(self, path: str) -> list[str]:
        try:
            with open_dir_in_root(self._root, path) as directory:
                return directory.list()
        except OSError as err:
            raise _plain(err) from None


def _plain(err: OSError) -> OSError:
    """Return the error without the names of calls, of which the reference makes others."""
    return OSError(err.errno, os.strerror(err.errno or 0))


class _CommitSource:
    """A commit's tree."""

    def __init__(self, repo: Repo, tree: CommitTree) -> None:
        self._repo = repo
        self._tree = tree

    def read(self, path: str) -> bytes:
        try:
            file = self._tree.look_up_content(path)
        except PathNotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        with self._repo.store.open_content(file.checksum) as content:
            if content.size > _MAX_FILE_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return b"".join(content.chunks())

    def list(self, path: str) -> list[str]:
        try:
            found = self._tree.look_up(path)
        except PathNotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        if not isinstance(found, TreeDir):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return [entry.path.rpartition("/")[2] for entry in self._tree.children(found)]


def read_policy(root: Dir) -> SelinuxPolicy:
    """Return the policy of the root file system in `root`, `NO_POLICY` where SELinux is off.

    Raises:
        ConfigError: the configuration names no policy.
        NotFoundError: the policy has no binary form.
        OSError: a file is missing or malformed.
        OstreeError: the policy has no label for ``/``.
    """
    home = _HOMES[0] if is_dir_in_root(root, _HOMES[0]) else _HOMES[1]
    return _read(_RootSource(root), home, f"{root.label}/")


def read_policy_at(path: str) -> SelinuxPolicy:
    """Return the policy of the root file system at `path` (errors as `read_policy`)."""
    with Dir.at(path) as root:
        return read_policy(root)


def read_policy_of_commit(repo: Repo, rev: str) -> SelinuxPolicy:
    """Return the policy in ``/usr/etc`` of a commit (errors as `read_policy`)."""
    with doing("setting sepolicy from commit"):
        tree = CommitTree(repo, repo.resolve(rev))
        return _read(_CommitSource(repo, tree), _HOMES[1], "/")


def _read(source: _Source, home: str, shown_root: str) -> SelinuxPolicy:
    try:
        config = source.read(f"{home}/config")
    except (FileNotFoundError, NotADirectoryError):
        return NO_POLICY
    except OSError as err:
        err.add_note(f"Error opening file {shown_root}{home}/config")
        raise
    name, is_enabled = _parse_config(config.decode("utf-8", "surrogateescape"))
    if not is_enabled:
        return NO_POLICY
    if not name:
        raise ConfigError(f"{shown_root}{home}/config names no SELINUXTYPE")
    place = f"{home}/{name}"
    with doing(f"With policy root '{shown_root}{place}'"):
        contexts = FileContexts(_read_contexts(source, f"{place}/contexts/files"))
        if contexts.look_up("/", _DIRECTORY_MODE) is None:
            raise OstreeError("Failed to look up context of /: No such file or directory")
    with doing("While calculating SELinux checksum"):
        _check_binary(source, f"{place}/policy", shown_root)
    return SelinuxPolicy(name, contexts)


def _parse_config(text: str) -> tuple[str, bool]:
    name, is_enabled = "", False
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        if not equals:
            continue
        if key == "SELINUXTYPE":
            name = value.strip()
        elif key == "SELINUX" and value.lower().startswith(_ENABLED):
            is_enabled = True
    return name, is_enabled


def _read_contexts(source: _Source, place: str) -> dict[str, bytes]:
    found = {}
    for name in CONTEXT_FILES:
        try:
            found[name] = source.read(f"{place}/{name}")
        except FileNotFoundError as err:
            if not found:
                err.add_note("selabel_open(SELABEL_CTX_FILE)")
                raise
    return found


def _check_binary(source: _Source, place: str, shown_root: str) -> None:
    with doing(f"opendir({shown_root}{place})"):
        names = source.list(place)
    numbers = [
        name.removeprefix(_POLICY_PREFIX) for name in names if name.startswith(_POLICY_PREFIX)
    ]
    if not any(number.isascii() and number.isdigit() for number in numbers):
        raise NotFoundError("Could not find binary policy file")
