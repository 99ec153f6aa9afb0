"""Metalinks: XML that names mirrors of one file with its size and hash.

Source: Metalink 3.0, as far as OSTree uses it. The document comes from the network: declarations of
entities are refused, and nothing but the expected elements is looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import NamedTuple
from xml.parsers import expat

from pyostree.errors import FetchError, FormatError, NotFoundError
from pyostree.formats.objects import MAX_METADATA_BYTES
from pyostree.remote.fetch import (
    MEMORY_BYTES,
    Fetcher,
    FetchRequest,
    fetch_bytes,
)
from pyostree.remote.urls import SCHEMES, BaseUrl, parse_base_url, parse_url

_HASHES = ("sha256", "sha512")
_HEX_DIGITS = frozenset("0123456789abcdef")
_PROTOCOLS = ("http", "https")
_URL_ATTRIBUTES = ("protocol", "type", "location", "preference")
_MAX_DECIMALS = 20
_MAX_URLS = 256  # nobody has more, and each that is dead takes its time
# A metalink from the network may not lead to files of this machine.
_NETWORK_SCHEMES = ("http", "https")
# A summary that outgrew its metalink is told with its size, anything beyond is not even read.
_SURPLUS_BYTES = MEMORY_BYTES
# Each element that counts, and where it stands.
_FILE = ("metalink", "files", "file")
_HASH = (*_FILE, "verification", "hash")
_URL = (*_FILE, "resources", "url")
_KNOWN_PATHS = frozenset(
    path[:length] for path in (_HASH, _URL, (*_FILE, "size")) for length in range(1, len(path) + 1)
)
_QUOTES = (ord('"'), ord("'"))


class Metalink(NamedTuple):
    """What a metalink says of one file.

    Attributes:
        sha256: hash in hexadecimal, or None.
        sha512: likewise; wins when both are given.
        urls: of the file itself, in document order.
    """

    size: int
    sha256: str | None
    sha512: str | None
    urls: tuple[BaseUrl, ...]

    def check(self, data: bytes) -> None:
        """Raise `FetchError` unless `data` has the promised size and hash."""
        if len(data) != self.size:
            raise FetchError(f"Expected size is {self.size} bytes but content is {len(data)} bytes")
        if self.sha512 is not None:
            expected, actual = self.sha512, hashlib.sha512(data).hexdigest()
        else:
            expected, actual = self.sha256 or "", hashlib.sha256(data).hexdigest()
        if expected != actual:
            raise FetchError(f"Expected checksum is {expected} but actual is {actual}")


class MetalinkFile(NamedTuple):
    """A file got through a metalink, and the directory URL from which it came."""

    base: BaseUrl
    data: bytes


def fetch_metalink(fetcher: Fetcher, text: str, file: str = "summary") -> MetalinkFile:
    """Get a file through the metalink at a URL, from the first mirror that has it whole.

    Raises:
        NotFoundError: the metalink, or the file in it, does not exist.
        FetchError: the metalink or all mirrors failed.
        FormatError: the metalink is malformed.
    """
    url = parse_base_url(text)
    found = fetch_bytes(fetcher, FetchRequest("", (url,), MAX_METADATA_BYTES))
    schemes = SCHEMES if url.scheme == "file" else _NETWORK_SCHEMES
    metalink = parse_metalink(found or b"", file, schemes)
    max_bytes = min(metalink.size + _SURPLUS_BYTES, MAX_METADATA_BYTES)
    last: FetchError | None = None
    for target in metalink.urls:
        has_others = target is not metalink.urls[-1]
        request = FetchRequest("", (target,), max_bytes, leaves_unreachable=has_others)
        try:
            data = fetch_bytes(fetcher, request) or b""
            metalink.check(data)
        except FetchError as err:
            last = err
            continue
        return MetalinkFile(target.parent(), data)
    count = len(metalink.urls)
    raise FetchError(f"Exhausted {count} metalink targets, last error: {last}")


def parse_metalink(data: bytes, file: str, schemes: Collection[str] = SCHEMES) -> Metalink:
    """Return what a metalink says of `file`.

    Args:
        schemes: of the URLs that count.

    Raises:
        NotFoundError: it names other files only.
        FormatError: malformed, or an important part is missing.
    """
    reader = _Reader(data, file, schemes)
    reader.read()
    if not reader.has_file:
        raise FormatError("No <file> element found")
    if not reader.has_wanted_file:
        raise NotFoundError(f"No <file name='{file}'> found")
    if not reader.hashes:
        raise FormatError("No <verification> hash for sha256 or sha512 found")
    for name, digits in (("sha256", 64), ("sha512", 128)):
        found = reader.hashes.get(name)
        if found is not None and not (len(found) == digits and _HEX_DIGITS.issuperset(found)):
            raise FormatError(f"Invalid hash digest for {name}")
    if not reader.urls:
        raise FormatError("No <url method='http'> elements found")
    hashes = reader.hashes
    return Metalink(reader.size, hashes.get("sha256"), hashes.get("sha512"), tuple(reader.urls))


class _Reader:
    """Collects the parts of one document; elements that are not known are skipped whole."""

    def __init__(self, data: bytes, file: str, schemes: Collection[str]) -> None:
        self._data = data
        self._wanted = file
        self._schemes = schemes
        self._path: tuple[str, ...] = ()
        self._skipping = 0
        self._text: list[str] = []
        self._hash_type = ""
        self._protocol = ""
        self._last_hash_known = False
        self._in_resources = False
        self.has_file = self.has_wanted_file = False
        self.size = 0
        self.hashes: dict[str, str] = {}
        self.urls: list[BaseUrl] = []
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.buffer_text = True

    def read(self) -> None:
        start = len(self._data) - len(self._data.lstrip())
        if self._data and self._data[start : start + 1] not in (b"<", b""):
            line = self._data.count(b"\n", 0, start) + 1
            column = start - self._data.rfind(b"\n", 0, start)
            raise FormatError(
                f"Error on line {line} char {column}: "
                "Document must begin with an element (e.g. <book>)"
            )
        try:
            self._parser.Parse(self._data, False)  # what a cut file lacks is told later
        except expat.ExpatError as err:
            reason = expat.ErrorString(err.code)
            raise FormatError(
                f"Error on line {err.lineno} char {err.offset + 1}: {reason}"
            ) from err

    def _refuse_entity(self, *_: object) -> None:
        raise self._error("entities are not allowed")

    def _error(self, reason: str) -> FormatError:
        """Return an error that names where the current tag ends, as GLib does."""
        end = _tag_end(self._data, self._parser.CurrentByteIndex)
        line = self._data.count(b"\n", 0, end) + 1
        column = len(
            self._data[self._data.rfind(b"\n", 0, end) + 1 : end].decode("utf-8", "replace")
        )
        return FormatError(f"Error on line {line} char {column + 3}: {reason}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        path = (*self._path, name)
        if self._path == (*_FILE, "resources"):
            self._check_before_urls()
        is_done = path == _FILE and bool(self.urls)
        if self._skipping or is_done or path not in _KNOWN_PATHS:
            self._skipping += 1
            return
        self._text.clear()
        if path == _FILE:
            self._check_attributes(name, attributes, ("name",))
            self.has_file = True
            if attributes["name"] != self._wanted:
                self._skipping += 1
                return
            self.has_wanted_file = True
        elif path == _HASH:
            self._check_attributes(name, attributes, ("type",))
            self._hash_type = attributes["type"]
            self._last_hash_known = self._hash_type in _HASHES
        elif path == _URL:
            self._check_attributes(name, attributes, _URL_ATTRIBUTES)
            self._protocol = attributes["protocol"]
        self._path = path

    def _end(self, _: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        text = "".join(self._text)
        if self._path == (*_FILE, "size"):
            self.size = self.size or _decimal(text)  # once it is known, it is a limit
        elif self._path == _HASH and self._last_hash_known:
            self.hashes[self._hash_type] = text
        elif self._path == _URL and self._protocol in _PROTOCOLS:
            self._add_url(text)
        self._text.clear()
        self._path = self._path[:-1]

    def _add_url(self, text: str) -> None:
        try:
            url = parse_url(text)
        except FormatError:
            return
        if url.scheme in self._schemes and len(self.urls) < _MAX_URLS:
            self.urls.append(url)

    def _check_before_urls(self) -> None:
        if not self.size:
            raise self._error("No <size> element found or it is zero")
        if not self._last_hash_known:
            raise self._error("No <verification> element with known <hash type=> found")

    def _check_attributes(
        self, name: str, attributes: dict[str, str], wanted: tuple[str, ...]
    ) -> None:
        for attribute in wanted:
            if attribute not in attributes:
                raise self._error(f"element '{name}' requires attribute '{attribute}'")
        for attribute in attributes:
            if attribute not in wanted:
                raise self._error(f"attribute '{attribute}' invalid for element '{name}'")


def _decimal(text: str) -> int:
    """Return the number that `text` begins with, 0 without one."""
    stripped = text.lstrip()
    digits = stripped[: len(stripped) - len(stripped.lstrip("0123456789"))]
    return int(digits) if digits and len(digits) <= _MAX_DECIMALS else 0


def _tag_end(data: bytes, start: int) -> int:
    """Return the position of the ``>`` that ends the tag at `start`."""
    quote = 0
    for position in range(start, len(data)):
        byte = data[position]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in _QUOTES:
            quote = byte
        elif byte == ord(">"):
            return position
    return len(data)
