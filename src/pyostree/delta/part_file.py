"""Part files: what is compressed becomes a payload in a file without a name, mapped into memory."""

from __future__ import annotations

import hashlib
import itertools
import lzma
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from pyostree.errors import CorruptObjectError, FormatError
from pyostree.formats.delta_part import XZ, PartPayload, check_compression, decode_payload
from pyostree.formats.delta_superblock import PartHeader
from pyostree.formats.superblock_layout import Buffer
from pyostree.fs.dir import Dir
from pyostree.fs.mapping import Mapping
from pyostree.fs.tempfile import TempFile

# Enough for what any preset up to 9 needs; a dictionary beyond that is an attack.
_MAX_DECODER_BYTES = 100 << 20
# xz makes 7000 bytes of one. A part of files holds about what they do; one of patches may hold
# more, but is far from filling this.
_MIN_PAYLOAD_LIMIT = 1 << 30
_PRESET = 8
_CHUNK = 1 << 20

_LZMA_MESSAGES = {
    "Input format not supported by decoder": "File format not recognized",
    "Corrupt input data": "Data is corrupt",
    "Memory usage limit exceeded": "Exceeded memory limit",
    "Invalid or unsupported options": "Invalid or unsupported options",
    "Insufficient buffer space": "Input buffer too small",
}


def payload_limit(header: PartHeader) -> int:
    """Return how many bytes the payload of a part may have at most."""
    return _MIN_PAYLOAD_LIMIT + 2 * header.usize


@contextmanager
def open_payload(
    chunks: Iterable[Buffer], temp: Dir, *, max_bytes: int, checksum: bytes | None = None
) -> Iterator[PartPayload]:
    """Give the payload of a part file.

    Args:
        chunks: the file's bytes.
        temp: where the uncompressed payload may lie.
        max_bytes: limit for the payload.
        checksum: SHA-256 of the file; None leaves it unchecked.

    Raises:
        FormatError: bad compression, too large, or no payload.
        CorruptObjectError: another checksum.
    """
    digest = hashlib.sha256()
    with TempFile(temp) as file:
        size = 0
        for piece in _unpacked(_passing(chunks, digest.update)):
            size += len(piece)
            if size > max_bytes:
                raise FormatError(
                    f"Decompressed delta part exceeds configured limit of {max_bytes} bytes"
                )
            file.write(piece)
        if checksum is not None and digest.digest() != checksum:
            raise CorruptObjectError(
                "Checksum mismatch in static delta part; "
                f"expected={checksum.hex()} actual={digest.hexdigest()}"
            )
        with Mapping(file.fd) as mapping:
            yield decode_payload(mapping.data)


class _Update(Protocol):
    def __call__(self, data: Buffer, /) -> None: ...


def _passing(chunks: Iterable[Buffer], update: _Update) -> Iterator[Buffer]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def _unpacked(chunks: Iterator[Buffer]) -> Iterator[Buffer]:
    first = next((chunk for chunk in chunks if chunk), b"")
    if not first:
        raise FormatError("Static delta part is empty")
    check_compression(first[0])
    rest = itertools.chain([first[1:]], chunks)
    return _inflate(rest) if first[0] == XZ else rest


def _inflate(chunks: Iterator[Buffer]) -> Iterator[Buffer]:
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_DECODER_BYTES)
    for chunk in chunks:
        if decoder.eof:
            continue  # what follows the stream counts for the checksum only
        try:
            yield decoder.decompress(chunk, _CHUNK)
            while not decoder.eof and not decoder.needs_input:
                yield decoder.decompress(b"", _CHUNK)
        except lzma.LZMAError as err:
            raise FormatError(_LZMA_MESSAGES.get(str(err), str(err))) from err
        except MemoryError:
            raise FormatError("Out of memory") from None
    if not decoder.eof:
        raise FormatError("Input buffer too small")


def pack_part(payload: bytes) -> bytes:
    """Return the part file of a payload."""
    packed = lzma.compress(payload, lzma.FORMAT_XZ, lzma.CHECK_CRC64, _PRESET)
    return bytes([XZ]) + packed
