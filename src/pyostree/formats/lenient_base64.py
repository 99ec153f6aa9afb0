"""Base64 as GLib decodes it: skipping what is not in the alphabet, and a last incomplete group.

Source: the description of ``g_base64_decode`` in GLib's manual; the rest by trying it.
"""

from __future__ import annotations

import string

_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)} | {"=": 0}
_GROUP = 4


def decode_lenient_base64(text: str) -> bytes:
    """Return the bytes that `text` stands for; there is no text that it refuses."""
    chars = [char for char in text if char in _VALUES]
    decoded = bytearray()
    for start in range(0, len(chars) - _GROUP + 1, _GROUP):
        group = chars[start : start + _GROUP]
        bits = 0
        for char in group:
            bits = bits << 6 | _VALUES[char]
        first, second, third = bits.to_bytes(3, "big")
        decoded.append(first)
        # Padding counts by its place in the group, whatever follows it.
        if group[2] != "=":
            decoded.append(second)
        if group[3] != "=":
            decoded.append(third)
    return bytes(decoded)
