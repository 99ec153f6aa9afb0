"""Signed superblocks of static deltas, ``(taya{sv})``: a superblock and signatures of its bytes.

The number reads ``OSTSGNDT`` at the start of the file. The array holds the whole superblock, which
keeps its alignment by that, and the dictionary for each engine a list under ``ostree.sign.ENGINE``.

Source: "Signed deltas" of the static delta format, compared with files of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyostree.errors import FormatError
from pyostree.formats.gvariant import Variant, decode, encode
from pyostree.formats.superblock_layout import Buffer, split_tuple

SIGNED_TYPE = "(taya{sv})"

_MAGIC = b"OSTSGNDT"
_KEY_PREFIX = "ostree.sign."
_SIGNATURES_TYPE = "aay"
# Hundreds of signatures. More would be there to take memory, or hours: for each of them all of the
# superblock is hashed.
_MAX_DICTIONARY_BYTES = 1 << 16
_MEMBERS = ((8, 8), (1, None), (8, None))

Metadata = tuple[tuple[str, Variant], ...]


class SignedSuperblock(NamedTuple):
    """A superblock with signatures of exactly the bytes `data`."""

    data: Buffer
    signatures: Metadata


def split_signed(data: Buffer) -> SignedSuperblock | None:
    """Return what a signed superblock wraps; None when `data` is none."""
    if data[: len(_MAGIC)] != _MAGIC:
        return None
    try:
        _, inner, dictionary = split_tuple(data, _MEMBERS)
        if len(dictionary) > _MAX_DICTIONARY_BYTES:
            return None
        signatures: Metadata = decode("a{sv}", dictionary)
    except FormatError:
        return None
    if not any(key.startswith(_KEY_PREFIX) for key, _ in signatures):
        return None
    return SignedSuperblock(inner, signatures)


def encode_signed(data: bytes, key: str, signatures: Sequence[bytes]) -> bytes:
    """Return a superblock with its signatures.

    Args:
        data: the bytes of the superblock.
        key: under which the signatures of an engine lie.
    """
    listed = ((key, Variant(_SIGNATURES_TYPE, tuple(signatures))),)
    return encode(SIGNED_TYPE, (int.from_bytes(_MAGIC, "little"), data, listed))
