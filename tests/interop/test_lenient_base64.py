"""Base64 is decoded as GLib does, by GLib's own function."""

from __future__ import annotations

import ctypes
import ctypes.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.formats.lenient_base64 import decode_lenient_base64


@pytest.fixture(scope="module")
def glib() -> ctypes.CDLL:
    """The library that the reference is linked to."""
    library = ctypes.CDLL("libglib-2.0.so.0")
    library.g_base64_decode.restype = ctypes.c_void_p
    library.g_base64_decode.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)]
    library.g_free.argtypes = [ctypes.c_void_p]
    return library


def decode(glib: ctypes.CDLL, text: str) -> bytes:
    size = ctypes.c_size_t()
    found = glib.g_base64_decode(text.encode("utf-8", "surrogateescape"), ctypes.byref(size))
    try:
        return ctypes.string_at(found, size.value)
    finally:
        glib.g_free(found)


TABLE = (
    *("", "A", "AA", "AAA", "AAAA", "AAAAA", "=", "==", "===", "====", "A=", "AA=", "AA=="),
    *("A===", "AAA=", "AAA=A", "=AAA", "A=AA", "AA=A", "AAA=BBB=", "AA==BB==", "A A\nA\tA"),
    *("A-A_AA", "+/+/", "éAAAA", "AAAA=", "AA==AA", "\x7fAAAA", "AB==", "ABC=", "AAAA\0AAAA"),
)


@pytest.mark.parametrize("text", TABLE)
def test_table_is_decoded_alike(glib: ctypes.CDLL, text: str) -> None:
    assert decode_lenient_base64(text) == decode(glib, text)


@given(st.text(alphabet="ABCDabyz0189+/==== \n-_é", max_size=60))
def test_texts_are_decoded_alike(glib: ctypes.CDLL, text: str) -> None:
    assert decode_lenient_base64(text) == decode(glib, text)


@given(st.text(max_size=60))
def test_any_text_is_decoded_alike(glib: ctypes.CDLL, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert decode_lenient_base64(text) == decode(glib, text)
