"""Who takes long to type a passphrase: others sign meanwhile, and no signature is lost."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpg_lab import KEYS, GpgHome
from pyostree import Repo, SigningKey
from pyostree.errors import ConflictError
from repo_lab import OURS, must, ours
from sign_lab import ed25519_pair, make_signed_repo

SLOW_GPG = """#!/bin/sh
case "$*" in
*--detach-sign*)
  touch {place}/asked
  for try in $(seq 1000); do test -e {place}/typed && break; sleep 0.02; done
esac
exec /usr/bin/gpg "$@"
"""
LIMIT_S = 5.0  # less than others would wait for their turn


class Person:
    """Somebody whom GnuPG asks for a passphrase.

    Attributes:
        path: what is to be in ``PATH`` where it is this person who signs.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        place.mkdir()
        (place / "gpg").write_text(SLOW_GPG.format(place=place))
        (place / "gpg").chmod(0o755)
        self.path = f"{place}:{os.environ['PATH']}"

    def wait_until_asked(self) -> None:
        deadline = time.monotonic() + 20
        while not (self._place / "asked").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def type(self) -> None:
        (self._place / "typed").touch()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    made = Person(tmp_path / "person")
    yield made
    made.type()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    make_signed_repo(tmp_path / "repo")
    return tmp_path / "repo"


@contextmanager
def at_once() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < LIMIT_S


def gpg_words(repo: Path, keys: GpgHome) -> list[str]:
    return ["gpg-sign", f"--repo={repo}", f"--gpg-homedir={keys.path}", "main", KEYS[0]]


def kept(repo: Path) -> list[str]:
    with Repo.open(repo) as opened:
        return sorted(opened.detached_metadata("main"))


def test_others_sign_while_one_is_asked(repo: Path, keys: GpgHome, person: Person) -> None:
    words = [OURS, *gpg_words(repo, keys)]
    slow = subprocess.Popen(words, env={**os.environ, "PATH": person.path})
    person.wait_until_asked()
    with at_once():
        must(ours("sign", f"--repo={repo}", "main", ed25519_pair(0).secret))
    assert kept(repo) == ["ostree.sign.ed25519"]
    person.type()
    assert slow.wait() == 0
    assert kept(repo) == ["ostree.gpgsigs", "ostree.sign.ed25519"]


def test_same_key_signs_once(repo: Path, keys: GpgHome, person: Person) -> None:
    words = [OURS, *gpg_words(repo, keys)]
    env = {**os.environ, "PATH": person.path}
    slow = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True)
    person.wait_until_asked()
    with at_once():
        must(ours(*gpg_words(repo, keys)))
    person.type()
    _, said = slow.communicate()
    assert slow.returncode == 1
    assert said == f"error: Commit is already signed with GPG key {KEYS[0]}\n"


def test_programs_sign_while_one_is_asked(
    repo: Path, keys: GpgHome, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = SigningKey.generate()
    failures: list[Exception] = []

    def sign() -> None:
        try:
            with Repo.open(repo) as opened:
                opened.signatures.sign("main", [own], gpg_keys=KEYS[:1], gpg_home=keys.path)
        except ConflictError as err:
            failures.append(err)

    monkeypatch.setenv("PATH", person.path)
    for outcome in (0, 1):
        slow = threading.Thread(target=sign)
        slow.start()
        person.wait_until_asked()
        with at_once(), Repo.open(repo) as opened:
            opened.signatures.sign("main", [SigningKey.generate()])
        person.type()
        slow.join()
        assert len(failures) == outcome
    with Repo.open(repo) as opened:
        assert len(opened.detached_metadata("main")["ostree.sign.ed25519"].value) == 3
        opened.signatures.verify_with("main", [own.public_key])
        opened.signatures.verify_with("main", gpg_keys=keys.armored(0).read_bytes())


def test_signatures_added_while_others_are_deleted_stay(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others who sign do not wait for those who check which signatures are to go."""
    from pyostree.api import signatures

    first, second = SigningKey.generate(), SigningKey.generate()
    without = signatures._without
    calls = 0

    def slowly(*words: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            with at_once(), Repo.open(repo) as other:
                other.signatures.sign("main", [second])
        return without(*words)  # type: ignore[arg-type]

    with Repo.open(repo) as opened:
        opened.signatures.sign("main", [first])
        monkeypatch.setattr(signatures, "_without", slowly)
        assert opened.signatures.delete("main", [first.public_key]) == 1
        assert calls == 2
        assert len(opened.detached_metadata("main")["ostree.sign.ed25519"].value) == 1
        opened.signatures.verify_with("main", [second.public_key])
