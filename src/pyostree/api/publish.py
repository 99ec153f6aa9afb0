"""What publishing needs: the summary, and signers for it and for commits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyostree.api.commits import MetadataValue, as_metadata
from pyostree.repo.commit_metadata import Signer
from pyostree.repo.repo import Repo
from pyostree.repo.summary import read_summary, update_summary

if TYPE_CHECKING:
    from pyostree.api.keys import SigningKey
    from pyostree.formats.summary import Summary


def read_published(repo: Repo) -> Summary | None:
    """Return the summary of a repository, None when it has none.

    Raises:
        FormatError: the file holds something else.
    """
    from pyostree.formats.summary import decode_summary

    try:
        return decode_summary(read_summary(repo))
    except FileNotFoundError:
        return None


def publish_summary(
    repo: Repo,
    metadata: Mapping[str, MetadataValue],
    gpg_keys: Sequence[str],
    gpg_home: str | os.PathLike[str] | None,
    sign_keys: Sequence[SigningKey],
) -> None:
    """Write the summary, signed by some keys."""
    from pyostree.api.keys import signers_of
    from pyostree.sign.signing_order import summary_signers

    summary, commit = summary_signers(signers_of(sign_keys), gpg_keys, _as_text(gpg_home))
    update_summary(repo, metadata=as_metadata(metadata), signers=summary, commit_signers=commit)


def make_signers(
    gpg_keys: Sequence[str],
    gpg_home: str | os.PathLike[str] | None,
    sign_keys: Sequence[SigningKey],
) -> tuple[Signer, ...]:
    """Return what signs a commit with keys, and with those of a home directory of GnuPG."""
    if not sign_keys and not gpg_keys:
        return ()
    from pyostree.api.keys import signers_of
    from pyostree.sign.signing_order import commit_signers

    return commit_signers(signers_of(sign_keys), gpg_keys, _as_text(gpg_home))


def _as_text(gpg_home: str | os.PathLike[str] | None) -> str | None:
    return None if gpg_home is None else os.fspath(gpg_home)
