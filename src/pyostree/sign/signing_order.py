"""In which order keys sign: as with the reference, it decides which of several errors is told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from pyostree.repo.commit_metadata import Signer
from pyostree.sign.detached import add_signature
from pyostree.sign.signers import file_signers, key_signers


class SummarySigners(NamedTuple):
    """The same keys twice.

    Attributes:
        summary: these sign whatever is there already, as for the reference.
        commit: of these, OpenPGP keys refuse to sign a second time.
    """

    summary: tuple[Signer, ...]
    commit: tuple[Signer, ...]


def named_signers(
    keys: Sequence[str],
    files: Sequence[str],
    engine_name: str | None = None,
    *,
    of_commits: bool = False,
) -> tuple[Signer, ...]:
    """Return what signs with keys of an engine, as a command line names them.

    Args:
        keys: secret keys in the text form of the engine.
        files: of each the first key signs.
        engine_name: None for the usual one.
        of_commits: errors say that a commit was to be signed.
    """
    return (
        *key_signers(keys, engine_name, of_commits=of_commits),
        *file_signers(files, engine_name, of_commits=of_commits),
    )


def commit_signers(
    by_engines: Sequence[Signer], gpg_keys: Sequence[str], gpg_home: str | None = None
) -> tuple[Signer, ...]:
    """Return what signs a commit: with keys of engines first, then with OpenPGP keys.

    Args:
        by_engines: what signs with keys of engines.
        gpg_keys: IDs of secret OpenPGP keys.
        gpg_home: where GnuPG keeps them; None for its default.
    """
    return (*by_engines, *_gpg_signers(gpg_keys, gpg_home))


def summary_signers(
    by_engines: Sequence[Signer], gpg_keys: Sequence[str], gpg_home: str | None = None
) -> SummarySigners:
    """Return what signs a summary, and the commit that goes with it: OpenPGP keys are first.

    Arguments as `commit_signers`.
    """
    return SummarySigners(
        (*(_gpg_summary_signer(key, gpg_home) for key in gpg_keys), *by_engines),
        (*_gpg_signers(gpg_keys, gpg_home), *by_engines),
    )


def _gpg_signers(keys: Sequence[str], home: str | None) -> tuple[Signer, ...]:
    if not keys:
        return ()
    from pyostree.sign.gpg.detached import gpg_signer  # few need it

    return tuple(gpg_signer(key, home) for key in keys)


def _gpg_summary_signer(key_id: str, home: str | None) -> Signer:
    from pyostree.sign.gpg.signer import GpgKey

    return partial(add_signature, GpgKey(key_id, home))
