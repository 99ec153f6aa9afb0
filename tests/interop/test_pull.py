"""Pulls of both commands leave the same repository, whoever wrote the source."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault.scripted_server import Reply, ScriptedServer, scripted_server
from pyostree.formats.gvariant import Variant, encode
from repo_lab import (
    MODES,
    OURS,
    Command,
    check_both,
    commit,
    elsewhere,
    make_repo,
    make_tree,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    run_process,
    stored_objects,
    write_files,
)

COMMANDS = pytest.mark.parametrize("command", [ours, reference], ids=["ours", "reference"])


class Published:
    """A repository with three commits of ``main`` and one of ``other``."""

    def __init__(self, base: Path, mode: str, command: Command) -> None:
        # What mode bare-user-only cannot store is left out of its tree.
        canonical = ["--canonical-permissions"] if mode == "bare-user-only" else []
        tree = make_tree(base / "tree")
        self.repo = make_repo(base / "repo", mode)
        self.commits = []
        for number in range(3):
            write_files(tree, {f"baz/deeper/{number}": f"number {number}\n", "baz/x": f"{number}"})
            words = ["-b", "main", f"--tree=dir={tree}", *canonical]
            if number:
                words += ["--parent", self.commits[-1]]
            self.commits.append(commit(self.repo, *words, command=command))
        other = write_files(base / "other", {"large": os.urandom(3 << 20), "zeros": bytes(9 << 20)})
        commit(self.repo, "-b", "other", f"--tree=dir={other}", *canonical, command=command)


@pytest.fixture(scope="module", params=[ours, reference], ids=["by-us", "by-reference"])
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    return Published(tmp_path_factory.mktemp("published"), "archive", request.param)


@pytest.fixture
def server(published: Published) -> Iterator[ScriptedServer]:
    with scripted_server(published.repo) as running:
        yield running


def client(path: Path, url: str, mode: str = "bare-user", *more: str) -> Path:
    """Return a new repository with the remote ``origin``."""
    repo = make_repo(path, mode)
    must(reference("remote", "add", f"--repo={repo}", "--no-gpg-verify", "origin", url, *more))
    return repo


def left_behind(repo: Path) -> dict[str, object]:
    """Return everything that a pull changes in a repository."""
    return {
        "objects": stored_objects(repo),
        "refs": refs_of(repo),
        "partial": sorted(path.name for path in (repo / "state").iterdir()),
        "summary": (repo / "summary").is_file(),
    }


def both(
    tmp_path: Path, url: str, words: list[str], *, mode: str = "bare-user"
) -> tuple[Path, str, str]:
    """Pull with both commands, compare what is left, and return our repository and the outputs."""
    mine = client(tmp_path / "ours", url, mode)
    theirs = client(tmp_path / "reference", url, mode)
    printed = must(ours("pull", f"--repo={mine}", *words))
    expected = must(reference("pull", f"--repo={theirs}", *words))
    assert left_behind(mine) == left_behind(theirs)
    return mine, printed, expected


class TestNetwork:
    @pytest.mark.parametrize("mode", ["archive", "bare", "bare-user"])
    def test_full_pull_same_repository(
        self, tmp_path: Path, server: ScriptedServer, mode: str
    ) -> None:
        repo, _, _ = both(tmp_path, server.url, ["origin", "main", "other"], mode=mode)
        check_both(repo)

    def test_second_pull_fetches_nothing(self, tmp_path: Path, server: ScriptedServer) -> None:
        repo = client(tmp_path / "c", server.url)
        must(ours("pull", f"--repo={repo}", "origin", "main"))
        server.requests.clear()
        printed = must(ours("pull", f"--repo={repo}", "origin:main"))
        assert printed == "0 metadata, 0 content objects fetched; 0 bytes content written"
        assert [path.rpartition(".")[2] for path in server.requests] == [
            "sig", "/summary", "/refs/heads/main", "commitmeta",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "words",
        [
            ["--depth=1", "origin", "main"],
            ["--depth=-1", "origin", "main"],
            ["origin", "main", "--depth=-1"],
            ["--commit-metadata-only", "--depth=1", "origin", "main"],
            ["--subpath=/baz/deeper", "origin", "main"],
            ["--subpath=/baz/x", "--subpath=/etc", "origin", "main"],
            ["--subpath=/", "origin", "main"],
            ["--mirror", "origin", "main"],
            ["--per-object-fsync", "origin", "other"],
            ["--disable-fsync", "--disable-static-deltas", "origin:other"],
        ],
        ids=" ".join,
    )
    def test_options_same_repository(
        self, tmp_path: Path, server: ScriptedServer, words: list[str]
    ) -> None:
        both(tmp_path, server.url, words, mode="archive")

    def test_commit_by_checksum_same_repository(
        self, tmp_path: Path, server: ScriptedServer, published: Published
    ) -> None:
        first, second, _ = published.commits
        repo, _, _ = both(tmp_path, server.url, ["origin", f"main@{first}", second])
        assert refs_of(repo) == {"remotes/origin/main": f"{first}\n"}

    def test_mirror_of_everything_copies_the_summary(
        self, tmp_path: Path, server: ScriptedServer, published: Published
    ) -> None:
        must(reference("summary", "-u", f"--repo={published.repo}"))
        try:
            repo, _, _ = both(tmp_path, server.url, ["--mirror", "origin"], mode="archive")
            assert (repo / "summary").read_bytes() == (published.repo / "summary").read_bytes()
            assert sorted(refs_of(repo)) == ["heads/main", "heads/other"]
        finally:
            (published.repo / "summary").unlink()

    @pytest.mark.parametrize("way", ["server", "file"])
    def test_detached_metadata_of_a_complete_commit_follows_the_source(
        self, tmp_path: Path, server: ScriptedServer, published: Published, way: str
    ) -> None:
        url = server.url if way == "server" else f"file://{published.repo}"
        repos = {ours: client(tmp_path / "a", url), reference: client(tmp_path / "b", url)}
        checksum = published.commits[2]
        path = published.repo / "objects" / checksum[:2] / f"{checksum[2:]}.commitmeta"
        try:
            for value in (None, "first", "second", None):
                path.unlink(missing_ok=True)
                if value is not None:
                    path.write_bytes(encode("a{sv}", (("key", Variant("s", value)),)))
                for command, repo in repos.items():
                    must(command("pull", f"--repo={repo}", "origin", "main"))
                mine, theirs = map(left_behind, repos.values())
                assert mine == theirs
        finally:
            path.unlink(missing_ok=True)

    def test_missing_parents_end_the_history(
        self, tmp_path: Path, server: ScriptedServer, published: Published
    ) -> None:
        first = published.commits[0]
        server.faults[f"{first[2:]}.commit"] = lambda _: Reply(b"", 404)
        repo, _, _ = both(tmp_path, server.url, ["--depth=-1", "origin", "main"])
        assert len([name for name in object_names(repo) if name.endswith(".commit")]) == 2
        check_both(repo)

    def test_partial_pulls_complete_each_other(
        self, tmp_path: Path, server: ScriptedServer
    ) -> None:
        repo = client(tmp_path / "c", server.url)
        for option in ("--commit-metadata-only", "--subpath=/baz", "--subpath=/etc"):
            must(ours("pull", f"--repo={repo}", option, "origin", "main"))
            assert list((repo / "state").iterdir())
        must(ours("pull", f"--repo={repo}", "origin", "main"))
        assert not list((repo / "state").iterdir())
        check_both(repo)

    def test_url_and_header_options(self, tmp_path: Path, server: ScriptedServer) -> None:
        repo = client(tmp_path / "c", "http://127.0.0.1:1")
        must(ours("pull", f"--repo={repo}", f"--url={server.url}", "--http-header=A=b", "origin",
                  "main"))  # fmt: skip
        refused = ours("pull", f"--repo={repo}", "--http-header=A", "origin", "main")
        assert refused == (1, "", "error: Missing '=' in --http-header\n")

    def test_limit_of_requests_holds(self, tmp_path: Path, server: ScriptedServer) -> None:
        repo = client(tmp_path / "c", server.url)
        running, most = [0], [0]

        def counted(reply: Reply) -> Reply:
            running[0] += 1
            most[0] = max(most[0], running[0])
            time.sleep(0.005)
            running[0] -= 1
            return reply

        server.faults[""] = counted
        words = [f"--repo={repo}", "--max-outstanding-fetcher-requests=1", "origin", "main"]
        must(ours("pull", *words))
        server.faults.clear()
        assert most[0] == 1
        check_both(repo)

    def test_options_of_later_releases(self, tmp_path: Path, server: ScriptedServer) -> None:
        repo = client(tmp_path / "c", server.url)
        must(ours(
            "pull", f"--repo={repo}", "--disable-retry-on-network-errors",
            "--low-speed-limit-bytes=1", "--low-speed-time-seconds=5", "--limit-rate=100000000",
            "--max-outstanding-fetcher-requests=0", "origin", "main",
        ))  # fmt: skip
        check_both(repo)
        refused = ours("pull", f"--repo={repo}", "--limit-rate=-1", "origin", "main")
        assert refused.err == "error: Invalid limit of bytes per second -1\n"

    def test_localcache_same_counts_but_for_the_superblock(
        self, tmp_path: Path, server: ScriptedServer, published: Published
    ) -> None:
        cache = client(tmp_path / "cache", server.url, "archive")
        must(ours("pull", f"--repo={cache}", "origin", f"main@{published.commits[0]}"))
        _, printed, _ = both(tmp_path, server.url, ["-L", str(cache), "origin", "main"])
        assert " local); " in printed


class TestFileUrl:
    @pytest.mark.parametrize("mode", ["archive", "bare", "bare-user"])
    def test_same_repository_and_output(
        self, tmp_path: Path, published: Published, mode: str
    ) -> None:
        words = ["--depth=1", "origin", "main"]
        _, printed, expected = both(tmp_path, f"file://{published.repo}", words, mode=mode)
        assert printed == expected

    def test_no_path_is_not_the_current_directory(
        self, tmp_path: Path, published: Published, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(published.repo)
        for words in ([], ["-L", ""]):
            repo = client(tmp_path / f"c{len(words)}", f"file://{published.repo if words else ''}")
            result = ours("pull", f"--repo={repo}", *words, "origin", "main")
            assert result.err.startswith("error: opening repo: opendir(): ")
            assert refs_of(repo) == {}

    def test_percent_encoded_path(self, tmp_path: Path, published: Published) -> None:
        place = tmp_path / "a b"
        place.symlink_to(published.repo)
        url = f"file://{str(place).replace(' ', '%20')}"
        both(tmp_path, url, ["origin", "main"])


class TestLocal:
    @pytest.mark.parametrize("untrusted", [[], ["--untrusted"]], ids=["trusted", "untrusted"])
    @pytest.mark.parametrize("target", MODES)
    @pytest.mark.parametrize("source", MODES)
    def test_between_modes_same_repository_and_output(
        self, tmp_path: Path, source: str, target: str, untrusted: list[str]
    ) -> None:
        canonical = "bare-user-only"
        lab = Published(tmp_path, canonical if target == canonical else source, reference)
        if lab.repo and target == canonical != source:
            origin = make_repo(tmp_path / "converted", source)
            must(reference("pull-local", f"--repo={origin}", lab.repo))
        else:
            origin = lab.repo
        mine, theirs = make_repo(tmp_path / "a", target), make_repo(tmp_path / "b", target)
        words = [*untrusted, "--depth=-1", str(origin)]
        printed = must(ours("pull-local", f"--repo={mine}", *words))
        expected = must(reference("pull-local", f"--repo={theirs}", *words))
        # The reference links a file of mode 0000 as mode 0400, which then is another object.
        if (source, target) != ("bare-user", canonical):
            assert printed == expected
            assert left_behind(mine) == left_behind(theirs)
        check_both(mine)

    def test_same_mode_objects_are_shared(self, tmp_path: Path, published: Published) -> None:
        repo = make_repo(tmp_path / "c")
        must(ours("pull-local", f"--repo={repo}", published.repo, "main"))
        for name in object_names(repo):
            assert (repo / "objects" / name).samefile(published.repo / "objects" / name)

    @pytest.mark.parametrize("reason", ["other device", "other owner"])
    @pytest.mark.parametrize("mode", MODES)
    def test_where_no_link_can_be_made_same_repository_and_output(
        self, tmp_path: Path, mode: str, reason: str
    ) -> None:
        origin = make_repo(tmp_path / "origin", mode)
        canonical = ["--canonical-permissions"] if mode == "bare-user-only" else []
        commit(origin, "-b", "main", f"--tree=dir={make_tree(tmp_path / 'tree')}", *canonical)
        if reason == "other owner":
            os.chown(origin / "objects", 1000, 1000)
        with elsewhere(tmp_path) as other:
            base = Path(other.label) if reason == "other device" else tmp_path
            for number, words in enumerate(([], ["--untrusted"])):
                mine, theirs = (make_repo(base / f"{name}{number}", mode) for name in "ab")
                printed = must(ours("pull-local", f"--repo={mine}", *words, origin))
                expected = must(reference("pull-local", f"--repo={theirs}", *words, origin))
                assert printed == expected
                assert left_behind(mine) == left_behind(theirs)

    def test_remote_option_stores_remote_refs(self, tmp_path: Path, published: Published) -> None:
        repo = make_repo(tmp_path / "c")
        must(ours("pull-local", f"--repo={repo}", "--remote=up", published.repo, "main"))
        assert list(refs_of(repo)) == ["remotes/up/main"]

    @COMMANDS
    def test_errors(self, tmp_path: Path, published: Published, command: Command) -> None:
        repo = make_repo(tmp_path / "c")

        def message(*words: str | Path) -> str:
            result = command("pull-local", f"--repo={repo}", *words)
            assert result.status == 1
            return result.err.rpartition("error: ")[2].strip()

        assert message(tmp_path / "no") == f"opening repo: opendir({tmp_path}/no): " + (
            "No such file or directory"
        )
        assert message(published.repo, "nosuch") == "Refspec 'nosuch' not found"
        assert message(published.repo, "a:b") == "Invalid ref name a:b"
        assert message("--gpg-verify", published.repo, "main") == (
            "Must specify remote name to enable gpg verification"
        )

    def test_corrupt_source_found_only_when_untrusted(
        self, tmp_path: Path, published: Published
    ) -> None:
        source = make_repo(tmp_path / "s", "bare-user")
        must(ours("pull-local", f"--repo={source}", published.repo, "main"))
        victim = next(path for path in (source / "objects").rglob("*.file") if path.stat().st_size)
        data = victim.read_bytes()
        victim.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        for target in ("bare-user", "archive"):
            trusting, careful = (
                make_repo(tmp_path / f"t-{target}", target),
                make_repo(tmp_path / f"c-{target}", target),
            )
            must(ours("pull-local", f"--repo={trusting}", source, "main"))
            result = ours("pull-local", f"--repo={careful}", "--untrusted", source, "main")
            assert f"Corrupted file object; checksum expected='{victim.parent.name}" in result.err
            assert refs_of(careful) == {}


class TestErrors:
    @COMMANDS
    def test_messages(self, tmp_path: Path, server: ScriptedServer, command: Command) -> None:
        repo = client(tmp_path / "c", server.url)

        def message(*words: str) -> str:
            result = command("pull", f"--repo={repo}", *words)
            assert result.status == 1
            return result.err.rpartition("error: ")[2].strip()

        assert message() == "REMOTE must be specified"
        assert message("nosuch", "main") == 'Remote "nosuch" not found'
        assert message("origin") == "No configured branches for remote origin"
        assert message("origin", "main@abc") == "Invalid rev abc"
        assert message("origin", "a b") == "Invalid ref name a b"
        assert message("http://x") == "Invalid refspec http://x"
        assert message("--dry-run", "origin", "main") == (
            "--dry-run requires --require-static-deltas"
        )
        assert message("--mirror", "origin") == (
            "Fetching all refs was requested in mirror mode, "
            "but remote repository does not have a summary"
        )

    def test_older_commit_refused_with_timestamp_check(
        self, tmp_path: Path, server: ScriptedServer, published: Published
    ) -> None:
        tree = write_files(tmp_path / "tree", {"x": "y"})
        old = must(ours("commit", f"--repo={published.repo}", "-b", "old", "--orphan",
                        f"--tree=dir={tree}", "--timestamp=@1000"))  # fmt: skip
        repo = client(tmp_path / "c", server.url)
        must(ours("pull", f"--repo={repo}", "origin", "main"))
        words = ["--disable-verify-bindings", "origin", f"main@{old}"]
        for check in ("-T", f"--timestamp-check-from-rev={published.commits[2]}"):
            result = ours("pull", f"--repo={repo}", check, *words)
            assert "is chronologically older than current revision" in result.err
            assert refs_of(repo)["remotes/origin/main"] == f"{published.commits[2]}\n"
        must(ours("pull", f"--repo={repo}", *words))

    def test_commit_of_another_branch_refused(
        self, tmp_path: Path, server: ScriptedServer, published: Published
    ) -> None:
        repo = client(tmp_path / "c", server.url)
        checksum = published.commits[0]
        result = ours("pull", f"--repo={repo}", "origin", f"other@{checksum}")
        assert result.err == (
            f"error: Commit {checksum}: Commit has no requested ref ‘other’ "
            "in ref binding metadata (‘main’)\n"
        )


@pytest.mark.parametrize(
    ("first", "second"), [(ours, reference), (reference, ours)], ids=["by-ours", "by-reference"]
)
def test_what_one_left_unfinished_the_other_completes(
    tmp_path: Path, server: ScriptedServer, first: Command, second: Command
) -> None:
    whole = client(tmp_path / "whole", server.url)
    repo = client(tmp_path / "c", server.url)
    for path in (whole, repo):  # with fsync objects are staged
        config = path / "config"
        config.write_text(config.read_text().replace("fsync=false\n", ""))
    must(second("pull", f"--repo={whole}", "origin", "main"))
    victim = sorted(name for name in object_names(whole) if name.endswith(".file"))[0]
    server.faults[f"{victim}z"] = lambda _: Reply(b"", 404)
    failed = first("pull", f"--repo={repo}", "--network-retries=0", "origin", "main")
    assert "Server returned HTTP 404" in failed.err
    staged = {path.name for path in (repo / "tmp").glob("staging-*/??/*.dir*")}
    assert staged
    server.faults.clear()
    server.requests.clear()
    must(second("pull", f"--repo={repo}", "origin", "main"))
    assert not staged & {path.rpartition("/")[2] for path in server.requests}
    assert left_behind(repo) == left_behind(whole)
    assert not list((repo / "tmp").glob("staging-*"))


# A commit in an abandoned staging directory is fetched again: by then a prune may have taken what
# it is made of, and its detached metadata may have changed.
AGAIN = (".commit", ".commitmeta")


@pytest.mark.parametrize("deadly", range(1, 26, 4))
def test_pull_killed_at_any_request_goes_on_where_it_was(
    tmp_path: Path, server: ScriptedServer, deadly: int
) -> None:
    repo = client(tmp_path / "c", server.url)
    # With fsync objects wait in the staging directory, from which the next pull takes them.
    (repo / "config").write_text((repo / "config").read_text().replace("fsync=false\n", ""))
    running: list[subprocess.Popen[bytes]] = []

    def strike(reply: Reply) -> Reply:
        if len(server.requests) >= deadly:
            running[0].kill()
        return reply

    server.faults[""] = strike
    running.append(subprocess.Popen([OURS, "pull", f"--repo={repo}", "origin", "main"]))
    assert running[0].wait() == -signal.SIGKILL
    server.faults.clear()
    check_both(repo)
    assert refs_of(repo) == {}
    staged = {
        path.name for path in (repo / "tmp").glob("staging-*/??/*") if path.suffix not in AGAIN
    }
    server.requests.clear()
    must(run_process(OURS, "pull", f"--repo={repo}", "origin", "main"))
    fetched = {path.rpartition("/")[2].replace(".filez", ".file") for path in server.requests}
    assert not staged & fetched
    check_both(repo)
    assert not list((repo / "state").iterdir())
    assert not list((repo / "tmp").glob("staging-*"))
