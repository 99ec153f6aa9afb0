"""`Signer` functions: what a commit or a summary is handed over to, to be signed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from pyostree.errors import FormatError, describe, doing
from pyostree.formats.commit import Metadata
from pyostree.repo.commit_metadata import Signer
from pyostree.sign.detached import add_signature
from pyostree.sign.engine import DEFAULT_ENGINE, Engine, find_engine
from pyostree.sign.key_files import KeyFileError, open_key_file

if TYPE_CHECKING:
    from pyostree.sign.engine import SecretKey

COMMIT_NOT_SIGNED = "Not able to sign the cobject"  # the reference's word


def key_signers(
    keys: Iterable[str], engine_name: str | None = None, *, of_commits: bool = False
) -> tuple[Signer, ...]:
    """Return what signs with keys that are written out.

    Args:
        keys: secret keys in the text form of the engine.
        engine_name: None for the usual one. Neither it nor a key is looked at before something is
            to be signed.
        of_commits: errors say that a commit was to be signed.
    """
    name = DEFAULT_ENGINE if engine_name is None else engine_name
    return tuple(_KeySigner(key, name, of_commits=of_commits) for key in keys)


def file_signers(
    paths: Iterable[str], engine_name: str | None = None, *, of_commits: bool = False
) -> tuple[Signer, ...]:
    """Return what signs with the first key of each file; arguments as `key_signers`."""
    name = DEFAULT_ENGINE if engine_name is None else engine_name
    return tuple(_FileSigner(path, name, of_commits=of_commits) for path in paths)


class _KeySigner:
    def __init__(self, key: str, engine_name: str, *, of_commits: bool) -> None:
        self._key = key
        self._engine_name = engine_name
        self._of_commits = of_commits

    def __call__(self, data: bytes, metadata: Metadata) -> Metadata:
        key = self._find_key(find_engine(self._engine_name))
        with doing(COMMIT_NOT_SIGNED) if self._of_commits else nullcontext():
            return add_signature(key, data, metadata)

    def _find_key(self, engine: Engine) -> SecretKey:
        return engine.parse_secret_key(self._key)


class _FileSigner(_KeySigner):
    _found: SecretKey | None = None

    def _find_key(self, engine: Engine) -> SecretKey:
        if self._found is None:  # a pipe can be read once, and a summary has a commit to sign, too
            self._found = self._read_key(engine)
        return self._found

    def _read_key(self, engine: Engine) -> SecretKey:
        content = open_key_file(self._key)
        try:
            for key in engine.read_secret_keys(content):
                return key
        except KeyFileError as err:
            # No colon between: so the reference has it.
            raise FormatError(f"Reading {self._key}{describe(err)}") from None
        raise FormatError(f"signature: {engine.name}: no valid keys in file '{self._key}'")
