"""Keys, and revocations, that several import at once are all there in the end."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree import Repo
from pyostree.remote import keyrings
from pyostree.repo import lock
from pyostree.sign.gpg.importer import import_keys
from repo_lab import OURS, make_repo, must, ours

LIST = ("remote", "gpg-list-keys")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = make_repo(tmp_path / "repo")
    must(ours("remote", "add", f"--repo={made}", "origin", "http://example.com"))
    return made


def import_words(repo: Path, keyring: Path) -> list[str]:
    return ["remote", "gpg-import", f"--repo={repo}", f"--keyring={keyring}", "origin"]


def test_processes_lose_no_key(repo: Path, keys: GpgHome) -> None:
    """The reference reads, adds and writes without a lock: the last to write wins."""
    running = [
        subprocess.Popen([OURS, *import_words(repo, keys.armored(number))], stdout=subprocess.PIPE)
        for number in range(3)
    ]
    said = [process.communicate()[0] for process in running]
    assert said == [b'Imported 1 GPG key to remote "origin"\n'] * 3
    assert must(ours(*LIST, f"--repo={repo}", "origin")).count("Key: ") == 3
    assert [path.name for path in (repo / "tmp").iterdir()] == ["cache"]


def meddle(monkeypatch: pytest.MonkeyPatch, between: Callable[[], object]) -> list[bytes]:
    """Do something after a keyring was read and before it is written, once."""
    calls: list[bytes] = []

    def slowly(keyring: bytes, source: bytes, key_ids: tuple[str, ...]) -> object:
        calls.append(keyring)
        if len(calls) == 1:
            between()
        return import_keys(keyring, source, key_ids)

    monkeypatch.setattr(keyrings, "import_keys", slowly)
    return calls


@pytest.mark.parametrize("is_new", [True, False], ids=["first", "later"])
def test_revocation_that_comes_meanwhile_stays(
    tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch, *, is_new: bool
) -> None:
    with gpg_home() as home:
        plain, revoked = tmp_path / "plain", tmp_path / "revoked"
        plain.write_bytes(home.run("--export", KEYS[0]))
        home.revoke_first()
        revoked.write_bytes(home.run("--export", KEYS[0]))
        other = home.run("--export", KEYS[1])
    if not is_new:
        must(ours(*import_words(repo, plain)))

    calls = meddle(monkeypatch, lambda: subprocess.run([OURS, *import_words(repo, revoked)]))
    with Repo.open(repo) as opened:
        assert opened.remotes.import_keys("origin", plain.read_bytes() + other) == 1
    assert len(calls) == 2
    listed = must(ours(*LIST, f"--repo={repo}", "origin"))
    assert listed.count("Key: ") == 2
    assert " (revoked)" in listed


def test_turn_that_never_comes_loses_no_key(
    repo: Path, keys: GpgHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "try_lock_file", lambda *_: None)
    monkeypatch.setattr(lock, "_COURTESY_S", 0.05)
    calls = meddle(monkeypatch, lambda: must(ours(*import_words(repo, keys.armored(0)))))
    with Repo.open(repo) as opened:
        assert opened.remotes.import_keys("origin", keys.armored(1).read_bytes()) == 1
    assert len(calls) == 3  # of both
    assert must(ours(*LIST, f"--repo={repo}", "origin")).count("Key: ") == 2
