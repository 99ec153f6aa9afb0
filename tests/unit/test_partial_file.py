"""Files that grow under a name of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyostree.fs.dir import Dir
from pyostree.fs.partial_file import PartialFile, open_partial


def opened(directory: Dir, name: str = "part") -> PartialFile:
    file = open_partial(directory, name)
    assert file is not None
    return file


def test_partial_file_grows_over_several_openings(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as directory:
        for number in range(3):
            with opened(directory) as file:
                assert file.size == 4 * number
                file.write(b"four")
    assert (tmp_path / "part").read_bytes() == b"four" * 3
    assert (tmp_path / "part").stat().st_mode & 0o777 == 0o600


def test_partial_file_without_its_name_is_read_on(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as directory, opened(directory) as file:
        file.write(b"content")
        file.drop_name()
        file.drop_name()
        assert list(tmp_path.iterdir()) == []
        assert file.read_at(3, 100) == b"tent"
        with opened(directory) as other:  # the next one is another file
            assert other.size == 0


def test_partial_file_truncated_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"old content")
    with Dir.at(tmp_path) as directory, opened(directory) as file:
        file.truncate()
        file.write(b"new")
        assert file.size == 0
    assert (tmp_path / "part").read_bytes() == b"new"


def test_partial_file_has_one_writer(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as directory:
        with opened(directory):
            assert open_partial(directory, "part") is None
        opened(directory).close()


def test_partial_file_in_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as directory:
        tmp_path.rmdir()
        with pytest.raises(FileNotFoundError):
            open_partial(directory, "part")


def test_partial_file_of_another_user_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"theirs")
    if os.geteuid() == 0:
        os.chown(tmp_path / "part", 12345, 12345)
    else:
        (tmp_path / "part").chmod(0)
    with Dir.at(tmp_path) as directory:
        assert open_partial(directory, "part") is None
