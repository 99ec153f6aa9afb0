"""Updates from the local network: hosts that serve and announce, one that looks and pulls."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gpg_lab import KEYS, GpgHome
from lan_lab import Lan, local_network
from repo_lab import OURS, WHEN, make_repo, must, ours, refs_of, run_process

COLLECTION = "org.example.Os"
REF = "os/stable"
PORT = 8000
_START_S = 30


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, keys: GpgHome) -> Path:
    """Repositories: ``new`` and ``old``; ``evil`` has a later commit that a stranger signed."""
    base = tmp_path_factory.mktemp("site")
    for name, days, key in (("old", 1, 0), ("new", 2, 0), ("evil", 3, 1)):
        repo = make_repo(base / name, collection_id=COLLECTION)
        (base / "tree").mkdir(exist_ok=True)
        (base / "tree/version").write_text(f"{name}\n")
        when = f"--timestamp=@{1_700_000_000 + days * 86400}"
        words = ["-b", REF, "-s", name, when, f"--tree=dir={base / 'tree'}"]
        must(ours("commit", f"--repo={repo}", *words, *keys.options(KEYS[key])))
        must(ours("summary", f"--repo={repo}", "-u", *keys.options(KEYS[key])))
    return base


@pytest.fixture
def client(tmp_path: Path, keys: GpgHome) -> Path:
    """A repository that trusts the first key for the collection; its server is away."""
    repo = make_repo(tmp_path / "client", "bare-user")
    words = [f"--collection-id={COLLECTION}", f"--gpg-import={keys.armored(0)}"]
    must(ours("remote", "add", f"--repo={repo}", *words, "os", "http://127.0.0.1:1/away"))
    return repo


@contextmanager
def serving(lan: Lan, site: Path, *hosts: str, places: Sequence[str] = ()) -> Iterator[None]:
    """Serve on each host the repository of its name, or `places`."""
    with ExitStack() as stack:
        ports = [site / f"{host}-port" for host in hosts]
        for host, port in zip(hosts, ports, strict=True):
            port.unlink(missing_ok=True)
            words = ["serve", "--advertise", "--host=::", f"--port={PORT}", f"--port-file={port}"]
            served = places or [site / host]
            stack.enter_context(lan.running(host, OURS, *words, "--quiet", *served))
        deadline_s = time.monotonic() + _START_S
        while not all(port.exists() and port.stat().st_size for port in ports):
            assert time.monotonic() < deadline_s, "the servers do not start"
            time.sleep(0.05)
        yield


def _commit(site: Path, name: str) -> str:
    return must(ours("rev-parse", f"--repo={site / name}", REF))


def test_find_remotes_pulls_the_newest_commit_that_is_signed_by_a_trusted_key(
    site: Path, client: Path
) -> None:
    words = ["--finders=lan", f"--repo={client}", COLLECTION, REF]
    newest = _commit(site, "new")
    with local_network("new", "old", "evil", "me") as lan:
        with serving(lan, site, "new", "old", "evil"):
            found = lan.run("me", OURS, "find-remotes", "--pull", *words)
        gone = lan.run("me", OURS, "find-remotes", *words)

    assert found.returncode == 0, found.stderr
    assert "Pulled 1/1 refs successfully.\n" in found.stdout
    assert (
        f"Result 0: http://10.77.0.1:{PORT}/0\n - Finder: OstreeRepoFinderAvahi\n" in found.stdout
    )
    assert refs_of(client) == {f"remotes/os/{REF}": f"{newest}\n"}
    assert must(ours("cat", f"--repo={client}", f"os:{REF}", "/version")) == "new"
    must(ours("fsck", f"--repo={client}", "-q"))
    assert (gone.returncode, gone.stdout) == (0, "No results.\n")


def test_find_remotes_takes_nothing_from_a_peer_with_another_key(site: Path, client: Path) -> None:
    with local_network("evil", "me") as lan, serving(lan, site, "evil"):
        words = ["find-remotes", "--pull", "--finders=lan", f"--repo={client}", COLLECTION, REF]
        done = lan.run("me", OURS, *words)

    assert done.returncode == 1, done.stdout
    assert f"Failed to pull some refs from the remotes: ({COLLECTION}, {REF})" in done.stderr
    assert refs_of(client) == {}


def test_find_remotes_reaches_a_peer_by_its_link_local_address(site: Path, client: Path) -> None:
    with local_network("new", "me", ipv4=False) as lan, serving(lan, site, "new"):
        words = ["find-remotes", "--pull", "--finders=lan", f"--repo={client}", COLLECTION, REF]
        done = lan.run("me", OURS, *words)

    assert done.returncode == 0, done.stderr
    assert "Result 0: http://[fe80::" in done.stdout
    assert refs_of(client) == {f"remotes/os/{REF}": f"{_commit(site, 'new')}\n"}


def test_advertised_refs_follow_the_summary(
    site: Path, client: Path, keys: GpgHome, tmp_path: Path
) -> None:
    repo = make_repo(tmp_path / "new", collection_id=COLLECTION)
    search = ["find-remotes", "--finders=lan", f"--repo={client}", COLLECTION, REF]
    with local_network("new", "me") as lan, serving(lan, tmp_path, "new"):
        before = lan.run("me", OURS, *search)
        must(ours("commit", f"--repo={repo}", "-b", REF, "-s", "x", WHEN, f"--tree=dir={site}/tree",
                  *keys.options(KEYS[0])))  # fmt: skip
        must(ours("summary", f"--repo={repo}", "-u"))
        deadline_s = time.monotonic() + 20
        while "1/1 refs" not in (after := lan.run("me", OURS, *search)).stdout:
            assert time.monotonic() < deadline_s, after.stderr

    assert before.stdout == "No results.\n"
    assert _commit(tmp_path, "new") in after.stdout


def test_several_repositories_of_a_server_are_found_by_their_numbers(
    site: Path, client: Path, tmp_path: Path
) -> None:
    apps = make_repo(tmp_path / "apps", collection_id="org.example.Apps")
    must(ours("commit", f"--repo={apps}", "-b", "app", "-s", "x", WHEN, f"--tree=dir={site}/tree"))
    must(ours("summary", f"--repo={apps}", "-u"))
    words = ["--no-gpg-verify", "--collection-id=org.example.Apps", "apps", "http://127.0.0.1:1/"]
    must(ours("remote", "add", f"--repo={client}", *words))
    search = ["find-remotes", "--finders=lan", f"--repo={client}", COLLECTION, REF]
    places = [f"os={site}/new", f"1={apps}"]
    with local_network("new", "me") as lan, serving(lan, tmp_path, "new", places=places):
        done = lan.run("me", OURS, *search, "org.example.Apps", "app")

    assert "2/2 refs were found.\n" in done.stdout, done.stderr
    assert f": http://10.77.0.1:{PORT}/0\n" in done.stdout
    assert f": http://10.77.0.1:{PORT}/1\n" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host=127.0.0.1"], "A server that only this machine can reach is not announced"),
        (
            ["--host=::", "--tls-cert=x", "--tls-key=x"],
            "Cannot announce a server with TLS: peers speak plain HTTP",
        ),
    ],
    ids=["loopback", "tls"],
)
def test_serve_that_cannot_be_announced_says_so_and_ends(
    site: Path, options: list[str], message: str
) -> None:
    done = run_process(OURS, "serve", "--advertise", "--port=0", *options, site / "new")

    assert (done.status, done.out) == (1, "")
    assert done.err == f"error: {message}\n"


def test_a_device_passes_on_what_it_got(
    site: Path, client: Path, keys: GpgHome, tmp_path: Path
) -> None:
    relay = make_repo(tmp_path / "relay")
    words = [f"--collection-id={COLLECTION}", f"--gpg-import={keys.armored(0)}"]
    must(ours("remote", "add", f"--repo={relay}", *words, "os", "http://127.0.0.1:1/away"))
    search = ["find-remotes", "--finders=lan", "--pull", COLLECTION, REF]
    with local_network("new", "relay", "me") as lan:
        with serving(lan, site, "new"):
            first = lan.run("relay", OURS, *search, "--mirror", f"--repo={relay}")
            must(ours("summary", f"--repo={relay}", "-u"))
        with serving(lan, tmp_path, "relay"):
            second = lan.run("me", OURS, *search, f"--repo={client}")

    assert "Pulled 1/1 refs" in first.stdout, first.stderr
    assert f"Result 0: http://10.77.0.2:{PORT}/0\n" in second.stdout, second.stderr
    assert refs_of(client) == {f"remotes/os/{REF}": f"{_commit(site, 'new')}\n"}
