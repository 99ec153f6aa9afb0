"""Every option of ``commit`` does in ours what it does in the reference: output, objects, refs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from repo_lab import (
    MODES,
    Command,
    Result,
    check_both,
    copy_tree,
    listing,
    make_repo,
    make_tree,
    must,
    ours,
    reference,
    refs_of,
    stored_objects,
    write_files,
)

BRANCH = ("-b", "main")
TIME = ("--timestamp=@1700000000",)


class Outcome(NamedTuple):
    """All that a commit leaves behind, apart from its messages."""

    status: int
    out: str
    objects: dict[str, Any]
    refs: dict[str, str]
    sources: dict[str, object]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Places that tests copy: a repository, trees to commit and files for options, by mode."""
    root = tmp_path_factory.mktemp("templates")
    for mode in MODES:
        make_place(root / mode, mode)
    return root


@pytest.fixture
def archive_place(templates: Path, tmp_path: Path) -> Path:
    """The place of one mode, for what does not depend on it."""
    return copy_tree(templates / "archive", tmp_path / "place")


def make_place(root: Path, mode: str) -> Path:
    root.mkdir()
    make_tree(root / "tree")
    write_files(root / "upper", {"hello": "other", "bin/new": "n", "var/tmp/in": "i"})
    (root / "upper").chmod(0o711)
    (root / "upper/bin").chmod(0o700)
    (root / "upper/etc").symlink_to("elsewhere")
    shutil.copytree(root / "upper", root / "overlay", symlinks=True)
    (root / "overlay/etc").unlink()
    write_files(root / "kernel", {"usr/lib/modules/6.1/vmlinuz": "k", "usr/lib/modules/no/x": ""})
    shutil.copytree(root / "kernel", root / "kernels")
    write_files(root / "kernels", {"usr/lib/modules/5.0/vmlinuz": "k"})
    write_files(
        root,
        {
            "statoverride": "2048 /bin/tool\n=420 /bin/su\n+1 /hello\n0x40 /empty\n",
            "statoverride-unmatched": "2048 /nothing\n=0 /never\n1 /nor/this\n",
            "statoverride-bad": "2048\n",
            "skip": "/etc/deep\n/hello\n\n/bin/sh\n",
            "skip-unmatched": "/hello\n/missing\n/etc/\n",
            "skip-all": "/\n",
            "skip-link": "/bin/added\n",
            "body": "First line\n\n  indented\n",
            "not-utf8": b"\xff\xfe",
        },
    )
    repo = make_repo(root / "repo", mode)
    commit = ("commit", f"--repo={repo}", "--timestamp=@1600000000", "--owner-uid=0")
    must(
        ours(
            *commit,
            *("-b", "old/base", "--add-metadata-string=version=7", "--add-metadata=n=uint32 5"),
            root / "tree",
        )
    )
    must(ours(*commit, "-b", "main", "-s", "first", root / "upper"))
    must(ours(*commit, "-b", "main", "-s", "second", root / "overlay"))
    must(ours(*commit, "--orphan", root / "kernel"))
    return root


def outcome(result: Result, place: Path) -> Outcome:
    repo = place / "repo"
    trees = {name: listing(place / name) for name in ("tree", "upper") if (place / name).exists()}
    return Outcome(
        result.status, result.out, dict(stored_objects(repo)), refs_of(repo), dict(trees)
    )


def contents(found: Outcome) -> dict[str, object]:
    """Return what objects hold, without what adopted files keep of their own.

    The reference leaves them their time, and lets them replace objects that exist.
    """
    return {name: (stored.kind, stored.mode, stored.content)
            for name, stored in found.objects.items()}  # fmt: skip


def run_in(
    place: Path, command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> Result:
    monkeypatch.chdir(place)
    if "--consume" in words:
        # The cost of looking at times: consumed files keep theirs, and copying changes some.
        for path in (place / "tree").rglob("*"):
            os.utime(path, (0, 0), follow_symlinks=False)
    return command("commit", "--repo=repo", *words)


def compare(
    place: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Result, Result, Path]:
    """Run both commands, each in its own copy; everything left behind must be equal."""
    twin = copy_tree(place, place.parent / "twin")
    mine = run_in(place, ours, words, monkeypatch)
    theirs = run_in(twin, reference, words, monkeypatch)
    assert (mine.status, mine.out) == (theirs.status, theirs.out), mine.err + theirs.err
    left, right = outcome(mine, place), outcome(theirs, twin)
    if mine.status:  # the reference finds some errors only after it wrote objects
        left, right = left._replace(objects={}), right._replace(objects={})
    if "--consume" in words:
        left, right = left._replace(objects=contents(left)), right._replace(objects=contents(right))
    assert left._asdict() == right._asdict()
    return mine, theirs, twin


TREES = [
    "tree",
    "",
    "--tree=dir=tree",
    "--tree=dir=tree/",
    "--tree=dir=tree ignored-path",
    "--tree=dir=tree --tree=dir=overlay",
    "--tree=dir=overlay --tree=dir=tree",
    "--tree=ref=old/base",
    "--tree=ref=old/base --tree=dir=overlay",
    "--tree=dir=overlay --tree=ref=old/base",
    "--tree=ref=main --tree=ref=old/base",
    "--tree=ref=main^ --tree=ref=main",
    "--tree=ref=old/base --owner-uid=5",
    "--tree=ref=old/base --no-xattrs --tree=dir=overlay",
    "--tree=ref=old/base --canonical-permissions",
    "--tree=ref=old/base --skip-list=skip",
    "--tree=ref=old/base --statoverride=statoverride",
    "--base=old/base --tree=dir=overlay",
    "--base=old/base --tree=dir=overlay --owner-uid=9 --owner-gid=8",
    "--base=old/base --tree=ref=main",
    "--base=main --canonical-permissions overlay",
    "--owner-uid=0 --owner-gid=0 tree",
    "--owner-uid=1234 tree",
    "--owner-gid=77 tree",
    "--owner-uid=-1 --owner-gid=-1 tree",
    "--canonical-permissions tree",
    "--canonical-permissions --owner-uid=0 tree",
    "--no-xattrs tree",
    "--statoverride=statoverride tree",
    "--statoverride=statoverride --canonical-permissions tree",
    "--statoverride=statoverride --owner-uid=3 --no-xattrs tree",
    "--skip-list=skip tree",
    "--skip-list=skip --tree=dir=overlay --tree=dir=tree",
    "--skip-list=skip --tree=dir=tree --tree=ref=old/base",
    "--statoverride=statoverride --tree=dir=tree --tree=dir=overlay --tree=ref=old/base",
    "--mode-ro-executables tree",
    "--mode-ro-executables --statoverride=statoverride tree",
    "--fsync=false tree",
    "--disable-fsync tree",
    "--consume tree",
    "--consume --tree=dir=tree/",
    "--consume --owner-uid=0 tree",
    "--consume --no-xattrs tree",
    "--consume --canonical-permissions tree",
    "--consume --skip-list=skip tree",
    "--consume --tree=dir=tree --tree=dir=overlay",
    "--consume --tree=dir=upper",
    "--table-output tree",
    "--table-output --tree=dir=tree --tree=dir=overlay",
    "--table-output --tree=ref=old/base",
    "--table-output --tree=dir=overlay --tree=ref=old/base",
    "--table-output --tree=ref=old/base --tree=ref=main --tree=dir=overlay",
    "--table-output --tree=ref=old/base --owner-gid=0 --tree=ref=main",
    "--table-output --consume tree",
    "--table-output overlay",
    "--table-output --link-checkout-speedup tree",
    "--table-output --no-xattrs -I overlay",
    "--table-output --base=old/base --tree=ref=old/base",
    "--table-output --base=old/base --owner-uid=3 --tree=ref=old/base",
    "--table-output --consume --tree=ref=old/base",
    "--table-output -I --tree=ref=old/base",
    "--table-output --skip-list=/dev/null --tree=ref=old/base",
    "--table-output --statoverride=/dev/null --tree=ref=old/base",
    "--table-output --generate-sizes --mode-ro-executables --tree=ref=old/base",
]


# The two modes that differ most see everything, the others every second line.
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        *((mode, words) for words in TREES for mode in ("bare", "bare-user-only")),
        *(("archive", words) for words in TREES[::2]),
        *(("bare-user", words) for words in TREES[1::2]),
    ],
    ids=lambda word: word or "working directory",
)
def test_commit_trees_and_modifiers_same_outcome(
    tmp_path: Path, templates: Path, mode: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = copy_tree(templates / mode, tmp_path / "place")
    if not words:  # the place itself is committed: away with what differs
        shutil.move(place / "repo", place.parent / "repo")
        twin = copy_tree(place.parent / "repo", place.parent / "repo2")
        monkeypatch.chdir(place / "tree")
        results = [
            command("commit", f"--repo={repo}", *BRANCH, *TIME)
            for command, repo in ((ours, place.parent / "repo"), (reference, twin))
        ]
        assert results[0] == results[1]
        assert results[0].status == 0
        return
    mine, _, _ = compare(place, [*BRANCH, *TIME, *words.split()], monkeypatch)
    assert mine.status == 0, mine.err
    others = "dir=upper" in words or "--tree=ref" in words
    assert (place / "tree").exists() == ("--consume" not in words or others)
    check_both(place / "repo")


@pytest.mark.parametrize(
    "words",
    [
        ["-s", "Subject"],
        ["-s", "", "-m", ""],
        ["-s", "Ünïcode – 日本", "-m", "Body\nwith\n\nlines\n"],
        ["-m", "body only"],
        ["-F", "body"],
        ["-F", "body", "-m", "unused"],
        ["--add-metadata-string=version=1.0", "--add-metadata=n=uint32 5"],
        ["--add-metadata=n=5", "--add-metadata-string=b=x=y", "--add-metadata=a=[1, 2]"],
        ["--add-metadata=d={'a': <1>, 'b': <'x'>}", "--add-metadata-string=k="],
        ["--add-metadata=v=<(1, 'x', @ay [], [byte 1], true, just 2.5)>"],
        ["--add-metadata-string=k=1", "--add-metadata-string=k=2"],
        ["--add-detached-metadata-string=d=1", "--add-detached-metadata-string=e=2"],
        ["--keep-metadata=version"],
        ["--keep-metadata=n", "--keep-metadata=version", "--add-metadata-string=z=1"],
        ["--parent=none"],
        ["--parent=" + "a" * 64],
        ["--orphan"],
        ["--orphan", "--no-bindings"],
        ["--no-bindings"],
        ["--bind-ref=zz", "--bind-ref=aa", "--bind-ref=main", "--bind-ref=é"],
        ["--no-bindings", "--bind-ref=zz"],
        ["--bootable", "--tree=dir=kernel"],
        ["--bootable", "--tree=dir=kernel", "--add-metadata-string=version=3"],
        ["--bootable", "--tree=dir=kernel", "--no-bindings"],
        ["--bootable", "--tree=dir=kernel", "--bind-ref=x", "--add-metadata=version='1'",
         "--add-metadata=a=1", "--add-metadata=b=1", "--add-metadata=c=1", "--add-metadata=d=1",
         "--add-metadata=e=1", "--add-metadata=f=1", "--add-metadata=g=1"],
        ["--bootable", "--tree=dir=tree", "--tree=dir=kernel"],
        ["--bootable", "--tree=ref=old/base", "--tree=dir=kernel"],
        ["--skip-if-unchanged", "--tree=dir=overlay", "--owner-uid=0"],
        ["--skip-if-unchanged", "--tree=ref=main"],
        ["--skip-if-unchanged", "--tree=dir=tree"],
        ["--skip-if-unchanged", "--orphan", "--tree=ref=main"],
        ["--skip-if-unchanged", "--parent=none", "--tree=ref=main"],
    ],
    ids=repr,
)  # fmt: skip
def test_commit_descriptions_same_outcome(
    archive_place: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    branch = "old/base" if any("keep-metadata" in word for word in words) else "main"
    name = [] if "--orphan" in words else ["-b", branch]
    mine, _, _ = compare(archive_place, [*name, *TIME, *words, "tree"], monkeypatch)
    assert mine.status == 0, mine.err
    if "aaaa" not in str(words):
        check_both(archive_place / "repo")


@pytest.mark.parametrize("branch", ["deep/er/branch", "origin:main", "é", "a.b-c_d", "old/new"])
def test_commit_branch_names_same_refs(
    archive_place: Path, branch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, _, _ = compare(archive_place, ["-b", branch, *TIME, "tree"], monkeypatch)
    assert mine.status == 0, mine.err
    again, _, _ = compare_again(archive_place, ["-b", branch, *TIME, "overlay"], monkeypatch)
    assert again.status == 0


def compare_again(
    place: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Result, Result, Path]:
    shutil.rmtree(place.parent / "twin")
    return compare(place, words, monkeypatch)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", "1234567890"),
        ("epoch", "42x"),
        ("epoch", "-5"),
        ("epoch", "0"),
        ("epoch", "x"),
        ("epoch", ""),
        ("epoch", "99999999999999999999999"),
        ("timestamp", "2020-01-02 03:04:05 +0100"),
        ("timestamp", "2020-01-02T03:04:05Z"),
        ("timestamp", "20200102"),
        ("timestamp", "Thu, 02 Jan 2020 03:04:05 GMT"),
        ("timestamp", "@-17"),
        ("timestamp", "@0"),
        ("timestamp", "@9999999999"),
        ("timestamp", "no date"),
        ("timestamp", "12345"),
        ("timestamp", ""),
        ("both", "7"),
    ],
)
def test_commit_times_same_outcome(
    archive_place: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["-b", "main"]
    if name != "timestamp":
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    if name != "epoch":
        words.append("--timestamp=@33" if name == "both" else f"--timestamp={value}")
    mine, theirs, _ = compare(archive_place, [*words, "tree"], monkeypatch)
    assert mine.err == theirs.err


def test_commit_now_without_timestamp(archive_place: Path) -> None:
    import time

    before = int(time.time())
    must(ours("commit", f"--repo={archive_place}/repo", *BRANCH, archive_place / "tree"))
    shown = must(reference("log", f"--repo={archive_place}/repo", "main"))
    dates = [line for line in shown.splitlines() if line.startswith("Date:")]
    assert any(
        time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime(second)) in dates[0]
        for second in range(before, int(time.time()) + 1)
    )


# -- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["tree"],
        ["-b", "main", "--tree=tree"],
        ["-b", "main", "--tree=foo=bar"],
        ["-b", "main", "--tree="],
        ["-b", "main", "missing"],
        ["-b", "main", "hello-is/a/file"],
        ["-b", "main", "body"],
        ["-b", "main", "tree/etc/dangling"],
        ["-b", "main", "tree-link"],
        ["-b", "main", "--tree=ref=missing"],
        ["-b", "main", "--tree=ref=a b"],
        ["-b", "main", "--tree=ref=" + "a" * 64],
        ["-b", "main", "--base=missing", "tree"],
        ["-b", "main", "--tree=dir=tree", "--tree=dir=upper"],
        ["-b", "main", "--tree=dir=upper", "--tree=dir=tree"],
        ["-b", "main", "--tree=ref=old/base", "--tree=dir=upper"],
        ["-b", "main", "--parent=abc", "tree"],
        ["-b", "main", "--parent=" + "A" * 64, "tree"],
        ["-b", "main", "--parent=main", "tree"],
        ["-b", "main", "--keep-metadata=nope", "tree"],
        ["-b", "brandnew", "--keep-metadata=version", "tree"],
        ["--orphan", "--keep-metadata=version", "tree"],
        ["-b", "main", "--add-metadata-string=novalue", "tree"],
        ["-b", "main", "--add-metadata=novalue", "tree"],
        ["-b", "main", "--add-metadata=k=unquoted", "tree"],
        ["-b", "main", "--add-metadata=k=", "tree"],
        ["-b", "main", "--add-metadata=k=[1, 'x']", "tree"],
        ["-b", "main", "--add-metadata=k=int16 99999", "tree"],
        ["-b", "main", "--add-detached-metadata-string=novalue", "tree"],
        ["-b", "main", "--add-metadata-string==v", "tree"],
        ["-b", "main", "--canonical-permissions", "--owner-uid=5", "tree"],
        ["-b", "main", "--canonical-permissions", "--owner-gid=5", "tree"],
        ["-b", "main", "--statoverride=missing", "tree"],
        ["-b", "main", "--statoverride=statoverride-bad", "tree"],
        ["-b", "main", "--statoverride=statoverride-unmatched", "tree"],
        ["-b", "main", "--skip-list=missing", "tree"],
        ["-b", "main", "--skip-list=skip-unmatched", "tree"],
        ["-b", "main", "--skip-list=skip-all", "tree"],
        ["-b", "main", "--skip-list=skip-all", "--tree=ref=main"],
        ["-b", "main", "-F", "missing", "tree"],
        ["-b", "main", "--bootable", "tree"],
        ["-b", "main", "--bootable", "kernels"],
        ["-b", "main", "--bootable", "--tree=ref=old/base"],
        ["-b", "bad name", "tree"],
        ["-b", "-x", "tree"],
        ["-b", "a//b", "tree"],
        ["-b", "/a", "tree"],
        ["-b", "a/", "tree"],
        ["-b", "a..b/.c", "tree"],
        ["-b", "old/base/below", "tree"],
        ["-b", "old", "tree"],
        ["-b", "b" * 64, "tree"],
        ["-b", "main", "--fsync=perhaps", "tree"],
        ["-b", "main", "--owner-uid=x", "tree"],
        ["-b", "main", "-F", "tree", "tree"],
        ["-b", "main", "--tree==x"],
        ["-b", "main", "--tree=dir="],
        ["-b", "main", "--keep-metadata=", "tree"],
        ["-b", "", "tree"],
        ["-b", "main", "--sign=x", "--sign-type=frob", "tree"],
        # With more than one thing wrong, the order of the checks shows.
        ["--tree=foo", "--statoverride=missing"],
        ["--skip-list=missing", "--statoverride=statoverride-bad"],
        ["--parent=xyz", "tree"],
        ["-b", "bad name", "--parent=xyz", "tree"],
        ["-b", "bad name", "--orphan", "--keep-metadata=x", "tree"],
        ["-b", "main", "--parent=none", "--keep-metadata=x", "--add-metadata=broken"],
        ["-b", "main", "--keep-metadata=x", "--add-metadata=bad", "--add-metadata-string=broken"],
        ["-b", "main", "--keep-metadata=x", "--add-detached-metadata-string=broken"],
        [
            "-b",
            "main",
            "--add-detached-metadata-string=bad",
            "--canonical-permissions",
            "--owner-uid=3",
        ],
        ["-b", "main", "--canonical-permissions", "--owner-gid=3", "--owner-uid=3", "-F", "no"],
        ["-b", "main", "-F", "missing", "--tree=foo"],
        ["-b", "main", "--add-metadata-string==v", "--tree=foo"],
        ["-b", "main", "--add-metadata-string==v", "--timestamp=bad", "tree"],
        ["-b", "main", "--timestamp=bad", "--tree=foo"],
        ["-b", "main", "--timestamp=bad", "--bootable", "tree"],
        ["-b", "main", "--timestamp=bad", "--skip-list=skip-unmatched", "tree"],
        ["-b", "main", "--base=missing", "--tree=foo"],
        ["-b", "main", "--sign=x", "--sign-type=f", "--gpg-sign=ABCD", "--timestamp=bad", "tree"],
        ["-b", "main", "--sign=x", "--sign-type=frob", "--gpg-sign=ABCD", "tree"],
        ["-b", "old", "--sign=x", "--sign-type=frob", "tree"],
    ],
    ids=lambda words: " ".join(words)[:80],
)
def test_commit_refusals_same_message(
    archive_place: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (archive_place / "tree-link").symlink_to("tree")
    before = refs_of(archive_place / "repo")
    twin = copy_tree(archive_place, archive_place.parent / "twin")
    time = () if any("--timestamp" in word for word in words) else TIME
    mine = run_in(archive_place, ours, [*time, *words], monkeypatch)
    theirs = run_in(twin, reference, [*time, *words], monkeypatch)
    assert mine.status == theirs.status == 1
    assert mine.err == theirs.err
    assert mine.out == theirs.out == ""
    assert refs_of(archive_place / "repo") == before
    check_both(archive_place / "repo")


def test_commit_files_not_utf8_refused(
    archive_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in ("-F", "--statoverride", "--skip-list"):
        result = run_in(archive_place, ours, [*BRANCH, option, "not-utf8", "tree"], monkeypatch)
        assert result.status == 1
        assert "UTF-8" in result.err


# -- several runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["bare", "bare-user", "bare-user-only"])
@pytest.mark.parametrize(
    "words",
    [
        "--link-checkout-speedup",
        "--link-checkout-speedup --owner-uid=7",
        "-I",
        "-I --owner-uid=7",
        "--link-checkout-speedup --no-xattrs",
        "-I --skip-list=skip-link",
        "",
    ],
    ids=lambda words: words or "none",
)
def test_commit_of_a_hard_linked_checkout_same_statistics(
    tmp_path: Path, templates: Path, mode: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = copy_tree(templates / mode, tmp_path / "place")
    twin = copy_tree(place, tmp_path / "twin")
    results = []
    for root, command in ((place, ours), (twin, reference)):
        monkeypatch.chdir(root)
        user = () if mode == "bare" else ("-U",)
        must(command("checkout", "--repo=repo", *user, "old/base", "out"))
        write_files(root / "out", {"bin/added": "new", "hello2": "hello world\n"})
        (root / "out/etc/deep/er/file").unlink()
        results.append(
            command(
                *("commit", "--repo=repo", *TIME, "-b", "main", "--table-output"),
                *words.split(),
                "out",
            )
        )
    assert results[0] == results[1]
    assert results[0].status == 0
    assert stored_objects(place / "repo") == stored_objects(twin / "repo")


@pytest.mark.parametrize("mode", MODES)
def test_commit_again_same_statistics(tmp_path: Path, mode: str) -> None:
    tree = make_tree(tmp_path / "tree")
    texts = []
    for command in (ours, reference):
        repo = make_repo(tmp_path / f"repo-{command.__name__}", mode)
        words = ("commit", f"--repo={repo}", *TIME, *BRANCH, "--table-output")
        first = must(command(*words, tree))
        texts.append(first + must(command(*words, tree)))
        write_files(tree, {"changed": command.__name__[:1] * 100})
        texts[-1] += must(command(*words, tree)).partition("\n")[2]
        (tree / "changed").unlink()
        os.utime(tree, (0, 0))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("mode", MODES)
def test_commit_with_parent_repository_same_objects(tmp_path: Path, mode: str) -> None:
    base = make_repo(tmp_path / "base", mode)
    tree = make_tree(tmp_path / "tree")
    must(ours("commit", f"--repo={base}", *TIME, "-b", "base", tree))
    write_files(tree, {"more": "more"})
    texts, stored = [], []
    for command in (ours, reference):
        repo = make_repo(tmp_path / f"child-{command.__name__}", mode, parent=str(base))
        words = ("commit", f"--repo={repo}", *TIME, "--table-output")
        texts.append(must(command(*words, "-b", "byref", "--tree=ref=base")))
        texts[-1] += must(command(*words, "-b", "again", tree))
        texts[-1] += must(command(*words, "-b", "merged", f"--tree=dir={tree}", "--tree=ref=base"))
        stored.append(stored_objects(repo))
    assert texts[0] == texts[1]
    assert stored[0] == stored[1]


def test_commit_collection_binding_same_checksum(archive_place: Path) -> None:
    config = archive_place / "repo/config"
    config.write_text(config.read_text() + "collection-id=org.example.Coll\n")
    words = ("commit", f"--repo={archive_place}/repo", *TIME, "--parent=none")
    for more in (
        (),
        ("--no-bindings",),
        ("--add-metadata-string=ostree.collection-binding=org.example.Other",),
    ):
        results = [
            command(*words, *BRANCH, *more, archive_place / "tree") for command in (ours, reference)
        ]
        assert results[0] == results[1]


@pytest.mark.parametrize("mode", ["bare", "archive"])
def test_commit_disable_xattrs_same_checksum(tmp_path: Path, mode: str) -> None:
    repo = make_repo(tmp_path / "repo", mode, disable_xattrs="true")
    tree = make_tree(tmp_path / "tree")
    words = ("commit", f"--repo={repo}", *TIME, *BRANCH, "--parent=none")
    results = [command(*words, tree) for command in (ours, reference)]
    assert results[0] == results[1]
    check_both(repo)


@pytest.mark.parametrize(
    "words",
    [
        "--tree=ref=old/base",
        "--tree=dir=overlay --tree=ref=old/base",
        "--tree=ref=old/base --owner-uid=3",
        "--tree=ref=old/base --generate-sizes",
        "--base=old/base --tree=dir=overlay",
    ],
)
@pytest.mark.parametrize("setting", ["", "disable-xattrs=true", "collection-id=org.example.A"])
def test_commit_of_trees_in_a_parent_repository_same_outcome(
    archive_place: Path, words: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (archive_place / "repo").rename(archive_place.parent / "parent")
    repo = make_repo(archive_place / "repo", parent=str(archive_place.parent / "parent"))
    with (repo / "config").open("a") as config:
        config.write(f"{setting}\n")
    words = f"--table-output {words}"
    mine, theirs, _ = compare(archive_place, [*BRANCH, *TIME, *words.split()], monkeypatch)
    assert mine == theirs
    assert mine.status == 0
