"""The engine ``dummy``: its signature is the secret key; good for tests, and only where allowed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from pyostree.errors import UnsupportedError, VerificationError
from pyostree.sign.engine import Engine, Success
from pyostree.sign.key_files import split_lines
from pyostree.sign.trust import TrustedKeys

_NAME = "dummy"
_METADATA_KEY = f"ostree.sign.{_NAME}"
_VARIABLE = "OSTREE_DUMMY_SIGN_ENABLED"


class DummySecretKey(NamedTuple):
    """A text that signs by being told."""

    text: bytes

    @property
    def metadata_key(self) -> str:
        """Under which key the signatures are."""
        return _METADATA_KEY

    def sign(self, data: bytes) -> bytes:
        """Return the key, whatever the data are.

        Raises:
            UnsupportedError: this is no test.
        """
        _check_is_test()
        return self.text


class DummyVerifier:
    """Trusts whoever tells the last of its keys."""

    metadata_key = _METADATA_KEY

    def __init__(self, keys: TrustedKeys | None) -> None:
        self._key = keys.trusted[-1] if keys is not None and keys.trusted else None

    def check(self, data: bytes, signatures: tuple[bytes, ...] | None) -> Success:
        """Return what is to be said of data with the key among its signatures.

        Raises:
            VerificationError: it is not among them.
            UnsupportedError: this is no test.
        """
        _check_is_test()
        if signatures is None:
            raise VerificationError("signature: dummy: commit have no signatures of my type")
        if not signatures:
            raise VerificationError("signature: dummy: no signatures")
        if not self._key or self._key not in signatures:
            raise VerificationError(
                f"signature: dummy: incorrect signatures found: {len(signatures)}"
            )
        return Success("dummy: Signature verified", _NAME, self._key)

    def close(self) -> None:
        """Do nothing."""


class Dummy:
    """The engine."""

    name = _NAME
    metadata_key = _METADATA_KEY

    def parse_secret_key(self, text: str) -> DummySecretKey:
        """Return the text as a key.

        Raises:
            UnsupportedError: this is no test.
        """
        _check_is_test()
        return DummySecretKey(os.fsencode(text))

    def read_secret_keys(self, content: bytes) -> Iterator[DummySecretKey]:
        """Give the lines of a file (errors as `parse_secret_key`)."""
        return (self.parse_secret_key(os.fsdecode(line)) for line in split_lines(content))

    def parse_public_key(self, text: str) -> bytes:
        """Return the text as a key."""
        return os.fsencode(text)

    def read_public_keys(self, content: bytes) -> Iterator[bytes]:
        """Raise `UnsupportedError`: such keys are never trusted by a file."""
        raise UnsupportedError("not implemented")

    def check_public_key(self, key: bytes) -> None:
        """Let everything pass."""

    def open_verifier(self, keys: TrustedKeys | None) -> DummyVerifier:
        """Return what verifies with the last of these keys; this machine has none."""
        return DummyVerifier(keys)


ENGINE: Engine = Dummy()


def _check_is_test() -> None:
    if os.environ.get(_VARIABLE) != "1":
        raise UnsupportedError("dummy signature type is only for ostree testing")
