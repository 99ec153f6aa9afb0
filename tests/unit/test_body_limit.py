"""How long the body of a content object can be."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.errors import FormatError
from pyostree.formats.file_header import FileHeader, encode_archive_header
from pyostree.pull.body_limit import max_archived_bytes


@given(st.binary(max_size=1 << 14), st.integers(0, 9), st.text("ab/", max_size=50))
def test_max_archived_bytes_of_a_good_body_is_enough(
    content: bytes, level: int, target: str
) -> None:
    header = FileHeader(0, 0, 0o120777 if target else 0o100644, target)
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 1)
    body = encode_archive_header(header, len(content)) + packer.compress(content) + packer.flush()
    assert len(body) <= max_archived_bytes(body[:16]) < len(body) + 100_000


@given(st.binary(max_size=64))
def test_max_archived_bytes_any_start_raises_only_format_error(start: bytes) -> None:
    try:
        limit = max_archived_bytes(start)
    except FormatError:
        return
    assert limit > 0


@pytest.mark.parametrize("start", [b"", b"\0" * 99, b"\xff" * 99, b"\0\0\0\x20" + b"\0" * 5])
def test_max_archived_bytes_of_what_is_no_object_refused(start: bytes) -> None:
    with pytest.raises(FormatError):
        max_archived_bytes(start)
