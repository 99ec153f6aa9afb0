"""What publishing needs: the summary, and signers for it and for commits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pyostree.api.commits import MetadataValue, as_metadata
from pyostree.repo.commit_metadata import Signer
from pyostree.repo.repo import Repo
from pyostree.repo.summary import update_summary


def publish_summary(
    repo: Repo,
    metadata: Mapping[str, MetadataValue],
    gpg_keys: Sequence[str],
    gpg_home: str | os.PathLike[str] | None,
) -> None:
    """Write the summary, signed by some keys."""
    update_summary(
        repo,
        metadata=as_metadata(metadata),
        signers=make_signers(gpg_keys, gpg_home),
    )


def make_signers(
    gpg_keys: Sequence[str], gpg_home: str | os.PathLike[str] | None
) -> tuple[Signer, ...]:
    """Return what signs with the secret keys of a home directory of GnuPG."""
    if not gpg_keys:
        return ()
    from pyostree.sign.gpg.detached import gpg_signer

    home = None if gpg_home is None else os.fspath(gpg_home)
    return tuple(gpg_signer(key, home) for key in gpg_keys)
