"""Names below ``objects/``: which are objects, and which are passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir
from pyostree.repo.store.listing import iter_loose, iter_loose_commits

REST = "0123456789abcdef" * 4
A_CHECKSUM = Checksum(bytes.fromhex("ab" + REST[:62]))


def make(objects: Path, *names: str) -> None:
    for name in names:
        path = objects / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_every_listed_type_is_found(tmp_path: Path) -> None:
    kinds = [ObjectType.FILE, ObjectType.DIRTREE, ObjectType.DIRMETA, ObjectType.COMMIT,
             ObjectType.PAYLOAD_LINK]  # fmt: skip
    make(tmp_path, *(f"ab/{REST[:62]}.{kind.extension}" for kind in kinds))
    with Dir.at(tmp_path) as objects:
        assert set(iter_loose(objects, "file")) == {ObjectName(A_CHECKSUM, kind) for kind in kinds}
        assert list(iter_loose_commits(objects)) == [A_CHECKSUM]


@pytest.mark.parametrize(
    "name",
    [
        f"ab/{REST[:62]}.filez",
        f"ab/{REST[:62]}.commitmeta",
        f"ab/{REST[:62]}.tombstone-commit",
        f"ab/{REST[:62]}.file-xattrs",
        f"ab/{REST[:62]}.file-xattrs-link",
        f"ab/{REST[:62]}",
        f"ab/{REST[:62]}.",
        f"ab/{REST[:62]}.COMMIT",
        f"ab/{REST[:62]}.commit.commit",
        f"ab/{REST[:62].upper()}.commit",
        f"ab/{REST[:61]}.commit",
        f"ab/{REST[:63]}.commit",
        f"ab/{REST[:60]}  .commit",
        f"ab/{REST[:60]}gg.commit",
        f"ab/{REST[:60]}é0.commit",
        f"AB/{REST[:62]}.commit",
        f"abc/{REST[:62]}.commit",
        f"zz/{REST[:62]}.commit",
        "ab/commit",
        "ab/.commit",
    ],
)
def test_other_names_are_passed_over(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    with Dir.at(tmp_path) as objects:
        assert list(iter_loose(objects, "file")) == []
        assert list(iter_loose_commits(objects)) == []


def test_only_what_starts_with_the_prefix(tmp_path: Path) -> None:
    make(tmp_path, f"ab/{REST[:62]}.commit", f"ac/{REST[:62]}.commit", f"ab/{'f' * 62}.commit")
    with Dir.at(tmp_path) as objects:
        found = {
            prefix: [str(one)[:4] for one in iter_loose_commits(objects, prefix)]
            for prefix in ("", "a", "ab", "ab0", "abf", "ac01", "ad", "b")
        }
    assert found == {
        "": ["ab01", "abff", "ac01"],
        "a": ["ab01", "abff", "ac01"],
        "ab": ["ab01", "abff"],
        "ab0": ["ab01"],
        "abf": ["abff"],
        "ac01": ["ac01"],
        "ad": [],
        "b": [],
    }


def test_a_link_in_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere", f"{REST[:62]}.commit")
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects/ab").symlink_to(tmp_path / "elsewhere")
    with Dir.at(tmp_path / "objects") as objects:
        assert list(iter_loose_commits(objects)) == []
