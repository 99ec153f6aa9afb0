"""``COLLECTION-ID REF`` pairs on a command line."""

from __future__ import annotations

from collections.abc import Sequence

from pyostree.cli.options import UsageError
from pyostree.formats.refspec import CollectionRef


def parse_pairs(words: Sequence[str]) -> list[CollectionRef]:
    """Return the refs that alternating collections and refs name; the names are not checked.

    Raises:
        UsageError: there is none, or half of one is missing.
    """
    if len(words) < 2:  # noqa: PLR2004 - of one pair
        raise UsageError("At least one COLLECTION-ID REF pair must be specified")
    if len(words) % 2:
        raise UsageError("Only complete COLLECTION-ID REF pairs may be specified")
    return [CollectionRef(*pair) for pair in zip(words[::2], words[1::2], strict=True)]
