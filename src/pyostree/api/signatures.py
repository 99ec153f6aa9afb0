"""`Signatures`: signing commits, and verifying them, as programs do it."""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pyostree.api.keys import PublicKey, PublicKeyFile, SigningKey, trusted_keys
from pyostree.api.publish import make_signers
from pyostree.errors import NotFoundError, OstreeError, VerificationError
from pyostree.sign.commits import read_commit
from pyostree.sign.detached import check_signed, replace_signatures, signatures_under
from pyostree.sign.engine import Success, find_engine

if TYPE_CHECKING:
    from pyostree.formats.commit import Metadata
    from pyostree.formats.objects import Checksum
    from pyostree.repo.repo import Repo
    from pyostree.sign.gpg.result import GpgSignature
    from pyostree.sign.trust import TrustedKeys

_GPG = "gpg"


class SignatureState(enum.Enum):
    """What a signature is worth; only a good one is reason to trust what it signs."""

    GOOD = "good"
    BAD = "bad"
    EXPIRED = "expired"
    KEY_EXPIRED = "key expired"
    KEY_REVOKED = "key revoked"
    KEY_MISSING = "key missing"


class Signature(NamedTuple):
    """One signature of a commit.

    Attributes:
        engine: ``gpg``, or the engine of a `PublicKey`.
        state: a `SignatureState`.
        key: text of the `PublicKey`; of OpenPGP the fingerprint of the key or subkey.
        text: what commands print about it.
        signer: user ID of the OpenPGP key, such as ``Vendor <keys@example.com>``; may be empty.
        primary_key: fingerprint of the OpenPGP key that `key` is or belongs to; may be empty.
        timestamp: seconds since 1970 UTC when it was made, 0 when unknown.
        expires: when it ends, 0 for never.
    """

    engine: str
    state: SignatureState
    key: str
    text: str
    signer: str = ""
    primary_key: str = ""
    timestamp: int = 0
    expires: int = 0


class Signatures:
    """The signatures of the commits of a repository, which are kept beside the commits."""

    __slots__ = ("_repo",)

    def __init__(self, repo: Repo) -> None:
        self._repo = repo

    def sign(
        self,
        rev: str | Checksum,
        sign_keys: Sequence[SigningKey] = (),
        *,
        gpg_keys: Sequence[str] = (),
        gpg_home: str | os.PathLike[str] | None = None,
    ) -> None:
        """Add a signature by each key to a commit, or after an error none.

        Args:
            gpg_keys: IDs of secret OpenPGP keys.
            gpg_home: home directory of GnuPG with these keys; None for the user's own.

        Raises:
            ConflictError: one of the OpenPGP keys has signed it already.
            NotFoundError: there is no such commit, or no such OpenPGP key.
        """
        from pyostree.sign.commits import add_signatures

        repo = self._repo
        repo.check_writable()
        commit = repo.resolve(str(rev))
        data = read_commit(repo, commit)

        def sign(metadata: Metadata) -> Metadata:
            for signer in make_signers(gpg_keys, gpg_home, sign_keys):
                metadata = signer(data, metadata)
            return metadata

        def check(metadata: Metadata) -> None:
            if gpg_keys:
                _check_are_first(gpg_keys, gpg_home, data, metadata)

        add_signatures(repo, commit, sign, check)

    def verify(self, rev: str | Checksum, remote: str) -> tuple[Signature, ...]:
        """Return the signatures of a commit that has all those that a remote demands.

        They are checked as in a pull: by the configuration of the remote and by its keys.

        Raises:
            VerificationError: they are missing or no good, or the remote demands none.
            RemoteNotFoundError: there is no such remote.
            ConfigError: it is configured wrongly, such as without keys.
        """
        from pyostree.remote.remotes import Remotes
        from pyostree.remote.verify import verify_commit_data

        repo = self._repo
        commit = repo.resolve(str(rev))
        data, detached = read_commit(repo, commit), repo.store.read_detached(commit)
        found = verify_commit_data(Remotes.load(repo), remote, data, detached)
        signatures = tuple(map(_describe_gpg, found.gpg))
        return signatures if found.engines is None else (*signatures, _describe(found.engines))

    def verify_with(
        self,
        rev: str | Checksum,
        keys: Sequence[PublicKey | PublicKeyFile] = (),
        *,
        gpg_keys: bytes = b"",
    ) -> Signature:
        """Return a good signature of a commit by one of some keys.

        No configuration is looked at, nor are lists of revoked keys.

        Args:
            gpg_keys: OpenPGP keys, binary or armored.

        Raises:
            VerificationError: there is none.
            ValueError: no keys are given.
        """
        if not keys and not gpg_keys:
            raise ValueError("signatures are verified with keys")
        commit = self._repo.resolve(str(rev))
        data = read_commit(self._repo, commit)
        metadata = self._repo.read_detached_metadata(commit) or ()
        failures = []
        for name, trusted in trusted_keys(keys).items():
            try:
                return _check(name, trusted, data, metadata)
            except OstreeError as err:
                failures.append(str(err))
        if gpg_keys:
            try:
                return _check_gpg(gpg_keys, data, metadata)
            except VerificationError as err:
                failures.append(str(err))
        raise VerificationError("; ".join(failures))

    def delete(
        self,
        rev: str | Checksum,
        keys: Sequence[PublicKey | PublicKeyFile] = (),
        *,
        gpg_keys: Sequence[str] = (),
    ) -> int:
        """Remove the signatures by some keys from a commit; return how many there were.

        Args:
            gpg_keys: IDs of OpenPGP keys, which a remote or this machine must trust; of each the
                first signature goes.
        """
        from pyostree.sign.commits import change_detached

        repo = self._repo
        repo.check_writable()
        commit = repo.resolve(str(rev))
        data, trusted = read_commit(repo, commit), trusted_keys(keys)
        count = 0

        def remove(metadata: Metadata) -> Metadata:
            nonlocal count
            count = 0
            for name, chosen in trusted.items():
                metadata, removed = _without(name, chosen, data, metadata)
                count += removed
            return metadata

        if trusted:
            change_detached(repo, commit, remove)
        if gpg_keys:
            from pyostree.sign.gpg.commits import delete_signatures

            count += delete_signatures(repo, commit, gpg_keys)
        return count


def _check_are_first(
    gpg_keys: Sequence[str],
    gpg_home: str | os.PathLike[str] | None,
    data: bytes,
    metadata: Metadata,
) -> None:
    from pyostree.sign.gpg.detached import check_is_first
    from pyostree.sign.gpg.signer import GpgKey

    home = None if gpg_home is None else os.fspath(gpg_home)
    for key in gpg_keys:
        check_is_first(GpgKey(key, home), data, metadata)


def _check(name: str, trusted: TrustedKeys, data: bytes, metadata: Metadata) -> Signature:
    with closing(find_engine(name).open_verifier(trusted)) as verifier:
        return _describe(check_signed(verifier, data, metadata))


def _check_gpg(keys: bytes, data: bytes, metadata: Metadata) -> Signature:
    from pyostree.sign.gpg.detached import verify_gpg
    from pyostree.sign.gpg.importer import import_keys
    from pyostree.sign.gpg.keyrings import Keyrings
    from pyostree.sign.gpg.result import require_valid
    from pyostree.sign.gpg.verifier import GpgVerifier

    with GpgVerifier(Keyrings((import_keys(b"", keys).keyring,))) as verifier:
        found = verify_gpg(verifier, data, metadata)
    require_valid(found)
    return _describe_gpg(next(one for one in found if one.is_valid))


def _without(
    name: str, trusted: TrustedKeys, data: bytes, metadata: Metadata
) -> tuple[Metadata, int]:
    """Return the dictionary without the signatures by some keys, and how many that were."""
    engine = find_engine(name)
    before = signatures_under(metadata, engine.metadata_key) or ()
    kept = []
    with closing(engine.open_verifier(trusted)) as verifier:
        for signature in before:
            try:
                verifier.check(data, (signature,))
            except (NotFoundError, VerificationError):
                kept.append(signature)
    if len(kept) == len(before):
        return metadata, 0
    return replace_signatures(metadata, kept, engine.metadata_key), len(before) - len(kept)


def _describe(success: Success) -> Signature:
    """Return what a program is told in place of what is printed."""
    from pyostree.sign.engines.key_pairs import format_public_key

    text = format_public_key(success.engine, success.key)
    return Signature(success.engine, SignatureState.GOOD, text, str(success))


def _describe_gpg(signature: GpgSignature) -> Signature:
    from pyostree.sign.gpg.result import UNKNOWN_NAME, describe

    status = signature.status
    user = signature.user_name
    if signature.user_email:
        user = f"{user} <{signature.user_email}>"
    return Signature(
        _GPG,
        _state(signature),
        status.fingerprint,
        describe(signature).removesuffix("\n"),
        "" if signature.user_name == UNKNOWN_NAME else user,
        status.primary,
        status.timestamp,
        status.expires,
    )


def _state(signature: GpgSignature) -> SignatureState:
    status = signature.status
    if status.is_key_missing:
        return SignatureState.KEY_MISSING
    if signature.is_valid:
        return SignatureState.GOOD
    if status.is_key_revoked:
        return SignatureState.KEY_REVOKED
    if status.is_key_expired:
        return SignatureState.KEY_EXPIRED
    return SignatureState.EXPIRED if status.is_expired else SignatureState.BAD
