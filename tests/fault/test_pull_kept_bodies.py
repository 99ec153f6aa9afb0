"""Large bodies that lie in ``tmp/`` until they are stored: none of them stands in the way later."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.repo.repo import Repo
from repo_lab import (
    OURS,
    Result,
    check_both,
    commit,
    make_repo,
    must,
    ours,
    run_process,
    write_files,
)

MODES = pytest.mark.parametrize("mode", ["bare-user", "archive"])
PROCESSORS = pytest.mark.parametrize(
    "words", [(), ("taskset", "-c", "0")], ids=["helpers", "threads"]
)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("source")
    words = b" ".join(hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(60_000))
    files: dict[str, bytes | str] = {"large": words}
    repo = make_repo(base / "repo", "archive")
    tree = write_files(base / "tree", files)
    commit(repo, "-b", "main", f"--tree=dir={tree}", "--owner-uid=0", "--owner-gid=0")
    must(ours("summary", f"--repo={repo}", "-u"))
    return repo


@pytest.fixture
def server(source: Path) -> Iterator[ScriptedServer]:
    with scripted_server(source) as running:
        running.serves_ranges = True
        yield running


def large(source: Path) -> Path:
    return max(source.glob("objects/*/*.filez"), key=lambda path: path.stat().st_size)


def client(path: Path, url: str, mode: str) -> Path:
    repo = make_repo(path, mode)
    must(ours("remote", "add", f"--repo={repo}", "--no-gpg-verify", "origin", url))
    return repo


def pull(repo: Path, *words: str) -> Result:
    program, *more = *words, OURS, "pull", f"--repo={repo}", "origin", "main"
    return run_process(program, *more)


def flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def flip(reply: Reply) -> Reply:
    return reply._replace(body=flipped(reply.body))


def kept(repo: Path) -> list[str]:
    return [path.name for path in (repo / "tmp").glob("fetch-*")]


def leave(repo: Path, source: Path, data: bytes) -> None:
    """Leave `data` as an earlier process that was killed would have."""
    with Repo.open(repo) as opened:
        boot_id = opened.boot_id
    path = large(source)
    (repo / f"tmp/fetch-{boot_id}-{path.parent.name}{path.name}").write_bytes(data)


def packed_otherwise(body: bytes) -> bytes:
    """Return the same object as a server with another level of compression has it."""
    start = 8 + int.from_bytes(body[:4], "big")
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return body[:start] + packer.compress(zlib.decompress(body[start:], -15)) + packer.flush()


@MODES
@PROCESSORS
def test_corrupt_body_does_not_outlive_the_pull(
    tmp_path: Path, source: Path, server: ScriptedServer, mode: str, words: tuple[str, ...]
) -> None:
    repo = client(tmp_path / "client", server.url, mode)
    server.faults[large(source).name] = flip
    assert pull(repo, *words).status == 1
    assert kept(repo) == []
    server.faults.clear()
    must(pull(repo, *words))
    check_both(repo)


@MODES
@pytest.mark.parametrize(
    ("kind", "words"), [("whole", ()), ("start", ("taskset", "-c", "0")), ("other", ())]
)
def test_kept_body_that_is_wrong_is_fetched_again(
    tmp_path: Path,
    source: Path,
    server: ScriptedServer,
    mode: str,
    kind: str,
    words: tuple[str, ...],
) -> None:
    repo = client(tmp_path / "client", server.url, mode)
    good = large(source).read_bytes()
    data = {
        "whole": flipped(good),
        "start": flipped(good)[: len(good) * 3 // 4],
        "other": packed_otherwise(good)[: len(good) // 2],
    }[kind]
    leave(repo, source, data)
    must(pull(repo, *words))
    check_both(repo)
    assert kept(repo) == []
    asked = [headers.get("range") for headers in server.seen if "range" in headers]
    assert asked == [f"bytes={len(data)}-"]
    assert sum(path.endswith(large(source).name) for path in server.requests) == 2


def test_body_that_is_wrong_again_and_again_is_an_error(
    tmp_path: Path, source: Path, server: ScriptedServer
) -> None:
    repo = client(tmp_path / "client", server.url, "bare-user")

    def fault(reply: Reply) -> Reply:
        cut = len(reply.body) * 9 // 10
        if reply.status == 200:  # a part each time, so that it is continued
            return flip(reply)._replace(body=flipped(reply.body)[:cut], promised=len(reply.body))
        return reply

    server.faults[large(source).name] = fault
    result = ours("pull", f"--repo={repo}", "origin", "main")
    assert result.status == 1
    assert large(source).stem in result.err
    assert sum(path.endswith(large(source).name) for path in server.requests) == 4
    assert kept(repo) == []


def test_trusted_mirror_does_not_trust_its_own_patchwork(
    tmp_path: Path, source: Path, server: ScriptedServer
) -> None:
    repo = client(tmp_path / "client", server.url, "archive")
    good = large(source).read_bytes()
    leave(repo, source, flipped(good)[: len(good) * 3 // 4])
    must(ours("pull", f"--repo={repo}", "--mirror", "--http-trusted", "origin", "main"))
    check_both(repo)


@MODES
def test_promise_that_does_not_fit_is_refused_before_it_fills_the_disk(
    tmp_path: Path, source: Path, server: ScriptedServer, mode: str
) -> None:
    repo = client(tmp_path / "client", server.url, mode)
    must(ours("config", f"--repo={repo}", "set", "core.min-free-space-percent", "3"))

    def fault(reply: Reply) -> Reply:
        size = struct.pack(">Q", 1 << 60)
        body = reply.body[:8] + size + reply.body[16:]
        return reply._replace(body=body * 20, promised=len(body) * 1000)

    server.faults[large(source).name] = fault
    result = pull(repo)
    assert result.status == 1
    assert result.err.startswith(f"error: While fetching {server.url}/objects/")
    assert ": min-free-space-percent '3%' would be exceeded, at least " in result.err
    assert kept(repo) == []
    server.faults.clear()
    must(pull(repo))
    check_both(repo)
