"""OpenPGP signatures of commits, which are kept in their detached metadata."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.formats.commit import Metadata
from pyostree.formats.objects import Checksum
from pyostree.repo.repo import Repo
from pyostree.sign.commits import (
    add_signatures,
    change_detached,
    read_commit,
    read_commit_to_sign,
)
from pyostree.sign.gpg.detached import (
    add_gpg_signature,
    check_is_first,
    gpg_signatures,
    remove_gpg_signatures,
    verify_gpg,
)
from pyostree.sign.gpg.keyrings import Keyrings, keyrings_in, with_trusted
from pyostree.sign.gpg.result import GpgSignature
from pyostree.sign.gpg.signer import GpgKey
from pyostree.sign.gpg.verifier import GpgVerifier


def sign_commit(repo: Repo, checksum: Checksum, key: GpgKey) -> None:
    """Add an OpenPGP signature to a commit.

    Raises:
        ConflictError: the key has signed it already.
        NotFoundError: there is no such secret key.
    """
    data = read_commit_to_sign(repo, checksum)
    add_signatures(
        repo,
        checksum,
        sign=lambda metadata: add_gpg_signature(key, data, metadata),
        check=lambda metadata: check_is_first(key, data, metadata),
    )


def delete_signatures(repo: Repo, checksum: Checksum, key_ids: Sequence[str]) -> int:
    """Remove the first OpenPGP signature of each key from a commit; return how many there were.

    The keys must be in a keyring of the repository or of this machine.
    """
    data = read_commit(repo, checksum)
    count = 0

    def remove(metadata: Metadata) -> Metadata:
        nonlocal count
        rest, count = remove_gpg_signatures(verifier, data, metadata, key_ids)
        return rest if count else metadata

    with open_verifier(repo) as verifier:
        change_detached(repo, checksum, remove)
    return count


def is_gpg_signed(repo: Repo, checksum: Checksum) -> bool:
    """Tell whether a commit has a list of OpenPGP signatures, good or bad."""
    return gpg_signatures(repo.read_detached_metadata(checksum) or ()) is not None


def verify_commit(
    repo: Repo, checksum: Checksum, verifier: GpgVerifier
) -> tuple[GpgSignature, ...]:
    """Return what is to be said about the OpenPGP signatures of a commit.

    Raises:
        VerificationError: it has none.
    """
    return verify_gpg(verifier, read_commit(repo, checksum), repo.read_detached_metadata(checksum))


def open_verifier(repo: Repo, homedir: str | None = None) -> GpgVerifier:
    """Return a verifier with the keys of all remotes, of this machine and of a GnuPG home."""
    return GpgVerifier(with_trusted(Keyrings() + keyrings_in(repo.dir), homedir))
