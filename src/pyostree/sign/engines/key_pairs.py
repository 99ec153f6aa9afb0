"""Pairs of keys: making new ones, and writing down their halves."""

from __future__ import annotations

import base64
import os
import textwrap

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pyostree.errors import FormatError, UnsupportedError, VerificationError
from pyostree.sign.engine import SecretKey, find_engine
from pyostree.sign.engines.dummy import DummySecretKey
from pyostree.sign.engines.ed25519 import Ed25519SecretKey
from pyostree.sign.engines.spki import SpkiSecretKey, check_sound

_PEM_COLUMNS = 64


def make_secret_key(engine_name: str) -> SecretKey:
    """Return a new secret key; for ``spki`` one of Ed25519, too.

    Raises:
        UnsupportedError: there is no such engine, or its keys are no secret.
    """
    find_engine(engine_name)
    new = Ed25519PrivateKey.generate()
    if engine_name == "ed25519":
        return Ed25519SecretKey(new.private_bytes_raw())
    if engine_name == "spki":
        der = new.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return SpkiSecretKey(der)
    raise UnsupportedError(f"Keys of type {engine_name} cannot be generated")


def public_key_of(key: SecretKey) -> bytes:
    """Return the public key that verifies what a secret one signs.

    Raises:
        FormatError: the secret key is none.
    """
    match key:
        case Ed25519SecretKey():
            return Ed25519PrivateKey.from_private_bytes(key.seed).public_key().public_bytes_raw()
        case SpkiSecretKey():
            return key.public_key()
        case DummySecretKey():
            return key.text
    raise TypeError(f"{type(key).__name__} is no key of an engine")


def parse_sound_public_key(engine_name: str, text: str) -> bytes:
    """Return the public key that a text stands for, after looking at more than its length.

    Raises:
        FormatError: it is none, or too weak.
        UnsupportedError: there is no such engine.
    """
    key = find_engine(engine_name).parse_public_key(text)
    if engine_name == "spki":
        try:
            check_sound(key)
        except VerificationError as err:
            raise FormatError(str(err)) from None
    return key


def format_public_key(engine_name: str, key: bytes) -> str:
    """Return a public key as command lines and configurations have it."""
    return os.fsdecode(key) if engine_name == "dummy" else base64.b64encode(key).decode()


def encode_public_key_file(engine_name: str, key: bytes) -> bytes:
    """Return the content of a file that trusts one key."""
    if engine_name == "spki":
        return _pem("PUBLIC KEY", key)
    return os.fsencode(format_public_key(engine_name, key)) + b"\n"


def encode_secret_key_file(key: SecretKey) -> bytes:
    """Return the content of a file of one secret key.

    Raises:
        FormatError: the secret key is none.
    """
    match key:
        case Ed25519SecretKey():
            return base64.b64encode(key.seed + public_key_of(key)) + b"\n"
        case SpkiSecretKey():
            key.public_key()  # an unsound key is not worth a file
            return _pem("PRIVATE KEY", key.der)
        case DummySecretKey():
            return key.text + b"\n"
    raise TypeError(f"{type(key).__name__} is no key of an engine")


def _pem(label: str, data: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(data).decode(), _PEM_COLUMNS)
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()
