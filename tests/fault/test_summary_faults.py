"""Signed summaries: whatever fails, clients see the old pair of files or the new one."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from fault.power import every_cut, power_cut
from pyostree.errors import OstreeError, describe
from pyostree.formats.commit import Metadata, decode_metadata
from pyostree.formats.gvariant import Variant, lookup
from pyostree.fs.dir import Dir
from pyostree.repo.repo import Repo
from pyostree.repo.summary import publish_summary, update_summary
from repo_lab import commit, link_tree, make_repo, must, ours, write_files

KEY = "test.digest"
COLLECTION = "org.example.Own"


def sign(data: bytes, signatures: Metadata) -> Metadata:
    """Sign as anybody can."""
    return (*signatures, (KEY, Variant("ay", hashlib.sha256(data).digest())))


def refuse(data: bytes, signatures: Metadata) -> Metadata:
    raise OstreeError("no such key")


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "collection"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("template")
    settings = {"collection_id": COLLECTION} if request.param else {}
    repo = make_repo(root / "repo", **settings, fsync="true")
    tree = write_files(root / "tree", {"a": "first"})
    commit(repo, "-b", "main", f"--tree=dir={tree}")
    update(repo)
    assert is_pair(repo)
    commit(repo, "-b", "main", "-s", "second", f"--tree=dir={tree}")
    return repo


def update(path: Path) -> None:
    with Repo.open(path) as repo:
        update_summary(repo, signers=(sign,))


def is_pair(repo: Path) -> bool:
    """Tell whether the signature is that of the summary."""
    signature = lookup(decode_metadata((repo / "summary.sig").read_bytes()), KEY)
    digest = hashlib.sha256((repo / "summary").read_bytes()).digest()
    return signature is not None and bytes(signature.value) == digest


def files(repo: Path) -> tuple[bytes, bytes]:
    return (repo / "summary").read_bytes(), (repo / "summary.sig").read_bytes()


def test_power_cut_anywhere_leaves_a_pair_but_between_the_renames(
    template: Path, tmp_path: Path
) -> None:
    old = files(template)
    mixed, last_was_cut = [], False
    for number in every_cut():
        repo = link_tree(template, tmp_path / "copy")
        with power_cut(before_call=number) as power:
            update(repo)
        if not is_pair(repo):
            mixed.append(number)
            assert files(repo)[0] != old[0]
            assert files(repo)[1] == old[1]
        elif not mixed:
            assert files(repo) == old
        must(ours("summary", f"--repo={repo}", "--raw"))
        update(repo)  # the next one always succeeds
        assert is_pair(repo)
        assert files(repo) != old
        shutil.rmtree(repo)
        last_was_cut = power.was_cut
        if not last_was_cut:
            break
    assert len(mixed) == 1


def test_both_files_are_synced_before_the_first_rename(template: Path, tmp_path: Path) -> None:
    repo = link_tree(template, tmp_path / "copy")
    with power_cut() as power:
        update(repo)
    names = [name for name, _ in power.calls]
    renames = [
        at for at, (name, args) in enumerate(power.calls)
        if name == "rename" and args[:2] in (("summary", "summary"), ("summary.sig", "summary.sig"))
    ]  # fmt: skip
    assert len(renames) == 2
    assert renames[1] == renames[0] + 1
    assert "fsync" in names[renames[0] - 6 : renames[0]]
    assert names[renames[1] + 1 :].count("fsync") >= 1


def test_failing_signature_leaves_the_old_pair(template: Path, tmp_path: Path) -> None:
    repo = link_tree(template, tmp_path / "copy")
    before = files(repo)
    with Repo.open(repo) as opened, pytest.raises(OstreeError, match=r"^no such key$"):
        update_summary(opened, signers=(sign, refuse))
    assert files(repo) == before
    assert not [name for name in os.listdir(repo / "tmp") if name.startswith("summary")]


def test_missing_commit_leaves_the_old_pair(template: Path, tmp_path: Path) -> None:
    repo = link_tree(template, tmp_path / "copy")
    before = files(repo)
    (repo / "refs/heads/broken").write_text(f"{'0' * 64}\n")
    with pytest.raises(OstreeError, match=r"No such metadata object 0{64}\.commit$"):
        update(repo)
    assert files(repo) == before


def test_old_signature_goes_when_the_new_one_cannot_be_put_in_its_place(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = link_tree(template, tmp_path / "copy")
    rename = Dir.rename

    def fail(self: Dir, old: str, new: str, *, to_dir: Dir | None = None) -> None:
        if old == "summary.sig":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(self, old, new, to_dir=to_dir)

    monkeypatch.setattr(Dir, "rename", fail)
    with Repo.open(repo) as opened, pytest.raises(OSError) as failed:  # noqa: PT011
        publish_summary(opened, b"new", b"signature")
    message = "Unable to rename summary signature file: : Input/output error"
    assert describe(failed.value) == message
    assert (repo / "summary").read_bytes() == b"new"
    assert not (repo / "summary.sig").exists()


def test_both_files_expire_together(template: Path) -> None:
    times = [(template / name).stat().st_mtime_ns for name in ("summary", "summary.sig")]
    assert times[0] == times[1]
