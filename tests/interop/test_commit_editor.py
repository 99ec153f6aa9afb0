"""``commit --editor``: the same template, the same message, the same refusals as the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from repo_lab import (
    OURS,
    WHEN,
    Command,
    Result,
    commit,
    copy_tree,
    make_repo,
    must,
    ours,
    reference,
    run_process,
    write_files,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a commit, and a tree."""
    root = tmp_path_factory.mktemp("editor")
    write_files(root / "tree", {"file": "content"})
    commit(make_repo(root / "repo"), "-b", "main", root / "tree")
    return root


def both(
    place: Path,
    tmp_path: Path,
    words: list[str],
    commands: tuple[Command, Command] = (ours, reference),
) -> tuple[Result, Result]:
    """Commit with both commands, each into its own copy of the repository."""
    results = []
    for name, command in zip(("ours", "theirs"), commands, strict=True):
        repo = copy_tree(place / "repo", tmp_path / name)
        results.append(command("commit", f"--repo={repo}", WHEN, *words, place / "tree"))
    return results[0], results[1]


def our_process(*words: str | Path) -> Result:
    """Run our command as a process of its own, so that what the editor prints is seen."""
    return run_process(OURS, *words)


@pytest.mark.parametrize(
    "words",
    [
        ["-b", "main"],
        ["-b", "main", "-s", "a subject"],
        ["-b", "main", "-s", ""],
        ["-b", "main", "-s", "blank  ", "-m", "never shown"],
        ["--orphan"],
        ["--orphan", "-s", "Ünïcode", "-F", "never read"],
        ["--orphan", "-b", "other/branch"],
    ],
    ids=" ".join,
)
def test_editor_sees_the_same_template(
    place: Path, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shows = """sh -c 'cat "$1" >&2; echo subject >> "$1"' show"""
    monkeypatch.setenv("OSTREE_EDITOR", shows)
    mine, theirs = both(place, tmp_path, ["-e", *words], (our_process, reference))
    assert mine == theirs
    assert mine.status == 0
    assert "# Please enter" in mine.err


@pytest.mark.parametrize(
    ("text", "is_message"),
    [
        (b"one", True),
        (b"one\ntwo", True),
        (b"\n\n#x\n  one  \t\n#c\n\n\nbody\n\n #kept\nmore\v  \n\n", True),
        (b"one\r\n\r\ntwo\r\n", True),
        (b"one\n#\n\n#\ntwo\n#", True),
        ("Ünïcode – 日本\n\n“body”".encode(), True),
        (b"\v\n", True),
        (b"#a\n\n#b\n", False),
        (b"  \n\t\n\f\n", False),
        (b"", False),
        (b"\xff", False),
        (b"one\0two", False),
    ],
)
def test_message_is_read_the_same(
    place: Path, tmp_path: Path, text: bytes, is_message: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_bytes(text)
    monkeypatch.setenv("OSTREE_EDITOR", f"cp {tmp_path}/text")
    mine, theirs = both(place, tmp_path, ["-e", "-b", "main", "-s", "before"])
    assert mine == theirs  # the checksum is made from the message, too
    assert (mine.status == 0) == is_message


@pytest.mark.parametrize(
    "environment",
    [
        {"OSTREE_EDITOR": "false"},
        {"OSTREE_EDITOR": "exit 3;"},
        {"OSTREE_EDITOR": "kill -9 $$;"},
        {"OSTREE_EDITOR": "no-such-editor 2> /dev/null"},
        {"OSTREE_EDITOR": "true", "VISUAL": "false", "EDITOR": "false", "TERM": "xterm"},
        {"VISUAL": "false", "EDITOR": "true", "TERM": "xterm"},
        {"VISUAL": "false", "EDITOR": "true", "TERM": "dumb"},
        {"VISUAL": "false", "EDITOR": "exit 4;"},
        {"EDITOR": "false", "TERM": ""},
        {"TERM": "dumb"},
        {"VISUAL": "false"},
    ],
    ids=repr,
)
def test_editor_is_chosen_the_same(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name in ("OSTREE_EDITOR", "VISUAL", "EDITOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    mine, theirs = both(place, tmp_path, ["-e", "-b", "main", "-s", "kept"])
    assert mine == theirs


def test_editor_that_fails_leaves_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("OSTREE_EDITOR", "false")
    before = must(reference("log", f"--repo={place}/repo", "main"))
    result = ours("commit", f"--repo={place}/repo", "-e", "-b", "main", "/")
    assert result.err == (
        "error: There was a problem with the editor 'false'Child process exited with code 1\n"
    )
    assert must(reference("log", f"--repo={place}/repo", "main")) == before
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize(
    "words",
    [[], ["-b", "new", "--keep-metadata=x"], ["-b", "main", "--add-metadata=x"]],
    ids=" ".join,
)
def test_editor_is_not_started_for_what_must_fail_anyway(
    place: Path, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTREE_EDITOR", f"touch {tmp_path}/started;")
    mine, theirs = both(place, tmp_path, ["-e", *words])
    assert mine == theirs
    assert mine.status == 1
    assert not (tmp_path / "started").exists()
