"""The straight-line decoders of walks find what the general ones find, and refuse what those do."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyostree.errors import OstreeError
from pyostree.formats.commit import (
    COMMIT_TYPE,
    Commit,
    _from_value,
    decode_commit,
    encode_commit,
)
from pyostree.formats.dirtree import Dirtree, _check_entries, decode_dirtree, encode_dirtree
from pyostree.formats.dirtree_check import is_plainly_valid
from pyostree.formats.gvariant import Variant, decode
from pyostree.formats.links import (
    CommitLinks,
    TreeLinks,
    decode_commit_links,
    decode_tree_links,
)
from pyostree.formats.objects import Checksum

CHECKSUMS = st.binary(min_size=32, max_size=32).map(Checksum)
# Up to the longest name that a file system takes: offsets become two bytes wide on the way there.
NAMES = st.text("abcé", min_size=1, max_size=255).filter(lambda name: len(name.encode()) < 256)
TREES = st.builds(
    Dirtree,
    st.lists(st.tuples(NAMES, CHECKSUMS), max_size=12).map(tuple),
    st.lists(st.tuples(NAMES, CHECKSUMS, CHECKSUMS), max_size=6).map(tuple),
)
TEXTS = st.text("abc é", max_size=300)
COMMITS = st.builds(
    Commit,
    metadata=st.lists(st.tuples(st.just("k"), st.builds(Variant, st.just("s"), TEXTS))).map(tuple),
    parent=st.none() | CHECKSUMS,
    related=st.just(()),
    subject=TEXTS,
    body=TEXTS,
    timestamp=st.integers(-(1 << 63), (1 << 63) - 1),
    root_tree=CHECKSUMS,
    root_meta=CHECKSUMS,
)


def links_of(tree: Dirtree) -> TreeLinks:
    return TreeLinks(
        [bytes(entry[1]) for entry in tree.files],
        [bytes(entry[1]) for entry in tree.dirs],
        [bytes(entry[2]) for entry in tree.dirs],
    )


@given(TREES)
def test_tree_links_are_those_of_the_tree(tree: Dirtree) -> None:
    data = encode_dirtree(tree)
    assert decode_tree_links(data) == links_of(decode_dirtree(data))


def test_tree_links_of_a_large_directory() -> None:
    entries = tuple((f"name {n:06}", Checksum(n.to_bytes(32, "little"))) for n in range(70_000))
    assert decode_tree_links(encode_dirtree(Dirtree(entries))).files == [one[1] for one in entries]


@given(TREES, st.data())
def test_tree_links_of_damaged_bytes_never_contradict_the_general_decoder(
    tree: Dirtree, choices: st.DataObject
) -> None:
    data = bytearray(encode_dirtree(tree))
    if data:
        position = choices.draw(st.integers(0, len(data) - 1))
        data[position] = choices.draw(st.integers(0, 255))
    check_tree(bytes(data))


@given(st.binary(max_size=400))
@example(b"")
@example(b"\0")
@example(b"\xff" * 40)
@example(bytes(34) + b"\x22" + b"\x23")
def test_tree_links_of_any_bytes_never_contradict_the_general_decoder(data: bytes) -> None:
    check_tree(data)


def check_tree(data: bytes) -> None:
    try:
        links = decode_tree_links(data)
    except OstreeError as err:
        with pytest.raises(type(err)):
            decode_dirtree(data)
        return
    assert all(len(digest) == 32 for part in links for digest in part)
    assert len(links.dirtrees) == len(links.dirmetas)
    try:
        tree = decode_dirtree(data)
    except OstreeError:
        return  # a name is bad, which a walk does not look at
    assert links == links_of(tree)


SHORT_TREES = st.builds(
    Dirtree,
    st.lists(st.tuples(NAMES.map(lambda n: n[:60]), CHECKSUMS), max_size=9).map(tuple),
    st.lists(st.tuples(NAMES.map(lambda n: n[:60]), CHECKSUMS, CHECKSUMS), max_size=9).map(tuple),
)


@given(SHORT_TREES)
def test_plainly_valid_are_trees_of_short_and_distinct_names(tree: Dirtree) -> None:
    names = [entry[0] for entry in (*tree.files, *tree.dirs)]
    assert is_plainly_valid(encode_dirtree(tree)) == (len(set(names)) == len(names))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6, 7, 250, 255, 256, 257, 1500, 1600, 1700])
@pytest.mark.parametrize("kind", ["files", "dirs", "both"])
def test_plainly_valid_whatever_the_width_of_offsets(count: int, kind: str) -> None:
    one = Checksum(bytes(32))
    files = tuple((f"f{n}", one) for n in range(count)) if kind != "dirs" else ()
    dirs = tuple((f"d{n}", one, one) for n in range(count)) if kind != "files" else ()
    assert is_plainly_valid(encode_dirtree(Dirtree(files, dirs)))


@given(SHORT_TREES, st.data())
def test_plainly_valid_bytes_pass_the_general_check(tree: Dirtree, choices: st.DataObject) -> None:
    data = bytearray(encode_dirtree(tree))
    for _ in range(choices.draw(st.integers(0, 2))):
        data[choices.draw(st.integers(0, len(data) - 1))] = choices.draw(st.integers(0, 255))
    check_plain(bytes(data))


@given(st.binary(max_size=400))
@example(b"")
@example(b"\0")
@example(b"\0\0")
def test_plainly_valid_any_bytes_pass_the_general_check(data: bytes) -> None:
    check_plain(data)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/"])
def test_plainly_valid_refuses_bad_names(name: str) -> None:
    one = Checksum(bytes(32))
    for tree in (Dirtree(((name, one), ("z", one))), Dirtree((), ((name, one, one),))):
        assert not is_plainly_valid(encode_dirtree(tree))


def check_plain(data: bytes) -> None:
    if is_plainly_valid(data):
        _check_entries(data)


@given(COMMITS)
def test_commit_links_are_those_of_the_commit(commit: Commit) -> None:
    links = CommitLinks(commit.parent, commit.timestamp, commit.root_tree, commit.root_meta)
    assert decode_commit_links(encode_commit(commit)) == links


@given(COMMITS, st.data())
def test_commit_links_of_damaged_bytes_never_contradict_the_general_decoder(
    commit: Commit, choices: st.DataObject
) -> None:
    data = bytearray(encode_commit(commit))
    data[choices.draw(st.integers(0, len(data) - 1))] = choices.draw(st.integers(0, 255))
    check_commit_bytes(bytes(data[: choices.draw(st.integers(0, len(data)))]))
    check_commit_bytes(bytes(data))


@given(st.binary(max_size=300))
@example(b"")
def test_commit_links_of_any_bytes_never_contradict_the_general_decoder(data: bytes) -> None:
    check_commit_bytes(data)


def check_commit_bytes(data: bytes) -> None:
    try:
        commit = _from_value(decode(COMMIT_TYPE, data))
    except OstreeError as err:
        # A walk does not look at metadata and texts, but where they end must be right for it, too.
        with pytest.raises(type(err)):
            decode_commit(data)
        with suppress(OstreeError):
            decode_commit_links(data)
        return
    assert decode_commit(data) == commit
    links = CommitLinks(commit.parent, commit.timestamp, commit.root_tree, commit.root_meta)
    assert decode_commit_links(data) == links


@pytest.mark.parametrize(
    "text",
    [
        "6c005739c5890c46467d5b12195b4300ebf1f5c93d521b72abf96e996ba117e53ab802236400a3228080bc596a"
        "de5e4bff5db314c551bdbb6e0a27",
        "6600b06096030936685a227ea91c6dfb3a2aecf802b029c1b43163fe820adb61eb0f02",
    ],
    ids=["directory", "file"],
)
def test_tree_links_element_past_the_end_is_refused(text: str) -> None:
    with pytest.raises(OstreeError):
        decode_tree_links(bytes.fromhex(text))
