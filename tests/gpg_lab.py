"""A GnuPG home with the reference suite's three test keys, for tests that sign and verify."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GPG_HOME = Path("/usr/libexec/installed-tests/libostree/gpghome")
KEYS = ("7FCA23D8472CDAFA", "D8228CFECA950D41", "0D15FAE7DF444D67")
FINGERPRINT = "5E65DE75AB1C501862D476347FCA23D8472CDAFA"
USERS = (
    "Ostree Tester <test@test.com>",
    "Ostree Tester II <test2@test.com>",
    "Ostree Tester III <test3@test.com>",
)


class GpgHome:
    """A private copy of the keys.

    Attributes:
        path: what ``--gpg-homedir`` takes.
        trusted: a directory with the public keys in one binary keyring.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trusted = path / "trusted"

    def run(self, *words: str | Path, stdin: bytes = b"") -> bytes:
        """Run gpg, which must succeed."""
        done = subprocess.run(
            ["gpg", f"--homedir={self.path}", "--batch", "--quiet", *map(str, words)],
            check=True,
            input=stdin,
            capture_output=True,
        )
        return done.stdout

    def options(self, *keys: str) -> list[str]:
        """Return the options that make a command sign with keys."""
        return [f"--gpg-homedir={self.path}", *(f"--gpg-sign={key}" for key in keys)]

    def armored(self, number: int) -> Path:
        """Return the file with one public key."""
        return self.path / f"key{number + 1}.asc"

    def expire_first(self) -> None:
        """Let the first key end, and wait until it has."""
        self.run("--quick-set-expire", FINGERPRINT, "seconds=1")
        time.sleep(2)

    def revoke_first(self) -> None:
        """Revoke the first key."""
        self.run("--import", self.path / "revocations/key1.rev")


@contextmanager
def gpg_home() -> Iterator[GpgHome]:
    """Give a home; its agent ends with it."""
    base = Path(tempfile.mkdtemp(prefix="gpg-"))  # short: paths of sockets have 108 bytes
    home = base / "h"
    try:
        shutil.copytree(GPG_HOME, home)
        home.chmod(0o700)
        made = GpgHome(home)
        made.run("--list-secret-keys")  # moves the old secret keyring into the agent's store
        yield made
    finally:
        subprocess.run(["gpgconf", f"--homedir={home}", "--kill", "all"], check=False)
        shutil.rmtree(base, ignore_errors=True)
