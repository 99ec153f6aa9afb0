"""Applying a static delta from files, without its remote."""

from __future__ import annotations

import errno
import os

from pyostree.delta.plan import DeltaPart, DeltaPlan, plan_delta, run_part, store_commit
from pyostree.delta.signatures import NO_KEYS_NAMED, DeltaKeys, SuperblockCheck, needs_signatures
from pyostree.delta.superblock_file import open_superblock
from pyostree.errors import NotFoundError, ObjectNotFoundError, UnsupportedError
from pyostree.formats.commit import decode_commit
from pyostree.formats.delta_superblock import Superblock, decode_superblock
from pyostree.formats.objects import ObjectName, ObjectType
from pyostree.fs.dir import Dir
from pyostree.fs.file import InputFile
from pyostree.repo.delta_dirs import SUPERBLOCK
from pyostree.repo.repo import Repo
from pyostree.repo.traverse import Reachable


def apply_offline(repo: Repo, path: str, keys: DeltaKeys = NO_KEYS_NAMED) -> None:
    """Store the commit of a delta with all its objects; no ref is written.

    A commit whose delta leaves out objects that are not here either is marked as partial.

    Args:
        path: a directory with ``superblock``, or the superblock itself; parts lie beside it.
        keys: who must have signed the delta. Unless it names some, a delta needs a signature only
            if the configuration of the repository says so; one that has any must have a good one
            if this machine trusts keys.

    Raises:
        VerificationError: it has not the signature that it needs.
        NotFoundError: the commit that it starts from is missing.
        UnsupportedError: the delta leaves objects to be fetched.
        FormatError: it is damaged.
        CorruptObjectError: a part or object is another than it should be.
    """
    with SuperblockCheck(keys, needs_signature=needs_signatures(repo)) as check:
        directory, name = _open_place(path)
        with directory, open_superblock(repo, directory, name) as data:
            _apply(repo, directory, decode_superblock(check.unwrap(data)))


def _apply(repo: Repo, directory: Dir, superblock: Superblock) -> None:
    plan = plan_delta(superblock)
    _check_applicable(repo, plan)
    with repo.transaction():
        for part in plan.parts:
            if not part.is_applied(repo):
                _run(repo, directory, part)
        if not repo.store.has(ObjectName(plan.name.target, ObjectType.COMMIT)):
            # Last, and marked if need be: it must never look complete without being so.
            if not _has_tree(repo, plan):
                repo.mark_partial(plan.name.target)
            store_commit(repo, plan)


def _open_place(path: str) -> tuple[Dir, str]:
    try:
        return Dir.at(path), SUPERBLOCK
    except NotADirectoryError:
        return Dir.above(path)
    except FileNotFoundError:
        err = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        err.add_note("openat(O_DIRECTORY)")
        raise err from None


def _check_applicable(repo: Repo, plan: DeltaPlan) -> None:
    source = plan.name.source
    if source is not None and not repo.store.has(ObjectName(source, ObjectType.COMMIT)):
        raise NotFoundError(f"Commit {source}, which is the delta source, is not in repository")
    if plan.fallbacks:
        raise UnsupportedError(
            "Cannot execute delta offline: contains nonempty http fallback entries"
        )


def _has_tree(repo: Repo, plan: DeltaPlan) -> bool:
    needed = Reachable(repo)
    try:
        needed.add_tree(plan.name.target, decode_commit(plan.superblock.commit))
    except ObjectNotFoundError:
        return False
    has = repo.store.has
    return all(has(ObjectName(one, ObjectType.DIRMETA)) for one in needed.dirmetas) and all(
        has(ObjectName(one, ObjectType.FILE)) for one in needed.files
    )


def _run(repo: Repo, directory: Dir, part: DeltaPart) -> None:
    if part.inline is not None:
        run_part(repo, part)
        return
    try:
        file = InputFile(directory.open_read(str(part.number)))
    except OSError as err:
        err.__notes__ = [f"Opening deltapart '{part.number}'"]
        raise
    with file:
        run_part(repo, part, file.chunks())
