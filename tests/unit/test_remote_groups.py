"""Remotes in ``remotes.d`` count for prune, refs and summaries as those in ``config`` do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import ConfigError, FormatError, describe
from pyostree.formats.keyfile import KeyFile
from pyostree.formats.refspec import CollectionRef, parse_refspec
from pyostree.fs.dir import Dir
from pyostree.repo.commit import CommitRequest, commit
from pyostree.repo.modes import RepoMode
from pyostree.repo.modifier import CommitModifier
from pyostree.repo.prune import PruneOptions, prune
from pyostree.repo.ref_admin import select_collection_refs
from pyostree.repo.remote_groups import configured_remotes, remote_collections
from pyostree.repo.repo import Repo

COLLECTION = "org.example.Far"


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    """A repository of a sysroot that has one remote in each place."""
    (tmp_path / "ostree").mkdir()
    directory = tmp_path / "etc/ostree/remotes.d"
    directory.mkdir(parents=True)
    (directory / "far.conf").write_text(
        f'[remote "far"]\nurl=http://example.org\ncollection-id={COLLECTION}\n'
    )
    with Dir.at(tmp_path) as root:
        Repo.create_below(root, "ostree/repo", RepoMode.ARCHIVE).close()
        with Repo.open_below(root, "ostree/repo", sysroot_dir=root) as made:
            keyfile = KeyFile.parse(made.config.keyfile.encode())
            keyfile.set_raw('remote "near"', "url", "http://example.com")
            made.write_config(keyfile)
            yield made


def test_configured_remotes_are_those_of_both_places(repo: Repo) -> None:
    found = configured_remotes(repo)
    assert {name: source.file for name, source in found.items()} == {
        "near": None,
        "far": "far.conf",
    }
    assert remote_collections(repo) == {"far": COLLECTION}


def test_prune_keeps_cached_summaries_of_all_remotes(repo: Repo, tmp_path: Path) -> None:
    cache = tmp_path / "ostree/repo/tmp/cache/summaries"
    cache.mkdir()
    for name in ("near", "far", "far.sig", "gone", "gone.sig"):
        (cache / name).write_bytes(b"")
    prune(repo, PruneOptions())
    assert sorted(path.name for path in cache.iterdir()) == ["far", "far.sig", "near"]


def test_refs_of_collections_include_those_of_all_remotes(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    trees = (f"dir={tmp_path / 'tree'}",)
    request = CommitRequest(branch=None, trees=trees, modifier=CommitModifier(), orphan=True)
    made = commit(repo, request).checksum
    repo.set_ref(parse_refspec("far:app"), made)
    assert select_collection_refs(repo, None) == {CollectionRef(COLLECTION, "app"): str(made)}


def test_remote_in_two_places_is_an_error(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "etc/ostree/remotes.d/b.conf").write_text('[remote "near"]\n')
    with pytest.raises(ConfigError) as caught:
        configured_remotes(repo)
    assert describe(caught.value) == (
        "loading sysroot: Opening sysroot repo: Reloading remotes: "
        'Multiple specifications found for remote "near"'
    )


def test_damaged_file_of_remotes_is_named(repo: Repo, tmp_path: Path) -> None:
    path = tmp_path / "etc/ostree/remotes.d/b.conf"
    path.write_text("url=x\n")
    with pytest.raises(FormatError, match=f"Failed to parse {path}: "):
        configured_remotes(repo)


def test_collections_of_parents_remotes_count(tmp_path: Path) -> None:
    group = '[remote "{}"]\nurl=u\ncollection-id={}\n'
    for name, text in (
        ("parent", group.format("above", "org.above.A") + group.format("both", "org.not.This")),
        ("child", f"[core]\nparent={tmp_path}/parent\n" + group.format("both", "org.both.B")),
    ):
        Repo.create(tmp_path / name, RepoMode.BARE_USER_ONLY).close()
        with (tmp_path / name / "config").open("a") as config:
            config.write(text)
    with Repo.open(tmp_path / "child") as child:
        assert remote_collections(child) == {"above": "org.above.A", "both": "org.both.B"}


def test_collection_that_is_none_is_passed_over(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "etc/ostree/remotes.d/b.conf").write_text('[remote "b"]\ncollection-id=no id\n')
    assert remote_collections(repo) == {"far": COLLECTION}
