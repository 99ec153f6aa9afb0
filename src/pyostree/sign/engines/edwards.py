"""Public keys on Edwards curves for which anyone can sign: points of small order.

With such a key, signatures can be found that are good for any data. libsodium refuses them, and
OpenSSL does not. Source: RFC 7748, section 4, for the curves; RFC 8032 for how points are written.
"""

from __future__ import annotations

_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
# y of the four points of order 8.
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_WEAK_25519 = {0, 1, _P25519 - 1, _Y8, _P25519 - _Y8}
_WEAK_448 = {0, 1, _P448 - 1}
_SIGN_BITS = {32: 255, 57: 455}


def is_weak_ed25519(key: bytes) -> bool:
    """Tell whether 32 bytes are a point of small order, or one not written as it must be."""
    return _is_weak(key, _P25519, _WEAK_25519)


def is_weak_ed448(key: bytes) -> bool:
    """Tell whether 57 bytes are a point of small order, or one not written as it must be."""
    return _is_weak(key, _P448, _WEAK_448)


def _is_weak(key: bytes, prime: int, weak: set[int]) -> bool:
    y = int.from_bytes(key, "little") & ~(1 << _SIGN_BITS[len(key)])
    return y >= prime or y in weak
