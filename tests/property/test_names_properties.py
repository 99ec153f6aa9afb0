"""Parsers of text from outside raise their own errors only, and keep what they accept."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from pyostree.errors import FormatError, InvalidNameError, NotFoundError
from pyostree.formats.dates import parse_date
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import check_collection_id, parse_refspec
from pyostree.formats.summary import (
    Summary,
    SummaryRef,
    decode_summary,
    encode_summary,
    find_ref,
)
from pyostree.formats.summary_text import format_summary
from pyostree.remote.httpd.message import parse_range, parse_request
from pyostree.remote.metalink import parse_metalink
from pyostree.remote.mirrorlist import parse_mirrorlist
from pyostree.remote.urls import parse_url

NOW = 1_700_000_000.5
KEY_TEXT = st.text("[]=abé \t\n#;\\s\r\0\udcff", max_size=60)
DATE_WORDS = st.lists(
    st.sampled_from(
        ["1", "12", "2023", "20231115", "-5", "+01:00", ":", "/", "-", "nov", "monday", "am", "day",
         "ago", "last", "T", "Z", "EST", "DST", ",", "@", "(", ")", ".5", "sec", "year", "TZ=\"",
         "99999999999", "é", "second", "tomorrow"]
    ),
    max_size=8,
)  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(KEY_TEXT | st.binary(max_size=80))
def test_keyfile_any_text_is_parsed_or_refused(text: str | bytes) -> None:
    try:
        keyfile = KeyFile.parse(text)
    except FormatError:
        return
    again = KeyFile.parse(keyfile.encode())
    assert again.format() == keyfile.format()
    for group in keyfile.groups():
        for key in keyfile.keys(group):
            assert again.get_raw(group, key) == keyfile.get_raw(group, key)
            for read in (keyfile.get_string, keyfile.get_list, again.get_string):
                with suppress(FormatError):
                    read(group, key)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example("\f")
@example("\f \tx")
@example(" \f")
def test_keyfile_string_round_trip(value: str) -> None:
    keyfile = KeyFile()
    keyfile.set_string("g", "k", value)
    # The format has no escape for a form feed, and blanks before a value are no part of it.
    kept = value.lstrip(" \t\f") if value.startswith("\f") else value
    assert KeyFile.parse(keyfile.format()).get_string("g", "k") == kept


@given(st.lists(st.text("a;\\ \t\n\ré", min_size=1), min_size=1))
def test_keyfile_list_round_trip(items: list[str]) -> None:
    keyfile = KeyFile()
    keyfile.set_list("g", "k", items)
    assert KeyFile.parse(keyfile.format()).get_list("g", "k") == tuple(items)


@given(st.text() | st.text("abé.-_/:0\n \udcff", max_size=12))
def test_refspec_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(InvalidNameError):
        found = parse_refspec(text)
        assert str(found) == text
        parts = found.ref.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(part.startswith("-") for part in parts)
    with suppress(InvalidNameError):
        check_collection_id(text)


@given(DATE_WORDS.map(" ".join) | DATE_WORDS.map("".join) | st.text(max_size=30))
@example("@" + "9" * 5000)
@example("9" * 5000)
@example("(" * 5000)
def test_date_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(FormatError):
        assert -(2**63) <= parse_date(text, NOW) < 2**63


@given(st.binary(max_size=200))
def test_summary_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    with suppress(FormatError):
        format_summary(decode_summary(data))


@given(st.dictionaries(NAMES, st.integers(0, 2**64 - 1)))
def test_summary_round_trip_finds_every_ref(sizes: dict[str, int]) -> None:
    names = sorted(sizes, key=str.encode)
    refs = tuple(SummaryRef(name, sizes[name], bytes(32), ()) for name in names)
    summary = decode_summary(encode_summary(Summary(refs, ())))
    assert summary.refs == refs
    for ref in refs:
        assert find_ref(summary.refs, ref.name) == ref


@given(st.text(max_size=40) | st.text("http:/@[]?#%0.1 \n", max_size=40))
def test_url_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(FormatError):
        url = parse_url(text)
        assert "\n" not in url.secret
        assert url.join("x").secret.endswith("/x")


@given(st.binary(max_size=200))
def test_documents_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with suppress(FormatError):
        parse_mirrorlist(data)
    with suppress(FormatError, NotFoundError):
        parse_metalink(data, "summary")
    with suppress(FormatError):
        parse_request(data)


@given(st.text("bytes=0123-, ", max_size=20), st.integers(0, 200))
def test_range_lies_within_the_file(text: str, size: int) -> None:
    with suppress(FormatError):
        found = parse_range(text, size)
        if found is not None:
            assert 0 <= found[0] <= found[1] <= size
