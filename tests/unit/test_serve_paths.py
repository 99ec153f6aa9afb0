"""Which paths are served, and that none leads out of the repository."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyostree.errors import InvalidNameError
from pyostree.serve.paths import Kind, Target, is_malformed, parse_target
from pyostree.serve.sites import Place, parse_place

REST = "b" * 62
DELTA = "Uh/" + "eClFfRwt1mdE1lsFyY45V603EyZztYmap2a8Qm+L_"
TO = "-" + "UheClFfRwt1mdE1lsFyY45V603EyZztYmap2a8QmXLI"

SERVED = [
    ("summary", Kind.DOCUMENT),
    ("summary.sig", Kind.DOCUMENT),
    ("summary.idx", Kind.DOCUMENT),
    ("config", Kind.CONFIG),
    ("refs/heads/main", Kind.REF),
    ("refs/heads/exampleos/x86_64/standard", Kind.REF),
    ("refs/heads/größe", Kind.REF),
    ("refs/mirrors/org.example.Os/main", Kind.REF),
    (f"objects/aa/{REST}.commit", Kind.METADATA),
    (f"objects/aa/{REST}.dirtree", Kind.METADATA),
    (f"objects/aa/{REST}.dirmeta", Kind.METADATA),
    (f"objects/aa/{REST}.filez", Kind.CONTENT),
    (f"objects/aa/{REST}.commitmeta", Kind.FILE),
    (f"objects/aa/{REST}.tombstone-commit", Kind.FILE),
    (f"deltas/{DELTA}/superblock", Kind.FILE),
    (f"deltas/{DELTA}{TO}/0", Kind.FILE),
    (f"deltas/{DELTA}{TO}/17", Kind.FILE),
    (f"delta-indexes/{DELTA}.index", Kind.FILE),
    (f"summaries/{'a' * 64}.gz", Kind.FILE),
]
REFUSED = [
    "",
    "/",
    ".lock",
    ".",
    "objects",
    "objects/",
    f"objects/aa/{REST}.file",
    f"objects/aa/{REST}.filez.",
    f"objects/aa/{REST}.filez\n",
    f"objects/aa/{REST}.file-xattrs",
    f"objects/aa/{REST}.payload-link",
    f"objects/AA/{REST}.commit",
    f"objects//aa/{REST}.commit",
    f"objects/aa/{REST}b.commit",
    "tmp/cache/summaries/origin",
    f"state/{'a' * 64}.commitpartial",
    "refs",
    "refs/heads",
    "refs/heads/",
    "refs/heads/.hidden",
    "refs/heads/a//b",
    "refs/heads/../remotes/origin/main",
    "refs/remotes/origin/main",
    "refs/mirrors/nodots/main",
    "refs/mirrors/org.example.Os",
    "origin.trustedkeys.gpg",
    "origin.cookies.txt",
    "extensions/x",
    "config/",
    "config~",
    "/config",
    "./config",
    "summary.sig2",
    f"deltas/{DELTA}/../0",
    f"deltas/{DELTA}/00",
    f"deltas/{DELTA}/-1",
    f"deltas/{DELTA}/²",
    f"delta-indexes/{DELTA}",
    f"summaries/{'a' * 63}.gz",
]


@pytest.mark.parametrize(("path", "kind"), SERVED, ids=[path[:40] for path, _ in SERVED])
def test_paths_of_clients_are_served(path: str, kind: Kind) -> None:
    found = parse_target(path)
    assert found is not None
    assert found.kind is kind


@pytest.mark.parametrize("path", REFUSED)
def test_other_paths_are_not_served(path: str) -> None:
    assert parse_target(path) is None


def climbs(target: Target) -> bool:
    path = posixpath.join(target.directory, target.name)
    top = path.split("/")[0]
    return (
        path.startswith("/")
        or posixpath.normpath(path) != path
        or any(part.startswith(".") for part in path.split("/"))
        or "\0" in path
        or "\n" in path
        or (
            top not in ("objects", "refs", "deltas", "delta-indexes", "summaries", "config")
            and not top.startswith("summary")
        )
        or (top == "refs" and path.split("/")[1] not in ("heads", "mirrors"))
    )


PIECES = st.sampled_from(
    (
        *("objects", "refs", "heads", "mirrors", "remotes", "deltas", "summary", "config", "tmp"),
        *("aa", f"{REST}.filez", f"{REST}.commit", "org.example.Os", "main", "0", "superblock"),
        *("..", ".", "", "\0", "\n", "main\n", "\ufffd", "%2e%2e", "\\", "~", DELTA, DELTA + TO),
    )
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=7).map("/".join)))
@example("refs/heads/main\n")
@example("refs/heads/../../config")
def test_whatever_is_asked_for_stays_inside(path: str) -> None:
    target = parse_target(path)
    assert target is None or not climbs(target)


@given(st.text())
def test_malformed_paths_are_never_served(path: str) -> None:
    assert not (is_malformed(path) and parse_target(path) is not None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("repo", Place("", "repo")),
        ("os=/srv/repo", Place("os", "/srv/repo")),
        ("./a=b", Place("", "./a=b")),
        ("/srv/a=b", Place("", "/srv/a=b")),
        ("os=a=b", Place("os", "a=b")),
        ("0=x", Place("0", "x")),
    ],
)
def test_parse_place(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["=x", "objects=x", "refs=x", "a b=x", "..=x", "größe=x", "%41=x"])
def test_parse_place_bad_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidNameError, match="Invalid name of a served repository"):
        parse_place(text)
