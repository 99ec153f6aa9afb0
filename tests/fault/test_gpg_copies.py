"""Several copies of one key, of which GnuPG takes the first: none may say that it is no good."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree.errors import VerificationError
from pyostree.sign.gpg.keyrings import Keyrings
from pyostree.sign.gpg.result import GpgSignature
from pyostree.sign.gpg.verifier import GpgVerifier
from repo_lab import commit, make_repo, must, ours, write_files

DATA = b"a commit"
USER = "Several <several@example.com>"
UNASKED = ("--passphrase=", "--pinentry-mode=loopback")
THEN = "--faked-system-time=20200101T000000!"
LATER = "--faked-system-time=20210101T000000!"


class Copies:
    """Copies of a key whose subkey signs.

    Attributes:
        plain: as it was made.
        subkey_revoked: the signing subkey is.
        revoked: all is.
        expired: as `plain`, but with an end that has come; `renewed` ends never again.
    """

    def __init__(self, home: GpgHome) -> None:
        self.home = home
        home.run(*UNASKED, THEN, "--quick-gen-key", USER, "ed25519", "cert", "never")
        listed = home.run("--with-colons", "--list-keys", "=" + USER).decode()
        fingerprint = next(line for line in listed.split("\n") if line.startswith("fpr")).split(
            ":"
        )[9]
        home.run(*UNASKED, THEN, "--quick-add-key", fingerprint, "ed25519", "sign", "never")
        self.plain = self._export()
        self.signature = home.run(f"--local-user={fingerprint}", "--detach-sign", stdin=DATA)
        home.run(*UNASKED, LATER, "--quick-set-expire", fingerprint, "seconds=9")
        self.expired = self._export()
        home.run(*UNASKED, "--quick-set-expire", fingerprint, "0")
        self.renewed = self._export()
        self._edit(fingerprint, "key 1", "revkey", "y", "0", "", "y")
        self.subkey_revoked = self._export()
        made = (home.path / f"openpgp-revocs.d/{fingerprint}.rev").read_text()
        home.run("--import", stdin=made.replace(":-----", "-----").encode())
        self.revoked = self._export()

    def _export(self) -> bytes:
        return self.home.run("--export", "=" + USER)

    def _edit(self, fingerprint: str, *answers: str) -> None:
        words = ("--no-batch", "--no-tty", "--command-fd=0", "--status-fd=2", "--edit-key")
        text = "".join(f"{answer}\n" for answer in (*answers, "save"))
        self.home.run(*words, fingerprint, stdin=text.encode())


@pytest.fixture(scope="module")
def copies() -> Iterator[Copies]:
    with gpg_home() as home:
        yield Copies(home)


def verify(copies: Copies, keyrings: Keyrings) -> GpgSignature:
    """Verify twice, alone and as one of many."""
    with GpgVerifier(keyrings) as verifier:
        first, second = (verifier.verify(DATA, [copies.signature])[0] for _ in range(2))
    assert first == second
    return first


@pytest.mark.parametrize("what", ["revoked", "subkey_revoked"])
def test_revocation_in_any_copy_counts(copies: Copies, what: str) -> None:
    assert verify(copies, Keyrings((copies.plain,))).is_valid
    revoked: bytes = getattr(copies, what)
    for order in permutations([copies.plain, copies.renewed, revoked]):
        for keyrings in (Keyrings(order), Keyrings((b"".join(order),)), Keyrings((), order)):
            found = verify(copies, keyrings)
            assert not found.is_valid
            assert found.status.is_key_revoked
    assert verify(copies, Keyrings((copies.plain,), (revoked,))).status.is_key_revoked


def test_copies_that_say_the_same_count_as_one(copies: Copies) -> None:
    assert verify(copies, Keyrings((copies.plain, copies.plain, copies.renewed))).is_valid


def test_end_that_was_brought_forward_counts(copies: Copies) -> None:
    for first, second in ((copies.plain, copies.expired), (copies.expired, copies.plain)):
        found = verify(copies, Keyrings((first, second)))
        assert not found.is_valid
        assert found.status.is_key_expired


def test_renewal_counts_where_gnupg_sees_it(copies: Copies) -> None:
    assert verify(copies, Keyrings((copies.renewed, copies.expired))).is_valid
    assert not verify(copies, Keyrings((copies.expired, copies.renewed))).is_valid


@pytest.mark.parametrize("damage", [b"", b"\x00" * 50, b"\x99\x01"], ids=["cut", "junk", "trunc"])
def test_what_cannot_be_read_may_be_a_revocation(copies: Copies, damage: bytes) -> None:
    rest = damage + copies.revoked if damage else copies.revoked[:-40]
    other = copies.home.run("--export", KEYS[1])  # GnuPG does not find the one before the damage
    keyrings = Keyrings((copies.plain + other + rest,))
    with GpgVerifier(keyrings) as verifier:
        for _ in range(2):
            with pytest.raises(VerificationError, match="Not all trusted keys can be read: "):
                verifier.verify(DATA, [copies.signature])


def test_pull_heeds_a_revocation_in_a_later_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_repo(tmp_path / "source")
    tree = write_files(tmp_path / "tree", {"a": "a\n"})
    target = make_repo(tmp_path / "target")
    must(ours("remote", "add", f"--repo={target}", "origin", f"file://{source}", "main"))
    trusted = tmp_path / "trusted"
    trusted.mkdir()
    monkeypatch.setenv("OSTREE_GPG_HOME", str(trusted))
    with gpg_home() as home:
        commit(source, "-b", "main", *home.options(KEYS[0]), f"--tree=dir={tree}")
        (trusted / "1.gpg").write_bytes(home.run("--export", KEYS[0]))
        home.revoke_first()
        (trusted / "2.gpg").write_bytes(home.run("--export", KEYS[0]))
    refused = ours("pull", f"--repo={target}", "origin")
    assert refused.status == 1
    assert "Key revoked" in refused.err
    assert not list(target.glob("objects/*/*.commit"))
    (trusted / "2.gpg").unlink()
    must(ours("pull", f"--repo={target}", "origin"))
