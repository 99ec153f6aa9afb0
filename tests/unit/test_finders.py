"""Finding refs at peers: order, names, choice of the newest commit, pulling from several."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import pyostree
from gpg_lab import GpgHome
from peer_lab import (
    COLLECTION,
    NEW,
    OLD,
    Vendor,
    find_on,
    make_client,
    make_vendor,
    pull_found,
    pulled_refs,
    ref,
    volume_at,
)
from pyostree.errors import (
    CancelledError,
    ConflictError,
    FetchError,
    InvalidNameError,
    NotFoundError,
    OstreeError,
)
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum, parse_checksum
from pyostree.formats.refspec import CollectionRef, is_ref_fragment
from pyostree.formats.summary import (
    COLLECTION_ID,
    COMMIT_TIMESTAMP,
    LAST_MODIFIED,
    Summary,
    SummaryRef,
    big_endian_variant,
    encode_summary,
)
from pyostree.formats.variant_dict import collection_ref_order
from pyostree.progress import Cancel, Progress, watch_with
from pyostree.pull.finders.base import FinderResult, Search, sort_results
from pyostree.pull.finders.config import ConfigFinder
from pyostree.pull.finders.find import FindOptions, find_remotes
from pyostree.pull.finders.mount import MountFinder
from pyostree.pull.finders.names import default_finders, make_finders
from pyostree.pull.finders.offers import Offered, offer_of
from pyostree.pull.finders.override import OverrideFinder
from pyostree.pull.finders.pull import pull_from_remotes
from pyostree.pull.options import PullOptions, RefKeyring
from pyostree.remote.dynamic import add_dynamic, dynamic_remote, override_remote
from pyostree.remote.remotes import Remotes
from pyostree.repo.parallel import run_with_deadline
from pyostree.repo.repo import Repo
from pyostree.watch import Watch
from repo_lab import must, ours, refs_of

ONE, TWO = Checksum(b"\1" * 32), Checksum(b"\2" * 32)


@pytest.fixture
def vendor(tmp_path: Path, keys: GpgHome) -> Vendor:
    return make_vendor(tmp_path, keys)


@pytest.fixture
def client(tmp_path: Path, keys: GpgHome, vendor: Vendor) -> Path:
    return make_client(tmp_path, keys, url=f"file://{vendor.repo}")


class Scripted:
    """A finder that answers what it is told."""

    name = "Scripted"

    def __init__(self, *answers: FinderResult, error: OstreeError | None = None) -> None:
        self._answers = answers
        self._error = error

    def find(self, search: Search) -> Sequence[FinderResult]:
        if self._error is not None:
            raise self._error
        return self._answers


def result(name: str, priority: int = 50, modified: int = 0, refs: int = 1) -> FinderResult:
    found = {ref(f"r{number}"): ONE for number in range(refs)}
    return FinderResult(name, "X", priority, found, last_modified=modified)


def peer(path: Path, *, priority: int = 50, **commits: str) -> FinderResult:
    """Return a stick's repository as a result."""
    remote = dynamic_remote(f"file://{path}", "vendor", COLLECTION)
    found = {ref(name): parse_checksum(commit) for name, commit in commits.items()}
    return FinderResult(remote, "X", priority, found)


def write_summary(repo: Path, modified: int = 0, **entries: tuple[str, int | None]) -> None:
    """Give a repository a summary that says anything."""
    rows = tuple(
        SummaryRef(
            name,
            100,
            parse_checksum(commit),
            () if when is None else ((COMMIT_TIMESTAMP, big_endian_variant(when)),),
        )
        for name, (commit, when) in sorted(entries.items())
    )
    metadata = (
        (COLLECTION_ID, Variant("s", COLLECTION)),
        (LAST_MODIFIED, big_endian_variant(modified)),
    )
    (repo / "summary").write_bytes(encode_summary(Summary(rows, metadata)))


# -- names and order ---------------------------------------------------------------------


def test_dynamic_remote_is_named_as_in_the_reference() -> None:
    remote = dynamic_remote("file:///media/usb/.ostree/repo", "remote1", COLLECTION)
    assert remote.name == ("file_3A_2F_2F_2Fmedia_2Fusb_2F.ostree_2Frepo_remote1.trustedkeys.gpg")
    assert remote.keyring == "remote1.trustedkeys.gpg"
    assert remote.path == "/media/usb/.ostree/repo"


@pytest.mark.parametrize(
    "url", ["file:///a~b/c d/ü/\udc80", "http://[fe80::1%25eth0]:43381/0", "", "~"]
)
def test_dynamic_remote_has_a_valid_name_for_any_url(url: str) -> None:
    assert is_ref_fragment(dynamic_remote(url, "r", COLLECTION).name)
    assert is_ref_fragment(override_remote(url, "r", COLLECTION).name)


def test_add_dynamic_demands_what_its_keyring_does(client: Path) -> None:
    must(ours("config", f"--repo={client}", "set", 'remote "vendor".sign-verify', "ed25519"))
    with Repo.open(client) as repo:
        remotes = Remotes.load(repo)
        remote = dynamic_remote("file:///a%b c", "vendor", COLLECTION)
        add_dynamic(remotes, remote)
        assert remotes.url(remote.name) == "file:///a%25b%20c"
        assert remotes.get_bool(remote.name, "gpg-verify", False)
        assert remotes.get(remote.name, "sign-verify") == "ed25519"
        assert remotes.key_owner(remote.name) == "vendor"
        assert remote.name not in Remotes.load(repo).names()


def test_sort_results_follows_the_reference() -> None:
    expected = [
        result("d", 20),
        result("c", 50, 10),
        result("b", 50, 20, 1),
        result("b2", 50, 20, 2),
        result("a", 100),
        result("b", 100),
    ]
    assert sort_results(expected[::-1]) == expected


def test_collection_ref_order_is_that_of_the_reference() -> None:
    # As /usr/bin/ostree 2022.7 printed them.
    names = ["test-1", "test-2", "test-3", "nope"]
    refs = [CollectionRef("org.example.Coll", name) for name in names]
    ordered = [found.ref for found in collection_ref_order(refs)]
    assert ordered == ["test-1", "test-2", "nope", "test-3"]


# -- finders by name ---------------------------------------------------------------------


def test_make_finders_knows_the_three() -> None:
    names = [finder.name for finder in make_finders(["mount", "lan", "config"])]
    assert names == ["OstreeRepoFinderMount", "OstreeRepoFinderAvahi", "OstreeRepoFinderConfig"]


@pytest.mark.parametrize("names", [["foo"], ["config", "config"], ["config", ""]])
def test_make_finders_refuses_others(names: list[str]) -> None:
    with pytest.raises(ConflictError, match="Unknown or duplicate finder type"):
        make_finders(names)


@pytest.mark.parametrize(
    ("setting", "kinds"),
    [(None, [ConfigFinder, MountFinder]), ("mount", [MountFinder]), ("mount;mount", [MountFinder])],
)
def test_default_finders_come_from_the_configuration(
    client: Path, setting: str | None, kinds: list[type]
) -> None:
    if setting is not None:
        must(ours("config", f"--repo={client}", "set", "core.default-repo-finders", setting))
    with Repo.open(client) as repo:
        assert [type(finder) for finder in default_finders(repo)] == kinds


# -- finding -----------------------------------------------------------------------------


def test_find_remotes_asks_configured_remotes_and_sticks(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    old = vendor.commit("a")
    (tmp_path / "stick").mkdir()
    vendor.copy_to(tmp_path / "stick", "a")
    new = vendor.commit("a", NEW)
    vendor.publish()
    finders = [ConfigFinder(), MountFinder(lambda: [volume_at(tmp_path / "stick")])]
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a"), ref("nope")], finders)
    # What the stick has is older, so only the remote is left.
    assert [one.name for one in found] == ["vendor"]
    assert found[0].refs == {ref("a"): parse_checksum(new), ref("nope"): None}
    assert found[0].timestamps == {ref("a"): NEW}
    assert old != new


def test_find_remotes_leaves_out_what_fails(vendor: Vendor, client: Path) -> None:
    commit = vendor.commit("a")
    vendor.publish()
    broken = Scripted(error=FetchError("no network"))
    nowhere = Scripted(peer(Path("/nonexistent"), a=commit))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [broken, nowhere, ConfigFinder()])
    assert [one.name for one in found] == ["vendor"]


@pytest.mark.parametrize("bad", [ref("a b"), ref("a", "nodots"), CollectionRef(None, "a")])
def test_find_remotes_refuses_bad_names(client: Path, bad: CollectionRef) -> None:
    with Repo.open(client) as repo, pytest.raises(InvalidNameError):
        find_remotes(repo, [bad], [])


def test_find_remotes_cancelled_stops(client: Path) -> None:
    class Stop(Watch):
        def check(self) -> None:
            raise CancelledError("stop")

    with Repo.open(client) as repo, pytest.raises(CancelledError):
        find_remotes(repo, [ref("a")], [], watch=Stop())


def test_find_remotes_with_given_commits_keeps_all_results(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    vendor.commit("a")
    vendor.publish()
    with Repo.open(client) as repo:
        options = FindOptions(commits={ref("a"): ONE})
        found = find_remotes(repo, [ref("a")], [ConfigFinder()], options)
    assert found[0].refs == {ref("a"): ONE}


def test_search_takes_the_first_remote_of_a_collection_for_its_keyring(client: Path) -> None:
    must(ours("remote", "add", f"--repo={client}", "aaa", "x:", f"--collection-id={COLLECTION}"))
    with Repo.open(client) as repo:
        search = Search(repo, Remotes.load(repo), ())
        assert search.keyring_remote(COLLECTION) == "aaa"
        with pytest.raises(NotFoundError, match="No keyring found configured locally"):
            search.keyring_remote("org.example.Other")


def test_search_knows_keyrings_in_the_order_of_its_refs(client: Path) -> None:
    names = [f"org.example.X{number}" for number in range(20)]
    for number, name in enumerate(reversed(names)):
        trust = f"--collection-id={name}"
        must(ours("remote", "add", f"--repo={client}", f"r{number}", "x:", trust))
    wanted = (*(ref("a", name) for name in names), ref("a", "org.example.None"), ref("a"), ref("b"))
    with Repo.open(client) as repo:
        found = Search(repo, Remotes.load(repo), wanted).keyrings()
    assert list(found) == [*names, COLLECTION]
    assert found[COLLECTION] == "vendor"


def test_mount_finder_takes_the_first_repository_that_has_a_ref(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    vendor.commit("a")
    vendor.commit("b")
    for destination in ("two", "one"):
        vendor.copy_to(stick, "a", destination=destination)
    vendor.copy_to(stick, "a", "b")
    links = stick / ".ostree/repos.d"
    assert sorted(os_name.name for os_name in links.iterdir()) == ["00-generated", "01-generated"]
    finder = MountFinder(lambda: [volume_at(stick)])
    with Repo.open(client) as repo:
        search = Search(repo, Remotes.load(repo), (ref("a"), ref("b"), ref("c")))
        found = {
            str(one.remote.path).rpartition("stick/")[2]: sorted(key.ref for key in one.refs)
            for one in finder.find(search)
            if not isinstance(one.remote, str)
        }
    assert found == {"two": ["a"], ".ostree/repo": ["b"]}


def test_mount_finder_does_not_find_the_asking_repository(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    vendor.commit("a")
    stick = tmp_path / "stick"
    stick.mkdir()
    own = vendor.copy_to(stick, "a")
    with (client / "config").open() as config, (own / "config").open("a") as other:
        other.write(config.read())
    with Repo.open(own) as repo:
        search = Search(repo, Remotes.load(repo), (ref("a"),))
        assert not MountFinder(lambda: [volume_at(stick)]).find(search)


def test_override_finder_asks_given_urls(tmp_path: Path, vendor: Vendor, client: Path) -> None:
    commit = vendor.commit("a")
    vendor.publish()
    finder = OverrideFinder([f"file://{vendor.repo}", "file:///nonexistent"])
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a"), ref("b", "org.example.Unknown")], [finder])
        assert [(one.finder, one.priority) for one in found] == [(finder.name, 20)]
        assert found[0].name.endswith("_vendor")
        pull_from_remotes(repo, found)
    assert pulled_refs(client) == {"a": commit}


def test_offer_of_knows_times_before_1970() -> None:
    stamp = (COMMIT_TIMESTAMP, big_endian_variant((1 << 64) - 5))
    entry = SummaryRef("a", 7, ONE, (stamp,))
    summary = Summary((entry,), ((COLLECTION_ID, Variant("s", COLLECTION)),))
    assert offer_of(summary, [ref("a"), ref("b")]).refs == {ref("a"): Offered(ONE, 7, -5)}


# -- which commit is the newest ----------------------------------------------------------


def two_sticks(tmp_path: Path, vendor: Vendor) -> tuple[Path, Path, str, str]:
    """Return repositories with an old and a new commit of the same ref, and the commits."""
    old = vendor.commit("a")
    (tmp_path / "s1").mkdir()
    first = vendor.copy_to(tmp_path / "s1", "a")
    new = vendor.commit("a", NEW)
    (tmp_path / "s2").mkdir()
    second = vendor.copy_to(tmp_path / "s2", "a")
    return first, second, old, new


def test_find_remotes_prefers_the_newer_commit_of_two_peers(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    first, second, old, new = two_sticks(tmp_path, vendor)
    finder = Scripted(peer(first, a=old), peer(second, a=new))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [finder])
    assert [one.found_refs for one in found] == [{ref("a"): parse_checksum(new)}]


def test_find_remotes_peer_that_makes_its_commit_younger_is_dropped(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    first, second, old, new = two_sticks(tmp_path, vendor)
    write_summary(first, a=(old, NEW + 1000))
    finder = Scripted(peer(first, a=old), peer(second, a=new))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [finder])
        assert [one.remote for one in found] == [peer(second).remote]
        pull_from_remotes(repo, found)
    assert pulled_refs(client) == {"a": new}


def test_find_remotes_peer_without_the_commit_that_it_lists_is_dropped(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    first, second, old, new = two_sticks(tmp_path, vendor)
    write_summary(first, a=(str(TWO), NEW + 1000))
    finder = Scripted(peer(first, a=old), peer(second, a=new))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [finder])
    assert [one.remote for one in found] == [peer(second).remote]


def test_find_remotes_peer_with_an_unsigned_newer_commit_is_dropped(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    first, second, old, new = two_sticks(tmp_path, vendor)
    forged = vendor.commit("a", NEW + 5, keys=())
    (tmp_path / "s3").mkdir()
    third = vendor.copy_to(tmp_path / "s3", "a")
    finder = Scripted(peer(third, a=forged), peer(second, a=new), peer(first, a=old))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [finder])
    assert [one.remote for one in found] == [peer(second).remote]


def test_find_remotes_peer_contradicting_a_configured_remote_is_dropped(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    first, _, old, new = two_sticks(tmp_path, vendor)
    vendor.publish()
    write_summary(first, a=(new, OLD))  # to make the remote's true statement look wrong
    finder = Scripted(peer(first, a=old))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [finder, ConfigFinder()])
    assert [one.name for one in found] == ["vendor"]


def test_find_remotes_unknown_times_are_taken_from_the_commits(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    first, second, old, new = two_sticks(tmp_path, vendor)
    write_summary(first, a=(old, None))
    write_summary(second, a=(new, None))
    finder = Scripted(peer(first, a=old), peer(second, a=new))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [finder])
    assert [one.remote for one in found] == [peer(second).remote]


def test_find_remotes_knows_the_time_of_stored_commits(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    first, second, old, new = two_sticks(tmp_path, vendor)
    pull_found(client, find_on(client, tmp_path / "s1", "a"))
    write_summary(first, a=(old, NEW + 1000))
    finder = Scripted(peer(first, a=old), peer(second, a=new))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [finder])
    assert [one.remote for one in found] == [peer(second).remote]


# -- pulling -----------------------------------------------------------------------------


def test_pull_from_remotes_takes_the_next_result_when_one_fails(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    commit = vendor.commit("a")
    (tmp_path / "bad").mkdir()
    (tmp_path / "good").mkdir()
    bad = vendor.copy_to(tmp_path / "bad", "a")
    good = vendor.copy_to(tmp_path / "good", "a")
    for file in (bad / "objects").glob("*/*.filez"):
        file.unlink()
    with Repo.open(client) as repo:
        pulled = pull_from_remotes(repo, [peer(bad, a=commit), peer(good, a=commit)])
    assert len(pulled) == 1
    assert pulled_refs(client) == {"a": commit}
    must(ours("fsck", f"--repo={client}"))


def test_pull_from_remotes_keeps_what_it_got_and_names_the_rest(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    commits = {name: vendor.commit(name) for name in ("a", "b")}
    (tmp_path / "s").mkdir()
    stick = vendor.copy_to(tmp_path / "s", "a", "b")
    good = peer(stick, a=commits["a"])
    missing = peer(stick, b=str(ONE), c=str(TWO))
    with Repo.open(client) as repo:
        with pytest.raises(FetchError) as caught:
            pull_from_remotes(repo, [good, missing])
        assert not repo.in_transaction
    assert str(caught.value) == (
        "Failed to pull some refs from the remotes: (org.example.Os, b), (org.example.Os, c)"
    )
    assert "No such metadata object" in (caught.value.hint or "")
    assert pulled_refs(client) == {"a": commits["a"]}


def test_pull_from_remotes_cancelled_changes_nothing(
    tmp_path: Path, vendor: Vendor, client: Path
) -> None:
    commit = vendor.commit("a")
    (tmp_path / "s").mkdir()
    stick = vendor.copy_to(tmp_path / "s", "a")

    class Stop(Watch):
        def check(self) -> None:
            raise CancelledError("stop")

        def advance(self, count: int = 1, size: int = 0) -> None:
            raise CancelledError("stop")

    with Repo.open(client) as repo, pytest.raises(CancelledError):
        pull_from_remotes(repo, [peer(stick, a=commit)], watch=Stop())
    assert pulled_refs(client) == {}


def test_pull_from_remotes_demands_signatures_of_remotes_that_do_not(
    vendor: Vendor, client: Path
) -> None:
    vendor.commit("a", keys=())
    vendor.publish()
    must(ours("config", f"--repo={client}", "set", 'remote "vendor".gpg-verify', "false"))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [ConfigFinder()])
        with pytest.raises(FetchError, match="Failed to pull some refs"):
            pull_from_remotes(repo, found)
    assert pulled_refs(client) == {}


def test_pull_from_remotes_takes_no_other_keys_than_the_collections(
    vendor: Vendor, client: Path
) -> None:
    vendor.commit("a")
    vendor.publish()
    options = PullOptions(ref_keyrings=(RefKeyring(COLLECTION, "a", "other"),))
    with Repo.open(client) as repo:
        found = find_remotes(repo, [ref("a")], [ConfigFinder()])
        with pytest.raises(ConflictError, match="need the keys of their collections"):
            pull_from_remotes(repo, found, options)
    assert pulled_refs(client) == {}


# -- jobs with a deadline ----------------------------------------------------------------


def test_run_with_deadline_leaves_behind_what_hangs() -> None:
    end = threading.Event()
    jobs = [lambda: 1, lambda: 2 if end.wait(20) else 3, lambda: 4]
    began_s = time.monotonic()
    assert run_with_deadline(jobs, threads=2, timeout_s=0.2) == [1, None, 4]
    assert time.monotonic() - began_s < 10
    end.set()


def test_run_with_deadline_cancelled_leaves_all_behind() -> None:
    end = threading.Event()
    cancel = Cancel()
    threading.Timer(0.2, cancel.cancel).start()
    with pytest.raises(CancelledError):
        run_with_deadline([lambda: end.wait(20)], threads=1, watch=watch_with(None, cancel))
    assert not end.is_set()
    end.set()


def test_run_with_deadline_raises_errors_and_does_without_jobs() -> None:
    assert run_with_deadline([], threads=4) == []
    with pytest.raises(ZeroDivisionError):
        run_with_deadline([lambda: 1 // 0], threads=4)


# -- for programs ------------------------------------------------------------------------


def test_library_finds_pulls_and_fills_sticks(tmp_path: Path, vendor: Vendor, client: Path) -> None:
    commit = vendor.commit("a")
    vendor.publish()
    pairs = [(COLLECTION, "a")]
    (tmp_path / "stick").mkdir()
    seen: list[Progress] = []
    with pyostree.Repo.open(vendor.repo) as repo:
        repo.create_usb(tmp_path / "stick", pairs, progress=seen.append)
    assert seen[-1].is_finished
    url = f"file://{tmp_path}/stick/.ostree/repo"
    with pyostree.Repo.open(client) as repo:
        found = repo.find_remotes(pairs, ["config"], urls=[url])
        assert [one.finder for one in found] == [OverrideFinder.name, ConfigFinder.name]
        (pulled,) = repo.pull_found(found, progress=seen.append)
    assert [one.name for one in pulled.refs] == ["vendor:a"]
    assert pulled_refs(client) == {"a": commit}


@pytest.mark.parametrize("mirror", [False, True])
def test_pull_from_remotes_no_peer_takes_a_ref_back(
    tmp_path: Path, vendor: Vendor, client: Path, mirror: bool
) -> None:
    first, second, old, new = two_sticks(tmp_path, vendor)
    options = PullOptions(mirror=mirror)
    with Repo.open(client) as repo:
        pull_from_remotes(repo, [peer(second, a=new)], options)
        with pytest.raises(FetchError) as caught:
            pull_from_remotes(repo, [peer(first, a=old)], options)
        assert "chronologically older" in (caught.value.hint or "")
        pull_from_remotes(repo, [peer(second, a=new)], options)
    assert set(refs_of(client).values()) == {f"{new}\n"}
    must(ours("refs", f"--repo={vendor.repo}", "--create=a", "--force", old))
    vendor.publish()
    with Repo.open(client) as repo:  # who is configured may
        pull_from_remotes(repo, find_remotes(repo, [ref("a")], [ConfigFinder()]), options)
    assert set(refs_of(client).values()) == {f"{old}\n"}
