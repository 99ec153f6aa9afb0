"""Names of refs, refspecs, remotes and collections: their syntax, with the reference's messages.

A fragment is a word character (any Unicode letter, digit, or ``_``) and any number of word
characters, ``-`` and ``.``; a ref is fragments joined by ``/``; a remote's name is one fragment.
Names of this syntax are safe path components: never empty, ``.``, ``..``, or with a leading dash.
"""

from __future__ import annotations

from typing import NamedTuple

from pyostree.errors import InvalidNameError
from pyostree.formats.objects import is_checksum

_MAX_COLLECTION_ID = 255
_MIN_ELEMENTS = 2
_ALPHA = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_ALNUM = _ALPHA | frozenset("0123456789")


class Refspec(NamedTuple):
    """A ref and the remote it belongs to; `remote` is None for a local ref."""

    remote: str | None
    ref: str

    def __str__(self) -> str:
        return self.ref if self.remote is None else f"{self.remote}:{self.ref}"


class CollectionRef(NamedTuple):
    """A ref qualified by a globally unique collection ID; None for a ref without one."""

    collection_id: str | None
    ref: str

    def __str__(self) -> str:
        return f"({self.collection_id or '(null)'}, {self.ref})"


def is_ref_fragment(text: str) -> bool:
    """Tell whether `text` may stand between two slashes of a ref."""
    if not text or not (text[0].isalnum() or text[0] == "_"):
        return False
    rest = text.replace("_", "").replace("-", "").replace(".", "")
    return not rest or rest.isalnum()


def is_ref_name(text: str) -> bool:
    """Tell whether `text` is a ref, such as ``exampleos/x86_64/standard``."""
    return all(map(is_ref_fragment, text.split("/")))


def is_collection_id(text: str) -> bool:
    """Tell whether `text` has the syntax of a D-Bus interface name, such as ``org.example.Os``."""
    elements = text.split(".")
    return (
        len(text) <= _MAX_COLLECTION_ID
        and len(elements) >= _MIN_ELEMENTS
        and all(part and part[0] in _ALPHA and _ALNUM.issuperset(part) for part in elements)
    )


def check_ref_name(text: str) -> None:
    """Raise `InvalidNameError` unless `text` is a ref."""
    if is_ref_name(text):
        return
    if not _is_utf8(text):
        raise InvalidNameError("Invalid ref name: not valid UTF-8")
    raise InvalidNameError(f"Invalid ref name {text}")


def check_writable_ref_name(text: str) -> None:
    """Raise `InvalidNameError` unless a ref may be created under the name `text`."""
    check_ref_name(text)
    if is_checksum(text):  # it would be taken for a commit everywhere
        raise InvalidNameError(f"Rev name '{text}' looks like a checksum")


def check_remote_name(text: str) -> None:
    """Raise `InvalidNameError` unless `text` may name a remote."""
    if not is_ref_fragment(text):
        raise InvalidNameError(f"Invalid remote name {text}")


def check_collection_id(text: str) -> None:
    """Raise `InvalidNameError` unless `text` is a collection ID."""
    if not is_collection_id(text):
        raise InvalidNameError(f"Invalid collection ID {text}")


def parse_refspec(text: str) -> Refspec:
    """Return what ``[REMOTE:]REF`` says.

    Raises:
        InvalidNameError: bad syntax; the message names the whole refspec.
    """
    remote, colon, ref = text.rpartition(":")
    if not is_ref_name(ref) or (colon and not is_ref_fragment(remote)):
        raise InvalidNameError(f"Invalid refspec {text}")
    return Refspec(remote if colon else None, ref)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
