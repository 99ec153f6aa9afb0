"""The ``[remote "NAME"]`` groups of a configuration: their names, and remotes' collections."""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import is_collection_id

_START = 'remote "'
_END = '"'


def remote_group(name: str) -> str:
    """Return the name of the group that configures a remote."""
    return f"{_START}{name}{_END}"


def iter_remote_names(keyfile: KeyFile) -> Iterator[str]:
    """Yield the names of the remotes that have a group, in file order."""
    for group in keyfile.groups():
        if group.startswith(_START) and group.endswith(_END) and len(group) > len(_START):
            yield group[len(_START) : -len(_END)]


def remote_collections(keyfile: KeyFile) -> dict[str, str]:
    """Return the collection of each remote that has a valid one."""
    found = {}
    for name in iter_remote_names(keyfile):
        collection = keyfile.get_raw(remote_group(name), "collection-id")
        if collection is not None and is_collection_id(collection):
            found[name] = collection
    return found
