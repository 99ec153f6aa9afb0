"""The ``config`` that clients get: the few keys that a pull looks at.

The file itself may hold what nobody else is to read: URLs with passwords, paths of keys, proxies.
"""

from __future__ import annotations

from pyostree.formats.keyfile import KeyFile

_CORE = "core"
# What a client reads: the mode, whether deltas are indexed, whether deleted commits leave
# tombstones, and which collection the refs belong to.
_PUBLIC_KEYS = ("repo_version", "mode", "indexed-deltas", "tombstone-commits", "collection-id")


def format_public_config(text: bytes) -> bytes:
    """Return the public part of the text of a ``config``.

    Raises:
        FormatError: it is no key file.
    """
    whole = KeyFile.parse(text)
    public = KeyFile()
    for key in _PUBLIC_KEYS:
        if (value := whole.get_raw(_CORE, key)) is not None:
            public.set_raw(_CORE, key, value)
    return public.encode()
