"""Key files behave as GLib's do, which the golden data records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pyostree.errors import FormatError
from pyostree.formats.keyfile import KeyFile

Json: TypeAlias = Any
GOLDEN = json.loads((Path(__file__).parents[1] / "data/keyfile_golden.json").read_text())


def attempt(function: Callable[..., Json], *arguments: object) -> Json:
    """Return a result the way the golden data spells it."""
    try:
        result = function(*arguments)
    except FormatError as err:
        return f"ERR {err}"
    return list(result) if isinstance(result, tuple) else result


def shown(value: Json) -> Json:
    """Return an error text as we show it: bytes that are no UTF-8 become U+FFFD."""
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, str) and value.startswith("ERR"):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value


def values(keyfile: KeyFile, group: str, key: str) -> list[Json]:
    return [
        attempt(keyfile.get_raw, group, key),
        attempt(keyfile.get_string, group, key),
        attempt(keyfile.get_boolean, group, key, False),
        attempt(keyfile.get_list, group, key),
    ]


@pytest.mark.parametrize(("text", "expected"), GOLDEN, ids=[repr(text) for text, _ in GOLDEN])
def test_parse_and_rewrite_like_glib(text: str, expected: dict[str, Json]) -> None:
    data = text.encode("utf-8", "surrogateescape")
    if "err" in expected:
        with pytest.raises(FormatError) as failed:
            KeyFile.parse(data)
        assert f"ERR {failed.value}" == shown(expected["err"])
        return
    keyfile = KeyFile.parse(data)
    assert keyfile.format() == expected["data"]
    assert {
        group: {key: values(keyfile, group, key) for key in keyfile.keys(group)}
        for group in keyfile.groups()
    } == {
        group: {key: shown(found) for key, found in keys.items()}
        for group, keys in expected["vals"].items()
    }
    if "data2" in expected:
        first = keyfile.groups()[0]
        keyfile.set_string(first, "zz1", "  \tq \n\r\\;é ")
        keyfile.set_list(first, "zz2", ["a;b", " c", "d\ne", ""])
        keyfile.remove_key(first, "b")
        keyfile.set_string("newgrp", "k", "v")
        assert keyfile.format() == expected["data2"]


def test_require_string_missing_names_key_and_group() -> None:
    keyfile = KeyFile.parse("[a]\nb=1\n")
    with pytest.raises(FormatError, match=r"^Key file does not have key “x” in group “a”$"):
        keyfile.require_string("a", "x")
    with pytest.raises(FormatError, match=r"^Key file does not have group “core”$"):
        keyfile.require_string("core", "mode")


def test_copy_is_independent() -> None:
    original = KeyFile.parse("[a]\nb=1\n")
    copy = original.copy()
    copy.set_raw("a", "b", "2")
    copy.set_raw("c", "d", "3")
    assert original.format() == "[a]\nb=1\n"
    assert copy.format() == "[a]\nb=2\n\n[c]\nd=3\n"


@pytest.mark.parametrize(("group", "key"), [("a[", "k"), ("", "k"), ("a", "k="), ("a", " k")])
def test_set_unwritable_name_is_refused(group: str, key: str) -> None:
    with pytest.raises(FormatError):
        KeyFile().set_raw(group, key, "v")


def test_set_raw_line_break_is_refused() -> None:
    with pytest.raises(FormatError):
        KeyFile().set_raw("a", "k", "v\n[evil]")
