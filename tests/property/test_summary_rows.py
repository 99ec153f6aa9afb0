"""Rows of summaries made from the bytes of commits are those of the general codec."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dates import is_representable
from pyostree.formats.gvariant import Variant, encode, lookup
from pyostree.formats.objects import Checksum
from pyostree.formats.summary import (
    COLLECTION_MAP,
    COMMIT_TIMESTAMP,
    COMMIT_VERSION,
    Summary,
    SummaryRef,
    big_endian_variant,
    collection_map,
    decode_summary,
    encode_summary,
    ordered_metadata,
)
from pyostree.formats.summary_rows import (
    join_collections,
    join_rows,
    join_summary,
    row_of_commit,
)

CHECKSUM = Checksum(bytes(range(32)))
NAMES = st.text("ab/é", min_size=1, max_size=9) | st.integers(1, 300).map(lambda n: "x" * n)
VERSIONS = st.text(max_size=6).filter(lambda text: "\0" not in text and text.isprintable())
EDGES = (-62_135_596_800, 253_402_300_799)
TIMES = (
    st.integers(0, 1 << 33)
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.builds(int.__add__, st.sampled_from(EDGES), st.integers(-2, 2))
)
VALUES = st.builds(Variant, st.just("s"), VERSIONS | st.integers(0, 200).map(lambda n: "1" * n))


@st.composite
def commits(draw: st.DrawFn) -> Commit:
    pairs = [("ostree.ref-binding", Variant("as", ("version",)))]
    if draw(st.booleans()):
        pairs.append(("version", draw(VALUES | st.just(Variant("u", 5)))))
    parent = CHECKSUM if draw(st.booleans()) else None
    root = {"root_tree": CHECKSUM, "root_meta": CHECKSUM}
    return Commit(tuple(pairs), parent, (), "s", "", draw(TIMES), **root)


def described(name: str, commit: Commit) -> SummaryRef:
    pairs = []
    if is_representable(commit.timestamp):
        pairs.append((COMMIT_TIMESTAMP, big_endian_variant(commit.timestamp % (1 << 64))))
    version = lookup(commit.metadata, "version")
    if version is not None and version.type == "s":
        pairs.append((COMMIT_VERSION, version))
    size = len(encode_commit(commit))
    return SummaryRef(name, size, CHECKSUM, ordered_metadata(pairs))


ROWS = st.lists(st.tuples(NAMES, commits()), max_size=5)


@given(ROWS, ROWS, st.booleans())
def test_summary_of_commits_is_that_of_the_general_encoder(
    main: list[tuple[str, Commit]], other: list[tuple[str, Commit]], has_map: bool
) -> None:
    rows = [
        join_rows(row_of_commit(name, CHECKSUM, encode_commit(commit)) for name, commit in refs)
        for refs in (main, other)
    ]
    refs, others = (tuple(described(*ref) for ref in refs) for refs in (main, other))
    pairs = [("k", Variant("u", 7)), ("k", Variant("s", "again")), ("zz", Variant("b", True))]
    raw = [(key, encode("v", value)) for key, value in pairs]
    if has_map:
        pairs.append((COLLECTION_MAP, collection_map([("org.a.B", others), ("org.c.D", ())])))
        raw.append((COLLECTION_MAP, join_collections([("org.a.B", rows[1]), ("org.c.D", b"")])))
    expected = encode_summary(Summary(refs, ordered_metadata(pairs)))
    found = join_summary(rows[0], raw)
    assert found == expected
    assert decode_summary(found).refs == refs
