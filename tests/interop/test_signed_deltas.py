"""Signed static deltas of both commands; the engine that both have is the one for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pyostree.formats.delta_signed import encode_signed, split_signed
from repo_lab import (
    Command,
    Result,
    check_both,
    commit,
    link_tree,
    make_repo,
    must,
    object_names,
    ours,
    reference,
    refs_of,
    write_files,
)
from sign_lab import DUMMY_ENVIRONMENT

MAKERS = pytest.mark.parametrize("maker", [ours, reference], ids=["by-us", "by-reference"])
LAYOUTS = pytest.mark.parametrize("layout", [(), ("--inline",)], ids=["files", "inline"])
DUMMY = "--sign-type=dummy"


class Published:
    """Two commits of ``main``, and a client that has the first."""

    def __init__(self, base: Path) -> None:
        tree = write_files(base / "tree", {"a": "one\n", "b": "same\n"})
        self.repo = make_repo(base / "repo")
        words = (f"--tree=dir={tree}", "--owner-uid=0", "--owner-gid=0")
        self.old = commit(self.repo, "-b", "main", *words)
        write_files(tree, {"a": "two\n", "c": "new\n"})
        self.new = commit(self.repo, "-b", "main", f"--parent={self.old}", *words)
        self.client = make_repo(base / "client", "bare-user")
        must(ours("pull-local", f"--repo={self.client}", self.repo, self.old))

    def delta(self, command: Command, path: Path, *words: str) -> Path:
        """Make a delta in a copy of the repository and return the superblock."""
        link_tree(self.repo, path)
        must(command("static-delta", "generate", f"--repo={path}", "main", *words))
        (found,) = path.rglob("superblock")
        return found


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in DUMMY_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return Published(tmp_path_factory.mktemp("published"))


@LAYOUTS
@MAKERS
def test_bytes(
    published: Published, tmp_path: Path, maker: Command, layout: tuple[str, ...]
) -> None:
    signed = (DUMMY, "--sign=first", "--sign=second", *layout)
    data = published.delta(maker, tmp_path / "repo", *signed).read_bytes()
    found = split_signed(data)
    assert found is not None
    assert data == encode_signed(found.data, "ostree.sign.dummy", [b"first", b"second"])
    assert data.startswith(b"OSTSGNDTostree.endianness\0")


@MAKERS
def test_verified_alike(published: Published, tmp_path: Path, maker: Command) -> None:
    superblock = published.delta(maker, tmp_path / "repo", DUMMY, "--sign=key")
    name = f"{published.old}-{published.new}"
    for keys in (("key",), ("other",), ("other", "key"), ("key", "other"), ("",), ()):
        results = verify_with_both(tmp_path / "repo", DUMMY, name, *keys)
        assert results[0] == results[1], keys
        assert (results[0].status == 0) == (keys[-1:] == ("key",))
    for delta in (superblock, f"{published.old}-", "GARBAGE", f"{tmp_path}/x", tmp_path):
        results = verify_with_both(tmp_path / "repo", DUMMY, delta, "key")
        assert results[0] == results[1], delta
        assert (results[0].status == 0) == (delta is superblock)
    for words in ((), (DUMMY,), ("--sign-type=nope", name, "key"), ("--sign-type=", name, "key")):
        results = verify_with_both(tmp_path / "repo", *words)
        assert results[0] == results[1]
        assert results[0].status == 1


def verify_with_both(repo: Path, *words: str | Path) -> list[Result]:
    return [one("static-delta", "verify", f"--repo={repo}", *words) for one in (ours, reference)]


@MAKERS
def test_verified_alike_without_signature(
    published: Published, tmp_path: Path, maker: Command
) -> None:
    published.delta(maker, tmp_path / "repo")
    name = f"{published.old}-{published.new}"
    results = verify_with_both(tmp_path / "repo", DUMMY, name, "key")
    assert results == [
        Result(1, "Verification fails\n", "error: no signatures in static-delta\n")
    ] * 2  # fmt: skip


def test_verified_alike_where_the_engine_is_off(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.delta(ours, tmp_path / "repo", DUMMY, "--sign=key")
    monkeypatch.delenv(*DUMMY_ENVIRONMENT)
    name = f"{published.old}-{published.new}"
    results = verify_with_both(tmp_path / "repo", DUMMY, name, "key")
    assert results[0] == results[1]
    assert results[0].status == 1


@LAYOUTS
@MAKERS
def test_applied_alike(
    published: Published, tmp_path: Path, maker: Command, layout: tuple[str, ...]
) -> None:
    superblock = published.delta(maker, tmp_path / "repo", DUMMY, "--sign=key", *layout)
    cases: list[tuple[tuple[str, ...], bool, bool]] = [
        ((), False, True),
        (("key",), False, True),
        (("key",), True, True),
        (("other", "key"), True, True),
        (("other",), False, False),
        (("",), False, False),
        ((), True, False),
    ]
    for number, (keys, is_demanded, is_fine) in enumerate(cases):
        results = []
        for index, command in enumerate((ours, reference)):
            client = tmp_path / f"{number}.{index}"
            link_tree(published.client, client)
            if is_demanded:
                (client / "config").unlink()
                config = (published.client / "config").read_text()
                (client / "config").write_text(f"{config}sign-verify-deltas=true\n")
            before = object_names(client)
            words = (f"--repo={client}", DUMMY, superblock, *keys)
            results.append(command("static-delta", "apply-offline", *words))
            if is_fine:
                must(ours("ls", f"--repo={client}", "-R", published.new))
                check_both(client)
            else:
                assert object_names(client) == before
            assert not refs_of(client)
        assert results[0] == results[1], (keys, is_demanded)
        assert (results[0].status == 0) == is_fine


def test_shown_alike(published: Published, tmp_path: Path) -> None:
    superblock = published.delta(ours, tmp_path / "repo", DUMMY, "--sign=key")
    name = must(reference("static-delta", "list", f"--repo={tmp_path}/repo"))
    for delta in (name, superblock, f"{tmp_path}/x", tmp_path):
        words = ("static-delta", "show", f"--repo={tmp_path}/repo", delta)
        assert ours(*words) == reference(*words)
    assert "Signed: yes" in must(ours(*words[:3], name))


@pytest.mark.parametrize(
    "words",
    [
        ("--sign=k", "--sign-type=nope"), ("--sign-type=nope",), ("--sign-type=",),
        ("--sign=k", "--sign-type="), ("--filename=",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_signing_fails_alike(published: Published, tmp_path: Path, words: tuple[str, ...]) -> None:
    results = []
    for index, command in enumerate((ours, reference)):
        repo = tmp_path / str(index)
        link_tree(published.repo, repo)
        results.append(command("static-delta", "generate", f"--repo={repo}", "main", *words))
    assert results[0].status == results[1].status
    assert results[0].out == results[1].out
    last = [result.err.splitlines()[-1] for result in results]
    assert last[0] == last[1]


def test_parts_of_a_file_elsewhere_are_shown(published: Published, tmp_path: Path) -> None:
    """Beside the superblock, where the reference looks for them in the repository only."""
    (tmp_path / "out").mkdir()
    words = (f"--repo={published.repo}", "main", "--empty", DUMMY, "--sign=key")
    must(ours("static-delta", "generate", *words, f"--filename={tmp_path}/out/delta"))
    show = ("static-delta", "show", f"--repo={published.repo}", f"{tmp_path}/out/delta")
    assert reference(*show).status == 1
    shown = must(ours(*show))
    assert shown.startswith(reference(*show).out)
    assert "PartPayload0: nmodes=" in shown
    assert "\nTotal Uncompressed Size: " in shown


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: None, lambda data: b"junk", lambda data: b"xjunk", lambda data: b"\0junk",
        lambda data: data[:100], lambda data: data + b"x",
        lambda data: data[:-20] + b"x" + data[-19:],
    ],
    ids=["missing", "type", "xz", "plain", "cut", "longer", "changed"],
)  # fmt: skip
def test_damaged_part_is_told_alike(
    published: Published, tmp_path: Path, spoil: Callable[[bytes], bytes | None]
) -> None:
    superblock = published.delta(ours, tmp_path / "repo", DUMMY, "--sign=key")
    part = superblock.parent / "0"
    spoilt = spoil(part.read_bytes())
    part.unlink()
    if spoilt is not None:
        part.write_bytes(spoilt)
    results = []
    for index, command in enumerate((ours, reference)):
        client = tmp_path / str(index)
        link_tree(published.client, client)
        words = (f"--repo={client}", DUMMY, superblock.parent, "key")
        results.append(command("static-delta", "apply-offline", *words))
    assert object_names(tmp_path / "0") == object_names(published.client)
    assert results[0] == results[1]
    assert results[0].status == 1
