"""What the parts of one running pull share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from pyostree.pull.progress import PullProgress
    from pyostree.pull.signatures import CommitSignatures
    from pyostree.repo.repo import Repo
    from pyostree.repo.transaction import Transaction


class PullJob(NamedTuple):
    """A running pull.

    Attributes:
        repo: where objects go.
        transaction: counts them, publishes them in the end.
        progress: updated by whoever gets or stores an object, on the main thread.
        pool: gives threads for verifying and storing.
        signatures: to ask before a commit, or detached metadata of a stored one, is written.
    """

    repo: Repo
    transaction: Transaction
    progress: PullProgress
    pool: Callable[[], Executor]
    signatures: CommitSignatures
