"""`PullSite`: where a pull works, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pyostree.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from pyostree.formats.objects import Checksum
    from pyostree.formats.refspec import CollectionRef
    from pyostree.pull.progress import PullProgress
    from pyostree.remote.remotes import Remotes
    from pyostree.repo.repo import Repo
    from pyostree.repo.transaction import Transaction

Report = Callable[["PullProgress"], None]


class PullSite(NamedTuple):
    """The place of a pull.

    Attributes:
        repo: where objects and refs go.
        report: called now and then with the progress.
        watch: may cancel the pull.
        remotes: those to choose from, which may have temporary ones; None: as configured.
        oldest: a commit for each ref that must not go back behind it.
        transaction: a running one of `repo` to take part in. Nothing is published, and commits stay
            marked as incomplete, until its owner commits it. None: the pull has one of its own.
    """

    repo: Repo
    report: Report | None = None
    watch: Watch = UNWATCHED
    remotes: Remotes | None = None
    transaction: Transaction | None = None
    oldest: Mapping[CollectionRef, Checksum] = MappingProxyType({})
