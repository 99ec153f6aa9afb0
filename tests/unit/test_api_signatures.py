"""Keys and signatures as programs see them; nothing here needs a name that is not public."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpg_lab import FINGERPRINT, KEYS, USERS, GpgHome
from pyostree import (
    ChecksumMismatchError,
    CommitOptions,
    ConfigError,
    ConflictError,
    FormatError,
    GpgPublicKey,
    MemoryTree,
    NotFoundError,
    PublicKey,
    PublicKeyFile,
    RemoteNotFoundError,
    Repo,
    RepoMode,
    SignatureState,
    SigningKey,
    UnsupportedError,
    VerificationError,
)
from repo_lab import must, ours
from sign_lab import SPKI_KINDS, ed25519_pair, spki_pair

ENGINES = ("ed25519", "spki")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    """A repository with the unsigned commit of ``main``."""
    with Repo.create(tmp_path / "repo", RepoMode.ARCHIVE) as made:
        tree = MemoryTree()
        tree.add_file("/hello", b"hello\n")
        made.commit(tree, "main", timestamp=0)
        yield made


# -- keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_generated_key_comes_back_from_its_files(engine: str, tmp_path: Path) -> None:
    key = SigningKey.generate(engine)
    key.write(tmp_path / "secret")
    key.public_key.write(tmp_path / "public")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    again = SigningKey.read(tmp_path / "secret", engine)
    assert again.public_key == key.public_key
    assert key.public_key.engine == engine == key.engine
    assert SigningKey.generate(engine).public_key != key.public_key


def test_commands_take_generated_keys(repo: Repo, tmp_path: Path) -> None:
    for engine in ENGINES:
        key = SigningKey.generate(engine)
        key.write(tmp_path / f"secret.{engine}")
        key.public_key.write(tmp_path / f"public.{engine}")
        options = (f"--repo={repo.path}", f"--sign-type={engine}")
        must(ours("sign", *options, f"--keys-file={tmp_path}/secret.{engine}", "main"))
        said = must(
            ours("sign", "--verify", *options, f"--keys-file={tmp_path}/public.{engine}", "main")
        )
        assert said.startswith(f"{engine}: Signature verified successfully with key '")
        assert must(ours("sign", "--verify", *options, "main", key.public_key.text)) == said


@pytest.mark.parametrize("engine", ENGINES)
def test_command_generates_keys_without_a_repository(
    engine: str, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--generate-key=secret", *(() if engine == "ed25519" else ("-s", engine)))
    public = must(ours("sign", *options))
    assert Path("secret").stat().st_mode & 0o777 == 0o600
    key = SigningKey.read("secret", engine)
    assert key.public_key == PublicKey(public, engine)
    repo.signatures.sign("main", [key])
    assert repo.signatures.verify_with("main", [PublicKey(public, engine)]).engine == engine
    failed = ours("sign", *options)
    assert (failed.status, failed.err) == (1, "error: Writing secret: File exists\n")
    assert SigningKey.read("secret", engine).public_key.text == public


@pytest.mark.parametrize(
    "word", ["main", "", "-d", "--verify", "--keys-file=other", "--keys-dir=/etc", "--keys-dir="]
)
def test_command_generates_or_signs(word: str, tmp_path: Path) -> None:
    failed = ours("sign", f"--generate-key={tmp_path}/secret", word)
    assert failed.status == 1
    message = "--generate-key takes no COMMIT and no option but --sign-type"
    assert failed.err.endswith(f"error: {message}\n")
    assert list(tmp_path.iterdir()) == []


def test_openssl_reads_generated_spki_keys(tmp_path: Path) -> None:
    key = SigningKey.generate("spki")
    key.write(tmp_path / "secret")
    key.public_key.write(tmp_path / "public")
    command = ["openssl", "pkey", "-in", str(tmp_path / "secret"), "-pubout"]
    found = subprocess.run(command, check=True, capture_output=True).stdout
    assert found == (tmp_path / "public").read_bytes()


@pytest.mark.parametrize("kind", sorted(set(SPKI_KINDS) - {"rsa4096"}))
def test_public_half_of_any_kind_of_key_is_found(kind: str) -> None:
    pair = spki_pair(kind)
    assert SigningKey(pair.secret, "spki").public_key == PublicKey(pair.public, "spki")
    assert SigningKey(ed25519_pair().secret).public_key == PublicKey(ed25519_pair().public)


@pytest.mark.parametrize("is_secret", [True, False])
def test_no_file_is_ever_replaced_by_a_key(tmp_path: Path, *, is_secret: bool) -> None:
    path = tmp_path / "key"
    path.write_text("precious")
    key = SigningKey.generate()
    with pytest.raises(FileExistsError):
        key.write(path) if is_secret else key.public_key.write(path)
    assert path.read_text() == "precious"


def test_secret_is_not_printed() -> None:
    key = SigningKey(ed25519_pair().secret)
    assert repr(key) == str(key) == "<SigningKey of ed25519>"


@pytest.mark.parametrize("text", ["", "short", "x" * 1000, "ü", "\0", "\ud800"])
def test_what_is_no_key_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="ed25519 secret key"):
        SigningKey(text)
    with pytest.raises(FormatError, match="ed25519 public key"):
        PublicKey(text).write(tmp_path / "key")
    unsound = SigningKey(text, "spki")
    with pytest.raises(FormatError, match="spki key"):
        unsound.write(tmp_path / "key")
    with pytest.raises(FormatError, match="spki key"):
        unsound.public_key  # noqa: B018
    assert not (tmp_path / "key").exists()


def test_engines_that_have_no_secrets_are_refused(tmp_path: Path) -> None:
    for make in (SigningKey.generate, lambda engine: SigningKey("x", engine)):
        for engine in ("dummy", "gpg", "", "../ed25519"):
            with pytest.raises(UnsupportedError):
                make(engine)
    (tmp_path / "empty").write_text("")
    with pytest.raises(FormatError, match="no valid keys in file"):
        SigningKey.read(tmp_path / "empty")
    with pytest.raises(NotFoundError, match="is not a regular file"):
        SigningKey.read(tmp_path / "missing")


# -- signing -----------------------------------------------------------------------------------


def test_commit_and_summary_are_signed_by_all_keys(repo: Repo, keys: GpgHome) -> None:
    own = SigningKey.generate()
    other = SigningKey.generate("spki")
    tree = MemoryTree()
    tree.add_file("/a", b"")
    options = CommitOptions(sign_keys=(own, other), gpg_keys=KEYS[:1], gpg_home=str(keys.path))
    repo.commit(tree, "signed", options)
    for key in (own, other):
        assert repo.signatures.verify_with("signed", [key.public_key]).engine == key.engine
    repo.update_summary(sign_keys=[own, other])
    engines = {"ostree.sign.ed25519", "ostree.sign.spki"}
    assert repo.detached_metadata("signed").keys() == engines | {"ostree.gpgsigs"}
    with Repo.create(repo.path + "-client", RepoMode.ARCHIVE) as client:
        demand = {"sign-verify-summary": "ed25519"}
        public = [own.public_key]
        client.remotes.add(
            "origin", f"file://{repo.path}", gpg_verify=False, sign_verify=public, settings=demand
        )
        assert client.remotes.fetch_summary("origin").find("signed") is not None
        repo.update_summary(sign_keys=[other])
        with pytest.raises(VerificationError, match="No signatures found"):
            client.remotes.fetch_summary("origin")


def test_signing_adds_and_deleting_removes(repo: Repo) -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    repo.set_detached_metadata("main", {"note": "kept"})
    repo.signatures.sign("main", [first, second, first])
    assert len(repo.detached_metadata("main")["ostree.sign.ed25519"].value) == 3
    found = repo.signatures.verify_with("main", [second.public_key])
    assert (found.state, found.key) == (SignatureState.GOOD, second.public_key.text)
    assert repo.signatures.delete("main", [first.public_key]) == 2
    with pytest.raises(VerificationError, match="couldn't be verified"):
        repo.signatures.verify_with("main", [first.public_key])
    repo.signatures.verify_with("main", [first.public_key, second.public_key])
    assert repo.signatures.delete("main", [second.public_key]) == 1
    assert repo.detached_metadata("main").keys() == {"note"}
    assert repo.signatures.delete("main", [second.public_key]) == 0


def test_all_that_is_wrong_is_told(repo: Repo, keys: GpgHome) -> None:
    key, other = SigningKey.generate(), SigningKey.generate("spki")
    trusted = [key.public_key, other.public_key]
    with pytest.raises(VerificationError) as failed:
        repo.signatures.verify_with("main", trusted, gpg_keys=keys.armored(0).read_bytes())
    assert str(failed.value).split("; ") == [
        "ed25519: commit have no signatures of my type",
        "spki: commit have no signatures of my type",
        "GPG verification enabled, but no signatures found "
        "(use gpg-verify=false in remote config to disable)",
    ]


def test_failure_of_one_key_adds_no_signature(repo: Repo, keys: GpgHome) -> None:
    with pytest.raises(NotFoundError, match="No gpg key found"):
        repo.signatures.sign(
            "main", [SigningKey.generate()], gpg_keys=["nosuchkey"], gpg_home=keys.path
        )
    assert repo.detached_metadata("main") == {}


def test_signatures_made_at_once_are_all_kept(repo: Repo, keys: GpgHome) -> None:
    own = [SigningKey.generate() for _ in range(6)]

    def sign(number: int) -> None:
        with Repo.open(repo.path) as opened:
            if number < len(own):
                opened.signatures.sign("main", [own[number]])
            else:
                opened.signatures.sign("main", gpg_keys=[KEYS[0]], gpg_home=keys.path)

    with ThreadPoolExecutor(len(own) + 1) as pool:
        list(pool.map(sign, range(len(own) + 1)))
    for key in own:
        repo.signatures.verify_with("main", [key.public_key])
    repo.signatures.verify_with("main", gpg_keys=keys.armored(0).read_bytes())


def test_openpgp_signatures_are_told_in_detail(repo: Repo, keys: GpgHome) -> None:
    repo.signatures.sign("main", gpg_keys=KEYS[:2], gpg_home=keys.path)
    public = keys.armored(1).read_bytes()
    found = repo.signatures.verify_with("main", gpg_keys=public)
    assert (found.engine, found.state, found.signer) == ("gpg", SignatureState.GOOD, USERS[1])
    assert found.timestamp > 1_700_000_000
    assert found.expires == 0
    assert found.text.splitlines()[1] == f'Good signature from "{USERS[1]}"'
    repo.remotes.add("origin", "http://example.com", gpg_keys=keys.armored(0).read_bytes())
    first, second = repo.signatures.verify("main", "origin")
    assert (first.key, first.state) == (FINGERPRINT, SignatureState.GOOD)
    assert (second.state, second.signer) == (SignatureState.KEY_MISSING, "")
    with pytest.raises(ConflictError, match="already signed"):
        repo.signatures.sign("main", gpg_keys=KEYS[:1], gpg_home=keys.trusted)
    assert repo.signatures.delete("main", gpg_keys=KEYS[:2]) == 1  # the other is not trusted


def configuration(repo: Repo) -> str:
    return Path(repo.path, "config").read_text()


# -- verifying ---------------------------------------------------------------------------------


def test_remote_with_two_engines_is_content_with_one(repo: Repo) -> None:
    own, other = SigningKey.generate(), SigningKey.generate("spki")
    remote = repo.remotes.add(
        "origin",
        "http://example.com",
        gpg_verify=False,
        sign_verify=[own.public_key, other.public_key],
    )
    assert (remote.sign_verify, remote.sign_verify_summary, remote.gpg_verify) == (
        True, False, False,
    )  # fmt: skip
    with pytest.raises(VerificationError, match="without detached metadata"):
        repo.signatures.verify("main", "origin")
    repo.signatures.sign("main", [SigningKey.generate()])
    with pytest.raises(VerificationError, match="Can't verify commit: ed25519: "):
        repo.signatures.verify("main", "origin")
    repo.signatures.sign("main", [other])
    (found,) = repo.signatures.verify("main", "origin")
    assert (found.engine, found.key) == ("spki", other.public_key.text)
    assert repo.remotes.list_keys("origin") == (own.public_key, other.public_key)
    assert "\nsign-verify=ed25519;spki\n" in configuration(repo)


def test_key_that_is_in_the_file_too_is_one_key(repo: Repo, tmp_path: Path) -> None:
    key, other = (SigningKey.generate().public_key for _ in range(2))
    path = tmp_path / "keys"
    path.write_text(f"{other.text}\n{key.text}\n")
    repo.remotes.add("origin", "http://a", sign_verify=[key, PublicKeyFile(path)])
    assert "\nsign-verify=ed25519\n" in configuration(repo)
    assert sorted(repo.remotes.list_keys("origin")) == sorted([key, other])


def test_keys_win_over_what_settings_say(repo: Repo) -> None:
    key = SigningKey.generate().public_key
    settings = {"sign-verify": "false", "verification-ed25519-key": "none"}
    assert repo.remotes.add("origin", "http://a", sign_verify=[key], settings=settings).sign_verify
    assert repo.remotes.list_keys("origin") == (key,)


def test_remote_that_demands_openpgp_too_needs_both(repo: Repo, keys: GpgHome) -> None:
    own = SigningKey.generate()
    openpgp = keys.armored(0).read_bytes()
    url = "http://example.com"
    repo.remotes.add("origin", url, gpg_keys=openpgp, sign_verify=[own.public_key])
    repo.signatures.sign("main", [own])
    with pytest.raises(VerificationError, match="no signatures found"):
        repo.signatures.verify("main", "origin")
    repo.signatures.sign("main", gpg_keys=KEYS[:1], gpg_home=keys.path)
    engines = [found.engine for found in repo.signatures.verify("main", "origin")]
    assert engines == ["gpg", "ed25519"]
    first, second = repo.remotes.list_keys("origin")
    assert isinstance(first, GpgPublicKey)
    assert (first.fingerprint, first.user_ids, first.is_revoked) == (FINGERPRINT, USERS[:1], False)
    assert second == own.public_key


def test_file_of_keys_is_found_from_anywhere(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = SigningKey.generate()
    repo.signatures.sign("main", [own])
    own.public_key.write(tmp_path / "trusted")
    monkeypatch.chdir(tmp_path)
    file = PublicKeyFile("trusted")
    repo.remotes.add("origin", "http://a", gpg_verify=False, sign_verify=[file])
    monkeypatch.chdir("/")
    assert repo.signatures.verify("main", "origin")[0].key == own.public_key.text
    with pytest.raises(NotFoundError, match="is not a regular file"):
        repo.signatures.verify_with("main", [file])
    (tmp_path / "trusted").unlink()
    with pytest.raises(ConfigError, match="Failed loading 'ed25519' keys"):
        repo.signatures.verify("main", "origin")
    with pytest.raises(ConfigError, match="Failed loading 'ed25519' keys"):
        repo.remotes.list_keys("origin")


def test_remote_without_demands_verifies_nothing(repo: Repo) -> None:
    repo.signatures.sign("main", [SigningKey.generate()])
    repo.remotes.add("origin", "http://a", gpg_verify=False)
    with pytest.raises(VerificationError, match="Cannot verify commit for remote origin"):
        repo.signatures.verify("main", "origin")
    for name in ("nosuch", f"file://{repo.path}"):
        with pytest.raises((RemoteNotFoundError, VerificationError)):
            repo.signatures.verify("main", name)
    with pytest.raises(RemoteNotFoundError):
        repo.remotes.list_keys("nosuch")
    with pytest.raises(ValueError, match="with keys"):
        repo.signatures.verify_with("main")


def test_keys_that_would_not_count_are_refused_and_nothing_is_configured(repo: Repo) -> None:
    first, second = (SigningKey.generate().public_key for _ in range(2))
    with pytest.raises(ConflictError, match="one key and one file"):
        repo.remotes.add("origin", "http://a", sign_verify=[first, second])
    unsound = [
        PublicKey("nonsense"),
        PublicKey(""),
        PublicKey("AAAA", "spki"),
        PublicKey("", "spki"),
    ]
    for bad in unsound:
        with pytest.raises(FormatError, match=r"Invalid ed25519 public key|spki key"):
            repo.remotes.add("origin", "http://a", sign_verify=[bad])
        with pytest.raises(FormatError, match=r"Invalid ed25519 public key|spki key"):
            bad.write(f"{repo.path}/key")
    with pytest.raises(NotFoundError, match="Unable to export keys"):
        repo.remotes.add("origin", "http://a", gpg_keys=b"nonsense", sign_verify=[first])
    with pytest.raises(UnsupportedError):
        repo.remotes.add("origin", "http://a", sign_verify=[first._replace(engine="rot13")])
    assert repo.remotes.names() == []


def test_commit_in_the_place_of_another_has_no_signature(repo: Repo) -> None:
    key = SigningKey.generate()
    tree = MemoryTree()
    tree.add_file("/evil", b"")
    good = repo.resolve("main")
    evil = repo.commit(tree, "evil").checksum
    repo.signatures.sign("main", [key])
    objects = Path(repo.path, "objects")
    for kind in ("commit", "commitmeta"):
        data = (objects / str(good)[:2] / f"{str(good)[2:]}.{kind}").read_bytes()
        path = objects / str(evil)[:2] / f"{str(evil)[2:]}.{kind}"
        path.unlink(missing_ok=True)
        path.write_bytes(data)
    repo.remotes.add("origin", "http://a", gpg_verify=False, sign_verify=[key.public_key])
    repo.signatures.verify(good, "origin")
    with pytest.raises(ChecksumMismatchError):
        repo.signatures.verify(evil, "origin")
    with pytest.raises(ChecksumMismatchError):
        repo.signatures.verify_with(evil, [key.public_key])
    with pytest.raises(ChecksumMismatchError):
        repo.signatures.sign(evil, [key])
