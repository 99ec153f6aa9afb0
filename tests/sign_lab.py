"""Key pairs of all engines, and repositories whose commits they have signed.

Keys come from fixed seeds where that is possible, so that failures can be repeated.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from repo_lab import WHEN, must, ours

SPKI_KINDS = ("ed25519", "ed448", "rsa2048", "rsa4096", "p256", "p384", "p521")
_PrivateKey = (
    ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
)
_CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
_RSA_BITS = {"rsa2048": 2048, "rsa4096": 4096}
_DUMMY_ENABLED = "OSTREE_DUMMY_SIGN_ENABLED"


class KeyPair(NamedTuple):
    """A secret and a public key.

    Attributes:
        engine: ``--sign-type``.
        secret: as ``--sign`` takes it.
        public: as ``ostree sign --verify`` and ``verification-ENGINE-key`` take it.
        secret_file: content of what ``--sign-from-file`` takes.
        public_file: content of what ``--keys-file`` and ``verification-ENGINE-file`` take.
    """

    engine: str
    secret: str
    public: str
    secret_file: str
    public_file: str

    @property
    def public_bytes(self) -> bytes:
        """The public key as `TrustedKeys` holds it."""
        return self.public.encode() if self.engine == "dummy" else base64.b64decode(self.public)

    @property
    def said(self) -> str:
        """What verifying with this key prints."""
        if self.engine == "dummy":
            return "dummy: Signature verified"
        named = self.public_bytes.hex()
        return f"{self.engine}: Signature verified successfully with key '{named}'"

    def write_secret(self, directory: Path, name: str = "secret") -> Path:
        """Write the file of the secret key."""
        path = directory / f"{name}.{self.engine}"
        path.write_text(self.secret_file)
        return path

    def write_public(self, directory: Path, name: str = "public") -> Path:
        """Write the file of the public key."""
        path = directory / f"{name}.{self.engine}"
        path.write_text(self.public_file)
        return path


@cache
def ed25519_pair(number: int = 0) -> KeyPair:
    """Return a pair of raw Ed25519 keys; each number gives another one."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(_seed(number, 32))
    public = key.public_key().public_bytes_raw()
    texts = [base64.b64encode(raw).decode() for raw in (key.private_bytes_raw() + public, public)]
    return KeyPair("ed25519", texts[0], texts[1], f"{texts[0]}\n", f"{texts[1]}\n")


@cache
def spki_pair(kind: str = "ed25519", number: int = 0) -> KeyPair:
    """Return a pair of keys in DER; `kind` is one of `SPKI_KINDS`."""
    key = _make_key(kind, number)
    pkcs8 = serialization.PrivateFormat.PKCS8
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    plain = serialization.NoEncryption()
    public = key.public_key()
    der, pem = serialization.Encoding.DER, serialization.Encoding.PEM
    return KeyPair(
        "spki",
        base64.b64encode(key.private_bytes(der, pkcs8, plain)).decode(),
        base64.b64encode(public.public_bytes(der, spki)).decode(),
        key.private_bytes(pem, pkcs8, plain).decode(),
        public.public_bytes(pem, spki).decode(),
    )


def dummy_pair(number: int = 0) -> KeyPair:
    """Return a text that is its own public key; commands need `DUMMY_ENVIRONMENT`."""
    text = f"dummysign{number}"
    return KeyPair("dummy", text, text, f"{text}\n", f"{text}\n")


DUMMY_ENVIRONMENT = {_DUMMY_ENABLED: "1"}


def make_pair(engine: str, number: int = 0) -> KeyPair:
    """Return a pair of keys of any engine."""
    if engine == "ed25519":
        return ed25519_pair(number)
    return spki_pair("ed25519", number) if engine == "spki" else dummy_pair(number)


def make_signed_repo(path: Path, *pairs: KeyPair, mode: str = "archive") -> str:
    """Make a repository with a commit of branch ``main``, signed by all pairs; return its checksum.

    The dummy engine must be allowed by the environment of this process.
    """
    tree = path.parent / f"{path.name}-tree"
    tree.mkdir()
    (tree / "file").write_text("content\n")
    must(ours(f"--repo={path}", "init", f"--mode={mode}"))
    checksum = must(ours("commit", f"--repo={path}", "--branch=main", WHEN, tree))
    sign_with(path, checksum, *pairs)
    return checksum


def sign_with(repo: Path, rev: str, *pairs: KeyPair) -> None:
    """Add a signature by each pair to a commit."""
    for pair in pairs:
        must(ours("sign", f"--repo={repo}", f"--sign-type={pair.engine}", rev, pair.secret))


def _make_key(kind: str, number: int) -> _PrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(_seed(number, 32))
    if kind == "ed448":
        return ed448.Ed448PrivateKey.from_private_bytes(_seed(number, 57))
    if kind in _CURVES:
        secret = int.from_bytes(_seed(number, 31), "big")
        return ec.derive_private_key(secret, _CURVES[kind])
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[kind])


def _seed(number: int, size: int) -> bytes:
    return hashlib.shake_256(b"key %d" % number).digest(size)
