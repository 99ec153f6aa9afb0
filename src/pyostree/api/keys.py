"""Keys as programs hold them: what signs, and what is trusted."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from functools import partial, reduce
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import FormatError
from pyostree.fs.dir import Dir
from pyostree.repo.commit_metadata import Signer
from pyostree.sign.detached import add_signature
from pyostree.sign.engine import DEFAULT_ENGINE, Engine, find_engine
from pyostree.sign.key_files import read_key_file

if TYPE_CHECKING:
    from pyostree.sign.engine import SecretKey
    from pyostree.sign.gpg.keys import Key
    from pyostree.sign.trust import TrustedKeys

_SECRET_MODE = 0o600


class PublicKey(NamedTuple):
    """What verifies signatures of one engine.

    Attributes:
        text: as on command lines: base64.
        engine: ``ed25519``, or ``spki`` for any key that OpenSSL knows.
    """

    text: str
    engine: str = DEFAULT_ENGINE

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a new file that holds this key, as `PublicKeyFile` and ``trusted.ENGINE`` have it.

        Raises:
            FileExistsError: there is a file of that name.
            FormatError: the text is no key.
        """
        from pyostree.sign.engines.key_pairs import encode_public_key_file, parse_sound_public_key

        key = parse_sound_public_key(self.engine, self.text)
        _create(path, encode_public_key_file(self.engine, key), 0o644)


class PublicKeyFile(NamedTuple):
    """A file of public keys of one engine.

    Attributes:
        path: of a text file with one key in a line; for ``spki`` of one in PEM form.
        engine: as of a `PublicKey`.
    """

    path: str | os.PathLike[str]
    engine: str = DEFAULT_ENGINE


class GpgPublicKey(NamedTuple):
    """An OpenPGP key.

    Attributes:
        fingerprint: of the primary key.
        user_ids: such as ``Vendor <keys@example.com>``.
        created: seconds since 1970 UTC; `expires` likewise, 0 for never.
        is_revoked: whether it never counts again.
    """

    fingerprint: str
    user_ids: tuple[str, ...]
    created: int
    expires: int
    is_revoked: bool


class SigningKey:
    """A secret key of one engine; OpenPGP keys stay with GnuPG and are named by their IDs.

    Args:
        text: as on command lines: base64.
        engine: ``ed25519``, or ``spki`` for any key that OpenSSL can sign with.

    Raises:
        FormatError: the text is no key.
        UnsupportedError: there is no such engine.
    """

    __slots__ = ("_engine", "_key")

    def __init__(self, text: str, engine: str = DEFAULT_ENGINE) -> None:
        self._engine = find_engine(engine)
        self._key: SecretKey = self._engine.parse_secret_key(text)

    @classmethod
    def generate(cls, engine: str = DEFAULT_ENGINE) -> SigningKey:
        """Return a new key, which is nowhere but in memory until `write`."""
        from pyostree.sign.engines.key_pairs import make_secret_key

        return cls._of(find_engine(engine), make_secret_key(engine))

    @classmethod
    def read(cls, path: str | os.PathLike[str], engine: str = DEFAULT_ENGINE) -> SigningKey:
        """Return the first key of a file.

        Raises:
            FormatError: it holds no key.
            NotFoundError: it is no regular file.
            OSError: it cannot be read.
        """
        found, name = find_engine(engine), os.fspath(path)
        for key in found.read_secret_keys(read_key_file(name)):
            return cls._of(found, key)
        raise FormatError(f"signature: {engine}: no valid keys in file '{name}'")

    @classmethod
    def _of(cls, engine: Engine, key: SecretKey) -> SigningKey:
        self = cls.__new__(cls)
        self._engine, self._key = engine, key
        return self

    def __repr__(self) -> str:
        return f"<SigningKey of {self.engine}>"  # logs are no place for secrets

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self._engine.name

    @property
    def public_key(self) -> PublicKey:
        """What verifies its signatures."""
        from pyostree.sign.engines.key_pairs import format_public_key, public_key_of

        return PublicKey(format_public_key(self.engine, public_key_of(self._key)), self.engine)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a new file that holds this key and that only its owner may read.

        Raises:
            FileExistsError: there is a file of that name.
        """
        from pyostree.sign.engines.key_pairs import encode_secret_key_file

        _create(path, encode_secret_key_file(self._key), _SECRET_MODE)


def signers_of(keys: Iterable[SigningKey]) -> tuple[Signer, ...]:
    """Return what signs commits and summaries with keys."""
    return tuple(partial(add_signature, key._key) for key in keys)


def trusted_keys(keys: Iterable[PublicKey | PublicKeyFile]) -> dict[str, TrustedKeys]:
    """Return keys by their engines.

    Raises:
        FormatError: a key is none, or a file holds none.
        NotFoundError, OSError: a file cannot be read.
        UnsupportedError: there is no such engine.
    """
    from pyostree.sign.trust import TrustedKeys, load_key_file

    found: dict[str, TrustedKeys] = {}
    for key in keys:
        engine = find_engine(key.engine)
        if isinstance(key, PublicKeyFile):
            more = load_key_file(engine, os.fspath(key.path)).trusted
        else:
            more = (engine.parse_public_key(key.text),)
        found[engine.name] = reduce(
            TrustedKeys.with_key, more, found.get(engine.name, TrustedKeys())
        )
    return found


def describe_gpg_key(key: Key) -> GpgPublicKey:
    """Return what programs are shown of an OpenPGP key."""
    primary = key.primary
    return GpgPublicKey(
        primary.fingerprint,
        tuple(user.text for user in key.user_ids),
        primary.created,
        primary.expires,
        primary.validity == "r",
    )


def _create(path: str | os.PathLike[str], content: bytes, mode: int) -> None:
    parent, name = Dir.above(os.path.abspath(path))
    with parent:
        if not parent.create_file(name, mode=mode):
            err = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))
            err.add_note(f"Writing {os.fspath(path)}")
            raise err
        try:
            parent.replace_file(name, content, mode=mode)  # whole, or not at all
        except BaseException:
            parent.remove(name, missing_ok=True)
            raise
