"""Parts of a commit: modifiers, trees under construction, metadata as text, requests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.errors import ConflictError, FormatError, OstreeError, PathNotFoundError, describe
from pyostree.formats.dirtree import Dirtree, decode_dirtree, encode_dirtree
from pyostree.formats.gvariant import Variant
from pyostree.formats.objects import Checksum, ObjectName, ObjectType
from pyostree.fs.dir import Dir
from pyostree.repo import commit as commit_module
from pyostree.repo.commit import CommitRequest, TreeSource, commit
from pyostree.repo.commit_ledger import Ledger
from pyostree.repo.commit_metadata import MetadataArguments
from pyostree.repo.commit_modifier import make_modifier
from pyostree.repo.commit_request import parse_tree_source
from pyostree.repo.devino import Inode, scan_hardlinks
from pyostree.repo.modifier import (
    CommitModifier,
    Ownership,
    StatOverride,
    UnmatchedPathsError,
    parse_path_list,
    parse_statoverride,
)
from pyostree.repo.mutable_tree import EmptyTreeError, MutableTree, RootChecksums
from pyostree.repo.repo import Repo
from pyostree.repo.tree import CommitTree
from repo_lab import make_repo, write_files

ONE, TWO, META, META2 = (Checksum(bytes([number]) * 32) for number in (1, 2, 3, 4))
FILE, DIRECTORY, LINK = 0o100000, 0o040000, 0o120777


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    make_repo(tmp_path / "repo")
    with Repo.open(tmp_path / "repo") as opened:
        yield opened


# -- modifiers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modifier", "found", "wanted"),
    [
        (CommitModifier(), (1, 2, FILE | 0o4777), (1, 2, FILE | 0o4777)),
        (CommitModifier(owner_uid=9), (1, 2, FILE), (9, 2, FILE)),
        (CommitModifier(owner_gid=0), (1, 2, FILE), (1, 0, FILE)),
        (CommitModifier(canonical=True), (1, 2, FILE | 0o6777), (0, 0, FILE | 0o755)),
        (CommitModifier(canonical=True), (1, 2, FILE | 0o600), (0, 0, FILE | 0o600)),
        (CommitModifier(canonical=True), (1, 2, DIRECTORY | 0o7777), (0, 0, DIRECTORY | 0o755)),
        (CommitModifier(canonical=True), (1, 2, LINK), (0, 0, LINK)),
        (CommitModifier(read_only_executables=True), (1, 2, FILE | 0o775), (1, 2, FILE | 0o555)),
        (CommitModifier(read_only_executables=True), (1, 2, FILE | 0o664), (1, 2, FILE | 0o664)),
        (
            CommitModifier(read_only_executables=True),
            (1, 2, DIRECTORY | 0o755),
            (1, 2, DIRECTORY | 0o755),
        ),
        (
            CommitModifier(statoverride=StatOverride({"/x": 0o4000}, {}), canonical=True),
            (1, 2, FILE | 0o755),
            (0, 0, FILE | 0o755),
        ),
        (
            CommitModifier(statoverride=StatOverride({}, {"/x": 0o640})),
            (1, 2, FILE | 0o755),
            (1, 2, FILE | 0o640),
        ),
    ],
)
def test_modifier(
    modifier: CommitModifier, found: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    assert modifier.apply("/x", Ownership(*found)) == wanted


def test_modifier_without_options_is_inactive() -> None:
    assert not CommitModifier().is_active
    assert CommitModifier(skip_xattrs=True).is_active
    assert CommitModifier(owner_uid=0).is_active
    assert CommitModifier(canonical=True).skip_xattrs


def test_modifier_listed_paths_count_where_they_are_met_first() -> None:
    modifier = CommitModifier(
        statoverride=StatOverride({"/a": 0o1}, {"/r": 0}), skip_list=frozenset({"/s", "/never"})
    )
    found = Ownership(0, 0, FILE | 0o644)
    assert modifier.apply("/s", found) is None
    assert modifier.apply("/s", found) == found
    assert modifier.apply("/a", found) == found._replace(mode=FILE | 0o645)
    assert modifier.apply("/a", found) == found
    with pytest.raises(UnmatchedPathsError) as caught:
        modifier.check_all_matched()
    assert str(caught.value) == "Unmatched skip-list paths"
    assert caught.value.lines == ("Unmatched skip-list path: /never",)


def test_modifier_reports_unmatched_modes_first_but_never_replacements() -> None:
    overrides = StatOverride({"/a": 1, "/b": 1}, {"/c": 1})
    with pytest.raises(UnmatchedPathsError) as caught:
        CommitModifier(statoverride=overrides, skip_list=frozenset({"/s"})).check_all_matched()
    assert caught.value.lines == (
        "Unmatched statoverride path: /a",
        "Unmatched statoverride path: /b",
    )
    CommitModifier(statoverride=StatOverride({}, {"/c": 1})).check_all_matched()


@pytest.mark.parametrize(
    ("text", "add", "replace"),
    [
        ("2048 /a b\n", {"/a b": 2048}, {}),
        ("+2048 /a\n\n=384 /b\n", {"/a": 2048}, {"/b": 384}),
        ("0x800 /a", {"/a": 2048}, {}),
        ("0644 /a", {"/a": 644}, {}),
        ("1e3 /a", {"/a": 1000}, {}),
        ("7.9 /a", {"/a": 7}, {}),
        ("x /a", {"/a": 0}, {}),
        (" /a", {"/a": 0}, {}),
        ("inf /a", {"/a": 0}, {}),
    ],
)
def test_parse_statoverride(text: str, add: dict[str, int], replace: dict[str, int]) -> None:
    assert parse_statoverride(text) == (add, replace)


def test_parse_statoverride_without_space_is_refused() -> None:
    with pytest.raises(FormatError, match=r"Malformed statoverride file \(no space found\)"):
        parse_statoverride("2048\n")


def test_parse_path_list_is_exact() -> None:
    assert parse_path_list("/a\n\n/b c\n#x\n") == ("/a", "/b c", "#x")


# -- trees under construction --------------------------------------------------------------------


def put_all(store: dict[Checksum, bytes]) -> object:
    import hashlib

    def put(_kind: ObjectType, data: bytes) -> Checksum:
        checksum = Checksum(hashlib.sha256(data).digest())
        store[checksum] = data
        return checksum

    return put


def test_tree_is_written_sorted_and_bottom_up() -> None:
    tree = MutableTree()
    tree.meta = META
    tree.add_file("b", ONE)
    tree.add_file("a", TWO)
    tree.add_file("b", TWO)
    below = tree.ensure_dir("d")
    assert tree.ensure_dir("d") is below
    below.meta = META2
    stored: dict[Checksum, bytes] = {}
    root = tree.write(put_all(stored))  # type: ignore[arg-type]
    assert root.meta == META
    found = decode_dirtree(stored[root.tree])
    assert found.files == (("a", TWO), ("b", TWO))
    assert [(name, meta) for name, _, meta in found.dirs] == [("d", META2)]
    assert stored[found.dirs[0][1]] == b"\0"


def test_tree_conflicts() -> None:
    tree = MutableTree()
    tree.add_file("file", ONE)
    tree.ensure_dir("dir")
    with pytest.raises(ConflictError, match="Can't replace file with directory: file"):
        tree.ensure_dir("file")
    with pytest.raises(ConflictError, match="Can't replace directory with file: dir"):
        tree.add_file("dir", ONE)
    for name in ("", ".", "..", "a/b", "bad\udcff"):
        with pytest.raises(OstreeError, match="Invalid"):
            tree.add_file(name, ONE)
        with pytest.raises(OstreeError, match="Invalid"):
            tree.ensure_dir(name)


def test_tree_without_metadata_is_empty() -> None:
    tree = MutableTree()
    assert tree.is_empty
    with pytest.raises(EmptyTreeError, match="Can't commit an empty tree"):
        tree.write(lambda *_: ONE)
    tree.meta = META
    tree.ensure_dir("without")
    with pytest.raises(EmptyTreeError):
        tree.write(lambda *_: ONE)


def test_tree_from_the_repository_is_read_only_when_something_changes(repo: Repo) -> None:
    inner = repo.write_metadata(ObjectType.DIRTREE, encode_dirtree(Dirtree((("f", ONE),))))
    data = encode_dirtree(Dirtree((), (("d", inner, META), ("e", TWO, META))))
    outer = repo.write_metadata(ObjectType.DIRTREE, data)
    tree = MutableTree.lazy(repo, RootChecksums(outer, META))
    assert tree.write(lambda *_: pytest.fail("nothing to write")) == (outer, META)
    tree.subdirectory("/d").add_file("g", TWO)
    stored: dict[Checksum, bytes] = {}
    tree.write(put_all(stored))  # type: ignore[arg-type]
    assert len(stored) == 2  # `e`, whose object does not exist, was never looked at
    with pytest.raises(PathNotFoundError) as caught:
        tree.subdirectory("/d/no/x")
    assert str(caught.value) == "No such file or directory: /d/no"


def test_tree_taking_over_another(repo: Repo) -> None:
    empty = repo.write_metadata(ObjectType.DIRTREE, encode_dirtree(Dirtree()))
    full = repo.write_metadata(ObjectType.DIRTREE, encode_dirtree(Dirtree((("f", ONE),))))
    tree = MutableTree()
    for root, expected in (
        (RootChecksums(empty, META), (empty, META)),
        (RootChecksums(full, META), (full, META)),
        (RootChecksums(empty, META2), (full, META2)),
        (RootChecksums(full, META), (full, META)),
    ):
        assert tree.take_over(repo, root)
        assert tree.write(lambda *_: pytest.fail("nothing to write")) == expected
    other = repo.write_metadata(ObjectType.DIRTREE, encode_dirtree(Dirtree((("g", ONE),))))
    assert not tree.take_over(repo, RootChecksums(other, META))
    tree.add_file("x", ONE)
    assert not tree.take_over(repo, RootChecksums(empty, META))


# -- metadata and requests -----------------------------------------------------------------------


def test_metadata_arguments_strings_come_first() -> None:
    arguments = MetadataArguments(("a=1", "b=x=y"), ("n=uint32 5",), ("d=",))
    assert arguments.parse() == (
        ("a", Variant("s", "1")), ("b", Variant("s", "x=y")), ("n", Variant("u", 5)),
    )  # fmt: skip
    assert arguments.parse_detached() == (("d", Variant("s", "")),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (MetadataArguments(("novalue",)), "Missing '=' in KEY=VALUE metadata 'novalue'"),
        (MetadataArguments((), ("x",)), "Missing '=' in KEY=VALUE metadata 'x'"),
        (MetadataArguments((), ("k=foo",)), "Parsing k=foo: 0-3:unknown keyword"),
    ],
)
def test_metadata_arguments_bad_text_message(arguments: MetadataArguments, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        arguments.parse()
    assert describe(caught.value) == message


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("path", "Missing type in tree specification 'path'"),
        ("zip=x", "Invalid tree type specification 'zip'"),
    ],
)
def test_parse_tree_source_bad_text_message(spec: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_tree_source(spec)
    assert str(caught.value) == message
    assert parse_tree_source("dir=a=b") == TreeSource("dir", "a=b")


@pytest.mark.parametrize("key", ["owner_uid", "owner_gid"])
def test_check_options_canonical_with_an_owner_is_refused(repo: Repo, key: str) -> None:
    modifier = make_modifier(repo, canonical=True, **{key: 5})  # type: ignore[arg-type]
    with pytest.raises(ConflictError, match=f"--canonical-permissions and non-zero --{key[:5]}"):
        modifier.check_options()
    make_modifier(repo, canonical=True, **{key: 0}).check_options()  # type: ignore[arg-type]
    make_modifier(repo, canonical=True, **{key: -1}).check_options()  # type: ignore[arg-type]
    CommitModifier(canonical_by_mode=True, **{key: 5}).check_options()  # type: ignore[arg-type]


def commit_tree(repo: Repo, path: Path, **options: object) -> Checksum:
    request = CommitRequest("main", (TreeSource("dir", str(path)),), CommitModifier(), **options)  # type: ignore[arg-type]
    return commit(repo, request).checksum


def test_commit_from_python_chains_parents_and_describes(repo: Repo, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"file": "x"})
    first = commit_tree(repo, tree, subject="one", timestamp=5)
    write_files(tree, {"file": "y"})
    second = commit_tree(repo, tree, metadata=(("k", Variant("s", "v")),))
    made = repo.load_commit(second)
    assert made.parent == first
    assert made.lookup_str("k") == "v"
    assert repo.load_commit(first).timestamp == 5
    assert repo.resolve("main") == second


def test_commit_that_changes_nothing_is_skipped(repo: Repo, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"file": "x"})
    first = commit_tree(repo, tree)
    assert commit_tree(repo, tree, skip_if_unchanged=True) == first
    assert not repo.in_transaction


def test_commit_file_that_cannot_be_read_leaves_the_branch(repo: Repo, tmp_path: Path) -> None:
    tree = write_files(tmp_path / "tree", {"file": "x", "dir/pipe": ""})
    first = commit_tree(repo, tree)
    (tree / "dir/pipe").unlink()
    os.mkfifo(tree / "dir/pipe")
    with pytest.raises(FormatError, match="Not a regular file or symlink: pipe"):
        commit_tree(repo, tree)
    assert repo.resolve("main") == first
    assert not repo.in_transaction


def test_scan_hardlinks_finds_objects_of_bare_repositories(tmp_path: Path) -> None:
    base = make_repo(tmp_path / "base", "bare-user")
    child = make_repo(tmp_path / "child", "bare-user", parent=str(base))
    for path, name in ((base, "one"), (child, "two")):
        with Repo.open(path) as repo:
            commit_tree(repo, write_files(tmp_path / name, {"file": name}))
    with Repo.open(child) as repo:
        found = scan_hardlinks(repo)
        for path in (*base.glob("objects/??/*.file"), *child.glob("objects/??/*.file")):
            status = path.stat()
            checksum = found[Inode(status.st_dev, status.st_ino)]
            assert str(checksum) == path.parent.name + path.stem
        assert len(found) == 2


def test_tree_of_a_commit_can_be_walked(repo: Repo, tmp_path: Path) -> None:
    checksum = commit_tree(repo, write_files(tmp_path / "tree", {"dir/file": "x"}))
    found = CommitTree(repo, checksum).look_up("/dir/file")
    assert found.path == "/dir/file"
    with Dir.at(tmp_path):
        made = repo.load_commit(checksum)
    assert repo.store.has(ObjectName(made.root_meta, ObjectType.DIRMETA))


def test_commit_to_a_branch_that_moved_meanwhile_follows_it(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    request = CommitRequest("main", (TreeSource("dir", str(tmp_path / "tree")),), CommitModifier())
    others: list[Checksum] = []
    really_read = commit_module.read_layers

    def read_slowly(repo: Repo, request: CommitRequest, ledger: Ledger) -> MutableTree:
        monkeypatch.setattr(commit_module, "read_layers", really_read)
        with Repo.open(repo.path) as opened:
            others.append(commit(opened, request._replace(subject="other")).checksum)
        return really_read(repo, request, ledger)

    monkeypatch.setattr(commit_module, "read_layers", read_slowly)
    made = commit(repo, request).checksum
    assert repo.load_commit(made).parent == others[0]
    assert repo.resolve("main") == made
