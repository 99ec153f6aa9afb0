"""Commands that read print the same, to both streams and with the same status, in every mode."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from repo_lab import (
    MODES,
    OURS,
    REFERENCE,
    Command,
    Result,
    commit,
    make_repo,
    must,
    ours,
    reference,
    write_files,
)

ZEROS = "0" * 64


class Lab(NamedTuple):
    """A repository with three commits on ``main``, and more refs, made by the C implementation."""

    repo: Path
    first_tree: Path
    second_tree: Path

    def expand(self, words: str) -> list[str]:
        """Replace the names of objects and directories in a command line."""
        listed = must(reference("ls", f"--repo={self.repo}", "-RC", "main")).splitlines()
        sums = {line.split()[-1]: line.split()[4] for line in listed if " -> " not in line}
        names = {
            "FILE": sums["/firstfile"],
            "TREE": sums["/baz"],
            "META": next(line.split()[5] for line in listed if line.startswith("d")),
            "LINK": next(line.split()[4] for line in listed if "alink" in line),
            "DIR1": str(self.first_tree),
            "DIR2": str(self.second_tree),
            "PREFIX": must(reference("rev-parse", f"--repo={self.repo}", "main"))[:12],
        }
        return [names.get(word, word) for word in words.split()]


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    top = tmp_path_factory.mktemp("reading")
    first = write_files(
        top / "first",
        {"firstfile": "first\n", "script": "#!/bin/sh\n", "baz/cow": "moo\n", "empty": None,
         "baz/deeper/ohyeah": "hi\n"},
    )  # fmt: skip
    for name, target in {
        "alink": "nonexistent",
        "good": "cow",
        "absolute": "/firstfile",
        "up": "../firstfile",
        "dir": "deeper",
    }.items():
        (first / "baz" / name).symlink_to(target)
    os.setxattr(first / "script", "user.note", b"value")
    os.setxattr(first / "baz", "user.binary", b"\0\xff")
    second = top / "second"
    os.system(f"cp -a {first} {second}")
    write_files(second, {"firstfile": "changed\n", "newdir/newfile": "n\n", "newdir/sub/x": "x"})
    (second / "script").unlink()
    (second / "baz/cow").chmod(0o600)
    (second / "baz/deeper").rename(second / "baz/gone")
    repo = top / "repo"
    must(reference("init", f"--repo={repo}", f"--mode={request.param}"))
    sizes = ["--generate-sizes"] if request.param == "archive" else []
    for words in (
        ["-b", "main", "-s", "First commit", first],
        ["-b", "main", "-s", "Second", "-m", "Line one\n\nLine two\n",
         "--add-metadata-string=version=1.1", "--add-metadata=n=uint32 5",
         "--add-metadata=d={'x': <[int64 1, 2]>}", "--add-metadata=b=[byte 1, 0xff]",
         "--add-detached-metadata-string=key=value", second],
        ["-b", "main", "--canonical-permissions", second],
        ["-b", "deep/er/ref", *sizes, first],
        ["--orphan", "--no-bindings", "-s", "with ünïcode", "--parent=" + "1" * 64, first],
    ):  # fmt: skip
        commit(repo, *words, command=reference)
    must(reference("refs", f"--repo={repo}", "--create=origin:remote/x", "main"))
    must(reference("refs", f"--repo={repo}", "--create=origin:y", "main^"))
    must(reference("refs", f"--repo={repo}", "-A", "--create=alias/to", "main"))
    return Lab(repo, first, second)


def run(command: Command, lab: Lab, words: list[str]) -> Result:
    result = command(words[0], f"--repo={lab.repo}", *words[1:])
    if words[0] == "refs":  # the installed release does not sort
        result = result._replace(out="".join(sorted(result.out.splitlines(keepends=True))))
    if result.err.startswith("Usage:"):  # our help says the same in other words
        return result._replace(err=result.err.splitlines()[-1])
    return result


@pytest.mark.parametrize(
    "words",
    [
        *("ls main", "ls -R main", "ls -RC main", "ls -RX main", "ls -d main", "ls -C main baz"),
        *("ls main baz baz/cow", "ls main /", "ls main nosuch", "ls main nosuch/x", "ls"),
        *("ls main firstfile/x", "ls main baz/dir/ohyeah", "ls main baz/", "ls nosuch"),
        "ls -R --nul-filenames-only main",
        *("cat main firstfile baz/cow", "cat main baz/alink", "cat main baz/up", "cat main baz"),
        *("cat main baz/good", "cat main baz/absolute", "cat main nosuch", "cat main", "cat"),
        *("log main", "log --raw main", "log main^^", "log deep/er/ref", "log nosuch", "log"),
        *("rev-parse main^ main^^ main PREFIX", "rev-parse origin:y origin/y y", "rev-parse"),
        *("rev-parse nosuch", "rev-parse main^^^", "rev-parse a:b:c", "rev-parse -S main"),
        *("rev-parse -S", f"rev-parse {ZEROS}", "rev-parse deep", "rev-parse x/", "rev-parse ^"),
        *("diff main^^ main", "diff main^", "diff --stats main^^ main", "diff main^^ DIR2"),
        *("diff DIR1 DIR2", "diff DIR2 main", "diff main^^ nosuch", "diff --stats DIR1 main"),
        *("diff --fs-diff --stats main^^ main", "diff --owner-uid=5 main DIR2", "diff"),
        *("diff --no-xattrs main^^ DIR1", "diff --owner-uid=0 --owner-gid=0 main^^ DIR1"),
        *("show main", "show main^", "show --raw main^", "show -B main^", "show -B --raw main^"),
        *("show FILE", "show LINK", "show TREE", "show META", "show --raw TREE", "show --raw META"),
        *("show -B META", "show -B --raw META", f"show {ZEROS}", "show", "show nosuch"),
        *("show --print-metadata-key=n main^", "show -B --print-metadata-key=n main^"),
        *("show --print-metadata-key=d main^", "show --print-metadata-key=b main^"),
        *("show --print-metadata-key=no main^", "show --print-detached-metadata-key=key main^"),
        *("show --print-detached-metadata-key=no main^", "show --print-sizes deep/er/ref"),
        *("show --print-detached-metadata-key=key main", "show --print-sizes main"),
        *("show --print-related main", "show --print-variant-type=(uu) /nosuch"),
        *("refs", "refs --list deep", "refs deep", "refs deep/er/ref", "refs dee", "refs origin:"),
        *("refs --list origin:remote", "refs origin:remote", "refs -A", "refs -c", "refs a+b"),
        *("refs main deep", "refs -c bad", "refs --delete", "refs --create=x", "refs -A alias"),
        *("refs --create=x a b", "refs --create=main main", "refs -A --create=n nosuch"),
        *("refs -A --create=origin:n main", "refs --create=deep main", "refs --delete nosuch"),
        *("refs --delete main", "refs --create=main/x main", "refs --create=a+b main"),
        *("reset nosuch main", "reset main nosuch", "reset main", "reset"),
        *("config get core.mode", "config get core.x", "config get x.y", "config get", "config"),
        *("config frob x", "config set core.x", "config get core", "config get a b"),
        *("config get --group=core mode", "config unset --group=core", "config set --group=core x"),
        *("config set a b c d", "config unset core.nosuch", "config unset x.y"),
        *("fsck", "fsck -q", "fsck -a", "fsck --delete"),
        *("prune --no-prune", "prune --refs-only --depth=0 --no-prune", "prune --depth=x"),
        *("prune --no-prune --refs-only --depth=2", "prune --no-prune --commit-only"),
        "prune --no-prune --commit-only --refs-only --depth=0",
        "prune --no-prune --keep-younger-than=2030-01-01",
        "prune --no-prune --only-branch=main --depth=0",
        "prune --no-prune --retain-branch-depth=main=1 --depth=0",
        *("prune --retain-branch-depth=x", "prune --retain-branch-depth=x=y"),
        *("prune --only-branch=nosuch", "prune --delete-commit=x --no-prune"),
        *("prune --static-deltas-only", "prune --keep-younger-than=blah"),
    ],
)  # fmt: skip
def test_reading_command_same_output_as_reference(lab: Lab, words: str) -> None:
    expanded = lab.expand(words)
    expected = run(reference, lab, expanded)
    assert run(ours, lab, expanded) == expected


@pytest.mark.parametrize("options", [[], ["--ignore-xattrs"]], ids=["xattrs", "no-xattrs"])
def test_checksum_every_kind_of_file_same_as_reference(lab: Lab, options: list[str]) -> None:
    tree = lab.first_tree
    for path in (tree, tree / "baz", tree / "script", tree / "baz/alink", tree / "nosuch"):
        assert ours("checksum", *options, path) == reference("checksum", *options, path)


def test_checksum_relative_paths_same_as_reference(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab.first_tree)
    for path in (".", "baz/cow", "./script", "nosuch/x"):
        expected = reference("checksum", "--ignore-xattrs", path)
        assert ours("checksum", "--ignore-xattrs", path) == expected


def test_show_lists_and_hex_of_newer_releases(lab: Lab) -> None:
    repo = f"--repo={lab.repo}"
    listed = must(ours("show", repo, "--list-metadata-keys", "main^"))
    assert listed.split() == ["b", "d", "n", "ostree.ref-binding", "version"]
    assert must(ours("show", repo, "--list-detached-metadata-keys", "main^")) == "key"
    assert must(ours("show", repo, "--print-hex", "--print-metadata-key=b", "main^")) == "01ff"


def test_refs_with_revisions_as_newer_releases(lab: Lab) -> None:
    tip = must(ours("rev-parse", f"--repo={lab.repo}", "main"))
    assert f"main\t{tip}\n" in ours("refs", f"--repo={lab.repo}", "-r").out


def test_show_variant_type_reads_any_file_as_big_endian(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes([0, 0, 0, 5, 0, 7, 0, 0]))
    words = ("show", f"--repo={lab.repo}", "--print-variant-type=(uq)", tmp_path / "data")
    assert ours(*words) == reference(*words)


def test_show_bad_variant_type_is_an_error(lab: Lab) -> None:
    result = ours("show", f"--repo={lab.repo}", "--print-variant-type=zz", lab.repo / "config")
    assert result.status == 1
    assert result.err.startswith("error: ")


@pytest.mark.parametrize("mode", [*MODES, "archive-z2", "nonsense"])
def test_init_writes_the_same_repository(tmp_path: Path, mode: str) -> None:
    results = []
    for command, name in ((ours, "o"), (reference, "r")):
        repo = tmp_path / name
        results.append(command("init", f"--repo={repo}", f"--mode={mode}"))
    assert results[0] == results[1]
    found = [
        {
            str(path.relative_to(tmp_path / name)): path.read_text() if path.is_file() else None
            for path in (tmp_path / name).rglob("*")
            if path.name != "cache"
        }
        for name in "or"
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "words",
    [["--collection-id=org.example.C"], ["--collection-id=bad"], ["--mode=bare-user", "--mode=x"]],
)
def test_init_options_same_config_or_error(tmp_path: Path, words: list[str]) -> None:
    results = [
        command("init", f"--repo={tmp_path / name}", *words)
        for command, name in ((ours, "o"), (reference, "r"))
    ]
    assert results[0] == results[1]
    assert (tmp_path / "o").exists() == (tmp_path / "r").exists()
    if results[0].status == 0:
        config = (tmp_path / "o/config").read_text()
        assert config == (tmp_path / "r/config").read_text()


def test_init_missing_parent_is_named(tmp_path: Path) -> None:
    words = ("init", f"--repo={tmp_path / 'no/such'}")
    assert ours(*words) == reference(*words)


def test_init_existing_repository_stays_as_it_is(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    must(reference("init", f"--repo={repo}", "--mode=bare-user"))
    before = (repo / "config").read_text()
    must(ours("init", f"--repo={repo}", "--mode=archive", "--collection-id=org.example.C"))
    assert (repo / "config").read_text() == before


def test_config_set_get_unset_as_reference_rewrites(tmp_path: Path) -> None:
    texts = []
    for command, name in ((ours, "o"), (reference, "r")):
        repo = f"--repo={tmp_path / name}"
        must(command("init", repo, "--mode=archive"))
        must(command("config", repo, "set", "core.tmp-expiry-secs", " 1 "))
        must(command("config", repo, "set", "new.key", "two\nlines\\"))
        must(command("config", repo, "set", '--group=remote "x"', "url", "http://a;b"))
        must(command("config", repo, "set", "other.key", "1"))
        must(command("config", repo, "unset", "other.key"))
        texts.append((tmp_path / name / "config").read_text())
        assert command("config", repo, "get", "new.key").out == "two\nlines\\\n"
    assert texts[0] == texts[1]


def test_config_set_invalid_value_changes_nothing(tmp_path: Path) -> None:
    repo = f"--repo={tmp_path / 'repo'}"
    must(ours("init", repo, "--mode=archive"))
    before = (tmp_path / "repo/config").read_text()
    result = ours("config", repo, "set", "core.mode", "xyz")
    assert result.err == "error: Invalid mode 'xyz' in repository configuration\n"
    assert (tmp_path / "repo/config").read_text() == before


def test_refs_creating_and_deleting_leaves_the_same_files(lab: Lab, tmp_path: Path) -> None:
    steps = [
        ["refs", "--create=a/b", "main"],
        ["refs", "--create=a/b/c", "main"],
        ["refs", "--create=a", "main"],
        ["refs", "--create=rem:a/b", "main^"],
        ["refs", "--create=a/b", "--force", "main^"],
        ["refs", "-A", "--create=al/i/as", "a/b"],
        ["refs", "-A", "--create=al/i/as", "main"],
        ["refs", "-A"],
        ["refs", "--delete", "main"],
        ["refs", "--delete", "al", "a"],
        ["refs", "--create=a", "main"],
        ["refs", "-c", "--create=org.example.C:m/x", "main"],
        ["refs", "-c", "--create=nonsense:m/x", "main"],
        ["refs", "-c"],
        ["refs", "-c", "--delete", "org.example.C"],
        ["refs", "--delete", "rem:a/b", "nosuch"],
        ["reset", "main", "main^"],
        ["refs", "--list"],
    ]
    outcomes = []
    for command, name in ((ours, "o"), (reference, "r")):
        repo = tmp_path / name
        os.system(f"cp -a {lab.repo} {repo}")
        results = [run(command, lab._replace(repo=repo), words) for words in steps]
        files = {
            str(path.relative_to(repo)): os.readlink(path)
            if path.is_symlink()
            else path.read_text()
            for path in (repo / "refs").rglob("*")
            if not path.is_dir()
        }
        outcomes.append((results, files))
    for step, mine, theirs in zip(steps, outcomes[0][0], outcomes[1][0], strict=True):
        assert mine == theirs, step
    assert outcomes[0][1] == outcomes[1][1]


# -- closed output ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("refs", ""),
        ("ls m", ""),
        ("export m", "error: Write error\n"),
        ("export nosuch", "error: Refspec 'nosuch' not found\n"),
        ("cat m a", "error: Error writing to file descriptor: Bad file descriptor\n"),
        ("cat m nosuch", "error: No such file or directory: /nosuch\n"),
    ],
)
def test_closed_output_takes_lines_but_no_content(command: str, error: str, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    commit(repo, "-b", "m", f"--tree=dir={write_files(tmp_path / 'tree', {'a': 'a'})}")
    for program in (OURS, REFERENCE):
        result = subprocess.run(
            ["/bin/sh", "-c", f"exec {program} --repo={repo} {command} >&-"],
            check=False,
            stderr=subprocess.PIPE,
        )
        assert (result.returncode, result.stderr.decode()) == (1 if error else 0, error)
