"""What all ways to sign have in common, and how one is found by its name.

OpenPGP (`pyostree.sign.gpg`) gives `SecretKey` and `Verifier` objects; so do the engines, whose
keys are plain bytes in files, on command lines and in the configuration of remotes.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol, Self, cast

from pyostree.errors import UnsupportedError
from pyostree.sign.trust import TrustedKeys

ENGINE_NAMES = ("ed25519", "spki", "dummy")  # in the order in which they are asked
DEFAULT_ENGINE = "ed25519"


class Success(str):
    """What is to be said of something that is signed well.

    Attributes:
        engine: name of the kind of signature, ``gpg`` for OpenPGP.
        key: the public key that it is by; of OpenPGP its fingerprint.
    """

    __slots__ = ("engine", "key")
    engine: str
    key: bytes

    def __new__(cls, text: str, engine: str, key: bytes) -> Self:
        made = super().__new__(cls, text)
        made.engine, made.key = engine, key
        return made


class SecretKey(Protocol):
    """What makes signatures."""

    @property
    def metadata_key(self) -> str:
        """Under which key of detached metadata or ``summary.sig`` its signatures are."""

    def sign(self, data: bytes) -> bytes:
        """Return a signature of `data`.

        Raises:
            OstreeError: the key cannot sign.
        """


class Verifier(Protocol):
    """What decides about signatures, with the keys that it trusts."""

    @property
    def metadata_key(self) -> str:
        """Under which key of detached metadata or ``summary.sig`` its signatures are."""

    def check(self, data: bytes, signatures: tuple[bytes, ...] | None) -> Success:
        """Return what is to be said of `data` that is signed well.

        Args:
            data: a commit object, a summary, a superblock.
            signatures: those under `metadata_key`; None when there is no list of them.

        Raises:
            VerificationError: no signature of `data` is good and by a trusted key.
        """

    def close(self) -> None:
        """Give back what is held."""


class Engine(Protocol):
    """A way to sign with keys that are plain bytes."""

    @property
    def name(self) -> str:
        """As in ``--sign-type``."""

    @property
    def metadata_key(self) -> str:
        """Under which key of detached metadata or ``summary.sig`` its signatures are."""

    def parse_secret_key(self, text: str) -> SecretKey:
        """Return the key that a command line gives.

        Raises:
            FormatError: it is none.
        """

    def read_secret_keys(self, content: bytes) -> Iterator[SecretKey]:
        """Give the keys of a file, up to what is wrong in it.

        Raises:
            KeyFileError: the file is not of the form that holds keys.
            FormatError: what should be a key is none.
        """

    def parse_public_key(self, text: str) -> bytes:
        """Return the key that a command line or a configuration gives.

        Raises:
            FormatError: it is none.
        """

    def read_public_keys(self, content: bytes) -> Iterator[bytes]:
        """Give the keys of a file, up to what is wrong in it; they may still be none.

        Raises:
            KeyFileError: the file is not of the form that holds keys.
            UnsupportedError: keys of this engine are not kept in files.
        """

    def check_public_key(self, key: bytes) -> None:
        """Raise `FormatError` for bytes that can be no public key."""

    def open_verifier(self, keys: TrustedKeys | None) -> Verifier:
        """Return what verifies with these keys; None: with those of this machine."""


def find_engine(name: str) -> Engine:
    """Return the engine of that name.

    Raises:
        UnsupportedError: there is none.
    """
    if name not in ENGINE_NAMES:
        raise UnsupportedError("Requested signature type is not implemented")
    # Cryptography takes time to import, and most commands verify nothing.
    return cast(Engine, import_module(f"pyostree.sign.engines.{name}").ENGINE)


def all_engines() -> tuple[Engine, ...]:
    """Return every engine, in the order in which they are asked."""
    return tuple(map(find_engine, ENGINE_NAMES))
