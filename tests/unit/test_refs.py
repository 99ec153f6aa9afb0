"""Refs on the disk: listing, resolving, writing, aliases, conflicts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import ConflictError, FormatError, InvalidNameError, OstreeError, describe
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef, Refspec, parse_refspec
from pyostree.fs.dir import Dir
from pyostree.repo.refs import Refs, not_found, split_prefix

ONE = Checksum(b"\x11" * 32)
TWO = Checksum(b"\x22" * 32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("heads", "remotes", "mirrors"):
        (tmp_path / "refs" / name).mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.fixture
def refs(root: Path) -> Iterator[Refs]:
    with Dir.at(root) as directory:
        yield Refs(directory)


def put(refs: Refs, **checksums: Checksum) -> None:
    for name, checksum in checksums.items():
        refs.write(parse_refspec(name.replace("__", "/")), checksum)


@pytest.mark.parametrize(
    "name", ["main", "a/b/c", "origin:main", "origin:a/b", "é/日本", "a.b-c_d", "0"]
)
def test_write_read_delete(refs: Refs, root: Path, name: str) -> None:
    refspec = parse_refspec(name)
    assert refs.read(refspec) is None
    refs.write(refspec, ONE)
    base = "heads" if refspec.remote is None else f"remotes/{refspec.remote}"
    path = root / "refs" / base / refspec.ref
    assert path.read_text() == f"{ONE}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert refs.read(refspec) == ONE
    refs.write(refspec, TWO)
    assert refs.read(refspec) == TWO
    assert refs.list() == {name: str(TWO)}
    refs.write(refspec, None)
    refs.write(refspec, None)
    assert refs.read(refspec) is None
    assert refs.list() == {}


def test_write_touches_the_repository(refs: Refs, root: Path) -> None:
    os.utime(root, (0, 0))
    put(refs, main=ONE)
    assert root.stat().st_mtime > 0


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "a//b", "/a", "a/", "a b", "a/../b", "a\n", "a+b"]
)
def test_write_bad_name_is_refused(refs: Refs, root: Path, name: str) -> None:
    with pytest.raises(InvalidNameError):
        refs.write(Refspec(None, name), ONE)
    with pytest.raises(InvalidNameError):
        refs.write(Refspec("origin", name), ONE)
    assert not [path for path in (root / "refs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("remote", ["..", ".", "a/b", "", "-x"])
def test_write_bad_remote_is_refused(refs: Refs, remote: str) -> None:
    with pytest.raises(InvalidNameError):
        refs.write(Refspec(remote, "main"), ONE)


def test_write_name_that_looks_like_a_checksum_is_refused(refs: Refs) -> None:
    with pytest.raises(InvalidNameError) as caught:
        refs.write(Refspec(None, "a" * 64), ONE)
    assert str(caught.value) == f"Rev name '{'a' * 64}' looks like a checksum"
    refs.write(Refspec(None, "x/" + "a" * 64), ONE)


def test_write_over_a_directory_of_refs_conflicts_unless_it_is_empty(
    refs: Refs, root: Path
) -> None:
    put(refs, a__b__c=ONE)
    with pytest.raises(ConflictError) as caught:
        refs.write(Refspec(None, "a"), TWO)
    assert str(caught.value) == "Conflict: b/c exists under a when attempting write"
    refs.write(Refspec(None, "a/b/c"), None)
    assert (root / "refs/heads/a/b").is_dir()
    refs.write(Refspec(None, "a"), TWO)
    assert refs.list() == {"a": str(TWO)}


def test_write_below_a_ref_is_an_error(refs: Refs) -> None:
    put(refs, a=ONE)
    with pytest.raises(NotADirectoryError):
        refs.write(Refspec(None, "a/b"), TWO)
    with pytest.raises(NotADirectoryError):
        refs.write(Refspec(None, "a/b/c"), TWO)
    assert refs.list() == {"a": str(ONE)}


def test_delete_below_a_ref_or_missing_directory_is_fine(refs: Refs) -> None:
    put(refs, a=ONE)
    refs.write(Refspec(None, "no/such"), None)
    assert refs.list() == {"a": str(ONE)}


def test_pending_values_are_seen(refs: Refs) -> None:
    put(refs, main=ONE)
    refs.pending[Refspec(None, "main")] = TWO
    refs.pending[Refspec("origin", "x")] = None
    assert refs.read(Refspec(None, "main")) == TWO
    assert refs.read(Refspec("origin", "x")) is None


def test_read_falls_back_to_remotes(refs: Refs) -> None:
    refs.write(Refspec("origin", "main"), ONE)
    assert refs.read(Refspec(None, "main")) == ONE
    assert refs.read(Refspec(None, "origin/main")) == ONE
    assert refs.read(Refspec(None, "main"), fallback=False) is None
    put(refs, main=TWO)
    assert refs.read(Refspec(None, "main")) == TWO


def test_read_directory_is_its_own_error(refs: Refs) -> None:
    put(refs, a__b=ONE)
    with pytest.raises(IsADirectoryError) as caught:
        refs.read(Refspec(None, "a"))
    assert describe(caught.value) == "Couldn't open ref 'a': Is a directory"


@pytest.mark.parametrize("text", ["", "x", "A" * 64, "1" * 63])
def test_read_content_that_is_no_checksum_is_an_error(refs: Refs, root: Path, text: str) -> None:
    (root / "refs/heads/bad").write_text(text)
    with pytest.raises(InvalidNameError, match="Invalid"):
        refs.read(Refspec(None, "bad"))
    assert refs.list() == {"bad": text}  # listing does not look at it


def test_read_strips_white_space_at_the_end(refs: Refs, root: Path) -> None:
    (root / "refs/heads/main").write_text(f"{ONE} \n\n")
    assert refs.read(Refspec(None, "main")) == ONE


def test_read_huge_file_is_an_error(refs: Refs, root: Path) -> None:
    (root / "refs/heads/main").write_bytes(b"1" * 100_000)
    with pytest.raises(OSError, match="File too large"):
        refs.read(Refspec(None, "main"))


def test_list_skips_what_is_no_ref(refs: Refs, root: Path) -> None:
    put(refs, main=ONE)
    for name in (".rsync_info", ".tmp.Ab3dEf", "-x", "a b"):
        (root / "refs/heads" / name).write_text("junk")
    (root / "refs/remotes/file").write_text("junk")
    (root / "refs/remotes/.hidden").mkdir()
    (root / "refs/remotes/.hidden/x").write_text("junk")
    assert refs.list() == {"main": str(ONE)}


def test_list_prefixes(refs: Refs) -> None:
    for name in ("a", "b/c", "b/d/e", "r:x", "r:b/y"):
        refs.write(parse_refspec(name), ONE)
    assert list(refs.list()) == ["a", "b/c", "b/d/e", "r:b/y", "r:x"]
    assert list(refs.list(remotes=False)) == ["a", "b/c", "b/d/e"]
    assert list(refs.list("b")) == ["b/c", "b/d/e"]
    assert list(refs.list("b/d")) == ["b/d/e"]
    assert list(refs.list("a")) == ["a"]
    assert list(refs.list("nope")) == []
    assert list(refs.list("r:b")) == ["r:b/y"]
    assert list(refs.list("r:")) == ["r:./b/y", "r:./x"]
    assert refs.is_ref_directory("b")
    assert not refs.is_ref_directory("a")
    with pytest.raises(InvalidNameError):
        refs.list("../..")


@pytest.mark.parametrize("missing", ["heads", "remotes"])
def test_list_without_its_directories_is_an_error(refs: Refs, root: Path, missing: str) -> None:
    (root / "refs" / missing).rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        refs.list()
    assert describe(caught.value) == f"opendir(refs/{missing}): No such file or directory"


def test_alias_is_a_relative_link_and_is_replaced_by_a_write(refs: Refs, root: Path) -> None:
    put(refs, a__b__c=ONE)
    refs.write_alias("alx/x/y", "a/b/c")
    link = root / "refs/heads/alx/x/y"
    assert os.readlink(link) == "../../a/b/c"
    assert refs.aliases() == {"alx/x/y": "a/b/c"}
    assert refs.read(Refspec(None, "alx/x/y")) == ONE
    refs.write(Refspec(None, "alx/x/y"), TWO)
    assert not link.is_symlink()
    assert refs.read(Refspec(None, "a/b/c")) == ONE


def test_alias_that_dangles_makes_listing_fail(refs: Refs, root: Path) -> None:
    (root / "refs/heads/alias").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        refs.list()


def test_collection_refs(refs: Refs, root: Path) -> None:
    own, other = "org.example.Own", "org.example.Other"
    refs.write_collection(CollectionRef(own, "main"), ONE, own_id=own)
    refs.write_collection(CollectionRef(other, "a/b"), TWO, own_id=own)
    refs.write(Refspec("origin", "x"), TWO)
    (root / "refs/mirrors/not-a-collection").mkdir()
    assert (root / "refs/mirrors" / other / "a/b").read_text() == f"{TWO}\n"
    found = refs.list_collections(own, {"origin": "org.example.Remote", "gone": "org.example.G"})
    assert {(ref.collection_id, ref.ref) for ref in found} == {
        (own, "main"), (other, "a/b"), ("org.example.Remote", "x"),
    }  # fmt: skip
    refs.write_collection(CollectionRef(other, "a/b"), None, own_id=own)
    assert len(refs.list_collections(None, {})) == 0
    with pytest.raises(OstreeError, match="Invalid collection ID"):
        refs.write_collection(CollectionRef("../..", "x"), ONE, own_id=own)


def test_not_found_names_the_refspec() -> None:
    assert str(not_found("origin:main")) == "Refspec 'origin:main' not found"


def test_aliases_that_dangle_are_listed_and_links_to_directories_not_followed(
    refs: Refs, root: Path
) -> None:
    put(refs, main=ONE)
    (root / "refs/heads/gone").symlink_to("nosuch")
    assert refs.aliases() == {"gone": "nosuch"}
    assert refs.list("gone") == {}
    (root / "refs/heads/gone").unlink()
    (root / "refs/heads/up").symlink_to(".")
    with pytest.raises(IsADirectoryError):
        refs.list()


@pytest.mark.parametrize("content", [b"a\0b", b"a\xffb"])
def test_read_content_that_is_no_text_names_the_ref(refs: Refs, root: Path, content: bytes) -> None:
    (root / "refs/heads/junk").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        refs.read(Refspec(None, "junk"))
    assert describe(caught.value) == "Couldn't open ref 'junk': Invalid UTF-8"


def test_split_prefix() -> None:
    assert split_prefix("a/b") == (None, "a/b")
    assert split_prefix("r:a/b") == ("r", "a/b")
    assert split_prefix("r:") == split_prefix("r:.") == ("r", ".")
    for bad in (":", ":.", "a b", "a:b:", ""):
        with pytest.raises(InvalidNameError, match="Invalid refspec"):
            split_prefix(bad)
