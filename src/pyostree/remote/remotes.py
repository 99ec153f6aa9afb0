"""`Remotes`: the named sources of a repository, from its ``config`` and from ``remotes.d``.

A remote is a group ``[remote "NAME"]``. Options that are missing are looked up in the parent
repository. A name that is itself a ``file://`` URL stands for that repository, with all options at
their defaults.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import TypeVar

from pyostree.errors import (
    ConfigError,
    ConflictError,
    RemoteNotFoundError,
)
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import check_remote_name, is_collection_id
from pyostree.repo.remote_groups import (
    RemoteSource,
    iter_remote_names,
    read_remote_sources,
    reloading_remotes,
    remote_group,
)
from pyostree.repo.remotes_dir import RemotesDir, find_remotes_dir
from pyostree.repo.repo import Repo

T = TypeVar("T")

FILE_URL = "file://"
_KEYRING_MODE = 0o644
_IN_CONFIG = "(in config)"


class Remotes:
    """All remotes of one repository."""

    def __init__(self, repo: Repo, directory: RemotesDir | None) -> None:
        self._repo = repo
        self._directory = directory
        self._sources: dict[str, RemoteSource] = {}
        self._key_owners: dict[str, str] = {}
        self._parent = None if repo.parent is None else Remotes.load(repo.parent)

    @classmethod
    def load(cls, repo: Repo) -> Remotes:
        """Read the remotes of `repo` and of its parents.

        Raises:
            ConfigError: a remote is described twice.
            FormatError: a file cannot be parsed.
            OSError: a file cannot be read.
        """
        with reloading_remotes(repo):
            directory = find_remotes_dir(repo)
            remotes = cls(repo, directory)
            remotes._sources = read_remote_sources(repo, directory)
        return remotes

    # -- reading -------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of all remotes, parents' included, sorted by bytes."""
        found = set(self._sources)
        if self._parent is not None:
            found.update(self._parent.names())
        return sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape"))

    def has_own(self, name: str) -> bool:
        """Tell whether this repository itself describes the remote."""
        return name in self._sources

    def get(self, name: str, key: str, default: str | None = None) -> str | None:
        """Return an option's value.

        Raises:
            RemoteNotFoundError: neither this repository nor a parent knows the remote.
            FormatError: the value cannot be interpreted.
        """
        return self._look_up(name, key, KeyFile.get_string, default)

    def get_own_raw(self, name: str, key: str) -> str | None:
        """Return an option as it stands in the file that describes the remote.

        The first repository that knows the remote decides; its parents are not asked for what it
        does not say.

        Raises:
            RemoteNotFoundError: neither this repository nor a parent knows the remote.
        """
        source = self._sources.get(name)
        if source is not None:
            return source.keyfile.get_raw(remote_group(name), key)
        if self._parent is None:
            raise RemoteNotFoundError(f'Remote "{name}" not found')
        return self._parent.get_own_raw(name, key)

    def get_bool(self, name: str, key: str, default: bool) -> bool:
        """Return an option's value as true or false (errors as `get`)."""

        def read(keyfile: KeyFile, group: str, key: str) -> bool | None:
            has_key = keyfile.has_key(group, key)
            return keyfile.get_boolean(group, key, default) if has_key else None

        return self._look_up(name, key, read, default)

    def get_list(self, name: str, key: str) -> tuple[str, ...] | None:
        """Return an option's value as a list, None when it is not set (errors as `get`)."""
        return self._look_up(name, key, KeyFile.get_list, None)

    def _look_up(
        self,
        name: str,
        key: str,
        read: Callable[[KeyFile, str, str], T | None],
        default: T,
    ) -> T:
        if name.startswith(FILE_URL):
            return default
        source = self._sources.get(name)
        if source is None:
            if self._parent is None:
                raise RemoteNotFoundError(f'Remote "{name}" not found')
            return self._parent._look_up(name, key, read, default)
        value = read(source.keyfile, remote_group(name), key)
        if value is None and self._parent is not None:
            try:
                return self._parent._look_up(name, key, read, default)
            except RemoteNotFoundError:
                return default
        return default if value is None else value

    def url(self, name: str) -> str:
        """Return where a remote is, as configured.

        Raises:
            RemoteNotFoundError: no such remote.
            ConfigError: it has no URL.
        """
        if name.startswith(FILE_URL):
            return name
        url = self.get(name, "url")
        if url is None:
            raise ConfigError(f'No "url" option in remote "{name}"')
        return url

    def collections(self) -> dict[str, str]:
        """Return the collection of each remote that has a valid one."""
        found = {name: self.get(name, "collection-id") or "" for name in self.names()}
        return {name: value for name, value in found.items() if is_collection_id(value)}

    def add_temporary(self, name: str, group: KeyFile, *, key_owner: str) -> None:
        """Make a remote known that is not configured, as long as this object lives.

        Args:
            group: key file with its group.
            key_owner: the remote whose OpenPGP keys count for it.

        Raises:
            InvalidNameError: bad name.
            ConflictError: there is such a remote already.
        """
        check_remote_name(name)
        if name in self._sources:
            raise ConflictError(f'Remote configuration for "{name}" already exists')
        self._sources[name] = RemoteSource(group, None)
        self._key_owners[name] = key_owner

    def is_temporary(self, name: str) -> bool:
        """Tell whether a remote is one that `add_temporary` made known."""
        return name in self._key_owners

    # -- keyrings ------------------------------------------------------------------------

    def key_owner(self, name: str) -> str:
        """Return the remote whose keys count for a remote: itself, unless it is temporary."""
        return self._key_owners.get(name, name)

    def read_keyring(self, name: str, *, max_bytes: int) -> bytes | None:
        """Return the OpenPGP keys of a remote, from the first place that has any, or None.

        Places are the repository, the directory of remotes that applies to it, and its parents.

        Raises:
            OSError: a keyring cannot be read.
        """
        found = self.read_own_keyring(name, max_bytes=max_bytes)
        if found is None and self._directory is not None and "/" not in name:
            found = self._directory.read(_keyring(name), max_bytes=max_bytes)
        if found is None and self._parent is not None:
            found = self._parent.read_keyring(name, max_bytes=max_bytes)
        return found

    def read_own_keyring(self, name: str, *, max_bytes: int) -> bytes | None:
        """Return the keyring in the repository itself, None when there is none."""
        if "/" in name:  # no path to somewhere else
            return None
        try:
            return self._repo.dir.read_file(_keyring(name), max_bytes=max_bytes)
        except FileNotFoundError:
            return None

    def write_keyring(self, name: str, keyring: bytes) -> None:
        """Set the keyring in the repository itself; one that exists keeps its mode."""
        check_remote_name(name)
        old = self._repo.dir.try_stat(_keyring(name), follow=True)
        mode = _KEYRING_MODE if old is None else stat.S_IMODE(old.st_mode)
        self._repo.dir.replace_file(_keyring(name), keyring, mode=mode, sync=self._repo.fsync)

    # -- changing ------------------------------------------------------------------------

    def add(self, name: str, group: KeyFile, *, replace: bool = False) -> None:
        """Describe a new remote.

        Args:
            group: key file with the one group of this remote.
            replace: whether an existing remote gives way; its keyring and cookies stay.

        Raises:
            InvalidNameError: bad name.
            ConflictError: the remote exists, or was defined elsewhere meanwhile.
        """
        check_remote_name(name)
        source = self._sources.get(name)
        if source is None:
            source = self._place_for_new(name)
        elif not replace:
            raise ConflictError(
                f'Remote configuration for "{name}" already exists: {self._place(source)}'
            )
        wanted = remote_group(name)
        content = self._content(source)
        content.remove_group(wanted)
        for key in group.keys(wanted):
            content.set_raw(wanted, key, group.require_raw(wanted, key))
        self._write(RemoteSource(content, source.file))
        self._sources[name] = RemoteSource(content, source.file)

    def delete(self, name: str, *, missing_ok: bool = False) -> None:
        """Remove a remote and its keyring; its refs and cookies stay.

        Raises:
            InvalidNameError: bad name.
            RemoteNotFoundError: this repository has no such remote.
        """
        check_remote_name(name)
        source = self._sources.get(name)
        if source is None:
            if missing_ok:
                return
            raise RemoteNotFoundError(f'Remote "{name}" not found')
        content = self._content(source)
        content.remove_group(remote_group(name))
        self._write(RemoteSource(content, source.file))
        del self._sources[name]
        self._repo.dir.remove(_keyring(name), missing_ok=True)

    def _place_for_new(self, name: str) -> RemoteSource:
        if self._adds_to_directory():
            return RemoteSource(KeyFile(), f"{name}.conf")
        return RemoteSource(self._repo.config.keyfile, None)

    def _content(self, source: RemoteSource) -> KeyFile:
        """Return a copy of the file that describes a remote."""
        return (self._repo.config.keyfile if source.file is None else source.keyfile).copy()

    def _write(self, source: RemoteSource) -> None:
        if source.file is None or self._directory is None:
            self._write_config(source.keyfile)
        elif any(iter_remote_names(source.keyfile)):
            self._directory.write(source.file, source.keyfile, sync=self._repo.fsync)
        else:
            self._directory.remove(source.file)
        for name, other in self._sources.items():
            if other.file == source.file:  # it has changed for all that it describes
                self._sources[name] = source

    def _write_config(self, config: KeyFile) -> None:
        for name in iter_remote_names(config):
            source = self._sources.get(name)
            if source is not None and source.file is not None:
                raise ConflictError(f'Remote "{name}" already defined in {self._place(source)}')
        self._repo.write_config(config)

    def _place(self, source: RemoteSource) -> str:
        if source.file is None or self._directory is None:
            return _IN_CONFIG
        return self._directory.full_path(source.file)

    def _adds_to_directory(self) -> bool:
        if self._directory is None or not self._directory.takes_new:
            return False
        return self._repo.config.adds_to_remotes_dir


def _keyring(name: str) -> str:
    return f"{name}.trustedkeys.gpg"
