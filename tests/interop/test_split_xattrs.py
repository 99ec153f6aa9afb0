"""Mode bare-split-xattrs: read like the reference, and copied without the reference's losses."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from tests.repo_lab import (
    MODES,
    OURS,
    REFERENCE,
    check_both,
    commit,
    listing,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    run_process,
    stored_objects,
    xattrs_of,
)

from pyostree.formats.xattrs import encode_xattrs
from pyostree.fs.dir import Dir
from pyostree.repo.prune import PruneOptions, prune
from pyostree.repo.repo import Repo

MODE = "bare-split-xattrs"
SWITCH = "OSTREE_EXP_WRITE_BARE_SPLIT_XATTRS"


def split(bare: Path, target: Path) -> Path:
    """Turn a copy of a bare repository into the mode that no command writes."""
    shutil.copytree(bare, target, symlinks=True)
    config = target / "config"
    config.write_text(config.read_text().replace("mode=bare\n", f"mode={MODE}\n"))
    for file in list((target / "objects").glob("??/*.file")):
        original = bare / file.relative_to(target)
        status = original.lstat()
        os.chown(file, status.st_uid, status.st_gid, follow_symlinks=False)
        pairs = tuple((os.fsencode(name), value) for name, value in xattrs_of(original))
        for name, _ in pairs:
            os.removexattr(file, name, follow_symlinks=False)
        if not file.is_symlink():
            file.chmod(status.st_mode & 0o7777)
        raw = encode_xattrs(pairs)
        digest = hashlib.sha256(raw).hexdigest()
        shared = target / "objects" / digest[:2] / f"{digest[2:]}.file-xattrs"
        shared.parent.mkdir(exist_ok=True)
        if not shared.exists():
            shared.write_bytes(raw)
        os.link(shared, f"{file}-xattrs-link")
    return target


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("split")
    tree = top / "tree"
    (tree / "d").mkdir(parents=True)
    for name, data in (("f", b"one"), ("d/g", b"two"), ("plain", b"")):
        (tree / name).write_bytes(data)
    os.setxattr(tree / "f", "user.a", b"1")
    os.setxattr(tree / "d/g", "user.a", b"1")
    os.setxattr(tree / "d/g", "user.b", b"2")
    (tree / "link").symlink_to("f")
    if os.geteuid() == 0:
        os.chown(tree / "f", 5, 6)
        os.chown(tree / "link", 7, 8, follow_symlinks=False)
    (tree / "f").chmod(0o4755)
    commit(make_repo(top / "bare", "bare"), "-b", "main", tree, command=reference)
    split(top / "bare", top / "split")
    return top


def test_split_reading_commands_like_reference(places: Path) -> None:
    repo = places / "split"
    for words in (("ls", "-R", "-X", "-C", "main"), ("fsck", "-q"), ("cat", "main", "/f")):
        mine = ours(words[0], f"--repo={repo}", *words[1:])
        theirs = reference(words[0], f"--repo={repo}", *words[1:])
        assert mine == theirs
        assert mine.status == 0
    assert ours("ls", f"--repo={places / 'bare'}", "-R", "-X", "main").out.count("user.a") == 2


@pytest.mark.parametrize("option", [[], ["-U"], ["-H"], ["-UH"]], ids=repr)
def test_split_checkout_like_reference(places: Path, tmp_path: Path, option: list[str]) -> None:
    repo = places / "split"
    seen = []
    for command in (ours, reference):
        target = tmp_path / command.__name__
        result = command("checkout", f"--repo={repo}", *option, "main", target)
        seen.append((result, listing(target, repo) if result.status == 0 else None))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "bare-user-only"])
@pytest.mark.parametrize("trust", ["", "--untrusted"])
def test_split_pulled_into_other_modes_like_reference(
    places: Path, tmp_path: Path, mode: str, trust: str
) -> None:
    for command in (ours, reference):
        target = make_repo(tmp_path / command.__name__, mode)
        must(command("pull-local", *filter(None, [trust]), f"--repo={target}", places / "split"))
        check_both(target)
    assert stored_objects(tmp_path / "ours") == stored_objects(tmp_path / "reference")


@pytest.mark.parametrize("trust", ["", "--untrusted"])
def test_split_pulled_into_split_keeps_xattrs(places: Path, tmp_path: Path, trust: str) -> None:
    target = make_repo(tmp_path / "copy", MODE)
    must(ours("pull-local", *filter(None, [trust]), f"--repo={target}", places / "split"))
    assert object_names(target) == object_names(places / "split")
    check_both(target)
    for link in (target / "objects").glob("??/*.file-xattrs-link"):
        assert link.stat().st_nlink > 1  # one copy of equal xattrs


def test_split_pulled_without_hard_links_keeps_xattrs(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = make_repo(tmp_path / "copy", MODE)
    monkeypatch.setattr("os.link", _refuse_objects(os.link))
    must(ours("pull-local", f"--repo={target}", places / "split"))
    monkeypatch.undo()
    assert object_names(target) == object_names(places / "split")
    check_both(target)


def _refuse_objects(real: object) -> object:
    def link(source: str, name: str, **more: object) -> None:
        if source.endswith((".file", ".file-xattrs")):
            raise OSError(31, "Too many links")
        real(source, name, **more)  # type: ignore[operator]

    return link


@pytest.mark.parametrize("damage", [None, b"\xff"], ids=["gone", "not an array"])
def test_split_damaged_xattrs_are_found_by_fsck(
    places: Path, tmp_path: Path, damage: bytes | None
) -> None:
    results = []
    for command in (ours, reference):
        repo = split(places / "bare", tmp_path / command.__name__)
        link = max((repo / "objects").glob("??/*-link"), key=lambda path: path.stat().st_size)
        link.unlink()
        if damage is not None:
            link.write_bytes(damage)
        results.append(command("fsck", f"--repo={repo}", "-q"))
    assert results[0].status == results[1].status == 1
    assert results[0] == results[1] or damage is not None


def test_split_missing_xattrs_error_names_the_link(places: Path, tmp_path: Path) -> None:
    repo = split(places / "bare", tmp_path / "split")
    for link in (repo / "objects").glob("??/*.file-xattrs-link"):
        link.unlink()
    mine, theirs = (c("ls", f"--repo={repo}", "-RX", "main") for c in (ours, reference))
    assert mine == theirs
    assert ".file-xattrs-link): No such file or directory" in mine.err


def test_split_prune_takes_the_xattrs_along(places: Path, tmp_path: Path) -> None:
    repo = split(places / "bare", tmp_path / "split")
    must(ours("refs", f"--repo={repo}", "--delete", "main"))
    assert "Total objects: 8\n" in ours("prune", f"--repo={repo}", "--refs-only").out
    assert object_names(repo) == set()


def test_split_prune_keeps_shared_xattrs(places: Path, tmp_path: Path) -> None:
    repo = split(places / "bare", tmp_path / "split")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "other").write_bytes(b"")
    small = make_repo(tmp_path / "small", "bare")
    commit(small, "-b", "other", tree, command=reference)
    must(ours("pull-local", f"--repo={repo}", split(small, tmp_path / "small-split")))
    must(ours("refs", f"--repo={repo}", "--delete", "main"))
    must(ours("prune", f"--repo={repo}", "--refs-only"))
    assert object_names(repo) == object_names(tmp_path / "small-split")
    check_both(repo)


class Killed(BaseException):
    """Stands for a signal: nothing is caught or cleaned up."""


def _prune_until(repo: Path, calls: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Prune, with a kill after so many files were removed; tell whether it came to that."""
    left = calls
    really_remove = Dir.remove

    def remove(self: Dir, name: str, *, missing_ok: bool = False) -> bool:
        nonlocal left
        if ".file" in name:
            if left == 0:
                raise Killed
            left -= 1
        return really_remove(self, name, missing_ok=missing_ok)

    with monkeypatch.context() as patch, Repo.open(str(repo)) as opened:
        patch.setattr(Dir, "remove", remove)
        try:
            prune(opened, PruneOptions(refs_only=True, depth=0))
        except Killed:
            return True
    return False


@pytest.mark.parametrize("copied", [False, True], ids=["linked", "copied"])
def test_split_prune_killed_anywhere_leaves_nothing_for_ever(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, copied: bool
) -> None:
    pristine = split(places / "bare", tmp_path / "pristine")
    for link in (pristine / "objects").glob("??/*-xattrs-link") if copied else ():
        data = link.read_bytes()
        link.unlink()
        link.write_bytes(data)
    must(ours("refs", f"--repo={pristine}", "--delete", "main"))
    calls, was_killed = 0, True
    while was_killed:
        for then_pull in (False, True):
            repo = tmp_path / f"{calls}-{then_pull}"
            must(run_process("/bin/cp", "-a", "--reflink=auto", pristine, repo))
            was_killed = _prune_until(repo, calls, monkeypatch)
            if then_pull:  # what is half gone is no reason not to fetch it
                must(ours("pull-local", f"--repo={repo}", places / "split"))
                must(ours("fsck", f"--repo={repo}", "-q"))
                must(ours("refs", f"--repo={repo}", "--delete", "main"))
            assert not _prune_until(repo, 1000, monkeypatch)
            assert object_names(repo) == set()
            shutil.rmtree(repo)
        calls += 1
    assert calls > 10


def test_split_writing_is_refused_like_reference(places: Path, tmp_path: Path) -> None:
    for words in (
        ("commit", "-b", "x", places / "tree"),
        ("pull-local", places / "bare"),
    ):
        results = []
        for command in (ours, reference):
            repo = make_repo(tmp_path / f"{command.__name__}-{words[0]}", MODE)
            results.append(command(words[0], f"--repo={repo}", *words[1:]))
        assert results[0] == results[1]
        assert results[0].status == 1


def test_split_experimental_writing_like_reference(places: Path, tmp_path: Path) -> None:
    for command in (ours, reference):
        program = OURS if command is ours else REFERENCE
        repo = make_repo(tmp_path / command.__name__, MODE)
        words = ("--timestamp=@1700000000", "-b", "x", places / "tree")
        must(run_process(program, "commit", f"--repo={repo}", *words, **{SWITCH: "1"}))
    assert stored_objects(tmp_path / "ours") == stored_objects(tmp_path / "reference")
    assert ours("fsck", f"--repo={tmp_path / 'ours'}", "-q").status == 1
