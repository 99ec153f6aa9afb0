"""What a revision names: a checksum, the start of one, a ref, or an ancestor of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyostree.errors import AmbiguousRevError, NotFoundError
from pyostree.formats.objects import CHECKSUM_HEX, Checksum, is_checksum, parse_checksum
from pyostree.formats.refspec import parse_refspec

if TYPE_CHECKING:
    from pyostree.repo.repo import Repo

_HEX_DIGITS = frozenset("0123456789abcdef")


def resolve_rev(repo: Repo, rev: str, *, fallback: bool) -> Checksum | None:
    """Return the commit that `rev` names, or None when there is no such ref.

    Args:
        fallback: whether a ref without remote is also looked for in the remotes.

    Raises:
        AmbiguousRevError: the start of a checksum fits several commits.
        InvalidNameError: it is no refspec.
        NotFoundError: a commit has no parent, or not as many ancestors.
    """
    if is_checksum(rev):
        return parse_checksum(rev)
    if len(rev) < CHECKSUM_HEX and _HEX_DIGITS.issuperset(rev):
        found = sorted(repo.store.iter_commits(rev))
        if len(found) > 1:
            raise AmbiguousRevError(f"Refspec {rev} not unique")
        if found:
            return found[0]
    name = rev.rstrip("^")
    if name != rev:
        return _ancestor(repo, repo.resolve(name), len(rev) - len(name))
    return repo.resolve_ref(parse_refspec(rev), fallback=fallback)


def _ancestor(repo: Repo, checksum: Checksum, generations: int) -> Checksum:
    for _ in range(generations):
        parent = repo.load_commit(checksum).parent
        if parent is None:
            raise NotFoundError(f"Commit {checksum} has no parent")
        checksum = parent
    return checksum
