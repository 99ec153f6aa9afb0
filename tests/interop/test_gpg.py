"""Signatures of each command, and of GnuPG itself, are what the others accept."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gpg_lab import FINGERPRINT, KEYS, USERS, GpgHome, gpg_home
from pyostree.repo.repo import Repo
from pyostree.sign.gpg.detached import gpg_signatures
from repo_lab import WHEN, Command, Result, commit, make_repo, must, ours, reference, write_files

BOTH = pytest.mark.parametrize(
    ("signer", "checker"),
    [(ours, reference), (reference, ours), (ours, ours)],
    ids=["ours-theirs", "theirs-ours", "ours-ours"],
)
EACH = pytest.mark.parametrize("command", [ours, reference], ids=["ours", "theirs"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_files(tmp_path / "tree", {"a": "content\n"})


def signatures(repo: Path, checksum: str) -> list[bytes]:
    """Return the signatures that a commit has."""
    with Repo.open(repo) as opened:
        metadata = opened.read_detached_metadata(opened.resolve(checksum))
        return list(gpg_signatures(metadata or ()) or ())


def object_path(repo: Path, checksum: str, kind: str) -> Path:
    return repo / f"objects/{checksum[:2]}/{checksum[2:]}.{kind}"


@BOTH
def test_signed_commit_is_pulled(
    tmp_path: Path, tree: Path, keys: GpgHome, signer: Command, checker: Command
) -> None:
    source, target = make_repo(tmp_path / "source"), make_repo(tmp_path / "target", "bare-user")
    made = must(
        signer(
            "commit", f"--repo={source}", "-b", "main", "--add-detached-metadata-string=k=v",
            *keys.options(KEYS[0]), f"--tree=dir={tree}",
        )
    )  # fmt: skip
    imported = must(
        checker(
            "remote", "add", f"--repo={target}", f"--gpg-import={keys.armored(0)}", "origin",
            f"file://{source}", "main",
        )
    )  # fmt: skip
    assert imported == 'Imported 1 GPG key to remote "origin"'
    must(checker("pull", f"--repo={target}", "origin"))
    assert must(ours("rev-parse", f"--repo={target}", "origin:main")) == made
    key = "--print-detached-metadata-key=k"
    assert must(checker("show", f"--repo={target}", key, made)) == "'v'"
    # The other way to look at it: GnuPG on the object's own bytes.
    (signature,) = signatures(target, made)
    (tmp_path / "sig").write_bytes(signature)
    keys.run("--verify", tmp_path / "sig", object_path(source, made, "commit"))


@BOTH
def test_unsigned_and_foreign_commits_are_refused_with_the_same_words(
    tmp_path: Path, tree: Path, keys: GpgHome, signer: Command, checker: Command
) -> None:
    source, target = make_repo(tmp_path / "source"), make_repo(tmp_path / "target")
    must(
        checker(
            "remote", "add", f"--repo={target}", f"--gpg-import={keys.armored(1)}", "origin",
            f"file://{source}", "main",
        )
    )  # fmt: skip
    made = commit(source, "-b", "main", f"--tree=dir={tree}")
    refused = checker("pull", f"--repo={target}", "origin")
    assert refused.status == 1
    assert refused.err.endswith(
        f"error: Commit {made}: GPG verification enabled, but no signatures found "
        "(use gpg-verify=false in remote config to disable)\n"
    )
    must(signer("gpg-sign", f"--repo={source}", f"--gpg-homedir={keys.path}", "main", KEYS[0]))
    refused = checker("pull", f"--repo={target}", "origin")
    assert refused.status == 1
    assert re.search(
        rf"error: Commit {made}: Signature made .{{24}} using RSA key ID {KEYS[0]}\n"
        r"Can't check signature: public key not found\n$",
        refused.err,
    )
    assert ours("rev-parse", f"--repo={target}", "origin:main").status == 1


def test_show_is_the_same(
    tmp_path: Path, tree: Path, keys: GpgHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repo(tmp_path / "repo")
    must(ours("init", f"--repo={repo}"))
    commit(repo, "-b", "main", *keys.options(*KEYS), f"--tree=dir={tree}")
    words = ("show", f"--repo={repo}", "main")
    assert must(ours(*words)).count("public key not found") == 3
    assert ours(*words) == reference(*words)
    with_home = (*words, f"--gpg-homedir={keys.path}")
    assert "Good signature" in must(ours(*with_home))
    assert ours(*with_home) == reference(*with_home)
    monkeypatch.setenv("OSTREE_GPG_HOME", str(keys.trusted))
    shown = must(ours(*words))
    assert [f'Good signature from "{user}"' in shown for user in USERS] == [True] * 3
    assert ours(*words) == reference(*words)
    of_remote = (*words, "--gpg-verify-remote=none")
    assert ours(*of_remote) == reference(*of_remote)


@EACH
def test_signatures_are_added_and_deleted(
    tmp_path: Path,
    tree: Path,
    keys: GpgHome,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OSTREE_GPG_HOME", str(keys.trusted))
    repo = make_repo(tmp_path / "repo")
    made = commit(repo, "-b", "main", f"--tree=dir={tree}")

    def sign(*words: str) -> Result:
        return command("gpg-sign", f"--repo={repo}", f"--gpg-homedir={keys.path}", *words)

    assert must(sign("main", KEYS[0], KEYS[1])) == ""
    again = sign("main", KEYS[1])
    assert (again.status, again.err) == (
        1, f"error: Commit is already signed with GPG key {KEYS[1]}\n",
    )  # fmt: skip
    assert len(signatures(repo, made)) == 2
    assert must(sign("--delete", "main", KEYS[0], KEYS[2])) == "Signatures deleted: 1"
    assert len(signatures(repo, made)) == 1
    assert must(sign("--delete", "main", KEYS[1])) == "Signatures deleted: 1"
    assert object_path(repo, made, "commitmeta").read_bytes() == b""
    assert must(sign("--delete", "main", KEYS[1])) == "Signatures deleted: 0"


@pytest.mark.parametrize(
    "words",
    [(), ("main",), ("main", "short"), ("main", "0123456789ABCDEF"), ("nothing", KEYS[0])],
    ids=["no commit", "no key", "short id", "unknown key", "unknown commit"],
)
def test_gpg_sign_complains_alike(
    tmp_path: Path, tree: Path, keys: GpgHome, words: tuple[str, ...]
) -> None:
    repo = make_repo(tmp_path / "repo")
    commit(repo, "-b", "main", f"--tree=dir={tree}")
    results = [
        command("gpg-sign", f"--repo={repo}", f"--gpg-homedir={keys.path}", *words)
        for command in (ours, reference)
    ]
    assert [result.status for result in results] == [1, 1]
    messages = [result.err.strip().split("\n")[-1] for result in results]
    assert messages[0] == messages[1]


def test_commit_with_unknown_key_leaves_nothing(tmp_path: Path, tree: Path, keys: GpgHome) -> None:
    repo = make_repo(tmp_path / "repo")
    words = ("commit", f"--repo={repo}", WHEN, "-b", "main", f"--tree=dir={tree}")
    refused = ours(*words, *keys.options("0123456789ABCDEF"))
    assert refused.status == 1
    assert refused.err == (
        f"error: No gpg key found with ID 0123456789ABCDEF (homedir: {keys.path})\n"
    )
    assert not list((repo / "refs/heads").iterdir())
    assert not list((repo / "objects").glob("??/*.commit"))


@BOTH
def test_signed_summary_is_verified(
    tmp_path: Path,
    tree: Path,
    keys: GpgHome,
    reference_httpd: str,
    signer: Command,
    checker: Command,
) -> None:
    source = make_repo(tmp_path / "www/repo")
    commit(source, "-b", "main", *keys.options(KEYS[0]), f"--tree=dir={tree}")
    must(signer("summary", "-u", f"--repo={source}", *keys.options(KEYS[0], KEYS[2])))
    target = make_repo(tmp_path / "target")
    must(
        checker(
            "remote", "add", f"--repo={target}", f"--gpg-import={keys.armored(0)}",
            "--set=gpg-verify-summary=true", "origin", f"{reference_httpd}/repo",
        )
    )  # fmt: skip
    assert must(checker("remote", "refs", f"--repo={target}", "origin")) == "origin:main"
    shown = must(checker("remote", "summary", f"--repo={target}", "origin"))
    assert "GPG: Verification enabled, found 2 signatures:" in shown
    must(checker("pull", f"--repo={target}", "origin", "main"))
    (source / "summary").write_bytes((source / "summary").read_bytes() + b"x")
    for words in (("pull", "origin", "main"), ("remote", "refs", "origin")):
        refused = checker(words[0], f"--repo={make_copy(target)}", *words[1:])
        assert refused.status == 1
        assert "BAD signature from" in refused.err
    (source / "summary.sig").unlink()
    refused = checker("pull", f"--repo={target}", "origin", "main")
    assert "GPG verification enabled, but no summary.sig found" in refused.err


def make_copy(repo: Path) -> Path:
    """Return the repository without the summaries it has cached."""
    subprocess.run(["rm", "-rf", repo / "tmp/cache"], check=True)
    return repo


@EACH
def test_keys_are_imported_into_the_keyring_of_the_remote(
    tmp_path: Path, keys: GpgHome, command: Command
) -> None:
    repo = make_repo(tmp_path / "repo")
    must(command("remote", "add", f"--repo={repo}", "origin", "http://example.com"))
    ring = keys.trusted / "pubring.gpg"
    words = ("remote", "gpg-import", f"--repo={repo}", f"--keyring={ring}", "origin")
    assert must(command(*words, KEYS[1])) == 'Imported 1 GPG key to remote "origin"'
    assert must(command(*words)) == 'Imported 2 GPG keys to remote "origin"'
    assert must(command(*words)) == 'Imported 0 GPG keys to remote "origin"'
    listed = [
        other("remote", "gpg-list-keys", f"--repo={repo}", "origin") for other in (ours, reference)
    ]
    assert listed[0] == listed[1]
    assert must(listed[0]).count("\n  UID: ") == 3
    for refused in (command(*words, "BADKEYID0"), command(*words[:-1], "nothing")):
        assert refused.status == 1
        assert refused.err.startswith("error: GPG: ")
    must(command("remote", "delete", f"--repo={repo}", "origin"))
    assert not (repo / "origin.trustedkeys.gpg").exists()


def test_import_without_keys_fails_alike(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "repo")
    must(ours("remote", "add", f"--repo={repo}", "origin", "http://example.com"))
    (tmp_path / "empty").write_bytes(b"")
    for words in ((), (f"--keyring={tmp_path}/none",), (f"--keyring={tmp_path}/empty",)):
        full = ("remote", "gpg-import", f"--repo={repo}", *words, "origin")
        assert ours(*full) == reference(*full)


def test_gpgkeypath_adds_keys_and_must_exist(tmp_path: Path, tree: Path, keys: GpgHome) -> None:
    source, target = make_repo(tmp_path / "source"), make_repo(tmp_path / "target")
    made = commit(source, "-b", "main", *keys.options(KEYS[2]), f"--tree=dir={tree}")
    paths = {
        "file": keys.armored(2),
        "list": f"{keys.armored(0)},{keys.armored(2)},",
        "none": f"{tmp_path}/none",
        "mixed": "a,b;c",
        "other": keys.armored(1),
    }
    results = {}
    for name, path in paths.items():
        setting = f"--set=gpgkeypath={path}"
        must(ours("remote", "add", f"--repo={target}", setting, name, f"file://{source}", "main"))
        results[name] = ours("pull", f"--repo={target}", name)
        assert reference("pull", f"--repo={target}", name).status == results[name].status
    assert (
        must(ours("rev-parse", f"--repo={target}", "file:main", "list:main")) == f"{made}\n{made}"
    )
    assert f"opendir({tmp_path}/none): No such file or directory" in results["none"].err
    assert "key value list contains more than one separator" in results["mixed"].err
    assert "public key not found" in results["other"].err


def test_expired_key_is_described_alike(tmp_path: Path, tree: Path) -> None:
    with gpg_home() as keys:
        repo = make_repo(tmp_path / "repo")
        commit(repo, "-b", "main", *keys.options(KEYS[0]), f"--tree=dir={tree}")
        keys.run("--quick-set-expire", FINGERPRINT, "seconds=1")
        subprocess.run(["sleep", "2"], check=True)
        words = ("show", f"--repo={repo}", f"--gpg-homedir={keys.path}", "main")
        assert "\n  Key expired " in must(ours(*words))
        assert ours(*words) == reference(*words)
        keys.run("--quick-set-expire", FINGERPRINT, "0")
        keys.revoke_first()
        assert "\n  Key revoked\n" in must(ours(*words)) + "\n"
        assert ours(*words) == reference(*words)
