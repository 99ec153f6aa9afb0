"""Signatures of static deltas: made by secret keys, checked with the public keys that count."""

from __future__ import annotations

import os
from typing import NamedTuple

from pyostree.closing import Closing
from pyostree.errors import FormatError, NotFoundError, UnsupportedError, VerificationError
from pyostree.formats.delta_signed import SignedSuperblock, encode_signed, split_signed
from pyostree.formats.superblock_layout import Buffer
from pyostree.repo.repo import Repo
from pyostree.sign.detached import signatures_under
from pyostree.sign.engine import DEFAULT_ENGINE, Engine, Success, Verifier, find_engine
from pyostree.sign.key_files import read_key_file, split_lines
from pyostree.sign.trust import NoKeyFilesError, TrustedKeys, load_key_directories, load_key_file

NO_SIGNATURES = "no signatures in static-delta"
_KEY_NEEDED = "Key is mandatory to check delta signature"


def needs_signatures(repo: Repo) -> bool:
    """Tell whether a repository takes signed deltas only, by its configuration.

    Raises:
        ConfigError: that is not said clearly.
    """
    return repo.config.keyfile.get_boolean("core", "sign-verify-deltas", False)


class DeltaSigners(NamedTuple):
    """Who signs a delta.

    Attributes:
        engine_name: neither it nor a key is looked at before there is something to sign.
        keys: secret keys in the text form of the engine.
    """

    engine_name: str
    keys: tuple[str, ...]

    def sign(self, superblock: bytes) -> bytes:
        """Return a superblock with one signature by each key.

        Raises:
            UnsupportedError: there is no such engine.
            OstreeError: a key is none.
        """
        engine = find_engine(self.engine_name)
        signatures = [engine.parse_secret_key(key).sign(superblock) for key in self.keys]
        return encode_signed(superblock, engine.metadata_key, signatures)


def read_secret_texts(path: str) -> tuple[str, ...]:
    """Return the keys of a file that has the text form of one in each line.

    Raises:
        NotFoundError: it is no regular file.
        FormatError: it is empty, where a delta without signatures would result.
        OSError: it cannot be read.
    """
    content = read_key_file(path)
    if not content:
        raise FormatError(f"No keys in file '{path}'")
    return tuple(map(os.fsdecode, split_lines(content)))


class DeltaKeys(NamedTuple):
    """Whose signatures count.

    Attributes:
        engine_name: None for the usual one.
        keys: public keys in the text form of the engine.
        file: more of them.
        directory: more of them, and of revoked ones; it counts when there are neither `keys` nor
            `file`. Without any of the three, the directories of this machine count.
    """

    engine_name: str | None = None
    keys: tuple[str, ...] = ()
    file: str | None = None
    directory: str | None = None

    @property
    def are_named(self) -> bool:
        """Whether somebody said which keys count, and so wants signatures to be checked."""
        return bool(self.keys) or self.file is not None or self.directory is not None

    def find_engine(self) -> Engine:
        """Return the engine (errors as the function of that name)."""
        return find_engine(DEFAULT_ENGINE if self.engine_name is None else self.engine_name)

    def open_verifier(self) -> Verifier:
        """Return what checks signatures by these keys.

        Raises:
            UnsupportedError: there is no such engine, or it keeps no keys in files.
            OstreeError: there is no key, or one is none.
            OSError: keys cannot be read.
        """
        engine = self.find_engine()
        given = tuple(map(engine.parse_public_key, self.keys))
        if self.file is not None:
            trusted = load_key_file(engine, self.file)
        elif given:
            trusted = TrustedKeys()
        else:
            trusted = load_key_directories(engine, self.directory)
            if not trusted.trusted:  # a verifier without keys would look elsewhere for some
                raise NotFoundError(f"signature: {engine.name}: no keys loaded")
        return engine.open_verifier(trusted.with_first(given))


NO_KEYS_NAMED = DeltaKeys()


class SuperblockCheck(Closing):
    """Decides whether a superblock may be used, before anything else looks at it.

    Args:
        keys: whose signatures count. What is wrong with those that are named is an error at once.
        needs_signature: whether one is needed even if no keys are named.
    """

    def __init__(self, keys: DeltaKeys, *, needs_signature: bool) -> None:
        if keys.engine_name is not None:
            keys.find_engine()
        self._keys = keys
        self._needs_signature = needs_signature or keys.are_named
        self._verifier = keys.open_verifier() if keys.are_named else None

    def close(self) -> None:
        """Close the verifier."""
        if self._verifier is not None:
            self._verifier.close()

    def unwrap(self, data: Buffer) -> Buffer:
        """Return the superblock in a file, without its signatures.

        Raises:
            VerificationError: it has no good signature, and must have one.
            OstreeError, OSError: the keys that this machine trusts or not cannot be read.
        """
        signed = split_signed(data)
        if signed is None:
            if self._needs_signature:
                raise VerificationError(NO_SIGNATURES)
            return data
        if self._verifier is None:
            self._verifier = self._open_own()
        if self._verifier is not None:
            check_signed_superblock(signed, self._verifier)
        elif self._needs_signature:
            raise VerificationError(_KEY_NEEDED)
        return signed.data

    def _open_own(self) -> Verifier | None:
        try:
            return self._keys.open_verifier()
        except (NoKeyFilesError, UnsupportedError):  # nor can there be any of such an engine
            return None


def check_signed_superblock(signed: SignedSuperblock | None, verifier: Verifier) -> Success:
    """Return what is to be said of a superblock that is signed well.

    Args:
        signed: None for one without signatures.

    Raises:
        VerificationError: no signature is good and by a key that counts.
    """
    if signed is None:
        raise VerificationError(NO_SIGNATURES)
    key = verifier.metadata_key
    signatures = signatures_under(signed.signatures, key)
    if signatures is None:
        raise VerificationError(f"no signature for '{key}' in static-delta superblock")
    return verifier.check(bytes(signed.data), signatures)
