"""``summary -u`` with keys of all kinds, compared with the reference and with OpenSSL."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gpg_lab import KEYS, GpgHome
from pyostree.formats.commit import Metadata, decode_metadata
from pyostree.formats.gvariant import Variant
from pyostree.formats.refspec import Refspec
from pyostree.repo.repo import Repo
from pyostree.sign.commits import read_commit
from pyostree.sign.engine import find_engine
from pyostree.sign.trust import TrustedKeys
from repo_lab import Command, commit, make_repo, must, ours, reference, write_files
from sign_lab import DUMMY_ENVIRONMENT, dummy_pair, ed25519_pair, spki_pair

COLLECTION = "org.example.Own"
GPG_ONE, GPG_TWO = ("ostree.gpgsigs", 1), ("ostree.gpgsigs", 2)
DUMMY_ONE, DUMMY_TWO = ("ostree.sign.dummy", 1), ("ostree.sign.dummy", 2)
DUMMY = ("--sign-type=dummy", "--sign=foo")
BOTH = pytest.mark.parametrize(
    ("signer", "checker"), [(ours, reference), (reference, ours)], ids=["ours", "theirs"]
)


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in DUMMY_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=[None, COLLECTION], ids=["plain", "collection"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    settings = {"collection_id": request.param} if request.param else {}
    made = make_repo(tmp_path / "repo", **settings)
    tree = write_files(tmp_path / "tree", {"a": "content\n"})
    commit(made, "-b", "main", f"--tree=dir={tree}")
    return made


def has_collection(repo: Path) -> bool:
    return "collection-id" in (repo / "config").read_text()


def update(repo: Path, *words: str, command: Command = ours) -> tuple[Metadata, Metadata]:
    """Publish a signed summary; return its signatures and those of the metadata's commit."""
    must(command("summary", "-u", f"--repo={repo}", *words))
    signatures = decode_metadata((repo / "summary.sig").read_bytes())
    if not has_collection(repo):
        return signatures, ()
    with Repo.open(repo) as opened:
        checksum = opened.resolve_ref(Refspec(None, "ostree-metadata"))
        assert checksum is not None
        return signatures, opened.read_detached_metadata(checksum) or ()


def counts(metadata: Metadata) -> tuple[tuple[str, int], ...]:
    return tuple((key, len(value.value)) for key, value in metadata)


@pytest.mark.parametrize(
    ("gpg", "more", "entries"),
    [
        ((), DUMMY, (DUMMY_ONE,)),
        ((), (*DUMMY, "--sign=bar"), (DUMMY_TWO,)),
        ((), (*DUMMY, "--sign=foo"), (DUMMY_TWO,)),
        ((), ("--sign-type=dummy", "--sign="), (DUMMY_ONE,)),
        ((0,), (), (GPG_ONE,)),
        ((0, 2), (), (GPG_TWO,)),
        ((1, 0), (*DUMMY, "--sign=bar"), (DUMMY_TWO, GPG_TWO)),
    ],
    ids=["one", "two", "the same twice", "empty", "gpg", "two of gpg", "all"],
)
def test_both_commands_sign_summary_and_metadata_alike(
    repo: Path,
    keys: GpgHome,
    gpg: tuple[int, ...],
    more: tuple[str, ...],
    entries: tuple[tuple[str, int], ...],
) -> None:
    words = [*(keys.options(*(KEYS[one] for one in gpg)) if gpg else ()), *more]
    for command in (ours, reference):
        signatures, of_commit = update(repo, *words, command=command)
        assert counts(signatures) == entries
        assert counts(of_commit) == (entries if has_collection(repo) else ())
        texts = dict(signatures).get("ostree.sign.dummy", Variant("aay", ())).value
        wanted = [word.partition("=")[2].encode() for word in more if word.startswith("--sign=")]
        assert [bytes(text) for text in texts] == wanted


def test_a_key_signs_a_summary_as_often_as_it_is_named_but_a_commit_once(
    repo: Path, keys: GpgHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTREE_GPG_HOME", str(keys.trusted))
    words = keys.options(KEYS[0], KEYS[0])
    for command in (ours, reference):
        if not has_collection(repo):
            assert counts(update(repo, *words, command=command)[0]) == (GPG_TWO,)
            continue
        refused = command("summary", "-u", f"--repo={repo}", *words)
        message = f"error: Commit is already signed with GPG key {KEYS[0]}\n"
        assert refused == (1, "", message)
        assert not (repo / "summary").exists()
        assert not (repo / "refs/heads/ostree-metadata").exists()


NO_TYPE = "Requested signature type is not implemented"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sign-type=none", "--sign=x"), NO_TYPE),
        (("--sign-type=none", "--sign=x", "-m", "no equals sign"), NO_TYPE),
        ((*DUMMY, "-m", "x"), "Missing '=' in KEY=VALUE metadata 'x'"),
        (("--gpg-sign=short",), "Unable to lookup key ID short: GPGME: Invalid value"),
        (("--gpg-sign=0123456789ABCDEF",),
         "No gpg key found with ID 0123456789ABCDEF (homedir: HOME)"),
        (("--gpg-sign=@test.com",),
         "gpg key id @test.com ambiguous (homedir: HOME). Try the fingerprint instead"),
        ((*DUMMY, "--gpg-sign=0123456789ABCDEF"),
         "No gpg key found with ID 0123456789ABCDEF (homedir: HOME)"),
    ],
    ids=["engine", "engine first", "metadata", "short", "unknown", "several", "one of two"],
)  # fmt: skip
def test_keys_that_cannot_sign_change_nothing_that_is_published(
    repo: Path, keys: GpgHome, words: tuple[str, ...], message: str
) -> None:
    update(repo, *DUMMY)
    before = state(repo)
    full = ("summary", "-u", f"--repo={repo}", f"--gpg-homedir={keys.path}", *words)
    mine = ours(*full)
    assert mine == (1, "", f"error: {message}\n".replace("HOME", str(keys.path)))
    assert state(repo) == before
    assert [name.name for name in (repo / "tmp").glob("summary-*") if name.is_dir()] == []
    assert reference(*full) == mine  # of 2022.7: it deletes signatures on the way


def state(repo: Path) -> dict[str, bytes]:
    names = ("summary", "summary.sig", "refs/heads/ostree-metadata")
    return {name: (repo / name).read_bytes() for name in names if (repo / name).exists()}


def test_engine_that_nobody_needs_is_not_looked_for(repo: Path) -> None:
    words = ("summary", "-u", f"--repo={repo}", "--sign-type=none", "--gpg-homedir=/nowhere")
    for command in (ours, reference):
        assert command(*words) == (0, "", "")


@pytest.mark.parametrize("more", [(), ("--view",), ("--raw",)], ids=["nothing", "view", "raw"])
def test_engine_of_a_key_is_looked_for_whatever_is_to_be_done(
    repo: Path, more: tuple[str, ...]
) -> None:
    words = ("summary", f"--repo={repo}", "--sign-type=none", "--sign=x", *more)
    for command in (ours, reference):
        assert command(*words) == (1, "", f"error: {NO_TYPE}\n")


def test_dummy_must_be_allowed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OSTREE_DUMMY_SIGN_ENABLED")
    words = ("summary", "-u", f"--repo={repo}", *DUMMY)
    refused = ours(*words)
    assert refused == (1, "", "error: dummy signature type is only for ostree testing\n")
    assert not (repo / "summary").exists()
    assert reference(*words) == refused


def test_files_are_as_those_of_2026(repo: Path, keys: GpgHome) -> None:
    """That release gives both files the same times, and the mode whatever the umask."""
    words = [*DUMMY, *keys.options(KEYS[0]), "-m", "k='v'"]
    must(ours("summary", "-u", f"--repo={repo}", *words))  # nobody has read them yet
    found = [(repo / name).stat() for name in ("summary", "summary.sig")]
    assert {status.st_mode for status in found} == {0o100644}
    assert len({status.st_mtime_ns for status in found}) == 1
    assert len({status.st_atime_ns for status in found}) == 1
    shown = must(reference("summary", "--view", f"--repo={repo}"))
    assert "\nk: 'v'\n" in shown
    must(ours("summary", "-u", f"--repo={repo}"))
    assert not (repo / "summary.sig").exists()  # old signatures are never carried over


@BOTH
@pytest.mark.parametrize("kind", ["gpg", "dummy"])
@pytest.mark.parametrize("repo", [None], indirect=True, ids=["plain"])
def test_each_command_believes_what_the_other_signed(
    repo: Path, tmp_path: Path, keys: GpgHome, signer: Command, checker: Command, kind: str
) -> None:
    pair = dummy_pair()
    if kind == "gpg":
        words = keys.options(KEYS[0])
        demand = ["--set=gpg-verify-summary=true", f"--set=gpgkeypath={keys.armored(0)}"]
    else:
        words = ["--sign-type=dummy", f"--sign={pair.secret}"]
        demand = [
            "--set=sign-verify-summary=dummy", f"--set=verification-dummy-key={pair.public}",
        ]  # fmt: skip
    update(repo, *words, command=signer)
    client = make_repo(tmp_path / "client")
    url = f"file://{repo}"
    options = [f"--repo={client}", "--set=gpg-verify=false", *demand]
    must(checker("remote", "add", *options, "origin", url))
    assert "origin:main" in must(checker("remote", "refs", f"--repo={client}", "origin"))
    must(checker("pull", f"--repo={client}", "origin", "main"))
    with (repo / "summary").open("ab") as file:
        file.write(b"\0")
    if kind == "gpg":
        assert checker("pull", f"--repo={client}", "origin", "main").status == 1


def test_signatures_of_engines_are_over_the_very_bytes(repo: Path, tmp_path: Path) -> None:
    """As others check them: the cryptography library, and the program openssl."""
    pair, other = ed25519_pair(), spki_pair("p256")
    signatures, _ = update(repo, f"--sign={pair.secret}")
    data = (repo / "summary").read_bytes()
    (signature,) = dict(signatures)["ostree.sign.ed25519"].value
    raw = spki_of_ed25519(pair.public_bytes)
    key = load_der_public_key(raw)
    key.verify(bytes(signature), data)  # type: ignore[union-attr,call-arg,arg-type]
    signatures, _ = update(repo, "--sign-type=spki", f"--sign={other.secret}")
    (signature,) = dict(signatures)["ostree.sign.spki"].value
    (tmp_path / "signature").write_bytes(bytes(signature))
    public = other.write_public(tmp_path)
    subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", public, "-signature", tmp_path / "signature",
         repo / "summary"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_first_key_of_each_file_signs_even_from_a_pipe(repo: Path, tmp_path: Path) -> None:
    first, second, unused = (spki_pair("rsa2048", 0), spki_pair("p256"), spki_pair("ed448"))
    (tmp_path / "keys").write_text(first.secret_file + unused.secret_file)
    reader, writer = os.pipe()
    os.write(writer, second.secret_file.encode())
    os.close(writer)
    files = (tmp_path / "keys", f"/proc/{os.getpid()}/fd/{reader}")
    found = update(repo, "--sign-type=spki", *(f"--sign-from-file={path}" for path in files))
    os.close(reader)
    checked = [(repo / "summary").read_bytes(), commit_of_metadata(repo)]
    for metadata, data in zip(found, checked, strict=True):
        if data is None:
            continue
        signatures = dict(metadata)["ostree.sign.spki"].value
        assert len(signatures) == 2
        for pair, signature in zip((first, second), signatures, strict=True):
            key = find_engine("spki")
            trusted = TrustedKeys((key.parse_public_key(pair.public),))
            key.open_verifier(trusted).check(data, (bytes(signature),))


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_file_without_a_key_changes_nothing_that_is_published(
    repo: Path, tmp_path: Path, content: str | None
) -> None:
    update(repo, *DUMMY)
    before = state(repo)
    if content is not None:
        (tmp_path / "keys").write_text(content)
    refused = ours("summary", "-u", f"--repo={repo}", f"--sign-from-file={tmp_path}/keys")
    assert (refused.status, refused.out) == (1, "")
    assert f"{tmp_path}/keys" in refused.err or "Ill-formed" in refused.err
    assert state(repo) == before


def commit_of_metadata(repo: Path) -> bytes | None:
    if not has_collection(repo):
        return None
    with Repo.open(repo) as opened:
        return read_commit(opened, opened.resolve("ostree-metadata"))


def spki_of_ed25519(raw: bytes) -> bytes:
    return bytes.fromhex("302a300506032b6570032100") + raw
