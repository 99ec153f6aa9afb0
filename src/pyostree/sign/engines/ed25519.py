"""The engine ``ed25519``: pure Ed25519 signatures by keys of 32 bytes, written in base64.

Source: RFC 8032. A secret key is the seed followed by the public key, as libsodium has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pyostree.errors import FormatError, VerificationError
from pyostree.formats.lenient_base64 import decode_lenient_base64
from pyostree.sign.engine import Engine
from pyostree.sign.engines.edwards import is_weak_ed25519
from pyostree.sign.engines.keyed import Check, KeyedVerifier
from pyostree.sign.key_files import KeyFileError, split_lines
from pyostree.sign.trust import TrustedKeys

_NAME = "ed25519"
_METADATA_KEY = f"ostree.sign.{_NAME}"
_SEED_BYTES = 32
_SECRET_BYTES = 64
_PUBLIC_BYTES = 32
_SIGNATURE_BYTES = 64


class Ed25519SecretKey(NamedTuple):
    """A secret key; what is stored of the public key beside the seed does not count."""

    seed: bytes

    @property
    def metadata_key(self) -> str:
        """Under which key the signatures are."""
        return _METADATA_KEY

    def sign(self, data: bytes) -> bytes:
        """Return a signature of 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(data)


class Ed25519:
    """The engine."""

    name = _NAME
    metadata_key = _METADATA_KEY

    def parse_secret_key(self, text: str) -> Ed25519SecretKey:
        """Return the key that base64 stands for.

        Raises:
            FormatError: it does not have 64 bytes.
        """
        key = decode_lenient_base64(text)
        if len(key) != _SECRET_BYTES:
            raise FormatError(f"Invalid ed25519 secret key: {_ill_formed(_SECRET_BYTES, key)}")
        return Ed25519SecretKey(key[:_SEED_BYTES])

    def read_secret_keys(self, content: bytes) -> Iterator[Ed25519SecretKey]:
        """Give the keys of a file, one a line.

        Raises:
            FormatError: a line is no key, or empty; `KeyFileError` then.
        """
        return map(self.parse_secret_key, _iter_lines(content))

    def parse_public_key(self, text: str) -> bytes:
        """Return the key that base64 stands for.

        Raises:
            FormatError: it does not have 32 bytes.
        """
        key = decode_lenient_base64(text)
        self.check_public_key(key)
        return key

    def read_public_keys(self, content: bytes) -> Iterator[bytes]:
        """Give what the lines of a file stand for.

        Raises:
            KeyFileError: a line is empty.
        """
        return map(decode_lenient_base64, _iter_lines(content))

    def check_public_key(self, key: bytes) -> None:
        """Raise `FormatError` unless there are 32 bytes."""
        if len(key) != _PUBLIC_BYTES:
            raise FormatError(f"Invalid ed25519 public key: {_ill_formed(_PUBLIC_BYTES, key)}")

    def open_verifier(self, keys: TrustedKeys | None) -> KeyedVerifier:
        """Return what verifies with these keys; None: with those of this machine."""
        return KeyedVerifier(self, keys, _open_key, _check_form)


ENGINE: Engine = Ed25519()


def _open_key(key: bytes) -> Check:
    try:
        ENGINE.check_public_key(key)
    except FormatError as err:
        raise VerificationError(str(err)) from None
    is_weak = is_weak_ed25519(key)
    public = Ed25519PublicKey.from_public_bytes(key)

    def is_good(signature: bytes, data: bytes) -> bool:
        if is_weak:
            return False
        try:
            public.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return is_good


def _check_form(signature: bytes) -> None:
    if len(signature) != _SIGNATURE_BYTES:
        raise VerificationError(f"Invalid signature: {_ill_formed(_SIGNATURE_BYTES, signature)}")


def _iter_lines(content: bytes) -> Iterator[str]:
    """Give the lines of a file of keys."""
    for line in split_lines(content):
        if not line:
            raise KeyFileError("Invalid base64 blob format")
        yield line.decode("ascii", "replace")


def _ill_formed(expected: int, got: bytes) -> str:
    return f"Ill-formed input: expected {expected} bytes, got {len(got)} bytes"
