"""Answers from a repository, without a server."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from pathlib import Path

import pytest

from pyostree.errors import ConflictError
from pyostree.fs.append_file import AppendFile
from pyostree.serve.access_log import AccessLog, Request
from pyostree.serve.documents import INLINE_BYTES
from pyostree.serve.public_config import format_public_config
from pyostree.serve.served_repo import NotServableError
from pyostree.serve.sites import Place, Sites
from repo_lab import ours

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "small").write_text("content")
    (tree / "large").write_bytes(random.Random(1).randbytes(4 * INLINE_BYTES))
    path = tmp_path / "repo"
    for words in (
        ["init", "--mode=archive", "--collection-id=org.example.Os"],
        ["commit", "-b", "main", f"--tree=dir={tree}"],
        ["summary", "-u"],
    ):
        result = ours(f"--repo={path}", *words)
        assert result.status == 0, result.err
    return path


class Client:
    """Asks one set of repositories."""

    def __init__(self, *places: Place) -> None:
        self.sites = Sites(places)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.sites.answer(method, path, named)
        assert len(dict(answer.headers)) == len(answer.headers), "a header twice"
        return answer.status, dict(answer.headers)

    def body(self, path: str, **headers: str) -> bytes:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.sites.answer("GET", path, named)
        if answer.path is None:
            data = answer.body
        else:
            data = Path(answer.path).read_bytes()
            data = data if answer.part is None else data[slice(*answer.part)]
        assert len(data) == answer.size == int(dict(answer.headers)["content-length"])
        return data


@pytest.fixture
def client(repo: Path) -> Client:
    return Client(Place("", str(repo)))


def objects(repo: Path, suffix: str) -> list[Path]:
    return sorted(repo.glob(f"objects/*/*.{suffix}"), key=lambda path: path.stat().st_size)


def url(repo: Path, path: Path) -> str:
    return f"/{path.relative_to(repo)}"


@pytest.mark.parametrize("suffix", ["commit", "dirtree", "dirmeta"])
def test_metadata_objects_are_immutable_and_named_by_checksum(
    client: Client, repo: Path, suffix: str
) -> None:
    path = objects(repo, suffix)[0]
    status, headers = client.get(url(repo, path))
    assert status == 200
    assert headers["cache-control"] == IMMUTABLE
    assert headers["etag"] == f'"{hashlib.sha256(path.read_bytes()).hexdigest()}"'
    assert client.body(url(repo, path)) == path.read_bytes()


def test_content_objects_small_and_large_are_sent_whole(client: Client, repo: Path) -> None:
    small, large = objects(repo, "filez")
    assert small.stat().st_size < INLINE_BYTES < large.stat().st_size
    for path in (small, large):
        assert client.get(url(repo, path))[1]["cache-control"] == IMMUTABLE
        assert client.body(url(repo, path)) == path.read_bytes()
        assert client.body(url(repo, path), range="bytes=5-9") == path.read_bytes()[5:10]


def test_content_etag_differs_when_compressed_differently(client: Client, repo: Path) -> None:
    path = objects(repo, "filez")[1]
    before = client.get(url(repo, path))[1]["etag"]
    path.write_bytes(path.read_bytes() + b"\0")
    assert client.get(url(repo, path))[1]["etag"] != before


def test_summary_and_refs_are_revalidated(client: Client, repo: Path) -> None:
    for path in ("/summary", "/refs/heads/main", "/config"):
        status, headers = client.get(path)
        assert status == 200
        assert headers["cache-control"] == "no-cache"
        assert client.get(path, if_none_match=headers["etag"])[0] == 304
        assert client.get(path, if_none_match='"x"')[0] == 200
    summary = client.get("/summary")[1]
    reference_form = summary["last-modified"].replace("GMT", "UTC")
    assert client.get("/summary", if_modified_since=reference_form)[0] == 304


def test_summary_replaced_is_served_anew_with_another_etag(client: Client, repo: Path) -> None:
    before = client.get("/summary")[1]["etag"]
    assert ours(f"--repo={repo}", "refs", "--create=other", "main").status == 0
    assert ours(f"--repo={repo}", "summary", "-u").status == 0
    assert client.body("/summary") == (repo / "summary").read_bytes()
    assert client.get("/summary", if_none_match=before)[0] == 200


def test_large_summary_replaced_while_it_is_sent_stays_whole(client: Client, repo: Path) -> None:
    old = os.urandom(2 * INLINE_BYTES)
    (repo / "summary").write_bytes(old)
    answer = client.sites.answer("GET", "/summary", {})
    (repo / "new").write_bytes(os.urandom(3 * INLINE_BYTES))
    (repo / "new").rename(repo / "summary")
    assert client.body("/summary") == (repo / "summary").read_bytes()  # it has been noticed
    assert answer.path is not None
    assert Path(answer.path).read_bytes() == old  # the server opens it only now


def test_detached_metadata_and_deltas_may_change(client: Client, repo: Path) -> None:
    commit = objects(repo, "commit")[0]
    path = commit.with_suffix(".commitmeta")
    assert client.get(url(repo, path))[0] == 404
    path.write_bytes(b"one")
    first = client.get(url(repo, path))[1]
    assert first["cache-control"] == "no-cache"
    path.write_bytes(b"three")
    assert client.get(url(repo, path), if_none_match=first["etag"])[0] == 200
    path.unlink()
    assert ours(f"--repo={repo}", "static-delta", "generate", "--empty", "main").status == 0
    for path in repo.glob("deltas/*/*/*"):
        assert client.body(url(repo, path)) == path.read_bytes()
        assert client.get(url(repo, path))[1]["cache-control"] == "no-cache"


def test_missing_files_are_not_found_and_not_cached(client: Client) -> None:
    for path in (f"/objects/00/{'0' * 62}.commit", "/summary.sig", "/refs/heads/nope", "/"):
        status, headers = client.get(path)
        assert status == 404
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO", "get"])
def test_methods_that_write_are_not_allowed(client: Client, method: str) -> None:
    status, headers = client.get("/summary", method)
    assert status == 405
    assert headers["allow"] == "GET, HEAD"


def test_paths_that_climb_or_are_no_text_are_bad_requests(client: Client) -> None:
    for path in ("/../config", "/refs/./heads/main", "/con\0fig", "/refs/heads/\ufffd", "/a\nb"):
        assert client.get(path)[0] == 400
    assert client.get("/" + "a" * 5000)[0] == 414
    assert client.get("/refs/heads/" + "a" * 300)[0] == 404  # too long for a file's name


def test_ranges_beyond_the_end_say_how_long_it_is(client: Client, repo: Path) -> None:
    size = (repo / "summary").stat().st_size
    status, headers = client.get("/summary", range=f"bytes={size}-")
    assert status == 416
    assert headers["content-range"] == f"bytes */{size}"
    status, headers = client.get("/summary", range="bytes=1-2")
    assert (status, headers["content-range"]) == (206, f"bytes 1-2/{size}")
    assert client.get("/summary", range="bytes=1-2,4-5")[0] == 200
    assert client.get("/summary", range="bytes=1-2", if_range='"x"')[0] == 200
    assert client.get("/summary", if_match='"x"')[0] == 412


def test_aliases_work_but_no_link_leads_out_of_the_refs(client: Client, repo: Path) -> None:
    assert ours(f"--repo={repo}", "refs", "--alias", "--create=stable", "main").status == 0
    main = (repo / "refs/heads/main").read_bytes()
    assert client.body("/refs/heads/stable") == main
    secret = repo.parent / "secret"
    secret.write_bytes(main)
    remote = repo / "refs/remotes/origin"
    remote.mkdir(parents=True)
    (remote / "x").write_bytes(main)
    for name, target in (
        ("absolute", str(secret)),
        ("climbing", "../../../secret"),
        ("remote", "../remotes/origin/x"),
        ("loop", "loop"),
    ):
        (repo / "refs/heads" / name).symlink_to(target)
        assert client.get(f"/refs/heads/{name}")[0] == 404, name
    (repo / "refs/heads/text").write_text("no checksum\n")
    assert client.get("/refs/heads/text")[0] == 404


def test_links_in_place_of_files_are_not_followed(client: Client, repo: Path) -> None:
    secret = repo.parent / "secret"
    secret.write_text("secret")
    path = objects(repo, "filez")[0]
    path.unlink()
    path.symlink_to(secret)
    (repo / "summary").unlink()
    (repo / "summary").symlink_to(secret)
    elsewhere = repo.parent / "elsewhere"
    (repo / "objects" / "ff").rename(elsewhere) if (repo / "objects/ff").exists() else None
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / f"{'f' * 62}.commit").write_text("secret")
    (repo / "objects/ff").symlink_to(elsewhere)
    for asked in (url(repo, path), "/summary", f"/objects/ff/{'f' * 62}.commit"):
        assert client.get(asked)[0] == 404


def test_pipes_and_directories_are_not_read(client: Client, repo: Path) -> None:
    (repo / "summary").unlink()
    os.mkfifo(repo / "summary")
    os.mkfifo(repo / "refs/heads/pipe")
    directory = repo / "objects/00"
    directory.mkdir(exist_ok=True)
    os.mkfifo(directory / f"{'1' * 62}.commit")
    (directory / f"{'2' * 62}.commit").mkdir()
    for path in ("summary", "refs/heads/pipe", f"objects/00/{'1' * 62}.commit"):
        assert client.get(f"/{path}")[0] == 404
    assert client.get(f"/objects/00/{'2' * 62}.commit")[0] == 404


def test_config_is_only_what_clients_need(client: Client, repo: Path) -> None:
    with (repo / "config").open("a") as file:
        file.write('[remote "origin"]\nurl=https://user:password@example.com\ntls-client-key=/k\n')
        file.write("[sysroot]\nreadonly=true\n")
    subprocess.run(["sed", "-i", "s/^mode=.*/&\\nparent=\\/secret/", repo / "config"], check=True)
    text = client.body("/config").decode()
    assert text.startswith("[core]\nrepo_version=1\nmode=archive-z2\n")
    assert "collection-id=org.example.Os" in text
    for secret in ("remote", "password", "parent", "secret", "sysroot"):
        assert secret not in text


def test_config_broken_for_a_moment_stays_the_last_good_one(client: Client, repo: Path) -> None:
    good = client.body("/config")
    (repo / "config").write_text("half a li")
    assert client.body("/config") == good


def test_public_config_keeps_only_known_keys_of_core() -> None:
    text = b"[core]\nmode=archive\nparent=/x\ntombstone-commits=true\n[a]\nmode=1\n"
    assert format_public_config(text) == b"[core]\nmode=archive\ntombstone-commits=true\n"


def test_repositories_below_names(repo: Path) -> None:
    client = Client(Place("", str(repo)), Place("os", str(repo)))
    assert client.get("/summary")[0] == client.get("/os/summary")[0] == 200
    assert client.get("/os/os/summary")[0] == 404
    assert client.get("/other/summary")[0] == 404
    assert client.get("/os")[0] == 404
    alone = Client(Place("os", str(repo)))
    assert alone.get("/summary")[0] == 404
    assert alone.get("/os/refs/heads/main")[0] == 200


def test_same_name_twice_is_refused(repo: Path) -> None:
    with pytest.raises(ConflictError, match="Two repositories for the name a"):
        Sites((Place("a", str(repo)), Place("a", str(repo))))


@pytest.mark.parametrize("mode", ["bare", "bare-user"])
def test_bare_repositories_are_refused(tmp_path: Path, mode: str) -> None:
    assert ours(f"--repo={tmp_path}/bare", "init", f"--mode={mode}").status == 0
    with pytest.raises(NotServableError, match=f"its mode is {mode}") as caught:
        Sites((Place("", f"{tmp_path}/bare"),))
    assert "pull-local" in str(caught.value.hint)


def test_access_log_lines_cannot_be_forged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with AppendFile.open(str(path)) as file:
        log = AccessLog(file.write)
        log.add(Request("192.0.2.1:4711", "GET", "/summary", "1.1"), 200, 12, 0.00125)
        log.add(Request("[::1]:5", "GET", '/x"\n127.0.0.1 \x1b[2J\u2028', "2"), 404, 14, 0.5)
        log.flush()
    one, two = path.read_text().splitlines()
    assert one.startswith("192.0.2.1 - - [")
    assert one.endswith('] "GET /summary HTTP/1.1" 200 12 1.250')
    assert two.startswith("::1 - - [")
    assert two.endswith('"GET /x\\x22\\x0a127.0.0.1 \\x1b[2J\\x2028 HTTP/2" 404 14 500.000')
