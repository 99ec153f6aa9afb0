"""Signatures of static deltas that are missing, wrong, replayed or hostile: nothing is used."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fault.scripted_server import ScriptedServer, scripted_server
from pyostree.delta import superblock_file
from pyostree.delta.offline import apply_offline
from pyostree.delta.signatures import DeltaKeys
from pyostree.errors import OstreeError, describe
from pyostree.formats.delta_signed import SignedSuperblock, encode_signed, split_signed
from pyostree.formats.gvariant import Value, Variant, encode
from pyostree.formats.superblock_layout import Buffer
from pyostree.fs.dir import Dir
from pyostree.fs.tempfile import TempFile
from pyostree.repo.repo import Repo
from repo_lab import (
    Result,
    check_both,
    commit,
    copy_tree,
    link_tree,
    make_repo,
    must,
    object_names,
    ours,
    refs_of,
    write_files,
)
from sign_lab import KeyPair, ed25519_pair, sign_with, spki_pair

PAIR, STRANGER, SPKI = ed25519_pair(), ed25519_pair(1), spki_pair("ed25519", 2)
KEY = "ostree.sign.ed25519"
MAGIC = int.from_bytes(b"OSTSGNDT", "little")


class Published(NamedTuple):
    """Commits `old` and `new`, signed; `delta` leads from one to the other, `scratch` to `old`.

    Both superblocks are without signatures; the first part is `part`.
    """

    repo: Path
    client: Path
    old: str
    new: str
    delta: bytes
    scratch: bytes
    part: bytes


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    base = tmp_path_factory.mktemp("published")
    tree = write_files(base / "tree", {"a": "one\n", "b": "same\n"})
    repo = make_repo(base / "repo")
    words = (f"--tree=dir={tree}", "--owner-uid=0", "--owner-gid=0")
    old = commit(repo, "-b", "main", *words)
    write_files(tree, {"a": "two\n", "c": "new\n"})
    new = commit(repo, "-b", "main", f"--parent={old}", *words)
    for checksum in (old, new):
        sign_with(repo, checksum, PAIR)
    client = make_repo(base / "client", "bare-user")
    must(ours("pull-local", f"--repo={client}", repo, old))
    must(ours("refs", f"--repo={client}", "--create=origin:main", old))
    found = []
    for name, delta in (("delta", ("main",)), ("scratch", ("--empty", "main^"))):
        out = base / name
        out.mkdir()
        generate(repo, *delta, f"--filename={out}/superblock")
        found.append((out / "superblock").read_bytes())
    part = (base / "delta/0").read_bytes()
    return Published(repo, client, old, new, found[0], found[1], part)


def generate(repo: Path, *words: str) -> None:
    must(ours("static-delta", "generate", f"--repo={repo}", *words))


def signed_by(pair: KeyPair, data: bytes) -> bytes:
    """Return a superblock with the signature of a pair."""
    return encode_signed(data, f"ostree.sign.{pair.engine}", [signature_by(pair, data)])


def signature_by(pair: KeyPair, data: bytes) -> bytes:
    from pyostree.sign.engine import find_engine

    return find_engine(pair.engine).parse_secret_key(pair.secret).sign(data)


def with_signatures(data: bytes, *pairs: tuple[str, Variant]) -> bytes:
    return encode("(taya{sv})", (MAGIC, data, pairs))


# -- offline -----------------------------------------------------------------------------


class Offline:
    """A client, and a directory with a delta for it."""

    def __init__(self, published: Published, base: Path) -> None:
        self.repo = base / "client"
        link_tree(published.client, self.repo)
        self.delta = base / "delta"
        self.delta.mkdir()
        (self.delta / "0").write_bytes(published.part)
        self.new = published.new

    def put(self, superblock: bytes) -> None:
        (self.delta / "superblock").write_bytes(superblock)

    def configure(self, *lines: str) -> None:
        config = (self.repo / "config").read_text()
        (self.repo / "config").unlink()
        (self.repo / "config").write_text(config + "".join(f"{line}\n" for line in lines))

    def applies(self, *words: str | Path) -> None:
        must(ours("static-delta", "apply-offline", f"--repo={self.repo}", self.delta, *words))
        must(ours("ls", f"--repo={self.repo}", self.new))
        check_both(self.repo)

    def refuses(self, *words: str | Path) -> str:
        before = self._state()
        done = ours("static-delta", "apply-offline", f"--repo={self.repo}", self.delta, *words)
        assert done == Result(1, "", done.err)
        assert self._state() == before
        return done.err.removeprefix("error: ").rstrip("\n")

    def _state(self) -> tuple[set[str], dict[str, str], list[Path]]:
        state = sorted((self.repo / "state").iterdir())
        return object_names(self.repo), refs_of(self.repo), state


@pytest.fixture
def offline(published: Published, tmp_path: Path) -> Offline:
    return Offline(published, tmp_path)


def repeated(count: int) -> Callable[[Published], bytes]:
    return lambda it: encode_signed(it.delta, KEY, [bytes(64)] * count)


def nested(depth: int) -> Variant:
    value = Variant("s", "x")
    for _ in range(depth):
        value = Variant("v", value)
    return value


def with_deep_value(data: bytes) -> bytes:
    """Nest so many variants that no encoder would make them."""
    inner = b"x\0\0s" + b"\0v" * 10_000 + b"\0"
    spoilt = with_signatures(data, (KEY, Variant("ay", inner)))
    return spoilt.replace(inner + b"\0ay", inner + b"v\0v")


def listed(*signatures: bytes) -> Variant:
    return Variant("aay", signatures)


def of_type(kind: str, value: Value) -> Callable[[Published], bytes]:
    return lambda it: with_signatures(it.delta, (KEY, Variant(kind, value)))


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


NOT_SIGNED = "no signatures in static-delta"
NONE_OF_ENGINE = f"no signature for '{KEY}' in static-delta superblock"
NOT_BY = "ed25519: Signature couldn't be verified with: key '"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda it: it.delta, NOT_SIGNED),
        (lambda it: b"", NOT_SIGNED),
        (lambda it: b"OSTSGNDT", NOT_SIGNED),
        (lambda it: signed_by(PAIR, it.delta)[:-1], NOT_SIGNED),
        (lambda it: signed_by(PAIR, it.delta)[:300], NOT_SIGNED),
        (lambda it: signed_by(PAIR, it.delta) + b"\0", NOT_SIGNED),
        (lambda it: b"X" + signed_by(PAIR, it.delta)[1:], NOT_SIGNED),
        (lambda it: with_signatures(it.delta), NOT_SIGNED),
        (lambda it: with_signatures(it.delta, ("sign.ed25519", listed(b"x"))), NOT_SIGNED),
        (lambda it: with_deep_value(it.delta), NOT_SIGNED),
        (lambda it: signed_by(SPKI, it.delta), NONE_OF_ENGINE),
        (of_type("ay", b"x"), NONE_OF_ENGINE),
        (of_type("as", ("x",)), NONE_OF_ENGINE),
        (of_type("v", listed(b"x")), NONE_OF_ENGINE),
        (of_type("a{sv}", ()), NONE_OF_ENGINE),
        (of_type("aay", ()), "ed25519: no signatures found"),
        (lambda it: signed_by(STRANGER, it.delta), NOT_BY),
        (
            lambda it: encode_signed(it.delta, KEY, [signature_by(SPKI, it.delta)]),
            NOT_BY,
        ),
        (lambda it: encode_signed(it.delta, KEY, [signature_by(PAIR, it.scratch)]), NOT_BY),
        (lambda it: signed_by(PAIR, it.scratch).replace(it.scratch, it.delta), NOT_SIGNED),
        (lambda it: flipped(signed_by(PAIR, it.delta), 8 + 0x30), NOT_BY),
        (
            lambda it: encode_signed(it.delta, KEY, [signature_by(PAIR, it.delta)[:-1]]),
            "Invalid signature: Ill-formed input: expected 64 bytes, got 63 bytes",
        ),
        (repeated(4), "ed25519: Signature couldn't be verified; tried 4 keys"),
        (repeated(900), "ed25519: Signature couldn't be verified; tried 900 keys"),
        (repeated(1_000), NOT_SIGNED),
        (
            lambda it: with_signatures(  # the first one counts, as for the reference
                it.delta, (KEY, listed(bytes(64))), (KEY, listed(signature_by(PAIR, it.delta)))
            ),
            NOT_BY,
        ),
        (
            lambda it: with_signatures(
                it.delta, *((f"ostree.sign.{n}", Variant("y", 1)) for n in range(1_000))
            ),
            NONE_OF_ENGINE,
        ),
        (
            lambda it: with_signatures(
                it.delta, *((f"ostree.sign.{n}", Variant("y", 1)) for n in range(4_000))
            ),
            NOT_SIGNED,
        ),
        # Signed well, and no superblock:
        (lambda it: signed_by(PAIR, b""), "GVariant tuple has bad framing offsets"),
        (lambda it: signed_by(PAIR, b"junk" * 50), ""),
        (lambda it: signed_by(PAIR, signed_by(PAIR, it.delta)), ""),
    ],
)
def test_refused_with_a_key(
    published: Published, offline: Offline, spoil: Callable[[Published], bytes], message: str
) -> None:
    offline.put(spoil(published))
    assert message in offline.refuses(PAIR.public)
    words = (f"--repo={offline.repo}", f"{offline.delta}/superblock", PAIR.public)
    if message.startswith((NOT_SIGNED, NONE_OF_ENGINE, "ed25519", "Invalid signature")):
        verified = ours("static-delta", "verify", *words)
        assert (verified.status, verified.out) == (1, "Verification fails\n")
        assert message in verified.err


def test_well_signed_among_others(published: Published, offline: Offline) -> None:
    other = signature_by(STRANGER, published.delta)
    data = [bytes(64), other, signature_by(PAIR, published.delta)]
    offline.put(
        with_signatures(
            published.delta,
            ("ostree.sign.spki", listed(b"x")),
            ("z", nested(20)),
            (KEY, listed(*data)),
        )
    )
    offline.applies(PAIR.public)


def test_parts_must_be_those_that_were_signed(published: Published, offline: Offline) -> None:
    offline.put(signed_by(PAIR, published.delta))
    (offline.delta / "0").write_bytes(flipped(published.part, -20))
    offline.refuses(PAIR.public)
    (offline.delta / "0").write_bytes(b"\0\0\0\0")
    assert "Checksum mismatch in static delta part" in offline.refuses(PAIR.public)
    (offline.delta / "0").write_bytes(published.part)
    offline.applies(PAIR.public)


@pytest.mark.parametrize("in_memory", [16 << 20, 0])
def test_superblock_is_read_once(
    published: Published, offline: Offline, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    """Who can change the file after it was read does not change what is verified and applied."""
    split = superblock_file.split_signed
    good, other = signed_by(PAIR, published.delta), signed_by(STRANGER, published.scratch)
    monkeypatch.setattr(superblock_file, "_MAX_IN_MEMORY_BYTES", in_memory)

    def changed_in_place(data: Buffer) -> SignedSuperblock | None:
        with (offline.delta / "superblock").open("r+b") as file:
            file.write(other[: len(good)].ljust(len(good)))
        return split(data)

    monkeypatch.setattr("pyostree.delta.signatures.split_signed", changed_in_place)
    offline.put(good)
    offline.applies(PAIR.public)
    assert (offline.delta / "superblock").read_bytes() != good
    offline.put(other)
    monkeypatch.undo()
    assert offline.refuses(PAIR.public).startswith(NOT_BY)


# -- whose signatures count --------------------------------------------------------------


def test_keys_from_everywhere(published: Published, offline: Offline, tmp_path: Path) -> None:
    offline.put(signed_by(PAIR, published.delta))
    trusted = tmp_path / "keys/trusted.ed25519.d"
    trusted.mkdir(parents=True)
    PAIR.write_public(trusted)
    file, directory = f"--keys-file={PAIR.write_public(tmp_path)}", f"--keys-dir={tmp_path}/keys"
    name = f"{offline.delta}/superblock"
    for words in (
        (PAIR.public,), (STRANGER.public, PAIR.public), (PAIR.public, STRANGER.public), (file,),
        (file, STRANGER.public), (directory,), (directory, PAIR.public),
    ):  # fmt: skip
        found = ours("static-delta", "verify", f"--repo={offline.repo}", name, *words)
        assert found == Result(0, "Verification OK\n", ""), words
    offline.applies(directory)


def test_keys_that_do_not_count(published: Published, offline: Offline, tmp_path: Path) -> None:
    offline.put(signed_by(PAIR, published.delta))
    keys = tmp_path / "keys"
    keys.mkdir()
    directory = f"--keys-dir={keys}"
    assert offline.refuses(directory) == "signature: ed25519: no keys loaded"
    assert offline.refuses(f"--keys-file={keys}").endswith("is not a regular file")
    (keys / "trusted.ed25519").write_text("")
    assert offline.refuses(directory) == "signature: ed25519: no keys loaded"
    (keys / "trusted.ed25519").write_text("\n")
    assert offline.refuses(directory) == "signature: ed25519: no keys loaded"
    (keys / "trusted.ed25519").write_text(PAIR.public_file)
    assert offline.refuses(directory, STRANGER.public).startswith(NOT_BY)  # as the reference
    (keys / "revoked.ed25519").write_text(PAIR.public_file)
    assert offline.refuses(directory) == "ed25519: no signatures found"
    (keys / "revoked.ed25519").write_text("no key\n")
    assert "Reading revoked keys from" in offline.refuses(directory)
    expected = "Invalid ed25519 public key: Ill-formed input: expected 32 bytes, got 3 bytes"
    assert offline.refuses("AAAA") == expected
    assert offline.refuses(PAIR.public, "AAAA") == expected
    nope = "Requested signature type is not implemented"
    assert offline.refuses("--sign-type=nope") == nope
    assert offline.refuses("--sign-type=nope", PAIR.public) == nope
    offline.applies(PAIR.public)


def test_keys_of_this_machine(
    published: Published, offline: Offline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature must be good where any keys are trusted; without any, it tells nothing."""
    system = tmp_path / "etc"
    system.mkdir()
    monkeypatch.setattr("pyostree.sign.trust.SYSTEM_DIRS", (str(system),))
    offline.put(signed_by(STRANGER, published.delta))
    (system / "trusted.ed25519").write_text(PAIR.public_file)
    assert offline.refuses().startswith(NOT_BY)
    (system / "trusted.ed25519").write_text("\n")
    assert offline.refuses() == "signature: ed25519: no keys loaded"
    (system / "trusted.ed25519").write_text(STRANGER.public_file)
    (system / "revoked.ed25519.d/directory").mkdir(parents=True)
    assert "Reading revoked keys from" in offline.refuses()
    shutil.rmtree(system / "revoked.ed25519.d")
    offline.configure("sign-verify-deltas=true")
    (system / "trusted.ed25519").unlink()
    assert offline.refuses() == "Key is mandatory to check delta signature"
    offline.put(published.delta)
    assert offline.refuses() == NOT_SIGNED
    (system / "trusted.ed25519").write_text(STRANGER.public_file)
    assert offline.refuses() == NOT_SIGNED
    offline.put(signed_by(STRANGER, published.delta))
    offline.applies()


@pytest.mark.parametrize("is_signed", [False, True])
def test_nobody_demands_a_signature(
    published: Published, offline: Offline, monkeypatch: pytest.MonkeyPatch, is_signed: bool
) -> None:
    monkeypatch.setattr("pyostree.sign.trust.SYSTEM_DIRS", ())
    offline.put(signed_by(PAIR, published.delta) if is_signed else published.delta)
    offline.applies()


def test_unclear_configuration(published: Published, offline: Offline) -> None:
    offline.put(published.delta)
    offline.configure("sign-verify-deltas=maybe")
    assert "“sign-verify-deltas” which has a value that cannot be" in offline.refuses()


def test_library_verifies_as_the_command(published: Published, offline: Offline) -> None:
    offline.put(published.delta)
    with Repo.open(offline.repo) as repo, pytest.raises(OstreeError) as caught:
        apply_offline(repo, str(offline.delta), DeltaKeys(keys=(PAIR.public,)))
    assert describe(caught.value) == NOT_SIGNED


def test_another_deltas_signature_under_this_name(published: Published, tmp_path: Path) -> None:
    """Well signed, but not the delta that was asked for; the reference says it is fine."""
    repo = tmp_path / "repo"
    link_tree(published.repo, repo)
    generate(repo, "main", f"--sign={PAIR.secret}")
    name = f"{published.old}-{published.new}"
    words = ("static-delta", "verify", f"--repo={repo}")
    assert must(ours(*words, name, PAIR.public)) == "Verification OK"
    (superblock,) = repo.rglob("superblock")
    superblock.write_bytes(signed_by(PAIR, published.scratch))
    found = ours(*words, name, PAIR.public)
    assert (found.status, found.out) == (1, "Verification fails\n")
    assert f"Superblock of static delta {name} is that of {published.old}" in found.err
    assert must(ours(*words, superblock, PAIR.public)) == "Verification OK"


def test_who_only_looks_leaves_nothing_in_the_repository(
    published: Published, offline: Offline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline.put(signed_by(PAIR, published.delta))
    superblock = offline.delta / "superblock"
    expected = must(ours("static-delta", "show", f"--repo={offline.repo}", superblock))
    monkeypatch.setattr(superblock_file, "_MAX_IN_MEMORY_BYTES", 0)
    monkeypatch.setattr("pyostree.fs.dir.Dir.is_writable", lambda *_: False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    made = []
    create = TempFile.__init__

    def watched(self: TempFile, directory: Dir) -> None:
        made.append(directory.label)
        create(self, directory)

    monkeypatch.setattr(TempFile, "__init__", watched)
    words = (f"--repo={offline.repo}", superblock)
    assert must(ours("static-delta", "show", *words)) == expected
    assert must(ours("static-delta", "verify", *words, PAIR.public)) == "Verification OK"
    assert len(made) == 3
    assert all(label.startswith(f"{tmp_path}/ostree-delta-") for label in made)
    assert not list(tmp_path.glob("ostree-delta-*"))


# -- signing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sign=AAAA",), "expected 64 bytes, got 3 bytes"),
        (("--sign=AAAA", "--inline"), "expected 64 bytes, got 3 bytes"),
        ((f"--sign={PAIR.secret}", "--sign=AAAA"), "expected 64 bytes, got 3 bytes"),
        (("--sign=AAAA", "--sign-type=spki"), "openssl: Failed to initialize spki key"),
        (("--sign=AAAA", "--sign-type=nope"), "Requested signature type is not implemented"),
        (("--sign=AAAA", "--sign-type=dummy"), "only for ostree testing"),
        (("--sign=AAAA", "--sign-type="), "Invalid 'sign-name' parameter"),
        (("--keys-file=/",), "File object '/' is not a regular file"),
        (("--keys-file=/dev/null",), "File object '/dev/null' is not a regular file"),
    ],
)
def test_failed_signing_publishes_nothing(
    published: Published, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    repo = tmp_path / "repo"
    link_tree(published.repo, repo)
    fails_to_sign(tmp_path, message, f"--repo={repo}", "main", *words)


def test_failed_signing_replaces_nothing(published: Published, tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    link_tree(published.repo, repo)
    (tmp_path / "out").mkdir()
    for where in ("--empty", f"--filename={tmp_path}/out/delta"):
        generate(repo, "main", where)
        for layout in ((), ("--inline",)):
            words = (f"--repo={repo}", "main", where, "--sign=AAAA", *layout)
            fails_to_sign(tmp_path, "Invalid ed25519 secret key", *words)


def fails_to_sign(place: Path, message: str, *words: str) -> None:
    def files() -> dict[str, bytes]:
        return {str(one): one.read_bytes() for one in place.rglob("*") if one.is_file()}

    before = files()
    done = ours("static-delta", "generate", *words)
    assert done.status == 1
    assert message in done.err
    assert files() == before


def test_keys_of_a_file_all_sign(published: Published, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{PAIR.secret}\n{STRANGER.secret}")
    third = ed25519_pair(3)
    out = tmp_path / "delta"
    words = (f"--sign={third.secret}", f"--keys-file={keys}", f"--filename={out}")
    generate(published.repo, "main", *words)
    found = split_signed(out.read_bytes())
    assert found is not None
    expected = [signature_by(pair, found.data) for pair in (third, PAIR, STRANGER)]
    assert found.signatures == ((KEY, listed(*expected)),)
    for pair in (third, PAIR, STRANGER):
        verify = ("static-delta", "verify", f"--repo={published.repo}", out, pair.public)
        assert must(ours(*verify)) == "Verification OK"


def test_empty_file_of_keys_is_no_way_to_an_unsigned_delta(
    published: Published, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("")
    words = (f"--keys-file={tmp_path}/keys", f"--filename={tmp_path}/delta")
    done = ours("static-delta", "generate", f"--repo={published.repo}", "main", *words)
    assert (done.status, done.out) == (1, "")
    assert not (tmp_path / "delta").exists()


def test_spki_signs_and_verifies(published: Published, offline: Offline, tmp_path: Path) -> None:
    out = offline.delta / "superblock"
    words = ("--sign-type=spki", f"--sign={SPKI.secret}", f"--filename={out}")
    generate(published.repo, "main", *words)
    file = f"--keys-file={SPKI.write_public(tmp_path)}"
    assert offline.refuses("--sign-type=spki", spki_pair("p256").public)
    assert offline.refuses(PAIR.public) == NONE_OF_ENGINE
    offline.applies("--sign-type=spki", file)


# -- in a pull ---------------------------------------------------------------------------


class Remote(NamedTuple):
    """A server with a signed delta, and a client of it that has the older commit."""

    server: ScriptedServer
    client: Path
    name: str

    def serve(self, superblock: bytes, *, is_listed: bool = True) -> None:
        """Let the server have another superblock, and say so."""
        self.superblock.write_bytes(superblock)
        must(ours("summary", "-u", f"--repo={self.server.root}"))
        if not is_listed:
            (self.server.root / "summary").unlink()
            shutil.rmtree(self.server.root / "delta-indexes")
            config = self.server.root / "config"
            config.write_text(config.read_text().replace("indexed-deltas=true", ""))

    def demand(self, *pairs: KeyPair) -> None:
        """Let the client demand a signature by one of these keys."""
        words = [f"--sign-verify={pair.engine}=inline:{pair.public}" for pair in pairs]
        must(ours("remote", "delete", f"--repo={self.client}", "origin"))
        base = ("remote", "add", f"--repo={self.client}", "--no-gpg-verify")
        must(ours(*base, *words, "origin", self.server.url))

    def take_signed_deltas_only(self, value: str = "true") -> None:
        words = ("config", f"--repo={self.client}", "set", "core.sign-verify-deltas", value)
        must(ours(*words))

    def pull(self, *words: str) -> Result:
        self.server.requests.clear()
        return ours("pull", f"--repo={self.client}", "origin", "main", *words)

    def fails(self, message: str, *words: str) -> None:
        before = object_names(self.client), refs_of(self.client)
        done = self.pull(*words)
        assert done.status == 1
        assert message in done.err
        assert (object_names(self.client), refs_of(self.client)) == before
        assert not list((self.client / "state").glob("*.commitpartial"))
        assert not self.parts_fetched

    @property
    def superblock(self) -> Path:
        (path,) = (self.server.root / "deltas").rglob("superblock")
        return path

    @property
    def unsigned(self) -> bytes:
        """The superblock without its signatures."""
        data = self.superblock.read_bytes()
        signed = split_signed(data)
        return data if signed is None else signed.data

    @property
    def parts_fetched(self) -> list[str]:
        return [path for path in self.server.requests if path.endswith("/0")]


@pytest.fixture
def remote(published: Published, tmp_path: Path) -> Iterator[Remote]:
    repo = copy_tree(published.repo, tmp_path / "repo")
    client = copy_tree(published.client, tmp_path / "client")
    generate(repo, "main")
    with scripted_server(repo) as server:
        must(ours("remote", "add", f"--repo={client}", "--no-gpg-verify", "origin", server.url))
        found = Remote(server, client, f"{published.old}-{published.new}")
        found.serve(signed_by(PAIR, found.superblock.read_bytes()))
        yield found


REQUIRED = "--require-static-deltas"


def test_signed_delta_is_pulled(published: Published, remote: Remote) -> None:
    """Where the reference takes it for garbage."""
    remote.demand(PAIR)
    said = must(remote.pull(REQUIRED))
    assert said.startswith("1 delta parts, ")
    assert remote.parts_fetched
    check_both(remote.client)
    assert must(ours("rev-parse", f"--repo={remote.client}", "origin:main")) == published.new


def test_signed_delta_where_no_keys_are_configured(remote: Remote) -> None:
    assert must(remote.pull(REQUIRED)).startswith("1 delta parts, ")


def test_dry_run_of_a_signed_delta(remote: Remote) -> None:
    remote.demand(PAIR)
    assert must(remote.pull(REQUIRED, "--dry-run")).startswith("Delta update: 0/1 parts")
    remote.serve(signed_by(STRANGER, remote.unsigned))
    remote.fails(NOT_BY, REQUIRED, "--dry-run")


@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda it, own: signed_by(STRANGER, own), NOT_BY),
        (lambda it, own: signed_by(SPKI, own), "No signatures found"),
        (lambda it, own: encode_signed(own, KEY, [signature_by(PAIR, it.scratch)]), NOT_BY),
        (lambda it, own: encode_signed(own, KEY, []), "ed25519: no signatures found"),
        (lambda it, own: signed_by(PAIR, it.scratch), "Superblock of static delta"),
        (lambda it, own: signed_by(PAIR, signed_by(PAIR, own)), ""),
        (lambda it, own: signed_by(PAIR, own)[:-1], ""),
        (lambda it, own: signed_by(PAIR, b""), ""),
    ],
)
def test_badly_signed_delta_ends_a_pull(
    published: Published,
    remote: Remote,
    spoil: Callable[[Published, bytes], bytes],
    message: str,
    is_listed: bool,
) -> None:
    remote.demand(PAIR)
    own = remote.unsigned
    remote.serve(spoil(published, own), is_listed=is_listed)
    remote.fails(message)
    remote.serve(signed_by(PAIR, own))
    must(remote.pull())


def test_other_superblock_than_the_listed_one(remote: Remote) -> None:
    remote.demand(PAIR)
    remote.superblock.write_bytes(remote.unsigned)
    remote.fails(f"Invalid checksum for static delta {remote.name}")


def test_signed_delta_does_not_vouch_for_its_commit(published: Published, remote: Remote) -> None:
    remote.demand(PAIR)
    bare = remote.unsigned
    assert bare.count(b"commitmeta") == 1
    remote.serve(signed_by(PAIR, bare.replace(b"commitmeta", b"commitnone")))
    remote.fails("Can't verify commit without detached metadata")


@pytest.mark.parametrize("is_signed", [True, False])
def test_only_signed_deltas_are_taken(
    published: Published, remote: Remote, is_signed: bool
) -> None:
    """Others are left alone: the objects are fetched and verified one by one."""
    remote.take_signed_deltas_only()
    if not is_signed:
        remote.demand(PAIR)
        remote.serve(remote.unsigned)
    remote.fails("Static deltas required, but none with a good signature found for main", REQUIRED)
    assert "0 delta parts" not in must(remote.pull())
    assert not remote.parts_fetched
    assert must(ours("rev-parse", f"--repo={remote.client}", "origin:main")) == published.new
    check_both(remote.client)


def test_only_signed_deltas_are_taken_and_there_is_one(remote: Remote) -> None:
    remote.take_signed_deltas_only()
    remote.demand(PAIR)
    assert must(remote.pull()).startswith("1 delta parts, ")


def test_unclear_configuration_ends_a_pull(remote: Remote) -> None:
    remote.take_signed_deltas_only("maybe")
    remote.fails("“sign-verify-deltas” which has a value that cannot be")
