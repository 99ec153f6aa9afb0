"""``ostree sign`` and ``commit --sign``: where keys come from, and in which order they count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyostree.sign import trust
from repo_lab import Result, must, ours, write_files
from sign_lab import KeyPair, ed25519_pair, make_pair, make_signed_repo, spki_pair

ENGINES = ("ed25519", "spki")
NONE_VALID = "No valid signatures found"


class Place:
    """A repository with an unsigned commit, and files around it."""

    def __init__(self, path: Path, engine: str) -> None:
        self.path = path
        self.engine = engine
        self.repo = path / "repo"
        self.checksum = make_signed_repo(self.repo)
        self.pairs = tuple(make_pair(engine, number) for number in range(3))
        self.file = path / "keys"

    def sign(self, *words: str) -> Result:
        return ours("sign", f"--repo={self.repo}", f"--sign-type={self.engine}", "main", *words)

    def verify(self, *words: str) -> Result:
        return self.sign("--verify", *words)

    def write(self, *texts: str) -> str:
        """Write the file of keys; return the option that names it."""
        self.file.write_text("".join(texts))
        return f"--keys-file={self.file}"

    def count(self) -> int:
        """Return how many signatures the commit has."""
        key = f"--print-detached-metadata-key=ostree.sign.{self.engine}"
        shown = ours("show", f"--repo={self.repo}", key, "main")
        return 0 if shown.status else shown.out.count("[") - 1


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, request.param)


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of the machine that runs the tests counts."""
    monkeypatch.setattr(trust, "SYSTEM_DIRS", (str(tmp_path / "etc"), str(tmp_path / "share")))


def failed(result: Result) -> str:
    """Return the message of a command that had to fail without printing anything else."""
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("error: ")
    return result.err.removeprefix("error: ").removesuffix("\n")


# -- signing -----------------------------------------------------------------------------------


def test_sign_is_silent_and_verify_names_the_key(place: Place) -> None:
    first = place.pairs[0]
    assert place.sign(first.secret) == Result(0, "", "")
    assert place.verify(first.public) == Result(0, f"{first.said}\n", "")


def test_each_key_adds_a_signature_even_twice(place: Place) -> None:
    first, second, third = place.pairs
    must(place.sign(first.secret, first.secret, second.secret))
    assert place.count() == 3
    must(place.sign(third.secret))
    assert place.count() == 4
    for pair in place.pairs:
        assert must(place.verify(pair.public)) == pair.said


def test_arguments_sign_before_the_file(place: Place) -> None:
    first, second, third = place.pairs
    option = place.write(second.secret_file, third.secret_file)
    must(place.sign(option, first.secret))
    assert place.count() == 3
    must(place.sign(option))
    assert place.count() == 5


def test_delete_is_ignored(place: Place) -> None:
    first = place.pairs[0]
    must(place.sign("--delete", first.secret))
    must(place.sign("-d", first.secret))
    assert place.count() == 2
    assert must(place.verify("--delete", first.public)) == first.said
    assert place.count() == 2


@pytest.mark.parametrize("bad", ["AAAA", "", "!!!!"])
def test_bad_key_is_an_error_and_signatures_before_it_stay(place: Place, bad: str) -> None:
    result = place.sign(place.pairs[0].secret, bad, place.pairs[1].secret)
    if place.engine == "spki":
        expected = "Not able to sign the cobject: openssl: Failed to initialize spki key"
    else:
        size = 3 if bad == "AAAA" else 0
        expected = (
            f"Invalid ed25519 secret key: Ill-formed input: expected 64 bytes, got {size} bytes"
        )
    assert failed(result) == expected
    assert place.count() == 1


FAULTS = {
    "ed25519": ("\n", "Invalid base64 blob format"),
    "spki": ("-----BEGIN EC PRIVATE KEY-----\n", 'Unexpected label "EC PRIVATE KEY"'),
}


def test_fault_in_file_matters_only_before_the_first_signature(place: Place) -> None:
    fault, message = FAULTS[place.engine]
    first, second, _ = place.pairs
    assert failed(place.sign(place.write(fault, first.secret_file))) == message
    assert place.count() == 0
    option = place.write(first.secret_file, fault, second.secret_file)
    assert place.sign(option) == Result(0, "", "")
    assert place.count() == 1
    assert place.sign(place.write(fault), second.secret) == Result(0, "", "")
    assert place.count() == 2


def test_file_without_keys_signs_nothing(place: Place) -> None:
    assert failed(place.sign(place.write(""))) == NONE_VALID
    assert place.count() == 0
    must(place.sign(place.write(""), place.pairs[0].secret))
    assert place.count() == 1


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe"])
def test_what_is_no_file_is_refused(place: Place, kind: str) -> None:
    if kind == "directory":
        place.file.mkdir()
    if kind == "pipe":
        os.mkfifo(place.file)
    option = f"--keys-file={place.file}"
    expected = f"File object '{place.file}' is not a regular file"
    assert failed(place.sign(option)) == expected
    assert failed(place.sign(option, place.pairs[0].secret)) == expected
    assert failed(place.verify(option)) == expected
    assert place.count() == 1


def test_signing_changes_nothing_but_detached_metadata(place: Place) -> None:
    def files() -> dict[str, bytes]:
        found = [path for path in place.repo.rglob("*") if path.is_file()]
        return {str(path.relative_to(place.repo)): path.read_bytes() for path in found}

    before = files()
    must(place.sign(place.pairs[0].secret))
    after = files()
    (changed,) = [name for name in after if after[name] != before.get(name)]
    assert changed == f"objects/{place.checksum[:2]}/{place.checksum[2:]}.commitmeta"
    assert set(after) - set(before) == {changed}


# -- verifying ---------------------------------------------------------------------------------


def test_first_key_that_fits_is_named(place: Place) -> None:
    first, second, third = place.pairs
    must(place.sign(first.secret, second.secret))
    assert must(place.verify(third.public, second.public, first.public)) == second.said
    assert must(place.verify("AAAA", "", first.public)) == first.said


def test_keys_that_do_not_fit_are_not_explained(place: Place) -> None:
    first, second, _ = place.pairs
    assert failed(place.verify(first.public)) == NONE_VALID  # unsigned
    must(place.sign(first.secret))
    for keys in ((second.public,), ("AAAA",), ("",), (second.public, "AAAA")):
        assert failed(place.verify(*keys)) == NONE_VALID


def test_keys_and_no_file_do_not_ask_the_directories(place: Place, tmp_path: Path) -> None:
    first, second, _ = place.pairs
    must(place.sign(first.secret))
    trust_in(tmp_path / "etc", first)
    trust_in(tmp_path / "given", first)
    assert must(place.verify()) == first.said
    for words in ((second.public,), (second.public, f"--keys-dir={tmp_path / 'given'}"), ("",)):
        assert failed(place.verify(*words)) == NONE_VALID


def trust_in(directory: Path, *pairs: KeyPair, kind: str = "trusted") -> None:
    """Write a file of keys into a directory of keys."""
    content = "".join(pair.public_file for pair in pairs)
    write_files(directory, {f"{kind}.{pairs[0].engine}.d/some": content})


def test_file_of_keys_counts_beside_keys(place: Place) -> None:
    first, second, third = place.pairs
    must(place.sign(first.secret))
    option = place.write(second.public_file, first.public_file)
    assert must(place.verify(option)) == first.said
    assert must(place.verify(option, third.public)) == first.said
    assert must(place.verify(place.write(second.public_file), first.public)) == first.said


def test_failure_with_file_names_the_last_key_too(place: Place) -> None:
    first, second, third = place.pairs
    must(place.sign(first.secret))
    option = place.write(second.public_file)
    couldnt = f"{place.engine}: Signature couldn't be verified with: "
    keys = [f"key '{pair.public_bytes.hex()}'" for pair in (second, third)]
    assert failed(place.verify(option)) == couldnt + keys[0]
    assert failed(place.verify(option, third.public)) == couldnt + "; ".join(keys)
    many = place.write(*[make_pair(place.engine, number).public_file for number in range(1, 5)])
    assert failed(place.verify(many)) == (
        f"{place.engine}: Signature couldn't be verified; tried 4 keys"
    )


def test_directory_of_keys_counts_with_its_revoked_ones(place: Place, tmp_path: Path) -> None:
    first, second, _ = place.pairs
    given = tmp_path / "given"
    option = f"--keys-dir={given}"
    must(place.sign(first.secret))
    assert failed(place.verify(option)) == f"signature: {place.engine}: no keys loaded"
    trust_in(given, second)
    assert "couldn't be verified with: key" in failed(place.verify(option))
    trust_in(given, second, first)
    assert must(place.verify(option)) == first.said
    trust_in(given, first, kind="revoked")
    assert failed(place.verify(option)).endswith(f"key '{second.public_bytes.hex()}'")
    trust_in(given, second, first, kind="revoked")
    assert failed(place.verify(option)) == f"{place.engine}: no signatures found"
    # A key that is named, or in a file that is named, is trusted whatever is revoked elsewhere.
    assert must(place.verify(option, first.public)) == first.said
    assert must(place.verify(option, place.write(first.public_file))) == first.said


def test_without_any_key_those_of_the_machine_count(place: Place, tmp_path: Path) -> None:
    first, second, _ = place.pairs
    must(place.sign(first.secret))
    assert failed(place.verify()) == f"signature: {place.engine}: no keys loaded"
    trust_in(tmp_path / "share", first)
    assert must(place.verify()) == first.said
    trust_in(tmp_path / "etc", first, kind="revoked")
    assert failed(place.verify()) == f"{place.engine}: no signatures found"
    trust_in(tmp_path / "etc", second)
    assert failed(place.verify()).endswith(f"key '{second.public_bytes.hex()}'")


def test_unsigned_commit_is_told_from_keys_in_files(place: Place) -> None:
    option = place.write(place.pairs[0].public_file)
    expected = f"{place.engine}: commit have no signatures of my type"
    assert failed(place.verify(option)) == expected


def test_replayed_signature_is_refused(place: Place, tmp_path: Path) -> None:
    """Detached metadata of one commit put beside another."""
    first = place.pairs[0]
    must(place.sign(first.secret))
    other = must(ours("commit", f"--repo={place.repo}", "--branch=other", tmp_path / "repo-tree"))
    objects = place.repo / "objects"
    source = objects / place.checksum[:2] / f"{place.checksum[2:]}.commitmeta"
    (objects / other[:2] / f"{other[2:]}.commitmeta").write_bytes(source.read_bytes())
    words = [f"--repo={place.repo}", f"--sign-type={place.engine}", "--verify", "other"]
    assert failed(ours("sign", *words, first.public)) == NONE_VALID
    assert "couldn't be verified" in failed(ours("sign", *words, place.write(first.public_file)))


def test_another_commit_in_its_place_is_neither_verified_nor_signed(
    place: Place, tmp_path: Path
) -> None:
    """A good signature of one commit does not vouch for another, nor is its name put under one."""
    first = place.pairs[0]
    must(place.sign(first.secret))
    must(place.verify(first.public))
    evil = must(ours("commit", f"--repo={place.repo}", "--branch=evil", tmp_path / "repo-tree"))
    objects = place.repo / "objects"
    for kind in ("commit", "commitmeta"):
        target = objects / evil[:2] / f"{evil[2:]}.{kind}"
        target.unlink(missing_ok=True)
        source = objects / place.checksum[:2] / f"{place.checksum[2:]}.{kind}"
        target.write_bytes(source.read_bytes())
    signed = target.read_bytes()
    words = ["sign", f"--repo={place.repo}", f"--sign-type={place.engine}", "evil"]
    corrupt = f"Corrupted commit object; checksum expected='{evil}' actual='{place.checksum}'"
    assert failed(ours(*words, "--verify", first.public)) == NONE_VALID
    assert failed(ours(*words, "--verify", place.write(first.public_file))) == corrupt
    assert failed(ours(*words, first.secret)) == f"Failed to read commit: {corrupt}"
    assert target.read_bytes() == signed


@pytest.mark.parametrize("data", [b"", b"borkborkbork\n", b"\xff" * 64])
def test_damaged_detached_metadata_signs_nothing(place: Place, data: bytes) -> None:
    first = place.pairs[0]
    must(place.sign(first.secret))
    path = place.repo / "objects" / place.checksum[:2] / f"{place.checksum[2:]}.commitmeta"
    path.write_bytes(data)
    assert failed(place.verify(first.public)) == NONE_VALID
    none = f"{place.engine}: commit have no signatures of my type"
    assert failed(place.verify(place.write(first.public_file))) == none
    if data:  # nor is what may be left of it thrown away
        assert failed(place.sign(first.secret)).startswith("Failed to read detached metadata: ")
        assert path.read_bytes() == data


# -- commit ------------------------------------------------------------------------------------


def commit(place: Place, *words: str) -> Result:
    where = [f"--repo={place.repo}", "--branch=new", f"--sign-type={place.engine}"]
    return ours("commit", *where, *words, place.path / "repo-tree")


def test_commit_signs_with_arguments_and_first_keys_of_files(place: Place) -> None:
    first, second, third = place.pairs
    place.write(second.secret_file, third.secret_file)
    must(commit(place, f"--sign-from-file={place.file}", f"--sign={first.secret}"))
    where = [f"--repo={place.repo}", f"--sign-type={place.engine}", "--verify", "new"]
    assert must(ours("sign", *where, first.public)) == first.said
    assert must(ours("sign", *where, second.public)) == second.said
    assert failed(ours("sign", *where, third.public)) == NONE_VALID


def test_commit_that_cannot_be_signed_is_not_made(place: Place) -> None:
    fault, message = FAULTS[place.engine]
    good = f"--sign={place.pairs[0].secret}"
    file = f"--sign-from-file={place.file}"
    before = sorted((place.repo / "objects").rglob("*.commit*"))
    place.write(fault)
    assert failed(commit(place, good, file)) == f"Reading {place.file}{message}"
    place.write("")
    nothing = f"signature: {place.engine}: no valid keys in file '{place.file}'"
    assert failed(commit(place, good, file)) == nothing
    place.file.unlink()
    missing = f"Error opening file {place.file}: No such file or directory"
    assert failed(commit(place, good, file)) == missing
    assert failed(commit(place, good, "--sign=AAAA"))
    assert failed(commit(place, good, "--gpg-sign=0123456789ABCDEF", f"--gpg-homedir={place.path}"))
    assert not (place.repo / "refs/heads/new").exists()
    assert sorted((place.repo / "objects").rglob("*.commit*")) == before


def test_secret_key_may_come_through_a_pipe(place: Place) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as secret:
        secret.write(place.pairs[0].secret_file)
        secret.close()
        must(commit(place, f"--sign-from-file=/dev/fd/{reading}"))
    where = [f"--repo={place.repo}", f"--sign-type={place.engine}", "--verify", "new"]
    must(ours("sign", *where, place.pairs[0].public))


# -- several engines ---------------------------------------------------------------------------


def test_engines_do_not_see_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTREE_DUMMY_SIGN_ENABLED", "1")
    pairs = (ed25519_pair(), spki_pair("p384"), make_pair("dummy"))
    repo = tmp_path / "repo"
    make_signed_repo(repo, *pairs)
    for pair in pairs:
        where = [f"--repo={repo}", f"--sign-type={pair.engine}", "--verify", "main"]
        assert must(ours("sign", *where, pair.public)) == pair.said
    keys = must(ours("show", f"--repo={repo}", "--list-detached-metadata-keys", "main"))
    assert keys.split() == [f"ostree.sign.{engine}" for engine in ("dummy", "ed25519", "spki")]
    # The same Ed25519 key pair is another one under another engine.
    same = spki_pair("ed25519")
    where = [f"--repo={repo}", "--sign-type=spki", "--verify", "main"]
    assert failed(ours("sign", *where, same.public)) == NONE_VALID


def test_default_engine_is_ed25519(tmp_path: Path) -> None:
    pair, repo = ed25519_pair(), tmp_path / "repo"
    make_signed_repo(repo)
    must(ours("sign", f"--repo={repo}", "main", pair.secret))
    assert must(ours("sign", f"--repo={repo}", "--verify", "main", pair.public)) == pair.said
    must(ours("commit", f"--repo={repo}", "--branch=n", f"--sign={pair.secret}", tmp_path))
    assert must(ours("sign", f"--repo={repo}", "--verify", "n", pair.public)) == pair.said


def test_features_name_the_engines() -> None:
    shown = must(ours("--version"))
    assert "  - sign-ed25519\n" in f"{shown}\n"
    assert "  - sign-spki\n" in f"{shown}\n"


_RUN = """
import sys
from pyostree.cli.main import main
try:
    main()
finally:
    sys.stderr.write("loaded" if "cryptography" in sys.modules else "")
"""


@pytest.mark.parametrize(
    ("words", "is_needed"),
    [
        (["rev-parse", "main"], False),
        (["show", "main"], False),
        (["commit", "--branch=new", "."], False),
        (["sign", "--sign-type=dummy", "main", "key"], False),
        (["sign", "--verify", "main", ed25519_pair().public], True),
    ],
)
def test_library_is_loaded_only_by_who_needs_it(
    tmp_path: Path, words: list[str], *, is_needed: bool
) -> None:
    """It takes longer to load than most commands take altogether."""
    repo = tmp_path / "repo"
    make_signed_repo(repo, ed25519_pair())
    done = subprocess.run(
        [sys.executable, "-c", _RUN, words[0], f"--repo={repo}", *words[1:]],
        cwd=tmp_path / "repo-tree",
        env={**os.environ, "OSTREE_DUMMY_SIGN_ENABLED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ("loaded" if is_needed else "")
