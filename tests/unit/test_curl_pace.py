"""How much is asked of a server at once: as much as it takes well, and less when it is busy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.errors import ConfigError
from pyostree.formats.keyfile import KeyFile
from pyostree.fs.dir import Dir
from pyostree.remote.curl import CurlFetcher, open_fetcher
from pyostree.remote.endpoints import DEFAULT_OPTIONS, FetchOptions, fetch_settings
from pyostree.remote.fetch import Completed, FetchRequest, FetchSettings, fetch_one
from pyostree.remote.pace import MAX_CONNECTIONS, MAX_STREAMS, Pace
from pyostree.remote.remotes import Remotes
from pyostree.remote.retry import Ending, delay_s
from pyostree.remote.throttle import Throttle
from pyostree.remote.urls import parse_base_url
from pyostree.repo.modes import RepoMode
from pyostree.repo.repo import Repo


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    root = tmp_path / "www"
    root.mkdir()
    (root / "small").write_bytes(b"x" * 20_000)
    with scripted_server(root) as running:
        yield running


def fetcher(tmp_path: Path, settings: FetchSettings) -> CurlFetcher:
    return open_fetcher(settings, Dir.at(tmp_path))


def request(server: ScriptedServer, path: str = "small") -> FetchRequest:
    return FetchRequest(path, (parse_base_url(server.url),))


def get_many(running: CurlFetcher, server: ScriptedServer, count: int) -> list[Completed]:
    for _ in range(count):
        running.submit(request(server))
    done: list[Completed] = []
    while running.pending:
        done += running.poll(5)
    return done


def slow(reply: Reply) -> Reply:
    time.sleep(0.02)
    return reply


class TestPace:
    def run(self, pace: Pace, rounds: int, rate_per_place: float, cap: float) -> None:
        """Simulate a server that answers so many requests a second for each in flight."""
        now_s, total = 0.0, 0
        for _ in range(rounds):
            count = pace.limit
            now_s += count / min(rate_per_place * count, cap)
            total += count * 1000
            pace.note_wait(count / min(rate_per_place * count, cap))
            pace.note_done(count, total, now_s)

    def test_grows_while_that_brings_more(self) -> None:
        pace = Pace(None, 0.0)
        assert pace.limit == 8
        self.run(pace, 30, 25, 1e9)
        assert pace.limit == MAX_CONNECTIONS

    def test_stays_where_more_brings_nothing(self) -> None:
        pace = Pace(None, 0.0)
        self.run(pace, 12, 25, 200)
        assert pace.limit < MAX_CONNECTIONS / 2

    def test_stays_while_the_caller_is_slow(self) -> None:
        pace = Pace(None, 0.0)
        for turn in range(1, 100):
            pace.note_done(16, turn * 1000, float(turn))
        assert pace.limit == 8

    def test_busy_server_gets_half(self) -> None:
        pace = Pace(None, 0.0)
        self.run(pace, 30, 25, 1e9)
        for now_s in (1, 1.1, 1.2, 2, 3):
            pace.note_trouble(now_s)
        assert pace.limit == MAX_CONNECTIONS // 8
        self.run(pace, 200, 25, 1e9)
        assert pace.limit == MAX_CONNECTIONS
        for now_s in range(10, 30):
            pace.note_trouble(now_s)
        assert pace.limit == 1

    @pytest.mark.parametrize(
        ("most", "at_first", "then"), [(3, 3, 3), (12, 8, 12), (1, 1, 1), (999, 8, 128)]
    )
    def test_limit_that_was_asked_for(self, most: int, at_first: int, then: int) -> None:
        pace = Pace(most, 0.0)
        assert pace.limit == at_first
        pace.note_protocol(is_multiplexed=True)
        assert pace.limit <= then
        self.run(pace, 40, 25, 1e9)
        assert pace.limit == then

    def test_large_bodies_are_fewer(self) -> None:
        pace = Pace(None, 0.0)
        pace.note_protocol(is_multiplexed=True)
        pace.note_done(MAX_STREAMS, MAX_STREAMS << 20, 1.0)
        assert 8 <= pace.limit < 20
        pace.note_done(MAX_STREAMS, (MAX_STREAMS << 20) + MAX_STREAMS, 2.0)
        assert pace.limit == MAX_STREAMS

    def test_streams_are_more_than_connections(self) -> None:
        pace = Pace(None, 0.0)
        assert pace.note_protocol(is_multiplexed=True)
        assert not pace.note_protocol(is_multiplexed=True)
        assert pace.limit == MAX_CONNECTIONS
        pace.note_done(MAX_CONNECTIONS, 1000, 1.0)
        assert pace.limit == MAX_STREAMS
        assert pace.max_connections < 8
        assert pace.note_protocol(is_multiplexed=False)
        assert pace.limit == pace.max_connections == MAX_CONNECTIONS


def test_slow_answers_get_more_connections(tmp_path: Path, server: ScriptedServer) -> None:
    server.faults[""] = slow
    with fetcher(tmp_path, FetchSettings()) as running:
        assert len(get_many(running, server, 300)) == 300
    assert 8 < server.most_at_once <= MAX_CONNECTIONS
    assert server.connections <= MAX_CONNECTIONS  # and each is used again


@pytest.mark.parametrize("most", [1, 3])
def test_max_in_flight_is_kept(tmp_path: Path, server: ScriptedServer, most: int) -> None:
    server.faults[""] = slow
    with fetcher(tmp_path, FetchSettings(max_in_flight=most)) as running:
        assert len(get_many(running, server, 20)) == 20
    assert server.most_at_once == server.connections == most


def test_rate_is_kept_over_all_transfers(tmp_path: Path, server: ScriptedServer) -> None:
    settings = FetchSettings(max_bytes_per_s=400_000)
    with fetcher(tmp_path, settings) as running:
        started_s = time.monotonic()
        used_s = time.thread_time()
        done = get_many(running, server, 20)
        elapsed_s = time.monotonic() - started_s
        assert all(one.error is None for one in done)
        assert 0.7 <= elapsed_s < 10  # however busy the machine is
        assert time.thread_time() - used_s < 0.5  # waiting is no work


def test_rate_of_one_large_body(tmp_path: Path, server: ScriptedServer) -> None:
    (server.root / "large").write_bytes(b"x" * 600_000)
    settings = FetchSettings(max_bytes_per_s=600_000, low_speed_bytes=1 << 20, low_speed_s=1)
    with fetcher(tmp_path, settings) as running:
        started_s = time.monotonic()
        assert fetch_one(running, request(server, "large")).error is None
        assert 0.6 <= time.monotonic() - started_s < 10


def test_throttle_gives_little_credit() -> None:
    now_s = [0.0]
    throttle = Throttle(1000, lambda: now_s[0])
    throttle.spend(500)
    assert throttle.wait_s() == 0.5
    now_s[0] = 100
    assert throttle.wait_s() == 0
    throttle.spend(1000)
    assert throttle.wait_s() == 0.75


class TestBusyServer:
    def busy(self, server: ScriptedServer, reply: Reply, count: int) -> None:
        lock = threading.Lock()
        left = [count]

        def fault(good: Reply) -> Reply:
            with lock:
                left[0] -= 1
                return good if left[0] < 0 else reply

        server.faults[""] = fault

    @pytest.mark.parametrize("status", [429, 503])
    def test_asked_pause_is_kept(self, tmp_path: Path, server: ScriptedServer, status: int) -> None:
        self.busy(server, Reply(b"", status, headers=(("Retry-After", "1"),)), 1)
        with fetcher(tmp_path, FetchSettings()) as running:
            started_s = time.monotonic()
            assert all(one.error is None for one in get_many(running, server, 30))
            assert time.monotonic() - started_s >= 1
        assert len(server.requests) == 31

    def test_without_a_pause_steps_are_short(self, tmp_path: Path, server: ScriptedServer) -> None:
        self.busy(server, Reply(b"", 503), 4)
        with fetcher(tmp_path, FetchSettings()) as running:
            started_s = time.monotonic()
            assert all(one.error is None for one in get_many(running, server, 30))
            assert time.monotonic() - started_s < 8

    def test_no_answer_in_the_end_is_an_error(self, tmp_path: Path, server: ScriptedServer) -> None:
        self.busy(server, Reply(b"", 503), 99)
        with fetcher(tmp_path, FetchSettings(retries=2)) as running:
            done = fetch_one(running, request(server))
        assert str(done.error) == f"While fetching {server.url}/small: Server returned HTTP 503"
        assert len(server.requests) == 3

    @pytest.mark.parametrize("asked", ["99999999", "-5", "rubbish", "9" * 40])
    def test_absurd_pauses_are_bounded(self, asked: str) -> None:
        number = int(asked) if asked.isdecimal() else 0
        assert delay_s(1, Ending(0, 503, "", min(number, 1 << 62))) <= 10

    def test_steps_grow_and_end(self) -> None:
        refused = Ending(7, 0, "")
        steps = [delay_s(made, refused) for made in (1, 2, 3, 10, 10**9)]
        assert 0 < steps[0] < 0.2
        assert all(0 < step <= 2 for step in steps)
        assert delay_s(1, Ending(56, 0, "")) == 0

    def test_cancelled_while_waiting(self, tmp_path: Path, server: ScriptedServer) -> None:
        self.busy(server, Reply(b"", 503, headers=(("Retry-After", "9"),)), 99)
        with fetcher(tmp_path, FetchSettings()) as running:
            running.submit(request(server))
            assert running.poll(0.3) == []
            assert running.pending == 1
            running.cancel_all()
            assert running.pending == 0


class TestRemoteKeys:
    def settings(
        self,
        tmp_path: Path,
        options: FetchOptions = DEFAULT_OPTIONS,
        **keys: str,
    ) -> FetchSettings:
        with Repo.create(tmp_path / "repo", RepoMode.BARE_USER) as repo:
            config = KeyFile.parse(repo.config.keyfile.format())
            config.set_raw('remote "r"', "url", "http://127.0.0.1/")
            for key, value in keys.items():
                config.set_raw('remote "r"', key.replace("_", "-"), value)
            repo.write_config(config)
        with Repo.open(tmp_path / "repo") as repo:
            return fetch_settings(repo, Remotes.load(repo), "r", options)

    def test_limits_of_the_remote(self, tmp_path: Path) -> None:
        found = self.settings(tmp_path, max_outstanding_fetcher_requests="4", limit_rate="100000")
        assert (found.max_in_flight, found.max_bytes_per_s) == (4, 100_000)

    def test_the_lower_limit_counts(self, tmp_path: Path) -> None:
        options = FetchOptions(max_in_flight=6, max_bytes_per_s=5000)
        found = self.settings(
            tmp_path, options, max_outstanding_fetcher_requests="4", limit_rate="100000"
        )
        assert (found.max_in_flight, found.max_bytes_per_s) == (4, 5000)

    def test_none_by_default(self, tmp_path: Path) -> None:
        found = self.settings(tmp_path)
        assert (found.max_in_flight, found.max_bytes_per_s, found.http3) == (None, None, False)

    @pytest.mark.parametrize("text", ["0", "-1", "many", "", "\u00b2", "9" * 30])
    def test_bad_limits_are_refused(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(ConfigError, match="limit-rate must be a positive number"):
            self.settings(tmp_path, limit_rate=text)
