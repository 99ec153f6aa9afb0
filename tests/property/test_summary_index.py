"""The straight-line reader of summaries accepts and finds what the general codec does."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyostree.errors import FormatError, InvalidNameError
from pyostree.formats.gvariant import Variant, is_normal
from pyostree.formats.objects import Checksum
from pyostree.formats.summary import (
    COLLECTION_ID,
    COLLECTION_MAP,
    COMMIT_TIMESTAMP,
    COMMIT_VERSION,
    STATIC_DELTAS,
    SUMMARY_TYPE,
    Metadata,
    Summary,
    SummaryRef,
    collection_map,
    decode_summary,
    encode_summary,
)
from pyostree.formats.summary_index import SummaryIndex

WORDS = st.text("ab/é.-\n", max_size=12) | st.integers(0, 300).map(lambda n: "x" * n)
NUMBERS = st.integers(0, (1 << 64) - 1)
VERSIONS = (st.text(max_size=5) | st.integers(0, 200).map(lambda n: "1" * n)).filter(
    lambda text: "\0" not in text and text.isprintable()
)


@st.composite
def ref_metadata(draw: st.DrawFn) -> Metadata:
    pairs = []
    if draw(st.booleans()):
        pairs.append((COMMIT_VERSION, Variant("s", draw(VERSIONS))))
    if draw(st.booleans()):
        pairs.append((COMMIT_TIMESTAMP, Variant("t", draw(NUMBERS))))
    if draw(st.integers(0, 9)) == 0:
        pairs.append(("other", Variant("u", 1)))
    return tuple(draw(st.permutations(pairs)))


REFS = st.lists(
    st.builds(
        SummaryRef,
        WORDS,
        NUMBERS,
        st.binary(min_size=32, max_size=32).map(Checksum) | st.binary(max_size=3),
        ref_metadata(),
    ),
    max_size=8,
    unique_by=lambda ref: ref.name,
).map(lambda refs: tuple(sorted(refs, key=lambda ref: ref.name.encode())))


DIGESTS = st.binary(min_size=32, max_size=32) | st.binary(max_size=5)
VALUES = {
    COLLECTION_ID: st.sampled_from(["org.example.Own", "org.example.C1"]).map(
        lambda text: Variant("s", text)
    ),
    COLLECTION_MAP: st.lists(
        st.tuples(st.sampled_from(["org.example.C1", "org.example.C2"]), REFS), max_size=2
    ).map(collection_map),
    STATIC_DELTAS: st.dictionaries(WORDS, DIGESTS.map(lambda data: Variant("ay", data))).map(
        lambda deltas: Variant("a{sv}", tuple(deltas.items()))
    ),
}


@st.composite
def summaries(draw: st.DrawFn) -> bytes:
    pairs: list[tuple[str, Variant]] = [("key", Variant("s", "value"))]
    for key in draw(st.lists(st.sampled_from([COLLECTION_ID, COLLECTION_MAP, STATIC_DELTAS]))):
        pairs.append((key, draw(VALUES[key] | VALUES[draw(st.sampled_from(list(VALUES)))])))
    return encode_summary(Summary(draw(REFS), tuple(pairs[draw(st.integers(0, 1)) :])))


@given(summaries())
def test_finds_what_the_general_decoder_finds(data: bytes) -> None:
    expected, found = decode_summary(data), SummaryIndex(data)
    assert found.collection_id == expected.collection_id
    for (one_id, one), (other_id, other) in zip(
        found.collections(), expected.collections(), strict=True
    ):
        assert one_id == other_id
        assert len(one) == len(other)
        assert [one.find(ref.name) for ref in other] == list(other)
        assert one.find("none") is None
    for key, _ in expected.metadata:
        assert found.lookup(key) == expected.lookup(key)
    assert tuple((name, bytes(digest.value)) for name, digest in found.deltas()) == expected.deltas


@given(summaries())
def test_lists_the_same_refs_or_the_same_bad_checksum(data: bytes) -> None:
    index = SummaryIndex(data)
    try:
        expected = [(ref.name, ref.checksum, ref.size) for ref in decode_summary(data).refs]
    except InvalidNameError:
        with pytest.raises(InvalidNameError):
            list(index.refs)
    else:
        assert list(index.refs) == expected


@given(summaries(), st.data())
def test_accepts_exactly_the_normal_form(data: bytes, draw: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 2))):
        if changed:
            at = draw.draw(st.integers(0, len(changed) - 1))
            changed[at] = draw.draw(st.sampled_from([0, 1, 8, 40, 0x28, changed[at] ^ 1, 0xFF]))
    if draw.draw(st.integers(0, 4)) == 0:
        del changed[draw.draw(st.integers(0, len(changed))) :]
    check_acceptance(bytes(changed))


@given(st.binary(max_size=200))
@example(b"")
@example(b"\0")
@example(b"\0\0")
def test_any_bytes_are_accepted_or_refused_as_by_the_general_decoder(data: bytes) -> None:
    check_acceptance(data)


def check_acceptance(data: bytes) -> None:
    if is_normal(SUMMARY_TYPE, data or encode_summary(Summary((), ()))):
        SummaryIndex(data)
    else:
        with pytest.raises(FormatError, match=r"^Not normal form$"):
            SummaryIndex(data)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        ".a",
        "a/.b",
        "-a",
        "a/-b",
        "a b",
        "a\nb",
        "a:b",
        "é/ñ\u0663!",
        "…",
    ],
)
def test_bad_names_are_reported(name: str) -> None:
    refs = tuple(SummaryRef(each, 1, Checksum(bytes(32)), ()) for each in ("a", name, "b"))
    index = SummaryIndex(encode_summary(Summary(refs, ())))
    with pytest.raises(InvalidNameError, match=f"^Invalid ref name {name}$"):
        index.check_names()


@pytest.mark.parametrize("name", ["a", "a/b", "_", "9", "a.b-c_d", "é/ñ", "a./b-", "a/٣"])
def test_good_names_pass(name: str) -> None:
    refs = (SummaryRef(name, 1, Checksum(bytes(32)), ()),)
    SummaryIndex(encode_summary(Summary(refs, ()))).check_names()


def test_bad_collection_is_reported() -> None:
    pairs = ((COLLECTION_MAP, collection_map([("bad", ())])),)
    with pytest.raises(InvalidNameError, match=r"^Invalid collection ID bad$"):
        SummaryIndex(encode_summary(Summary((), pairs))).check_names()


def test_of_a_repeated_key_the_first_counts() -> None:
    refs = (SummaryRef("x", 1, Checksum(bytes(32)), ()),)
    pairs = (
        (COLLECTION_MAP, Variant("s", "no map")),
        (COLLECTION_MAP, collection_map([("org.example.C", refs)])),
    )
    data = encode_summary(Summary((), pairs))
    assert decode_summary(data).find("x", "org.example.C") is None
    assert SummaryIndex(data).find("x", "org.example.C") is None


def test_no_bytes_at_all_are_an_empty_list() -> None:
    assert decode_summary(b"") == Summary((), ())
    assert list(SummaryIndex(b"").refs) == []
    assert SummaryIndex(b"").lookup("key") is None


def test_too_many_keys_are_refused() -> None:
    pairs = tuple((str(number), Variant("y", 1)) for number in range((1 << 16) + 1))
    with pytest.raises(FormatError, match=r"^Too many keys in the metadata of a summary$"):
        SummaryIndex(encode_summary(Summary((), pairs)))


def test_large_value_of_somebody_else_is_not_looked_into() -> None:
    data = encode_summary(Summary((), (("xa.cache", Variant("s", "x" * 70_000)),)))
    SummaryIndex(data.replace(b"xxx", b"x\0x", 1))
    with pytest.raises(FormatError, match=r"^Not normal form$"):
        SummaryIndex(data.replace(b"xa.cache", b"xa.c\xffche", 1))
