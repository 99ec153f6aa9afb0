"""The OpenPGP keys that count for one remote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyostree.errors import ConfigError, doing
from pyostree.formats.commit import Metadata
from pyostree.remote.remotes import Remotes
from pyostree.repo.lock import one_at_a_time
from pyostree.repo.repo import Repo
from pyostree.sign.gpg.detached import verify_gpg
from pyostree.sign.gpg.importer import import_keys
from pyostree.sign.gpg.keyrings import (
    MAX_KEYRING_BYTES,
    Keyrings,
    global_keyrings,
    read_key_files,
)
from pyostree.sign.gpg.keys import Key
from pyostree.sign.gpg.result import GpgSignature, require_valid
from pyostree.sign.gpg.verifier import GpgVerifier

_TURN_NAME = "keyring-lock"  # in tmp/


def open_remote_verifier(remotes: Remotes, name: str) -> GpgVerifier:
    """Return a verifier with the keys of a remote.

    Raises:
        RemoteNotFoundError: no such remote.
        ConfigError: its ``gpgkeypath`` mixes separators.
        OSError: a path in it does not exist.
    """
    keyrings = _own_keyrings(remotes, name)
    if not keyrings.streams:  # a keyring of its own takes the place of the global ones
        keyrings += global_keyrings()
    return GpgVerifier(keyrings)


def verify_by_remote(
    remotes: Remotes, name: str, data: bytes, metadata: Metadata
) -> tuple[GpgSignature, ...]:
    """Return the signatures of a commit or summary, verified with the keys of a remote.

    Args:
        metadata: the dictionary that holds them.

    Raises:
        VerificationError: none of them is valid.
    """
    with open_remote_verifier(remotes, name) as verifier:
        found = verify_gpg(verifier, data, metadata)
    require_valid(found)
    return found


def list_trusted_keys(repo: Repo, name: str | None) -> tuple[Key, ...]:
    """Return the keys of a remote alone, or for None those that are trusted globally."""
    own = global_keyrings() if name is None else _own_keyrings(Remotes.load(repo), name)
    with doing("GPG"), GpgVerifier(own) as verifier:
        return verifier.list_keys()


def _own_keyrings(remotes: Remotes, name: str) -> Keyrings:
    name = remotes.key_owner(name)
    key_path = remotes.get_own_raw(name, "gpgkeypath")
    keyring = remotes.read_keyring(name, max_bytes=MAX_KEYRING_BYTES)
    keyrings = Keyrings() if keyring is None else Keyrings((keyring,))
    for path in [] if key_path is None else _split(key_path):
        keyrings += read_key_files(path)
    return keyrings


def _split(value: str) -> list[str]:
    """Return the entries of a list; an empty one at the end does not count."""
    if "," in value and ";" in value:
        raise ConfigError("key value list contains more than one separator")
    entries = re.split("[,;]", value)
    return entries[:-1] if len(entries) > 1 and not entries[-1] else entries


def import_remote_keys(repo: Repo, name: str, source: bytes, key_ids: Sequence[str] = ()) -> int:
    """Add keys to those trusted for a remote; return how many are new.

    Args:
        source: keys, binary or armored.
        key_ids: take only these; none: all.

    Raises:
        RemoteNotFoundError: no such remote.
        OstreeError: a key is missing or refused; nothing changes then.
    """
    with doing("GPG"):
        remotes = Remotes.load(repo)
        remotes.get_own_raw(name, "url")  # it must exist, here or in a parent
        while True:  # until nobody else has imported anything meanwhile
            old = remotes.read_own_keyring(name, max_bytes=MAX_KEYRING_BYTES)
            imported = import_keys(old or b"", source, key_ids)
            with one_at_a_time(repo.tmp, _TURN_NAME):
                if remotes.read_own_keyring(name, max_bytes=MAX_KEYRING_BYTES) == old:
                    remotes.write_keyring(name, imported.keyring)
                    return imported.new_keys
