"""`DynamicRemote`: a peer that serves refs of a collection, known only while it is used.

Nothing that a peer says is believed: its commits must be signed by a key of the configured remote
of that collection, and be bound to the collection.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import is_ref_fragment
from pyostree.remote.remotes import FILE_URL, Remotes
from pyostree.repo.remote_groups import remote_group

_KEYRING_ENDING = ".trustedkeys.gpg"


class DynamicRemote(NamedTuple):
    """A remote that no configuration names.

    Attributes:
        name: by which it goes while it is used.
        url: base URL of its repository; after ``file://`` the path as it is, nothing escaped.
        keyring_remote: the configured remote whose keys count; refs are stored under its name.
        collection_id: collection that all its refs belong to.
    """

    name: str
    url: str
    keyring_remote: str
    collection_id: str

    @property
    def keyring(self) -> str:
        """File name of the keys that count."""
        return keyring_name(self.keyring_remote)

    @property
    def path(self) -> str | None:
        """Where its repository lies on this machine; None for one that is reached by a network."""
        return self.url.removeprefix(FILE_URL) if self.url.startswith(FILE_URL) else None


def add_dynamic(remotes: Remotes, remote: DynamicRemote) -> None:
    """Make a dynamic remote known to `remotes`, for as long as these are used.

    Its commits need an OpenPGP signature whatever is configured for the remote whose keys count;
    other signatures that are demanded of that one are demanded of the peer, too.
    """
    options = {
        "url": remote.url
        if remote.path is None
        else FILE_URL + quote(remote.path, errors="surrogateescape"),
        "gpg-verify": "true",
        "gpg-verify-summary": "false",
        "collection-id": remote.collection_id,
    }
    demanded = remotes.get(remote.keyring_remote, "sign-verify")
    if demanded is not None:
        options["sign-verify"] = demanded
    group = KeyFile()
    for key, value in options.items():
        group.set_string(remote_group(remote.name), key, value)
    remotes.add_temporary(remote.name, group, key_owner=remote.keyring_remote)


def keyring_name(remote: str) -> str:
    """Return the file name of the keys of a remote."""
    return f"{remote}{_KEYRING_ENDING}"


def dynamic_remote(url: str, keyring_remote: str, collection_id: str) -> DynamicRemote:
    """Return the remote for a peer, with a name made of its URL and its keyring."""
    name = remote_name(f"{_escape(url)}_{_escape(keyring_name(keyring_remote))}")
    return DynamicRemote(name, url, keyring_remote, collection_id)


def override_remote(url: str, keyring_remote: str, collection_id: str) -> DynamicRemote:
    """Return the remote for a URL that a caller gave; its name is made of the keyring's remote."""
    name = remote_name(f"{_escape(url)}_{_escape(keyring_remote)}")
    return DynamicRemote(name, url, keyring_remote, collection_id)


def remote_name(escaped: str) -> str:
    """Return a valid name of a remote made of percent-escaped text."""
    name = "".join(char if is_ref_fragment(f"_{char}") else "_" for char in escaped)
    return name if is_ref_fragment(name) else f"_{name}"


def _escape(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")
