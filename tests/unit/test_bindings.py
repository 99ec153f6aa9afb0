"""A commit stands only under the names it was made for."""

from __future__ import annotations

import pytest

from pyostree.errors import VerificationError
from pyostree.formats.commit import Commit
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum
from pyostree.repo.bindings import bound_refs, check_bindings

_SUM = Checksum(bytes(32))


def make_commit(refs: tuple[str, ...] | None, collection: str | None = None) -> Commit:
    metadata: list[tuple[str, Variant]] = []
    if refs is not None:
        metadata.append(("ostree.ref-binding", Variant("as", refs)))
    if collection is not None:
        metadata.append(("ostree.collection-binding", Variant("s", collection)))
    return Commit(tuple(metadata), None, (), "", "", 0, _SUM, _SUM)


@pytest.mark.parametrize(
    ("refs", "bound", "ref", "collection"),
    [
        (None, None, "main", None),
        (("main",), None, "main", None),
        (("a", "b"), None, None, None),
        ((), None, None, None),
        (("main",), "org.x.Y", "main", "org.x.Y"),
        (("main",), "org.x.Y", "main", None),
    ],
)
def test_check_bindings_accepts(
    refs: tuple[str, ...] | None, bound: str | None, ref: str | None, collection: str | None
) -> None:
    check_bindings(make_commit(refs, bound), ref, collection)


@pytest.mark.parametrize(
    ("refs", "bound", "ref", "collection", "message"),
    [
        (("a", "b"), None, "c", None,
         "Commit has no requested ref ‘c’ in ref binding metadata (‘a’, ‘b’)"),
        ((), None, "c", None, "Commit has no requested ref ‘c’ in ref binding metadata (no refs)"),
        (None, None, "c", "o.C",
         "Expected commit metadata to have ref binding information, found none"),
        (("c",), None, "c", "o.C",
         "Expected commit metadata to have collection ID binding information, found none"),
        (("c",), "o.D", "c", "o.C",
         "Commit has collection ID ‘o.D’ in collection binding metadata, while the remote it "
         "came from has collection ID ‘o.C’"),
    ],
)  # fmt: skip
def test_check_bindings_refuses(
    refs: tuple[str, ...] | None,
    bound: str | None,
    ref: str,
    collection: str | None,
    message: str,
) -> None:
    with pytest.raises(VerificationError) as caught:
        check_bindings(make_commit(refs, bound), ref, collection)
    assert str(caught.value) == message


def test_bound_refs_of_wrong_type_count_as_none() -> None:
    metadata = (("ostree.ref-binding", Variant("s", "main")),)
    assert bound_refs(Commit(metadata, None, (), "", "", 0, _SUM, _SUM)) is None
