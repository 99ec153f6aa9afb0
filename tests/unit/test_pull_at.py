"""Pulls in somebody's transaction, of refs of collections, from remotes that are not configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gpg_lab import KEYS, GpgHome
from pyostree.errors import (
    CancelledError,
    ConflictError,
    InvalidNameError,
    NotFoundError,
    RefNotFoundError,
    VerificationError,
)
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import parse_checksum
from pyostree.formats.refspec import Refspec
from pyostree.progress import Cancel, watch_with
from pyostree.pull.from_remote import pull, pull_at
from pyostree.pull.options import PullOptions, RefKeyring, Wanted
from pyostree.pull.progress_text import format_result
from pyostree.pull.site import PullSite
from pyostree.remote.remotes import Remotes
from pyostree.repo.remote_groups import remote_group
from pyostree.repo.repo import Repo
from repo_lab import commit, make_repo, must, ours, reference, refs_of, write_files
from web_lab import Web, serving

MAIN, OTHER = "org.example.Main", "org.example.Other"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, keys: GpgHome) -> Iterator[Web]:
    """A server with a repository of a collection, and the same without a summary."""
    base = tmp_path_factory.mktemp("www")
    write_files(base, {"www": None})
    tree = write_files(base / "tree", {"f": "content\n"})
    other = make_repo(base / "www/other", collection_id=OTHER)
    commit(other, "-b", "main", f"--tree=dir={tree}", *keys.options(KEYS[1]), "-s", "of other")
    must(ours("summary", "-u", f"--repo={other}"))
    repo = make_repo(base / "www/repo", collection_id=MAIN)
    commit(repo, "-b", "main", f"--tree=dir={tree}", *keys.options(KEYS[0]))
    must(reference("remote", "add", f"--repo={repo}", "--no-gpg-verify", "up", f"file://{other}",
                   f"--collection-id={OTHER}"))  # fmt: skip
    must(reference("pull", f"--repo={repo}", "--mirror", "up"))
    (other / "summary").unlink()
    with serving(base / "www") as running:
        must(reference("summary", "-u", f"--repo={repo}"))
        yield running


@pytest.fixture
def repo(tmp_path: Path, web: Web, keys: GpgHome) -> Iterator[Repo]:
    """A repository with the remote ``origin``, which needs no signatures."""
    path = make_repo(tmp_path / "client", "bare-user")
    for name, number in (("origin", 0), ("second", 1)):
        must(ours("remote", "add", f"--repo={path}", f"--gpg-import={keys.armored(number)}", name,
                  f"{web.url}/repo"))  # fmt: skip
    with Repo.open(path) as opened:
        yield opened


def head(web: Web, ref: str) -> str:
    return (web.root / "repo/refs" / ref).read_text().strip()


UNVERIFIED = PullOptions(gpg_verify=False)


class TestCollections:
    def test_ref_of_the_main_list_and_of_another_collection(self, repo: Repo, web: Web) -> None:
        wanted = [Wanted("main", collection_id=MAIN)]
        pull(repo, "origin", wanted, UNVERIFIED)
        assert str(repo.resolve("origin:main")) == head(web, "heads/main")
        pull(repo, "origin", [Wanted("main", collection_id=OTHER)], UNVERIFIED)
        assert str(repo.resolve("origin:main")) == head(web, f"mirrors/{OTHER}/main")

    def test_mirror_stores_each_where_its_collection_belongs(self, repo: Repo, web: Web) -> None:
        wanted = [Wanted("main", collection_id=MAIN), Wanted("main", collection_id=OTHER)]
        pull(repo, "origin", wanted, UNVERIFIED._replace(mirror=True))
        assert sorted(refs_of(Path(repo.path))) == [
            f"mirrors/{MAIN}/main",
            f"mirrors/{OTHER}/main",
        ]

    @pytest.mark.parametrize("url", ["file://{root}/repo", "{url}/repo"])
    def test_without_summary_the_source_itself_is_asked(
        self, repo: Repo, web: Web, url: str
    ) -> None:
        summary = web.root / "repo/summary"
        data = summary.read_bytes()
        summary.unlink()
        try:
            options = UNVERIFIED._replace(
                url=url.format(root=web.root, url=web.url), check_bindings=False
            )
            pull(repo, "origin", [Wanted("main", collection_id=OTHER)], options)
            assert str(repo.resolve("origin:main")) == head(web, f"mirrors/{OTHER}/main")
            with pytest.raises(NotFoundError):
                pull(repo, "origin", [Wanted("nosuch", collection_id=OTHER)], options)
        finally:
            summary.write_bytes(data)

    def test_missing_in_a_local_source_is_named_with_its_collection(
        self, repo: Repo, web: Web
    ) -> None:
        options = UNVERIFIED._replace(url=f"file://{web.root}/other")
        with pytest.raises(RefNotFoundError, match=rf"^Collection–ref \({MAIN}, x\) not found$"):
            pull(repo, "origin", [Wanted("x", collection_id=MAIN)], options)

    def test_missing_in_the_summary_is_named_as_it_was_asked_for(self, repo: Repo) -> None:
        for wanted, shown in (
            (Wanted("x"), "'x'"),
            (Wanted("x", collection_id=OTHER), rf"\({OTHER}, x\)"),
            (Wanted("main", collection_id="org.else"), r"\(org.else, main\)"),
        ):
            with pytest.raises(NotFoundError, match=f"^No such branch {shown} in repository"):
                pull(repo, "origin", [wanted], UNVERIFIED)

    @pytest.mark.parametrize(
        "wanted", [Wanted("a b", collection_id=MAIN), Wanted("main", collection_id="../..")]
    )
    def test_bad_name_is_refused(self, repo: Repo, wanted: Wanted) -> None:
        with pytest.raises(InvalidNameError, match=r"^Invalid (ref name|collection ID) "):
            pull(repo, "origin", [wanted], UNVERIFIED)


class TestKeyrings:
    def test_keys_of_the_remote_count_unless_the_ref_has_others(self, repo: Repo) -> None:
        mine, others = Wanted("main", collection_id=MAIN), Wanted("main", collection_id=OTHER)
        pull(repo, "origin", [mine])
        with pytest.raises(VerificationError, match="public key not found"):
            pull(repo, "origin", [others])
        assert repo.resolve("origin:main") != head_of(repo, others)
        keyring = RefKeyring(OTHER, "main", "second")
        pull(repo, "origin", [others], PullOptions(ref_keyrings=(keyring,)))

    def test_other_keys_take_the_place_of_the_remotes(self, repo: Repo) -> None:
        keyring = RefKeyring(MAIN, "main", "second")
        with pytest.raises(VerificationError, match="public key not found"):
            pull(repo, "origin", [Wanted("main")], PullOptions(ref_keyrings=(keyring,)))
        assert refs_of(Path(repo.path)) == {}

    def test_commit_of_two_refs_needs_the_keys_of_both(
        self, repo: Repo, tmp_path: Path, keys: GpgHome
    ) -> None:
        source = make_repo(tmp_path / "source", collection_id=MAIN)
        tree = write_files(tmp_path / "tree", {"f": "content\n"})
        both = ("--bind-ref=os", f"--tree=dir={tree}")
        made = commit(source, "-b", "app", *both, *keys.options(KEYS[1]))
        (source / "refs/heads/os").write_text(f"{made}\n")
        app, system = Wanted("app", collection_id=MAIN), Wanted("os", collection_id=MAIN)
        keyring = RefKeyring(MAIN, "app", "second")
        options = PullOptions(ref_keyrings=(keyring,), url=f"file://{source}")
        by_checksum, plain = Wanted(made), Wanted("os")
        for others in ([system], [app, system], [system, app], [app, plain], [app, by_checksum]):
            with pytest.raises(VerificationError, match="public key not found"):
                pull(repo, "origin", others, options)
            assert refs_of(Path(repo.path)) == {}
        pull(repo, "origin", [app], options)
        must(ours("gpg-sign", f"--repo={source}", f"--gpg-homedir={keys.path}", made, KEYS[0]))
        pull(repo, "origin", [app, system], options)
        assert set(refs_of(Path(repo.path))) == {"remotes/origin/app", "remotes/origin/os"}

    @pytest.mark.parametrize(
        "keyring",
        [RefKeyring("x", "main", "o"), RefKeyring(MAIN, "a b", "o"), RefKeyring(MAIN, "m", "a/b")],
    )
    def test_bad_name_is_refused(self, repo: Repo, keyring: RefKeyring) -> None:
        with pytest.raises(InvalidNameError):
            pull(repo, "origin", [Wanted("main")], PullOptions(ref_keyrings=(keyring,)))

    def test_unknown_keyring_is_an_error(self, repo: Repo) -> None:
        keyring = RefKeyring(MAIN, "main", "nosuch")
        with pytest.raises(NotFoundError, match=r'^Remote "nosuch" not found$'):
            pull(repo, "origin", [Wanted("main")], PullOptions(ref_keyrings=(keyring,)))

    def test_temporary_remote_has_the_keys_of_its_owner(self, repo: Repo, web: Web) -> None:
        for owner, outcome in (("second", "public key not found"), ("origin", None)):
            remotes = Remotes.load(repo)
            remotes.add_temporary("peer", temporary("peer", f"{web.url}/repo"), key_owner=owner)
            site = PullSite(repo, remotes=remotes)
            options = PullOptions(ref_remote=owner)
            if outcome is None:
                pull_at(site, "peer", [Wanted("main")], options)
            else:
                with pytest.raises(VerificationError, match=outcome):
                    pull_at(site, "peer", [Wanted("main")], options)
        assert list(refs_of(Path(repo.path))) == ["remotes/origin/main"]
        assert "peer" not in Remotes.load(repo).names()

    def test_temporary_remote_cannot_take_a_name_that_is_used(self, repo: Repo) -> None:
        with pytest.raises(ConflictError):
            Remotes.load(repo).add_temporary("origin", temporary("origin", "x"), key_owner="second")


def head_of(repo: Repo, wanted: Wanted) -> object:
    with suppress(NotFoundError):
        return repo.resolve(f"mirrors:{wanted.name}")
    return None


def temporary(name: str, url: str) -> KeyFile:
    keyfile = KeyFile()
    keyfile.set_string(remote_group(name), "url", url)
    return keyfile


class TestTransaction:
    def test_nothing_is_there_before_the_owner_commits(self, repo: Repo, web: Web) -> None:
        commit_id = parse_checksum(head(web, "heads/main"))
        with repo.transaction() as transaction:
            site = PullSite(repo, transaction=transaction)
            result = pull_at(site, "origin", [Wanted("main")], UNVERIFIED)
            assert refs_of(Path(repo.path)) == {}
            assert repo.is_partial(commit_id)
            assert "content written" not in format_result(result)
            pull_at(site, "origin", [Wanted("main")], UNVERIFIED._replace(ref_remote="else"))
        assert sorted(refs_of(Path(repo.path))) == ["remotes/else/main", "remotes/origin/main"]
        assert not repo.is_partial(commit_id)

    def test_abort_leaves_the_commit_incomplete(self, repo: Repo, web: Web) -> None:
        with suppress(KeyboardInterrupt), repo.transaction() as transaction:
            site = PullSite(repo, transaction=transaction)
            pull_at(site, "origin", [Wanted("main")], UNVERIFIED)
            raise KeyboardInterrupt
        assert refs_of(Path(repo.path)) == {}
        assert repo.is_partial(parse_checksum(head(web, "heads/main")))

    def test_cancelled_pull_changes_no_refs(self, repo: Repo) -> None:
        cancel = Cancel()
        cancel.cancel()
        with pytest.raises(CancelledError):
            pull(repo, "origin", [Wanted("main")], UNVERIFIED, None, watch_with(cancel=cancel))
        assert refs_of(Path(repo.path)) == {}


class TestGivenSummary:
    def test_it_is_used_and_not_asked_for(self, repo: Repo, web: Web) -> None:
        data = (web.root / "repo/summary").read_bytes()
        web.log.clear()
        pull(repo, "origin", [Wanted("main")], UNVERIFIED._replace(summary=data))
        assert repo.resolve_ref(Refspec("origin", "main")) is not None
        assert not any("summary" in line or "refs/" in line for line in web.log)

    def test_its_signature_is_checked(self, repo: Repo, web: Web) -> None:
        data = (web.root / "repo/summary").read_bytes()
        options = UNVERIFIED._replace(gpg_verify_summary=True, summary=data)
        with pytest.raises(VerificationError, match=r"no summary\.sig found"):
            pull(repo, "origin", [Wanted("main")], options)

    def test_signature_without_it_is_refused(self, repo: Repo) -> None:
        with pytest.raises(ConflictError):
            pull(repo, "origin", [Wanted("main")], PullOptions(summary_signature=b""))


@pytest.mark.parametrize("limits", [{"max_requests": 0}, {"max_bytes_per_s": -1}])
def test_impossible_limit_is_refused(repo: Repo, limits: dict[str, int]) -> None:
    with pytest.raises(ConflictError, match=r"^Invalid "):
        pull(repo, "origin", [Wanted("main")], PullOptions(**limits))  # type: ignore[arg-type]
