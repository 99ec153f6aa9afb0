"""``remote`` and ``summary``: ours and the reference's say and write the same."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from repo_lab import Command, Result, must, ours, reference

BOTH = pytest.mark.parametrize("command", [ours, reference], ids=["ours", "reference"])
WHEN = "--timestamp=@1700000000"
SESSION = [
    ("add", "x", "http://a", "--set=a"),
    ("add", "a b", "http://a"),
    ("add", "x", "http://a", "--set=k=  v w", "--set=empty="),
    ("add", "x", "http://b"),
    ("add", "--if-not-exists", "x", "http://c"),
    ("add", "x", "http://a", "--no-sign-verify", "--sign-verify=ed25519=inline:x"),
    ("add", "y", "http://a", "b1", "c;d", "--collection-id=org.x", "--contenturl=http://c",
     "--custom-backend=B", "--no-gpg-verify", "--set=gpg-verify=true", "--set=url=zz"),
    ("add", "--force", "y", "metalink=http://m"),
    ("list",), ("list", "-u"), ("show-url", "x"), ("show-url", "y"), ("show-url", "nope"),
    ("delete", "nope"), ("delete", "--if-exists", "nope"), ("delete", "y"),
    ("add", "q", "mirrorlist=http://q?x;y", "br"), ("add", "--custom-backend=zz", "qq"),
    ("refs", "qq"), ("refs", "nope"), ("summary", "nope"), ("add", "üñ", "http://x"),
    ("add", "rel", "srv"), ("refs", "rel"), ("add", "ftp", "ftp://u:pw@x/y"), ("refs", "ftp"),
    ("add", "--set=tls-client-cert-path=/x", "cert", "http://127.0.0.1:1"), ("refs", "cert"),
    ("add", "gone", "http://u:pw@127.0.0.1:1/x"), ("refs", "gone"),
]  # fmt: skip


def run_session(command: Command, repo: Path) -> list[tuple[Result, str]]:
    must(command("init", f"--repo={repo}", "--mode=archive"))
    found = []
    for words in SESSION:
        result = command(f"--repo={repo}", "remote", *words)
        found.append((result, (repo / "config").read_text()))
    return found


def test_session_gives_the_same_output_and_configuration(tmp_path: Path) -> None:
    expected = run_session(reference, tmp_path / "theirs")
    found = run_session(ours, tmp_path / "ours")
    for words, one, other in zip(SESSION, found, expected, strict=True):
        assert one[0].status == other[0].status, words
        assert one[0].out == other[0].out, words
        assert one[0].err.splitlines()[-1:] == other[0].err.splitlines()[-1:], words
        assert one[1] == other[1], words


def make_served_repo(command: Command, www: Path) -> Path:
    repo, tree = www / "repo", www.parent / "tree"
    tree.mkdir(parents=True)
    www.mkdir(exist_ok=True)
    (tree / "f").write_text("hi\n")
    must(command("init", f"--repo={repo}", "--mode=archive"))
    for branch, extra in (
        ("main", "--add-metadata-string=version=1.0"),
        ("dev/x", "--subject=dev"),
    ):
        must(command("commit", f"--repo={repo}", "-b", branch, WHEN, "--owner-uid=0",
                     "--owner-gid=0", extra, f"--tree=dir={tree}"))  # fmt: skip
    must(command("summary", f"--repo={repo}", "-u", "-m", "foo='bar'", "-m", "n=uint64 1"))
    return repo


@BOTH
def test_refs_and_summary_of_a_server(
    command: Command, tmp_path: Path, reference_httpd: str
) -> None:
    repo = make_served_repo(command, tmp_path / "www")
    must(ours("init", f"--repo={tmp_path}/c", "--mode=bare-user-only"))
    must(reference("init", f"--repo={tmp_path}/r", "--mode=bare-user-only"))
    for asking, at in ((ours, "c"), (reference, "r")):
        must(asking(f"--repo={tmp_path}/{at}", "remote", "add", "o", f"{reference_httpd}/repo"))
        refs = must(asking(f"--repo={tmp_path}/{at}", "remote", "refs", "o"))
        assert refs == "o:dev/x\no:main"
    shown = [
        must(asking(f"--repo={tmp_path}/{at}", "remote", "summary", "o", *raw))
        for raw in ((), ("--raw",))
        for asking, at in ((ours, "c"), (reference, "r"))
    ]
    assert shown[0] == shown[1]
    assert shown[2] == shown[3]
    assert shown[0] in must(ours("summary", f"--repo={repo}", "-v"))


def test_summaries_have_equal_bytes(tmp_path: Path) -> None:
    made = []
    for name, command in (("ours", ours), ("theirs", reference)):
        repo = make_served_repo(command, tmp_path / name / "www")
        data = (repo / "summary").read_bytes()
        made.append(re.sub(rb"(last-modified\0+?.{4}).{8}", rb"\1", data, flags=re.DOTALL))
        assert (repo / "config").read_text().endswith("indexed-deltas=true\n")
    assert made[0] == made[1]


def test_summary_with_collection(tmp_path: Path) -> None:
    repo = make_served_repo(ours, tmp_path / "w/www")
    must(reference("config", f"--repo={repo}", "set", "core.collection-id", "org.example.C"))
    must(ours("summary", f"--repo={repo}", "-u"))
    text = must(reference("summary", f"--repo={repo}", "-v"))
    assert must(ours("summary", f"--repo={repo}", "-v")).startswith(text)
    assert "* (org.example.C, ostree-metadata)\n" in text
    must(reference("fsck", f"--repo={repo}"))


def test_metalink_and_mirrorlist(tmp_path: Path, reference_httpd: str) -> None:
    www = tmp_path / "www"
    repo = make_served_repo(reference, www)
    size = (repo / "summary").stat().st_size
    digest = hashlib.sha256((repo / "summary").read_bytes()).hexdigest()
    (www / "m.xml").write_text(
        f'<metalink><files><file name="summary"><size>{size}</size><verification>'
        f'<hash type="sha256">{digest}</hash></verification><resources>'
        + "".join(
            f'<url protocol="http" type="http" location="US" preference="1">{url}</url>'
            for url in ("http://127.0.0.1:1/summary", f"{reference_httpd}/repo/summary")
        )
        + "</resources></file></files></metalink>"
    )
    (www / "list").write_text(f"# mirrors\nhttp://127.0.0.1:1/x\n{reference_httpd}/repo\n")
    must(ours("init", f"--repo={tmp_path}/c", "--mode=bare-user-only"))
    for name, url in (
        ("m", f"metalink={reference_httpd}/m.xml"),
        ("l", f"mirrorlist={reference_httpd}/list"),
    ):
        must(ours(f"--repo={tmp_path}/c", "remote", "add", name, url))
        for command in (ours, reference):
            refs = must(command(f"--repo={tmp_path}/c", "remote", "refs", name))
            assert refs == f"{name}:dev/x\n{name}:main"


def test_demanded_summary_signature_is_never_skipped(tmp_path: Path, reference_httpd: str) -> None:
    repo = make_served_repo(reference, tmp_path / "www")
    must(ours("init", f"--repo={tmp_path}/c", "--mode=bare-user-only"))
    add = (f"--repo={tmp_path}/c", "remote", "add", "--set=gpg-verify-summary=true", "g")
    must(ours(*add, f"{reference_httpd}/repo"))
    refused = ours(f"--repo={tmp_path}/c", "remote", "refs", "g")
    assert refused.err == reference(f"--repo={tmp_path}/c", "remote", "refs", "g").err
    (repo / "summary.sig").write_bytes(b"no signature at all")
    refused = ours(f"--repo={tmp_path}/c", "remote", "refs", "g")
    assert (refused.status, refused.out) == (1, "")
    assert "GPG verification enabled, but no signatures found" in refused.err
