"""A remote that demands OpenPGP signatures gives nothing away for less than a good one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault.scripted_server import scripted_server
from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree.formats.commit import decode_metadata, encode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.sign.gpg.detached import gpg_signatures
from pyostree.sign.gpg.result import METADATA_KEY
from repo_lab import Result, commit, make_repo, must, ours, reference, write_files

Spoil = Callable[["Source"], None]


class Source:
    """A repository with two signed commits of ``main``."""

    def __init__(self, path: Path, keys: GpgHome) -> None:
        self.keys = keys
        self.path = make_repo(path)
        self.tree = write_files(path.parent / "tree", {"a": "old\n"})
        self.old = self._commit()
        write_files(self.tree, {"a": "new\n"})
        self.new = self._commit("--parent", self.old)

    def _commit(self, *words: str) -> str:
        options = self.keys.options(KEYS[0])
        return commit(self.path, "-b", "main", *options, *words, f"--tree=dir={self.tree}")

    def file(self, checksum: str, kind: str) -> Path:
        return self.path / f"objects/{checksum[:2]}/{checksum[2:]}.{kind}"

    @property
    def detached(self) -> Path:
        """The file with the new commit's signature."""
        return self.file(self.new, "commitmeta")

    def signature_of(self, checksum: str) -> bytes:
        metadata = decode_metadata(self.file(checksum, "commitmeta").read_bytes())
        (signature,) = gpg_signatures(metadata) or ()
        return signature

    def set_signatures(self, *signatures: bytes) -> None:
        self.detached.write_bytes(encode_metadata(((METADATA_KEY, Variant("aay", signatures)),)))


@pytest.fixture
def source(tmp_path: Path, keys: GpgHome) -> Source:
    return Source(tmp_path / "source", keys)


class Client:
    """A repository that trusts the first key."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path = make_repo(path, "bare-user-only")
        self._keys = source.keys.armored(0)

    def add_remote(self, url: str) -> None:
        words = ("remote", "add", f"--repo={self.path}", f"--gpg-import={self._keys}")
        must(ours(*words, "origin", url, "main"))

    def pull(self, *words: str) -> Result:
        return ours("pull", f"--repo={self.path}", "--network-retries=0", "origin", *words)

    def has(self, checksum: str) -> bool:
        """Tell whether a commit is anywhere, even unfinished."""
        return any(self.path.rglob(f"{checksum[2:]}.commit"))


@pytest.fixture(params=["http", "file"])
def client(request: pytest.FixtureRequest, tmp_path: Path, source: Source) -> Iterator[Client]:
    made = Client(tmp_path / "client", source)
    if request.param == "file":
        made.add_remote(f"file://{source.path}")
        yield made
        return
    with scripted_server(source.path) as server:
        made.add_remote(server.url)
        yield made


def strip(source: Source) -> None:
    source.detached.unlink()


def empty(source: Source) -> None:
    source.detached.write_bytes(b"")


def no_list(source: Source) -> None:
    source.set_signatures()


def wrong_type(source: Source) -> None:
    signature = source.signature_of(source.new)
    source.detached.write_bytes(encode_metadata(((METADATA_KEY, Variant("ay", signature)),)))


def truncate_file(source: Source) -> None:
    source.detached.write_bytes(source.detached.read_bytes()[:-20])


def truncate_signature(source: Source) -> None:
    source.set_signatures(source.signature_of(source.new)[:-10])


def flip_bit(source: Source) -> None:
    signature = bytearray(source.signature_of(source.new))
    signature[-5] ^= 1
    source.set_signatures(bytes(signature))


def replay(source: Source) -> None:
    source.set_signatures(source.signature_of(source.old))


def garbage(source: Source) -> None:
    source.set_signatures(b"garbage", b"")


def foreign_key(source: Source) -> None:
    commit_file = source.file(source.new, "commit")
    source.set_signatures(
        source.keys.run("--local-user", KEYS[1], "--detach-sign", stdin=commit_file.read_bytes())
    )


def message_of_its_own(source: Source) -> None:
    source.set_signatures(
        source.keys.run("--local-user", KEYS[0], "--sign", stdin=b"anything at all")
    )


def clear_text(source: Source) -> None:
    source.set_signatures(
        source.keys.run("--local-user", KEYS[0], "--clear-sign", stdin=b"anything at all")
    )


SPOILED = pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (strip, "no signatures found"),
        (empty, "no signatures found"),
        (no_list, "GPGME: No data"),
        (wrong_type, "no signatures found"),
        (truncate_file, ""),
        (truncate_signature, "GPGME: No data"),
        (flip_bit, "BAD signature from"),
        (replay, "BAD signature from"),
        (garbage, "GPGME: No data"),
        (foreign_key, "public key not found"),
        (message_of_its_own, "GPGME: No data"),
        (clear_text, "GPGME: No data"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)


@SPOILED
def test_new_commit_without_good_signature_is_not_stored(
    source: Source, client: Client, spoil: Spoil, words: str
) -> None:
    good = source.detached.read_bytes()
    spoil(source)
    refused = client.pull()
    assert refused.status == 1
    assert words in refused.err
    assert not client.has(source.new)
    assert not any((client.path / "refs").rglob("main"))
    if spoil is not truncate_file:
        assert reference("pull", f"--repo={client.path}", "origin").status == 1
    source.detached.write_bytes(good)
    must(client.pull())
    assert must(ours("rev-parse", f"--repo={client.path}", "origin:main")) == source.new
    must(reference("fsck", f"--repo={client.path}", "-q"))


@SPOILED
def test_stored_signature_survives_a_bad_one(
    source: Source, client: Client, spoil: Spoil, words: str
) -> None:
    must(client.pull())
    stored = client.path / source.detached.relative_to(source.path)
    before = stored.read_bytes()
    spoil(source)
    refused = client.pull()
    # A server without signatures leaves those that are here, and they are good.
    assert refused.status == (0 if spoil is strip else 1)
    assert spoil is strip or words in refused.err
    assert stored.read_bytes() == before


@pytest.mark.parametrize("words", [["--depth=1"], ["--depth=-1"]], ids=["one", "all"])
def test_parents_need_a_signature_too(source: Source, client: Client, words: list[str]) -> None:
    source.file(source.old, "commitmeta").unlink()
    must(client.pull())
    refused = client.pull(*words)
    assert f"Commit {source.old}: GPG verification enabled" in refused.err
    assert not client.has(source.old)


def test_another_commit_in_place_of_the_signed_one_is_refused(
    source: Source, client: Client
) -> None:
    """The old commit is well signed; under the name of the new one it is worth nothing."""
    for kind in ("commit", "commitmeta"):
        source.file(source.new, kind).write_bytes(source.file(source.old, kind).read_bytes())
    refused = client.pull()
    assert "Corrupted commit object" in refused.err
    assert not client.has(source.new)


def test_local_cache_cannot_bring_unsigned_commits(
    tmp_path: Path, source: Source, client: Client
) -> None:
    cache = make_repo(tmp_path / "cache")
    must(ours("pull-local", f"--repo={cache}", source.path, "main"))
    cached = cache / source.detached.relative_to(source.path)
    cached.unlink()
    refused = client.pull(f"--localcache-repo={cache}")
    is_local = "file://" in (client.path / "config").read_text()
    assert refused.status == (0 if is_local else 1)
    assert client.has(source.new) == is_local


def test_pull_local_verifies_with_the_keys_of_the_remote(
    tmp_path: Path, source: Source, client: Client
) -> None:
    target = client.path
    words = ("pull-local", f"--repo={target}", "--gpg-verify", "--remote=origin")
    good = source.detached.read_bytes()
    replay(source)
    refused = ours(*words, source.path, "main")
    assert "BAD signature from" in refused.err
    assert not client.has(source.new)
    source.detached.write_bytes(good)
    must(ours(*words, source.path, "main"))
    assert client.has(source.new)
    refused = ours("pull-local", f"--repo={target}", "--gpg-verify", source.path, "main")
    assert refused.err == "error: Must specify remote name to enable gpg verification\n"
    unsigned = ours(*words, "--gpg-verify-summary", source.path, "main")
    assert "GPG verification enabled, but no summary found" in unsigned.err


def test_global_keys_do_not_count_for_a_remote_with_its_own(
    source: Source, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTREE_GPG_HOME", str(source.keys.trusted))
    foreign_key(source)
    assert "public key not found" in client.pull().err
    (client.path / "origin.trustedkeys.gpg").unlink()
    must(client.pull())


def test_keyring_of_a_remote_outside_of_the_repository_is_not_read(
    tmp_path: Path, source: Source
) -> None:
    target = make_repo(tmp_path / "target")
    with (target / "config").open("a") as config:
        config.write(f'[remote "../evil"]\nurl=file://{source.path}\n')
    ring = source.keys.trusted / "pubring.gpg"
    (tmp_path / "evil.trustedkeys.gpg").write_bytes(ring.read_bytes())
    assert ours("pull", f"--repo={target}", "../evil", "main").status == 1


@pytest.mark.parametrize("what", ["expired", "revoked"])
def test_key_that_is_no_longer_good_refuses_what_it_signed(tmp_path: Path, what: str) -> None:
    with gpg_home() as keys:
        source = Source(tmp_path / "source", keys)
        client = Client(tmp_path / "client", source)
        client.add_remote(f"file://{source.path}")
        if what == "revoked":
            keys.revoke_first()
        else:
            keys.expire_first()
        keys.run("--yes", "--output", tmp_path / "key", "--export", KEYS[0])
        words = ("remote", "gpg-import", f"--repo={client.path}", f"--keyring={tmp_path}/key")
        assert must(ours(*words, "origin")) == 'Imported 0 GPG keys to remote "origin"'
        refused = client.pull()
        assert refused.status == 1
        assert f"Key {what}" in refused.err
        assert not client.has(source.new)
        assert reference("pull", f"--repo={client.path}", "origin").status == 1


def test_no_scratch_directory_or_agent_stays(
    tmp_path: Path, source: Source, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    must(client.pull())
    replay(source)
    assert client.pull().status == 1
    assert not list(scratch.iterdir())
    agents = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"gpg-agent" in words and str(scratch).encode() in words for words in agents)


def test_without_gnupg_nothing_passes(
    tmp_path: Path, client: Client, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = client.pull()
    assert "GnuPG is needed for OpenPGP signatures" in refused.err
    assert not client.has(source.new)


@pytest.mark.parametrize(
    "script",
    ["exit 0", "yes '[GNUPG:] NEWSIG'", "echo '[GNUPG:] NEWSIG'; kill -9 $$"],
    ids=["silent", "endless", "killed"],
)
def test_program_that_misbehaves_vouches_for_nothing(
    tmp_path: Path, client: Client, source: Source, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake = tmp_path / "bin/gpg"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    assert client.pull().status == 1
    assert not client.has(source.new)
