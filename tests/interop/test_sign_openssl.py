"""Signatures of the engine ``spki`` and the openssl program: each verifies what the other made."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from pyostree.errors import FormatError, VerificationError
from pyostree.formats.gvariant import parse_text
from pyostree.sign.engine import find_engine
from pyostree.sign.trust import TrustedKeys
from repo_lab import must, ours
from sign_lab import SPKI_KINDS, ed25519_pair, make_signed_repo, spki_pair

DATA = b"the bytes of a commit object" * 20
OTHER = b"other bytes"
PURE = ("ed25519", "ed448")  # these sign the data, the others a digest of them
GENERATE = {
    "ed25519": ["-algorithm", "ed25519"],
    "ed448": ["-algorithm", "ed448"],
    "rsa2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
}


def openssl(*words: str | Path, cwd: Path, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        ["openssl", *map(str, words)], cwd=cwd, input=stdin, capture_output=True, check=True
    )
    return done.stdout


def openssl_sign(place: Path, kind: str, data: bytes) -> bytes:
    """Sign with ``secret.pem``."""
    (place / "data").write_bytes(data)
    if kind in PURE:
        return openssl(
            "pkeyutl", "-sign", "-rawin", "-inkey", "secret.pem", "-in", "data", cwd=place
        )
    return openssl("dgst", "-sha256", "-sign", "secret.pem", "data", cwd=place)


def openssl_accepts(place: Path, kind: str, data: bytes, signature: bytes) -> bool:
    """Tell whether ``public.pem`` verifies a signature."""
    (place / "data").write_bytes(data)
    (place / "signature").write_bytes(signature)
    words = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data"]
    if kind in PURE:
        words = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "public.pem", "-in", "data"]
        words += ["-sigfile", "signature"]
    done = subprocess.run(["openssl", *words], cwd=place, capture_output=True, check=False)
    return done.returncode == 0


def check(public: bytes, data: bytes, *signatures: bytes) -> str:
    return find_engine("spki").open_verifier(TrustedKeys((public,))).check(data, signatures)


@pytest.mark.parametrize("kind", SPKI_KINDS)
def test_openssl_verifies_ours(tmp_path: Path, kind: str) -> None:
    pair = spki_pair(kind)
    (tmp_path / "public.pem").write_text(pair.public_file)
    signature = find_engine("spki").parse_secret_key(pair.secret).sign(DATA)
    assert openssl_accepts(tmp_path, kind, DATA, signature)
    assert not openssl_accepts(tmp_path, kind, OTHER, signature)
    assert check(pair.public_bytes, DATA, signature) == pair.said


def test_openssl_and_the_engine_of_raw_keys_agree(tmp_path: Path) -> None:
    pair, engine = ed25519_pair(), find_engine("ed25519")
    head = spki_pair("ed25519").public_bytes[:-32]
    body = base64.b64encode(head + pair.public_bytes).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
    (tmp_path / "public.pem").write_text(pem)
    signature = engine.parse_secret_key(pair.secret).sign(DATA)
    assert openssl_accepts(tmp_path, "ed25519", DATA, signature)
    assert not openssl_accepts(tmp_path, "ed25519", OTHER, signature)
    openssl("genpkey", *GENERATE["ed25519"], "-out", "secret.pem", cwd=tmp_path)
    words = ["pkey", "-in", "secret.pem", "-pubout", "-outform", "DER"]
    public = openssl(*words, cwd=tmp_path).removeprefix(head)
    verifier = engine.open_verifier(TrustedKeys((public,)))
    assert verifier.check(DATA, (openssl_sign(tmp_path, "ed25519", DATA),))


@pytest.mark.parametrize("kind", GENERATE)
def test_we_verify_those_of_openssl(tmp_path: Path, kind: str) -> None:
    """With keys that openssl has made, read from its files as they are."""
    openssl("genpkey", *GENERATE[kind], "-out", "secret.pem", cwd=tmp_path)
    openssl("pkey", "-in", "secret.pem", "-pubout", "-out", "public.pem", cwd=tmp_path)
    engine = find_engine("spki")
    (public,) = engine.read_public_keys((tmp_path / "public.pem").read_bytes())
    signature = openssl_sign(tmp_path, kind, DATA)
    assert check(public, DATA, signature).endswith(f"'{public.hex()}'")
    with pytest.raises(VerificationError):
        check(public, OTHER, signature)
    (secret,) = engine.read_secret_keys((tmp_path / "secret.pem").read_bytes())
    assert openssl_accepts(tmp_path, kind, DATA, secret.sign(DATA))


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_older_form_of_secret_key_is_a_key_in_base64_and_none_in_pem(
    tmp_path: Path, kind: str
) -> None:
    openssl("genpkey", *GENERATE[kind], "-out", "secret.pem", cwd=tmp_path)
    openssl("pkey", "-in", "secret.pem", "-pubout", "-out", "public.pem", cwd=tmp_path)
    older = openssl("pkey", "-in", "secret.pem", "-traditional", cwd=tmp_path)
    engine = find_engine("spki")
    with pytest.raises(FormatError, match=r'Unexpected label "(RSA|EC) PRIVATE KEY"'):
        list(engine.read_secret_keys(older))
    der = openssl("pkey", "-in", "secret.pem", "-traditional", "-outform", "DER", cwd=tmp_path)
    signature = engine.parse_secret_key(base64.b64encode(der).decode()).sign(DATA)
    assert openssl_accepts(tmp_path, kind, DATA, signature)


def test_curve_written_out_may_be_a_known_one_only(tmp_path: Path) -> None:
    """With parameters of its own, a key could be made for which anyone can sign."""
    words = [*GENERATE["p256"], "-pkeyopt", "ec_param_enc:explicit", "-out", "secret.pem"]
    openssl("genpkey", *words, cwd=tmp_path)
    der = openssl("pkey", "-in", "secret.pem", "-pubout", "-outform", "DER", cwd=tmp_path)
    generator = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
    forged = der.replace(generator, generator[:-1] + b"\x97")
    assert forged != der
    with pytest.raises(VerificationError, match="Failed to initialize spki key"):
        check(forged, DATA, openssl_sign(tmp_path, "p256", DATA))


def test_commit_signed_by_openssl_alone_verifies(tmp_path: Path) -> None:
    """An offline key: the commit object goes out, and the signature comes back."""
    repo = tmp_path / "repo"
    checksum = make_signed_repo(repo, mode="bare-user")
    openssl("genpkey", *GENERATE["ed25519"], "-out", "secret.pem", cwd=tmp_path)
    openssl("pkey", "-in", "secret.pem", "-pubout", "-out", "public.pem", cwd=tmp_path)
    data = (repo / "objects" / checksum[:2] / f"{checksum[2:]}.commit").read_bytes()
    (public,) = find_engine("spki").read_public_keys((tmp_path / "public.pem").read_bytes())
    signature = openssl_sign(tmp_path, "ed25519", data)
    words = ["sign", f"--repo={repo}", "--sign-type=spki"]
    must(ours(*words, f"--keys-file={tmp_path / 'secret.pem'}", "main"))
    shown = must(
        ours("show", f"--repo={repo}", "--print-detached-metadata-key=ostree.sign.spki", "main")
    )
    # Not taken apart by hand: bytes that end with a zero are printed as a string.
    assert [bytes(one) for one in parse_text(shown).value] == [signature]
    said = must(ours(*words, "--verify", f"--keys-file={tmp_path / 'public.pem'}", "main"))
    assert said.endswith(f"'{public.hex()}'")
