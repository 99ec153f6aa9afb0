"""The engine ``spki``: signatures by any kind of key that a SubjectPublicKeyInfo describes.

Source: RFC 5280, section 4.1.2.7, and RFC 5958 for secret keys, both in DER; on the command line in
base64, in files as PEM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
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
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from pyostree.errors import FormatError, VerificationError
from pyostree.formats.der_key import (
    KeyAlgorithm,
    check_public_key_form,
    public_key_algorithm,
    secret_key_algorithm,
)
from pyostree.formats.lenient_base64 import decode_lenient_base64
from pyostree.formats.pem import iter_pem
from pyostree.sign.engine import Engine
from pyostree.sign.engines.edwards import is_weak_ed448, is_weak_ed25519
from pyostree.sign.engines.keyed import Check, KeyedVerifier
from pyostree.sign.key_files import KeyFileError
from pyostree.sign.trust import TrustedKeys

_Loaded = TypeVar("_Loaded")
_Secret = Ed25519PrivateKey | Ed448PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey

_NAME = "spki"
_METADATA_KEY = f"ostree.sign.{_NAME}"
_NO_KEY = "openssl: Failed to initialize spki key"
_MAX_KEY_BYTES = 32 << 10  # a secret RSA key of 16384 bits has about 9 KiB
# Less than 112 bits of security: RSA of 1024 bits, P-192. The reference lets them pass.
_MIN_RSA_BITS = 2048
_MIN_CURVE_BITS = 224
_MIN_EXPONENT = 3  # with 1, a signature is the digest
_TROUBLE = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, InternalError, FormatError)


class SpkiSecretKey:
    """A secret key in DER; it is looked at when it is used."""

    __slots__ = ("_loaded", "der")

    def __init__(self, der: bytes) -> None:
        self.der = der
        self._loaded: object = None

    @property
    def metadata_key(self) -> str:
        """Under which key the signatures are."""
        return _METADATA_KEY

    def sign(self, data: bytes) -> bytes:
        """Return a signature in the usual way of the kind of key.

        Raises:
            FormatError: the bytes are no key of a kind that can sign.
        """
        key = self._load()
        try:
            return _sign(key, data)
        except (ValueError, UnsupportedAlgorithm, InternalError):
            raise FormatError(_NO_KEY) from None

    def public_key(self) -> bytes:
        """Return the SubjectPublicKeyInfo of what verifies its signatures (errors as `sign`)."""
        key = self._load()
        if not isinstance(key, _Secret):
            raise FormatError(_NO_KEY)
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def _load(self) -> object:
        if self._loaded is None:
            self._loaded = _load(self.der, secret_key_algorithm, _load_secret)
        return self._loaded


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

    def open_verifier(self, keys: TrustedKeys | None) -> KeyedVerifier:
        """Return what verifies with these keys; None: with those of this machine."""
        return KeyedVerifier(self, keys, _open_key, normal=_normal_form)


ENGINE: Engine = Spki()


def _sign(key: object, data: bytes) -> bytes:
    match key:
        case Ed25519PrivateKey() | Ed448PrivateKey():
            return key.sign(data)
        case RSAPrivateKey():
            _check_strength("RSA", key.key_size, _MIN_RSA_BITS)
            return key.sign(data, PKCS1v15(), SHA256())
        case EllipticCurvePrivateKey():
            _check_strength("EC", key.key_size, _MIN_CURVE_BITS)
            return key.sign(data, ECDSA(SHA256()))
        case _:
            raise FormatError(_NO_KEY)


def _open_key(der: bytes) -> Check:
    try:
        return _make_check(_load(der, public_key_algorithm, load_der_public_key))
    except FormatError as err:
        raise VerificationError(str(err)) from None


def check_sound(der: bytes) -> None:
    """Raise `VerificationError` for what is no public key, or none that is good for anything."""
    _open_key(der)


def _make_check(key: object) -> Check:
    verify: Callable[[bytes, bytes], None]
    match key:
        case Ed25519PublicKey():
            if is_weak_ed25519(key.public_bytes_raw()):
                return _is_never_good
            verify = key.verify
        case Ed448PublicKey():
            if is_weak_ed448(key.public_bytes_raw()):
                return _is_never_good
            verify = key.verify
        case RSAPublicKey():
            _check_strength("RSA", key.key_size, _MIN_RSA_BITS)
            if key.public_numbers().e < _MIN_EXPONENT:  # older releases of the library load it
                raise FormatError(_NO_KEY)
            verify = partial(_verify_rsa, key)
        case EllipticCurvePublicKey():
            _check_strength("EC", key.key_size, _MIN_CURVE_BITS)
            verify = partial(_verify_ec, key)
        case _:
            raise FormatError(_NO_KEY)

    def is_good(signature: bytes, data: bytes) -> bool:
        try:
            verify(signature, data)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm, InternalError):
            return False
        return True

    return is_good


def _verify_rsa(key: RSAPublicKey, signature: bytes, data: bytes) -> None:
    key.verify(signature, data, PKCS1v15(), SHA256())


def _verify_ec(key: EllipticCurvePublicKey, signature: bytes, data: bytes) -> None:
    key.verify(signature, data, ECDSA(SHA256()))


def _is_never_good(signature: bytes, data: bytes) -> bool:
    return False


def _load(
    der: bytes, algorithm_of: Callable[[bytes], KeyAlgorithm], load: Callable[[bytes], _Loaded]
) -> _Loaded:
    """Return a key of a kind that signs as it is known here.

    What else the library knows, it is not asked for: RSA keys that demand PSS it loads as others.
    """
    try:
        if len(der) <= _MAX_KEY_BYTES:
            algorithm_of(der)
            return load(der)
    except _TROUBLE:
        pass
    raise FormatError(_NO_KEY)


def _load_secret(der: bytes) -> object:
    return load_der_private_key(der, password=None)


def _check_strength(kind: str, bits: int, least: int) -> None:
    if bits < least:
        raise FormatError(f"{_NO_KEY}: {kind} keys of {bits} bits are too weak")


def _normal_form(der: bytes) -> bytes:
    """Return a key as everyone writes it: points of curves, for one, have shorter forms as well."""
    try:
        key = _load(der, public_key_algorithm, load_der_public_key)
    except FormatError:
        check_public_key_form(der)
        return der  # of a kind that counts here neither trusted nor revoked
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _iter_blocks(content: bytes, label: str) -> Iterator[bytes]:
    try:
        yield from iter_pem(content.decode("ascii", "replace"), label)
    except FormatError as err:
        raise KeyFileError(str(err)) from None
