"""The engine ``spki``: signatures by any kind of key that a SubjectPublicKeyInfo describes.

Source: RFC 5280, section 4.1.2.7, and RFC 5958 for secret keys, both in DER; on the command line in
base64, in files as PEM.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from pyostree.errors import FormatError, VerificationError
from pyostree.formats.lenient_base64 import decode_lenient_base64
from pyostree.formats.pem import iter_pem
from pyostree.sign.engine import Engine
from pyostree.sign.engines.keyed import Check, KeyedVerifier
from pyostree.sign.key_files import KeyFileError
from pyostree.sign.trust import TrustedKeys

_NAME = "spki"
_METADATA_KEY = f"ostree.sign.{_NAME}"
_NO_KEY = "openssl: Failed to initialize spki key"


class SpkiSecretKey(NamedTuple):
    """A secret key in DER; it is looked at when it is used."""

    der: bytes

    @property
    def metadata_key(self) -> str:
        """Under which key the signatures are."""
        return _METADATA_KEY

    def sign(self, data: bytes) -> bytes:
        """Return a signature in the usual way of the kind of key.

        Raises:
            FormatError: the bytes are no key of a kind that can sign.
        """
        try:
            key = load_der_private_key(self.der, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise FormatError(_NO_KEY) from None
        match key:
            case Ed25519PrivateKey() | Ed448PrivateKey():
                return key.sign(data)
            case RSAPrivateKey():
                return key.sign(data, PKCS1v15(), SHA256())
            case EllipticCurvePrivateKey():
                return key.sign(data, ECDSA(SHA256()))
            case _:
                raise FormatError(_NO_KEY)


class Spki:
    """The engine."""

    name = _NAME
    metadata_key = _METADATA_KEY

    def parse_secret_key(self, text: str) -> SpkiSecretKey:
        """Return the key that base64 stands for, sound or not."""
        return SpkiSecretKey(decode_lenient_base64(text))

    def read_secret_keys(self, content: bytes) -> Iterator[SpkiSecretKey]:
        """Give the keys of a PEM file.

        Raises:
            KeyFileError: something else is in it.
        """
        return map(SpkiSecretKey, _iter_blocks(content, "PRIVATE KEY"))

    def parse_public_key(self, text: str) -> bytes:
        """Return the key that base64 stands for, sound or not."""
        return decode_lenient_base64(text)

    def read_public_keys(self, content: bytes) -> Iterator[bytes]:
        """Give the keys of a PEM file.

        Raises:
            KeyFileError: something else is in it.
        """
        return _iter_blocks(content, "PUBLIC KEY")

    def check_public_key(self, key: bytes) -> None:
        """Let everything pass: a key is looked at when it is used."""

    def open_verifier(self, keys: TrustedKeys) -> KeyedVerifier:
        """Return what verifies with these keys; without any, with those of this machine."""
        return KeyedVerifier(self, keys, _open_key)


ENGINE: Engine = Spki()


def _open_key(der: bytes) -> Check:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise VerificationError(_NO_KEY) from None

    def is_good(signature: bytes, data: bytes) -> bool:
        try:
            match key:
                case Ed25519PublicKey() | Ed448PublicKey():
                    key.verify(signature, data)
                case RSAPublicKey():
                    key.verify(signature, data, PKCS1v15(), SHA256())
                case EllipticCurvePublicKey():
                    key.verify(signature, data, ECDSA(SHA256()))
                case _:
                    raise VerificationError(_NO_KEY)
        except InvalidSignature:
            return False
        return True

    return is_good


def _iter_blocks(content: bytes, label: str) -> Iterator[bytes]:
    try:
        yield from iter_pem(content.decode("ascii", "replace"), label)
    except FormatError as err:
        raise KeyFileError(str(err)) from None
