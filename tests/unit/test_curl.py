"""The fetcher over libcurl, against a loopback server that can misbehave."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.errors import FetchError, FetchNotFoundError
from pyostree.fs.dir import Dir
from pyostree.remote.curl import CurlFetcher, open_fetcher
from pyostree.remote.fetch import (
    MEMORY_BYTES,
    Completed,
    FetchRequest,
    FetchSettings,
    Validators,
    fetch_bytes,
    fetch_one,
)
from pyostree.remote.urls import BaseUrl, parse_base_url

BIG = bytes(range(256)) * (MEMORY_BYTES // 128)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    root = tmp_path / "www"
    root.mkdir()
    (root / "small").write_bytes(b"small content")
    (root / "empty").write_bytes(b"")
    (root / "big").write_bytes(BIG)
    with scripted_server(root) as running:
        yield running


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[CurlFetcher]:
    with make_fetcher(tmp_path) as made:
        yield made


def make_fetcher(tmp_path: Path, settings: FetchSettings = FetchSettings(retries=0)) -> CurlFetcher:  # noqa: B008
    return open_fetcher(settings, Dir.at(tmp_path))


def base(server: ScriptedServer) -> tuple[BaseUrl, ...]:
    return (parse_base_url(server.url),)


def get(fetcher: CurlFetcher, server: ScriptedServer, path: str, max_bytes: int = 0) -> Completed:
    return fetch_one(fetcher, FetchRequest(path, base(server), max_bytes))


def test_small_body_is_in_memory(fetcher: CurlFetcher, server: ScriptedServer) -> None:
    done = get(fetcher, server, "small")
    assert done.error is None
    assert done.body is not None
    assert done.body.in_memory
    assert done.body.read() == b"small content"
    assert b"".join(done.body.chunks()) == b"small content"
    assert fetch_bytes(fetcher, FetchRequest("empty", base(server))) == b""


def test_big_body_is_in_a_file_without_a_name(
    fetcher: CurlFetcher, server: ScriptedServer, tmp_path: Path
) -> None:
    done = get(fetcher, server, "big")
    assert done.body is not None
    with done.body as body:
        assert not body.in_memory
        assert body.size == len(BIG)
        assert body.read() == BIG
        assert max(map(len, body.chunks())) <= 1 << 20
    assert [path.name for path in tmp_path.iterdir()] == ["www"]


def test_many_requests_come_back_with_their_tags(
    fetcher: CurlFetcher, server: ScriptedServer
) -> None:
    for number in range(100):
        fetcher.submit(FetchRequest("small", base(server), tag=number))
    assert fetcher.pending == 100
    tags = set()
    while fetcher.pending:
        tags |= {done.request.tag for done in fetcher.poll(10)}
    assert tags == set(range(100))
    assert fetcher.bytes_transferred == 100 * len(b"small content")


def test_lower_priority_number_is_first(tmp_path: Path, server: ScriptedServer) -> None:
    with make_fetcher(tmp_path, FetchSettings(max_in_flight=1)) as fetcher:
        for priority in (0, -100, 0, -100):
            path = "small" if priority else "empty"
            fetcher.submit(FetchRequest(path, base(server), priority=priority))
        while fetcher.pending:
            fetcher.poll(10)
    assert [path.strip("/") for path in server.requests] == ["small", "small", "empty", "empty"]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_absent_file_is_not_found_and_not_retried(
    tmp_path: Path, server: ScriptedServer, status: int
) -> None:
    server.faults["small"] = lambda _: Reply(b"no", status)
    with make_fetcher(tmp_path, FetchSettings(retries=3)) as fetcher:
        done = get(fetcher, server, "small")
    assert isinstance(done.error, FetchNotFoundError)
    assert str(done.error) == f"While fetching {server.url}/small: Server returned HTTP {status}"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "retry_all", "attempts"),
    [(500, True, 3), (500, False, 3), (408, False, 3), (503, True, 3), (503, False, 1)],
)
def test_bad_status_is_retried(
    tmp_path: Path, server: ScriptedServer, status: int, retry_all: bool, attempts: int
) -> None:
    server.faults["small"] = lambda _: Reply(b"", status)
    with make_fetcher(tmp_path, FetchSettings(retries=2, retry_all=retry_all)) as fetcher:
        done = get(fetcher, server, "small")
    assert isinstance(done.error, FetchError)
    assert not done.missing
    assert len(server.requests) == attempts


def test_retry_succeeds_after_failures(tmp_path: Path, server: ScriptedServer) -> None:
    server.faults["small"] = lambda reply: reply if len(server.requests) > 2 else Reply(b"xx", 500)
    with make_fetcher(tmp_path, FetchSettings(retries=2)) as fetcher:
        assert fetch_bytes(fetcher, FetchRequest("small", base(server))) == b"small content"


def test_cut_body_is_an_error(fetcher: CurlFetcher, server: ScriptedServer) -> None:
    server.faults["small"] = lambda reply: reply._replace(promised=1000)
    done = get(fetcher, server, "small")
    assert str(done.error) == (
        f"While fetching {server.url}/small: [18] Transferred a partial file"
    )


@pytest.mark.parametrize("path", ["small", "big"])
def test_body_beyond_limit_is_refused(tmp_path: Path, server: ScriptedServer, path: str) -> None:
    with make_fetcher(tmp_path, FetchSettings(retries=3)) as fetcher:
        done = get(fetcher, server, path, max_bytes=12)
    assert str(done.error) == f"URI {server.url}/{path} exceeded maximum size of 12 bytes"
    assert len(server.requests) == 1


def test_endless_body_is_cut_at_the_limit(fetcher: CurlFetcher, server: ScriptedServer) -> None:
    server.faults["small"] = lambda reply: reply._replace(is_endless=True, promised=None)
    done = get(fetcher, server, "small", max_bytes=5000)
    assert isinstance(done.error, FetchError)
    assert fetcher.bytes_transferred < 1 << 20


def test_limit_of_one_request_does_not_stay(fetcher: CurlFetcher, server: ScriptedServer) -> None:
    assert get(fetcher, server, "small", max_bytes=5).error is not None
    assert get(fetcher, server, "small", max_bytes=13).error is None
    assert get(fetcher, server, "big").error is None


def test_redirect_to_local_file_is_refused(
    fetcher: CurlFetcher, server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    target = f"file://{tmp_path}/secret"
    server.faults["small"] = lambda _: Reply(b"", 302, location=target)
    assert isinstance(get(fetcher, server, "small").error, FetchError)


def test_next_mirror_is_asked(fetcher: CurlFetcher, server: ScriptedServer) -> None:
    mirrors = (*(base(server)[0].join(name) for name in ("m1", "m2")), *base(server))
    assert fetch_bytes(fetcher, FetchRequest("small", mirrors)) == b"small content"
    assert [path.strip("/") for path in server.requests] == ["m1/small", "m2/small", "small"]


def test_mirror_that_does_not_answer_is_left(tmp_path: Path, server: ScriptedServer) -> None:
    dead = parse_base_url("http://127.0.0.1:1")
    with make_fetcher(tmp_path, FetchSettings(retries=1)) as fetcher:
        wanted = FetchRequest("small", (dead, *base(server)))
        assert fetch_bytes(fetcher, wanted) == b"small content"
        server.faults["small"] = lambda reply: reply._replace(promised=1000)
        done = fetch_one(fetcher, FetchRequest("small", (*base(server), dead), immutable=True))
        assert "[7] Couldn't connect to server" in str(done.error) or "[18] " in str(done.error)


def test_last_mirror_that_answers_badly_leads_to_the_first(
    tmp_path: Path, server: ScriptedServer
) -> None:
    server.faults["/m1/small"] = lambda _: Reply(b"", 404)
    server.faults["/m2/small"] = lambda _: Reply(b"", 500)
    mirrors = tuple(base(server)[0].join(name) for name in ("m1", "m2"))
    with make_fetcher(tmp_path, FetchSettings(retries=2)) as fetcher:
        done = fetch_one(fetcher, FetchRequest("small", mirrors))
    assert "m2/small: Server returned HTTP 500" in str(done.error)
    assert [path.strip("/") for path in server.requests] == ["m1/small", "m2/small"] * 3


def test_negative_retries_are_none(tmp_path: Path, server: ScriptedServer) -> None:
    server.faults["small"] = lambda _: Reply(b"", 500)
    with make_fetcher(tmp_path, FetchSettings(retries=-1)) as fetcher:
        assert get(fetcher, server, "small").error is not None
    assert len(server.requests) == 1


def test_refused_connection_hides_the_password(fetcher: CurlFetcher) -> None:
    url = parse_base_url("http://user:secret@127.0.0.1:1/r")
    done = fetch_one(fetcher, FetchRequest("a", (url,)))
    assert str(done.error) == (
        "While fetching http://user@127.0.0.1:1/r/a: [7] Couldn't connect to server"
    )


def test_file_url(fetcher: CurlFetcher, tmp_path: Path, server: ScriptedServer) -> None:
    url = (parse_base_url(f"file://{server.root}"),)
    assert fetch_bytes(fetcher, FetchRequest("small", url)) == b"small content"
    assert fetch_bytes(fetcher, FetchRequest("none", url, optional=True)) is None
    with pytest.raises(FetchNotFoundError):
        fetch_bytes(fetcher, FetchRequest("none", url))


def test_pipe_by_its_url_is_not_waited_for(fetcher: CurlFetcher, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "summary 1")
    url = (parse_base_url(f"file://{tmp_path}"),)
    for name in ("summary 1", "summary%201"):
        with pytest.raises(FetchError, match=f"{name}: it is neither a file nor a directory$"):
            fetcher.submit(FetchRequest(name, url, optional=True))
    assert fetcher.pending == 0


def test_slow_server_times_out(tmp_path: Path, server: ScriptedServer) -> None:
    server.faults["small"] = lambda reply: reply._replace(drip_s=30)
    settings = FetchSettings(retries=0, low_speed_bytes=1000, low_speed_s=1)
    with make_fetcher(tmp_path, settings) as fetcher:
        done = get(fetcher, server, "small")
    assert str(done.error) == f"While fetching {server.url}/small: [28] Timeout was reached"


def test_poll_returns_when_time_is_over(fetcher: CurlFetcher, server: ScriptedServer) -> None:
    server.faults["small"] = lambda reply: reply._replace(drip_s=30)
    fetcher.submit(FetchRequest("small", base(server)))
    assert fetcher.poll(0.2) == []
    assert fetcher.pending == 1
    fetcher.cancel_all()
    assert fetcher.pending == 0
    assert get(fetcher, server, "empty").error is None


def test_interrupt_in_a_callback_is_not_lost(
    fetcher: CurlFetcher, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object, __: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pyostree.remote.transfer.Transfer.write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get(fetcher, server, "small")


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"x" * 5000) + b"more", b"\x1f\x8b\x08\0" + b"x" * 99],
    ids=["more", "bad"],
)
def test_bad_compression_is_an_error_not_an_interrupt(
    tmp_path: Path, server: ScriptedServer, body: bytes
) -> None:
    server.faults["small"] = lambda _: Reply(body, headers=(("Content-Encoding", "gzip"),))
    with make_fetcher(tmp_path, FetchSettings(compressed=True, retries=1)) as fetcher:
        done = get(fetcher, server, "small")
        assert str(done.error).startswith(f"While fetching {server.url}/small: [")
        assert get(fetcher, server, "empty").error is None


def test_validators_with_line_break_are_not_sent(
    fetcher: CurlFetcher, server: ScriptedServer
) -> None:
    evil = Validators('"x"\r\nEvil: yes')
    done = fetch_one(fetcher, FetchRequest("small", base(server), validators=evil))
    assert done.error is None
