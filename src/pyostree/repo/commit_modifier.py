"""The modifier that a command line asks for, with the files that it names read."""

from __future__ import annotations

from pyostree.repo.commit_labels import NO_LABELS, CommitLabels
from pyostree.repo.modes import RepoMode
from pyostree.repo.modifier import CommitModifier, parse_path_list, parse_statoverride
from pyostree.repo.repo import Repo
from pyostree.repo.text_file import read_text_file


def make_modifier(
    repo: Repo,
    *,
    statoverride_path: str | None = None,
    skip_list_path: str | None = None,
    owner_uid: int | None = None,
    owner_gid: int | None = None,
    labels: CommitLabels = NO_LABELS,
    **options: bool,
) -> CommitModifier:
    """Return the modifier for a commit into `repo`, reading the files that it needs.

    Whether the options contradict each other is checked by `commit`, in its turn.

    Args:
        owner_uid: negative means not set, as for `owner_gid`.
        options: further flags of `CommitModifier`.

    Raises:
        FormatError: a malformed file.
        OSError: a file cannot be read.
    """
    overrides = None
    if statoverride_path is not None:
        overrides = parse_statoverride(read_text_file(statoverride_path))
    skipped = None
    if skip_list_path is not None:
        skipped = parse_path_list(read_text_file(skip_list_path))
    return CommitModifier(
        owner_uid=_owner(owner_uid),
        owner_gid=_owner(owner_gid),
        statoverride=overrides,
        skip_list=skipped,
        canonical_by_mode=repo.mode is RepoMode.BARE_USER_ONLY,
        labels=labels,
        **options,
    )


def _owner(value: int | None) -> int | None:
    return None if value is None or value < 0 else value
