"""Finding peers on the local network: which addresses count, which announcements, which refs."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fault.scripted_server import ScriptedServer, scripted_server
from pyostree.errors import UnsupportedError
from pyostree.formats.bloom import BloomFilter, fit_filter
from pyostree.formats.gvariant import Variant
from pyostree.formats.lan_record import LanRecord, encode_lan_record
from pyostree.formats.objects import Checksum
from pyostree.formats.refspec import CollectionRef
from pyostree.formats.summary import (
    COLLECTION_ID,
    COLLECTION_MAP,
    COMMIT_TIMESTAMP,
    LAST_MODIFIED,
    STATIC_DELTAS,
    Summary,
    SummaryRef,
    big_endian_variant,
    collection_map,
    encode_summary,
)
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.dns_sd import Announcement, Link, usable_hosts
from pyostree.pull.finders.lan import LanFinder, select_peers
from pyostree.pull.finders.names import make_finders
from pyostree.remote.remotes import Remotes
from pyostree.repo.repo import Repo
from pyostree.watch import Watch

OURS, OTHERS = "org.example.Ours", "org.example.Others"
STABLE, TESTING = CollectionRef(OURS, "os/stable"), CollectionRef(OURS, "os/testing")
APP = CollectionRef(OTHERS, "app/stable")
ONE, TWO = Checksum(b"\1" * 32), Checksum(b"\2" * 32)
LINKS = [
    Link("10.77.0.2", ipaddress.ip_network("10.77.0.0/24"), 2),
    Link("192.168.9.1", ipaddress.ip_network("192.168.9.0/31"), 5),
    Link("fd00::2", ipaddress.ip_network("fd00::/64"), 2),
    Link("fe80::2", ipaddress.ip_network("fe80::/64"), 2),
]
TWO_LINKS = [*LINKS, Link("fe80::5", ipaddress.ip_network("fe80::/64"), 5)]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("10.77.0.1", "10.77.0.1"),
        ("10.77.0.0", None),
        ("10.77.0.255", None),
        ("10.77.1.1", None),
        ("192.168.9.0", "192.168.9.0"),
        ("8.8.8.8", None),
        ("127.0.0.1", None),
        ("169.254.169.254", None),
        ("0.0.0.0", None),
        ("224.0.0.251", None),
        ("255.255.255.255", None),
        ("::1", None),
        ("::", None),
        ("::ffff:10.77.0.1", None),
        ("::ffff:127.0.0.1", None),
        ("fd00::1", "[fd00::1]"),
        ("fd00:1::1", None),
        ("2001:db8::1", None),
        ("ff02::fb", None),
        ("fe80::1", "[fe80::1%2]"),
        ("fe80::1%2", "[fe80::1%2]"),
        ("fe80::1%9", None),
        ("fe80::1%2/../x", None),
        ("host.example", None),
        ("", None),
    ],
)
def test_usable_hosts_are_those_on_our_own_networks(address: str, host: str | None) -> None:
    assert usable_hosts([address], LINKS) == (() if host is None else (host,))


def test_usable_hosts_of_two_links_need_the_number_of_the_interface() -> None:
    assert usable_hosts(["fe80::1", "fe80::3%5"], TWO_LINKS) == ("[fe80::3%5]",)


def test_usable_hosts_are_few_and_ipv4_comes_first() -> None:
    addresses = ["fe80::1", "fd00::1", *(f"10.77.0.{number}" for number in range(1, 4))]

    assert usable_hosts(addresses, LINKS) == (*addresses[2:], "[fd00::1]")


def test_usable_hosts_reads_no_more_than_some() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "8.8.8.8"

    assert usable_hosts(endless(), LINKS) == ()


def _announcement(
    refs: Sequence[CollectionRef] = (STABLE,),
    *,
    host: str = "10.77.0.1",
    port: int = 8000,
    modified: int = 1_700_000_000,
    number: int = 0,
) -> Announcement:
    bloom = fit_filter(refs, max_bytes=250)
    text = encode_lan_record(LanRecord(bloom, modified, number))
    return Announcement("x", (host,) if host else (), port, text)


def test_select_peers_takes_those_whose_filter_has_a_wanted_ref() -> None:
    announcements = [
        _announcement([STABLE]),
        _announcement([APP, TESTING], host="[fe80::1%2]", port=8080, number=7),
        _announcement([CollectionRef(OURS, "other")], host="10.77.0.3"),
    ]

    peers = select_peers(announcements, [STABLE, TESTING])

    assert [(peer.urls, peer.refs) for peer in peers] == [
        (("http://10.77.0.1:8000/0",), (STABLE,)),
        (("http://[fe80::1%2]:8080/7",), (TESTING,)),
    ]


def test_select_peers_leaves_out_what_cannot_be_used() -> None:
    announcements = [
        _announcement(host=""),
        _announcement()._replace(text=b""),
        _announcement()._replace(text=b"\xff" * 8000),
        _announcement(modified=(1 << 64) - 1),
        _announcement(modified=5),  # the same again
    ]

    assert [peer.last_modified for peer in select_peers(announcements, [STABLE])] == [0]


def test_select_peers_of_one_host_with_thousands_leaves_room_for_others() -> None:
    everything = encode_lan_record(LanRecord(BloomFilter(255, b"\xff" * 250), 0, 0))
    flood = [Announcement("x", ("10.77.0.9",), port, everything) for port in range(1, 5000)]

    peers = select_peers([*flood, _announcement()], [STABLE, TESTING])

    assert len(peers) == 17
    assert peers[1].urls[0] == "http://10.77.0.1:8000/0"


def test_select_peers_of_an_address_that_others_claim_has_the_peer_at_its_own_port() -> None:
    strangers = [_announcement(port=8001, number=number) for number in range(100)]

    peers = select_peers([*strangers, _announcement()], [STABLE])

    assert [peer.urls[0] for peer in peers] == [
        *(f"http://10.77.0.1:8001/{number}" for number in range(4)),
        "http://10.77.0.1:8000/0",
    ]


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    """A repository with remotes for two collections."""
    Repo.create(tmp_path / "repo").close()
    with (tmp_path / "repo/config").open("a") as config:
        for name, collection_id in (("ours", OURS), ("others", OTHERS)):
            config.write(f'[remote "{name}"]\nurl=http://no.example\n')
            config.write(f"collection-id={collection_id}\n")
    with Repo.open(tmp_path / "repo") as opened:
        yield opened


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    (tmp_path / "www").mkdir()
    with scripted_server(tmp_path / "www") as running:
        yield running


def _entry(name: str, checksum: bytes = ONE, timestamp: int = 0) -> SummaryRef:
    metadata = ((COMMIT_TIMESTAMP, big_endian_variant(timestamp)),) if timestamp else ()
    return SummaryRef(name, 100, checksum, metadata)


def _publish(server: ScriptedServer, number: int, *entries: SummaryRef) -> None:
    """Write the summary of one repository: `entries` of our collection, and an app of another."""
    others = [(OTHERS, (_entry(APP.ref, TWO),))]
    metadata = (
        (COLLECTION_ID, Variant("s", OURS)),
        (COLLECTION_MAP, collection_map(others)),
        (LAST_MODIFIED, big_endian_variant(1_700_000_001)),
        (STATIC_DELTAS, Variant("a{sv}", ())),
    )
    (server.root / str(number)).mkdir(exist_ok=True)
    data = encode_summary(Summary(entries, metadata))
    (server.root / str(number) / "summary").write_bytes(data)


def _find(
    repo: Repo, server: ScriptedServer, refs: Sequence[CollectionRef], *numbers: int
) -> Sequence[FinderResult]:
    port = int(server.url.rpartition(":")[2])

    def browse(timeout_s: float, watch: Watch) -> list[Announcement]:
        return [
            _announcement([STABLE, TESTING, APP], host="127.0.0.1", port=port, number=number)
            for number in numbers
        ]

    return LanFinder(browse).find(Search(repo, Remotes.load(repo), tuple(refs), timeout_s=5))


def test_find_gives_the_commits_of_a_peer_by_collection(repo: Repo, server: ScriptedServer) -> None:
    _publish(server, 3, _entry("os/old", TWO), _entry(STABLE.ref, ONE, 1_600_000_000))

    results = _find(repo, server, [STABLE, TESTING, APP], 3)

    found = {result.keyring: dict(result.refs) for result in results}
    assert found == {"ours.trustedkeys.gpg": {STABLE: ONE}, "others.trustedkeys.gpg": {APP: TWO}}
    [ours] = [result for result in results if result.keyring.startswith("ours")]
    assert not isinstance(ours.remote, str)
    assert ours.remote.url == f"{server.url}/3"
    assert (ours.finder, ours.priority) == ("OstreeRepoFinderAvahi", 60)
    assert (ours.last_modified, ours.timestamps) == (1_700_000_000, {STABLE: 1_600_000_000})


def test_find_keeps_only_the_wanted_part_of_a_summary(repo: Repo, server: ScriptedServer) -> None:
    _publish(server, 0, *(_entry(f"os/{number:04}") for number in range(500)), _entry(STABLE.ref))

    summary = _find(repo, server, [STABLE, APP], 0)[0].summary

    assert summary is not None
    assert [ref.name for ref in summary.refs] == [STABLE.ref]
    assert [key for key, _ in summary.other_collections()] == [OTHERS]
    assert summary.last_modified == 1_700_000_001
    assert summary.lookup(STATIC_DELTAS) is None


def test_find_without_keys_for_a_collection_asks_nobody(repo: Repo) -> None:
    def browse(timeout_s: float, watch: Watch) -> list[Announcement]:
        raise AssertionError("nobody is to be asked")

    search = Search(repo, Remotes.load(repo), (CollectionRef("org.example.Unknown", "x"),))

    assert LanFinder(browse).find(search) == []


def test_find_ignores_peers_without_summary_and_with_wrong_ones(
    repo: Repo, server: ScriptedServer
) -> None:
    _publish(server, 1, _entry(STABLE.ref, b"short"))
    _publish(server, 2, _entry("../../etc/passwd"), _entry(STABLE.ref))
    _publish(server, 3, _entry(STABLE.ref))
    (server.root / "4").mkdir()
    (server.root / "4/summary").write_bytes(b"\xff" * 1000)

    results = _find(repo, server, [STABLE], 0, 1, 2, 3, 4)

    assert [result.name for result in results] == [
        f"http_3A_2F_2F127.0.0.1_3A{server.url.rpartition(':')[2]}_2F3_ours.trustedkeys.gpg"
    ]


def test_asking_for_the_lan_finder_without_its_package_is_an_error_with_a_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)

    with pytest.raises(UnsupportedError, match="LAN repo finder requested") as raised:
        make_finders(["config", "lan"])

    assert "pyostree[lan]" in (raised.value.hint or "")
