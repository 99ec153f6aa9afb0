"""Archives as sources, and export: what ours makes of them is what the reference makes of them."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from repo_lab import (
    OURS,
    REFERENCE,
    Result,
    commit,
    listing,
    make_repo,
    make_tree,
    must,
    ours,
    reference,
    run_process,
    write_files,
)
from tar_lab import (
    COMPRESSORS,
    DIR,
    END,
    ROOT,
    Item,
    directory,
    header,
    link,
    make_tar,
    padded,
    pax,
    symlink,
    tar_file,
)

WHEN = "--timestamp=@1700000000"


@pytest.fixture
def repos(tmp_path: Path) -> tuple[Path, Path]:
    """A repository for ours and one for the reference."""
    first = make_repo(tmp_path / "ours")
    subprocess.run(["cp", "-a", first, tmp_path / "reference"], check=True)
    return first, tmp_path / "reference"


def commit_both(repos: tuple[Path, Path], *words: str | Path) -> tuple[Result, Result]:
    """Commit the same to both repositories."""
    return tuple(  # type: ignore[return-value]
        command("commit", f"--repo={repo}", "-b", "main", WHEN, *words)
        for command, repo in zip((ours, reference), repos, strict=True)
    )


def assert_same(repos: tuple[Path, Path], archive: bytes, *words: str) -> str:
    """Both commands make the same commit, or fail with the same words."""
    path = tar_file(repos[0].parent / "archive", archive)
    mine, theirs = commit_both(repos, f"--tree=tar={path}", *words)
    assert mine == theirs
    return mine.out.strip()


def gnu_tar(tree: Path, path: Path, *words: str) -> Path:
    subprocess.run(
        ["tar", "--sort=name", "-C", tree, "-cf", path, *words, "."], check=True, timeout=20
    )
    return path


LONG = "d" * 90 + "/" + "f" * 120


def rich_tree(path: Path) -> Path:
    tree = make_tree(path)
    write_files(tree, {LONG: "long name", "ünï/cödé": "x", "big": os.urandom(3_000_000)})
    (tree / "longlink").symlink_to("/" + "t" * 150)
    os.link(tree / "hello", tree / "zz-hard")
    os.link(tree / "hello", tree / "bin/aa-hard")
    return tree


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_commit_archives_of_gnu_tar_gives_the_references_commit(
    form: str, tmp_path: Path, repos: tuple[Path, Path]
) -> None:
    tree = rich_tree(tmp_path / "tree")
    extra = ["--xattrs", "--xattrs-include=*"] if form == "posix" else []
    skipped = ["--exclude=longlink", f"--exclude=./{LONG}"] if form in ("v7", "ustar") else []
    path = gnu_tar(tree, tmp_path / "t.tar", f"--format={form}", *extra, *skipped)
    mine, theirs = commit_both(repos, f"--tree=tar={path}")
    assert mine == theirs
    assert mine.status == 0


def test_commit_posix_archive_with_xattrs_has_the_tree_of_the_directory(
    tmp_path: Path, repos: tuple[Path, Path]
) -> None:
    tree = rich_tree(tmp_path / "tree")
    path = gnu_tar(tree, tmp_path / "t.tar", "--format=posix", "--xattrs", "--xattrs-include=*")
    words = ("--orphan", "--no-bindings")
    from_tar = commit(repos[0], *words, f"--tree=tar={path}")
    assert from_tar == commit(repos[0], *words, f"--tree=dir={tree}")
    must(reference("fsck", f"--repo={repos[0]}", "-q"))


@pytest.mark.parametrize("name", COMPRESSORS)
def test_commit_compressed_archives_gives_the_references_commit(
    name: str, repos: tuple[Path, Path]
) -> None:
    data = COMPRESSORS[name](make_tar(ROOT, Item("file", os.urandom(200_000)), Item("b", b"x" * 9)))
    assert assert_same(repos, data)


def test_commit_archive_from_standard_input_gives_the_references_commit(
    repos: tuple[Path, Path],
) -> None:
    data = COMPRESSORS["gzip"](make_tar(ROOT, Item("file", os.urandom(200_000))))
    for archive, status in ((data, 0), (b"hello" * 1000, 1)):
        mine, theirs = (
            run_process(
                program,
                "commit",
                f"--repo={repo}",
                "-b",
                "main",
                WHEN,
                "--tree=tar=-",
                stdin=archive,
            )
            for program, repo in zip((OURS, REFERENCE), repos, strict=True)
        )
        assert mine == theirs
        assert mine.status == status


@pytest.mark.parametrize("kind", ["newc", "crc", "odc", "bin", "hpbin", "hpodc"])
def test_commit_cpio_archives_gives_the_references_commit(
    kind: str, tmp_path: Path, repos: tuple[Path, Path]
) -> None:
    tree = write_files(tmp_path / "tree", {"a/one": "1" * 999, "two": "22", "empty": ""})
    (tree / "link").symlink_to("two")
    os.link(tree / "two", tree / "a/hard")
    os.link(tree / "two", tree / "z-hard")
    names = "\n".join([".", "two", "a", "a/one", "a/hard", "empty", "link", "z-hard"])
    done = subprocess.run(
        ["cpio", "-o", "-H", kind], input=names.encode(), cwd=tree, capture_output=True, check=True
    )
    mine, theirs = commit_both(repos, f"--tree=tar={tar_file(tmp_path / 'c', done.stdout)}")
    assert mine == theirs
    assert mine.status == 0


# -- members that are special ------------------------------------------------------------------

GLOBAL = header(b"g", 9, b"g") + padded(b"9 uid=77\n")
ARCHIVES = {
    "duplicate": make_tar(ROOT, Item("f", b"1"), Item("f", b"22", mode=0o600)),
    "directory twice": make_tar(ROOT, directory("d", 0o700), Item("d/f"), directory("d", 0o711)),
    "root last": make_tar(Item("f", b"1"), directory(".", 0o711, uid=5)),
    "absolute": make_tar(ROOT, Item("/f"), Item("/./g"), Item("/../h"), Item("//i")),
    "dots inside": make_tar(ROOT, directory("d"), Item(".//d/./w"), Item("d//v")),
    "old directory": header(b"./", kind=b"5") + header(b"d/") + header(b"d/f") + END,
    "forward links": make_tar(
        ROOT, link("l", "f"), Item("f", b"1"), link("m", "./f"), link("n", "/f")
    ),
    "links count for the last": make_tar(ROOT, Item("f", b"1"), link("l", "f"), Item("f", b"2")),
    "link with content": make_tar(ROOT, Item("f", b"1"))[:2048]
    + pax((b"x", b"y"))
    + header(b"l", 4, b"1", target=b"f")
    + padded(b"data")
    + END,
    "owners": make_tar(ROOT, Item("f", uid=3_000_000, gid=2**31 + 5), format="gnu"),
    "old mode": make_tar(ROOT, Item("f", mode=0o104755), format="gnu"),
    "setuid": make_tar(ROOT, Item("f", mode=0o6755), directory("d", 0o3777)),
    "symlink mode": make_tar(ROOT, Item("s", type=b"2", target="x/../y", mode=0o600, uid=7)),
    "pax owner": make_tar(ROOT)[:512]
    + pax((b"uid", b"-1"), (b"gid", b"99999999999"))
    + header(b"f")
    + END,
    "xattrs": make_tar(ROOT, Item("f", b"1", xattrs={"user.b": b"2"}), symlink("s", "x")),
    "xattr by bsdtar": header(b"./", kind=b"5")
    + pax((b"LIBARCHIVE.xattr.user.a%20b", b"AQID"))
    + header(b"f")
    + END,
    "label": header(b"./", kind=b"5")
    + pax((b"RHT.security.selinux", b"l:b\0"))
    + header(b"f")
    + END,
    "global header": make_tar(ROOT)[:512] + GLOBAL + header(b"f") + END,
    "unknown type": make_tar(ROOT, Item("f", b"1", type=b"Q"), Item("g", b"2", type=b"7")),
    "dump directory": make_tar(ROOT, Item("d", b"names", type=b"D", mode=0o755), format="gnu"),
    "no end": make_tar(ROOT, Item("f", b"1"))[: 512 * 3],
    "one zero block": make_tar(ROOT, Item("f", b"1"))[: 512 * 3] + bytes(512) + header(b"g"),
    "empty": END,
    "nothing": b"",
    "no root": make_tar(Item("f")),
    "no parent": make_tar(ROOT, Item("d/e/f")),
    "parent is a symlink": make_tar(ROOT, symlink("d", "/"), Item("d/f")),
    "uplink": make_tar(ROOT, Item("a/../../f")),
    "uplink first": make_tar(ROOT, Item("../f")),
    "device": make_tar(ROOT, Item("f", type=b"3")),
    "pipe": make_tar(ROOT, Item("f", type=b"6")),
    "file over directory": make_tar(ROOT, directory("f"), Item("f")),
    "link to nothing": make_tar(ROOT, link("l", "f")),
    "link to a missing directory": make_tar(ROOT, link("l", "d/f")),
    "link to a directory": make_tar(ROOT, directory("f"), link("l", "f")),
    "link without parent": make_tar(ROOT, Item("f"), link("d/l", "f")),
    "garbage": b"hello" * 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_commit_special_archives_gives_the_references_commit_or_error(
    name: str, repos: tuple[Path, Path]
) -> None:
    assert_same(repos, ARCHIVES[name])


AUTOCREATED = {
    "nested": make_tar(Item("a/b/c", uid=9, gid=8), Item("a/b/d", uid=7)),
    "resets what is there": make_tar(
        directory(".", 0o700, uid=3), directory("a", 0o700, uid=4), Item("a/b/c", uid=9)
    ),
    "set afterwards": make_tar(
        Item("b/c", uid=9), directory("b", 0o700, uid=4), directory(".", 0o711)
    ),
    "no root": make_tar(Item("f", uid=5)),
    "empty": END,
    "link": make_tar(ROOT, Item("f"), link("d/l", "f")),
    "directory below nothing": make_tar(directory("x/y", 0o700, uid=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", AUTOCREATED)
@pytest.mark.parametrize(
    "words",
    [(), ("--owner-uid=42",), ("--canonical-permissions",), ("--mode-ro-executables",)],
    ids=lambda words: "".join(words) or "plain",
)
def test_commit_autocreated_parents_are_the_references(
    name: str, words: tuple[str, ...], repos: tuple[Path, Path]
) -> None:
    assert assert_same(repos, AUTOCREATED[name], "--tar-autocreate-parents", *words)


FILTERS = (
    "^nosuch/,x", "^,foo/", "^usr/bin/,usr/sbin/", "/bin/,/sbin/", "bin,", r"(\w+)/(\w+),\2/\1",
    r"s,[\0]", r"(?<n>b)in,\g<n>\g<1>", "x*,-", r"b|i,\\", r"^usr/,us,r/", r"s,\x{e9}\x41",
    "[[:alpha:]]+/,x/", r"(?i)\BI[n-n[],\11",
)  # fmt: skip


@pytest.mark.parametrize("expression", FILTERS)
def test_commit_filtered_names_are_the_references(
    expression: str, repos: tuple[Path, Path]
) -> None:
    archive = make_tar(
        ROOT,
        directory("usr"),
        directory("usr/bin"),
        Item("usr/bin/tool", b"1"),
        link("usr/bin/hard", "usr/bin/tool"),
        symlink("usr/bin/soft", "usr/bin/tool"),
    )
    assert assert_same(
        repos, archive, "--tar-autocreate-parents", f"--tar-pathname-filter={expression}"
    )


MODIFIERS = (
    ("--no-xattrs",), ("--canonical-permissions",), ("--owner-uid=5", "--owner-gid=6"),
    ("--mode-ro-executables",), ("--generate-sizes",), ("--skip-list=SKIP",),
    ("--statoverride=OVER",), ("--tar-pathname-filter=x",), ("--no-bindings", "--table-output"),
)  # fmt: skip


@pytest.mark.parametrize("words", MODIFIERS, ids=" ".join)
def test_commit_options_do_to_archives_what_they_do_in_the_reference(
    words: tuple[str, ...], tmp_path: Path, repos: tuple[Path, Path]
) -> None:
    (tmp_path / "SKIP").write_text("/d/skipped\n/dir\n")
    (tmp_path / "OVER").write_text("2048 /d/tool\n=384 /f\n")
    archive = make_tar(
        Item("./", type=DIR, mode=0o2775, xattrs={"user.root": b"r"}),
        directory("d", 0o777),
        Item("d/tool", b"x", mode=0o777),
        Item("d/skipped", b"y"),
        directory("dir"),
        Item("f", b"x" * 1000, xattrs={"user.z": b"1"}),
    )
    placed = [
        word.replace("SKIP", f"{tmp_path}/SKIP").replace("OVER", f"{tmp_path}/OVER")
        for word in words
    ]
    assert_same(repos, archive, *placed)


def test_commit_layers_of_archives_directories_and_commits_overlay_as_in_the_reference(
    tmp_path: Path, repos: tuple[Path, Path]
) -> None:
    first = tar_file(tmp_path / "1", make_tar(ROOT, Item("f", b"1"), directory("d"), Item("d/x")))
    second = tar_file(tmp_path / "2", make_tar(ROOT, Item("f", b"2"), directory("d", 0o700)))
    tree = write_files(tmp_path / "tree", {"f": "3", "g": ""})
    trees = [f"--tree=tar={first}", f"--tree=dir={tree}", f"--tree=tar={second}"]
    mine, theirs = commit_both(repos, *trees)
    assert mine == theirs
    assert mine.status == 0
    again, theirs = commit_both(repos, "--tree=ref=main", trees[0])
    assert again == theirs
    assert again.status == 0


@pytest.mark.parametrize("mode", ["bare", "bare-user", "bare-user-only"])
def test_commit_archive_into_other_modes_gives_the_references_objects(
    mode: str, tmp_path: Path
) -> None:
    archive = tar_file(
        tmp_path / "t",
        make_tar(
            ROOT,
            Item("f", b"x" * 70000, uid=3, mode=0o755, xattrs={"user.a": b"\xff\x00"}),
            symlink("s", "f"),
            link("h", "f"),
            Item("suid", b"s", mode=0o755),
        ),
    )
    out = []
    for command in (ours, reference):
        repo = make_repo(tmp_path / f"repo-{command.__name__}", mode)
        must(command("commit", f"--repo={repo}", "-b", "main", WHEN, f"--tree=tar={archive}"))
        target = tmp_path / f"out-{command.__name__}"
        must(reference("checkout", f"--repo={repo}", "-U", "main", target))
        out.append((must(reference("rev-parse", f"--repo={repo}", "main")), listing(target)))
    assert out[0] == out[1]


# -- export ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose ref ``main`` has no content twice, since the reference repeats it."""
    place = tmp_path_factory.mktemp("export")
    tree = make_tree(place / "tree")
    write_files(tree, {LONG: "long name", "ünï/cödé": "x", "big": os.urandom(300_000)})
    (tree / "longlink").symlink_to("/" + "t" * 150)
    (tree / ("s" * 110)).symlink_to("t" * 150)
    (tree / ("s" * 100)).symlink_to("t" * 100)
    os.chown(tree / "ünï", 3_000_000, 2_097_152)
    os.chown(tree / "big", 2**32 - 2, 2_097_151)
    repo = make_repo(place / "repo")
    commit(repo, "-b", "main", f"--tree=dir={tree}")
    must(ours("commit", f"--repo={repo}", "-b", "old", "--timestamp=1960-01-01", "--tree=ref=main"))
    return repo


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--no-xattrs",),
        ("--subpath=etc",),
        ("--subpath=/etc/deep",),
        ("--prefix=a/b/",),
        ("--prefix=pre",),
        ("--prefix=/abs",),
        ("--prefix=",),
        ("--subpath=bin", "--prefix=" + "p" * 120 + "/"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("to", ["stdout", "file"])
def test_export_is_byte_for_byte_the_references(
    words: tuple[str, ...], to: str, exported: Path, tmp_path: Path
) -> None:
    archives = []
    for program in (OURS, REFERENCE):
        argv = [program, "export", f"--repo={exported}", "main", *words]
        if to == "file":
            must(run_process(*argv, "-o", tmp_path / "out"))
            archives.append((tmp_path / "out").read_bytes())
        else:
            archives.append(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert archives[0] == archives[1]
    assert len(archives[0]) > 1024


@pytest.mark.parametrize(
    "words",
    [("nosuch",), (), ("main", "--subpath=nosuch"), ("main", "--subpath=etc/nosuch/x"),
     ("main", "--subpath=etc/"), ("main", "-o", "/nosuch/file"), ("main", "--subpath=./etc")],
    ids=" ".join,
)  # fmt: skip
def test_export_errors_are_the_references(words: tuple[str, ...], exported: Path) -> None:
    mine, theirs = (
        command("export", f"--repo={exported}", *words) for command in (ours, reference)
    )
    assert mine.status == theirs.status == 1
    assert mine.err.splitlines()[-1] == theirs.err.splitlines()[-1]


def test_export_of_a_commit_before_1970_has_the_references_times(exported: Path) -> None:
    mine, theirs = (
        command("export", f"--repo={exported}", "old", "--subpath=var")
        for command in (ours, reference)
    )
    assert mine == theirs


def test_export_content_that_occurs_twice_is_a_hard_link(tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"a": "same", "d/b": "same", "c": "other", "e": ""})
    (tree / "s").symlink_to("x")
    (tree / "t").symlink_to("x")
    repo = make_repo(tmp_path / "repo")
    made = commit(repo, "-b", "main", f"--tree=dir={tree}")
    must(ours("export", f"--repo={repo}", "main", "-o", tmp_path / "t.tar", "--prefix=p/"))
    with tarfile.open(tmp_path / "t.tar") as archive:
        found = {member.name: (member.type, member.linkname) for member in archive}
    assert found["p/d/b"] == (b"1", "p/a")
    assert found["p/s"] == found["p/t"] == (b"2", "x")
    # The reference reads it back, and so do we.
    for command in (ours, reference):
        must(ours("export", f"--repo={repo}", "main", "-o", tmp_path / "t.tar"))
        words = ("-b", "again", WHEN, f"--tree=tar={tmp_path / 't.tar'}", "--no-bindings")
        again = must(command("commit", f"--repo={repo}", "--parent=none", *words))
        trees = [must(ours("ls", "-R", "-C", f"--repo={repo}", rev)) for rev in (made, again)]
        assert trees[0] == trees[1]


def test_export_by_the_reference_is_read_as_the_reference_reads_it(
    exported: Path, repos: tuple[Path, Path], tmp_path: Path
) -> None:
    must(reference("export", f"--repo={exported}", "main", "-o", tmp_path / "t"))
    mine, theirs = commit_both(repos, f"--tree=tar={tmp_path / 't'}")
    assert mine == theirs
    assert mine.status == 0
