"""Which paths of a repository are served: what clients ask for when they pull, nothing else.

A path is matched whole against what a repository may hold under it, so that nothing is left of it
that could climb out, hide, or be taken for two things.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from pyostree.formats.refspec import is_collection_id, is_ref_name

MAX_PATH_CHARS = 4096
RESERVED_NAMES = frozenset(
    ("config", "deltas", "delta-indexes", "objects", "refs", "summaries", "summary")
)

_CHECKSUM_REST = "[0-9a-f]{62}"
_BASE64 = "[A-Za-z0-9+_]"  # as in names of deltas: `/` is spelt `_`
_OBJECT = re.compile(
    f"objects/[0-9a-f]{{2}}/{_CHECKSUM_REST}"
    r"\.(commit|dirtree|dirmeta|filez|commitmeta|tombstone-commit)"
)
_DELTA = re.compile(
    f"deltas/{_BASE64}{{2}}/{_BASE64}{{41}}(?:-{_BASE64}{{43}})?/(?:superblock|0|[1-9][0-9]{{0,6}})"
)
_DELTA_INDEX = re.compile(rf"delta-indexes/{_BASE64}{{2}}/{_BASE64}{{41}}\.index")
# `flatpak build-update-repo` writes an index of summaries, which its clients ask for first.
_INDEXED_SUMMARY = re.compile(r"summaries/[0-9a-f]{64}(?:-[0-9a-f]{64})?\.(?:gz|delta|idx\.sig)")
_DOCUMENTS = frozenset(("summary", "summary.sig", "summary.idx", "summary.idx.sig"))
_HEADS = "refs/heads/"
_MIRRORS = "refs/mirrors/"
_LAST_CONTROL = 0x20
_DELETE = 0x7F


class Kind(Enum):
    """How a path is read, and for how long an answer is good.

    Attributes:
        METADATA: an object whose bytes hash to its name.
        CONTENT: a content object; its bytes depend on the compressor, too.
        FILE: a file that may be replaced: detached metadata, deltas, indexes.
        DOCUMENT: the same, asked for by each client: the summary and its signature.
        REF: a checksum, perhaps behind a symbolic link.
        CONFIG: made from the repository's ``config``.
    """

    METADATA = "metadata"
    CONTENT = "content"
    FILE = "file"
    DOCUMENT = "document"
    REF = "ref"
    CONFIG = "config"


_OBJECT_KINDS = {
    "commit": Kind.METADATA,
    "dirtree": Kind.METADATA,
    "dirmeta": Kind.METADATA,
    "filez": Kind.CONTENT,
    "commitmeta": Kind.FILE,
    "tombstone-commit": Kind.FILE,
}


class Target(NamedTuple):
    """A path that is served, if there is such a file.

    Attributes:
        directory: relative to the repository; empty for its top.
        name: inside `directory`; of a ref all of its name, which may have slashes.
    """

    kind: Kind
    directory: str
    name: str


def parse_target(path: str) -> Target | None:
    """Return what `path`, relative to the repository and without escapes, names; None: nothing."""
    if (found := _OBJECT.fullmatch(path)) is not None:
        directory, _, name = path.rpartition("/")
        return Target(_OBJECT_KINDS[found[1]], directory, name)
    if path in _DOCUMENTS:
        return Target(Kind.DOCUMENT, "", path)
    if path == "config":
        return Target(Kind.CONFIG, "", path)
    if any(form.fullmatch(path) for form in (_DELTA, _DELTA_INDEX, _INDEXED_SUMMARY)):
        directory, _, name = path.rpartition("/")
        return Target(Kind.FILE, directory, name)
    return _parse_ref(path)


def _parse_ref(path: str) -> Target | None:
    if path.startswith(_HEADS):
        name = path[len(_HEADS) :]
        return Target(Kind.REF, _HEADS[:-1], name) if is_ref_name(name) else None
    if path.startswith(_MIRRORS):
        collection, _, ref = path[len(_MIRRORS) :].partition("/")
        if is_collection_id(collection) and is_ref_name(ref):
            return Target(Kind.REF, f"{_MIRRORS}{collection}", ref)
    return None


def is_malformed(path: str) -> bool:
    """Tell whether no honest client asks for `path`: it climbs, or is no text."""
    return (
        any(ord(char) < _LAST_CONTROL or ord(char) == _DELETE for char in path)
        or "\ufffd" in path  # the server's mark for bytes that are no UTF-8
        or any(part in (".", "..") for part in path.split("/"))
    )
