"""fs-verity: what becomes an object is sealed where that is wanted and possible."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path

import pytest
from tests.repo_lab import commit, make_repo, must, object_names, ours

from pyostree.fs import verity
from pyostree.fs.dir import Dir
from pyostree.fs.tempfile import TempFile


class Kernel:
    """Answers the request to seal; remembers what was sealed."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.requests: list[bytes] = []
        self.was_writable = False

    def ioctl(self, fd: int, request: int, argument: bytes) -> int:
        assert request == 0x40806685
        self.requests.append(argument)
        self.was_writable |= fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        if self.code:
            raise OSError(self.code, os.strerror(self.code))
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()

    class Calls:
        ioctl = staticmethod(made.ioctl)

    monkeypatch.setattr(verity, "fcntl", Calls)
    return made


def configured(path: Path, mode: str, lines: str) -> Path:
    repo = make_repo(path, mode)
    with (repo / "config").open("a") as config:
        config.write(lines)
    return repo


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a").write_text("a")
    (tmp_path / "tree/l").symlink_to("a")
    return tmp_path / "tree"


SWITCHES = {
    "[ex-integrity]\nfsverity=yes\n": True,
    "[ex-integrity]\nfsverity=maybe\n": True,
    "[ex-integrity]\ncomposefs=maybe\n": True,
    "[ex-fsverity]\nrequired=true\n": True,
    "[ex-fsverity]\nopportunistic=true\n": True,
    "[ex-integrity]\nfsverity=no\n": False,
    "": False,
}


@pytest.mark.parametrize("lines", SWITCHES)
@pytest.mark.parametrize("mode", ["archive", "bare-user", "bare-user-only"])
def test_objects_are_sealed_as_configured(
    tmp_path: Path, tree: Path, kernel: Kernel, mode: str, lines: str
) -> None:
    repo = configured(tmp_path / "repo", mode, lines)
    commit(repo, "-b", "x", tree)
    files = [name for name in object_names(repo) if not (repo / "objects" / name).is_symlink()]
    assert len(kernel.requests) == (len(files) if SWITCHES[lines] else 0)
    assert not kernel.was_writable
    must(ours("fsck", f"--repo={repo}", "-q"))


def test_request_is_the_one_of_the_reference(tmp_path: Path, tree: Path, kernel: Kernel) -> None:
    repo = configured(tmp_path / "repo", "archive", "[ex-integrity]\nfsverity=yes\n")
    commit(repo, "-b", "x", tree)
    version, algorithm, block, *rest = struct.unpack("=IIIIQIIQ11Q", kernel.requests[0])
    assert (version, algorithm, block, set(rest)) == (1, 1, 4096, {0})


@pytest.mark.parametrize("code", [errno.ENOTTY, errno.EOPNOTSUPP])
def test_unsupported_and_optional_is_tried_once(
    tmp_path: Path, tree: Path, kernel: Kernel, code: int
) -> None:
    kernel.code = code
    repo = configured(tmp_path / "repo", "archive", "[ex-integrity]\nfsverity=maybe\n")
    commit(repo, "-b", "x", tree)
    assert 1 <= len(kernel.requests) <= 4  # threads may find out at once


@pytest.mark.parametrize("code", [errno.ENOTTY, errno.EOPNOTSUPP])
def test_unsupported_and_demanded_is_an_error(
    tmp_path: Path, tree: Path, kernel: Kernel, code: int
) -> None:
    kernel.code = code
    repo = configured(tmp_path / "repo", "archive", "[ex-integrity]\nfsverity=yes\n")
    result = ours("commit", f"--repo={repo}", "-b", "x", tree)
    message = "fsverity required but filesystem does not support it"
    assert result.err in {
        f"error: Writing {what} object: {message}\n" for what in ("content", "metadata")
    }
    assert object_names(repo) == set()


@pytest.mark.parametrize("value", ["yes", "maybe"])
def test_refusal_is_an_error(tmp_path: Path, tree: Path, kernel: Kernel, value: str) -> None:
    kernel.code = errno.EIO
    repo = configured(tmp_path / "repo", "archive", f"[ex-integrity]\nfsverity={value}\n")
    result = ours("commit", f"--repo={repo}", "-b", "x", tree)
    assert result.status == 1
    assert result.err.endswith(
        " object: fsverity: ioctl(FS_IOC_ENABLE_VERITY): Input/output error\n"
    )


def test_this_kernel_answers_one_way_or_the_other(tmp_path: Path) -> None:
    with Dir.at(tmp_path) as directory, TempFile(directory) as tmp:
        tmp.write(b"x")
        tmp.seal()
        assert tmp.link(directory, "file")
    assert (tmp_path / "file").read_bytes() == b"x"
