"""Servers of strangers made to harm: nothing unverified, nothing endless, nobody else bothered."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from gpg_lab import GpgHome, gpg_home
from peer_lab import COLLECTION, Vendor, make_client, make_vendor, pull_found, pulled_refs, ref
from pyostree.errors import FetchError
from pyostree.pull.finders.base import FinderResult
from pyostree.pull.finders.find import FindOptions, find_remotes
from pyostree.pull.finders.override import OverrideFinder
from pyostree.repo.repo import Repo
from repo_lab import must, ours


@pytest.fixture(scope="module")
def home() -> Iterator[GpgHome]:
    with gpg_home() as made:
        yield made


@pytest.fixture
def vendor(tmp_path: Path, home: GpgHome) -> Vendor:
    vendor = make_vendor(tmp_path, home)
    vendor.commit("a")
    vendor.publish()
    return vendor


@pytest.fixture
def client(tmp_path: Path, home: GpgHome) -> Path:
    return make_client(tmp_path, home)


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
    commit = must(ours("rev-parse", f"--repo={vendor.repo}", "a"))
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
    tmp_path: Path, home: GpgHome, client: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = make_vendor(tmp_path / "other", home, "org.example.Other")
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
