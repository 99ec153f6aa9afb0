"""Signing that is interrupted, or done by several at once, loses no signature."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fault.power import every_cut, power_cut
from fault.trace import replayed
from pyostree.errors import VerificationError
from pyostree.formats.objects import parse_checksum
from pyostree.repo.commit import CommitRequest, TreeSource, commit
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.repo import Repo
from pyostree.sign.by_engine import sign_with_engine, verify_with_engine
from pyostree.sign.signers import key_signers
from repo_lab import OURS, must, ours, reference
from sign_lab import ed25519_pair, make_signed_repo, sign_with, spki_pair

FIRST, SECOND = ed25519_pair(0), ed25519_pair(1)
SIGNERS = 6


def is_signed(repo: Path, rev: str, public: str) -> bool:
    result = ours("sign", f"--repo={repo}", "--verify", rev, public)
    assert result.err in ("", "error: No valid signatures found\n")
    return result.status == 0


def test_power_cut_anywhere_leaves_old_signatures_or_new(tmp_path: Path) -> None:
    template = tmp_path / "template"
    checksum = make_signed_repo(template, FIRST)
    for number in every_cut():
        path = tmp_path / "repo"
        shutil.copytree(template, path)
        with Repo.open(path) as repo, power_cut(before_call=number) as power:
            sign_with_engine(repo, parse_checksum(checksum), "ed25519", (SECOND.secret,))
        assert is_signed(path, checksum, FIRST.public)
        assert power.was_cut or is_signed(path, checksum, SECOND.public)
        must(ours("fsck", "-q", f"--repo={path}"))
        sign_with(path, checksum, SECOND)  # the next attempt is not hindered
        assert is_signed(path, checksum, SECOND.public)
        if number == 1:
            must(reference("fsck", "-q", f"--repo={path}"))
        shutil.rmtree(path)
        if not power.was_cut:
            assert number > 5
            return


def test_power_cut_anywhere_leaves_no_unsigned_commit(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("content")
    for number in every_cut():
        path = tmp_path / "repo"
        must(ours("init", f"--repo={path}", "--mode=archive"))
        request = CommitRequest(
            "main",
            (TreeSource("dir", str(tree)),),
            CommitModifier(),
            timestamp=0,
            signers=key_signers([FIRST.secret], of_commits=True),
        )
        with Repo.open(path) as repo, power_cut(before_call=number) as power:
            commit(repo, request)
        made = [*path.glob("objects/*/*.commit")]
        for one in made:
            assert is_signed(path, one.parent.name + one.stem, FIRST.public)
        shutil.rmtree(path)
        if not power.was_cut:
            assert len(made) == 1
            return


def test_sign_gives_no_name_before_the_data_is_synced(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    make_signed_repo(repo, FIRST)
    words = ["sign", f"--repo={repo}", "main", SECOND.secret]
    disk = replayed(tmp_path / "log", repo, OURS, *words)
    (name,) = [name for _, name in disk.diary if name.startswith("objects/")]
    assert name.endswith(".commitmeta")
    assert [name for name in disk.unsynced if not name.startswith("tmp/")] == []


@pytest.mark.parametrize("engine", ["ed25519", "spki"])
def test_signatures_made_at_once_are_all_kept(tmp_path: Path, engine: str) -> None:
    """The reference reads, adds and writes without a lock: the last to write wins."""
    repo = tmp_path / "repo"
    checksum = make_signed_repo(repo)
    pairs = [
        ed25519_pair(number) if engine == "ed25519" else spki_pair("ed25519", number)
        for number in range(SIGNERS)
    ]
    words = [OURS, "sign", f"--repo={repo}", f"--sign-type={engine}", "main"]
    running = [subprocess.Popen([*words, pair.secret]) for pair in pairs]
    assert [process.wait() for process in running] == [0] * SIGNERS
    with Repo.open(repo) as opened:
        for pair in pairs:
            parsed = parse_checksum(checksum)
            said = verify_with_engine(opened, parsed, engine, (pair.public,))
            assert said == pair.said
    assert [path.name for path in (repo / "tmp").iterdir()] == ["cache"]


def test_who_may_not_write_signs_nothing(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    checksum = make_signed_repo(repo, FIRST)
    objects = repo / "objects" / checksum[:2]
    shutil.rmtree(repo / "tmp")
    (repo / "tmp").write_text("no directory")
    result = ours("sign", f"--repo={repo}", "main", SECOND.secret)
    assert result.status == 1
    (repo / "tmp").unlink()
    assert not is_signed(repo, checksum, SECOND.public)
    assert is_signed(repo, checksum, FIRST.public)
    assert sorted(path.suffix for path in objects.iterdir()) == [".commit", ".commitmeta"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOENT])
def test_lock_that_cannot_be_had_does_not_hinder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """What cannot be written is what the error is to be about, not the lock."""
    repo = tmp_path / "repo"
    checksum = make_signed_repo(repo)

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("pyostree.repo.lock.try_lock_file", refuse)
    sign_with(repo, checksum, FIRST)
    assert is_signed(repo, checksum, FIRST.public)


def test_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    """In the commit, or in its detached metadata with the signature."""
    path = tmp_path / "repo"
    checksum = parse_checksum(make_signed_repo(path, FIRST))
    stored = path / "objects" / str(checksum)[:2] / f"{str(checksum)[2:]}.commit"
    with Repo.open(path) as repo:
        for file in (stored, stored.with_suffix(".commitmeta")):
            good = file.read_bytes()
            for position in range(len(good) * 8):
                spoilt = bytearray(good)
                spoilt[position // 8] ^= 1 << position % 8
                file.write_bytes(spoilt)
                with pytest.raises(VerificationError):
                    verify_with_engine(repo, checksum, "ed25519", (FIRST.public,))
            file.write_bytes(good)
        assert verify_with_engine(repo, checksum, "ed25519", (FIRST.public,)) == FIRST.said
