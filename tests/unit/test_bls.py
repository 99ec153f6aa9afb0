"""Boot entries: reading, writing, names and order."""

from __future__ import annotations

import pytest

from pyostree.formats.bls import (
    BootEntry,
    entry_file_name,
    format_entry,
    parse_counters,
    parse_entry,
    sort_entries,
)


def test_parse_entry_ignores_what_it_does_not_know() -> None:
    text = b"# comment\ntitle  A title\nversion\t3\n\nalone\n-dash x\noptions a b\noptions c\n"
    entry = parse_entry(text, "ostree-1.conf")
    assert entry.fields == (("title", " A title"), ("version", "3"), ("options", "c"))
    assert entry.file_name == "ostree-1.conf"


def test_parse_entry_further_initrds_are_overlays() -> None:
    entry = parse_entry(b"initrd /a\ninitrd /b\ninitrd /c\n")
    assert entry.get("initrd") == "/a"
    assert entry.overlay_initrds == ("/b", "/c")
    assert format_entry(entry) == b"initrd /a\ninitrd /b\ninitrd /c\n"


def test_format_entry_orders_known_keys_first() -> None:
    entry = BootEntry((("fdtdir", "/d"), ("linux", "/k"), ("options", "o"), ("title", "T")))
    assert format_entry(entry) == b"title T\noptions o\nlinux /k\nfdtdir /d\n"


def test_format_entry_undecodable_bytes_survive() -> None:
    data = b"title caf\xe9\n"
    assert format_entry(parse_entry(data)) == data


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("foo.conf", (0, 0)),
        ("foo+3.conf", (3, 0)),
        ("foo+1-2.conf", (1, 2)),
        ("foo+1-.conf", (0, 0)),
        ("foo+-1.conf", (0, 0)),
        ("foo+x.conf", (0, 0)),
        ("a+9+2-1.conf", (2, 1)),
    ],
)
def test_parse_counters(name: str, expected: tuple[int, int]) -> None:
    assert parse_counters(name) == expected


@pytest.mark.parametrize(
    ("entry", "tries", "expected"),
    [
        (BootEntry(), 0, "ostree-1.conf"),
        (BootEntry(), 3, "ostree-1+3.conf"),
        (BootEntry(file_name="x.conf"), 3, "ostree-1.conf"),
        (BootEntry(file_name="x+3.conf", tries_left=3), 3, "ostree-1+3-0.conf"),
        (BootEntry(file_name="x", tries_left=1, tries_done=2).clone(), 3, "ostree-1.conf"),
    ],
)
def test_entry_file_name(entry: BootEntry, tries: int, expected: str) -> None:
    assert entry_file_name("ostree-1", entry, tries) == expected


def test_sort_entries_highest_version_first_those_without_last() -> None:
    versions = ("2", None, "10", "1", "9")
    entries = [BootEntry(() if v is None else (("version", v),)) for v in versions]
    assert [e.get("version") for e in sort_entries(entries)] == ["10", "9", "2", "1", None]
