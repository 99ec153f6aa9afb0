"""Peers on the network that drip, never end, lie or flood: the honest one is found, in time."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from fault.scripted_server import ScriptedServer, scripted_server
from lan_lab import local_network
from pyostree.errors import CancelledError, NotFoundError
from pyostree.formats.bloom import BloomFilter
from pyostree.formats.gvariant import Variant
from pyostree.formats.lan_record import LanRecord, encode_lan_record
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary import COLLECTION_ID, Metadata, Summary, SummaryRef, encode_summary
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.dns_sd import Announcement, open_zeroconf
from pyostree.pull.finders.lan import LanFinder
from pyostree.remote.remotes import Remotes
from pyostree.repo.repo import Repo
from pyostree.watch import UNWATCHED, Watch

COLLECTION = "org.example.Os"
STABLE = CollectionRef(COLLECTION, "os/stable")
COMMIT = Checksum(b"\1" * 32)
EVERYTHING = BloomFilter(1, b"\xff" * 250)
HONEST = 0


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    Repo.create(tmp_path / "repo").close()
    with (tmp_path / "repo/config").open("a") as config:
        config.write(f'[remote "os"]\nurl=http://no.example\ncollection-id={COLLECTION}\n')
    with Repo.open(tmp_path / "repo") as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    """Number 0 is honest, and has the ref."""
    (tmp_path / "www/0").mkdir(parents=True)
    entry = SummaryRef(STABLE.ref, 100, COMMIT, ())
    summary = Summary((entry,), ((COLLECTION_ID, Variant("s", COLLECTION)),))
    (tmp_path / "www/0/summary").write_bytes(encode_summary(summary))
    with scripted_server(tmp_path / "www") as running:
        yield running


def _announcement(host: str, port: int, number: int) -> Announcement:
    return Announcement("x", (host,), port, encode_lan_record(LanRecord(EVERYTHING, 0, number)))


def _find(
    repo: Repo,
    announcements: Sequence[Announcement],
    *,
    timeout_s: float = 10,
    watch: Watch = UNWATCHED,
) -> list[str]:
    """Return the URLs of the peers that were found."""

    def browse(timeout_s: float, watch: Watch) -> Sequence[Announcement]:
        return announcements

    search = Search(repo, Remotes.load(repo), (STABLE,), timeout_s=timeout_s, watch=watch)
    return [_url(result) for result in LanFinder(browse).find(search)]


def _url(result: FinderResult) -> str:
    assert not isinstance(result.remote, str)
    return result.remote.url


def _port(server: ScriptedServer) -> int:
    return int(server.url.rpartition(":")[2])


def test_find_among_silent_peers_gives_the_honest_one_when_time_is_over(
    repo: Repo, server: ScriptedServer
) -> None:
    with socket.create_server(("0.0.0.0", 0), backlog=64) as silent:
        port = silent.getsockname()[1]
        peers = [_announcement(f"127.0.0.{n % 20 + 2}", port, n) for n in range(60)]
        honest = _announcement("127.0.0.1", _port(server), HONEST)
        started_s = time.monotonic()

        urls = _find(repo, [*peers, honest], timeout_s=1)

    assert urls == [f"{server.url}/0"]
    assert 1 <= time.monotonic() - started_s < 8


def test_find_with_endless_summaries_keeps_memory_bounded(
    repo: Repo, server: ScriptedServer
) -> None:
    for number in (1, 2, 3):
        server.faults[f"/{number}/summary"] = lambda reply: reply._replace(
            status=200, body=b"\0" * 65536, is_endless=True
        )
    peers = [_announcement("127.0.0.1", _port(server), number) for number in (3, 2, 1, HONEST)]
    tracemalloc.start()
    try:
        urls = _find(repo, peers)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert urls == [f"{server.url}/0"]
    assert peak_bytes < 12 << 20


def test_find_reads_of_large_valid_summaries_only_what_it_wants(
    repo: Repo, server: ScriptedServer
) -> None:
    """A few hosts could otherwise keep us busy until the time is over."""
    large = _large_summary(4 << 20)
    for number in range(1, 4):
        (server.root / str(number)).mkdir()
        (server.root / str(number) / "summary").write_bytes(large)
    peers = [_announcement("127.0.0.1", _port(server), number) for number in (3, 2, 1, HONEST)]
    began_s = time.process_time()
    urls = _find(repo, peers)
    assert time.process_time() - began_s < 1.2
    assert sorted(urls) == [f"{server.url}/{number}" for number in range(4)]


def test_find_ignores_a_summary_above_the_limit(repo: Repo, server: ScriptedServer) -> None:
    (server.root / "1").mkdir()
    more = (("x", Variant("s", "x" * (5 << 20))),)
    (server.root / "1/summary").write_bytes(_large_summary(1000, more))
    peers = [_announcement("127.0.0.1", _port(server), number) for number in (1, HONEST)]
    assert _find(repo, peers) == [f"{server.url}/0"]


def _large_summary(size: int, more: Metadata = ()) -> bytes:
    """Return a valid summary of a little less than that size which has the ref."""
    rows = (SummaryRef(f"{n:06}", 100, COMMIT, ()) for n in range(size // 62))
    metadata = ((COLLECTION_ID, Variant("s", COLLECTION)), *more)
    return encode_summary(Summary((*rows, SummaryRef(STABLE.ref, 100, COMMIT, ())), metadata))


def test_find_tries_the_next_address_when_one_does_not_answer(
    repo: Repo, server: ScriptedServer
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.2", _port(server)))  # bound but not listening: refused
        peer = _announcement("127.0.0.2", _port(server), HONEST)

        urls = _find(repo, [peer._replace(hosts=("127.0.0.2", "127.0.0.1"))])

    assert urls == [f"{server.url}/0"]


def test_find_of_a_flood_of_announcements_asks_few(repo: Repo, server: ScriptedServer) -> None:
    flood = [
        _announcement(f"127.0.{n // 250}.{n % 250 + 2}", _port(server), n) for n in range(1, 1000)
    ]
    started_s = time.monotonic()

    urls = _find(repo, [_announcement("127.0.0.1", _port(server), HONEST), *flood])

    assert urls == [f"{server.url}/0"]
    assert len(server.requests) <= 256
    assert time.monotonic() - started_s < 10


def test_find_that_is_cancelled_stops_while_peers_drip(repo: Repo, server: ScriptedServer) -> None:
    server.faults["/summary"] = lambda reply: reply._replace(drip_s=30)
    cancelled = threading.Event()

    class Cancel(Watch):
        def check(self) -> None:
            if cancelled.is_set():
                raise CancelledError("stopped")

    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(CancelledError):
        _find(repo, [_announcement("127.0.0.1", _port(server), HONEST)], watch=Cancel())


def test_find_does_not_follow_a_peer_elsewhere(
    repo: Repo, server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "private").mkdir()
    with scripted_server(tmp_path / "private") as private:
        server.faults["/1/summary"] = lambda reply: reply._replace(
            status=302, location=f"{private.url}/secret"
        )

        urls = _find(repo, [_announcement("127.0.0.1", _port(server), 1)])

        assert (urls, private.requests) == ([], [])


_ANNOUNCE = """
import sys, time
from pathlib import Path
from zeroconf import ServiceInfo
from pyostree.pull.finders.dns_sd import FULL_TYPE, local_links, open_zeroconf

links = local_links()
with open_zeroconf(links) as network:
    addresses = [link.address for link in links]
    service = ServiceInfo(
        FULL_TYPE, f"good.{FULL_TYPE}", port=80, properties=b"\x01v", server="good.local.",
        parsed_addresses=addresses,
    )
    network.register_service(service, strict=False)
    Path(sys.argv[1]).touch()
    time.sleep(60)
"""

_CANCEL = """
import time
from pyostree.errors import CancelledError
from pyostree.pull.finders.dns_sd import browse
from pyostree.watch import Watch

class Cancel(Watch):
    def check(self):
        if time.monotonic() > started_s + 0.2:
            raise CancelledError("stopped")

started_s = time.monotonic()
try:
    browse(timeout_s=8, watch=Cancel())
except CancelledError:
    print("cancelled" if time.monotonic() - started_s < 1.2 else "late")
"""

_BROWSE = """
import json, time
from pathlib import Path
from pyostree.pull.finders.dns_sd import browse

started_s = time.monotonic()
hosts = sorted(announcement.hosts[0] for announcement in browse(timeout_s=8))
print(json.dumps({
    "hosts": hosts,
    "seconds": time.monotonic() - started_s,
    # Not ru_maxrss, which would be that of the test if that is larger.
    "kib": int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]),
}))
"""


def test_browse_of_a_flooded_network_finds_the_honest_service(tmp_path: Path) -> None:
    announce = tmp_path / "announce.py"
    announce.write_text(_ANNOUNCE)
    browse = tmp_path / "browse.py"
    browse.write_text(_BROWSE)
    flood = Path(__file__).with_name("mdns_flood.py")
    ready = tmp_path / "ready"
    with local_network("good", "evil", "me") as lan, ExitStack() as stack:
        stack.enter_context(lan.running("good", sys.executable, announce, ready))
        stack.enter_context(lan.running("evil", sys.executable, flood, lan.address("evil")))
        while not ready.exists():
            time.sleep(0.05)
        done = lan.run("me", sys.executable, browse)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    counts = Counter(found["hosts"])
    assert counts.pop("10.77.0.1") == 1
    assert set(counts) <= {"10.77.0.250", "10.77.0.251"}  # the others are on no network of ours
    assert all(count <= 16 for count in counts.values())
    assert found["seconds"] < 9
    assert found["kib"] < 150_000  # how much is heard depends on who is quicker


def test_browse_that_is_cancelled_stops_at_once(tmp_path: Path) -> None:
    (tmp_path / "cancel.py").write_text(_CANCEL)
    with local_network("me") as lan:
        done = lan.run("me", sys.executable, tmp_path / "cancel.py")

    assert (done.stdout, done.stderr) == ("cancelled\n", "")


def test_browse_without_a_network_is_an_error() -> None:
    with pytest.raises(NotFoundError, match="no network interface is up"):
        open_zeroconf([])
