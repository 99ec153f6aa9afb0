"""Metadata given as text: ``KEY=VALUE``, the value a plain string or in GVariant's text format."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pyostree.errors import FormatError, doing
from pyostree.formats.commit import Metadata
from pyostree.formats.gvariant import Variant, parse_text

# Returns detached metadata with a signature of the given bytes (a commit object, a summary) added.
Signer = Callable[[bytes, Metadata], Metadata]


class MetadataArguments(NamedTuple):
    """Metadata as a person types it.

    Attributes:
        strings: ``KEY=VALUE`` with a string value; they come first in the commit.
        variants: ``KEY=VALUE`` with a value in GVariant text format.
        detached_strings: ``KEY=VALUE`` for the detached metadata.
    """

    strings: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    detached_strings: tuple[str, ...] = ()

    def parse(self) -> Metadata:
        """Return the commit metadata.

        Raises:
            FormatError: no ``=`` in an argument, or a value that cannot be parsed.
        """
        return _strings(self.strings) + tuple(_variant(text) for text in self.variants)

    def parse_detached(self) -> Metadata:
        """Return the detached metadata (errors as `parse`)."""
        return _strings(self.detached_strings)


def _strings(arguments: tuple[str, ...]) -> Metadata:
    pairs = (_split(text) for text in arguments)
    return tuple((key, Variant("s", value)) for key, value in pairs)


def _variant(text: str) -> tuple[str, Variant]:
    key, value = _split(text)
    with doing(f"Parsing {text}"):
        return key, parse_text(value)


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise FormatError(f"Missing '=' in KEY=VALUE metadata '{text}'")
    return key, value
