"""`Signer` functions: what a commit or a summary is handed over to, to be signed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyostree.errors import FormatError, doing
from pyostree.formats.commit import Metadata
from pyostree.repo.commit_metadata import Signer
from pyostree.sign.detached import add_signature
from pyostree.sign.engine import DEFAULT_ENGINE, Engine, find_engine
from pyostree.sign.trust import read_key_file

if TYPE_CHECKING:
    from pyostree.sign.engine import SecretKey


def key_signers(keys: Iterable[str], engine_name: str | None = None) -> tuple[Signer, ...]:
    """Return what signs with keys that are written out.

    Args:
        keys: secret keys in the text form of the engine.
        engine_name: None for the usual one. Neither it nor a key is looked at before something is
            to be signed.
    """
    return tuple(_KeySigner(key, engine_name or DEFAULT_ENGINE) for key in keys)


def file_signers(paths: Iterable[str], engine_name: str | None = None) -> tuple[Signer, ...]:
    """Return what signs with the first key of each file; arguments as `key_signers`."""
    return tuple(_FileSigner(path, engine_name or DEFAULT_ENGINE) for path in paths)


class _KeySigner:
    def __init__(self, key: str, engine_name: str) -> None:
        self._key = key
        self._engine_name = engine_name

    def __call__(self, data: bytes, metadata: Metadata) -> Metadata:
        key = self._find_key(find_engine(self._engine_name))
        return add_signature(key, data, metadata)

    def _find_key(self, engine: Engine) -> SecretKey:
        return engine.parse_secret_key(self._key)


class _FileSigner(_KeySigner):
    def _find_key(self, engine: Engine) -> SecretKey:
        with doing(f"Reading {self._key}"):
            for key in engine.read_secret_keys(read_key_file(self._key)):
                return key
        raise FormatError(f"signature: {engine.name}: no valid keys in file '{self._key}'")
