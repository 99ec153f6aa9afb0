"""Keys come in, and are listed, as the reference has it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gpg_lab import FINGERPRINT, KEYS, gpg_home
from gpg_place_lab import Place
from repo_lab import (
    OURS,
    Command,
    must,
    ours,
    reference,
    run_process,
)


def _ring(number: int) -> Callable[[Place], Path]:
    return lambda place: place.ring[number]


def _armored(number: int) -> Callable[[Place], Path]:
    return lambda place: place.armored[number]


def _of(*parts: Callable[[Place], Path | bytes]) -> Callable[[Place], bytes]:
    def content(place: Place) -> bytes:
        found = [part(place) for part in parts]
        return b"".join(one if isinstance(one, bytes) else one.read_bytes() for one in found)

    return content


MANY = "GPGME: Ambiguous name"
NO_KEYS, NO_KEY = "Unable to export keys: GPGME: No data", "Unable to find key"
IMPORTS = {
    "nothing": (_of(), (), NO_KEYS),
    "garbage": (_of(lambda place: b"garbage\n"), (), NO_KEYS),
    "signature": (_of(lambda place: place.signatures[0]), (), NO_KEYS),
    "binary": (_of(_ring(0)), (), 1),
    "armored": (_of(_armored(0)), (), 1),
    "binary twice": (_of(_ring(0), _ring(1)), (), 2),
    "armored twice": (_of(_armored(0), _armored(1)), (), 2),
    "text around": (_of(lambda place: b"Dear all\n", _armored(0), lambda place: b"\nbye\n"), (), 1),
    "secret": (_of(lambda place: place.secret), (), 1),
    "chosen": (_of(_ring(0), _ring(1), _ring(2)), (KEYS[2],), 1),
    "chosen twice": (_of(_ring(0), _ring(1)), (KEYS[0], FINGERPRINT), 1),
    "chosen by name": (_of(_ring(0), _ring(1)), ("<test@test.com>",), 1),
    "ambiguous": (_of(*map(_ring, range(3))), ("@test.com",), f'{NO_KEY} "@test.com": {MANY}'),
    "not there": (_of(_ring(0)), (KEYS[0], KEYS[1]), f'{NO_KEY} "{KEYS[1]}": GPGME: End of file'),
    "short": (_of(_ring(0)), ("Tester",), f'{NO_KEY} "Tester": GPGME: Invalid value'),
}  # fmt: skip


@pytest.mark.parametrize(("content", "named", "expected"), IMPORTS.values(), ids=IMPORTS)
def test_keys_are_imported(
    place: Place, content: Callable[[Place], bytes], named: tuple[str, ...], expected: int | str
) -> None:
    source = place.path / "source"
    source.write_bytes(content(place))
    listings = []
    for command in (ours, reference):
        ring = place.repo / "o.trustedkeys.gpg"
        ring.unlink(missing_ok=True)
        words = ("remote", "gpg-import", f"--repo={place.repo}", f"--keyring={source}", "o", *named)
        result = command(*words)
        if isinstance(expected, str):
            assert (result.status, result.err) == (1, f"error: GPG: {expected}\n")
            assert not ring.exists()
            continue
        noun = "key" if expected == 1 else "keys"
        assert must(result) == f'Imported {expected} GPG {noun} to remote "o"'
        assert must(command(*words)) == 'Imported 0 GPG keys to remote "o"'
        listings += [
            must(other("remote", "gpg-list-keys", f"--repo={place.repo}", "o"))
            for other in (ours, reference)
        ]
    assert len(set(listings)) <= 1


def test_keys_are_read_from_standard_input(place: Place) -> None:
    words = ("remote", "gpg-import", f"--repo={place.repo}", "--stdin", "o")
    content = place.ring[0].read_bytes() + place.ring[1].read_bytes()
    done = run_process(OURS, *words, stdin=content)
    assert must(done) == 'Imported 2 GPG keys to remote "o"'


@pytest.mark.parametrize("content", [b"garbage", b"", None], ids=["garbage", "empty", "armored"])
def test_keys_are_not_lost_in_a_keyring_that_is_none(place: Place, content: bytes | None) -> None:
    """The reference imports nothing, and is content with that."""
    ring = place.repo / "o.trustedkeys.gpg"
    ring.write_bytes(place.armored[1].read_bytes() if content is None else content)
    before = ring.read_bytes()
    result = ours("remote", "gpg-import", f"--repo={place.repo}", f"--keyring={place.ring[0]}", "o")
    assert result.status == (1 if before else 0)
    assert (ring.read_bytes() == before) == bool(before)


@pytest.mark.parametrize("command", [ours, reference], ids=["ours", "theirs"])
def test_keyring_keeps_its_mode(place: Place, command: Command) -> None:
    ring = place.repo / "o.trustedkeys.gpg"
    words = ("remote", "gpg-import", f"--repo={place.repo}", "o", "--keyring")
    must(command(*words, place.ring[0]))
    assert ring.stat().st_mode & 0o777 == 0o644
    ring.chmod(0o600)
    must(command(*words, place.ring[1]))
    assert ring.stat().st_mode & 0o777 == 0o600


def test_link_to_a_keyring_is_replaced(place: Place) -> None:
    other = place.path / "elsewhere"
    shutil.copy(place.ring[1], other)
    (place.repo / "o.trustedkeys.gpg").symlink_to(other)
    must(ours("remote", "gpg-import", f"--repo={place.repo}", f"--keyring={place.ring[0]}", "o"))
    assert other.read_bytes() == place.ring[1].read_bytes()
    listed = must(reference("remote", "gpg-list-keys", f"--repo={place.repo}", "o"))
    assert listed.count("Key: ") == 2


def test_listing_has_what_keys_have(tmp_path: Path, place: Place) -> None:
    """Expired, revoked, with subkeys, several user ids, and addresses that are none."""
    with gpg_home() as home:
        words = ("--passphrase=", "--pinentry-mode=loopback", "--allow-freeform-uid")
        home.run("--passphrase=", "--quick-add-key", FINGERPRINT, "rsa1024", "sign", "2060-01-01")
        home.run(*words, "--quick-add-uid", FINGERPRINT, "Someone Else <UPPER@Example.Org>")
        home.run(*words, "--quick-revoke-uid", FINGERPRINT, "Someone Else <UPPER@Example.Org>")
        ids = ("no address", "A <a@b@c>", "x <@y>", "an@address.org", "<x.y+z@xn--bcher-kva.de>")
        for user in ids:
            home.run(*words, "--faked-system-time=20200101T000000!", "--quick-gen-key", user,
                     "ed25519", "sign", "2021-01-01")  # fmt: skip
        ring = place.repo / "o.trustedkeys.gpg"
        ring.write_bytes(home.run("--export", FINGERPRINT, *(f"={user}" for user in ids)))
        home.revoke_first()
        revoked = home.run("--export", FINGERPRINT)
    full = ("remote", "gpg-list-keys", f"--repo={place.repo}", "o")
    listed = must(ours(*full))
    assert listed == must(reference(*full))
    assert "(revoked)" in listed
    assert "Expired: " in listed
    assert "hu/" in listed
    assert "Advanced update URL: \n" in listed
    ring.write_bytes(revoked)
    assert must(ours(*full)) == must(reference(*full))
