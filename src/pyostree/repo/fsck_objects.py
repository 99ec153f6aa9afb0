"""Checking many objects: what is wrong with each, found on all processors."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pyostree.errors import NotFoundError, OstreeError, describe
from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, ObjectName, ObjectType
from pyostree.repo.parallel import batches, map_ordered, worker_pool
from pyostree.repo.processes import SharedWork, Sharing, may_fork
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.verify import read_verified, verify_content

# Enough that handing a batch over costs little, few enough that all processors end together.
_BATCH = 128


# The process or the machine lacks something: that says nothing about the object.
_NOT_THE_OBJECTS_FAULT = (
    errno.EACCES,
    errno.EPERM,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
)


class Problem(NamedTuple):
    """Why an object failed.

    Attributes:
        message: None when it is missing.
        is_unknown: whether it could not be read at all and may be as good as ever.
    """

    name: ObjectName
    message: str | None
    is_unknown: bool = False


class Batch(NamedTuple):
    """Objects of one type; `packed` are their checksums in a row."""

    kind: ObjectType
    packed: bytes

    def __len__(self) -> int:
        return len(self.packed) // CHECKSUM_BYTES

    def names(self) -> Iterator[ObjectName]:
        """Yield the objects."""
        for at in range(0, len(self.packed), CHECKSUM_BYTES):
            yield ObjectName(Checksum(self.packed[at : at + CHECKSUM_BYTES]), self.kind)


def pack_batches(kind: ObjectType, checksums: Iterable[Checksum]) -> Iterator[Batch]:
    """Yield batches of the size in which `check_batches` hands them out."""
    for group in batches(checksums, _BATCH):
        yield Batch(kind, b"".join(group))


def check_batches(
    store: ObjectStore, work: Iterable[Batch], done: Callable[[Batch, list[Problem]], None]
) -> None:
    """Check all objects, and call `done` with every batch and the problems that were found in it.

    Forked helpers share the work where that is possible, since most objects are small and keep the
    interpreter busier than the disk; otherwise threads do.
    """

    def check(batch: Batch) -> list[Problem]:
        found = (find_problem(store, name) for name in batch.names())
        return [problem for problem in found if problem is not None]

    if may_fork():
        sharing = Sharing(check, lambda batch: (batch, ()), lambda batch, _: check(batch))
        with SharedWork(sharing, done) as shared:
            for batch in work:
                shared.submit(batch)
            shared.finish()
        return
    with worker_pool() as pool:
        for batch, problems in map_ordered(pool, lambda batch: (batch, check(batch)), work):
            done(batch, problems)


def find_problem(store: ObjectStore, name: ObjectName) -> Problem | None:
    """Check one object; return what is wrong with it, or None."""
    is_file = name.type is ObjectType.FILE
    try:
        if is_file:
            verify_content(store, name.checksum)
        else:
            read_verified(store, name)
    except NotFoundError:
        return Problem(name, None)
    except (OstreeError, OSError) as err:
        message = _describe(store, name, err) if is_file else problem_text(name, err)
        is_unknown = isinstance(err, OSError) and err.errno in _NOT_THE_OBJECTS_FAULT
        return Problem(name, message, is_unknown)
    return None


def problem_text(name: ObjectName, err: OstreeError | OSError) -> str:
    """Return what a check says of a metadata object with which something is wrong."""
    return f"fsck {name}: {describe(err)}"


def _describe(store: ObjectStore, name: ObjectName, err: OstreeError | OSError) -> str:
    message = describe(err)
    if not store.settings.mode.is_bare:  # the reference does not name the object twice here
        message = message.removeprefix(f"Opening content object {name.checksum}: ")
    return f"fsck content object {name.checksum}: {message}"
