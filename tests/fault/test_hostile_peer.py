"""Servers of strangers made to harm: nothing unverified, nothing endless, nobody else bothered."""

from __future__ import annotations

import gzip
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import pyostree
from fault.scripted_server import Reply, ScriptedServer, scripted_server
from gpg_lab import GpgHome
from peer_lab import COLLECTION, NEW, Vendor, make_client, make_vendor, pull_found, pulled_refs, ref
from pyostree.errors import CancelledError, FetchError
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.summary import COLLECTION_ID, Summary, SummaryRef
from pyostree.progress import Cancel
from pyostree.pull.finders.base import FinderResult, Search
from pyostree.pull.finders.find import FindOptions, find_remotes
from pyostree.pull.finders.override import OverrideFinder
from pyostree.pull.finders.pull import _terms
from pyostree.pull.options import PullOptions
from pyostree.remote.dynamic import DynamicRemote, dynamic_remote
from pyostree.repo.repo import Repo
from repo_lab import must, ours


@pytest.fixture
def vendor(tmp_path: Path, keys: GpgHome) -> Vendor:
    vendor = make_vendor(tmp_path, keys)
    vendor.commit("a")
    vendor.publish()
    return vendor


@pytest.fixture
def client(tmp_path: Path, keys: GpgHome) -> Path:
    return make_client(tmp_path, keys)


@pytest.fixture
def server(vendor: Vendor) -> Iterator[ScriptedServer]:
    with scripted_server(vendor.repo) as script:
        yield script


def find_at(client: Path, server: ScriptedServer, timeout_s: float = 5) -> list[FinderResult]:
    began_s = time.monotonic()
    with Repo.open(client) as repo:
        finder = OverrideFinder([server.url])
        found = find_remotes(repo, [ref("a")], [finder], FindOptions(timeout_s=timeout_s))
    assert time.monotonic() - began_s < timeout_s + 5
    return found


def test_good_peer_is_pulled_and_gets_nothing_of_the_remotes_secrets(
    vendor: Vendor, client: Path, server: ScriptedServer
) -> None:
    cookie = ("127.0.0.1", "/", "secret", "value")
    must(ours("remote", "add-cookie", f"--repo={client}", "vendor", *cookie))
    pull_found(client, find_at(client, server))
    commit = vendor.commit_of("a")
    assert pulled_refs(client) == {"a": commit}
    assert len(server.requests) == len(set(server.requests))
    assert not any("cookie" in headers for headers in server.seen)


def _elsewhere(reply: Reply) -> Reply:
    return reply._replace(status=302, location="/other", body=b"")


def _file(reply: Reply) -> Reply:
    return reply._replace(status=302, location="file:///etc/passwd", body=b"")


def _endless(reply: Reply) -> Reply:
    return reply._replace(is_endless=True, promised=1 << 40)


def _dripping(reply: Reply) -> Reply:
    return reply._replace(trickle_s=0.5)


def _bomb(reply: Reply) -> Reply:
    packed = gzip.compress(bytes(64 << 20))
    return reply._replace(body=packed, headers=(("Content-Encoding", "gzip"),))


def _garbage(reply: Reply) -> Reply:
    return reply._replace(body=b"\0" * 1000)


def _error(reply: Reply) -> Reply:
    return reply._replace(status=404)


@pytest.mark.parametrize("fault", [_elsewhere, _file, _endless, _dripping, _bomb, _garbage, _error])
def test_peer_with_a_strange_summary_is_not_found(
    vendor: Vendor, client: Path, server: ScriptedServer, fault: Callable[[Reply], Reply]
) -> None:
    (vendor.repo / "other").write_bytes((vendor.repo / "summary").read_bytes())
    server.faults["summary"] = fault
    assert not find_at(client, server, timeout_s=1)
    assert "/other" not in server.requests


@pytest.mark.parametrize("fault", [_elsewhere, _garbage])
@pytest.mark.parametrize("kind", [".filez", ".dirtree", ".commit", ".commitmeta"])
def test_peer_with_a_strange_object_gives_nothing(
    client: Path, server: ScriptedServer, kind: str, fault: Callable[[Reply], Reply]
) -> None:
    found = find_at(client, server)
    assert found
    server.faults[kind] = fault
    with pytest.raises(FetchError, match="Failed to pull some refs"):
        pull_found(client, found)
    assert pulled_refs(client) == {}
    assert "/other" not in server.requests


def test_peer_of_another_collection_gives_nothing(
    tmp_path: Path, keys: GpgHome, client: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = make_vendor(tmp_path / "other", keys, "org.example.Other")
    other.commit("a")
    config = other.repo / "config"
    config.write_text(config.read_text().replace("org.example.Other", COLLECTION))
    other.publish()
    with scripted_server(other.repo) as server:
        found = find_at(client, server)
        assert found
        with pytest.raises(FetchError) as caught:
            pull_found(client, found)
    assert "collection ID ‘org.example.Other’" in (caught.value.hint or "")
    assert pulled_refs(client) == {}


@pytest.fixture
def large(vendor: Vendor) -> Checksum:
    """A commit that has a large file."""
    commit = vendor.commit("a", NEW, text=random.Random(1).randbytes(200_000).hex())
    vendor.publish()
    return parse_checksum(commit)


def _is_slow(reply: Reply) -> Reply:
    return reply._replace(trickle_s=0.005)  # 2000 bytes a second


def _found_at(server: ScriptedServer, commit: Checksum) -> FinderResult:
    return FinderResult(
        dynamic_remote(server.url, "vendor", COLLECTION), "Told", 50, {ref("a"): commit}
    )


def test_peer_that_drips_content_is_left_for_the_next_one(
    vendor: Vendor,
    client: Path,
    server: ScriptedServer,
    large: Checksum,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyostree.pull.finders.pull._PEER_LOW_SPEED_S", 1)
    server.faults[".filez"] = _is_slow
    began_s = time.monotonic()
    with scripted_server(vendor.repo) as other:
        pull_found(client, [_found_at(server, large), _found_at(other, large)])
    assert time.monotonic() - began_s < 20
    assert pulled_refs(client) == {"a": str(large)}


def test_pull_from_a_peer_hurries_only_where_there_is_another(server: ScriptedServer) -> None:
    result = _found_at(server, Checksum(b"\1" * 32))
    stick = result._replace(remote=dynamic_remote("file:///stick", "vendor", COLLECTION))
    hurried = _terms(result, PullOptions(), is_last=False)
    assert (hurried.low_speed_bytes, hurried.low_speed_time_s) == (16_000, 15)
    limited = PullOptions(max_bytes_per_s=10_000)
    for options in (
        _terms(result, PullOptions(), is_last=True),
        _terms(stick, PullOptions(), is_last=False),
        _terms(result._replace(remote="vendor"), PullOptions(), is_last=False),
        _terms(result, limited, is_last=False),
    ):
        assert (options.low_speed_bytes, options.low_speed_time_s) == (1000, 30)
        assert options.gpg_verify


# -- proofs of what they claim -----------------------------------------------------------


class Told:
    """A finder that knows the answers already."""

    name = "Told"

    def __init__(self, *answers: FinderResult) -> None:
        self._answers = answers

    def find(self, search: Search) -> Sequence[FinderResult]:
        return self._answers


def claim(remote: str | DynamicRemote, commit: Checksum) -> FinderResult:
    """Return a result whose summary says of one ref where it is, but not since when."""
    entry = SummaryRef("a", 100, commit, ())
    summary = Summary((entry,), ((COLLECTION_ID, Variant("s", COLLECTION)),))
    return FinderResult(remote, "Told", 50, {ref("a"): commit}, summary=summary)


def at(url: str, place: object) -> DynamicRemote:
    return dynamic_remote(f"{url}/{place}", "vendor", COLLECTION)


@pytest.fixture
def dripping(server: ScriptedServer) -> str:
    """The URL of peers that answer with a byte now and then."""
    for ending in ("commit", "commitmeta"):
        server.faults[f".{ending}"] = lambda reply: Reply(b"x" * 10**6, trickle_s=0.05)
    return server.url


def _vendors_commit(vendor: Vendor) -> Checksum:
    return parse_checksum(vendor.commit_of("a"))


def test_dripping_peer_costs_a_configured_remote_no_more_than_the_time(
    vendor: Vendor, client: Path, dripping: str
) -> None:
    must(ours("config", f"--repo={client}", "set", 'remote "vendor".url', f"file://{vendor.repo}"))
    commit = _vendors_commit(vendor)
    told = Told(claim(at(dripping, 1), Checksum(b"\1" * 32)), claim("vendor", commit))
    began_s = time.monotonic()
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [told], FindOptions(timeout_s=2))
    assert time.monotonic() - began_s < 6
    assert [one.found_refs for one in found] == [{ref("a"): commit}]
    assert [one.remote for one in found] == ["vendor"]


@pytest.mark.parametrize("own_commit", [False, True])
def test_many_dripping_peers_do_not_keep_the_honest_one_from_its_turn(
    vendor: Vendor, client: Path, dripping: str, own_commit: bool
) -> None:
    commit = _vendors_commit(vendor)
    evil = [
        claim(at(dripping, place), Checksum(bytes([place]) * 32) if own_commit else commit)
        for place in range(60)
    ]
    other = claim(at(dripping, "other"), Checksum(b"\xff" * 32))
    honest = claim(dynamic_remote(f"file://{vendor.repo}", "vendor", COLLECTION), commit)
    began_s = time.monotonic()
    with Repo.open(client) as repo:
        told = Told(*evil, other, honest)
        found = find_remotes(repo, [ref("a")], [told], FindOptions(timeout_s=3))
    assert time.monotonic() - began_s < 9  # not 3 s for each of them
    assert honest.remote in [one.remote for one in found]
    assert {one.found_refs[ref("a")] for one in found} == {commit}


def test_search_is_cancelled_while_a_configured_remote_drips(
    client: Path, server: ScriptedServer
) -> None:
    server.faults["/summary"] = lambda reply: Reply(b"x" * 10**6, trickle_s=0.05)
    must(ours("config", f"--repo={client}", "set", 'remote "vendor".url', server.url))
    cancel = Cancel()
    threading.Timer(0.3, cancel.cancel).start()
    began_s = time.monotonic()
    with pyostree.Repo.open(client) as repo, pytest.raises(CancelledError):
        repo.find_remotes([(COLLECTION, "a")], ["config"], cancel=cancel)
    assert time.monotonic() - began_s < 5
