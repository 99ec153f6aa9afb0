"""Fsck: every object that the commits of a repository need is there and hashes to its name."""

from __future__ import annotations

from collections.abc import Iterator

from pyostree.errors import CorruptObjectError, ObjectNotFoundError, OstreeError
from pyostree.formats.commit import decode_commit
from pyostree.formats.links import (
    CommitLinks,
    TreeLinks,
    decode_commit_links,
    decode_tree_links,
)
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.fsck_objects import (
    Batch,
    Problem,
    check_batches,
    find_problem,
    pack_batches,
    problem_text,
)
from pyostree.repo.fsck_refs import RefChecker
from pyostree.repo.fsck_report import FOUND_BY_FSCK, FsckListener, FsckOptions, FsckReporter
from pyostree.repo.prune import enable_tombstones
from pyostree.repo.repo import Repo
from pyostree.repo.sweep import delete_object
from pyostree.repo.traverse import Reachable
from pyostree.repo.verify import read_hashed, read_verified

__all__ = ["FsckListener", "FsckOptions", "fsck"]


def fsck(repo: Repo, options: FsckOptions, listener: FsckListener, watch: Watch = UNWATCHED) -> int:
    """Check a repository; return how many commits were checked with all their objects.

    Args:
        watch: hears of the directories that are read, then of the objects that are checked.

    Raises:
        CorruptObjectError: an object is corrupt or missing, or an earlier check found that.
        ObjectNotFoundError: a ref's commit, or a directory of a commit, is missing.
        VerificationError: a binding is wrong.
    """
    return _Fsck(repo, options, listener, watch).run()


class _Fsck:
    """State of one check; of a commit it keeps what its root is."""

    def __init__(
        self, repo: Repo, options: FsckOptions, listener: FsckListener, watch: Watch
    ) -> None:
        self._repo = repo
        self._watch = watch
        self._options = options
        self._listener = listener
        self._roots: dict[Checksum, tuple[Checksum, Checksum]] = {}
        self._partial: list[Checksum] = []
        self._orphans: list[Checksum] = []
        self._corrupt: list[Problem] = []
        self._bad_trees: set[Checksum] = set()
        self._done = self._total = 0
        self._reporter = FsckReporter(repo, options, listener, self._roots)
        self._refs = RefChecker(repo, self._reporter, verify_bindings=options.verify_bindings)

    def run(self) -> int:
        self._refs.run(self._listener)
        self._check_commits()
        self._check_objects()
        if self._options.add_tombstones:
            self._add_tombstones()
        elif self._partial:
            self._listener.note(f"{len(self._partial)} partial commits not verified")
        if self._reporter.has_problem:
            raise CorruptObjectError("Repository corruption encountered")
        if any(self._repo.partial_reason(commit)[:1] == FOUND_BY_FSCK for commit in self._partial):
            raise CorruptObjectError(
                f"{len(self._partial)} partial commits from fsck-detected corruption"
            )
        return len(self._roots)

    # -- commits -------------------------------------------------------------------------

    def _check_commits(self) -> None:
        self._listener.begin("Enumerating commits...")
        self._watch.begin(Phase.SCAN)
        for checksum in sorted(self._repo.store.iter_commits()):
            self._check_commit(checksum)
            self._watch.advance()

    def _check_commit(self, checksum: Checksum) -> None:
        name = ObjectName(checksum, ObjectType.COMMIT)
        is_partial = self._repo.is_partial(checksum)
        try:
            data = read_verified(self._repo.store, name)
        except ObjectNotFoundError:
            raise
        except OstreeError as err:
            if not is_partial:
                self._corrupt.append(Problem(name, problem_text(name, err)))
            data = self._repo.store.read_metadata(name)
            if not _is_readable(data):
                return  # so damaged that nothing can be said of its objects
        links = decode_commit_links(data)
        if self._options.verify_back_refs:
            self._refs.check_back_refs(checksum, decode_commit(data))
        if self._options.add_tombstones and links.parent is not None:
            self._note_orphan(checksum, links.parent)
        if is_partial:
            self._partial.append(checksum)
        else:
            self._roots[checksum] = (links.root_tree, links.root_meta)

    def _note_orphan(self, checksum: Checksum, parent: Checksum) -> None:
        if not self._repo.store.has(ObjectName(parent, ObjectType.COMMIT)):
            self._orphans.append(checksum)

    def _add_tombstones(self) -> None:
        """Delete the commits whose parent is missing: the reference deletes the child, too."""
        if self._orphans:
            enable_tombstones(self._repo)
        for checksum in self._orphans:
            self._listener.note(f"Adding tombstone for commit {checksum}")
            name = ObjectName(checksum, ObjectType.COMMIT)
            if self._repo.store.has_own(name):
                with self._repo.lock.held(exclusive=True):
                    delete_object(self._repo, name)

    # -- objects -------------------------------------------------------------------------

    def _check_objects(self) -> None:
        useless = [problem for problem in self._corrupt if problem.name.checksum not in self._roots]
        count = len(self._roots) + len(useless)
        self._listener.begin(f"Verifying content integrity of {count} commit objects...")
        for corrupt in self._corrupt:
            self._reporter.report(corrupt, [corrupt.name.checksum])
        self._watch.begin(Phase.SCAN)
        reachable = Reachable(self._repo, read_links=self._read_links, watch=self._watch)
        for checksum, (tree, meta) in self._roots.items():
            reachable.add_commit(checksum, CommitLinks(None, 0, tree, meta))
        self._total = len(reachable)
        self._watch.begin(Phase.CHECK, self._total)
        if self._total:
            self._listener.progress(1, self._total)
        self._count(len(self._roots) + len(self._bad_trees))
        check_batches(self._repo.store, self._work(reachable), self._checked)
        self._reporter.flush()
        self._watch.finish()

    def _count(self, objects: int) -> None:
        self._done += objects
        if self._total:
            self._listener.progress(self._done, self._total)
        self._watch.advance(objects)

    def _checked(self, batch: Batch, problems: list[Problem]) -> None:
        for problem in problems:
            self._reporter.add(problem)
        self._count(len(batch))

    def _work(self, reachable: Reachable) -> Iterator[Batch]:
        yield from pack_batches(ObjectType.DIRMETA, sorted(reachable.dirmetas))
        yield from pack_batches(ObjectType.DIRTREE, sorted(reachable.dirtrees - self._bad_trees))
        # In the order in which they lie on the disk.
        yield from pack_batches(ObjectType.FILE, reachable.files)

    def _read_links(self, checksum: Checksum) -> TreeLinks | None:
        """Return what a dirtree names, if it is the one that it should be; None if of no use.

        Whether it is well-formed is checked later, with all other objects.
        """
        name = ObjectName(checksum, ObjectType.DIRTREE)
        try:
            return decode_tree_links(read_hashed(self._repo.store, name))
        except ObjectNotFoundError:
            if not self._options.goes_on:
                raise
        except OstreeError:
            pass
        self._bad_trees.add(checksum)
        problem = find_problem(self._repo.store, name)
        if problem is None:
            raise CorruptObjectError(f"fsck {name}: it changes while it is read")
        self._reporter.add(problem)
        return None if self._options.delete else self._guess_links(name)

    def _guess_links(self, name: ObjectName) -> TreeLinks | None:
        """Return what a damaged dirtree seems to name."""
        try:
            return decode_tree_links(self._repo.store.read_metadata(name))
        except OstreeError:
            return None


def _is_readable(commit: bytes) -> bool:
    try:
        decode_commit(commit)
    except OstreeError:
        return False
    return True
