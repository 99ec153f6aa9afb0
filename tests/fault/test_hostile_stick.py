"""Sticks made to harm: nothing that is not verified becomes reachable, nothing is written to them.

Whatever is wrong, the search ends soon, the client keeps its refs, other repositories are found.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpg_lab import KEYS, GpgHome
from peer_lab import (
    COLLECTION,
    NEW,
    Vendor,
    find_on,
    make_client,
    make_vendor,
    pull_found,
    pulled_refs,
    ref,
    volume_at,
)
from pyostree.errors import FetchError, OstreeError, describe
from pyostree.formats.mountinfo import Mount
from pyostree.fs.dir import Dir
from pyostree.pull.finders.find import FindOptions, find_remotes
from pyostree.pull.finders.mount import MountFinder
from pyostree.pull.finders.volumes import open_volume
from pyostree.pull.usb import UsbOptions, create_usb
from pyostree.repo.repo import Repo
from repo_lab import elsewhere, listing, must, ours

MIB = 1 << 20


class Place:
    """A vendor, a client that has nothing yet, and a stick with the ref ``a``."""

    def __init__(self, path: Path, keys: GpgHome) -> None:
        self.vendor = Vendor(path / "vendor", keys)
        self.client = path / "client"
        self.stick = path / "stick"
        self.repo = self.stick / ".ostree/repo"
        self.commit = self.vendor.commit_of("a")

    def object(self, ending: str) -> Path:
        """Return the stick's only object of a kind."""
        (found,) = (self.repo / "objects").glob(f"*/*{ending}")
        return found

    def is_found(self) -> bool:
        began_s = time.monotonic()
        found = find_on(self.client, self.stick, "a")
        assert time.monotonic() - began_s < 8
        return bool(found)

    def check_refused(self) -> None:
        """What is found cannot be pulled, and leaves nothing reachable."""
        found = find_on(self.client, self.stick, "a")
        if found:
            with pytest.raises(FetchError, match="Failed to pull some refs"):
                pull_found(self.client, found)
        assert pulled_refs(self.client) == {}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, keys: GpgHome) -> Path:
    path = tmp_path_factory.mktemp("template")
    vendor = make_vendor(path, keys)
    make_client(path, keys)
    vendor.commit("a", text="x" * 200)
    (path / "stick").mkdir()
    vendor.copy_to(path / "stick", "a")
    return path


@pytest.fixture
def place(tmp_path: Path, template: Path, keys: GpgHome) -> Place:
    shutil.copytree(template, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Place(tmp_path, keys)


def test_good_stick_is_pulled_and_not_written_to(place: Place) -> None:
    before = listing(place.stick)
    pull_found(place.client, find_on(place.client, place.stick, "a"))
    assert pulled_refs(place.client) == {"a": place.commit}
    assert listing(place.stick) == before
    must(ours("fsck", f"--repo={place.client}"))


# -- files that are no such files --------------------------------------------------------


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _elsewhere(path: Path) -> None:
    other = path.parent.parent.parent / f"outside-{path.name}"
    path.rename(other)
    path.symlink_to(other)


def _huge(path: Path) -> None:
    os.truncate(path, 1 << 40)


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff\x00garbage\n" * 50)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [_fifo, _device, _directory, _loop, _elsewhere, _huge, _garbage, _empty]
Damage = Callable[[Path], None]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["config", "summary", f"refs/mirrors/{COLLECTION}/a"])
def test_stick_with_a_strange_file_is_not_found(place: Place, name: str, damage: Damage) -> None:
    damage(place.repo / name)
    assert not place.is_found()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", [".filez", ".dirtree", ".commit", ".commitmeta"])
def test_stick_with_a_strange_object_gives_nothing(place: Place, kind: str, damage: Damage) -> None:
    damage(place.object(kind))
    began_s = time.monotonic()
    if (kind, damage) == (".filez", _huge):  # what follows the content is never looked at
        pull_found(place.client, find_on(place.client, place.stick, "a"))
        must(ours("fsck", f"--repo={place.client}"))
    else:
        place.check_refused()
    assert time.monotonic() - began_s < 8


def test_stick_with_other_content_under_a_name_gives_nothing(place: Place) -> None:
    other = place.vendor.commit("b", text="y")
    (place.stick / "2").mkdir()
    place.vendor.copy_to(place.stick / "2", "b")
    for ending in (".filez", ".dirtree"):
        (source,) = (file for file in (place.stick / "2").glob(f".ostree/repo/objects/*/*{ending}"))
        place.object(ending).write_bytes(source.read_bytes())
    place.check_refused()
    assert other != place.commit


@pytest.mark.parametrize("mode", ["bare", "bare-user", "bare-user-only"])
def test_stick_of_another_mode_gives_only_what_hashes_right(place: Place, mode: str) -> None:
    stick = place.stick / "other"
    repo = stick / ".ostree/repo"
    repo.parent.mkdir(parents=True)
    place.vendor.publish()
    must(ours("init", f"--repo={repo}", f"--mode={mode}"))
    words = ("--mirror", "--disable-verify-bindings", "vendor", "a")
    trust = ("--no-gpg-verify", f"--collection-id={COLLECTION}")
    url = f"file://{place.vendor.repo}"
    must(ours("remote", "add", f"--repo={repo}", *trust, "vendor", url))
    must(ours("pull", f"--repo={repo}", *words))
    must(ours("summary", f"--repo={repo}", "-u"))
    (file,) = (repo / "objects").glob("*/*.file")
    content = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(content[::-1])
    found = find_on(place.client, stick, "a")
    assert found
    with pytest.raises(FetchError):
        pull_found(place.client, found)
    assert pulled_refs(place.client) == {}
    file.write_bytes(content)
    if mode == "bare":  # the files there have owners and attributes of their own
        return
    pull_found(place.client, find_on(place.client, stick, "a"))
    assert pulled_refs(place.client) == {"a": place.commit}


# -- commits that are not what was asked for ---------------------------------------------


def _lie(place: Place, commit: str) -> None:
    """Give the stick's ref another commit, and a summary that says so."""
    (place.repo / f"refs/mirrors/{COLLECTION}/a").write_text(f"{commit}\n")
    must(ours("summary", f"--repo={place.repo}", "-u"))


def _add(place: Place, name: str) -> None:
    pair = (COLLECTION, name)
    must(ours("create-usb", f"--repo={place.vendor.repo}", "--disable-fsync", place.stick, *pair))


@pytest.mark.parametrize("signers", [(), KEYS[1:2]], ids=["unsigned", "wrong key"])
def test_commit_without_a_trusted_signature_is_refused(
    place: Place, signers: tuple[str, ...]
) -> None:
    commit = place.vendor.commit("a", NEW, keys=signers)
    _add(place, "a")
    place.check_refused()
    assert not list((place.client / "objects").glob(f"{commit[:2]}/{commit[2:]}.commit"))


def test_commit_of_another_ref_is_refused(place: Place) -> None:
    other = place.vendor.commit("b")
    _add(place, "b")
    _lie(place, other)
    place.check_refused()


@pytest.mark.parametrize("own_id", [None, COLLECTION, "org.example.Other"])
def test_commit_of_another_collection_is_refused_whatever_the_stick_says_it_is(
    tmp_path: Path, place: Place, own_id: str | None
) -> None:
    (tmp_path / "other").mkdir()
    other = make_vendor(tmp_path / "other", place.vendor.home, "org.example.Other")
    commit = other.commit("a")
    pair = ("org.example.Other", "a")
    must(ours("create-usb", f"--repo={other.repo}", "--disable-fsync", place.stick, *pair))
    _lie(place, commit)
    if own_id is not None:
        with (place.repo / "config").open("a") as config:
            config.write(f"[core]\ncollection-id={own_id}\n")
    place.check_refused()


def test_other_commit_than_its_name_says_is_refused(place: Place) -> None:
    other = place.vendor.commit("a", NEW)
    _add(place, "a")
    old, new = (place.repo / "objects" / name[:2] / name[2:] for name in (place.commit, other))
    for ending in (".commit", ".commitmeta"):
        source = old.with_name(old.name + ending)
        new.with_name(new.name + ending).write_bytes(source.read_bytes())
    place.check_refused()


def test_parent_repository_named_by_a_stick_is_not_opened(tmp_path: Path, place: Place) -> None:
    with (place.repo / "config").open("a") as config:
        config.write(f"[core]\nparent={place.vendor.repo}\n")
    place.object(".filez").unlink()
    place.check_refused()


# -- places ------------------------------------------------------------------------------


def test_repository_outside_of_the_stick_is_not_found(tmp_path: Path, place: Place) -> None:
    with elsewhere(tmp_path) as outside:
        target = Path(outside.label) / "repo"
        must(ours("init", f"--repo={target}", "--mode=archive"))
        place.vendor.copy_to(Path(outside.label), "a", destination="repo2")
        place.repo.rename(tmp_path / "moved")
        place.repo.symlink_to(Path(outside.label) / "repo2")
        assert not place.is_found()
        place.repo.unlink()
        (place.stick / ".ostree/repos.d").mkdir()
        (place.stick / ".ostree/repos.d/x").symlink_to(Path(outside.label) / "repo2")
        assert not place.is_found()


def test_repos_d_with_strange_and_many_entries_is_searched_within_limits(place: Place) -> None:
    repos_d = place.stick / ".ostree/repos.d"
    repos_d.mkdir()
    os.mkfifo(repos_d / "fifo")
    (repos_d / "loop").symlink_to("loop")
    (repos_d / "dangling").symlink_to("nowhere")
    (repos_d / "zero").symlink_to("/dev/zero")
    (repos_d / "up").symlink_to("../../..")
    assert place.is_found()
    for number in range(2000):
        (repos_d / f"a{number}").mkdir()
    assert not place.is_found()  # only so many are looked at; this stick is no honest one


@pytest.mark.parametrize("name", ["x\nResult 9: y", "x\x1b[31m", "x\x9b"])
def test_path_that_would_forge_output_is_not_found(place: Place, name: str) -> None:
    place.repo.rename(place.stick / name)
    (place.stick / ".ostree/repos.d").mkdir()
    (place.stick / ".ostree/repos.d/0").symlink_to(f"../../{name}")
    assert not place.is_found()


def test_path_with_percent_and_blanks_is_pulled(tmp_path: Path, place: Place) -> None:
    odd = tmp_path / "100%41 ü#?"
    place.stick.rename(odd)
    pull_found(place.client, find_on(place.client, odd, "a"))
    assert pulled_refs(place.client) == {"a": place.commit}


def test_very_long_path_is_pulled(tmp_path: Path, place: Place) -> None:
    deep = tmp_path / ("d" * 200) / ("e" * 200)
    deep.parent.mkdir()
    place.stick.rename(deep)
    pull_found(place.client, find_on(place.client, deep, "a"))
    assert pulled_refs(place.client) == {"a": place.commit}


def test_volume_that_hangs_costs_only_its_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_slowly(mount: Mount) -> Dir | None:
        if mount.path == "/hangs":
            time.sleep(30)
        return open_volume(mount)

    monkeypatch.setattr("pyostree.pull.finders.mount.open_volume", open_slowly)
    good = volume_at(place.stick)
    finder = MountFinder(lambda: [good._replace(path="/hangs"), good])
    with Repo.open(place.client) as repo:
        began_s = time.monotonic()
        found = find_remotes(repo, [ref("a")], [finder], FindOptions(timeout_s=1))
        assert time.monotonic() - began_s < 10
    assert len(found) == 1


def test_summary_of_many_refs_is_searched_in_bounded_memory(place: Place) -> None:
    summary = place.repo / "summary"
    os.truncate(summary, 4 * MIB + 1)
    assert not place.is_found()


# -- filling one -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["objects", "refs/mirrors", "tmp", f"refs/mirrors/{COLLECTION}", "objects/zz"]
)
def test_create_usb_does_not_follow_links_of_a_stick(
    tmp_path: Path, place: Place, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = place.repo / name
    if target.exists():
        target.rename(tmp_path / "old")
    target.symlink_to(outside)
    with Repo.open(place.vendor.repo) as repo, pytest.raises(OstreeError, match="its own"):
        create_usb(repo, str(place.stick), {ref("a"): None}, UsbOptions(disable_fsync=True))
    assert not list(outside.iterdir())


def _fill(place: Place, destination: str = ".ostree/repo") -> None:
    with Repo.open(place.vendor.repo) as repo:
        create_usb(
            repo, str(place.stick), {ref("a"): None}, UsbOptions(destination, disable_fsync=True)
        )


def _check_refused(place: Place, name: str) -> None:
    """Filling the stick ends soon in an error that names the entry, and changes nothing."""
    before = listing(place.stick)
    began_s = time.monotonic()
    with pytest.raises(OstreeError, match=f"^{re.escape(name)} of the destination .* its own"):
        _fill(place)
    assert time.monotonic() - began_s < 8
    assert listing(place.stick) == before


def test_create_usb_replaces_no_file_outside_by_a_directory_of_refs_that_is_a_link(
    tmp_path: Path, place: Place
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("mine")
    lead = f"refs/mirrors/{COLLECTION}"
    (place.repo / lead / "os").symlink_to(outside)
    place.vendor.commit("os/x")
    with Repo.open(place.vendor.repo) as repo, pytest.raises(OstreeError, match=f"^{lead}/os of"):
        create_usb(repo, str(place.stick), {ref("os/x"): None})
    assert (outside / "x").read_text() == "mine"


def test_create_usb_deletes_no_file_outside_by_delta_indexes_that_are_a_link(
    tmp_path: Path, place: Place
) -> None:
    index = tmp_path / "outside/zz" / f"{'a' * 41}.index"
    index.parent.mkdir(parents=True)
    index.write_text("mine")
    (place.repo / "delta-indexes").symlink_to(index.parent.parent)
    _check_refused(place, "delta-indexes")
    assert index.read_text() == "mine"


def test_create_usb_writes_no_file_outside_by_a_cache_that_is_a_link(
    tmp_path: Path, place: Place
) -> None:
    (tmp_path / "outside").mkdir()
    shutil.rmtree(place.repo / "tmp/cache", ignore_errors=True)
    (place.repo / "tmp/cache").symlink_to(tmp_path / "outside")
    _check_refused(place, "tmp/cache")
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "summary",
        ".lock",
        "deltas/ab/cd/superblock",
        "state/x.commitpartial",
        "tmp/staging-x/ab",
        f"refs/mirrors/{COLLECTION}/deep/er",
        "refs/heads/alias",
    ],
)
def test_create_usb_follows_no_link_out_of_the_repository(
    tmp_path: Path, place: Place, name: str
) -> None:
    (tmp_path / "outside").write_text("mine")
    link = place.repo / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "outside")
    _check_refused(place, name)
    assert (tmp_path / "outside").read_text() == "mine"


@pytest.mark.parametrize("name", ["config", "summary", "refs/heads/x", "objects/ab/cd.commit"])
def test_create_usb_does_not_wait_for_a_pipe_in_place_of_a_file(place: Place, name: str) -> None:
    pipe = place.repo / name
    pipe.unlink(missing_ok=True)
    pipe.parent.mkdir(exist_ok=True)
    os.mkfifo(pipe)
    _check_refused(place, name)


def test_create_usb_lets_aliases_of_refs_be(place: Place) -> None:
    heads = place.repo / "refs/heads"
    (heads / "sub").mkdir()
    (heads / "sub/alias").symlink_to(f"../../mirrors/{COLLECTION}/a")
    (heads / "gone").symlink_to("nothing")
    with pytest.raises(FileNotFoundError):  # as wherever a summary is made of dangling aliases
        _fill(place)
    (heads / "gone").unlink()
    _fill(place)
    assert (heads / "sub/alias").is_symlink()


def test_create_usb_takes_nothing_from_a_parent_that_the_stick_names(place: Place) -> None:
    place.object(".filez").unlink()
    place.object(".commit").unlink()
    with (place.repo / "config").open("a") as config:
        config.write(f"[core]\nparent={place.vendor.repo}\n")
    _fill(place)
    assert place.object(".commit").is_file()
    assert place.object(".filez").is_file()


def test_create_usb_names_what_is_in_the_way(place: Place) -> None:
    (place.stick / "file").touch()
    with pytest.raises(FileExistsError) as caught:
        _fill(place, "file/repo")
    assert describe(caught.value) == "file: mkdirat: File exists"


def test_create_usb_below_a_link_that_leads_out_of_the_mount_is_refused(
    tmp_path: Path, place: Place
) -> None:
    (tmp_path / "outside").mkdir()
    (place.stick / "link").symlink_to("../outside")
    with pytest.raises(OstreeError, match="descendent"):
        _fill(place, "link/repo")
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("destination", ["../outside", "a/../../outside", "/", ".", ""])
def test_create_usb_outside_of_the_stick_is_refused(place: Place, destination: str) -> None:
    with Repo.open(place.vendor.repo) as repo, pytest.raises(OstreeError, match="descendent"):
        create_usb(repo, str(place.stick), {ref("a"): None}, UsbOptions(destination))


def test_create_usb_on_another_device_by_a_link_is_refused(tmp_path: Path, place: Place) -> None:
    with elsewhere(tmp_path) as outside:
        (place.stick / "link").symlink_to(outside.label)
        options = UsbOptions("link/repo", disable_fsync=True)
        with Repo.open(place.vendor.repo) as repo, pytest.raises(OstreeError, match="descendent"):
            create_usb(repo, str(place.stick), {ref("a"): None}, options)
        assert not outside.list()
