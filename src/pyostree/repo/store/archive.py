"""Mode archive: content compressed in ``.filez`` files, made to be served over HTTP."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from pyostree.errors import FormatError, doing
from pyostree.formats.file_header import (
    PREFIX_BYTES,
    FileHeader,
    archive_header_length,
    content_checksum,
    decode_archive_header,
    encode_archive_header,
)
from pyostree.formats.objects import Checksum, loose_path
from pyostree.fs.dir import Dir
from pyostree.fs.file import CHUNK_BYTES, InputFile
from pyostree.fs.tempfile import TempFile
from pyostree.repo.store.archive_hash import hash_plain, inflate_whole
from pyostree.repo.store.base import ObjectStore
from pyostree.repo.store.content import OpenContent
from pyostree.repo.store.records import Buffer, Written

_FIRST_READ = 64 << 10
# libdeflate needs the whole input and output in memory; above this a stream is compressed.
_IN_MEMORY_BYTES = 64 << 20
# Below this zlib is faster than setting up libdeflate's larger tables.
_TINY_BYTES = 512
# At these levels libdeflate reaches the ratio of zlib's level in about half the time.
_LIBDEFLATE_LEVEL = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 5, 7: 6, 8: 7, 9: 9}


class Packed(NamedTuple):
    """A ``.filez`` whose header was read.

    Attributes:
        start: what was read of the deflate stream.
        position: where in the file that stream begins.
    """

    file: InputFile
    header: FileHeader
    size: int
    start: bytes
    position: int

    def inflated(self) -> Iterator[bytes | bytearray]:
        """Yield the content.

        Raises:
            FormatError: the compressed data is damaged, or not of the size that the header says.
        """
        if len(self.start) + self.position < _FIRST_READ:
            whole: bytes | bytearray = inflate_whole(self.start, self.size)
            return iter((whole,))
        return inflate(self.start, self.file, self.size)

    def compressed(self) -> Iterator[bytes]:
        """Yield the deflate stream as it is."""
        self.file.rewind(self.position)
        return self.file.chunks()


class ArchiveStore(ObjectStore):
    """Each content object is a header and a raw deflate stream."""

    def _open(self, place: Dir, path: str) -> OpenContent:
        file = InputFile.open(place, path)
        try:
            return open_archived(file)
        except BaseException:
            file.close()
            raise

    def hash_content(self, checksum: Checksum) -> tuple[FileHeader, Checksum]:
        """Return the header of an object and the checksum that it really has."""
        try:
            file = InputFile.open(self.objects, loose_path(checksum, self._extension))
        except OSError:
            return super().hash_content(checksum)
        with file:
            hashed = hash_plain(file)
        return super().hash_content(checksum) if hashed is None else hashed

    def _write_body(self, tmp: TempFile, header: FileHeader, data: Buffer) -> None:
        packed = compress(data, self.settings.zlib_level)
        tmp.write_parts(encode_archive_header(header, len(data)), packed)

    def _write_stream(
        self, tmp: TempFile, header: FileHeader, size: int, chunks: Iterator[bytes]
    ) -> None:
        tmp.write(encode_archive_header(header, size))
        if size <= _IN_MEMORY_BYTES:
            tmp.write(compress(_gather(chunks, size), self.settings.zlib_level))
            return
        packer = zlib.compressobj(self.settings.zlib_level, zlib.DEFLATED, -zlib.MAX_WBITS)
        for chunk in chunks:
            tmp.write(packer.compress(chunk))
        tmp.write(packer.flush())

    def _apply_metadata(self, tmp: TempFile, header: FileHeader) -> None:
        tmp.set_mode(0o644)

    def _put_symlink(self, checksum: Checksum, header: FileHeader) -> bool:
        with TempFile(self.temp) as tmp:
            tmp.write(encode_archive_header(header, 0))
            return self._publish(tmp, checksum, header)

    def write_changed(self, source: Checksum, header: FileHeader) -> Written:
        """Store the content of the object `source` under another header, without compressing it.

        Raises:
            ObjectNotFoundError: there is no such object.
            FormatError: it is damaged.
        """
        file = self._open_own(source)
        if file is None:
            return super().write_changed(source, header)
        with file:
            with doing(f"Opening content object {source}"):
                packed = read_packed(file)
                if packed.header.is_symlink:
                    return super().write_changed(source, header)
                checksum = content_checksum(header, packed.inflated())
            filez = chain((encode_archive_header(header, packed.size),), packed.compressed())
            with doing("Writing content object"):
                is_new = self.put_archived_stream(checksum, packed.size, filez)
            return Written(checksum, is_new)

    def _open_own(self, checksum: Checksum) -> InputFile | None:
        """Open the ``.filez`` of this repository; a parent's may be in another form."""
        path = loose_path(checksum, self._extension)
        for place in self.places():
            try:
                return InputFile.open(place, path)
            except FileNotFoundError:
                continue
        return None

    def put_archived(self, checksum: Checksum, size: int, filez: bytes) -> bool:
        """Store a whole ``.filez`` whose content is known to hash to `checksum`."""
        return self.put_archived_stream(checksum, size, (filez,))

    def put_archived_stream(self, checksum: Checksum, size: int, filez: Iterable[bytes]) -> bool:
        """Store a ``.filez`` that comes in pieces; its content is known to hash to `checksum`."""
        if self.has_own_content(checksum):
            return False
        self._reserve(size)
        with TempFile(self.temp) as tmp:
            for chunk in filez:
                tmp.write(chunk)
            tmp.set_mode(0o644)
            if self.settings.sync_objects:
                tmp.sync()
            path = loose_path(checksum, self._extension)
            return self.publish_file(tmp, self.destination(), path)


def _gather(chunks: Iterator[bytes], size: int) -> memoryview:
    """Return the stream in one buffer, without holding it twice as joining would."""
    buffer = memoryview(bytearray(size))
    position = 0
    for chunk in chunks:
        buffer[position : position + len(chunk)] = chunk
        position += len(chunk)
    return buffer


def compress(data: Buffer, zlib_level: int) -> bytes | bytearray:
    """Return `data` as a raw deflate stream."""
    if len(data) < _TINY_BYTES:
        packer = zlib.compressobj(zlib_level, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(data) + packer.flush()
    from deflate import deflate_compress

    packed: bytearray = deflate_compress(data, _LIBDEFLATE_LEVEL[zlib_level])
    return packed


def open_archived(file: InputFile) -> OpenContent:
    """Read the header of a ``.filez`` and return its content, ready to be inflated.

    Raises:
        FormatError: the header is damaged.
    """
    packed = read_packed(file)
    if stat.S_ISLNK(packed.header.mode):
        file.close()
        return OpenContent(packed.header, 0, None)
    return OpenContent(
        packed.header, packed.size, file, lambda: inflate(packed.start, file, packed.size)
    )


def read_packed(file: InputFile) -> Packed:
    """Read the header of a ``.filez`` (errors as `open_archived`)."""
    available = file.status().st_size
    start = file.read_exactly(_FIRST_READ)
    length = archive_header_length(start[:PREFIX_BYTES], available)
    end = PREFIX_BYTES + length
    if end > len(start):
        start += file.read_exactly(end - len(start))
    header, size = decode_archive_header(start[PREFIX_BYTES:end])
    return Packed(file, header, size, start[end:], end)


def inflate(first: bytes, file: InputFile, size: int) -> Iterator[bytes]:
    """Yield the `size` bytes that the deflate stream `first` plus the rest of `file` holds.

    Raises:
        FormatError: broken or truncated data, or another size than the header promised; checked as
            it streams, so that a bomb does not get far.
    """
    from isal import isal_zlib

    inflater = isal_zlib.decompressobj(-zlib.MAX_WBITS)
    left = size
    data = first
    try:
        while not inflater.eof:
            chunk = inflater.decompress(data, min(left + 1, CHUNK_BYTES))
            if chunk:
                left -= len(chunk)
                if left < 0:
                    raise FormatError(f"Invalid compressed data: more than {size} bytes")
                yield chunk
            data = inflater.unconsumed_tail
            if not data and not inflater.eof:
                data = file.read(CHUNK_BYTES)
                if not data and not chunk:
                    raise FormatError("Need more input")
    except isal_zlib.IsalError as err:  # type: ignore[misc]  # its stub says it is an instance
        raise FormatError("Invalid compressed data") from err
    if left:
        raise FormatError(f"Unexpected EOF with {left}/{size} bytes remaining")
