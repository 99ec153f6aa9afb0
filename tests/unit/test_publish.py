"""Publishing staged objects: whole directories where there are none yet, files otherwise."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from pyostree.fs.dir import Dir
from pyostree.repo.publish import publish_objects

STAGED = ("aa/1.file", "aa/2.dirtree", "bb/3.file", "cc/4.commit", "cc/5.file", "dd/tmp.6")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    staging, objects = tmp_path / "staging", tmp_path / "objects"
    objects.mkdir()
    for name in STAGED:
        path = staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return staging, objects


def _publish(places: tuple[Path, Path], *, is_own: bool) -> None:
    with Dir.at(places[0]) as staging, Dir.at(places[1]) as objects:
        publish_objects(staging, objects, sync=True, is_own=is_own)


def _files(objects: Path) -> dict[str, str]:
    return {
        str(path.relative_to(objects)): path.read_text()
        for path in objects.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("is_own", [True, False])
def test_all_objects_are_published_but_no_temporary_names(
    places: tuple[Path, Path], is_own: bool
) -> None:
    _publish(places, is_own=is_own)
    assert _files(places[1]) == {name: name for name in STAGED if not name.startswith("dd")}


def test_a_directory_of_our_own_is_moved_whole_unless_it_holds_a_commit(
    places: tuple[Path, Path],
) -> None:
    staged = {name: (places[0] / name).stat().st_ino for name in ("aa", "bb", "cc")}
    _publish(places, is_own=True)
    moved = {name for name in staged if (places[1] / name).stat().st_ino == staged[name]}
    assert moved == {"aa", "bb"}


def test_what_is_there_stays(places: tuple[Path, Path]) -> None:
    (places[1] / "aa").mkdir()
    (places[1] / "aa/1.file").write_text("older")
    _publish(places, is_own=True)
    assert _files(places[1])["aa/1.file"] == "older"
    assert _files(places[1])["aa/2.dirtree"] == "aa/2.dirtree"


def test_directories_inherit_the_group_of_a_shared_repository(places: tuple[Path, Path]) -> None:
    os.chown(places[1], -1, 12)
    places[1].chmod(0o2775)
    _publish(places, is_own=True)
    status = (places[1] / "aa").stat()
    assert status.st_gid == 12
    assert status.st_mode & 0o2000


def test_directories_do_not_inherit_the_group_of_the_staging_directory(
    places: tuple[Path, Path],
) -> None:
    os.chown(places[0], -1, 12)
    places[0].chmod(0o2775)
    (places[0] / "ee").mkdir()
    (places[0] / "ee/7.file").write_text("7")
    assert (places[0] / "ee").stat().st_gid == 12
    _publish(places, is_own=True)
    status = (places[1] / "ee").stat()
    assert status.st_gid == os.getegid()
    assert not status.st_mode & 0o2000


def test_directories_inherit_a_default_acl(places: tuple[Path, Path]) -> None:
    anyone = 0xFFFFFFFF
    entries = ((1, 7, anyone), (2, 7, 12), (4, 5, anyone), (16, 7, anyone), (32, 5, anyone))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(places[1], "system.posix_acl_default", acl)
    _publish(places, is_own=True)
    assert "system.posix_acl_default" in os.listxattr(places[1] / "aa")
