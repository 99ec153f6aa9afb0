"""Every option of ``checkout`` makes the same files in ours as in the reference, links included."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repo_lab import (
    MODES,
    OURS,
    REFERENCE,
    Command,
    Entry,
    Result,
    copy_tree,
    listing,
    make_repo,
    make_tree,
    must,
    ours,
    reference,
    run_process,
    write_files,
)

TIME = "--timestamp=@1700000000"
Tree = dict[str, Entry]


def make_place(root: Path, mode: str) -> Path:
    """Make a repository with trees that overlay each other in all ways."""
    root.mkdir()
    repo = make_repo(root / "repo", mode)
    make_tree(root / "tree")
    write_files(
        root / "upper",
        {"hello": "other", "bin/tool": "#!/bin/sh\n", "bin/new": "", "var/tmp/in": "i", "e": ""},
    )
    (root / "upper/bin/tool").chmod(0o755)
    (root / "upper/bin/sh").symlink_to("new")
    (root / "upper").chmod(0o701)
    layer = {".wh.hello": "", ".wh.missing": "", "bin/.wh.sh": "", "etc/.wh..wh..opq": "",
             "etc/fresh": "f", "var/.wh.tmp": "x"}  # fmt: skip
    write_files(root / "layer", layer)
    passing = {".ostree-wh.hello": "", "bin/.ostree-wh.gone": "", "bin/.ostree-wh.sh": "x"}
    write_files(root / "passing", passing)
    (root / "passing/bin/.ostree-wh.gone").chmod(0o640)
    write_files(root, {
        "skip": "/hello\n/etc/deep/\n/bin/sh\n/nothing\n",
        "skip-root": "/\n",
        "skip-below": "/file\n",
        "pairs": "main\0/etc/deep\0upper\0/bin\0",
        "pairs-file": "main\0/hello\0",
        "pairs-bad": "main\0",
        "pairs-missing": "main\0/nope\0",
        "pairs-rev": "nope\0/\0",
    })  # fmt: skip
    for name, branch in (("tree", "main"), ("upper", "upper"), ("layer", "layer"),
                         ("passing", "passing")):  # fmt: skip
        must(ours("commit", f"--repo={repo}", TIME, "-b", branch, root / name))
    return root


# -- what is there before --------------------------------------------------------------------


def nothing(_out: Path) -> None:
    """The destination does not exist."""


def empty_directory(out: Path) -> None:
    out.mkdir(0o750)


def other_content(out: Path) -> None:
    write_files(out, {"hello": "mine", "own": "kept", "etc/own": "kept", "bin/tool": "#!/bin/sh\n"})
    (out / "empty").touch()
    (out / "etc").chmod(0o700)
    (out / "bin/sh").symlink_to("/elsewhere")


def directories_for_files(out: Path) -> None:
    write_files(out, {"hello/inside": "x", "bin/sh/inside": "x"})


def directory_for_link(out: Path) -> None:
    write_files(out, {"bin/sh/inside": "x"})


def file_for_directory(out: Path) -> None:
    write_files(out, {"bin": "a file"})


def link_for_directory(out: Path) -> None:
    write_files(out, {"other": None})
    (out / "bin").symlink_to("other")


def link_for_file(out: Path) -> None:
    write_files(out, {"precious": "precious"})
    (out / "hello").symlink_to("precious")
    (out / "empty").symlink_to("precious")


def alike_files(out: Path) -> None:
    make_tree(out)


def alike_link(out: Path) -> None:
    out.mkdir()
    (out / "bin").mkdir()
    (out / "bin/sh").symlink_to("tool")
    (out / "empty").touch()


def destination_is_a_file(out: Path) -> None:
    out.write_text("file")


def destination_is_a_link(out: Path) -> None:
    (out.parent / "real").mkdir()
    out.symlink_to("real")


BEFORE: list[Callable[[Path], Any]] = [
    nothing,
    empty_directory,
    other_content,
    directories_for_files,
    directory_for_link,
    file_for_directory,
    link_for_file,
    alike_files,
    alike_link,
    destination_is_a_file,
]
OVERWRITING = ["", "--union", "--union-add", "-H --union-identical", "-C --union", "-C --union-add"]


def compare(place: Path, words: list[str], *, message: bool = True) -> tuple[Result, Result]:
    """Check out by both commands, each in its copy; results and messages must be equal."""
    twin = copy_tree(place, place.parent / "twin")
    results, found = [], []
    for root, command in ((place, ours), (twin, reference)):
        with contextlib.chdir(root):
            results.append(command("checkout", "--repo=repo", *words))
        found.append({name: listing(root / name, root / "repo")
                      for name in ("out", "main", "real", "precious")
                      if os.path.lexists(root / name)})  # fmt: skip
    mine, theirs = results
    assert mine.status == theirs.status, mine.err + theirs.err
    if message:
        assert mine.out == theirs.out
        assert mine.err.replace(str(place), "HERE") == theirs.err.replace(str(twin), "HERE")
    if mine.status == 0:
        assert differences(found[0], found[1]) == {}
    return mine, theirs


def differences(mine: dict[str, Tree], theirs: dict[str, Tree]) -> dict[str, Any]:
    """Return what differs, but for the reference's replaced links, which lack their owner."""
    found = {}
    for root in mine.keys() | theirs.keys():
        left, right = mine.get(root, {}), theirs.get(root, {})
        for name in left.keys() | right.keys():
            one, other = left.get(name), right.get(name)
            if one is not None and other is not None and one.kind == other.kind == "l":
                one, other = (entry._replace(owner=(0, 0), xattrs=()) for entry in (one, other))
            if one != other:
                found[f"{root}/{name}"] = (one, other)
    return found


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def places(templates: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Gives a copy of the place of a mode, which is made only once."""

    def copy(mode: str) -> Path:
        if not (templates / mode).exists():
            make_place(templates / mode, mode)
        return copy_tree(templates / mode, tmp_path / "place")

    return copy


Places = Callable[[str], Path]


@pytest.mark.parametrize(
    ("mode", "user"),
    [
        ("archive", "-U"),
        ("bare", ""),
        ("bare-user", "-U"),
        ("bare-user-only", "-U"),
    ],
    ids=lambda word: word or "plain",
)
@pytest.mark.parametrize("before", BEFORE, ids=lambda build: build.__name__)
@pytest.mark.parametrize("words", OVERWRITING, ids=lambda words: words or "none")
def test_checkout_over_what_is_there_same_outcome(
    places: Places,
    *,
    mode: str,
    user: str,
    before: Callable[[Path], Any],
    words: str,
) -> None:
    place = places(mode)
    before(place / "out")
    compare(place, [*words.split(), *user.split(), "main", "out"], message=False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "words",
    [
        "main",
        "main out",
        "-U main out",
        "-U --disable-cache main out",
        "-U -H main out",
        "-H main out",
        "-C main out",
        "-U -C main out",
        "-z main out",
        "-U -z main out",
        "-M main out",
        "-U -M main out",
        "-U -C -M main out",
        "--fsync=false main out",
        "-U --skip-list=skip main out",
        "--skip-list=skip-root main out",
        "-U --skip-list=skip-below --subpath=/etc/deep/er main out",
        "-U --subpath=/etc main out",
        "-U --subpath=etc/deep main out",
        "-U --subpath=etc/ main out",
        "-U --subpath=/ main out",
        "-U --subpath=/hello main out",
        "-U --subpath=bin/sh main out",
        "-U --subpath=/empty main out",
        "-C --subpath=/hello main out",
        "-U --subpath=/nope main out",
        "-U --subpath=/hello/x main out",
        "-U --subpath=/nope --allow-noent main out",
        "-U --subpath=/nope --allow-noent -C main out",
        "-U --subpath=/etc --allow-noent main out",
        "-U --from-file=pairs out",
        "-U --from-file=pairs --union out",
        "-U --from-file=pairs-file out",
        "-U --from-file=pairs-missing out",
        "-U --from-file=pairs-rev out",
        "-U --from-file=nope out",
        "-U main missing/parent/out",
        "-U nope out",
        "-U a..b out",
        "-U main^ out",
        "-U main repo/config/x",
        "-U main .",
        "-U main ./",
        "-U main ..",
        "-U main out/",
        "-U main out//",
        "-U --subpath=/hello main .",
    ],
)
def test_checkout_options_same_outcome(mode: str, words: str, places: Places) -> None:
    place = places(mode)
    compare(place, words.split())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("branch", ["layer", "passing"])
@pytest.mark.parametrize("option", ["--whiteouts", "--process-passthrough-whiteouts", ""])
@pytest.mark.parametrize("words", ["", "--union", "--union-add"], ids=lambda words: words or "none")
def test_checkout_whiteouts_same_outcome(
    mode: str,
    branch: str,
    option: str,
    words: str,
    places: Places,
) -> None:
    place = places(mode)
    if words:
        must(ours("checkout", f"--repo={place / 'repo'}", "-U", "main", place / "out"))
    options = [*words.split(), *option.split(), *(["-U"] if mode != "bare" else [])]
    compare(place, [*options, branch, "out"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("", "--union"),
        ("", "-H --union-identical"),
        ("-C", "--union"),
        ("-C", "-H --union-identical"),
        ("-C", "--union-add"),
        ("", "-C --union"),
    ],
)
@pytest.mark.parametrize("branch", ["main", "upper"])
def test_checkout_over_another_checkout_same_outcome(
    mode: str,
    first: str,
    second: str,
    branch: str,
    places: Places,
) -> None:
    place = places(mode)
    user = [] if mode == "bare" else ["-U"]
    # The copy of the place keeps hard links between repository and checkout.
    must(ours("checkout", f"--repo={place / 'repo'}", *user, *first.split(), "main", place / "out"))
    compare(place, [*second.split(), *user, branch, "out"], message=False)


@pytest.mark.parametrize(
    "words",
    [
        "--union --union-add main out",
        "--union --union-identical main out",
        "--union-add --union-identical main out",
        "-H -C main out",
        "--union-identical main out",
        "--union --union main out",
        "",
        "--skip-list=nope main out",
    ],
)
def test_checkout_contradictions_same_message(words: str, places: Places) -> None:
    place = places("archive")
    mine, theirs = compare(place, words.split(), message=False)
    assert mine.err.splitlines()[-1:] == theirs.err.splitlines()[-1:]


@pytest.mark.parametrize("pairs", ["main\0/etc\0", "main\0/etc\0\0upper\0/\0", "", "\0", "main"])
def test_checkout_from_stdin_same_outcome(places: Places, pairs: str) -> None:
    place = places("bare-user")
    found = []
    for program, out in ((OURS, "out"), (REFERENCE, "out2")):
        result = run_process(
            program,
            *("checkout", f"--repo={place / 'repo'}", "-U", "--from-stdin", place / out),
            stdin=pairs.encode(),
        )
        tree = listing(place / out, place / "repo") if (place / out).exists() else None
        found.append((result.status, tree))
    assert found[0] == found[1]


def test_checkout_to_the_working_directory_and_to_absolute_paths(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places("bare-user")
    expected = place / "expected"
    must(ours("checkout", f"--repo={place / 'repo'}", "-U", "main", expected))
    for name, words in (("dot", "."), ("slash", "./"), ("up", "../up")):
        (place / name).mkdir()
        monkeypatch.chdir(place / name)
        must(ours("checkout", f"--repo={place / 'repo'}", "-U", "--union", "main", words))
        got, wanted = listing(place / name), listing(expected)
        assert got.pop(".") != wanted.pop(".")  # an existing directory stays as it was
        assert got == wanted


def test_checkout_destination_root_is_not_the_working_directory(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places("bare-user")
    (place / "out").mkdir()
    monkeypatch.chdir(place / "out")
    result = ours("checkout", f"--repo={place / 'repo'}", "-U", "main", "/")
    assert result.status == 1
    assert "File exists" in result.err
    assert os.listdir(place / "out") == []


@pytest.mark.parametrize("mode", ["bare", "bare-user"])
@pytest.mark.parametrize("words", ["", "-U"], ids=["plain", "user"])
def test_checkout_from_parent_repository_same_links(
    mode: str, words: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = places(mode)
    child = make_repo(place / "child", mode, parent="repo")
    monkeypatch.chdir(place)
    must(ours("commit", f"--repo={child}", TIME, "-b", "ref", "--tree=ref=main"))
    trees = []
    for command, out in ((ours, "a"), (reference, "b")):
        must(command("checkout", f"--repo={child}", *words.split(), "ref", out))
        trees.append(listing(place / out, place / "repo"))
    assert trees[0] == trees[1]


@pytest.mark.parametrize("mode", ["archive", "bare-user"])
def test_checkout_device_differs_copies_or_refuses(
    tmp_path: Path, places: Places, mode: str
) -> None:
    place = places(mode)
    device = tmp_path.stat().st_dev
    elsewhere = next(d for d in ("/dev/shm", "/var/tmp") if Path(d).stat().st_dev != device)
    away = Path(elsewhere) / f"{tmp_path.parent.name}-{tmp_path.name}"
    try:
        results = []
        for command in (ours, reference):
            must(command("checkout", f"--repo={place / 'repo'}", "-U", "upper", away))
            results.append(listing(away))
            shutil.rmtree(away)
            refused = command("checkout", f"--repo={place / 'repo'}", "-UH", "upper", away)
            results.append(refused)
            shutil.rmtree(away, ignore_errors=True)
        assert results[:2] == results[2:]
        assert results[1].status == 1
    finally:
        shutil.rmtree(away, ignore_errors=True)


@pytest.mark.parametrize("command", [ours, reference], ids=["ours", "theirs"])
def test_checkout_uses_the_uncompressed_cache_that_either_filled(
    places: Places, command: Command
) -> None:
    place = places("archive")
    repo = place / "repo"
    must(command("checkout", f"--repo={repo}", "-U", "main", place / "first"))
    other = reference if command is ours else ours
    must(other("checkout", f"--repo={repo}", "-U", "main", place / "second"))
    first, second = (listing(place / name, repo) for name in ("first", "second"))
    assert first == second
    assert sum(entry.linked_object is not None for entry in first.values()) >= 4
