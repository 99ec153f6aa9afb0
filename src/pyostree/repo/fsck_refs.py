"""The part of a check that looks at refs: what they point to, and whether that belongs to them."""

from __future__ import annotations

from pyostree.errors import VerificationError, doing
from pyostree.formats.commit import Commit
from pyostree.formats.objects import Checksum, ObjectName, ObjectType, parse_checksum
from pyostree.formats.refspec import CollectionRef, Refspec, parse_refspec
from pyostree.repo.bindings import COLLECTION_BINDING, bound_refs, check_bindings
from pyostree.repo.fsck_objects import find_problem
from pyostree.repo.fsck_report import FsckListener, FsckReporter
from pyostree.repo.repo import Repo


class RefChecker:
    """Checks the refs of one repository."""

    def __init__(self, repo: Repo, reporter: FsckReporter, *, verify_bindings: bool) -> None:
        self._repo = repo
        self._reporter = reporter
        self._verifies_bindings = verify_bindings
        self._collection_refs: dict[CollectionRef, str] | None = None

    def run(self, listener: FsckListener) -> None:
        """Check the commits of all refs.

        Raises:
            CorruptObjectError: one is corrupt, and the check stops at that.
            ObjectNotFoundError: one is missing.
            VerificationError: one does not belong to its ref.
        """
        listener.begin("Validating refs...")
        with doing("Listing refs"):
            refs = self._repo.refs.list()
        for refspec, text in refs.items():
            self._check(refspec, parse_refspec(refspec).ref, parse_checksum(text), None)
        listener.begin("Validating refs in collections...")
        for ref, text in self._list_collection_refs().items():
            self._check(str(ref), ref.ref, parse_checksum(text), ref.collection_id)

    def _check(self, shown: str, ref: str, checksum: Checksum, collection_id: str | None) -> None:
        problem = find_problem(self._repo.store, ObjectName(checksum, ObjectType.COMMIT))
        if problem is not None:
            self._reporter.report(problem, [])
        with doing(f"Loading commit for ref {shown}"):
            commit = self._repo.load_commit(checksum)
        if self._verifies_bindings:
            with doing(f"Commit {checksum}"):
                check_bindings(commit, ref, collection_id)

    def check_back_refs(self, checksum: Checksum, commit: Commit) -> None:
        """Raise `VerificationError` unless the refs that a commit names point to it."""
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
            self._collection_refs = self._list_collection_refs()
        text = self._collection_refs.get(ref)
        return None if text is None else parse_checksum(text)

    def _list_collection_refs(self) -> dict[CollectionRef, str]:
        with doing("Listing refs"):
            return self._repo.refs.list_collections(self._repo.config.collection_id, {})
