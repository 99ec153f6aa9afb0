"""How GVariant values look in Python.

==================  ==========================================================================
type                value
==================  ==========================================================================
``y n q i u x t h`` ``int``
``b``, ``d``        ``bool``, ``float``
``s o g``           ``str``
``ay``              ``bytes``, also inside other types
``aT``, ``(...)``   ``tuple``
``{kv}``            ``(key, value)``, so ``a{kv}`` keeps order and duplicates
``mT``              ``None`` or `Just`
``v``               `Variant`
==================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

# The type string decides a value's shape, and a type checker cannot read it: as for JSON, Any.
Value: TypeAlias = Any


class Variant(NamedTuple):
    """A value together with its type string; what a ``v`` holds."""

    type: str
    value: Value


class Just(NamedTuple):
    """A maybe that is not nothing."""

    value: Value


def lookup(pairs: Iterable[tuple[str, Variant]], key: str) -> Variant | None:
    """Return the first variant stored under `key` in a decoded ``a{sv}``, or None."""
    for name, variant in pairs:
        if name == key:
            return variant
    return None
