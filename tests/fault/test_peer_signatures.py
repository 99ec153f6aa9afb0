"""Peers, when the remote whose keys count demands signatures of engines beside OpenPGP's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gpg_lab import GpgHome
from peer_lab import (
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
from pyostree.errors import FetchError
from pyostree.pull.finders.base import FinderResult
from pyostree.pull.finders.find import find_remotes
from pyostree.pull.finders.mount import MountFinder
from pyostree.pull.finders.pull import pull_from_remotes
from pyostree.pull.options import PullOptions
from pyostree.repo.repo import Repo
from repo_lab import must, ours
from sign_lab import KeyPair, ed25519_pair, sign_with

GOOD, EVIL = ed25519_pair(), ed25519_pair(1)


class Place:
    """A vendor, a client that demands signatures by a key of the vendor's, and a stick."""

    def __init__(self, path: Path, keys: GpgHome) -> None:
        self.path = path
        self.vendor: Vendor = make_vendor(path, keys)
        self.client = make_client(path, keys)
        for key, value in (
            ("sign-verify", "ed25519"),
            ("verification-ed25519-key", GOOD.public),
        ):
            words = ("config", f"--repo={self.client}", "set", '--group=remote "vendor"')
            must(ours(*words, key, value))
        self.old = self.vendor.commit("a")

    def stick(self, name: str) -> Path:
        """Return a new stick with the ref ``a`` as it is now."""
        (self.path / name).mkdir()
        self.vendor.copy_to(self.path / name, "a")
        return self.path / name

    def sign(self, stick: Path, commit: str, *pairs: KeyPair) -> None:
        sign_with(stick / ".ostree/repo", commit, *pairs)

    def find(self, *sticks: Path) -> list[FinderResult]:
        finder = MountFinder(lambda: [volume_at(stick) for stick in sticks])
        with Repo.open(self.client) as repo:
            return find_remotes(repo, [ref("a")], [finder])


@pytest.fixture
def place(tmp_path: Path, keys: GpgHome) -> Place:
    return Place(tmp_path, keys)


@pytest.mark.parametrize("pairs", [(), (EVIL,)], ids=["without", "by another"])
def test_peer_must_have_what_the_configured_remote_must_have(
    place: Place, pairs: tuple[KeyPair, ...]
) -> None:
    stick = place.stick("stick")
    place.sign(stick, place.old, *pairs)
    found = find_on(place.client, stick, "a")
    assert found
    for options in (PullOptions(), PullOptions(disable_sign_verify=True, gpg_verify=False)):
        with (
            Repo.open(place.client) as repo,
            pytest.raises(FetchError, match="Failed to pull some refs") as caught,
        ):
            pull_from_remotes(repo, found, options)
        assert "verify commit" in (caught.value.hint or "")
        assert pulled_refs(place.client) == {}
    assert not list(place.client.rglob("*.commit"))
    place.sign(stick, place.old, GOOD)
    pull_found(place.client, find_on(place.client, stick, "a"))
    assert pulled_refs(place.client) == {"a": place.old}


def test_newer_commit_without_the_signatures_hides_no_good_one(place: Place) -> None:
    good = place.stick("good")
    place.sign(good, place.old, GOOD)
    new = place.vendor.commit("a", NEW)
    bad = place.stick("bad")
    pull_found(place.client, place.find(good, bad))
    assert pulled_refs(place.client) == {"a": place.old}
    shutil.rmtree(good)
    place.sign(bad, new, GOOD)
    pull_found(place.client, place.find(bad))
    assert pulled_refs(place.client) == {"a": new}
