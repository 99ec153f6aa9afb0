"""Which key signs, and which signatures go: as the reference has it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpg_lab import FINGERPRINT, KEYS, GpgHome, gpg_home
from gpg_place_lab import Place
from repo_lab import (
    Command,
    must,
    ours,
    reference,
)

EACH = pytest.mark.parametrize("command", [ours, reference], ids=["ours", "theirs"])


@pytest.fixture(scope="module")
def odd_keys() -> Iterator[GpgHome]:
    """A home with keys that cannot sign."""
    with gpg_home() as home:
        words = ("--passphrase=", "--pinentry-mode=loopback", "--quick-gen-key")
        then = "--faked-system-time=20200101T000000!"
        home.run(then, *words, "expired@example.com", "ed25519", "sign", "2021-01-01")
        home.run(*words, "certify@example.com", "ed25519", "cert", "never")
        home.run(*words, "secretless@example.com", "ed25519", "sign", "never")
        listed = home.run(
            "--with-colons", "--with-keygrip", "--list-keys", "=secretless@example.com"
        )
        (grip,) = re.findall(rb"^grp:{9}(\w+)", listed, re.MULTILINE)
        subprocess.run(["gpgconf", f"--homedir={home.path}", "--kill", "all"], check=True)
        (home.path / f"private-keys-v1.d/{grip.decode()}.key").unlink()
        yield home


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("nobody@example.com", "No gpg key found with ID nobody@example.com (homedir: HOME)"),
        ("secretless", "No gpg key found with ID secretless (homedir: HOME)"),
        (
            "@test.com",
            "gpg key id @test.com ambiguous (homedir: HOME). Try the fingerprint instead",
        ),
        ("test.co", "Unable to lookup key ID test.co: GPGME: Invalid value"),
        ("expired@example.com", "Failure signing commit file: GPGME: Unusable secret key"),
        ("certify@example.com", "Failure signing commit file: GPGME: Unusable secret key"),
    ],
)  # fmt: skip
def test_keys_that_do_not_sign(place: Place, odd_keys: GpgHome, key: str, message: str) -> None:
    before = place.file("commitmeta").read_bytes()
    place.file("commitmeta").unlink()
    words = ("gpg-sign", f"--repo={place.repo}", f"--gpg-homedir={odd_keys.path}", "main", key)
    result = ours(*words)
    assert result == reference(*words)
    assert result.err == f"error: {message}\n".replace("HOME", str(odd_keys.path))
    assert not place.file("commitmeta").exists()
    place.file("commitmeta").write_bytes(before)


def test_home_by_default_is_that_of_gnupg(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.set_signatures(place.signatures[1])
    monkeypatch.setenv("GNUPGHOME", str(place.keys.path))
    assert must(ours("gpg-sign", f"--repo={place.repo}", "main", KEYS[0])) == ""
    assert len(place.read_signatures()) == 2
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "none"))
    words = ("gpg-sign", f"--repo={place.repo}", "main", KEYS[0])
    assert ours(*words) == reference(*words)
    assert "(homedir: <default>)" in ours(*words).err


@EACH
def test_earlier_keys_have_signed_when_a_later_one_cannot(place: Place, command: Command) -> None:
    place.set_signatures()
    place.file("commitmeta").unlink()
    words = ("gpg-sign", f"--repo={place.repo}", f"--gpg-homedir={place.keys.path}", "main")
    assert command(*words, KEYS[0], "nobody@example.com").status == 1
    assert len(place.read_signatures()) == 1


@pytest.mark.parametrize(
    "entries",
    [[b"garbage"], [], [b""]],
    ids=["garbage", "no entry", "empty entry"],
)
def test_nothing_is_added_to_signatures_that_are_none(place: Place, entries: list[bytes]) -> None:
    place.set_signatures(*entries)
    before = place.file("commitmeta").read_bytes()
    words = (
        "gpg-sign",
        f"--repo={place.repo}",
        f"--gpg-homedir={place.keys.path}",
        "main",
        KEYS[0],
    )
    assert ours(*words) == reference(*words)
    assert ours(*words).err == (
        "error: GPG: Unable to complete signature verification: GPGME: No data\n"
    )
    assert place.file("commitmeta").read_bytes() == before


def test_missing_home_is_told_before_the_missing_key(place: Place) -> None:
    words = ("gpg-sign", f"--repo={place.repo}", "--gpg-homedir=/none", "main", KEYS[0])
    assert ours(*words) == reference(*words)
    assert ours(*words).err == "error: opendir(/none): No such file or directory\n"


@EACH
@pytest.mark.parametrize(
    ("made_by", "named", "left"),
    [
        ("12", [KEYS[0]], "2"),
        ("12", [KEYS[1]], "1"),
        ("12", KEYS[:2], ""),
        ("12", [KEYS[2]], "12"),
        ("11", [KEYS[0]], "1"),
        ("11", [KEYS[0], KEYS[0]], "1"),
        ("12", [FINGERPRINT, "<test2@test.com>"], ""),
        ("12", ["@test.com"], "12"),
        ("12", ["Tester", ""], "12"),
        ("12", ["nobody@example.com"], "12"),
    ],
    ids=[
        "first", "second", "both", "another", "one of two", "named twice", "other names",
        "ambiguous", "short", "unknown",
    ],
)  # fmt: skip
def test_first_signature_of_each_key_is_deleted(
    place: Place, command: Command, made_by: str, named: list[str], left: str
) -> None:
    place.trust("p.trustedkeys.gpg", *place.ring)
    place.trust_globally(place.ring[0])
    chosen = [place.signatures[int(digit) - 1] for digit in made_by]
    place.set_signatures(*chosen)
    # The option is accepted, and does nothing.
    words = ("gpg-sign", f"--repo={place.repo}", "--gpg-homedir=/none", "--delete", "main", *named)
    assert must(command(*words)) == f"Signatures deleted: {len(made_by) - len(left)}"
    assert place.read_signatures() == [place.signatures[int(digit) - 1] for digit in left]


@EACH
def test_keys_must_be_known_to_have_their_signatures_deleted(
    place: Place, command: Command
) -> None:
    home = f"--gpg-homedir={place.keys.path}"
    words = ("gpg-sign", f"--repo={place.repo}", home, "--delete", "main", KEYS[0])
    assert must(command(*words)) == "Signatures deleted: 0"
    assert len(place.read_signatures()) == 2


def test_bad_signatures_can_be_deleted_too(place: Place) -> None:
    """GnuPG stops at them, and the reference aborts."""
    place.trust_globally(*place.ring)
    bad = place.sign(KEYS[2], data=b"another")
    for named, left in ((KEYS[2], [place.signatures[0]]), (KEYS[0], [bad])):
        place.set_signatures(bad, place.signatures[0])
        words = ("gpg-sign", f"--repo={place.repo}", "--delete", "main", named)
        assert must(ours(*words)) == "Signatures deleted: 1"
        assert place.read_signatures() == left
