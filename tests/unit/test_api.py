"""The calls of `pyostree.Repo`; nothing here needs a name that is not public."""

from __future__ import annotations

import fcntl
import io
import itertools
import json
import os
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gpg_lab import KEYS, gpg_home
from pyostree import (
    Cancel,
    CancelledError,
    CheckoutOptions,
    Checksum,
    CommitModifier,
    CommitOptions,
    ConflictError,
    DevinoCache,
    DiffOptions,
    DirectoryEntry,
    FileEntry,
    FsckOptions,
    InvalidNameError,
    Layer,
    MemoryTree,
    NotADirectoryInTreeError,
    ObjectNotFoundError,
    OstreeError,
    Overwrite,
    PathNotFoundError,
    Phase,
    Progress,
    PruneOptions,
    RefNotFoundError,
    Repo,
    RepoMode,
    SymlinkEntry,
    TreeSource,
    Variant,
)
from repo_lab import (
    check_both,
    make_repo,
    make_tree,
    must,
    object_names,
    reference,
    refs_of,
    write_files,
)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.open(make_repo(tmp_path / "repo", "archive"))


@pytest.fixture
def tree() -> MemoryTree:
    tree = MemoryTree()
    tree.add_file("/etc/config", b'{"a": [1, 2]}', mode=0o640, uid=3, gid=4)
    tree.add_file("/usr/bin/tool", b"#!/bin/sh\n", mode=0o755, xattrs={"user.note": b"1"})
    tree.add_file("/usr/big", b"0123456789" * 300_000)
    tree.add_symlink("/etc/link", "config")
    tree.add_symlink("/bin", "usr/bin")
    tree.add_dir("/var/empty", mode=0o1777)
    return tree


def many_files(count: int) -> MemoryTree:
    tree = MemoryTree()
    for number in range(count):
        tree.add_file(f"d{number % 10}/{number}", b"%d" % number)
    return tree


# -- commits -------------------------------------------------------------------------------


def test_commit_describes_what_was_asked(repo: Repo, tree: MemoryTree) -> None:
    made = repo.commit(
        tree,
        "main",
        CommitOptions(bind_refs=("other",)),
        subject="first",
        body="more",
        metadata={"version": "1.0", "flag": True, "raw": b"\0", "n": Variant("u", 7)},
        detached_metadata={"note": "beside"},
        timestamp=1_700_000_000,
    )
    assert isinstance(made.checksum, Checksum)
    assert made.stats.content_objects_written == 5
    commit = repo.view("main").commit
    assert (commit.subject, commit.body, commit.timestamp) == ("first", "more", 1_700_000_000)
    assert commit.parent is None
    assert dict(commit.metadata) == {
        "version": Variant("s", "1.0"),
        "flag": Variant("b", True),
        "raw": Variant("ay", b"\0"),
        "n": Variant("u", 7),
        "ostree.ref-binding": Variant("as", ("main", "other")),
    }
    assert repo.detached_metadata("main") == {"note": Variant("s", "beside")}


def test_commit_of_unknown_metadata_type_is_refused(repo: Repo, tree: MemoryTree) -> None:
    with pytest.raises(TypeError, match="'version'"):
        repo.commit(tree, metadata={"version": 1.0})  # type: ignore[dict-item]


def test_commit_without_branch_sets_no_ref(repo: Repo, tree: MemoryTree) -> None:
    made = repo.commit(tree)
    assert repo.list_refs() == {}
    assert repo.view(str(made.checksum)[:10]).checksum == made.checksum


def test_commit_parents(repo: Repo, tree: MemoryTree) -> None:
    first = repo.commit(tree, "main").checksum
    second = repo.commit(tree, "main", subject="2").checksum
    aside = repo.commit(tree, "aside", parent="main^").checksum
    alone = repo.commit(tree, "main", parent="none").checksum
    assert [entry.checksum for entry in repo.history(second)] == [second, first]
    assert repo.view(aside).commit.parent == first
    assert repo.view(alone).commit.parent is None
    assert repo.resolve("main") == alone


def test_commit_directory_and_consume_it(repo: Repo, tmp_path: Path) -> None:
    source = write_files(tmp_path / "root", {"a/b": "content"})
    repo.commit(source, "main")
    assert repo.view("main").read_text("a/b") == "content"
    repo.commit(str(source), "main", CommitOptions(consume=True))
    assert not source.exists()


def test_history_ends_where_commits_are_missing(repo: Repo, tree: MemoryTree) -> None:
    tips = [repo.commit(tree, "main", subject=str(n)).checksum for n in range(3)]
    repo.prune(PruneOptions(refs_only=True, depth=1))
    assert [entry.checksum for entry in repo.history("main")] == [tips[2], tips[1]]
    assert [entry.commit.subject for entry in repo.history("main")] == ["2", "1"]


@pytest.mark.parametrize("rev", ["nothing", "main^", "0" * 64])
def test_view_of_what_is_not_there(repo: Repo, tree: MemoryTree, rev: str) -> None:
    repo.commit(tree, "main")
    with pytest.raises(OstreeError):
        repo.view(rev)


# -- looking at files ------------------------------------------------------------------------


def test_view_entries_have_types(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    view = repo.view("main")
    config, link, var = view.entry("etc/config"), view.entry("/etc/link"), view.entry("var/empty/")
    assert isinstance(config, FileEntry)
    assert isinstance(link, SymlinkEntry)
    assert isinstance(var, DirectoryEntry)
    assert (config.path, config.size, config.uid, config.gid) == ("/etc/config", 13, 3, 4)
    assert stat.filemode(config.mode) == "-rw-r-----"
    assert (link.target, stat.filemode(link.mode)) == ("config", "lrwxrwxrwx")
    assert stat.filemode(var.mode) == "drwxrwxrwt"
    tool = view.entry("/usr/bin/tool")
    assert tool.xattrs == ((b"user.note", b"1"),)


def test_view_walk_and_iterdir(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    view = repo.view("main")
    inside_usr = ["/usr", "/usr/big", "/usr/bin", "/usr/bin/tool"]
    assert [entry.path for entry in view.walk("/usr")] == inside_usr
    assert len(list(view.walk())) == 11
    assert [entry.path for entry in view.iterdir()] == ["/bin", "/etc", "/usr", "/var"]
    assert [entry.path for entry in view.walk("etc/link")] == ["/etc/link"]
    with pytest.raises(OstreeError, match="Not a directory: /bin"):
        view.iterdir("/bin")


def test_view_paths_that_lead_nowhere(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    view = repo.view("main")
    for call in (view.entry, view.iterdir, view.open, view.read_bytes):
        with pytest.raises(PathNotFoundError, match="/etc/nothing"):
            call("/etc/nothing")
        with pytest.raises(NotADirectoryInTreeError):
            call("/etc/config/x")
    with pytest.raises(OstreeError, match="directory"):
        view.open("/etc")
    assert view.exists("/bin")
    assert view.exists("/")
    assert not view.exists("/bin/tool")
    assert not view.exists("/nothing")


def test_view_open_gives_a_file(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    view = repo.view("main")
    with view.open("/etc/link") as file:
        assert json.load(file) == {"a": [1, 2]}
    with view.open("/usr/big") as file:
        assert file.readable()
        assert not file.writable()
        assert file.read(15) == b"012345678901234"
        assert file.read(5) == b"56789"
        rest = file.read()
        assert len(rest) == 3_000_000 - 20
        assert file.read() == b""
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read()
    with view.open("/usr/bin/tool") as file, io.TextIOWrapper(file) as text:
        assert text.readline() == "#!/bin/sh\n"


def test_file_stays_open_when_its_repository_is_closed(tmp_path: Path, tree: MemoryTree) -> None:
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as repo:
        repo.commit(tree, "main")
        view = repo.view("main")
        file = view.open("/usr/big")
    with file:
        assert len(file.read()) == 3_000_000
    with pytest.raises(OSError, match="Bad file descriptor"):
        view.entry("/usr/big")


def test_view_open_closes_its_descriptor(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with repo.view("main").open("/usr/big") as file:
            file.read(1)
    assert len(os.listdir("/proc/self/fd")) == before


# -- refs --------------------------------------------------------------------------------------


def test_refs_are_created_listed_and_deleted(repo: Repo, tree: MemoryTree) -> None:
    one, two = (repo.commit(tree, subject=text).checksum for text in "12")
    repo.create_ref("os/stable", one)
    repo.create_ref("os/testing", str(two))
    repo.create_ref("origin:os/stable", "os/stable")
    with pytest.raises(ConflictError, match="os/stable already exists"):
        repo.create_ref("os/stable", two)
    repo.create_ref("os/stable", two, force=True)
    assert repo.list_refs() == {"origin:os/stable": one, "os/stable": two, "os/testing": two}
    assert list(repo.list_refs("os")) == ["os/stable", "os/testing"]
    repo.delete_ref("origin:os/stable")
    for name in ("os", "nothing", "origin:os/stable"):
        with pytest.raises(RefNotFoundError):
            repo.delete_ref(name)
    assert list(repo.list_refs()) == ["os/stable", "os/testing"]


def test_aliases_follow_their_ref(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "v1")
    repo.commit(tree, "v2")
    repo.create_alias("stable", "v1")
    assert repo.resolve("stable") == repo.resolve("v1")
    repo.create_alias("stable", "v2")
    assert repo.list_aliases() == {"stable": "v2"}
    with pytest.raises(ConflictError, match="active alias"):
        repo.delete_ref("v2")
    repo.delete_ref("stable")
    assert list(repo.list_refs()) == ["v1", "v2"]


def test_ref_with_a_broken_file_is_named(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "repo/refs/heads/bad").write_text("nonsense\n")
    with pytest.raises(InvalidNameError) as caught:
        repo.list_refs()
    assert "Ref bad" in caught.value.__notes__


def test_detached_metadata_is_replaced_and_deleted(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    assert repo.detached_metadata("main") == {}
    repo.set_detached_metadata("main", {"a": "1", "b": b"2"})
    repo.set_detached_metadata("main", {"a": Variant("u", 5)})
    assert repo.detached_metadata("main") == {"a": Variant("u", 5)}
    repo.set_detached_metadata("main", {})
    assert repo.detached_metadata("main") == {}
    with pytest.raises(ObjectNotFoundError):
        repo.set_detached_metadata("0" * 64, {"a": "1"})


# -- differences, checkouts ----------------------------------------------------------------------


def test_diff_of_commits_and_directories(repo: Repo, tmp_path: Path) -> None:
    root = write_files(tmp_path / "root", {"same": "1", "changed": "1", "gone/file": "1"})
    repo.commit(root, "main")
    write_files(root, {"changed": "2", "new/file": "2"})
    (root / "gone/file").unlink()
    (root / "gone").rmdir()
    repo.commit(root, "main")
    seen: list[Progress] = []
    found = repo.diff("main^", "main", progress=seen.append)
    assert (found.modified, found.removed) == (["/changed"], ["/gone"])
    assert found.added == ["/new", "/new/file"]
    assert {progress.phase for progress in seen} == {Phase.COMPARE}
    local = repo.diff("main^", root, DiffOptions(with_xattrs=False))
    assert (local.modified, local.added) == (["/changed"], ["new", "new/file"])
    same = repo.diff(repo.resolve("main"), root)
    assert same == ([], [], [])


def test_checkout_whole_part_and_into_what_is_there(
    repo: Repo, tmp_path: Path, tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.commit(tree, "main")
    user = CheckoutOptions(user_mode=True)
    repo.checkout("main", tmp_path / "all", user)
    assert (tmp_path / "all/usr/bin/tool").read_text() == "#!/bin/sh\n"
    monkeypatch.chdir(tmp_path)
    repo.checkout("main", "part", user, subpath="/usr/bin")
    assert os.listdir("part") == ["tool"]
    with pytest.raises(FileExistsError):
        repo.checkout("main", "part", user)
    repo.checkout("main", "part", user._replace(overwrite=Overwrite.UNION))
    assert (tmp_path / "part/etc/config").exists()
    with pytest.raises(PathNotFoundError):
        repo.checkout("main", "other", user, subpath="/nothing")


def test_commit_of_a_checkout_reads_only_what_changed(tmp_path: Path) -> None:
    noted: DevinoCache = {}
    out = tmp_path / "out"
    with Repo.create(tmp_path / "repo", RepoMode.BARE_USER) as repo:
        repo.commit(many_files(40), "main")
        repo.checkout("main", out, CheckoutOptions(user_mode=True, devino=noted))
        (out / "d1/new").write_text("new")
        made = repo.commit(out, "main", CommitOptions(devino=noted))
        assert made.stats.devino_cache_hits == 40
        assert repo.diff("main^", "main").added == ["/d1/new"]


def test_checkout_reports_totals_before_the_first_file(repo: Repo, tmp_path: Path) -> None:
    repo.commit(many_files(700), "main")
    seen: list[Progress] = []
    repo.checkout("main", tmp_path / "out", CheckoutOptions(user_mode=True), progress=seen.append)
    writes = [progress for progress in seen if progress.phase is Phase.WRITE]
    assert (writes[0].done, writes[0].total) == (0, 700)
    assert (writes[-1].done, writes[-1].is_finished) == (700, True)


def test_export_to_path_and_stream_and_back(repo: Repo, tmp_path: Path, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    seen: list[Progress] = []
    repo.export("main", tmp_path / "all.tar", progress=seen.append)
    stream = io.BytesIO()
    repo.export("main", stream, subpath="/usr", prefix="there/")
    with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as archive:
        assert "there/bin/tool" in archive.getnames()
    assert seen[-1].is_finished
    again = repo.commit(TreeSource("tar", str(tmp_path / "all.tar")), "again")
    names = [entry.path for entry in repo.view("main").walk()]
    assert [entry.path for entry in repo.view(again.checksum).walk()] == names
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        repo.export("main", tmp_path / "none.tar", cancel=cancel)
    assert not (tmp_path / "none.tar").exists()


@pytest.mark.parametrize("mode", [RepoMode.ARCHIVE, RepoMode.BARE_USER])
def test_checkout_cancelled_stops_early(tmp_path: Path, mode: RepoMode) -> None:
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.phase is Phase.WRITE:
            cancel.cancel()

    before = len(os.listdir("/proc/self/fd"))
    with Repo.create(tmp_path / "repo", mode) as repo:
        repo.commit(many_files(3000), "main")
        with pytest.raises(CancelledError):
            repo.checkout(
                "main",
                tmp_path / "out",
                CheckoutOptions(user_mode=True),
                progress=stop,
                cancel=cancel,
            )
    written = sum(1 for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert written < 3000
    assert threading.active_count() == 1
    assert len(os.listdir("/proc/self/fd")) <= before


# -- cancelling and errors -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["archive", "bare", "bare-user"])
@pytest.mark.parametrize("source", ["memory", "disk"])
@pytest.mark.parametrize("how", ["token", "error"])
def test_commit_stopped_leaves_the_repository_as_it_was(
    tmp_path: Path, mode: str, source: str, how: str
) -> None:
    place = make_repo(tmp_path / "repo", mode, fsync="true")
    old = write_files(tmp_path / "old", {"a": "1"})
    new = write_files(tmp_path / "new", {f"d{n % 7}/{n}": str(n) for n in range(500)})
    os.environ["OSTREE_SUPPRESS_SYNCFS"] = "1"
    cancel = Cancel()

    def stop(progress: Progress) -> None:
        if progress.phase is Phase.READ:
            if how == "error":
                raise RuntimeError("no more")
            cancel.cancel()

    with Repo.open(place) as repo:
        kept = repo.commit(old, "main", timestamp=1).checksum
        before = (object_names(place), refs_of(place))
        tree = many_files(500) if source == "memory" else new
        with pytest.raises(CancelledError if how == "token" else RuntimeError):
            repo.commit(tree, "main", progress=stop, cancel=cancel)
        assert (object_names(place), refs_of(place)) == before
        assert repo.resolve("main") == kept
        assert threading.active_count() == 1
        assert repo.commit(tree, "main").checksum != kept  # it still works
        assert repo.fsck().is_clean
    check_both(place)


def test_commit_of_an_archive_in_a_pipe(repo: Repo, tmp_path: Path) -> None:
    write_files(tmp_path / "root", {"a/b": "content"})
    command = ["tar", "-C", tmp_path / "root", "-cz", "."]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
        assert tar.stdout is not None
        made = repo.commit(TreeSource("tar", f"/dev/fd/{tar.stdout.fileno()}"), "main")
    assert repo.view(made.checksum).read_text("a/b") == "content"


class LateCancel(Cancel):
    """Cancels when it was asked often enough."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def check(self) -> None:
        self.left -= 1
        if not self.left:
            self.cancel()
        super().check()


@pytest.mark.parametrize("mode", ["archive", "bare-user"])
def test_commit_cancelled_at_any_point_changes_nothing(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTREE_SUPPRESS_SYNCFS", "1")
    place = make_repo(tmp_path / "repo", mode, fsync="true", auto_update_summary="true")
    root = write_files(tmp_path / "root", {"a": "1", "b/c": "2"})
    with Repo.open(place) as repo:
        repo.commit(root, "main", timestamp=1)
        before = (object_names(place), refs_of(place), (place / "summary").read_bytes())
        write_files(root, {"a": "new", "d/e/f": "3", "g": "4"})
        for calls in itertools.count(1):
            cancel = LateCancel(calls)
            try:
                repo.commit([root, many_files(5)], "main", cancel=cancel)
            except CancelledError:
                after = (object_names(place), refs_of(place), (place / "summary").read_bytes())
                assert after == before
                assert not (place / "tmp" / "transaction").exists()
            else:
                break
        assert calls > 15
        assert cancel.left > 0
        assert repo.fsck().is_clean
    check_both(place)


@pytest.mark.parametrize("mode", [RepoMode.ARCHIVE, RepoMode.BARE_USER])
def test_call_cancelled_in_the_middle_leaves_no_helper_behind(
    tmp_path: Path, mode: RepoMode
) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    out = tmp_path / "out"
    as_user = CheckoutOptions(user_mode=True)
    with Repo.create(tmp_path / "repo", mode) as repo:
        repo.disable_fsync()
        repo.commit(many_files(1000), "main")
        repo.commit(many_files(1000), "main", parent="none")
        repo.checkout("main", out, as_user)
        calls: list[Callable[[Cancel], object]] = [
            lambda cancel: repo.fsck(cancel=cancel),
            lambda cancel: repo.checkout("main", tmp_path / "again", as_user, cancel=cancel),
            lambda cancel: repo.export("main", tmp_path / "tar", cancel=cancel),
            lambda cancel: repo.diff("main", out, cancel=cancel),
            lambda cancel: repo.prune(PruneOptions(refs_only=True), cancel=cancel),
        ]
        for call in calls:
            cancel = LateCancel(4)
            with pytest.raises(CancelledError):
                call(cancel)
            assert threading.active_count() == 1
            with pytest.raises(ChildProcessError):  # there are no children
                os.waitpid(-1, os.WNOHANG)
        assert repo.fsck().is_clean
    assert len(os.listdir("/proc/self/fd")) <= descriptors


@pytest.mark.parametrize("mode", [RepoMode.ARCHIVE, RepoMode.BARE_USER])
@pytest.mark.parametrize("source", ["disk", "memory", "stream", "tar"])
def test_large_file_is_cancelled_in_the_middle(tmp_path: Path, mode: RepoMode, source: str) -> None:
    (tmp_path / "root").mkdir()
    path = tmp_path / "root/big"
    with path.open("wb") as file:
        file.truncate((65 if source == "tar" else 24) << 20)
    tree = MemoryTree()
    layers: dict[str, Layer] = {"disk": path.parent, "memory": tree, "stream": tree}
    if source == "tar":
        with tarfile.open(tmp_path / "big.tar", "w") as archive:
            archive.add(path, "big")
        layers["tar"] = TreeSource("tar", str(tmp_path / "big.tar"))
    with Repo.create(tmp_path / "repo", mode) as repo, path.open("rb") as stream:
        tree.add_file("big", path if source == "memory" else stream)
        cancel = LateCancel(12)
        options = CommitOptions(tar_autocreate_parents=True)
        with pytest.raises(CancelledError):
            repo.commit(layers[source], "main", options, cancel=cancel)
        assert repo.list_refs() == {}
        assert cancel.left > -3


def test_commit_cancelled_from_another_thread(tmp_path: Path) -> None:
    cancel = Cancel()
    started = threading.Event()
    with Repo.create(tmp_path / "repo", RepoMode.BARE_USER) as repo:
        stopper = threading.Thread(target=lambda: (started.wait(), cancel.cancel()))
        stopper.start()

        def begin(_progress: Progress) -> None:
            started.set()
            stopper.join()

        with pytest.raises(CancelledError, match="Operation was cancelled"):
            repo.commit(many_files(50), "main", progress=begin, cancel=cancel)
        assert repo.list_refs() == {}


@pytest.mark.parametrize("name", ["prune", "fsck", "diff", "checkout"])
def test_call_cancelled_before_it_begins_does_nothing(
    repo: Repo, tree: MemoryTree, tmp_path: Path, name: str
) -> None:
    repo.commit(tree, "main")
    repo.commit(MemoryTree(), "main")
    repo.create_ref("main", "main^", force=True)
    before = object_names(tmp_path / "repo")
    cancel = Cancel()
    cancel.cancel()
    calls: dict[str, Callable[[], object]] = {
        "prune": lambda: repo.prune(PruneOptions(refs_only=True, depth=0), cancel=cancel),
        "fsck": lambda: repo.fsck(cancel=cancel),
        "diff": lambda: repo.diff("main", "main", cancel=cancel),
        "checkout": lambda: repo.checkout("main", tmp_path / "out", cancel=cancel),
    }
    with pytest.raises(CancelledError):
        calls[name]()
    assert object_names(tmp_path / "repo") == before
    assert repo.fsck().is_clean


# -- maintenance -----------------------------------------------------------------------------------


def test_prune_counts_and_reports(repo: Repo) -> None:
    repo.commit(many_files(40), "main")
    repo.delete_ref("main")
    seen: list[Progress] = []
    kept = repo.prune()
    assert kept.deleted == 0
    done = repo.prune(PruneOptions(refs_only=True), progress=seen.append)
    assert done.deleted == done.total == 40 + 1 + 1 + 10 + 1
    assert {progress.phase for progress in seen} == {Phase.SCAN, Phase.DELETE}


def test_fsck_returns_problems(repo: Repo, tmp_path: Path, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    seen: list[Progress] = []
    report = repo.fsck(progress=seen.append)
    assert (report.commits, report.problems, report.notes) == (1, (), ())
    assert report.is_clean
    assert seen[-1].is_finished
    assert seen[-1].done == seen[-1].total
    victim = repo.view("main").entry("/usr/big")
    assert isinstance(victim, FileEntry)
    name = str(victim.checksum)
    path = tmp_path / "repo/objects" / name[:2] / f"{name[2:]}.filez"
    path.unlink()
    report = repo.fsck()
    assert not report.is_clean
    assert report.commits is None
    assert any(name in problem for problem in report.problems)
    again = repo.fsck(FsckOptions(delete=True))
    assert again.problems


def test_fsck_of_a_ref_without_commit_is_a_problem(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "repo/refs/heads/bad").write_text("0" * 64 + "\n")
    report = repo.fsck()
    assert any("0" * 64 in problem for problem in report.problems)


# -- opening ---------------------------------------------------------------------------------------


def test_open_and_create(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Repo.open(tmp_path / "nothing")
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE, collection_id="org.example.Os") as made:
        assert type(made) is Repo
        assert made.mode is RepoMode.ARCHIVE
    with Repo.create(tmp_path / "repo", RepoMode.BARE) as same:
        assert same.mode is RepoMode.ARCHIVE
        assert same.collection_id == "org.example.Os"
    with Repo.open(str(tmp_path / "repo")) as opened:
        assert opened.writable


def test_read_only_repository_refuses_every_change(repo: Repo, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    repo.writable = False
    calls: list[Callable[[], object]] = [
        lambda: repo.commit(tree, "main"),
        lambda: repo.create_ref("new", "main"),
        lambda: repo.create_alias("new", "main"),
        lambda: repo.delete_ref("main"),
        lambda: repo.set_detached_metadata("main", {"a": "b"}),
        lambda: repo.update_summary(),
        lambda: repo.prune(),
    ]
    for call in calls:
        with pytest.raises(PermissionError):
            call()
    assert repo.prune(PruneOptions(no_prune=True)).deleted == 0
    assert repo.fsck().is_clean


@pytest.mark.parametrize("name", ["commit", "prune"])
def test_call_that_waits_for_others_can_be_cancelled(
    repo: Repo, tree: MemoryTree, tmp_path: Path, name: str
) -> None:
    repo.commit(tree, "main")
    calls: dict[str, Callable[[Cancel], object]] = {
        "commit": lambda cancel: repo.commit(tree, "main", cancel=cancel),
        "prune": lambda cancel: repo.prune(cancel=cancel),
    }
    with open(tmp_path / "repo/.lock", "rb+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)  # excludes the library's, which is of another kind
        cancel = LateCancel(5)
        with pytest.raises(CancelledError):
            calls[name](cancel)
        assert cancel.left == 0
    calls[name](Cancel())


def test_modifier_is_used(repo: Repo, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "root")
    modifier = CommitModifier(owner_uid=11, owner_gid=12, skip_list=frozenset({"/etc"}))
    repo.commit(root, "main", modifier=modifier)
    entries = list(repo.view("main").walk())
    assert {(entry.uid, entry.gid) for entry in entries} == {(11, 12)}
    assert not any(entry.path.startswith("/etc") for entry in entries)


# -- publishing ------------------------------------------------------------------------------------


def test_summary_lists_refs_and_extra_keys(repo: Repo, tmp_path: Path, tree: MemoryTree) -> None:
    repo.commit(tree, "main")
    repo.update_summary({"my.key": "value"})
    shown = must(reference("summary", f"--repo={tmp_path / 'repo'}", "-v"))
    assert "* main" in shown
    assert "my.key: 'value'" in shown


def test_commit_and_summary_are_signed(repo: Repo, tmp_path: Path, tree: MemoryTree) -> None:
    with gpg_home() as home:
        signed = CommitOptions(gpg_keys=KEYS[:1], gpg_home=str(home.path))
        repo.commit(tree, "main", signed, detached_metadata={"note": "kept"})
        repo.update_summary(gpg_keys=KEYS[:1], gpg_home=home.path)
    assert repo.detached_metadata("main").keys() == {"note", "ostree.gpgsigs"}
    assert (tmp_path / "repo/summary.sig").stat().st_size > 0
