"""Names of refs, remotes and collections."""

from __future__ import annotations

import pytest

from pyostree.errors import InvalidNameError
from pyostree.formats.refspec import (
    CollectionRef,
    Refspec,
    check_collection_id,
    check_ref_name,
    check_remote_name,
    check_writable_ref_name,
    is_ref_name,
    parse_refspec,
)

VALID = ["_foo", "foo-", "foo..bar", "a.b", "1", "HEAD", "é", "a/b/c", "ex/os/x86_64/std", "٣"]
INVALID = [
    "", ".foo", "foo//bar", "/foo", "foo/", "x+y", "x~1", "x@y", "A=b", "-x", "a b", "a\n", "..",
    "a/../b", "a/.b", "a:b", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_valid_ref(name: str) -> None:
    check_ref_name(name)
    assert parse_refspec(name) == Refspec(None, name)
    assert parse_refspec(f"origin:{name}") == Refspec("origin", name)


@pytest.mark.parametrize("name", INVALID, ids=repr)
def test_invalid_ref(name: str) -> None:
    assert not is_ref_name(name)
    with pytest.raises(InvalidNameError, match=r"^Invalid ref name"):
        check_ref_name(name)


@pytest.mark.parametrize("text", ["a:b:c", ":x", "r:", "a/b:c", "a b:c", ""])
def test_invalid_refspec_is_named(text: str) -> None:
    with pytest.raises(InvalidNameError) as failed:
        parse_refspec(text)
    assert str(failed.value) == f"Invalid refspec {text}"


def test_messages() -> None:
    with pytest.raises(InvalidNameError, match=r"^Invalid ref name: not valid UTF-8$"):
        check_ref_name("\udcff")
    with pytest.raises(InvalidNameError, match=r"^Invalid remote name a/b$"):
        check_remote_name("a/b")
    with pytest.raises(InvalidNameError, match=r"looks like a checksum$"):
        check_writable_ref_name("0" * 64)
    check_writable_ref_name("foo/" + "0" * 64)


@pytest.mark.parametrize("text", ["org.example.Os", "a._b.c1", "a.b"])
def test_valid_collection_id(text: str) -> None:
    check_collection_id(text)


@pytest.mark.parametrize(
    "text", ["", "a", "a.", ".a", "a..b", "1a.b", "a.1b", "a-b.c", "é.a", "a." + "b" * 254]
)
def test_invalid_collection_id(text: str) -> None:
    with pytest.raises(InvalidNameError) as failed:
        check_collection_id(text)
    assert str(failed.value) == f"Invalid collection ID {text}"


def test_text_forms() -> None:
    assert str(Refspec("r", "a/b")) == "r:a/b"
    assert str(CollectionRef("org.x.Y", "main")) == "(org.x.Y, main)"
