"""Make ``keyfile_golden.json``: what GLib itself says of each text in that file.

Run as ``python3 tests/data/make_keyfile_golden.py`` on a machine with GLib; the texts are taken
from the present file, so that a new case is added by hand with any result.
"""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any, TypeAlias

GOLDEN = Path(__file__).with_name("keyfile_golden.json")
# JSON, or what ctypes returns.
Loose: TypeAlias = Any
GLIB = ctypes.CDLL("libglib-2.0.so.0")


class GError(ctypes.Structure):
    """What a failing call leaves."""

    _fields_ = (("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p))


Failure = ctypes.POINTER(GError)
GLIB.g_key_file_new.restype = ctypes.c_void_p
GLIB.g_bytes_new.restype = ctypes.c_void_p
for name in ("get_value", "get_string", "to_data"):
    getattr(GLIB, f"g_key_file_{name}").restype = ctypes.c_char_p
for name in ("get_groups", "get_keys", "get_string_list"):
    getattr(GLIB, f"g_key_file_{name}").restype = ctypes.POINTER(ctypes.c_char_p)


def call(function: str, keyfile: int, *arguments: object) -> Loose:
    """Return the result of a getter, or ``ERR`` and the message."""
    failure = Failure()
    getter = getattr(GLIB, f"g_key_file_{function}")
    result = getter(ctypes.c_void_p(keyfile), *arguments, ctypes.byref(failure))
    return f"ERR {text(failure.contents.message)}" if failure else result


def text(raw: bytes | None) -> str | None:
    """Return bytes as text that JSON can hold."""
    return None if raw is None else raw.decode("utf-8", "surrogateescape")


def strings(pointer: Loose) -> list[str | None]:
    """Return the strings of a NULL-terminated array."""
    found = []
    while pointer and pointer[len(found)] is not None:
        found.append(text(pointer[len(found)]))
    return found


def values(keyfile: int, group: bytes, key: bytes) -> list[Loose]:
    """Return what the getters say of a key: raw, string, boolean, list."""
    raw = call("get_value", keyfile, group, key)
    string = call("get_string", keyfile, group, key)
    boolean = call("get_boolean", keyfile, group, key)
    items = call("get_string_list", keyfile, group, key, None)
    return [
        raw if isinstance(raw, str) else text(raw),
        string if isinstance(string, str) else text(string),
        boolean if isinstance(boolean, str) else bool(boolean),
        items if isinstance(items, str) else strings(items),
    ]


def describe(source: str) -> dict[str, Loose]:
    """Return everything GLib says of one text."""
    raw = source.encode("utf-8", "surrogateescape")
    keyfile = GLIB.g_key_file_new()
    failure = Failure()
    data = GLIB.g_bytes_new(raw, ctypes.c_size_t(len(raw)))
    GLIB.g_key_file_load_from_bytes(
        ctypes.c_void_p(keyfile), ctypes.c_void_p(data), 0, ctypes.byref(failure)
    )
    if failure:
        return {"err": f"ERR {text(failure.contents.message)}"}
    handle = ctypes.c_void_p(keyfile)
    found: dict[str, Loose] = {
        "data": text(GLIB.g_key_file_to_data(handle, None, None)),
        "vals": {},
    }
    groups = strings(GLIB.g_key_file_get_groups(handle, None))
    for group in groups:
        name = str(group).encode("utf-8", "surrogateescape")
        keys = strings(GLIB.g_key_file_get_keys(handle, name, None, None))
        found["vals"][group] = {
            key: values(keyfile, name, str(key).encode("utf-8", "surrogateescape")) for key in keys
        }
    if groups:
        first = str(groups[0]).encode("utf-8", "surrogateescape")
        GLIB.g_key_file_set_string(handle, first, b"zz1", "  \tq \n\r\\;é ".encode())
        items = (ctypes.c_char_p * 4)(b"a;b", b" c", b"d\ne", b"")
        GLIB.g_key_file_set_string_list(handle, first, b"zz2", items, ctypes.c_size_t(4))
        GLIB.g_key_file_remove_key(handle, first, b"b", None)
        GLIB.g_key_file_set_string(handle, b"newgrp", b"k", b"v")
        found["data2"] = text(GLIB.g_key_file_to_data(handle, None, None))
    return found


def main() -> None:
    """Rewrite the golden file."""
    sources = [case[0] for case in json.loads(GOLDEN.read_text())]
    GOLDEN.write_text(json.dumps([[source, describe(source)] for source in sources], indent=0))


if __name__ == "__main__":
    main()
