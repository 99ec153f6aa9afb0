"""Pulling, remotes and summaries through `pyostree.Repo`; only public names are needed."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpg_lab import KEYS, gpg_home
from pyostree import (
    Cancel,
    CancelledError,
    Checksum,
    CommitOptions,
    ConflictError,
    FetchError,
    FormatError,
    InvalidNameError,
    MemoryTree,
    NotFoundError,
    Phase,
    Progress,
    PulledRef,
    PullOptions,
    Remote,
    RemoteNotFoundError,
    Repo,
    RepoMode,
    VerificationError,
)
from repo_lab import check_both
from web_lab import Web, serving

FILES = 300


def tree(mark: str = "") -> MemoryTree:
    made = MemoryTree()
    for number in range(FILES):
        made.add_file(f"/dir{number % 7}/file{number}", f"content {number} {mark}".encode())
    return made


class Published:
    """A repository with two commits of ``main`` and one of ``other``, and its server."""

    def __init__(self, root: Path) -> None:
        self.path = root / "repo"
        with Repo.create(self.path, RepoMode.ARCHIVE) as repo:
            self.first = repo.commit(tree(), "main").checksum
            changed = tree()
            changed.add_file("/dir1/new", b"new" * 1000)
            self.second = repo.commit(changed, "main").checksum
            self.other = repo.commit(tree("other"), "other").checksum
            repo.update_summary()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(tmp_path_factory.mktemp("published"))


@pytest.fixture
def web(published: Published) -> Iterator[Web]:
    with serving(published.path) as running:
        yield running


@pytest.fixture
def repo(tmp_path: Path, web: Web) -> Iterator[Repo]:
    with Repo.create(tmp_path / "mine", RepoMode.BARE_USER_ONLY) as repo:
        repo.disable_fsync()
        repo.remotes.add("origin", web.url, gpg_verify=False)
        yield repo


def content_requests(web: Web) -> int:
    return sum(line.endswith(".filez") for line in web.log)


# -- pulling ---------------------------------------------------------------------------------


def test_pull_sets_the_refs_and_says_what_came(repo: Repo, published: Published) -> None:
    result = repo.pull("origin", "main")
    assert repo.list_refs() == {"origin:main": published.second}
    assert result.refs == (PulledRef("origin:main", published.second, None, None),)
    assert result.commits == (published.second,)
    assert (result.content, result.is_local) == (FILES + 1, False)
    assert result.bytes_transferred > 0
    with repo.view("origin:main").open("/dir1/new") as file:
        assert file.read() == b"new" * 1000
    assert repo.fsck().is_clean


def test_pull_of_several_refs_and_a_commit(repo: Repo, published: Published) -> None:
    result = repo.pull("origin", [f"main@{published.first}", "other"])
    assert [ref.name for ref in result.refs] == ["origin:main", "origin:other"]
    assert repo.resolve("origin:main") == published.first
    result = repo.pull("origin", published.second)
    assert result.refs == ()
    assert result.commits == (published.second,)
    repo.view(published.second)


def test_pull_again_tells_where_a_ref_was(repo: Repo, published: Published) -> None:
    repo.pull("origin", f"main@{published.first}")
    result = repo.pull("origin", "main")
    assert result.refs == (PulledRef("origin:main", published.second, published.first, None),)
    assert result.content == 1


def test_pull_without_refs_takes_the_branches_of_the_remote(repo: Repo, web: Web) -> None:
    repo.remotes.add("both", web.url, branches=["main", "other"], gpg_verify=False)
    assert [ref.name for ref in repo.pull("both").refs] == ["both:main", "both:other"]


def test_mirror_takes_all_refs_and_the_summary(
    tmp_path: Path, web: Web, published: Published
) -> None:
    with Repo.create(tmp_path / "mirror", RepoMode.ARCHIVE) as mirror:
        mirror.remotes.add("origin", web.url, gpg_verify=False)
        mirror.pull("origin", options=PullOptions(mirror=True))
        assert mirror.list_refs() == {"main": published.second, "other": published.other}
        summary = mirror.read_summary()
    assert summary is not None
    assert [ref.name for ref in summary.refs] == ["main", "other"]
    check_both(tmp_path / "mirror")


def test_pull_local_by_path(tmp_path: Path, published: Published) -> None:
    with Repo.create(tmp_path / "copy", RepoMode.ARCHIVE) as copy:
        result = copy.pull_local(published.path, "main")
        assert result.is_local
        assert copy.list_refs() == {"main": published.second}
        copy.pull_local(published.path, options=PullOptions(ref_remote="origin"))
        assert set(copy.list_refs()) == {"main", "origin:main", "origin:other"}
    check_both(tmp_path / "copy")


@pytest.mark.parametrize(
    ("remote", "ref", "error"),
    [
        ("nobody", "main", RemoteNotFoundError),
        ("origin", "nothing", NotFoundError),
        ("origin", "../x", InvalidNameError),
        ("origin", "main@12", InvalidNameError),
    ],
)
def test_pull_of_what_is_not_there(
    repo: Repo, remote: str, ref: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        repo.pull(remote, ref)
    assert repo.list_refs() == {}


def test_pull_from_nowhere_is_a_fetch_error(repo: Repo) -> None:
    repo.remotes.add("gone", "http://127.0.0.1:1/repo", gpg_verify=False)
    with pytest.raises(FetchError):
        repo.pull("gone", "main", PullOptions(network_retries=0))


def test_pull_local_of_a_missing_ref(tmp_path: Path, published: Published) -> None:
    with Repo.create(tmp_path / "copy") as copy, pytest.raises(NotFoundError):
        copy.pull_local(published.path, "nothing")


# -- progress --------------------------------------------------------------------------------


def test_totals_are_known_before_content_is_fetched(repo: Repo, web: Web) -> None:
    seen: list[tuple[Progress, int]] = []
    result = repo.pull(
        "origin", "main", progress=lambda one: seen.append((one, content_requests(web)))
    )
    first, requests = next(pair for pair in seen if pair[0].total is not None)
    assert first.total == result.metadata + result.content
    assert requests == 0
    assert first.done < first.total


def test_phases_follow_each_other_and_end(repo: Repo) -> None:
    seen: list[Progress] = []
    repo.pull("origin", "main", progress=seen.append)
    phases = list(dict.fromkeys(one.phase for one in seen))
    assert phases[0] in (Phase.RESOLVE, Phase.SCAN)
    assert Phase.FETCH in phases
    assert [one.phase for one in seen if one.is_finished] == phases
    assert seen[-1].is_finished
    assert all(one.done == one.total for one in seen if one.is_finished and one.total is not None)
    assert seen[-1].total is not None
    counts = [one.done for one in seen if one.phase is Phase.FETCH]
    assert counts == sorted(counts)
    for one in seen:
        assert one.fraction is None or 0 <= one.fraction <= 1
        assert one.seconds_left is None or one.seconds_left >= 0


def test_what_the_function_raises_ends_the_pull(repo: Repo) -> None:
    def refuse(progress: Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        repo.pull("origin", "main", progress=refuse)
    assert repo.list_refs() == {}


# -- stopping --------------------------------------------------------------------------------


def check_can_go_on(repo: Repo, published: Published) -> None:
    """After a pull that was stopped half way there is nothing half, and the next one succeeds."""
    assert repo.list_refs() == {}
    assert repo.fsck().is_clean
    result = repo.pull("origin", "main")
    assert result.content <= FILES + 1
    assert repo.resolve("origin:main") == published.second
    assert repo.fsck().is_clean


def test_cancelled_before_it_began(repo: Repo, web: Web, published: Published) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        repo.pull("origin", "main", cancel=cancel)
    assert content_requests(web) == 0
    check_can_go_on(repo, published)


def test_cancelled_in_the_middle(repo: Repo, published: Published) -> None:
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.phase is Phase.FETCH:
            cancel.cancel()

    with pytest.raises(CancelledError):
        repo.pull("origin", "main", progress=stop, cancel=cancel)
    check_can_go_on(repo, published)


def test_cancelled_by_another_thread(repo: Repo, published: Published) -> None:
    cancel, began = Cancel(), threading.Event()

    def wait_and_cancel() -> None:
        began.wait(10)
        cancel.cancel()

    def begin(progress: Progress) -> None:
        began.set()
        other.join(10)

    other = threading.Thread(target=wait_and_cancel)
    other.start()
    with pytest.raises(CancelledError):
        repo.pull("origin", "main", progress=begin, cancel=cancel)
    check_can_go_on(repo, published)


def test_cancelled_while_the_server_says_nothing(repo: Repo) -> None:
    cancel = Cancel()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        repo.remotes.add("silent", url, gpg_verify=False)
        timer = threading.Timer(0.3, cancel.cancel)
        timer.start()
        began_s = time.monotonic()
        with pytest.raises(CancelledError):
            repo.pull("silent", "main", cancel=cancel)
    assert time.monotonic() - began_s < 5


def test_interrupted_from_the_keyboard(repo: Repo, published: Published) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.phase is Phase.FETCH and progress.done > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repo.pull("origin", "main", PullOptions(update_interval_ms=1), progress=interrupt)
    check_can_go_on(repo, published)


def test_cancelled_pull_local(tmp_path: Path, published: Published) -> None:
    cancel = Cancel()
    with Repo.create(tmp_path / "copy", RepoMode.BARE_USER_ONLY) as copy:
        with pytest.raises(CancelledError):
            copy.pull_local(
                published.path, "main", progress=lambda _: cancel.cancel(), cancel=cancel
            )
        assert copy.list_refs() == {}
        copy.pull_local(published.path, "main")
        assert copy.fsck().is_clean


# -- remotes ---------------------------------------------------------------------------------


def test_remotes_are_added_listed_and_deleted(tmp_path: Path) -> None:
    with Repo.create(tmp_path / "repo") as repo:
        assert list(repo.remotes) == []
        added = repo.remotes.add(
            "origin",
            "https://example.com/repo",
            branches=["a", "b"],
            collection_id="org.example.Os",
            settings={"contenturl": "https://cdn.example.com"},
        )
        assert added == Remote(
            "origin", "https://example.com/repo", ("a", "b"), True, False, "org.example.Os"
        )
        repo.remotes.add("another", "metalink=https://example.com/m", gpg_verify=False)
        assert repo.remotes.names() == ["another", "origin"]
        assert [one.url for one in repo.remotes] == [None, "https://example.com/repo"]
        assert not repo.remotes.get("another").gpg_verify
        repo.remotes.delete("another")
        assert repo.remotes.names() == ["origin"]
    assert "contenturl=https://cdn.example.com" in (tmp_path / "repo/config").read_text()


def test_remote_that_exists_gives_way_only_if_told(tmp_path: Path) -> None:
    with Repo.create(tmp_path / "repo") as repo:
        repo.remotes.add("origin", "https://one.example.com")
        with pytest.raises(ConflictError):
            repo.remotes.add("origin", "https://two.example.com")
        repo.remotes.add("origin", "https://two.example.com", replace=True)
        assert repo.remotes.get("origin").url == "https://two.example.com"


def test_remotes_that_are_not_there(tmp_path: Path) -> None:
    with Repo.create(tmp_path / "repo") as repo:
        with pytest.raises(RemoteNotFoundError):
            repo.remotes.get("origin")
        with pytest.raises(RemoteNotFoundError):
            repo.remotes.delete("origin")
        with pytest.raises(InvalidNameError):
            repo.remotes.add("../x", "https://example.com")


def test_commits_must_be_signed_by_a_key_of_the_remote(tmp_path: Path) -> None:
    with gpg_home() as home, Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as source:
        signed = CommitOptions(gpg_keys=(KEYS[0],), gpg_home=str(home.path))
        source.commit(tree(), "main", signed)
        source.update_summary(gpg_keys=[KEYS[0]], gpg_home=home.path)
        with serving(tmp_path / "repo") as web, Repo.create(tmp_path / "mine") as repo:
            verified = {"gpg-verify-summary": "true"}
            repo.remotes.add("origin", web.url, settings=verified)
            with pytest.raises(VerificationError):
                repo.pull("origin", "main")
            with pytest.raises(VerificationError):
                repo.remotes.fetch_summary("origin")
            assert repo.remotes.import_keys("origin", home.armored(0).read_bytes()) == 1
            assert [ref.name for ref in repo.remotes.fetch_summary("origin").refs] == ["main"]
            repo.pull("origin", "main")
            repo.remotes.add(
                "strange", web.url, gpg_keys=home.armored(1).read_bytes(), settings=verified
            )
            with pytest.raises(VerificationError):
                repo.pull("strange", "main")


# -- summaries -------------------------------------------------------------------------------


def test_summary_of_a_remote(repo: Repo, published: Published) -> None:
    summary = repo.remotes.fetch_summary("origin")
    assert {ref.name: ref.checksum for ref in summary.refs} == {
        "main": published.second,
        "other": published.other,
    }
    assert isinstance(summary.refs[0].checksum, Checksum)
    found = summary.find("main")
    assert found is not None
    assert found.timestamp


def test_remote_without_summary(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "www")
    with serving(tmp_path / "www") as web, Repo.create(tmp_path / "repo") as repo:
        repo.remotes.add("origin", web.url, gpg_verify=False)
        with pytest.raises(NotFoundError):
            repo.remotes.fetch_summary("origin")


def test_own_summary(tmp_path: Path) -> None:
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as repo:
        assert repo.read_summary() is None
        made = repo.commit(tree(), "main")
        repo.update_summary({"example.note": "hello"})
        summary = repo.read_summary()
        assert summary is not None
        assert summary.refs[0].checksum == made.checksum
        assert summary.lookup_str("example.note") == "hello"
        (tmp_path / "repo/summary").write_bytes(b"no summary at all")
        with pytest.raises(FormatError):
            repo.read_summary()
