"""SELinux labels of commits and checkouts, compared with the reference's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.repo_lab import MODES, commit, make_repo, must, ours, reference, xattrs_of

from pyostree.fs.selinux import FileContexts

CONTEXTS = """\
/.*\tsystem_u:object_r:default_t:s0
/\t-d\tsystem_u:object_r:root_t:s0
/usr(/.*)?\tsystem_u:object_r:usr_t:s0
/usr/bin/.*\t--\tsystem_u:object_r:bin_t:s0
/etc(/.*)?\tsystem_u:object_r:etc_t:s0
/etc/shadow\t--\tsystem_u:object_r:shadow_t:s0
/mnt\t-d\tsystem_u:object_r:mnt_t:s0
/none(/.*)?\t<<none>>
/link\t-l\tsystem_u:object_r:link_t:s0
"""
LABEL = "security.selinux"
EXISTING = b"system_u:object_r:old_t:s0\0"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may set labels")


def make_policy(root: Path, *, below: str = "etc", config: str | None = None) -> Path:
    """Write a small policy into a root file system."""
    home = root / below / "selinux"
    (home / "mini/contexts/files").mkdir(parents=True)
    (home / "mini/policy").mkdir()
    (home / "config").write_text(config or "# c\nSELINUX=enforcing\nSELINUXTYPE=mini\n")
    (home / "mini/contexts/files/file_contexts").write_text(CONTEXTS)
    (home / "mini/policy/policy.31").write_bytes(b"never read")
    return root


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("selinux")
    tree = top / "tree"
    for name in ("usr/bin/sh", "usr/etc/shadow", "etc/shadow", "none/file", "other"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / "proc").mkdir()
    (tree / "link").symlink_to("other")
    if os.geteuid() == 0:
        for name in ("none/file", "usr/bin/sh"):
            os.setxattr(tree / name, LABEL, EXISTING)
    make_policy(top / "policy")
    make_policy(top / "newer", below="usr/etc")
    return top


def labels_in(repo: Path, ref: str = "x") -> dict[str, str]:
    """Return what ``ls -X`` says of each path."""
    lines = must(ours("ls", f"--repo={repo}", "-R", "-X", ref)).splitlines()
    rows = (line[line.index("{") :].partition(" } ") for line in lines)
    return {path.split(" -> ")[0]: label[2:] for label, _, path in rows}


def commits(
    tmp_path: Path,
    *words: str | Path,
    mode: str = "archive",
    prepare: Callable[[Path], None] | None = None,
) -> Path:
    """Commit with both commands, which must make the same; return our repository."""
    made = {}
    for command in (ours, reference):
        repo = make_repo(tmp_path / f"{command.__name__}-{mode}", mode)
        if prepare is not None:
            prepare(repo)
        made[command.__name__] = commit(repo, "-b", "x", *words, command=command)
    assert made["ours"] == made["reference"]
    return tmp_path / f"ours-{mode}"


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "bare-user-only"])
def test_commit_labels_by_path_and_type(places: Path, tmp_path: Path, mode: str) -> None:
    if mode == "bare" and os.geteuid() != 0:
        mode = "archive"
    options = (f"--tree=dir={places / 'tree'}", f"--selinux-policy={places / 'policy'}")
    found = labels_in(commits(tmp_path, *options, mode=mode))
    assert found["/"] == "[(b'security.selinux', b'system_u:object_r:root_t:s0')]"
    assert "bin_t" in found["/usr/bin/sh"]
    assert "link_t" in found["/link"]
    assert "mnt_t" in found["/proc"]  # which no policy names
    assert "usr_t" in found["/usr/etc/shadow"]
    assert found["/none"] == "@a(ayay) []"
    assert "old_t" in found["/none/file"] or os.geteuid() != 0


@pytest.mark.parametrize("option", ["--no-xattrs", "--canonical-permissions"])
def test_commit_labels_beside_options_that_drop_xattrs(
    places: Path, tmp_path: Path, option: str
) -> None:
    options = (f"--tree=dir={places / 'tree'}", f"--selinux-policy={places / 'policy'}", option)
    found = labels_in(commits(tmp_path, *options))
    assert "bin_t" in found["/usr/bin/sh"]
    assert found["/none/file"] == "@a(ayay) []"


def test_commit_labels_follow_the_committed_mode(places: Path, tmp_path: Path) -> None:
    (tmp_path / "modes").write_text("=256 /usr/bin/sh\n")
    commits(
        tmp_path,
        f"--tree=dir={places / 'tree'}",
        f"--selinux-policy={places / 'policy'}",
        f"--statoverride={tmp_path / 'modes'}",
    )


def _add_refs(places: Path) -> Callable[[Path], None]:
    def prepare(repo: Path) -> None:
        commit(repo, "-b", "newer", places / "newer", command=reference)
        commit(repo, "-b", "plain", places / "tree", command=reference)

    return prepare


@pytest.mark.parametrize(
    ("options", "labelled"),
    [
        (["--tree=dir=policy", "--tree=dir=tree", "-P"], True),
        (["-P", "newer"], True),
        (["--tree=dir=tree", "-P"], False),
        (["--tree=ref=newer", "--tree=dir=tree", "-P"], True),
        (["--base=newer", "--tree=dir=tree", "-P"], True),
        (["--base=plain", "--tree=dir=policy", "-P"], False),
        (["--tree=ref=plain", "--selinux-policy=newer"], True),
        (["--tree=ref=plain", "-P"], False),
    ],
    ids=str,
)
def test_commit_policy_comes_from_the_lowest_layer(
    places: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    labelled: bool,
) -> None:
    monkeypatch.chdir(places)
    found = labels_in(commits(tmp_path, *options, prepare=_add_refs(places)))
    assert ("root_t" in found["/"]) is labelled


@pytest.mark.parametrize(
    "config",
    [
        "SELINUX=disabled\n SELINUX=enforcing\nSELINUXTYPE=mini\n",
        "SELINUX=PERMISSIVEx\nSELINUXTYPE=other\nSELINUXTYPE=  mini  \n",
        "SELINUX=enforcing\nSELINUX=disabled\nSELINUXTYPE=mini",
        "SELINUX= enforcing\nSELINUXTYPE=mini\n",
        "SELINUXTYPE=mini\n",
        "SELINUX=enforcing\nSELINUXTYPE=x/../mini\n",
    ],
)
def test_commit_reads_the_configuration_as_reference(
    places: Path, tmp_path: Path, config: str
) -> None:
    if "x/.." in config:  # resolved as text there, as a path here
        config = config.replace("x/../", "./")
    policy = make_policy(tmp_path / "policy", config=config)
    commits(tmp_path, f"--tree=dir={places / 'tree'}", f"--selinux-policy={policy}")


def _break(policy: Path, what: str) -> None:
    mini = policy / "etc/selinux/mini"
    contexts = mini / "contexts/files/file_contexts"
    match what:
        case "no contexts":
            contexts.unlink()
        case "no label for /":
            contexts.write_text("/usr system_u:object_r:usr_t:s0\n")
        case "no fields":
            contexts.write_text(CONTEXTS + "/bad\n")
        case "no policies":
            shutil.rmtree(mini / "policy")
        case "no policy":
            (mini / "policy/policy.31").rename(mini / "policy/policy.x")
        case "config is a directory":
            (policy / "etc/selinux/config").unlink()
            (policy / "etc/selinux/config").mkdir()
        case "broken pattern":
            contexts.write_text(CONTEXTS + "/[(\tsystem_u:object_r:usr_t:s0\n")
        case "nothing":
            shutil.rmtree(policy)


@pytest.mark.parametrize(
    "what",
    [
        "no contexts",
        "no label for /",
        "no fields",
        "no policies",
        "no policy",
        "config is a directory",
        "broken pattern",
        "nothing",
    ],
)
@pytest.mark.parametrize("command", ["commit", "checkout"])
def test_damaged_policy_is_refused_like_reference(
    places: Path, tmp_path: Path, what: str, command: str
) -> None:
    policy = make_policy(tmp_path / "policy")
    _break(policy, what)
    repo = make_repo(tmp_path / "repo", "bare-user")
    commit(repo, "-b", "x", f"--tree=dir={places / 'policy'}")
    words: list[str | Path] = ["-b", "y", places / "tree"]
    if command == "checkout":
        words = ["x", tmp_path / "out"]
    errors = []
    for run in (ours, reference):
        result = run(command, f"--repo={repo}", f"--selinux-policy={policy}", *words)
        assert result.status == 1
        last = result.err.splitlines()[-1]
        errors.append(_without_descriptor(last, policy))
    if what == "broken pattern":  # the reference sees it only where it is needed
        assert errors[0].startswith("error: ")
        return
    assert errors[0] == errors[1]


def _without_descriptor(line: str, policy: Path) -> str:
    head, lead, tail = line.partition("/proc/self/fd/")
    return head + str(policy) + "/" + tail.partition("/")[2] if lead else line


@pytest.mark.parametrize(
    "options",
    [
        ["--selinux-policy=policy", "-P"],
        ["--selinux-policy=nowhere", "-F", "nothing"],
        ["--selinux-policy=nowhere", "--owner-uid=3", "--canonical-permissions"],
        ["--selinux-policy=nowhere", "--skip-list=no-list"],
        ["-P", "-F", "nothing"],
        ["-P", "--tree=tar=none"],
        ["-P", "--tree=tar=none", "--base=nothing"],
        ["-P", "--tree=ref=x^"],
        ["-P", "--tree=dir=nowhere"],
    ],
    ids=str,
)
def test_commit_contradictions_in_the_order_of_the_reference(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(places)
    repo = make_repo(tmp_path / "repo")
    commit(repo, "-b", "x", f"--tree=dir={places / 'policy'}")
    results = [run("commit", f"--repo={repo}", "-b", "y", *options) for run in (ours, reference)]
    assert results[0] == results[1]
    assert results[0].status == 1


def test_commit_epoch_1_labels_default_etc_as_etc(places: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    beside = tmp_path / "tree/usr/etcetera/usr/etc"
    beside.mkdir(parents=True)
    options = (
        f"--tree=dir={places / 'tree'}",
        f"--tree=dir={tmp_path / 'tree'}",
        f"--selinux-policy={places / 'policy'}",
    )
    commit(repo, "-b", "x", "--selinux-labeling-epoch=1", *options)
    found = labels_in(repo)
    assert "usr_t" in found["/usr/etcetera"]
    assert "usr_t" in found["/usr/etcetera/usr/etc"]
    assert "shadow_t" in found["/usr/etc/shadow"]
    assert "etc_t" in found["/usr/etc"]
    assert "bin_t" in found["/usr/bin/sh"]
    refused = ours("commit", f"--repo={repo}", "-b", "x", "--selinux-labeling-epoch=2", *options)
    assert refused.err == "error: Unknown SELinux labeling epoch: 2\n"


def test_commit_labels_not_where_they_cannot_be_kept(places: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", "bare-user-only")
    options = (f"--tree=dir={places / 'tree'}", f"--selinux-policy={places / 'policy'}")
    commit(repo, "-b", "x", *options)
    for run in (ours, reference):
        must(run("fsck", f"--repo={repo}", "-q"))


@needs_root
def test_commit_labelled_checkout_again_hits_the_cache(places: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", "bare")
    policy = f"--selinux-policy={places / 'policy'}"
    first = commit(repo, "-b", "x", policy, places / "tree")
    must(ours("checkout", f"--repo={repo}", "-H", "x", tmp_path / "out"))
    table = must(
        ours(
            "commit",
            f"--repo={repo}",
            "--timestamp=@1700000000",
            "--parent=none",
            "-b",
            "x",
            "--link-checkout-speedup",
            "--table-output",
            policy,
            tmp_path / "out",
        )
    )
    assert first in table
    assert "Content Written: 0\nContent Cache Hits: 6\n" in table


@needs_root
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--selinux-prefix=/usr"],
        ["--subpath=/usr/bin"],
        ["--subpath=/usr/bin/sh"],
        ["-U"],
        ["--union"],
        ["-H"],
    ],
    ids=str,
)
@pytest.mark.parametrize("ref", ["labelled", "plain"])
def test_checkout_labels_files_like_reference(
    places: Path, tmp_path: Path, options: list[str], ref: str
) -> None:
    repo = make_repo(tmp_path / "repo", "bare")
    policy = places / "policy"
    commit(repo, "-b", "labelled", f"--selinux-policy={policy}", places / "tree")
    commit(repo, "-b", "plain", places / "tree")
    (tmp_path / "list").write_text("/none/\n/none/file\n")  # the reference crashes without a label
    options = [f"--selinux-policy={policy}", f"--skip-list={tmp_path / 'list'}", *options]
    seen = []
    for command in (ours, reference):
        target = tmp_path / command.__name__
        result = command("checkout", f"--repo={repo}", *options, ref, target)
        files = [path for path in target.rglob("*") if path.is_file() and not path.is_symlink()]
        seen.append((result, {path.relative_to(target): xattrs_of(path) for path in files}))
    assert seen[0] == seen[1]


@needs_root
def test_checkout_labels_directories_and_symlinks(places: Path, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo", "bare")
    commit(repo, "-b", "x", places / "tree")
    must(
        ours(
            "checkout",
            f"--repo={repo}",
            f"--selinux-policy={places / 'policy'}",
            "x",
            tmp_path / "out",
        )
    )
    found = {
        name: dict(xattrs_of(tmp_path / "out" / name)).get(LABEL)
        for name in ("", "usr", "link", "none/file")
    }
    assert found == {
        "": b"system_u:object_r:root_t:s0",
        "usr": b"system_u:object_r:usr_t:s0",
        "link": b"system_u:object_r:link_t:s0",
        "none/file": None,
    }


@pytest.mark.parametrize(
    "options",
    [
        ["--selinux-prefix=/usr"],
        ["--selinux-policy=nowhere", "--skip-list=none"],
        ["--selinux-policy=nowhere", "--union", "--union-add"],
        ["--selinux-policy=nowhere", "-H"],
        ["--selinux-prefix=/usr", "--union-identical"],
    ],
    ids=str,
)
def test_checkout_contradictions_in_the_order_of_the_reference(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(places)
    repo = make_repo(tmp_path / "repo")
    commit(repo, "-b", "x", places / "newer")
    words = (f"--repo={repo}", *options, "x", tmp_path / "out")
    assert ours("checkout", *words) == reference("checkout", *words)


def test_policy_links_stay_inside_the_root(places: Path, tmp_path: Path) -> None:
    outside = make_policy(tmp_path / "outside")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "etc").symlink_to(outside / "etc")
    repo = make_repo(tmp_path / "repo")
    commit(repo, "-b", "x", f"--selinux-policy={inside}", f"--tree=dir={places / 'newer'}")
    assert "[(" not in "".join(labels_in(repo).values())


def test_policy_compiled_contexts_are_left_alone(places: Path, tmp_path: Path) -> None:
    policy = make_policy(tmp_path / "policy")
    (policy / "etc/selinux/mini/contexts/files/file_contexts.bin").write_bytes(b"\xff" * 4096)
    repo = make_repo(tmp_path / "repo")
    commit(repo, "-b", "x", f"--selinux-policy={policy}", f"--tree=dir={places / 'newer'}")
    assert "root_t" in labels_in(repo)["/"]


def test_policy_without_a_name_is_an_error(places: Path, tmp_path: Path) -> None:
    policy = make_policy(tmp_path / "policy", config="SELINUX=enforcing\n")
    repo = make_repo(tmp_path / "repo")
    result = ours("commit", f"--repo={repo}", "-b", "x", f"--selinux-policy={policy}", policy)
    assert result.err == f"error: {policy}/etc/selinux/config names no SELINUXTYPE\n"


def test_missing_library_is_named(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyostree.fs import selinux

    monkeypatch.setattr(selinux, "_LIBRARY", "libno-such-library.so.1")
    selinux._library.cache_clear()
    repo = make_repo(tmp_path / "repo")
    policy = places / "policy"
    result = ours("commit", f"--repo={repo}", "-b", "x", f"--selinux-policy={policy}", policy)
    selinux._library.cache_clear()
    assert result.status == 1
    assert "SELinux labels need libno-such-library.so.1" in result.err


def test_file_contexts_honours_substitutions_and_local_additions() -> None:
    contexts = FileContexts(
        {
            "file_contexts": CONTEXTS.encode(),
            "file_contexts.local": b"/srv(/.*)?\tsystem_u:object_r:srv_t:s0\n",
            "file_contexts.subs": b"/data /srv\n",
        }
    )
    assert contexts.look_up("/data/x", 0o100644) == b"system_u:object_r:srv_t:s0"
    assert contexts.look_up("/none/x", 0o100644) is None


def test_file_contexts_serve_many_threads_and_copies_of_the_process() -> None:
    contexts = FileContexts({"file_contexts": CONTEXTS.encode()})

    def look_up(number: int) -> bool:
        path = f"/usr/bin/{number}" if number % 2 else f"/usr/lib/{number}"
        wanted = b"bin_t" if number % 2 else b"usr_t"
        return wanted in (contexts.look_up(path, 0o100755) or b"")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look_up, range(2000)))
    if (child := os.fork()) == 0:
        os._exit(0 if all(map(look_up, range(100))) else 1)
    assert os.waitpid(child, 0)[1] == 0
