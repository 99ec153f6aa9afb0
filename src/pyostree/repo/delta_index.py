"""Delta indexes: for each commit that deltas lead to, one file that lists them.

``delta-indexes/PP/REST.index`` holds an ``a{sv}`` with the one key ``ostree.static-deltas``: names
of deltas and the SHA-256 of their superblocks, as in the summary. A client needs no summary then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pyostree.formats.commit import METADATA_TYPE
from pyostree.formats.gvariant import Variant, encode
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.summary import STATIC_DELTAS, ordered_metadata
from pyostree.fs.file import InputFile
from pyostree.repo.delta_dirs import (
    DELTAS,
    DeltaName,
    delta_path,
    iter_deltas,
    parse_delta_name,
    superblock_path,
)
from pyostree.repo.repo import Repo

INDEXES = "delta-indexes"
_EXTENSION = ".index"


def read_delta_digests(repo: Repo) -> dict[DeltaName, bytes]:
    """Return the SHA-256 of the superblock of every delta."""
    digests = {}
    for name in iter_deltas(repo):
        digest = hashlib.sha256()
        with InputFile(repo.dir.open_read(superblock_path(name))) as file:
            for chunk in file.chunks():  # there may be parts in it
                digest.update(chunk)
        digests[name] = digest.digest()
    return digests


def delta_list(digests: Iterable[tuple[DeltaName, bytes]]) -> Variant:
    """Return the value that summaries and indexes have under ``ostree.static-deltas``."""
    named = ((str(name), Variant("ay", digest)) for name, digest in digests)
    return Variant(METADATA_TYPE, ordered_metadata(named))


def reindex(repo: Repo, to: str | None = None) -> None:
    """Bring all indexes, or only that of deltas to the commit `to`, up to date under the lock.

    Raises:
        InvalidNameError: `to` is no checksum; that indexes are kept is noted by then, as by the
            reference.
    """
    _note_in_config(repo)
    target = None if to is None else parse_checksum(to)
    with repo.lock.held(exclusive=False):
        digests = read_delta_digests(repo)
        if target is None:
            write_delta_indexes(repo, digests)
        else:
            own = {name: digest for name, digest in digests.items() if name.target == target}
            _update(repo, {index_path(target)}, _contents(own))


def write_delta_indexes(repo: Repo, digests: dict[DeltaName, bytes]) -> None:
    """Bring all indexes up to date and note in the configuration that they are kept."""
    _note_in_config(repo)
    _update(repo, _existing(repo), _contents(digests))


def list_indexes(repo: Repo) -> list[Checksum]:
    """Return the commits that have an index."""
    return list(_existing(repo).values())


def _contents(digests: dict[DeltaName, bytes]) -> dict[str, bytes]:
    """Return what the index files must hold, by path."""
    by_target: dict[Checksum, list[tuple[DeltaName, bytes]]] = {}
    for name, digest in digests.items():
        by_target.setdefault(name.target, []).append((name, digest))
    return {
        index_path(target): encode(METADATA_TYPE, ((STATIC_DELTAS, delta_list(items)),))
        for target, items in by_target.items()
    }


def _update(repo: Repo, candidates: Iterable[str], wanted: dict[str, bytes]) -> None:
    for path in candidates:
        if path not in wanted:
            repo.dir.remove(path, missing_ok=True)
    for path, content in wanted.items():
        if not repo.dir.exists(path) or repo.dir.read_file(path) != content:
            repo.dir.make_dirs(path.rpartition("/")[0], 0o755)
            repo.dir.replace_file(path, content, sync=repo.fsync)


def index_path(target: Checksum) -> str:
    """Return the repo-relative path of the index of deltas that lead to `target`."""
    below = delta_path(DeltaName(None, target)).removeprefix(f"{DELTAS}/")
    return f"{INDEXES}/{below}{_EXTENSION}"


def _existing(repo: Repo) -> dict[str, Checksum]:
    """Return the index files, with the commits that they are for; others are not touched."""
    found: dict[str, Checksum] = {}
    if not repo.dir.is_dir(INDEXES):
        return found
    with repo.dir.open_dir(INDEXES) as indexes:
        for prefix in indexes.list():
            if indexes.is_dir(prefix, follow=False):
                with indexes.open_dir(prefix) as directory:
                    names = directory.list()
                for name in names:
                    target = _parse_index_name(prefix + name)
                    path = f"{INDEXES}/{prefix}/{name}"
                    if target is not None and path == index_path(target):
                        found[path] = target
    return found


def _parse_index_name(name: str) -> Checksum | None:
    if not name.endswith(_EXTENSION):
        return None
    delta = parse_delta_name(name.removesuffix(_EXTENSION))
    return None if delta is None or delta.source is not None else delta.target


def _note_in_config(repo: Repo) -> None:
    keyfile = repo.config.keyfile
    if keyfile.get_boolean("core", "indexed-deltas", False):
        return
    changed = keyfile.copy()
    changed.set_boolean("core", "indexed-deltas", True)
    repo.write_config(changed)
