"""Random names for what does not have its own name yet."""

from __future__ import annotations

import os

_RANDOM_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def random_name(prefix: str) -> str:
    """Return `prefix` followed by six random letters and digits."""
    # Names only have to differ, so that the slight bias of the remainder does no harm.
    picks = (_RANDOM_ALPHABET[byte % len(_RANDOM_ALPHABET)] for byte in os.urandom(6))
    return prefix + "".join(picks)


def hidden_beside(path: str, kind: str) -> str:
    """Return a random name in the directory of `path`.

    The leading dot keeps what a crash leaves from being taken for a ref, an entry or a unit.
    """
    parent, slash, _ = path.rpartition("/")
    return random_name(f"{parent}{slash}.{kind}.")
