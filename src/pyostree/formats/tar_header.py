"""Header blocks of tar archives: the 512 bytes in front of each member.

```
  0 name[100]   100 mode[8]   108 uid[8]   116 gid[8]   124 size[12]   136 mtime[12]
148 checksum[8] 156 type[1]   157 linkname[100]   257 magic[8]   265 uname[32]   297 gname[32]
329 devmajor[8] 337 devminor[8]   345 prefix[155] (POSIX)
345 atime[12]   357 ctime[12]   386 sparse map, 4 x (offset[12], size[12])   482 more[1]
483 real size[12] (GNU)
```

Numbers are octal text, or binary with the top bit of the first byte set. Source: POSIX.1-2017
"pax", and "Basic Tar Format" of the GNU tar manual.
"""

from __future__ import annotations

from typing import NamedTuple

from pyostree.formats.archive_member import SIZE_LIMIT, ArchiveError

BLOCK_BYTES = 512
ZERO_BLOCK = bytes(BLOCK_BYTES)
_GNU_MAGIC = b"ustar  \0"
_POSIX_MAGIC = b"ustar"
_OCTAL_DIGITS = b"01234567"


class TarHeader(NamedTuple):
    """One header block; what only members have is decoded when it is asked for.

    Attributes:
        size: what follows the header, in bytes, unless an extended header says otherwise.
        type: the type flag, one byte.
    """

    block: bytes
    size: int
    type: bytes

    @property
    def path(self) -> bytes:
        """The name, with its prefix."""
        block = self.block
        name = block[:100].partition(b"\0")[0]
        if not block[345]:
            return name
        magic = block[257:265]
        if magic == _GNU_MAGIC or not magic.startswith(_POSIX_MAGIC):
            return name
        prefix = block[345:500].partition(b"\0")[0]
        return prefix + name if prefix.endswith(b"/") else prefix + b"/" + name

    @property
    def target(self) -> bytes:
        """Target of a link."""
        return self.block[157:257].partition(b"\0")[0]

    @property
    def mode(self) -> int:
        """As stored; old archives put the file type into it as well."""
        return decode_number(self.block[100:108])

    @property
    def uid(self) -> int:
        """Owner."""
        return decode_number(self.block[108:116])

    @property
    def gid(self) -> int:
        """Group."""
        return decode_number(self.block[116:124])


def decode_tar_header(block: bytes) -> TarHeader:
    """Return a header block.

    Raises:
        ArchiveError: its checksum or its size is wrong.
    """
    if not is_tar_header(block):
        raise ArchiveError("Damaged tar archive")
    size = decode_number(block[124:136])
    if size < 0:
        raise ArchiveError("Tar entry has negative size")
    if size >= SIZE_LIMIT:
        raise ArchiveError("Tar entry size overflow")
    return TarHeader(block, size, block[156:157])


def is_tar_header(block: bytes) -> bool:
    """Tell whether a block's checksum is right: the sum of its bytes, its own field as blanks."""
    if len(block) != BLOCK_BYTES:
        return False
    stored = decode_number(block[148:156])
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    if stored == total:
        return True
    # Some old programs summed signed bytes.
    high = sum(byte >> 7 for byte in block[:148] + block[156:])
    return stored == total - 256 * high


def decode_number(field: bytes) -> int:
    """Return a number; text that is none counts as zero, as it does for libarchive."""
    first = field[0]
    if first & 0x80:
        value = int.from_bytes(field, "big")
        bits = 8 * len(field)
        if first & 0x40:
            return value - (1 << bits)  # two's complement
        return value - (1 << (bits - 1))
    try:
        return int(field.rstrip(b" \0"), 8)
    except ValueError:
        return _lenient_octal(field)


def _lenient_octal(field: bytes) -> int:
    text = field.lstrip(b" \t")
    sign = -1 if text.startswith(b"-") else 1
    value = 0
    for byte in text.removeprefix(b"-"):
        if byte not in _OCTAL_DIGITS:
            break
        value = value * 8 + byte - 0x30
    return sign * value
