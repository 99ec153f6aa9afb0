"""Metadata objects as they come over the network: checked, then stored; commits once signed.

A commit and its detached metadata are asked for at once and may come in either order; the commit is
stored when both are here, since the signatures that let it pass are in the latter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pyostree.errors import ChecksumMismatchError, doing
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.pull.job import PullJob
from pyostree.repo.store.structure import check_structure, has_structure


class MetadataReceiver:
    """Checks and stores the metadata of one pull.

    Args:
        arrived: called with each object that is stored now, and its bytes where they are known; for
            a commit its detached metadata is stored, too.
    """

    def __init__(self, job: PullJob, arrived: Callable[[ObjectName, bytes | None], None]) -> None:
        self._repo = job.repo
        self._signatures = job.signatures
        self._stats = job.transaction.stats
        self._arrived = arrived
        # Of commits that are not stored yet, the one waiting for the other.
        self._detached: dict[Checksum, bytes | None] = {}
        self._commits: dict[Checksum, bytes] = {}

    def receive(self, name: ObjectName, data: bytes) -> None:
        """Take an object.

        Raises:
            ChecksumMismatchError: it is another one.
            FormatError: it is malformed.
            VerificationError: no signature lets the commit pass.
        """
        match name.type:
            case ObjectType.COMMITMETA:
                self._receive_detached(name, data)
            case ObjectType.TOMBSTONE_COMMIT:
                pass  # that it exists is all we want to know
            case _:
                self._receive_checked(name, data)

    def no_detached(self, commit: Checksum) -> None:
        """Note that a commit has no detached metadata."""
        self._after_detached(commit, None)

    def _receive_detached(self, name: ObjectName, data: bytes) -> None:
        checksum = name.checksum
        if self._repo.store.has(ObjectName(checksum, ObjectType.COMMIT)):
            # In this order: where signatures are demanded, junk is told of as having none.
            self._signatures.check_detached(self._repo, checksum, data)
            self._replace_detached(name, data)
        self._after_detached(checksum, data)

    def _replace_detached(self, name: ObjectName, data: bytes) -> None:
        before = self._repo.store.read_detached(name.checksum)
        if before:  # nor does junk take away what is there
            with doing(str(name)):
                check_structure(ObjectType.COMMITMETA, data)
        if before != (kept := _sound(data)):
            self._repo.store.write_detached(name.checksum, kept)

    def _after_detached(self, checksum: Checksum, data: bytes | None) -> None:
        name = ObjectName(checksum, ObjectType.COMMIT)
        if self._repo.store.has(name):
            self._arrived(name, None)
            return
        self._detached[checksum] = data
        commit = self._commits.pop(checksum, None)
        if commit is not None:
            self._store_commit(name, commit)

    def _receive_checked(self, name: ObjectName, data: bytes) -> None:
        actual = hashlib.sha256(data).digest()
        if actual != name.checksum:
            raise ChecksumMismatchError(name.type.extension, str(name.checksum), actual.hex())
        with doing(str(name)):
            check_structure(name.type, data)
        if name.type is not ObjectType.COMMIT:
            self._store(name, data)
        elif name.checksum in self._detached:
            self._store_commit(name, data)
        else:
            self._commits[name.checksum] = data

    def _store_commit(self, name: ObjectName, data: bytes) -> None:
        detached = self._detached.pop(name.checksum)
        self._signatures.check(name.checksum, data, detached)
        # Before the commit itself: a crash must not leave it looking complete.
        self._repo.mark_partial(name.checksum)
        if detached is not None:
            self._repo.store.write_detached(name.checksum, _sound(detached))
        self._store(name, data)

    def _store(self, name: ObjectName, data: bytes) -> None:
        written = self._repo.store.put_metadata(name.type, data)
        self._stats.count_metadata(is_new=written.is_new)
        self._arrived(name, data)


def _sound(detached: bytes) -> bytes:
    """Return detached metadata as they are to be kept: junk is taken for none, as it signs nothing.

    Who demands no signatures gets the commit beside it, as from the reference.
    """
    return detached if has_structure(ObjectType.COMMITMETA, detached) else b""
