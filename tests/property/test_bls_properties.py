"""Boot entries survive a round trip; versions sort as the C library sorts them."""

from __future__ import annotations

import ctypes

from hypothesis import given
from hypothesis import strategies as st

from pyostree.formats.bls import compare_versions, format_entry, parse_entry
from pyostree.formats.kargs import KernelArgs, split_args

LIBC = ctypes.CDLL(None)
VERSIONS = st.text("00012a.-~", max_size=8)


@given(VERSIONS, VERSIONS, st.integers(0, 8))
def test_compare_versions_like_strverscmp(one: str, rest: str, shared: int) -> None:
    other = one[:shared] + rest
    expected = LIBC.strverscmp(one.encode(), other.encode())
    found = compare_versions(one, other)
    assert (found > 0) - (found < 0) == (expected > 0) - (expected < 0)


@given(st.binary(max_size=300))
def test_parse_entry_any_bytes_formatted_once_is_stable(data: bytes) -> None:
    text = format_entry(parse_entry(data))
    assert format_entry(parse_entry(text)) == text


@given(st.text('ab="  ', max_size=30))
def test_split_args_loses_only_spaces(text: str) -> None:
    assert "".join(split_args(text)).replace(" ", "") == text.replace(" ", "")
    assert KernelArgs.parse(KernelArgs.parse(text).format()) == KernelArgs.parse(text)
