"""Base64 as GLib decodes it: skipping what is not in the alphabet, and a last incomplete group.

Source: the description of ``g_base64_decode`` in GLib's manual; what it leaves open, from a
comparison with the function itself (tests/interop/test_lenient_base64.py).
"""

from __future__ import annotations

import binascii
import string

_ALPHABET = f"{string.ascii_uppercase}{string.ascii_lowercase}{string.digits}+/".encode()
_OTHERS = bytes(set(range(256)) - set(_ALPHABET) - set(b"="))
_GROUP = 4


def decode_lenient_base64(text: str) -> bytes:
    """Return the bytes that `text` stands for; there is no text that it refuses."""
    ended = text.partition("\0")[0]  # a C string has no more
    chars = ended.encode("ascii", "ignore").translate(None, _OTHERS)
    whole = chars[: len(chars) // _GROUP * _GROUP]
    decoded: list[bytes] = []
    done = 0
    while (padding := whole.find(b"=", done)) >= 0:
        group = padding // _GROUP * _GROUP
        decoded.append(binascii.a2b_base64(whole[done:group]))
        done = group + _GROUP
        decoded.append(_decode_padded(whole[group:done]))
    decoded.append(binascii.a2b_base64(whole[done:]))
    return b"".join(decoded)


def _decode_padded(group: bytes) -> bytes:
    """Return what a group with ``=`` in it stands for: zero bits, and a byte less by its place."""
    first, second, third = binascii.a2b_base64(group.replace(b"=", b"A"))
    decoded = [first]
    if group[2:3] != b"=":
        decoded.append(second)
    if group[3:4] != b"=":
        decoded.append(third)
    return bytes(decoded)
