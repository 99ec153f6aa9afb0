"""The ``[remote "NAME"]`` groups of a repository: in its ``config`` and in ``remotes.d``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from pyostree.errors import ConfigError, doing
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import is_collection_id
from pyostree.repo.remotes_dir import RemotesDir, find_remotes_dir
from pyostree.repo.repo import Repo

_START = 'remote "'
_END = '"'


class RemoteSource(NamedTuple):
    """Where a remote is configured: `file` is None for the repository's own ``config``."""

    keyfile: KeyFile
    file: str | None


def remote_group(name: str) -> str:
    """Return the name of the group that configures a remote."""
    return f"{_START}{name}{_END}"


def iter_remote_names(keyfile: KeyFile) -> Iterator[str]:
    """Yield the names of the remotes that have a group, in file order."""
    for group in keyfile.groups():
        if group.startswith(_START) and group.endswith(_END):
            name = group[len(_START) : -len(_END)]
            if name:
                yield name


def read_remote_sources(repo: Repo, directory: RemotesDir | None) -> dict[str, RemoteSource]:
    """Return where each remote of a repository is configured; those of parents are left out.

    Args:
        directory: the ``remotes.d`` that applies to the repository.

    Raises:
        ConfigError: a remote is described twice.
        FormatError: a file cannot be parsed.
        OSError: a file cannot be read.
    """
    keyfile = repo.config.keyfile
    found = {name: RemoteSource(keyfile, None) for name in iter_remote_names(keyfile)}
    if directory is None:
        return found
    for file, content in directory.read_all():
        for name in iter_remote_names(content):
            if name in found:
                raise ConfigError(f'Multiple specifications found for remote "{name}"')
            found[name] = RemoteSource(content, file)
    return found


@contextmanager
def reloading_remotes(repo: Repo) -> Iterator[None]:
    """Note on errors that the remotes of a repository are read, which opening it means."""
    opening: tuple[str, ...] = ("opening repo",)
    if repo.sysroot_dir is not None:
        opening = ("loading sysroot", "Opening sysroot repo")
    with ExitStack() as notes:
        for what in (*opening, "Reloading remotes"):
            notes.enter_context(doing(what))
        yield


def configured_remotes(repo: Repo) -> dict[str, RemoteSource]:
    """Return what `read_remote_sources` does, for the directory that applies (same errors)."""
    with reloading_remotes(repo):
        directory = find_remotes_dir(repo)
        try:
            return read_remote_sources(repo, directory)
        finally:
            if directory is not None:
                directory.close()


def remote_collections(repo: Repo) -> dict[str, str]:
    """Return the collection of each remote, also of parents, that has a valid one.

    Raises:
        ConfigError, FormatError, OSError: as `read_remote_sources`.
    """
    found: dict[str, str] = {}
    place: Repo | None = repo
    while place is not None:
        for name, source in configured_remotes(place).items():
            collection = source.keyfile.get_string(remote_group(name), "collection-id")
            if collection is not None:
                found.setdefault(name, collection)
        place = place.parent
    return {name: collection for name, collection in found.items() if is_collection_id(collection)}
