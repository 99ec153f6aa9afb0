"""Fsck: every object that the commits of a repository need is there and hashes to its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from pyostree.errors import (
    ChecksumMismatchError,
    CorruptObjectError,
    NotFoundError,
    ObjectNotFoundError,
    OstreeError,
    VerificationError,
    describe,
    doing,
)
from pyostree.formats.commit import Commit, decode_commit
from pyostree.formats.file_header import check_file_mode
from pyostree.formats.links import TreeLinks, decode_tree_links
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, parse_checksum
from pyostree.formats.refspec import CollectionRef, Refspec, parse_refspec
from pyostree.progress import UNWATCHED, Phase, Watch
from pyostree.repo.bindings import COLLECTION_BINDING, bound_refs, check_bindings
from pyostree.repo.parallel import map_batches, worker_pool
from pyostree.repo.prune import enable_tombstones
from pyostree.repo.repo import Repo
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.structure import check_structure
from pyostree.repo.sweep import delete_object
from pyostree.repo.traverse import Reachable
from pyostree.repo.users import ObjectUsers

T = TypeVar("T")

_BATCH = 64
FOUND_BY_FSCK = b"f"


class FsckOptions(NamedTuple):
    """What to check, and what to do about what is found.

    Attributes:
        keep_going: report corrupt objects and go on; otherwise the first is raised.
        delete: report and delete them.
        add_tombstones: delete commits whose parent is missing, leaving tombstones.
        verify_bindings: check that commits belong to the refs that point to them.
        verify_back_refs: check that the refs to which commits belong point to them.
    """

    keep_going: bool = False
    delete: bool = False
    add_tombstones: bool = False
    verify_bindings: bool = False
    verify_back_refs: bool = False


class FsckListener(Protocol):
    """Is told what a check does and finds."""

    def begin(self, step: str) -> None: ...
    def find(self, problem: str) -> None: ...
    def note(self, text: str) -> None: ...
    def progress(self, done: int, total: int) -> None: ...


class _Problem(NamedTuple):
    """Why an object failed; `message` is None when it is missing."""

    name: ObjectName
    message: str | None


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
    """State of one check."""

    def __init__(
        self, repo: Repo, options: FsckOptions, listener: FsckListener, watch: Watch
    ) -> None:
        self._repo = repo
        self._watch = watch
        self._options = options
        self._listener = listener
        self._goes_on = options.keep_going or options.delete
        self._has_problem = False
        self._commits: dict[Checksum, Commit] = {}
        self._partial: list[Checksum] = []
        self._orphans: list[Checksum] = []
        self._corrupt: list[_Problem] = []
        self._users: ObjectUsers | None = None
        self._collection_refs: dict[CollectionRef, str] | None = None

    def run(self) -> int:
        self._check_refs()
        self._check_collection_refs()
        self._check_commits()
        self._check_objects()
        if self._options.add_tombstones:
            self._add_tombstones()
        elif self._partial:
            self._listener.note(f"{len(self._partial)} partial commits not verified")
        if self._has_problem:
            raise CorruptObjectError("Repository corruption encountered")
        if any(self._repo.partial_reason(commit)[:1] == FOUND_BY_FSCK for commit in self._partial):
            raise CorruptObjectError(
                f"{len(self._partial)} partial commits from fsck-detected corruption"
            )
        return len(self._commits)

    # -- refs ----------------------------------------------------------------------------

    def _check_refs(self) -> None:
        self._listener.begin("Validating refs...")
        with doing("Listing refs"):
            refs = self._repo.refs.list()
        for refspec, text in refs.items():
            self._check_ref(refspec, parse_refspec(refspec).ref, parse_checksum(text), None)

    def _check_collection_refs(self) -> None:
        self._listener.begin("Validating refs in collections...")
        with doing("Listing refs"):
            refs = self._repo.refs.list_collections(self._repo.config.collection_id, {})
        for ref, text in refs.items():
            self._check_ref(str(ref), ref.ref, parse_checksum(text), ref.collection_id)

    def _check_ref(
        self, shown: str, ref: str, checksum: Checksum, collection_id: str | None
    ) -> None:
        name = ObjectName(checksum, ObjectType.COMMIT)
        problem = _check_metadata(self._repo.store, name)
        if problem is not None:
            self._report(problem, users=None)
        with doing(f"Loading commit for ref {shown}"):
            commit = self._repo.load_commit(checksum)
        if self._options.verify_bindings:
            with doing(f"Commit {checksum}"):
                check_bindings(commit, ref, collection_id)

    # -- commits -------------------------------------------------------------------------

    def _check_commits(self) -> None:
        self._listener.begin("Enumerating commits...")
        for checksum in sorted(self._repo.store.iter_commits()):
            self._check_commit(checksum)

    def _check_commit(self, checksum: Checksum) -> None:
        name = ObjectName(checksum, ObjectType.COMMIT)
        data = self._repo.store.read_metadata(name)
        message = _verify(name, data)
        is_partial = self._repo.is_partial(checksum)
        if message is not None and not is_partial:
            self._corrupt.append(_Problem(name, message))
        commit = (
            decode_commit(data) if message is None else _decode_if_possible(decode_commit, data)
        )
        if commit is None:
            return
        if self._options.verify_back_refs:
            self._check_back_refs(checksum, commit)
        if self._options.add_tombstones and commit.parent is not None:
            self._note_orphan(checksum, commit.parent)
        if is_partial:
            self._partial.append(checksum)
        else:
            self._commits[checksum] = commit

    def _note_orphan(self, checksum: Checksum, parent: Checksum) -> None:
        if not self._repo.store.has(ObjectName(parent, ObjectType.COMMIT)):
            self._orphans.append(checksum)

    def _check_back_refs(self, checksum: Checksum, commit: Commit) -> None:
        collection_id = commit.lookup_str(COLLECTION_BINDING)
        for ref in bound_refs(commit) or ():
            if collection_id is None:
                shown = f"Ref ‘{ref}’"
                target = self._repo.resolve_ref(Refspec(None, ref))
            else:
                shown = f"Collection–ref ({collection_id}, {ref})"
                target = self._resolve_collection_ref(CollectionRef(collection_id, ref))
            if target is None:
                raise VerificationError(f"{shown} in bindings for commit {checksum} does not exist")
            if target != checksum:
                raise VerificationError(
                    f"{shown} in bindings for commit {checksum} does not resolve to that commit"
                )

    def _resolve_collection_ref(self, ref: CollectionRef) -> Checksum | None:
        if self._collection_refs is None:
            own_id = self._repo.config.collection_id
            self._collection_refs = self._repo.refs.list_collections(own_id, {})
        text = self._collection_refs.get(ref)
        return None if text is None else parse_checksum(text)

    def _add_tombstones(self) -> None:
        """Delete the commits whose parent is missing: the reference deletes the child, too."""
        for checksum in self._orphans:
            enable_tombstones(self._repo)
            self._listener.note(f"Adding tombstone for commit {checksum}")
            name = ObjectName(checksum, ObjectType.COMMIT)
            if self._repo.store.has_own(name):
                delete_object(self._repo, name)

    # -- objects -------------------------------------------------------------------------

    def _check_objects(self) -> None:
        useless = [
            problem for problem in self._corrupt if problem.name.checksum not in self._commits
        ]
        count = len(self._commits) + len(useless)
        self._listener.begin(f"Verifying content integrity of {count} commit objects...")
        for corrupt in self._corrupt:
            self._report(corrupt, users=[corrupt.name.checksum])
        self._watch.begin(Phase.SCAN)
        reachable = Reachable(self._repo, read_links=self._read_dirtree, watch=self._watch)
        for checksum, commit in self._commits.items():
            reachable.add_commit(checksum, commit)
        total = len(reachable)
        done = len(self._commits) + len(reachable.dirtrees)
        if total:
            self._listener.progress(1, total)
            self._listener.progress(done, total)
        self._watch.begin(Phase.CHECK, total)
        self._watch.advance(done)
        with worker_pool() as pool:
            checks = map_batches(pool, self._check_object, _objects(reachable), batch=_BATCH)
            for problem in checks:
                if problem is not None:
                    self._report_object(problem)
                done += 1
                self._listener.progress(done, total)
                self._watch.advance()
        self._watch.finish()

    def _read_dirtree(self, checksum: Checksum) -> TreeLinks | None:
        """Read and check a dirtree at once; None when it is of no use."""
        name = ObjectName(checksum, ObjectType.DIRTREE)
        try:
            data = self._repo.store.read_metadata(name)
        except ObjectNotFoundError:
            if not self._goes_on:
                raise
            self._report_object(_Problem(name, None))
            return None
        message = _verify(name, data)
        if message is not None:
            self._report_object(_Problem(name, message))
            return None if self._options.delete else _decode_if_possible(decode_tree_links, data)
        return decode_tree_links(data)

    def _check_object(self, name: ObjectName) -> _Problem | None:
        if name.type is ObjectType.FILE:
            return _check_content(self._repo.store, name)
        return _check_metadata(self._repo.store, name)

    def _report_object(self, problem: _Problem) -> None:
        if self._users is None:
            self._users = ObjectUsers(self._repo, self._commits)
        self._report(problem, users=self._users.commits_using(problem.name))

    def _report(self, problem: _Problem, *, users: list[Checksum] | None) -> None:
        """Report a problem, or raise it when the check ends at the first corrupt object."""
        self._has_problem = True
        commits = "" if users is None else ", ".join(map(str, users))
        name, message = problem
        if message is not None:
            message = f"In commits {commits}: {message}" if commits else message
            if not self._goes_on:
                raise CorruptObjectError(message)
            self._listener.find(message)
            if not self._options.delete:
                return
            self._delete(name)
        else:
            where = f" in commits {commits}" if commits else ""
            self._listener.find(f"Object missing{where}: {name}")
        if name.type is not ObjectType.COMMIT:
            self._mark_partial(users or [])

    def _delete(self, name: ObjectName) -> None:
        if self._repo.store.has_own(name):
            self._repo.store.delete(name)

    def _mark_partial(self, commits: Iterable[Checksum]) -> None:
        for commit in commits:
            if not self._repo.is_partial(commit):
                self._listener.find(f"Marking commit as partial: {commit}")
                self._repo.mark_partial(commit, FOUND_BY_FSCK)


def _decode_if_possible(decode: Callable[[bytes], T], data: bytes) -> T | None:
    try:
        return decode(data)
    except OstreeError:
        return None


def _objects(reachable: Reachable) -> Iterator[ObjectName]:
    for checksum in sorted(reachable.dirmetas):
        yield ObjectName(checksum, ObjectType.DIRMETA)
    for checksum in sorted(reachable.files):  # in the order in which they lie on the disk
        yield ObjectName(checksum, ObjectType.FILE)


def _check_metadata(store: ObjectStore, name: ObjectName) -> _Problem | None:
    try:
        data = store.read_metadata(name)
    except NotFoundError:
        return _Problem(name, None)
    except (OstreeError, OSError) as err:
        return _Problem(name, f"fsck {name}: {describe(err)}")
    message = _verify(name, data)
    return None if message is None else _Problem(name, message)


def _verify(name: ObjectName, data: bytes) -> str | None:
    """Return what is wrong with a metadata object, or None."""
    digest = hashlib.sha256(data).digest()
    if digest != name.checksum:
        mismatch = ChecksumMismatchError(name.type.extension, str(name.checksum), digest.hex())
        return f"fsck {name}: {mismatch}"
    try:
        check_structure(name.type, data)
    except OstreeError as err:
        return f"fsck {name}: {name}: {describe(err)}"
    return None


def _check_content(store: ObjectStore, name: ObjectName) -> _Problem | None:
    checksum = name.checksum
    try:
        header, actual = store.hash_content(checksum)
        check_file_mode(header.mode)
    except NotFoundError:
        return _Problem(name, None)
    except (OstreeError, OSError) as err:
        message = describe(err)
        if not store.settings.mode.is_bare:  # the reference does not name the object twice here
            message = message.removeprefix(f"Opening content object {checksum}: ")
        return _Problem(name, f"fsck content object {checksum}: {message}")
    if actual == checksum:
        return None
    mismatch = ChecksumMismatchError("file", str(checksum), str(actual))
    return _Problem(name, f"fsck content object {checksum}: {mismatch}")
