"""Refs: names of commits, one small file each.

```
refs/heads/NAME                 local, key ``NAME``
refs/remotes/REMOTE/NAME        last seen of a remote, key ``REMOTE:NAME``
refs/mirrors/COLLECTION/NAME    refs of other collections
```

A file holds 64 hex digits and a newline. An alias is a relative symlink within ``refs/heads``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from stat import S_ISDIR
from typing import TYPE_CHECKING

from pyostree.errors import ConflictError, FormatError, InvalidNameError, RefNotFoundError
from pyostree.formats.objects import Checksum, is_checksum, parse_checksum
from pyostree.formats.refspec import (
    CollectionRef,
    Refspec,
    check_collection_id,
    check_ref_name,
    check_remote_name,
    check_writable_ref_name,
    is_collection_id,
    is_ref_fragment,
    is_ref_name,
    parse_refspec,
)
from pyostree.fs.dir import Dir
from pyostree.fs.file import read_start

if TYPE_CHECKING:
    from os import DirEntry

_HEADS = "refs/heads"
_REMOTES = "refs/remotes"
_MIRRORS = "refs/mirrors"
_MAX_REF_BYTES = 4096  # a valid one has 65; aliases and junk must not fill the memory
_BLANKS = " \t\n\v\f\r"


class Refs:
    """Reads and writes the refs of one repository.

    Attributes:
        pending: values that a running transaction will write; look-ups see them.
    """

    def __init__(self, directory: Dir, work: Dir | None = None) -> None:
        self._dir = directory
        self._work = work  # a crash must not leave half a ref among the refs
        self.pending: dict[Refspec, Checksum | None] = {}

    # -- listing -------------------------------------------------------------------------

    def list(self, prefix: str | None = None, *, remotes: bool = True) -> dict[str, str]:
        """Return the refs as full names with the text of their files, which is not validated.

        Args:
            prefix: a ref, a directory of refs, or ``REMOTE:`` with either; None for all.
            remotes: whether refs of remotes belong to "all".

        Raises:
            OSError: a directory of refs is missing or unreadable.
            InvalidNameError: `prefix` is no refspec.
        """
        if prefix is not None:
            return self._list_prefix(prefix)
        found = dict(self._walk(_HEADS, ""))
        if remotes:
            with self._dir.open_dir(_REMOTES) as directory:
                names = directory.list()
            for remote in names:
                if is_ref_fragment(remote) and self._dir.is_dir(f"{_REMOTES}/{remote}"):
                    found.update(self._walk(f"{_REMOTES}/{remote}", f"{remote}:"))
        return dict(sorted(found.items()))

    def _list_prefix(self, prefix: str) -> dict[str, str]:
        remote, path = split_prefix(prefix)
        base = _HEADS if remote is None else f"{_REMOTES}/{remote}"
        lead = "" if remote is None else f"{remote}:"
        full = f"{base}/{path}"
        try:
            status = self._dir.stat(full, follow=True)
        except FileNotFoundError:
            return {}
        if S_ISDIR(status.st_mode):
            return dict(sorted(self._walk(full, f"{lead}{path}/")))
        return {f"{lead}{path}": _read_text(self._dir, full)}

    def is_ref_directory(self, prefix: str) -> bool:
        """Tell whether `prefix` names a directory of refs rather than a ref."""
        remote, path = split_prefix(prefix)
        base = _HEADS if remote is None else f"{_REMOTES}/{remote}"
        return self._dir.is_dir(f"{base}/{path}")

    def _walk(self, path: str, lead: str) -> Iterator[tuple[str, str]]:
        for directory, entry, name in self._entries(path, lead):
            try:
                yield name, _read_text(directory, entry.name)
            except FileNotFoundError:
                if entry.is_symlink():
                    raise  # else the ref was deleted after it had been listed

    def _entries(self, path: str, lead: str) -> Iterator[tuple[Dir, DirEntry[str], str]]:
        """Yield the files and links below a directory: where they are, and their full names."""
        stack = [(path, lead)]
        while stack:
            current, name_lead = stack.pop()
            with self._dir.open_dir(current) as directory:
                for entry in directory.scan():
                    if not is_ref_fragment(entry.name):
                        continue
                    # A link is not followed: it might lead above itself.
                    if entry.is_dir(follow_symlinks=False):
                        stack.append((f"{current}/{entry.name}", f"{name_lead}{entry.name}/"))
                    else:
                        yield directory, entry, name_lead + entry.name

    def aliases(self) -> dict[str, str]:
        """Return local aliases with the refs that they stand for, which may be gone."""
        found = {}
        for directory, entry, name in self._entries(_HEADS, ""):
            if entry.is_symlink():
                target = directory.read_link(entry.name)
                while target.startswith("../"):
                    target = target[3:]
                found[name] = target
        return dict(sorted(found.items()))

    def list_collections(
        self, own_id: str | None, remote_ids: dict[str, str]
    ) -> dict[CollectionRef, str]:
        """Return the refs that belong to a collection.

        Args:
            own_id: collection of this repository, to which its local refs belong.
            remote_ids: collection of each remote that has one.
        """
        found: dict[CollectionRef, str] = {}
        if own_id is not None:
            check_collection_id(own_id)
            for name, text in self._walk(_HEADS, ""):
                found[CollectionRef(own_id, name)] = text
        if self._dir.is_dir(_MIRRORS):
            with self._dir.open_dir(_MIRRORS) as directory:
                names = directory.list()
            for collection in names:
                if is_collection_id(collection) and self._dir.is_dir(f"{_MIRRORS}/{collection}"):
                    for name, text in self._walk(f"{_MIRRORS}/{collection}", ""):
                        found[CollectionRef(collection, name)] = text
        for remote, collection in remote_ids.items():
            if self._dir.is_dir(f"{_REMOTES}/{remote}"):
                for name, text in self._walk(f"{_REMOTES}/{remote}", ""):
                    found[CollectionRef(collection, name)] = text
        return dict(sorted(found.items()))

    # -- reading -------------------------------------------------------------------------

    def read(self, refspec: Refspec, *, fallback: bool = True) -> Checksum | None:
        """Return the commit of a ref, or None when there is no such ref.

        Args:
            fallback: look for a ref without remote in the remotes too.

        Raises:
            InvalidNameError: the file's content is no checksum.
            IsADirectoryError: the name is a directory of refs.
        """
        if is_checksum(refspec.ref):
            return parse_checksum(refspec.ref)
        if refspec in self.pending:
            return self.pending[refspec]
        # The name becomes a path, and may come from the metadata of a commit.
        if not is_ref_name(refspec.ref) or not is_ref_fragment(refspec.remote or "_"):
            raise InvalidNameError(f"Invalid refspec {refspec}")
        for path in self._candidates(refspec, fallback=fallback):
            text = self._try_read(path, refspec)
            if text is not None:
                return parse_checksum(text)
        return None

    def _candidates(self, refspec: Refspec, *, fallback: bool) -> Iterator[str]:
        if refspec.remote is not None:
            yield f"{_REMOTES}/{refspec.remote}/{refspec.ref}"
            return
        yield f"{_HEADS}/{refspec.ref}"
        if not fallback:
            return
        yield f"{_REMOTES}/{refspec.ref}"
        with self._dir.open_dir(_REMOTES) as directory:
            remotes = [entry.name for entry in directory.scan() if entry.is_dir()]
        for remote in remotes:
            yield f"{_REMOTES}/{remote}/{refspec.ref}"

    def _try_read(self, path: str, refspec: Refspec) -> str | None:
        try:
            return _read_text(self._dir, path)
        except FileNotFoundError:
            return None
        except (IsADirectoryError, FormatError) as err:
            err.__notes__ = [f"Couldn't open ref '{refspec.ref}'"]
            raise

    def read_foreign(self, ref: CollectionRef, *, own_id: str | None) -> Checksum | None:
        """Return the commit of a collection's ref in a repository that somebody else has made.

        Refs of remotes do not count, and no link is followed.

        Args:
            own_id: collection of the repository, to which its local refs belong.

        Raises:
            InvalidNameError: a bad name, or the file's content is no checksum.
            FormatError, OSError: the file cannot be read.
        """
        check_collection_id(ref.collection_id or "")
        check_ref_name(ref.ref)
        places = [f"{_MIRRORS}/{ref.collection_id}"]
        if ref.collection_id == own_id:
            places.insert(0, _HEADS)
        for place in places:
            with suppress(FileNotFoundError, NotADirectoryError):
                return parse_checksum(_read_text(self._dir, f"{place}/{ref.ref}", follow=False))
        return None

    # -- writing -------------------------------------------------------------------------

    def write(self, refspec: Refspec, checksum: Checksum | None, *, sync: bool = True) -> None:
        """Set a ref, or delete it when `checksum` is None; a missing one is fine then.

        Raises:
            ConflictError: other refs exist below the name.
            InvalidNameError: a bad remote or ref name, or one that looks like a checksum.
        """
        if refspec.remote is None:
            self._write_below(_HEADS, refspec.ref, checksum, sync=sync)
            return
        check_remote_name(refspec.remote)
        self._write_below(f"{_REMOTES}/{refspec.remote}", refspec.ref, checksum, sync=sync)

    def write_collection(
        self,
        ref: CollectionRef,
        checksum: Checksum | None,
        *,
        own_id: str | None,
        sync: bool = True,
    ) -> None:
        """Set or delete a collection's ref (errors as `write`)."""
        if ref.collection_id is None or ref.collection_id == own_id:
            self._write_below(_HEADS, ref.ref, checksum, sync=sync)
            return
        check_collection_id(ref.collection_id)
        self._write_below(f"{_MIRRORS}/{ref.collection_id}", ref.ref, checksum, sync=sync)

    def _write_below(self, base: str, name: str, checksum: Checksum | None, *, sync: bool) -> None:
        check_ref_name(name)
        path = f"{base}/{name}"
        if checksum is None:
            self._dir.remove(path, missing_ok=True)
        else:
            check_writable_ref_name(name)
            self._make_parents(base, name)
            if self._dir.is_dir(path, follow=False):
                self._clear_directory(path, name)
            data = f"{checksum}\n".encode()
            self._dir.replace_file(path, data, sync=sync, work=self._work)
        self._dir.touch()  # whoever watches the repository sees that something changed

    def _make_parents(self, base: str, name: str) -> None:
        parent = f"{base}/{name}".rpartition("/")[0]
        try:
            self._dir.make_dirs(parent)
        except FileExistsError:
            err = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            err.add_note(f"openat({base}/{name})")
            raise err from None

    def _clear_directory(self, path: str, name: str) -> None:
        below = next(iter(self._walk(path, "")), None)
        if below is not None:
            raise ConflictError(f"Conflict: {below[0]} exists under {name} when attempting write")
        self._dir.remove_tree(path)

    def write_alias(self, alias: str, target: str) -> None:
        """Make the local ref `alias` stand for the local ref `target`."""
        check_ref_name(alias)
        self._make_parents(_HEADS, alias)
        path = "../" * alias.count("/") + target
        self._dir.replace_symlink(path, f"{_HEADS}/{alias}", work=self._work)
        self._dir.touch()


def _read_text(directory: Dir, name: str, *, follow: bool = True) -> str:
    try:
        data = _read_quickly(directory, name)
        if not data:
            if follow:
                data = directory.read_regular(name, max_bytes=_MAX_REF_BYTES)
            else:
                data = directory.read_file(name, max_bytes=_MAX_REF_BYTES, follow=False)
    except IsADirectoryError as err:
        err.__notes__ = []
        raise
    if b"\0" in data:
        raise FormatError("Invalid UTF-8")
    try:
        return data.decode("utf-8").rstrip(_BLANKS)
    except UnicodeDecodeError:
        raise FormatError("Invalid UTF-8") from None


def _read_quickly(directory: Dir, name: str) -> bytes:
    """Return the content of a file that is as short as that of a ref; of anything else nothing."""
    try:
        data = read_start(directory, name, _MAX_REF_BYTES)
    except OSError:
        return b""
    return data if len(data) < _MAX_REF_BYTES else b""


def split_prefix(prefix: str) -> tuple[str | None, str]:
    """Return the remote and the path below it, ``.`` for all refs of a remote.

    Raises:
        InvalidNameError: it is neither ``REMOTE:`` nor a refspec.
    """
    remote, colon, path = prefix.partition(":")
    if colon and path in ("", ".") and is_ref_fragment(remote):
        return remote, "."
    refspec = parse_refspec(prefix)
    return refspec.remote, refspec.ref


def not_found(text: str) -> RefNotFoundError:
    """Return the error for a refspec that does not exist."""
    return RefNotFoundError(f"Refspec '{text}' not found")
