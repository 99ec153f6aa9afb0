"""Keys that remotes trust: as programs give them, and as they are configured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from pyostree.api.keys import GpgPublicKey, PublicKey, PublicKeyFile, describe_gpg_key
from pyostree.errors import ConflictError
from pyostree.remote.keyrings import list_trusted_keys
from pyostree.remote.remotes import Remotes
from pyostree.remote.sign_keys import read_keys
from pyostree.repo.repo import Repo
from pyostree.sign.engine import all_engines, find_engine


def check_gpg_keys(keys: bytes) -> None:
    """Raise `NotFoundError` unless there are OpenPGP keys, binary or armored."""
    from pyostree.sign.gpg.importer import import_keys

    import_keys(b"", keys)


def sign_verify_settings(keys: Iterable[PublicKey | PublicKeyFile]) -> dict[str, str]:
    """Return what a remote's configuration says when it demands a signature by one of some keys.

    Raises:
        ConflictError: there are two of one kind, of which only one would count.
        FormatError: a key is none.
        UnsupportedError: there is no such engine.
    """
    from pyostree.sign.engines.key_pairs import parse_sound_public_key

    found: dict[str, str] = {}
    engines: list[str] = []
    for key in keys:
        engine = find_engine(key.engine)
        if isinstance(key, PublicKeyFile):
            # The one who pulls may be in another directory.
            kind, value = "file", os.path.abspath(key.path)
        else:
            parse_sound_public_key(engine.name, key.text)
            kind, value = "key", key.text
        setting = f"verification-{engine.name}-{kind}"
        if setting in found:
            raise ConflictError(
                f"A remote takes one key and one file of keys of type {engine.name}"
            )
        found[setting] = value
        if engine.name not in engines:
            engines.append(engine.name)
    # Each name once, and semicolons between: the commas of `remote add` only we can read.
    return {**found, "sign-verify": ";".join(engines)} if engines else {}


def list_remote_keys(repo: Repo, name: str) -> tuple[GpgPublicKey | PublicKey, ...]:
    """Return the keys of a remote itself, those of OpenPGP first."""
    gpg = tuple(map(describe_gpg_key, list_trusted_keys(repo, name)))
    return (*gpg, *_engine_keys(Remotes.load(repo), name))


def _engine_keys(remotes: Remotes, name: str) -> Iterator[PublicKey]:
    from pyostree.sign.engines.key_pairs import format_public_key

    for engine in all_engines():
        # A key may be in the file and in the configuration, too.
        for key in dict.fromkeys(read_keys(remotes, name, engine).trusted):
            yield PublicKey(format_public_key(engine.name, key), engine.name)
