"""Hostile archives: an error that names the member, and nothing of them in the repository."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.repo import tar_import
from repo_lab import (
    OURS,
    WHEN,
    Result,
    commit,
    make_repo,
    must,
    object_names,
    ours,
    refs_of,
    run_process,
    write_files,
)
from tar_lab import (
    END,
    ROOT,
    Item,
    directory,
    header,
    make_tar,
    padded,
    pax,
    symlink,
    tar_file,
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo", fsync="true")  # without it objects are visible at once


def commit_archive(repo: Path, data: bytes, *words: str) -> Result:
    path = tar_file(repo.parent / "archive", data)
    return ours("commit", f"--repo={repo}", "-b", "main", WHEN, f"--tree=tar={path}", *words)


def assert_nothing_in(repo: Path) -> None:
    assert object_names(repo) == set()
    assert refs_of(repo) == {}


GOOD = make_tar(ROOT, Item("good", b"good"))[: 3 * 512]
SPARSE_BOMB = pax((b"GNU.sparse.size", b"9" * 18), (b"GNU.sparse.map", b"")) + header(b"bomb")
HOSTILE = {
    "up": (header(b"a/../../../etc/passwd"), "a/../../../etc/passwd"),
    "up at first": (header(b"../x"), "../x"),
    "up by a long name": (pax((b"path", b"a/" * 900 + b"../" * 901 + b"x")) + header(b"f"), "../x"),
    "up by a hard link": (header(b"l", kind=b"1", target=b"../../etc/passwd"), "../../etc/passwd"),
    "through a symlink": (header(b"d", kind=b"2", target=b"/etc") + header(b"d/passwd"), "d"),
    "through a file": (header(b"good/passwd"), "good"),
    "a path of a megabyte": (pax((b"path", b"a/" * 400_000)) + header(b"f"), "too long: a/a/"),
    "device": (header(b"sda", kind=b"4"), "sda"),
    "no name": (header(b""), "empty filename"),
    "not UTF-8": (header(b"bad\xff"), r"bad\xff"),
    "target not UTF-8": (header(b"l", kind=b"2", target=b"\xff"), ": l"),
    "target missing": (header(b"l", kind=b"2"), ": l"),
    "hard link to nothing": (
        header(b"l", kind=b"1"),
        'error: Unsupported file type for path "l"\n',
    ),
    "link to itself": (header(b"l", kind=b"1", target=b"l"), "l"),
    "links in a circle": (
        header(b"l", kind=b"1", target=b"m") + header(b"m", kind=b"1", target=b"l"),
        "hardlink m",
    ),
    "truncated": (header(b"cut", 5000) + b"x" * 600, "cut"),
    "truncated, huge": (header(b"cut", 5 << 30) + b"x" * 600, "cut"),
    "pax header of 8 GiB": (header(b"pax", kind=b"x", octal=b"77777777777\0"), "too large"),
    "pax size of 80 bits": (pax((b"size", b"9" * 24)) + header(b"f"), "f"),
    "pax size of 64 bits": (pax((b"size", b"%d" % 2**63)) + header(b"f"), "overflow: f"),
    "sparse of an exabyte": (SPARSE_BOMB, "min-free-space"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_and_leave_nothing(name: str, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", fsync="true", min_free_space_percent="3")
    data, message = HOSTILE[name]
    result = commit_archive(repo, GOOD + data + END)
    assert result.status == 1
    assert result.out == ""
    assert message in result.err
    assert "Traceback" not in result.err
    assert_nothing_in(repo)


def test_damaged_archive_after_good_ones_leaves_the_ref_alone(repo: Path) -> None:
    must(commit_archive(repo, GOOD + END))
    before = object_names(repo), refs_of(repo)
    assert commit_archive(repo, GOOD + header(b"more", 3) + b"abc").status == 1
    assert (object_names(repo), refs_of(repo)) == before
    must(ours("fsck", f"--repo={repo}", "-q"))


def test_damage_that_only_the_check_sum_at_the_end_tells_of_is_noticed(repo: Path) -> None:
    data = bytearray(gzip.compress(make_tar(ROOT, Item("f", os.urandom(5000)))))
    data[-8] ^= 1
    result = commit_archive(repo, bytes(data))
    assert (result.status, "gzip decompression failed" in result.err) == (1, True)
    assert_nothing_in(repo)


def test_names_that_occur_again_and_again_keep_the_last(repo: Path) -> None:
    members = [Item("f", b"%d" % n) for n in range(100)]
    must(commit_archive(repo, make_tar(ROOT, *members)))
    assert must(ours("cat", f"--repo={repo}", "main", "f")) == "99"


def test_symlinks_are_never_followed_for_members_behind_them(repo: Path, tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"victim": "intact"})
    data = make_tar(ROOT, symlink("d", str(outside)), Item("d/victim", b"changed"))
    result = commit_archive(repo, data, "--tar-autocreate-parents")
    assert "Can't replace file with directory: d" in result.err
    assert (outside / "victim").read_text() == "intact"


def test_deep_and_wide_archives_need_no_stack(repo: Path) -> None:
    deep = "/".join("d" * 700)
    members = [Item(deep + "/f", b"x"), *(Item(f"w/{n}") for n in range(300))]
    must(commit_archive(repo, make_tar(*members), "--tar-autocreate-parents"))


def test_chain_of_hard_links_is_followed_in_any_order(repo: Path) -> None:
    count = 3_000
    members = b"".join(header(b"l%d" % n, kind=b"1", target=b"l%d" % (n + 1)) for n in range(count))
    must(commit_archive(repo, GOOD + members + header(b"l%d" % count, 3) + padded(b"end") + END))
    assert must(ours("cat", f"--repo={repo}", "main", "l0")) == "end"


def test_large_members_are_streamed_and_hashed_as_small_ones(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [ROOT, Item("a", os.urandom(300_000)), Item("b", bytes(700_000)), Item("c", b"c")]
    data = make_tar(*members)
    before = must(commit_archive(repo, data, "--parent=none"))
    other = make_repo(repo.parent / "other")
    monkeypatch.setattr(tar_import, "_IN_MEMORY_BYTES", 100_000)
    monkeypatch.setattr(tar_import, "_IN_FLIGHT_BYTES", 50_000)
    monkeypatch.setattr(tar_import, "_BATCH_BYTES", 10_000)
    assert must(commit_archive(other, data, "--parent=none")) == before
    must(ours("fsck", f"--repo={other}", "-q"))


def bomb(size: int) -> Iterator[bytes]:
    """An archive with one member of zeros, compressed a thousand times smaller."""
    packer = zlib.compressobj(1, wbits=31)
    yield packer.compress(make_tar(ROOT)[:512] + header(b"zeros", size))
    chunk = bytes(1 << 20)
    for _ in range(size >> 20):
        yield packer.compress(chunk)
    yield packer.flush()


def test_bomb_is_stopped_by_the_free_space_that_must_stay(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", fsync="true", min_free_space_size="1073741824MB")
    with (tmp_path / "bomb").open("wb") as file:
        file.writelines(bomb(200 << 20))
    result = ours("commit", f"--repo={repo}", "-b", "main", f"--tree=tar={tmp_path / 'bomb'}")
    assert result.status == 1
    assert "min-free-space" in result.err
    assert_nothing_in(repo)


def test_memory_stays_bounded_whatever_the_archive_holds(tmp_path: Path) -> None:
    """A member of 330 MiB, in 300 MiB of memory."""
    repo = make_repo(tmp_path / "repo", "bare-user-only")
    archive = tmp_path / "archive.gz"
    with archive.open("wb") as file:
        file.writelines(bomb(330 << 20))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))

    done = subprocess.run(
        [OURS, "commit", f"--repo={repo}", "-b", "main", f"--tree=tar={archive}"],
        check=False, capture_output=True, preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    must(ours("ls", f"--repo={repo}", "main", "/zeros"))


@pytest.mark.parametrize("members", [150, 400, 800])
def test_writer_that_is_killed_leaves_a_repository_that_works(repo: Path, members: int) -> None:
    """Its archive stops in the middle, so that it waits for more when it is killed."""
    tree = make_tar(ROOT, *(Item(f"f{n}", os.urandom(4000)) for n in range(800)))
    argv = [OURS, "commit", f"--repo={repo}", "-b", "main", WHEN, "--tree=tar=-"]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    process.stdin.write(tree[: members * 4608])
    process.stdin.flush()
    _wait_for_staged_objects(repo, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdin.close()
    assert _staged_objects(repo)
    assert_nothing_in(repo)
    must(ours("fsck", f"--repo={repo}", "-q"))
    must(run_process(*argv, stdin=tree))
    assert not _staged_objects(repo)
    must(ours("fsck", f"--repo={repo}", "-q"))
    assert len(must(ours("ls", f"--repo={repo}", "main")).splitlines()) == 801


def _staged_objects(repo: Path) -> list[Path]:
    return list(repo.glob("tmp/staging-*/??/*.filez"))


def _wait_for_staged_objects(repo: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not _staged_objects(repo):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


# -- export ------------------------------------------------------------------------------------


def test_export_of_a_damaged_object_names_it_and_leaves_no_file(repo: Path, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"a": "a" * 100, "d/b": "b" * 5000})
    commit(repo, "-b", "main", f"--tree=dir={tree}")
    (damaged,) = [p for p in (repo / "objects").glob("*/*.filez") if _holds(repo, p, "d/b")]
    damaged.write_bytes(damaged.read_bytes()[:-4])
    result = ours("export", f"--repo={repo}", "main", "-o", tmp_path / "out.tar")
    assert result.status == 1
    assert damaged.parent.name + damaged.stem in result.err
    assert not (tmp_path / "out.tar").exists()


def _holds(repo: Path, path: Path, name: str) -> bool:
    listed = must(ours("ls", "-C", f"--repo={repo}", "main", name))
    return path.parent.name + path.stem in listed


def test_export_does_not_touch_a_file_for_a_commit_that_does_not_exist(
    repo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tar"
    out.write_text("precious")
    assert ours("export", f"--repo={repo}", "nosuch", "-o", out).status == 1
    assert out.read_text() == "precious"


def test_export_of_a_path_that_is_a_file_is_an_error(repo: Path, tmp_path: Path) -> None:
    must(commit_archive(repo, make_tar(ROOT, Item("f"), symlink("s", "f"), directory("d"))))
    for name in ("f", "s"):
        result = ours("export", f"--repo={repo}", "main", f"--subpath={name}")
        assert (result.status, result.err) == (1, f"error: Not a directory: /{name}\n")


def test_export_into_a_pipe_nobody_reads_ends_quietly(repo: Path) -> None:
    must(commit_archive(repo, make_tar(ROOT, Item("f", os.urandom(3 << 20)))))
    process = subprocess.Popen(
        [OURS, "export", f"--repo={repo}", "main"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1000)
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait() != 0


def test_large_files_are_exported_in_pieces(repo: Path, tmp_path: Path) -> None:
    data = os.urandom(9 << 20)
    must(commit_archive(repo, make_tar(ROOT, Item("a", b"a"), Item("b", data), Item("c", b"c"))))
    must(ours("export", f"--repo={repo}", "main", "-o", tmp_path / "t"))
    assert (tmp_path / "t").read_bytes() == _as_gnu(
        Item("a", b"a"), Item("b", data), Item("c", b"c")
    )


def _as_gnu(*items: Item) -> bytes:
    when = 1_700_000_000
    blocks = []
    for item in (ROOT, *items):
        block = bytearray(make_tar(item, format="gnu")[:512])
        block[136:148] = b"%011o\0" % when
        block[265:329] = block[329:345] = b""
        blocks.append(bytes(block.ljust(512, b"\0")))
    return (
        b"".join(
            _summed(block, item.data) for block, item in zip(blocks, (ROOT, *items), strict=True)
        )
        + END
    )


def _summed(block: bytes, data: bytes) -> bytes:
    total = sum(block) - sum(block[148:156]) + 8 * 32
    return block[:148] + b"%06o\0 " % total + block[156:] + padded(data)
