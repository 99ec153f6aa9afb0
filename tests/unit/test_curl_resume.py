"""Bodies that break off are continued: the same bytes in the end, or an error, never a mixture."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.errors import FormatError, FreeSpaceError
from pyostree.fs.dir import Dir
from pyostree.fs.partial_file import open_partial
from pyostree.remote.curl import CurlFetcher, open_fetcher
from pyostree.remote.fetch import (
    MEMORY_BYTES,
    Completed,
    FetchRequest,
    FetchSettings,
    fetch_one,
)
from pyostree.remote.transfer import Tally, Transfer
from pyostree.remote.urls import parse_base_url

SMALL = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(2000))
LARGE = SMALL * 80  # 5 MB
NAME = "partial-large"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    root = tmp_path / "www"
    root.mkdir()
    (root / "small").write_bytes(SMALL)
    (root / "large").write_bytes(LARGE)
    with scripted_server(root) as running:
        running.serves_ranges = True
        yield running


@pytest.fixture
def temp(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def fetcher(temp: Path, retries: int = 2) -> CurlFetcher:
    return open_fetcher(FetchSettings(retries=retries), Dir.at(temp))


def request(server: ScriptedServer, path: str, **options: object) -> FetchRequest:
    base = FetchRequest(path, (parse_base_url(server.url),), immutable=True)
    return base._replace(**options)  # type: ignore[arg-type]


def content(done: Completed) -> bytes:
    assert done.error is None
    assert done.body is not None
    with done.body as body:
        return body.read()


def half(reply: Reply) -> Reply:
    return reply._replace(body=reply.body[: len(reply.body) // 2], promised=len(reply.body))


def first_is_half(server: ScriptedServer, then: Reply | None = None) -> None:
    def fault(reply: Reply) -> Reply:
        if len(server.requests) == 1:
            return half(reply)
        return reply if then is None else then

    server.faults[""] = fault


def ranges(server: ScriptedServer) -> list[str | None]:
    return [headers.get("range") for headers in server.seen]


@pytest.mark.parametrize(("path", "expected"), [("small", SMALL), ("large", LARGE)])
def test_broken_off_body_is_continued(
    temp: Path, server: ScriptedServer, path: str, expected: bytes
) -> None:
    first_is_half(server)
    with fetcher(temp) as running:
        done = fetch_one(running, request(server, path))
        assert content(done) == expected
        assert done.body is not None
        assert done.body.was_continued
        assert running.bytes_transferred == len(expected)
    assert ranges(server) == [None, f"bytes={len(expected) // 2}-"]


def test_reset_body_is_continued(temp: Path, server: ScriptedServer) -> None:
    def fault(reply: Reply) -> Reply:
        return half(reply)._replace(is_reset=True) if len(server.requests) == 1 else reply

    server.faults[""] = fault
    with fetcher(temp) as running:
        assert content(fetch_one(running, request(server, "large"))) == LARGE


def test_many_breaks_of_a_large_body_are_no_failure(temp: Path, server: ScriptedServer) -> None:
    def fault(reply: Reply) -> Reply:
        return reply._replace(body=reply.body[: MEMORY_BYTES + 1], promised=len(reply.body))

    server.faults[""] = fault
    with fetcher(temp, retries=1) as running:
        assert content(fetch_one(running, request(server, "large"))) == LARGE
    assert len(server.requests) == 5


@pytest.mark.parametrize("options", [{}, {"immutable": False}], ids=["immutable", "changeable"])
def test_pieces_that_are_not_kept_are_failures(
    temp: Path, server: ScriptedServer, options: dict[str, object]
) -> None:
    def fault(reply: Reply) -> Reply:
        # Without an end, if nobody minded.
        return half(reply) if len(server.requests) < 20 else reply

    server.serves_ranges = False
    server.faults[""] = fault
    with fetcher(temp, retries=2) as running:
        done = fetch_one(running, request(server, "large", **options))
    assert "[18] Transferred a partial file" in str(done.error)
    # Where it could have been kept, the first one was a gain.
    assert len(server.requests) == (3 if options else 4)


def test_dripping_pieces_are_failures(temp: Path, server: ScriptedServer) -> None:
    server.faults[""] = lambda reply: reply._replace(body=reply.body[:9], promised=len(reply.body))
    with fetcher(temp, retries=2) as running:
        done = fetch_one(running, request(server, "large"))
    assert "[18] Transferred a partial file" in str(done.error)
    assert ranges(server) == [None, "bytes=9-", "bytes=18-"]


def test_server_without_ranges_starts_over(temp: Path, server: ScriptedServer) -> None:
    server.serves_ranges = False
    first_is_half(server)
    with fetcher(temp) as running:
        done = fetch_one(running, request(server, "large"))
        assert content(done) == LARGE
        assert done.body is not None
        assert not done.body.was_continued
    assert ranges(server) == [None, f"bytes={len(LARGE) // 2}-"]


@pytest.mark.parametrize(
    "then",
    [
        Reply(b"x" * 100, 206, headers=(("Content-Range", "bytes 0-99/64000"),)),
        Reply(b"x" * 100, 206, headers=(("Content-Range", "bytes 32000-32099/99999"),)),
        Reply(b"x" * 100, 206, headers=(("Content-Range", "bytes rubbish"),)),
        Reply(b"x" * 100, 206, headers=(("Content-Range", "bytes \xb2-\xb2/\xb2"),)),
        Reply(b"x" * 100, 206),
        Reply(b"", 204),
        Reply(b"x" * 100, 416),
    ],
    ids=["from-0", "other-length", "rubbish", "superscripts", "no-range", "204", "416"],
)
def test_other_part_is_not_appended(temp: Path, server: ScriptedServer, then: Reply) -> None:
    def fault(reply: Reply) -> Reply:
        match len(server.requests):
            case 1:
                return half(reply)
            case 2:
                return then
        return reply

    server.faults[""] = fault
    with fetcher(temp, retries=1) as running:
        assert content(fetch_one(running, request(server, "small"))) == SMALL
    assert ranges(server) == [None, f"bytes={len(SMALL) // 2}-", None]


def test_rest_that_ends_early_is_continued_again(temp: Path, server: ScriptedServer) -> None:
    def fault(reply: Reply) -> Reply:
        match len(server.requests):
            case 1:
                return half(reply)
            case 2:  # its length fits, but it says itself that there is more
                return reply._replace(body=reply.body[:100])
        return reply

    server.faults[""] = fault
    with fetcher(temp) as running:
        assert content(fetch_one(running, request(server, "small"))) == SMALL
    assert ranges(server)[2] == f"bytes={len(SMALL) // 2 + 100}-"


def test_error_page_is_no_part(temp: Path, server: ScriptedServer) -> None:
    def fault(reply: Reply) -> Reply:
        match len(server.requests):
            case 1:
                return half(reply)
            case 2:
                return Reply(b"<html>not now</html>", 500)
        return reply

    server.faults[""] = fault
    with fetcher(temp) as running:
        assert content(fetch_one(running, request(server, "small"))) == SMALL
    assert ranges(server)[1:] == [f"bytes={len(SMALL) // 2}-"] * 2


def test_endless_error_page_is_left(temp: Path, server: ScriptedServer) -> None:
    first_is_half(server, then=Reply(b"no" * 5000, 500, is_endless=True))
    with fetcher(temp) as running:
        done = fetch_one(running, request(server, "small"))
        assert "Server returned HTTP 500" in str(done.error)
        assert running.bytes_transferred < 8 << 20


def test_changeable_file_is_continued_by_its_etag_only(temp: Path, server: ScriptedServer) -> None:
    first_is_half(server)
    with fetcher(temp) as running:
        changeable = request(server, "small", immutable=False, keep_validators=True)
        assert content(fetch_one(running, changeable)) == SMALL
        assert ranges(server) == [None, None]
        server.etag = '"one"'
        server.requests.clear()
        server.seen.clear()
        assert content(fetch_one(running, changeable)) == SMALL
    assert [headers.get("if-range") for headers in server.seen] == [None, '"one"']


@pytest.mark.parametrize("etag", ['W/"weak"', '"changes"'])
def test_changed_file_is_not_mixed(temp: Path, server: ScriptedServer, etag: str) -> None:
    server.etag = etag

    def fault(reply: Reply) -> Reply:
        if len(server.requests) == 1:
            server.etag = '"new"'
            return half(reply._replace(body=b"old" * 1000))
        return reply

    server.faults[""] = fault
    with fetcher(temp) as running:
        changeable = request(server, "small", immutable=False, keep_validators=True)
        assert content(fetch_one(running, changeable)) == SMALL


def test_options_of_a_continued_request_do_not_stay(temp: Path, server: ScriptedServer) -> None:
    first_is_half(server)
    with fetcher(temp) as running:
        fetch_one(running, request(server, "small"))
        assert content(fetch_one(running, request(server, "large"))) == LARGE
    assert ranges(server)[2] is None


class TestNextProcess:
    def interrupt(self, temp: Path, server: ScriptedServer) -> None:
        server.faults[""] = half
        with fetcher(temp, retries=0) as running:
            assert fetch_one(running, request(server, "large", keep_as=NAME)).error is not None
        assert (temp / NAME).stat().st_size == len(LARGE) // 2
        server.faults.clear()
        server.seen.clear()

    def test_continues_what_is_left(self, temp: Path, server: ScriptedServer) -> None:
        self.interrupt(temp, server)
        with fetcher(temp) as running:
            done = fetch_one(running, request(server, "large", keep_as=NAME))
            assert [path.name for path in temp.iterdir()] == [NAME]  # until it is stored
            assert content(done) == LARGE
            assert done.body is not None
            assert done.body.was_continued
            assert list(temp.iterdir()) == []
        assert ranges(server) == [f"bytes={len(LARGE) // 2}-"]

    def test_starts_over_where_the_rest_is_not_served(
        self, temp: Path, server: ScriptedServer
    ) -> None:
        self.interrupt(temp, server)
        server.serves_ranges = False
        with fetcher(temp) as running:
            assert content(fetch_one(running, request(server, "large", keep_as=NAME))) == LARGE

    def test_nothing_more_to_come_is_whole(self, temp: Path, server: ScriptedServer) -> None:
        (temp / NAME).write_bytes(LARGE)
        place = (("Content-Range", f"bytes */{len(LARGE)}"),)
        server.faults[""] = lambda _: Reply(b"beyond", 416, headers=place)
        with fetcher(temp) as running:
            done = fetch_one(running, request(server, "large", keep_as=NAME))
            assert content(done) == LARGE
            assert running.bytes_transferred == len("beyond")
        assert list(temp.iterdir()) == []

    def test_more_than_everything_starts_over(self, temp: Path, server: ScriptedServer) -> None:
        (temp / NAME).write_bytes(LARGE + b"x")
        with fetcher(temp) as running:
            assert content(fetch_one(running, request(server, "large", keep_as=NAME))) == LARGE
        assert ranges(server) == [f"bytes={len(LARGE) + 1}-", None]

    def test_file_in_use_is_left_alone(self, temp: Path, server: ScriptedServer) -> None:
        self.interrupt(temp, server)
        with Dir.at(temp) as directory:
            other = open_partial(directory, NAME)
            assert other is not None
            with other, fetcher(temp) as running:
                assert content(fetch_one(running, request(server, "large", keep_as=NAME))) == LARGE
        assert (temp / NAME).stat().st_size == len(LARGE) // 2
        assert ranges(server) == [None]

    @pytest.mark.parametrize("kind", ["symlink", "dir", "hardlink", "fifo"])
    def test_what_is_no_file_of_ours_is_left_alone(
        self, temp: Path, server: ScriptedServer, kind: str
    ) -> None:
        victim = temp.parent / "victim"
        victim.write_bytes(b"precious")
        match kind:
            case "symlink":
                (temp / NAME).symlink_to(victim)
            case "dir":
                (temp / NAME).mkdir()
            case "hardlink":
                (temp / NAME).hardlink_to(victim)
            case _:
                os.mkfifo(temp / NAME)
        with fetcher(temp) as running:
            assert content(fetch_one(running, request(server, "large", keep_as=NAME))) == LARGE
        assert victim.read_bytes() == b"precious"

    def test_file_that_begins_wrongly_is_dropped(self, temp: Path, server: ScriptedServer) -> None:
        self.interrupt(temp, server)

        def refuse(start: bytes) -> int:
            if start[:4] != LARGE[:4]:
                raise FormatError("no such file")
            return len(LARGE)

        (temp / NAME).write_bytes(b"\0" * 100)
        with fetcher(temp) as running:
            wanted = request(server, "large", keep_as=NAME, limit_from=refuse)
            assert content(fetch_one(running, wanted)) == LARGE
        assert ranges(server) == [None]

    def test_cancelled_transfer_leaves_its_part(self, temp: Path, server: ScriptedServer) -> None:
        part = LARGE[: 2 << 20]
        server.faults[""] = lambda _: Reply(part, promised=len(LARGE), drip_s=0)._replace(
            trickle_s=0
        )
        with fetcher(temp, retries=0) as running:
            running.submit(request(server, "large", keep_as=NAME))
            while running.bytes_transferred < len(part):
                running.poll(0.05)
            running.cancel_all()
        server.faults.clear()
        with fetcher(temp) as running:
            assert content(fetch_one(running, request(server, "large", keep_as=NAME))) == LARGE


def test_limit_follows_from_how_a_large_body_begins(temp: Path, server: ScriptedServer) -> None:
    server.faults[""] = lambda reply: reply._replace(is_endless=True)
    with fetcher(temp) as running:
        done = fetch_one(running, request(server, "large", limit_from=lambda _: 6_000_000))
        assert str(done.error) == f"URI {server.url}/large exceeded maximum size of 6000000 bytes"
        assert running.bytes_transferred < 16 << 20
    assert len(server.requests) == 1
    assert list(temp.iterdir()) == []


def test_large_page_that_begins_wrongly_is_refused(temp: Path, server: ScriptedServer) -> None:
    def refuse(_: bytes) -> int:
        raise FormatError("no such file")

    with fetcher(temp) as running:
        done = fetch_one(running, request(server, "large", limit_from=refuse, keep_as=NAME))
        assert str(done.error) == f"While fetching {server.url}/large: no such file"
        server.faults[""] = lambda _: Reply(b"e" * (2 << 20), 404)
        done = fetch_one(running, request(server, "large", limit_from=refuse, keep_as=NAME))
        assert "Server returned HTTP 404" in str(done.error)
    assert list(temp.iterdir()) == []


HEADER_WORDS = st.sampled_from(
    [b"HTTP/1.1 ", b"206", b"200", b"Content-Range:", b" bytes ", b"5-", b"9/10", b"*", b"\r\n",
     b"ETag: ", b"Last-Modified: ", b"Sun, 06 Nov 1994 08:49:37 GMT", b"\xb2"]
)  # fmt: skip


@given(st.lists(st.lists(HEADER_WORDS | st.binary(max_size=9)).map(b"".join), max_size=9))
def test_any_headers_never_append_what_is_not_the_rest(lines: list[bytes]) -> None:
    with Dir.at("/dev/shm") as temp:
        transfer = Transfer(pycurl.Curl(), temp, Tally())
        transfer.begin(FetchRequest("x", (parse_base_url("http://h/"),), immutable=True), 1)
        transfer.start()
        transfer.write(b"begin")
        transfer.keep_body(10)
        transfer.start()
        for line in lines:
            transfer.note_header(line)
        transfer.write(b"other")
        if not transfer.is_useless and transfer.status:
            body = transfer.take_body().read()
            assert body == (b"other" if transfer.status == 200 else b"beginother")
        transfer.handle.close()


def test_space_is_looked_at_while_a_large_body_comes(temp: Path, server: ScriptedServer) -> None:
    asked: list[int] = []

    def check(size: int) -> None:
        asked.append(size)
        if len(asked) == 3:
            raise FreeSpaceError("full")

    server.faults[""] = lambda _: Reply(SMALL, is_endless=True)
    with fetcher(temp) as running, pytest.raises(FreeSpaceError, match="full"):
        fetch_one(running, request(server, "large", check_space=check, max_bytes=10 << 20))
    assert running.bytes_transferred < 10 << 20
    assert asked[0] == asked[1] == 4 << 20
    assert asked[2] < 2 << 20  # no more than is allowed
