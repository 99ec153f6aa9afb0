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
from repo_lab import OURS, Command, make_repo, must, ours, reference, refs_of, run_process
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


# -- sources that want to be waited for, or to fill the memory ----------------------------


def pull_in_time(tmp_path: Path, source: Path, *words: str) -> str:
    """Return the error of a pull that has to end soon."""
    repo = tmp_path / "c"
    if not repo.exists():
        make_repo(repo, "archive")
        must(ours("remote", "add", f"--repo={repo}", "--no-gpg-verify", "o", f"file://{source}"))
    pull_words = [word.format(source=source) for word in words]
    result = run_process("timeout", "20", OURS, *pull_words, f"--repo={repo}")
    assert result.status == 1, result
    assert "Traceback" not in result.err
    assert refs_of(repo) == {}
    return result.err


FROM_URL, FROM_PATH = ("pull", "o", "main"), ("pull-local", "{source}", "main")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("summary", FROM_URL),
        ("summary", ("pull", "--mirror", "o")),
        ("summary.sig", FROM_URL),
        ("config", FROM_URL),
        ("config", FROM_PATH),
        ("refs/heads/main", FROM_PATH),
    ],
)
def test_pipe_in_a_local_source_is_named_and_not_waited_for(
    tmp_path: Path, forge: Forge, name: str, words: tuple[str, ...]
) -> None:
    forge.commit("main", forge.tree())
    place = forge.path / name
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    told = pull_in_time(tmp_path, forge.path, *words)
    assert f"({name}): No such device or address" in told


@pytest.mark.parametrize("words", [FROM_URL, FROM_PATH, (*FROM_PATH, "--untrusted")])
@pytest.mark.parametrize("kind", ["commit", "commitmeta", "dirtree"])
def test_metadata_of_a_local_source_is_limited(
    tmp_path: Path, forge: Forge, kind: str, words: tuple[str, ...]
) -> None:
    tree = forge.tree()
    commit = forge.commit("main", tree)
    checksum = str(tree if kind == "dirtree" else commit)
    place = forge.path / f"objects/{checksum[:2]}/{checksum[2:]}.{kind}"
    with place.open("ab") as file:
        file.truncate((128 << 20) + 1)
    told = pull_in_time(tmp_path, forge.path, *words)
    assert "File too large" in told or "is 134217729 bytes, exceeding maximum 134217728" in told
    assert checksum[2:] in told


@pytest.mark.parametrize("kind", ["commit", "commitmeta"])
def test_metadata_of_a_local_cache_is_limited(tmp_path: Path, forge: Forge, kind: str) -> None:
    cache = Forge(tmp_path / "cache")
    for each in (forge, cache):
        checksum = str(each.commit("main", each.tree()))
    with (cache.path / f"objects/{checksum[:2]}/{checksum[2:]}.{kind}").open("ab") as file:
        file.truncate((128 << 20) + 1)
    with client(tmp_path) as repo, pytest.raises(OSError, match="File too large"):
        from_server(repo, forge, PullOptions(localcache_repos=(str(cache.path),)))
