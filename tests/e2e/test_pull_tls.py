"""Whole pulls over TLS: the keys of a remote that say how, with nginx and over HTTP/3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from repo_lab import check_both, commit, make_repo, make_tree, must, ours, reference
from server_lab import Nginx, http3, nginx


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    base = tmp_path_factory.mktemp("tls")
    tree = make_tree(base / "tree")
    (base / "www").mkdir()
    repo = make_repo(base / "www" / "repo", "archive")
    commit(repo, "-b", "main", f"--tree=dir={tree}")
    must(reference("summary", f"--repo={repo}", "-u"))
    with nginx(base / "www", base / "state") as running:
        yield running


def client(tmp_path: Path, url: str, **keys: object) -> Path:
    repo = make_repo(tmp_path / "client", "bare-user")
    sets = [f"--set={key.replace('_', '-')}={value}" for key, value in keys.items()]
    must(ours("remote", "add", f"--repo={repo}", "--no-gpg-verify", *sets, "origin", url))
    return repo


def test_client_certificate(tmp_path: Path, lab: Nginx) -> None:
    url = lab.url(lab.ports.client, "repo")
    pair = lab.client_pair
    keys = {"tls_ca_path": lab.authority.path, "tls_client_cert_path": pair.cert}
    repo = client(tmp_path, url, **keys, tls_client_key_path=pair.key)
    must(ours("pull", f"--repo={repo}", "origin", "main"))
    check_both(repo)
    must(ours("config", f"--repo={repo}", "--group", 'remote "origin"', "unset",
              "tls-client-key-path"))  # fmt: skip
    result = ours("pull", f"--repo={repo}", "origin", "main")
    assert result.err == (
        'error: Remote "origin" must specify both "tls-client-cert-path" and '
        '"tls-client-key-path"\n'
    )


def test_unknown_authority_refused_unless_permissive(tmp_path: Path, lab: Nginx) -> None:
    url = lab.url(lab.ports.expired, "repo")
    repo = client(tmp_path, url)
    result = ours("pull", f"--repo={repo}", "origin", "main")
    assert result.status == 1
    assert result.err.startswith(f"error: While fetching {url}/summary.sig: [60] ")
    must(ours("config", f"--repo={repo}", "--group", 'remote "origin"', "set",
              "tls-permissive", "true"))  # fmt: skip
    must(ours("pull", f"--repo={repo}", "origin", "main"))
    check_both(repo)


@pytest.mark.parametrize(("http2", "version"), [("true", "HTTP/2.0"), ("false", "HTTP/1.1")])
def test_versions(tmp_path: Path, lab: Nginx, http2: str, version: str) -> None:
    lab.forget()
    url = lab.url(lab.ports.good, "repo")
    repo = client(tmp_path, url, tls_ca_path=lab.authority.path, http2=http2)
    must(ours("pull", f"--repo={repo}", "origin", "main"))
    check_both(repo)
    assert {note.protocol for note in lab.notes(lab.ports.good, 10)} == {version}


def test_http3(tmp_path: Path, lab: Nginx) -> None:
    with http3(lab.root, lab.authority.issue("quic")) as server:
        keys = {"tls_ca_path": lab.authority.path, "http3": "true"}
        repo = client(tmp_path, f"{server.url}/repo", **keys)
        must(ours("pull", f"--repo={repo}", "origin", "main"))
        assert len(server.paths) > 10
    check_both(repo)


def test_content_from_elsewhere(tmp_path: Path, lab: Nginx) -> None:
    lab.forget()
    keys = {"tls_ca_path": lab.authority.path, "contenturl": lab.url(lab.ports.http, "repo")}
    repo = client(tmp_path, lab.url(lab.ports.good, "repo"), **keys)
    must(ours("pull", f"--repo={repo}", "origin", "main"))
    check_both(repo)
    content = {note.path.rpartition(".")[2] for note in lab.notes(lab.ports.http, 10)}
    assert {"commit", "dirtree", "dirmeta", "filez"} <= content
    safe = {note.path.rpartition("/")[2] for note in lab.notes(lab.ports.good, 2)}
    assert {"summary", "summary.sig"} <= safe
    assert not any(path.endswith(".filez") for path in safe)
