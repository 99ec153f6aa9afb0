"""Names of members: made relative, kept inside, rewritten."""

from __future__ import annotations

import pytest

from pyostree.errors import FormatError
from pyostree.formats.archive_paths import parse_pathname_filter, relative_path
from pyostree.formats.pcre import parse_substitution


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"a", "a"), (b"a/b", "a/b"), (b"./a/", "a"), (b".", ""), (b"./", ""), (b"/", ""),
        (b"", ""), (b"//a//b", "a/b"), (b"a/./b/.", "a/b"), (b"/../a", "a"), (b"/../../a", "a"),
        (b"/./a", "a"), (b"a/..b", "a/..b"), (b".a", ".a"), ("ü/é".encode(), "ü/é"),
    ],
)  # fmt: skip
def test_relative_path(path: bytes, expected: str) -> None:
    assert relative_path(path) == expected


@pytest.mark.parametrize(
    "path", [b"..", b"../a", b"a/..", b"a/../b", b"./../a", b"/..", b"a/b/../../.."]
)
def test_relative_path_that_leads_out_is_refused(path: bytes) -> None:
    with pytest.raises(FormatError, match="Invalid uplink"):
        relative_path(path)


def test_relative_path_must_be_utf8() -> None:
    with pytest.raises(FormatError, match=r"not valid UTF-8: w\\xe9"):
        relative_path(b"w\xe9")


@pytest.mark.parametrize(
    ("spec", "path", "expected"),
    [
        ("^,foo/", b".", "foo"),
        ("^usr/bin/,usr/sbin/", b"./usr/bin/", "usr/sbin"),
        ("bin,", b"usr/bin", "usr"),
        ("a,b,c", b"a", "b,c"),
        (r"(.)(.),\2\1", b"abcd", "badc"),
        (r"(?<x>b),[\g<x>\g<1>\0]", b"abc", "a[bbb]c"),
        (r"(z)?a,<\1>", b"a", "<>"),
        (r"a,\2", b"ab", "b"),
        (r"[[:digit:]_]+,N", b"a12_b", "aNb"),
        (r"a,\x41\x{42}\\n", b"a", "AB\\n"),
    ],
)
def test_filter(spec: str, path: bytes, expected: str) -> None:
    assert relative_path(path, parse_pathname_filter(spec)) == expected


def test_filter_cannot_lead_out() -> None:
    with pytest.raises(FormatError, match="Invalid uplink"):
        relative_path(b"a/b", parse_pathname_filter("a,.."))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("x", "Missing ',' in --tar-pathname-filter"),
        ("(?'n'a),x", "Error while compiling"),
        ("(,x", "Error while compiling regular expression ‘(’ at char 0: missing )"),
        ("[[:nosuch:]],x", "unsupported POSIX class nosuch"),
        (r"a,\g<no>", "Error while parsing replacement text"),
        (r"a,\U", "Error while parsing replacement text"),
        ("a,\\", "Error while parsing replacement text"),
    ],
)
def test_malformed_filters_are_refused(spec: str, message: str) -> None:
    with pytest.raises(FormatError) as info:
        parse_pathname_filter(spec)
    assert message in str(info.value)


@pytest.mark.parametrize(
    "expression", [r"a[[]b", r"[^]]x", r"[]a]", r"\[(?<!x)a", r"a\Qb", r"(?=x)"]
)
def test_translation_keeps_what_both_understand(expression: str) -> None:
    try:
        parse_substitution(expression, "")
    except FormatError:
        assert r"\Q" in expression
