"""Where static deltas lie in a repository: finding and deleting them, without looking inside.

```
deltas/FF/REST/            from nothing; FFREST is the target's checksum in base64
deltas/FF/REST-TARGET/     from the commit FFREST to the commit TARGET
```

In this base64 ``/`` is written ``_`` and the padding is left out. A directory counts as a delta
when it has a ``superblock``.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import NamedTuple

from pyostree.formats.objects import CHECKSUM_BYTES, Checksum, parse_checksum
from pyostree.fs.dir import random_name
from pyostree.repo.repo import Repo

DELTAS = "deltas"
SUPERBLOCK = "superblock"
_DETACHED = "commitmeta"
_PREFIX_CHARACTERS = 2


class DeltaName(NamedTuple):
    """Commits between which a delta leads; `source` is None for a delta from nothing."""

    source: Checksum | None
    target: Checksum

    def __str__(self) -> str:
        return "-".join(str(part) for part in self if part is not None)


def parse_delta_id(text: str) -> DeltaName:
    """Return the commits in ``[SOURCE-]TARGET``, each in hex, as commands and indexes write it.

    Raises:
        InvalidNameError: one of them is no checksum.
    """
    source, dash, target = text.partition("-")
    if not dash:
        return DeltaName(None, parse_checksum(text))
    return DeltaName(parse_checksum(source), parse_checksum(target))


def iter_deltas(repo: Repo) -> Iterator[DeltaName]:
    """Yield the deltas of a repository, sorted by path."""
    if not repo.dir.is_dir(DELTAS):
        return
    with repo.dir.open_dir(DELTAS) as deltas:
        for prefix in deltas.list():
            if len(prefix) != _PREFIX_CHARACTERS or not deltas.is_dir(prefix, follow=False):
                continue
            with deltas.open_dir(prefix) as directory:
                names = [
                    name for name in directory.list() if directory.exists(f"{name}/{SUPERBLOCK}")
                ]
            for name in names:
                found = parse_delta_name(prefix + name)
                # A name that others would spell differently is found by none of them.
                if found is not None and delta_path(found) == f"{DELTAS}/{prefix}/{name}":
                    yield found


def delete_delta(repo: Repo, name: DeltaName) -> bool:
    """Delete a delta with all its files; return whether there was one."""
    rubbish = random_name("delta-")
    try:
        # In one step: of half a delta nobody would know any more that it is one.
        repo.dir.rename(delta_path(name), rubbish, to_dir=repo.tmp)
    except FileNotFoundError:
        return False
    return repo.tmp.remove_tree(rubbish)


def delta_path(name: DeltaName) -> str:
    """Return the directory of a delta, relative to the repository."""
    text = "-".join(_encode(part) for part in name if part is not None)
    return f"{DELTAS}/{text[:_PREFIX_CHARACTERS]}/{text[_PREFIX_CHARACTERS:]}"


def part_path(name: DeltaName, index: int) -> str:
    """Return the path of one part of a delta, relative to the repository."""
    return f"{delta_path(name)}/{index}"


def detached_key(name: DeltaName) -> str:
    """Return the key under which a superblock has the commit's detached metadata."""
    return f"{delta_path(name)}/{_DETACHED}"


def superblock_path(name: DeltaName) -> str:
    """Return the path of a delta's superblock, relative to the repository."""
    return f"{delta_path(name)}/{SUPERBLOCK}"


def parse_delta_name(text: str) -> DeltaName | None:
    """Return the commits in ``[SOURCE-]TARGET``, each in base64; None when it is no such name."""
    parts = [_decode(part) for part in text.split("-")]
    match parts:
        case [Checksum() as target]:
            return DeltaName(None, target)
        case [Checksum() as source, Checksum() as target]:
            return DeltaName(source, target)
        case _:
            return None


def _encode(checksum: Checksum) -> str:
    text = binascii.b2a_base64(checksum, newline=False).decode()
    return text.rstrip("=").replace("/", "_")


def _decode(text: str) -> Checksum | None:
    try:
        raw = binascii.a2b_base64(text.replace("_", "/") + "=", strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return Checksum(raw) if len(raw) == CHECKSUM_BYTES else None
