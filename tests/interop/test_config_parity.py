"""Every key that is read when a repository is opened: the same values are taken, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.repo_lab import commit, make_repo, must, ours, reference

BOOLEANS = ("true", "0", " false ", "True", "yes", "")
NUMBERS = ("5", "-1", "-2", "x", "", "99999999999999999999", "5x", " 7", "+3")
SAME: dict[str, tuple[str, ...]] = {
    "core.fsync": BOOLEANS,
    "core.per-object-fsync": BOOLEANS,
    "core.disable-xattrs": BOOLEANS,
    "core.enable-uncompressed-cache": BOOLEANS,
    "core.locking": BOOLEANS,
    "core.archive": BOOLEANS,
    "core.add-remotes-config-dir": BOOLEANS,
    "core.tombstone-commits": ("x",),  # read when used, as the next ones
    "core.auto-update-summary": ("x",),
    "core.no-deltas-in-summary": ("x",),
    "core.tmp-expiry-secs": NUMBERS,
    "core.lock-timeout-secs": NUMBERS,
    "core.payload-link-threshold": NUMBERS,
    "core.min-free-space-size": ("5MB", "2TB", "5", "xMB", "", "0MB", "-5MB", "5 MB", "5mb"),
    "core.min-free-space-percent": ("0", "99", "100", "-1", " 5", "1000000000000"),
    "core.repo_version": ("1", "2", "", "1 ", "01"),
    "core.mode": ("bare", "archive", "bare-user", "bare-user-only", "bare ", "zz", ""),
    "core.parent": ("", "/nowhere", "relative", "/tmp"),
    "core.default-repo-finders": ("config", "lan;", "", "x", "config;;mount", ";"),
    "archive.zlib-level": ("1", "10", "-1", "x", "", "6x"),
    "ex-fsverity.opportunistic": ("true", "false", "x", ""),
    "ex-fsverity.required": ("true", "false", "x"),
    "sysroot.bootloader": ("auto", "none", "grub2", "uboot", "zipl", "x", "", " none"),
    "sysroot.bls-append-except-default": ("a=b", "a=b;c=d", "x", "", "a=b;x", "="),
    "sysroot.boot-counting-tries": ("0", "5", "x", "", "3x"),
    "sysroot.bootprefix": ("true",),
    "sysroot.readonly": ("true",),
}
# Keys and values that the installed release does not know or not check, with what newer ones say.
NEWER = {
    ("core.min-free-space-percent", "x"): "Invalid min-free-space-percent 'x': must be a number",
    ("ex-integrity.fsverity", "yes"): None,
    ("ex-integrity.fsverity", "maybe"): None,
    ("ex-integrity.fsverity", "0"): None,
    ("ex-integrity.fsverity", "Yes"): "Invalid tri-state value: Yes",
    ("ex-integrity.composefs", "maybe"): None,
    ("ex-integrity.composefs", "x"): "Invalid tri-state value: x",
    ("sysroot.bootloader", "aboot"): None,
    ("sysroot.boot-counting-tries", "6"): (
        "Parsing sysroot.boot-counting-tries: Number “6” is out of bounds [0, 5]"
    ),
    ("sysroot.readonly", "x"): (
        "Key file contains key “readonly” which has a value that cannot be interpreted."
    ),
    ("core.collection-id", "no id"): "Invalid collection ID no id",  # where others crash later
}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repo(tmp_path_factory.mktemp("config") / "repo")


def configure(repo: Path, key: str, value: str) -> None:
    """Write a configuration with one setting beside those that are required."""
    group, _, name = key.partition(".")
    core = {"repo_version": "1", "mode": "archive-z2"}
    if group == "core":
        core[name] = value
    text = "[core]\n" + "".join(f"{key}={value}\n" for key, value in core.items())
    if group != "core":
        text += f"[{group}]\n{name}={value}\n"
    (repo / "config").write_text(text)


@pytest.mark.parametrize("key", SAME)
def test_config_value_is_taken_or_refused_like_reference(repo: Path, key: str) -> None:
    for value in SAME[key]:
        configure(repo, key, value)
        assert ours("refs", f"--repo={repo}") == reference("refs", f"--repo={repo}"), value


@pytest.mark.parametrize(("key", "value"), NEWER, ids=str)
def test_config_value_of_newer_releases(repo: Path, key: str, value: str) -> None:
    configure(repo, key, value)
    message = NEWER[key, value]
    expected = "" if message is None else f"error: opening repo: {message}\n"
    assert ours("refs", f"--repo={repo}").err == expected


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("core.auto-update-summary", ("refs", "--create=new", "main")),
        ("core.commit-update-summary", ("refs", "--create=newer", "main")),
        ("core.no-deltas-in-summary", ("summary", "-u")),
        ("core.tombstone-commits", ("prune", "--refs-only")),
        ("core.tombstone-commits", ("summary", "-u")),
    ],
    ids=str,
)
def test_config_value_that_is_read_late_is_refused_late(
    tmp_path: Path, key: str, words: tuple[str, ...]
) -> None:
    results = []
    for command in (ours, reference):
        repo = make_repo(tmp_path / command.__name__)
        (tmp_path / "tree").mkdir(exist_ok=True)
        for branch in ("main", "gone"):
            when = "--timestamp=@1"
            must(
                ours(
                    "commit",
                    f"--repo={repo}",
                    "-b",
                    branch,
                    when,
                    f"--tree=dir={tmp_path / 'tree'}",
                )
            )
        must(ours("refs", f"--repo={repo}", "--delete", "gone"))
        configure(repo, key, "x")
        results.append(command(words[0], f"--repo={repo}", *words[1:]))
    assert results[0] == results[1]
    assert results[0].status == 1


@pytest.mark.parametrize("value", ["true", "false"])
def test_config_no_deltas_in_summary_is_honoured_like_reference(tmp_path: Path, value: str) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("content")
    repo = make_repo(tmp_path / "repo", no_deltas_in_summary=value)
    commit(repo, "-b", "main", tree)
    must(reference("static-delta", f"--repo={repo}", "generate", "--empty", "main"))
    seen = []
    for command in (ours, reference):
        must(command("summary", f"--repo={repo}", "-u"))
        shown = must(command("summary", f"--repo={repo}", "-v"))
        seen.append("ostree.static-deltas" in shown or "Static Deltas" in shown)
    assert seen == [value == "false"] * 2
