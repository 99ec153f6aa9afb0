"""Peers for tests: a vendor with signed commits of a collection, clients that trust it, sticks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gpg_lab import KEYS, GpgHome
from pyostree.formats.mountinfo import Mount
from pyostree.formats.refspec import CollectionRef
from pyostree.fs.dir import Dir
from pyostree.fs.mounts import mount_id
from pyostree.pull.finders.base import FinderResult
from pyostree.pull.finders.find import find_remotes
from pyostree.pull.finders.mount import MountFinder
from pyostree.pull.finders.pull import pull_from_remotes
from pyostree.repo.repo import Repo
from repo_lab import must, ours, refs_of, write_files

COLLECTION = "org.example.Os"
OLD, NEW = 1700000000, 1710000000


def ref(name: str, collection_id: str = COLLECTION) -> CollectionRef:
    """Return a ref, by default of the vendor."""
    return CollectionRef(collection_id, name)


class Vendor(NamedTuple):
    """A repository of a collection whose commits are signed by the first key."""

    repo: Path
    home: GpgHome

    def commit(
        self, name: str, when: int = OLD, *, keys: Sequence[str] = KEYS[:1], text: str = ""
    ) -> str:
        """Commit a small tree to a ref; return the checksum."""
        tree = write_files(
            self.repo.parent / f"tree-{name.replace('/', '-')}-{when}",
            {"file": f"{name}{when}{text}"},
        )
        signed = self.home.options(*keys) if keys else []
        words = (f"--branch={name}", f"--timestamp=@{when}", *signed, tree)
        return must(ours("commit", f"--repo={self.repo}", *words))

    def commit_of(self, name: str) -> str:
        """Return the checksum that a ref of the collection has.

        A short name may begin the checksum of another commit, which `rev-parse` would take it for.
        """
        return (self.repo / "refs/heads" / name).read_text().strip()

    def publish(self) -> None:
        """Make the summary."""
        must(ours("summary", f"--repo={self.repo}", "--update"))

    def copy_to(self, mount: Path, *names: str, destination: str = "") -> Path:
        """Put refs on a stick; return its repository."""
        options = [f"--destination-repo={destination}"] if destination else []
        pairs = [word for name in names for word in (COLLECTION, name)]
        must(ours("create-usb", f"--repo={self.repo}", "--disable-fsync", *options, mount, *pairs))
        return mount / (destination or ".ostree/repo")


def make_vendor(place: Path, home: GpgHome, collection_id: str = COLLECTION) -> Vendor:
    """Create a vendor's repository, without commits."""
    repo = place / "vendor"
    options = ("--mode=archive", f"--collection-id={collection_id}")
    must(ours("init", f"--repo={repo}", *options))
    _make_quick(repo)
    return Vendor(repo, home)


def make_client(place: Path, home: GpgHome, *, url: str = "file:///nowhere") -> Path:
    """Create a repository that trusts the vendor's key for its collection."""
    repo = place / "client"
    must(ours("init", f"--repo={repo}", "--mode=bare-user"))
    _make_quick(repo)
    trust = (f"--collection-id={COLLECTION}", f"--gpg-import={home.armored(0)}")
    must(ours("remote", "add", f"--repo={repo}", "vendor", url, *trust))
    return repo


def _make_quick(repo: Path) -> None:
    with (repo / "config").open("a") as config:
        config.write("[core]\nfsync=false\nmin-free-space-percent=0\n")


def volume_at(path: Path) -> Mount:
    """Return a directory as if it were a mounted volume."""
    with Dir.at(path) as directory:
        number = mount_id(directory)
    assert number is not None
    return Mount(number, "/", os.path.realpath(path), ("rw",), "ext4", "/dev/sdz1")


def find_on(client: Path, stick: Path, *names: str, timeout_s: float = 10) -> list[FinderResult]:
    """Look for refs on a stick."""
    finder = MountFinder(lambda: [volume_at(stick)])
    with Repo.open(client) as repo:
        return find_remotes(repo, [ref(name) for name in names], [finder])


def pull_found(client: Path, results: Sequence[FinderResult]) -> None:
    """Pull what was found."""
    with Repo.open(client) as repo:
        pull_from_remotes(repo, results)


def pulled_refs(client: Path) -> dict[str, str]:
    """Return the refs that a client has of the vendor."""
    lead = "remotes/vendor/"
    refs = refs_of(client)
    assert all(name.startswith(lead) for name in refs)
    return {name.removeprefix(lead): text.strip() for name, text in refs.items()}
