"""A repository whose power is cut at any point: whole before or after; the next run works."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fault.power import Power, every_cut, power_cut
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.objects import parse_checksum
from pyostree.formats.refspec import parse_refspec
from pyostree.fs.dir import Dir
from pyostree.repo.checkout import checkout
from pyostree.repo.checkout_options import CheckoutOptions, Overwrite
from pyostree.repo.commit import CommitRequest, TreeSource, commit
from pyostree.repo.commit_metadata import MetadataArguments
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.repo import Repo
from repo_lab import (
    MODES,
    check_both,
    copy_tree,
    link_tree,
    listing,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    write_files,
)

WHEN = 1700000000


class Place(NamedTuple):
    """A repository with one commit, and the tree of the next."""

    root: Path
    repo: Path
    tree: Path
    first: str
    mode: str


@pytest.fixture(scope="module", params=MODES)
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("template"), request.param)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("archive"), "archive")


def make_place(root: Path, mode: str) -> Place:
    repo = make_repo(root / "repo", mode)
    tree = write_files(root / "tree", {"file": "first", "dir/other": "x", "dir/gone": "g"})
    (tree / "link").symlink_to("file")
    os.setxattr(tree / "dir/other", "user.note", b"note")
    first = must(ours("commit", f"--repo={repo}", f"--timestamp=@{WHEN}", "-b", "main", tree))
    write_files(tree, {"file": "second", "new/below/here": "new"})
    config = repo / "config"
    config.write_text(config.read_text().replace("fsync=false", "fsync=true"))
    return Place(root, repo, tree, first, mode)


def copies(
    template: Place,
    tmp_path: Path,
    *,
    step: int = 1,
    copy: Callable[[Path, Path], Path] = link_tree,
) -> Iterator[tuple[int, Place]]:
    """Yield the number of each cut with a fresh copy to run into it."""
    for number in itertools.count(1, step):
        root = copy(template.root, tmp_path / "copy")
        yield number, template._replace(root=root, repo=root / "repo", tree=root / "tree")
        shutil.rmtree(root)


def commit_once(place: Place, **options: bool) -> str:
    with Repo.open(place.repo) as repo:
        request = CommitRequest(
            branch="main",
            trees=(TreeSource("dir", str(place.tree)),),
            modifier=CommitModifier(canonical=True),
            arguments=MetadataArguments(detached_strings=("detached=1",)),
            timestamp=WHEN,
            **options,
        )
        return str(commit(repo, request).checksum)


def check_whole(place: Place, *allowed: str) -> str:
    """Check the repository, whose branch is one of the commits; return which."""
    must(ours("fsck", f"--repo={place.repo}", "-q"))
    now = refs_of(place.repo)["heads/main"].strip()
    assert now in allowed
    must(ours("ls", "-R", f"--repo={place.repo}", "main"))
    return now


def test_commit_power_cut_anywhere_leaves_old_or_new(template: Place, tmp_path: Path) -> None:
    whole = copy_tree(template.root, tmp_path / "whole")
    step = 1 if template.mode in ("archive", "bare") else 3  # the others differ in few calls
    expected = commit_once(template._replace(repo=whole / "repo", tree=whole / "tree"))
    final = object_names(whole / "repo")
    for number, place in copies(template, tmp_path, step=step):
        with power_cut(before_call=number) as power:
            commit_once(place)
        check_whole(place, *((place.first, expected) if power.was_cut else (expected,)))
        if number % 3 == 1:  # starting a process takes longer than all the rest
            must(reference("fsck", f"--repo={place.repo}", "-q"))
        again = commit_once(place)
        # A commit that was published before the cut is now the parent of the next.
        assert check_whole(place, again) == again
        if again == expected:
            assert object_names(place.repo) == final
        if not power.was_cut:
            assert number > 30
            break


@pytest.mark.parametrize("mode", ["bare", "bare-user-only"])
def test_consuming_commit_power_cut_anywhere_loses_no_file(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "template"
    root.mkdir()
    template = make_place(root, mode)
    # Files that become objects get another time, hence copies.
    for number, place in copies(template, tmp_path, step=2, copy=copy_tree):
        with power_cut(before_call=number) as power:
            commit_once(place, consume=True)
        check_whole(place, *refs_of(place.repo)["heads/main"].split())
        if not power.was_cut:
            break
        # What was taken from the source is in the staging directory: the next commit finds it.
        place.tree.mkdir(exist_ok=True)
        write_files(place.tree, {"rest": "rest"})
        commit_once(place, consume=True)
        must(reference("fsck", f"--repo={place.repo}", "-q"))
        contents = {path.read_bytes() for path in place.root.rglob("*") if path.is_file()}
        assert {b"second", b"x", b"g", b"new"} <= contents


def test_set_ref_power_cut_anywhere_leaves_old_or_new(archive: Place, tmp_path: Path) -> None:
    second = commit_once(archive) if not (tmp_path / "x").exists() else ""
    for number, place in copies(archive, tmp_path):
        with power_cut(before_call=number) as power, Repo.open(place.repo) as repo:
            repo.set_ref(parse_refspec("main"), parse_checksum(archive.first))
            repo.set_ref(parse_refspec("origin:deep/er/ref"), parse_checksum(second))
        refs = refs_of(place.repo)
        assert refs["heads/main"].strip() in (second, archive.first)
        assert refs.get("remotes/origin/deep/er/ref", second).strip() == second
        assert not [name for name in refs if "tmp" in name and not power.was_cut]
        check_both(place.repo)
        assert "tmp" not in must(reference("refs", f"--repo={place.repo}"))
        if not power.was_cut:
            break


def test_write_config_power_cut_anywhere_leaves_old_or_new(archive: Place, tmp_path: Path) -> None:
    old = (archive.repo / "config").read_bytes()
    keyfile = KeyFile.parse(old)
    keyfile.set_string("core", "tombstone-commits", "true")
    for number, place in copies(archive, tmp_path):
        with power_cut(before_call=number) as power, Repo.open(place.repo) as repo:
            repo.write_config(keyfile)
        assert (place.repo / "config").read_bytes() in (old, keyfile.encode())
        check_both(place.repo)
        if not power.was_cut:
            assert (place.repo / "config").read_bytes() == keyfile.encode()
            break


def test_create_power_cut_anywhere_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "repo"
    for number in every_cut():
        with power_cut(before_call=number) as power:
            Repo.create(path).close()
        must(ours("init", f"--repo={path}", "--mode=bare"))
        check_both(path)
        shutil.rmtree(path)
        if not power.was_cut:
            break


@pytest.mark.parametrize("user_mode", [True, False], ids=["user", "plain"])
def test_checkout_power_cut_anywhere_can_be_completed(
    template: Place, tmp_path: Path, user_mode: bool
) -> None:
    out = tmp_path / "out"
    options = CheckoutOptions(user_mode=user_mode, overwrite=Overwrite.UNION, use_cache=True)

    def check_out() -> None:
        with Repo.open(template.repo) as repo, Dir.at(tmp_path) as parent:
            checkout(repo, parse_checksum(template.first), parent, "out", options)

    check_out()
    expected = listing(out)
    for number in every_cut():
        shutil.rmtree(out)
        shutil.rmtree(template.repo / "uncompressed-objects-cache", ignore_errors=True)
        with power_cut(before_call=number) as power:
            check_out()
        must(ours("fsck", f"--repo={template.repo}", "-q"))
        if not power.was_cut:
            assert listing(out) == expected
            break
        check_out()
        # A directory that was made before the cut counts as existing: its mode may be the first.
        assert files_of(listing(out)) == files_of(expected)


def files_of(entries: dict[str, object]) -> dict[str, object]:
    return {name: entry for name, entry in entries.items() if entry[0] != "d"}  # type: ignore[index]


# -- order of what reaches the disk ------------------------------------------------------------


def recorded(place: Place, run: Callable[[Place], object]) -> Power:
    with power_cut() as power:
        run(place)
    return power


def positions(power: Power, name: str, part: str = "") -> list[int]:
    return [at for at, (call, args) in enumerate(power.calls) if call == name and part in str(args)]


def test_commit_syncs_data_before_names_before_refs(template: Place, tmp_path: Path) -> None:
    root = copy_tree(template.root, tmp_path / "copy")
    place = template._replace(root=root, repo=root / "repo", tree=root / "tree")
    power = recorded(place, commit_once)
    (data_is_safe,) = positions(power, "syncfs")
    named = [at for at in positions(power, "renameat2") if at > data_is_safe]
    assert named, "objects get their names after their data is on the disk"
    before = {call for call, _ in power.calls[:data_is_safe]}
    assert {"link", "write"} <= before
    (ref,) = positions(power, "rename", "refs/heads/")
    directories = len(os.listdir(place.repo / "objects"))
    *others, the_commit = named
    assert ".commit'" in str(power.calls[the_commit][1]), "the commit is named last"
    syncs = [at for at in positions(power, "fsync") if max(others) < at < the_commit]
    assert len(syncs) == directories + 1  # every objects/XX, and objects/ itself
    syncs = [at for at in positions(power, "fsync") if the_commit < at < ref]
    assert len(syncs) == 3  # the directory of the commit, objects/, and the new content of the ref
    assert positions(power, "fsync")[-1] > ref, "the name of the ref is synced, too"
    written = [at for at in positions(power, "write") if at > data_is_safe]
    assert len(written) == 1, "nothing but the ref is written after the data was synced"
    assert syncs[-2] < written[0] < syncs[-1] < ref


def test_commit_per_object_fsync_syncs_each_file_before_its_name(tmp_path: Path) -> None:
    root = tmp_path / "place"
    root.mkdir()
    place = make_place(root, "archive")
    with (place.repo / "config").open("a") as config:
        config.write("per-object-fsync=true\n")
    power = recorded(place, commit_once)
    links = [at for at in positions(power, "link") if ".filez" in str(power.calls[at][1])]
    assert len(links) >= 2
    for at in links:
        descriptor = int(str(power.calls[at][1][0]).rpartition("/")[2])
        earlier = [args[0] for call, args in power.calls[:at] if call == "fsync"]
        assert descriptor in earlier
    (ref,) = positions(power, "rename", "refs/heads/")
    assert positions(power, "syncfs")[0] < ref


@pytest.mark.parametrize("how", ["config", "option"])
def test_commit_without_fsync_never_syncs(tmp_path: Path, how: str) -> None:
    root = tmp_path / "place"
    root.mkdir()
    place = make_place(root, "bare-user")
    config = place.repo / "config"
    if how == "config":
        config.write_text(config.read_text().replace("fsync=true", "fsync=false"))
    option = [] if how == "config" else ["--fsync=false"]
    with power_cut() as power:
        must(ours("commit", f"--repo={place.repo}", "-b", "main", *option, place.tree))
    assert {call for call, _ in power.calls} & {"fsync", "syncfs"} == set()
    check_both(place.repo)
