"""Builders of archives: by `tarfile`, and header by header where it would refuse."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DIR = tarfile.DIRTYPE
SYMLINK = tarfile.SYMTYPE
LINK = tarfile.LNKTYPE
FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT, "ustar": tarfile.USTAR_FORMAT}
COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
}


class Item(NamedTuple):
    """One member to be written."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    target: str = ""
    xattrs: Mapping[str, bytes] = {}


ROOT = Item("./", type=DIR, mode=0o755)


def directory(name: str, mode: int = 0o755, **more: int) -> Item:
    return Item(name, type=DIR, mode=mode, **more)  # type: ignore[arg-type]


def link(name: str, target: str) -> Item:
    return Item(name, type=LINK, target=target)


def symlink(name: str, target: str) -> Item:
    return Item(name, type=SYMLINK, target=target, mode=0o777)


def make_tar(*items: Item, format: str = "pax") -> bytes:  # noqa: A002
    """Return an archive of the members in the order given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=FORMATS[format]) as archive:
        for item in items:
            archive.addfile(_info(item), io.BytesIO(item.data))
    return buffer.getvalue()


def _info(item: Item) -> tarfile.TarInfo:
    info = tarfile.TarInfo(item.name)
    info.type, info.mode, info.uid, info.gid = item.type, item.mode, item.uid, item.gid
    info.size, info.linkname = len(item.data), item.target
    info.pax_headers = {
        f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape")
        for name, value in item.xattrs.items()
    }
    return info


def header(name: bytes, size: int = 0, kind: bytes = b"0", **fields: bytes) -> bytes:
    """Return one header block; `fields` are `mode`, `octal` (the size), ... as they stand."""
    block = bytearray(512)
    block[: len(name)] = name
    parts = {
        100: fields.get("mode", b"0000644\0"),
        108: b"0000000\0",
        116: b"0000000\0",
        124: fields.get("octal", b"%011o\0" % size),
        136: b"00000000000\0",
        148: b" " * 8,
        156: kind,
        157: fields.get("target", b""),
        257: fields.get("magic", b"ustar\x0000"),
        386: fields.get("rest", b""),
    }
    for start, part in parts.items():
        block[start : start + len(part)] = part
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(*records: tuple[bytes, bytes]) -> bytes:
    """Return an extended header with its block."""
    body = b"".join(map(_record, *zip(*records, strict=True)))
    return header(b"pax", len(body), b"x") + padded(body)


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length += len(str(length)) - len(str(rest))
    return b"%d %b=%b\n" % (length, key, value)


def encoded(value: bytes) -> bytes:
    """Return an attribute's value as bsdtar writes it."""
    return base64.b64encode(value).rstrip(b"=")


END = bytes(1024)


def tar_file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def chunks_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))
