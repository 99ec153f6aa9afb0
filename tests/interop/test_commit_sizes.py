"""``commit --generate-sizes`` and ``show --print-sizes``: the same list, the same sums."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyostree.formats.object_sizes import decode_object_size
from pyostree.repo.repo import Repo
from repo_lab import WHEN, commit, copy_tree, make_repo, make_tree, must, ours, reference
from repo_lab import write_files as write

# So small that both compressors make the same of it.
SMALL = {"a/hello": "hello\n", "a/b/one": "1", "a/b/two": "22", "empty": "", "a/again": "hello\n"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sizes")
    make_tree(root / "tree")
    (root / "tree/etc/deep/er/file").write_text("short")
    write(root / "upper", SMALL)
    (root / "upper/a/link").symlink_to("hellö")
    repo = make_repo(root / "repo")
    commit(repo, "-b", "base", root / "tree")
    commit(repo, "-b", "sized", "--generate-sizes", root / "upper")
    return root


@pytest.mark.parametrize(
    "words",
    [
        "--tree=dir=tree",
        "--tree=dir=upper",
        "--tree=dir=tree --tree=dir=upper",
        "--tree=dir=upper --tree=dir=tree",
        "--tree=ref=base",
        "--tree=ref=base --tree=dir=upper",
        "--tree=dir=upper --tree=ref=base",
        "--base=base --tree=dir=upper",
        "--base=base --tree=ref=base",
        "--base=base --tree=dir=tree",
        "--tree=dir=upper --owner-uid=5 --no-xattrs",
        "--tree=ref=base --canonical-permissions",
        "--tree=dir=upper --skip-list=skip",
        "--tree=dir=upper --add-metadata-string=ostree.sizes=x",
        "--tree=dir=upper --skip-if-unchanged --parent=none",
        "--tree=dir=upper --table-output",
    ],
)
def test_generate_sizes_same_commit(
    place: Path, tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "skip").write_text("/a/b\n")
    monkeypatch.chdir(place)
    results, shown = [], []
    for name, command in (("ours", ours), ("theirs", reference)):
        repo = copy_tree(place / "repo", tmp_path / name)
        common = (f"--repo={repo}", WHEN, "--generate-sizes")
        results.append(command("commit", *common, "-b", "x", *words.split()))
        shown.append([show("show", f"--repo={repo}", "--print-sizes", "x")
                      for show in (ours, reference)])  # fmt: skip
    assert results[0] == results[1]
    assert results[0].status == 0
    assert shown[0] == shown[1]
    assert shown[0][0] == shown[0][1]


def test_sizes_are_those_of_the_files(place: Path) -> None:
    big = write(place / "big", {"big": b"0123456789" * 20_000})
    commit(place / "repo", "-b", "big", "--generate-sizes", big)
    with Repo.open(place / "repo") as repo:
        made = repo.load_commit(repo.resolve("big"))
        found = made.lookup("ostree.sizes")
        assert found is not None
        entries = [decode_object_size(entry) for entry in found.value]
        assert {entry.name.type.extension for entry in entries} == {"file", "dirtree", "dirmeta"}
        assert all(repo.store.object_size(entry.name) == entry.archived for entry in entries)
        assert 200_000 in {entry.unpacked for entry in entries}
    assert made.metadata[-1][0] == "ostree.sizes"


@pytest.mark.parametrize("mode", ["bare", "bare-user", "bare-user-only"])
def test_sizes_of_other_modes_are_not_listed(tmp_path: Path, place: Path, mode: str) -> None:
    checksums = [
        commit(make_repo(tmp_path / name, mode), "-b", "x", "--generate-sizes", place / "upper",
               command=command)
        for name, command in (("ours", ours), ("theirs", reference))
    ]  # fmt: skip
    assert checksums[0] == checksums[1]
    result = ours("show", f"--repo={tmp_path}/ours", "--print-sizes", "x")
    assert result == reference("show", f"--repo={tmp_path}/ours", "--print-sizes", "x")
    assert result.err == "error: No metadata key ostree.sizes in commit\n"


def test_print_sizes_counts_what_is_missing(place: Path, tmp_path: Path) -> None:
    target = make_repo(tmp_path / "partial")
    must(ours("pull-local", f"--repo={target}", "--commit-metadata-only", place / "repo", "sized"))
    for step in ("--commit-metadata-only", "--subpath=/a/b", "--untrusted"):
        words = (f"--repo={target}", step, str(place / "repo"), "sized")
        if step != "--subpath=/a/b":
            must(ours("pull-local", *words))
        else:
            must(ours("remote", "add", f"--repo={target}", "--no-gpg-verify", "o",
                      f"file://{place}/repo"))  # fmt: skip
            must(ours("pull", f"--repo={target}", step, "o", "sized"))
        shown = [
            command("show", f"--repo={target}", "--print-sizes", "sized")
            for command in (ours, reference)
        ]
        assert shown[0] == shown[1]
        assert shown[0].status == 0
    assert "(needed/total): 0/" in shown[0].out
