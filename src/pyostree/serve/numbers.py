"""Numbers of a server's repositories: peers that find it on the network ask below ``/NUMBER``."""

from __future__ import annotations

from collections.abc import Sequence

_MAX_NUMBER = 65535


def number_places(names: Sequence[str]) -> tuple[int, ...]:
    """Return a number for each of the names, which are served as ``/NAME``.

    A name that is a number has that one, so that the two never mean different repositories; the
    others get the smallest that are left, in order.
    """
    taken = {int(name) for name in names if _is_number(name)}
    free = (number for number in range(_MAX_NUMBER + 1) if number not in taken)
    return tuple(int(name) if _is_number(name) else next(free) for name in names)


def _is_number(name: str) -> bool:
    # Neither 00, which no peer asks for, nor digits of other scripts.
    is_canonical = name.isascii() and name.isdecimal() and str(int(name[:6])) == name
    return is_canonical and int(name) <= _MAX_NUMBER
