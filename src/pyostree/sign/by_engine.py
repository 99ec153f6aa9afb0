"""What ``ostree sign`` does: commits are signed, and verified, with keys of one engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress

from pyostree.errors import NotFoundError, OstreeError, VerificationError, doing
from pyostree.formats.objects import Checksum
from pyostree.repo.repo import Repo
from pyostree.sign.commits import append_signature, read_commit, read_commit_to_sign
from pyostree.sign.detached import check_signed, decode_signatures
from pyostree.sign.engine import Engine, SecretKey, find_engine
from pyostree.sign.key_files import KeyFileError, read_key_file
from pyostree.sign.signers import COMMIT_NOT_SIGNED
from pyostree.sign.trust import TrustedKeys, load_key_directories, load_key_file

_NONE_VALID = "No valid signatures found"


def sign_with_engine(
    repo: Repo,
    checksum: Checksum,
    engine_name: str,
    keys: Sequence[str],
    keys_file: str | None = None,
) -> None:
    """Add a signature by each key to a commit; those made before an error stay.

    Args:
        keys: secret keys in the text form of the engine.
        keys_file: file of more of them. What is wrong in it goes unnoticed once there is a
            signature, as with the reference.

    Raises:
        OstreeError: a key is none, or there is none.
        OSError: the file of keys cannot be read.
    """
    engine = find_engine(engine_name)
    is_signed = False
    try:
        for key in _secret_keys(engine, keys, keys_file):
            _sign(repo, checksum, key)
            is_signed = True
    except KeyFileError:
        if not is_signed:
            raise
    if not is_signed:
        raise NotFoundError(_NONE_VALID)


def verify_with_engine(
    repo: Repo,
    checksum: Checksum,
    engine_name: str,
    keys: Sequence[str],
    *,
    keys_file: str | None = None,
    keys_dir: str | None = None,
) -> str:
    """Return what is to be said of a commit that a trusted key has signed.

    Args:
        keys: public keys in the text form of the engine; what is wrong with one does not matter
            when the next one fits.
        keys_file: file of more of them.
        keys_dir: directory of more of them, and of revoked ones; it counts when there are no
            `keys`. Without any of the three, the directories of this machine count.

    Raises:
        OstreeError: no trusted key has signed it.
        OSError: the file of keys cannot be read.
    """
    engine = find_engine(engine_name)
    for key in keys:
        with suppress(OstreeError, OSError):
            return _verify(repo, checksum, engine, TrustedKeys((engine.parse_public_key(key),)))
    if keys and keys_file is None:
        raise VerificationError(_NONE_VALID)
    if keys_file is None:
        trusted = load_key_directories(engine, keys_dir)
    else:
        trusted = load_key_file(engine, keys_file)
    return _verify(repo, checksum, engine, trusted.with_first(_last_key(engine, keys)))


def _secret_keys(engine: Engine, keys: Iterable[str], keys_file: str | None) -> Iterator[SecretKey]:
    yield from map(engine.parse_secret_key, keys)
    if keys_file is not None:
        yield from engine.read_secret_keys(read_key_file(keys_file))


def _sign(repo: Repo, checksum: Checksum, key: SecretKey) -> None:
    data = read_commit_to_sign(repo, checksum)
    with doing(COMMIT_NOT_SIGNED):
        signature = key.sign(data)
    append_signature(repo, checksum, key.metadata_key, signature)


def _verify(repo: Repo, checksum: Checksum, engine: Engine, keys: TrustedKeys) -> str:
    data = read_commit(repo, checksum)
    detached = repo.store.read_detached(checksum)
    with closing(engine.open_verifier(keys)) as verifier:
        return check_signed(verifier, data, decode_signatures(detached or b""))


def _last_key(engine: Engine, keys: Sequence[str]) -> tuple[bytes, ...]:
    """Return the last key that was tried; it stays beside those of a file."""
    if keys:
        with suppress(OstreeError):
            return (engine.parse_public_key(keys[-1]),)
    return ()
