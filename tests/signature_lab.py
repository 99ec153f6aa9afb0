"""Detached OpenPGP signatures in every state that a person may get to see."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MADE = "20200101T000000!"
SIGNED = "20200601T120000!"  # what has ended since then did so before today
ENDED, FUTURE, LATER = "20210101T000000", "20991231T000000", "20400101T000000"
_REVOKED = ("Revoked Key", "Revoked Primary")
_ABSENT = "Absent Key"


class SignatureLab:
    """A GnuPG home with keys that are sound, at an end, to be revoked, or unknown to verifiers.

    Attributes:
        trusted: a directory with one binary keyring, for ``OSTREE_GPG_HOME``; see `publish`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trusted = path / "trusted"
        self.trusted.mkdir()
        self._fingerprints: dict[str, str] = {}
        self._key("Sound Key", "sound@example.com")
        self._run("--quick-add-uid", self._fingerprints["Sound Key"], "Other <other@example.com>")
        self._key("Rsa Key (a comment)", "rsa@Example.com", "rsa2048")
        self._key("Zoë ☃", "snow@example.com", "nistp256")
        self._key("Long Life", "long@example.com", expires=FUTURE)
        self._key("With Sub", "sub@example.com", subkey="never")
        self._key("Both Live", "live@example.com", expires=FUTURE, subkey=LATER)
        self._key("Old Key", "old@example.com", expires=ENDED)
        self._key("Old Primary", "oldprimary@example.com", expires=ENDED, subkey="never")
        self._key("Old Sub", "oldsub@example.com", subkey=ENDED)
        self._key("Old Half", "oldhalf@example.com", expires=FUTURE, subkey=ENDED)
        self._key("Old Both", "oldboth@example.com", expires=ENDED, subkey="20200701T000000")
        self._key(_REVOKED[0], "revoked@example.com")
        self._key(_REVOKED[1], "revprimary@example.com", subkey="never")
        self._key(_ABSENT, "absent@example.com")
        self._key("only.an@example.com")
        self._key("No Address")

    def sign(self, user: str, data: bytes, *options: str) -> bytes:
        """Return a signature of 2020 by the key of a user; `options` are of gpg."""
        words = [f"--faked-system-time={SIGNED}", f"--local-user={user}", *options]
        return self._run(*words, "--detach-sign", stdin=data)

    def publish(self) -> None:
        """Revoke what is to be revoked, and give the public keys to verifiers."""
        for name in _REVOKED:
            fingerprint = self._fingerprints[name]
            kept = (self._path / f"openpgp-revocs.d/{fingerprint}.rev").read_bytes()
            self._run("--import", stdin=kept.replace(b":-----BEGIN", b"-----BEGIN"))
        known = [one for name, one in self._fingerprints.items() if name != _ABSENT]
        (self.trusted / "keys.gpg").write_bytes(self._run("--export", *known))

    def _key(
        self,
        name: str,
        address: str = "",
        algorithm: str = "ed25519",
        *,
        expires: str = "never",
        subkey: str = "",
    ) -> None:
        user = f"{name} <{address}>" if address else name
        words = [f"--faked-system-time={MADE}", "--status-fd=1", "--quick-gen-key", user, algorithm]
        done = self._run(*words, "sign,cert", expires).decode()
        fingerprint = done.split("KEY_CREATED P ")[1].split()[0]
        self._fingerprints[name] = fingerprint
        if subkey:
            words = [f"--faked-system-time={MADE}", "--quick-add-key", fingerprint, "ed25519"]
            self._run(*words, "sign", subkey)

    def _run(self, *words: str, stdin: bytes = b"") -> bytes:
        base = ["gpg", f"--homedir={self._path}", "--batch", "--quiet", "--passphrase="]
        full = [*base, "--pinentry-mode=loopback", *words]
        return subprocess.run(full, check=True, input=stdin, capture_output=True).stdout


@contextmanager
def signature_lab() -> Iterator[SignatureLab]:
    """Give a lab; its agent ends with it."""
    path = Path(tempfile.mkdtemp(prefix="sig-"))  # short: paths of sockets have 108 bytes
    try:
        yield SignatureLab(path)
    finally:
        subprocess.run(["gpgconf", f"--homedir={path}", "--kill", "all"], check=False)
        shutil.rmtree(path, ignore_errors=True)
