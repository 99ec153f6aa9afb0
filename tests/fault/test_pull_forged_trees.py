"""Commits forged by hand in a repository that is trusted, or served: bad names, endless trees."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pyostree.formats.commit import Commit, encode_commit
from pyostree.formats.dirmeta import Dirmeta, encode_dirmeta
from pyostree.formats.gvariant import encode
from pyostree.formats.objects import Checksum
from pyostree.pull.from_path import pull_local
from pyostree.pull.from_remote import pull
from pyostree.pull.options import PullOptions, Wanted
from pyostree.repo.repo import Repo
from repo_lab import Command, make_repo, ours, reference, refs_of
from web_lab import serving

COMMANDS = pytest.mark.parametrize("command", [ours, reference], ids=["ours", "reference"])
DIRTREE_TYPE = "(a(say)a(sayay))"
META = encode_dirmeta(Dirmeta(0, 0, 0o40755, ()))


class Forge:
    """Writes objects into an archive, whatever is in them."""

    def __init__(self, path: Path) -> None:
        self.path = make_repo(path)
        self.meta = self.write("dirmeta", META)

    def write(self, kind: str, data: bytes) -> Checksum:
        checksum = Checksum(hashlib.sha256(data).digest())
        place = self.path / "objects" / str(checksum)[:2]
        place.mkdir(exist_ok=True)
        (place / f"{str(checksum)[2:]}.{kind}").write_bytes(data)
        return checksum

    def tree(self, *dirs: tuple[str, Checksum], files: tuple[str, ...] = ()) -> Checksum:
        rows = tuple((name, bytes(32)) for name in files)
        subdirs = tuple((name, content, self.meta) for name, content in dirs)
        return self.write("dirtree", encode(DIRTREE_TYPE, (rows, subdirs)))

    def commit(self, ref: str, root: Checksum) -> Checksum:
        data = encode_commit(Commit((), None, (), "", "", 0, root, self.meta))
        checksum = self.write("commit", data)
        (self.path / "refs/heads" / ref).write_text(f"{checksum}\n")
        return checksum


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(tmp_path / "forged")


NAMES = {
    "../x": "Invalid / in filename ../x",
    "..": "Invalid path uplink filename '..'",
    ".": "Invalid self-referential filename '.'",
    "a/b": "Invalid / in filename a/b",
}


@COMMANDS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["File", "Dir"])
def test_bad_name_in_a_trusted_repository_is_refused(
    tmp_path: Path, forge: Forge, command: Command, name: str, kind: str
) -> None:
    leaf = forge.tree()
    bad = forge.tree(files=(name,)) if kind == "File" else forge.tree((name, leaf))
    forge.commit("main", forge.tree(("deep", forge.tree(("er", bad)))))
    repo = make_repo(tmp_path / "c", "bare-user")
    result = command("pull-local", f"--repo={repo}", forge.path, "main")
    assert result.err == (
        f"error: Validating dirtree {bad} (/deep/er/): {kind} 0 in dirtree: {NAMES[name]}\n"
    )
    assert refs_of(repo) == {}


def from_path(repo: Repo, forge: Forge, options: PullOptions) -> None:
    pull_local(repo, str(forge.path), [Wanted("main")], options)


def from_file_url(repo: Repo, forge: Forge, options: PullOptions) -> None:
    pull(repo, "origin", [Wanted("main")], options._replace(url=f"file://{forge.path}"))


def from_server(repo: Repo, forge: Forge, options: PullOptions) -> None:
    with serving(forge.path) as web:
        pull(repo, "origin", [Wanted("main")], options._replace(url=web.url))


@pytest.mark.parametrize("way", [from_path, from_file_url, from_server])
@pytest.mark.parametrize("subpath", [None, "/a", "/a/b/a"])
def test_directories_that_hold_another_twice_are_walked_once(
    tmp_path: Path,
    forge: Forge,
    way: Callable[[Repo, Forge, PullOptions], None],
    subpath: str | None,
) -> None:
    tree = forge.tree()
    for _ in range(60):  # 2 to the power of 60 paths
        tree = forge.tree(("a", tree), ("b", tree))
    forge.commit("main", tree)
    options = PullOptions(subpaths=() if subpath is None else (subpath,), network_retries=0)
    began_s = time.process_time()
    with client(tmp_path) as repo:
        way(repo, forge, options)
        assert repo.resolve_or_none("main") is not None
    assert time.process_time() - began_s < 5


@pytest.mark.parametrize("way", [from_path, from_server])
def test_endless_chain_of_directories_does_not_grow_its_path(
    tmp_path: Path, forge: Forge, way: Callable[[Repo, Forge, PullOptions], None]
) -> None:
    tree = forge.tree()
    for _ in range(600):
        tree = forge.tree(("d" * 255, tree))
    forge.commit("main", tree)
    began_s = time.process_time()
    with client(tmp_path) as repo:
        way(repo, forge, PullOptions(subpaths=("/" + "d" * 255,)))
    assert time.process_time() - began_s < 5


def client(tmp_path: Path) -> Repo:
    path = make_repo(tmp_path / "c", "bare-user")
    with (path / "config").open("a") as config:
        config.write('[remote "origin"]\nurl=http://127.0.0.1:1\ngpg-verify=false\n')
    return Repo.open(os.fspath(path))
