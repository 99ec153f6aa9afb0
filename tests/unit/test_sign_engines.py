"""Keys and signatures of the engines: test vectors, and keys that must never verify anything."""

from __future__ import annotations

import base64
import hashlib
import itertools
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pyostree.errors import FormatError, OstreeError, UnsupportedError, VerificationError
from pyostree.sign.engine import ENGINE_NAMES, all_engines, find_engine
from pyostree.sign.engines.edwards import is_weak_ed448, is_weak_ed25519
from pyostree.sign.trust import TrustedKeys
from repo_lab import must, ours
from sign_lab import KeyPair, dummy_pair, ed25519_pair, spki_pair

SECRET = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
PUBLIC = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
CHECKSUM = "b65a7b79e6681f05213382dcf841831c1f2bd3eeb0265c7b45d7e3323a91b2ca"
COMMIT = (
    "6f73747265652e7265662d62696e64696e6700000000000074657374000500617313226f6e6500000000000065920080"
    "28971115bd52bcee9d14e2854ec061f280524e0ace51ac1c6dcbd9a1cd8e980c446a0ef11b7cc167f3b603e585c7eeee"
    "b675faa412d5ec73f62988eb0b6c5488502827232323"
)
COMMITMETA = (
    "6f73747265652e7369676e2e6564323535313900000000008ecc14a94e9be3040ab02aa64c1aad73193225b02bdc367b"
    "c783b710b4fadbd8fc0966acfd1249e87be4a9348ebe9a48cc148cf9f42c45c1153e033ccb06cf0f4000616179145e"
)
SAID = (
    "ed25519: Signature verified successfully with key "
    "'d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'"
)
# RFC 8032, section 7.1: secret key, public key, message, signature.
RFC_8032 = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
        "6bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d"
        "8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6"
        "594a7c15e9716ed28dc027beceea1ec40a",
    ),
)
ORDER = 2**252 + 27742317777372353535851937790883648493
FIELD = 2**255 - 19
SUITE = Path("/usr/libexec/installed-tests/libostree")
UNUSABLE = "openssl: Failed to initialize spki key"


def verify(engine: str, public: bytes, data: bytes, signature: bytes) -> str:
    return find_engine(engine).open_verifier(TrustedKeys((public,))).check(data, (signature,))


def refusal(engine: str, public: bytes, data: bytes, signature: bytes) -> str:
    with pytest.raises(VerificationError) as caught:
        verify(engine, public, data, signature)
    return str(caught.value)


# -- ed25519 -----------------------------------------------------------------------------------


def test_vector_of_commit_is_met_byte_for_byte(tmp_path: Path) -> None:
    repo, tree = tmp_path / "repo", tmp_path / "tree"
    tree.mkdir(0o755)
    (tree / "a").write_text("hi\n")
    (tree / "a").chmod(0o644)
    must(ours("init", f"--repo={repo}", "--mode=archive"))
    words = ["--owner-uid=0", "--owner-gid=0", "--no-xattrs", "--timestamp=@1704067200"]
    place = ["--branch=test", "--subject=one", f"--sign={SECRET}", tree]
    assert must(ours("commit", f"--repo={repo}", *words, *place)) == CHECKSUM
    stored = repo / "objects" / CHECKSUM[:2] / CHECKSUM[2:]
    assert stored.with_suffix(".commit").read_bytes().hex() == COMMIT
    assert stored.with_suffix(".commitmeta").read_bytes().hex() == COMMITMETA
    assert must(ours("sign", f"--repo={repo}", "--verify", "test", PUBLIC)) == SAID


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_vectors_of_rfc_8032_are_met(seed: str, public: str, message: str, signature: str) -> None:
    data = bytes.fromhex(message)
    text = base64.b64encode(bytes.fromhex(seed + public)).decode()
    assert find_engine("ed25519").parse_secret_key(text).sign(data).hex() == signature
    assert public in verify("ed25519", bytes.fromhex(public), data, bytes.fromhex(signature))


def test_public_half_of_secret_key_does_not_count() -> None:
    seed, public, _, signature = RFC_8032[0]
    text = base64.b64encode(bytes.fromhex(seed) + bytes(32)).decode()
    made = find_engine("ed25519").parse_secret_key(text).sign(b"")
    assert made.hex() == signature
    assert verify("ed25519", bytes.fromhex(public), b"", made)


def test_repository_signed_by_the_reference_verifies(tmp_path: Path) -> None:
    with tarfile.open(SUITE / "pre-signed-pull-data.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    public = "45yzbkuEok0lLabxzdAHWUDSMZgYfxU40sN+LMfYHVA="
    place = ["sign", f"--repo={tmp_path / 'repo'}", "--verify", "testref"]
    said = must(ours(*place, public))
    assert said.endswith(f"with key '{base64.b64decode(public).hex()}'")
    refused = ours(*place, PUBLIC)
    assert (refused.status, refused.err) == (1, "error: No valid signatures found\n")


@pytest.mark.parametrize("size", [0, 31, 33, 63, 65, 96])
def test_secret_key_of_wrong_length_is_refused(size: int) -> None:
    expected = f"Invalid ed25519 secret key: Ill-formed input: expected 64 bytes, got {size} bytes"
    with pytest.raises(FormatError) as caught:
        find_engine("ed25519").parse_secret_key(base64.b64encode(bytes(size)).decode())
    assert str(caught.value) == expected


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_public_key_of_wrong_length_is_refused(size: int) -> None:
    expected = f"Invalid ed25519 public key: Ill-formed input: expected 32 bytes, got {size} bytes"
    with pytest.raises(FormatError) as caught:
        find_engine("ed25519").parse_public_key(base64.b64encode(bytes(size)).decode())
    assert str(caught.value) == expected
    assert refusal("ed25519", bytes(size), b"data", bytes(64)) == expected


def test_signature_with_larger_scalar_is_refused() -> None:
    """Whoever adds the order of the group to S has another signature that an older rule accepts."""
    _, public, message, signature = RFC_8032[1]
    good = bytes.fromhex(signature)
    scalar = int.from_bytes(good[32:], "little")
    for larger in (scalar + ORDER, scalar + 2 * ORDER, scalar | 1 << 255):
        forged = good[:32] + larger.to_bytes(32, "little")
        refused = refusal("ed25519", bytes.fromhex(public), bytes.fromhex(message), forged)
        assert refused.startswith("ed25519: Signature couldn't be verified with")


def weak_points() -> list[bytes]:
    """Return all ways to write a point of small order, and y beyond the field."""
    order_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
    found = [0, 1, FIELD - 1, order_8, FIELD - order_8, *(FIELD + more for more in range(19))]
    return [
        (y | sign << 255).to_bytes(32, "little") for y, sign in itertools.product(found, (0, 1))
    ]


def test_keys_of_small_order_verify_nothing() -> None:
    """For such a key, some signature of zeros beside a point of small order is good for any data.

    The library would accept some of these: the test fails without the check.
    """
    points = weak_points()
    engine = find_engine("ed25519")
    for key in points:
        assert is_weak_ed25519(key)
        verifier = engine.open_verifier(TrustedKeys((key,)))
        forged = tuple(point + bytes(32) for point in points[:10])
        for number in range(8):
            with pytest.raises(VerificationError):
                verifier.check(b"data %d" % number, forged)


def test_spki_keys_of_small_order_verify_nothing() -> None:
    prefix = spki_pair("ed25519").public_bytes[:-32]
    for key in weak_points()[:10]:
        verifier = find_engine("spki").open_verifier(TrustedKeys((prefix + key,)))
        forged = tuple(point + bytes(32) for point in weak_points()[:10])
        for number in range(8):
            with pytest.raises(VerificationError):
                verifier.check(b"data %d" % number, forged)


def test_honest_keys_are_not_weak() -> None:
    for number in range(200):
        assert not is_weak_ed25519(hashlib.sha256(b"%d" % number).digest()[:31] + b"\x3f")
    assert not is_weak_ed25519(base64.b64decode(PUBLIC))
    assert not is_weak_ed448(spki_pair("ed448").public_bytes[-57:])
    prime = 2**448 - 2**224 - 1
    for y in (0, 1, prime - 1, prime, prime + 1):
        for sign in (b"\0", b"\x80"):
            assert is_weak_ed448(y.to_bytes(56, "little") + sign)


# -- spki --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521"])
def test_secret_keys_of_older_form_sign_too(kind: str) -> None:
    pair = spki_pair(kind)
    loaded = serialization.load_der_private_key(base64.b64decode(pair.secret), None)
    assert isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    older = loaded.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert older != base64.b64decode(pair.secret)
    secret = find_engine("spki").parse_secret_key(base64.b64encode(older).decode())
    assert verify("spki", pair.public_bytes, b"data", secret.sign(b"data")) == pair.said


def secret_der(key: object) -> bytes:
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def raw_pair(key: x25519.X25519PrivateKey | x448.X448PrivateKey) -> tuple[bytes, bytes]:
    return (
        key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def as_pss(der: bytes) -> bytes:
    """Return an RSA key that demands PSS: the library loads it as if it did not."""
    changed = der.replace(bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d01010a"))
    assert changed != der
    return changed


def encrypted(der: bytes) -> bytes:
    key = serialization.load_der_private_key(der, None)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def bad_secrets() -> dict[str, Callable[[], bytes]]:
    good = base64.b64decode(spki_pair("ed25519").secret)
    return {
        "empty": lambda: b"",
        "text": lambda: b"not a key",
        "public": lambda: spki_pair("ed25519").public_bytes,
        "truncated": lambda: good[:-1],
        "extended": lambda: good + b"\0",
        "encrypted": lambda: encrypted(good),
        "x25519": lambda: raw_pair(x25519.X25519PrivateKey.generate())[0],
        "x448": lambda: raw_pair(x448.X448PrivateKey.generate())[0],
        "pss": lambda: as_pss(base64.b64decode(spki_pair("rsa2048").secret)),
        "dsa": lambda: secret_der(dsa.generate_private_key(1024)),
        "sequence of zeros": lambda: b"\x30\x80" + bytes(64),
        "length without end": lambda: b"\x30\x84\xff\xff\xff\xff",
        "huge": lambda: good + bytes(1 << 20),
    }


@pytest.mark.parametrize("name", bad_secrets())
def test_secret_key_of_other_kind_signs_nothing(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        der = bad_secrets()[name]()
    key = find_engine("spki").parse_secret_key(base64.b64encode(der).decode())
    with pytest.raises(FormatError) as caught:
        key.sign(b"data")
    assert str(caught.value) == UNUSABLE


def exponent_1() -> bytes:
    """Return an RSA key with which a signature is the padded digest itself."""
    der = spki_pair("rsa2048").public_bytes.removesuffix(bytes.fromhex("0203010001"))
    shorter = bytearray(der + bytes.fromhex("020101"))
    for position in (2, 21, 26):  # lengths of the key, of the bits, of the pair of numbers
        length = int.from_bytes(shorter[position : position + 2], "big") - 2
        shorter[position : position + 2] = length.to_bytes(2, "big")
    return bytes(shorter)


def dsa_public() -> bytes:
    """Return a key of a kind that is not known here."""
    made = dsa.generate_private_key(1024).public_key()
    return made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def bad_publics() -> dict[str, Callable[[], bytes]]:
    good = spki_pair("p256").public_bytes
    parameters = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
    return {
        "empty": lambda: b"",
        "text": lambda: b"not a key",
        "secret": lambda: base64.b64decode(spki_pair("ed25519").secret),
        "truncated": lambda: good[:-1],
        "extended": lambda: good + b"\0",
        "x25519": lambda: raw_pair(x25519.X25519PrivateKey.generate())[1],
        "x448": lambda: raw_pair(x448.X448PrivateKey.generate())[1],
        "pss": lambda: as_pss(spki_pair("rsa2048").public_bytes),
        "dsa": dsa_public,
        "exponent 1": lambda: spki_pair("rsa2048").public_bytes.replace(
            bytes.fromhex("0203010001"), bytes.fromhex("0203000001")
        ),
        "shortest exponent 1": exponent_1,
        "not on the curve": lambda: good[:-1] + bytes([good[-1] ^ 1]),
        "point at infinity": lambda: (
            bytes.fromhex("3019301306072a8648ce3d020106082a8648ce3d030107") + b"\x03\x02\x00\x00"
        ),
        "unknown curve": lambda: good.replace(parameters, parameters[:-1] + b"\x7f"),
        "no curve": lambda: good.replace(parameters, b"\x05\x00" + b"\x06\x06" + bytes(6)),
        "huge": lambda: good + bytes(1 << 20),
    }


@pytest.mark.parametrize("name", bad_publics())
def test_public_key_of_other_kind_verifies_nothing(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        der = bad_publics()[name]()
    assert refusal("spki", der, b"data", b"signature") == UNUSABLE
    # Nor does it matter what else is there: it may be the key that somebody needs.
    pair = spki_pair("ed25519")
    signature = find_engine("spki").parse_secret_key(pair.secret).sign(b"data")
    verifier = find_engine("spki").open_verifier(TrustedKeys((pair.public_bytes, der)))
    with pytest.raises(VerificationError):
        verifier.check(b"data", (signature,))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), "RSA keys of 1024 bits are too weak"),
        (lambda: ec.generate_private_key(ec.SECP192R1()), "EC keys of 192 bits are too weak"),
    ],
    ids=["rsa1024", "p192"],
)
def test_weak_key_neither_signs_nor_verifies(
    key: Callable[[], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey], said: str
) -> None:
    made = key()
    public = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    secret = find_engine("spki").parse_secret_key(base64.b64encode(secret_der(made)).decode())
    with pytest.raises(FormatError) as caught:
        secret.sign(b"data")
    assert str(caught.value) == f"{UNUSABLE}: {said}"
    assert refusal("spki", public, b"data", b"signature") == f"{UNUSABLE}: {said}"


def test_compressed_point_is_a_key() -> None:
    pair = spki_pair("p256")
    signature = find_engine("spki").parse_secret_key(pair.secret).sign(b"data")
    assert verify("spki", compressed(pair), b"data", signature)


def test_key_revoked_in_one_form_counts_in_none() -> None:
    pair, other = spki_pair("p256"), spki_pair("ed25519")
    engine = find_engine("spki")
    signatures = tuple(engine.parse_secret_key(one.secret).sign(b"data") for one in (pair, other))
    forms = (pair.public_bytes, compressed(pair))
    for trusted in forms:
        for revoked in forms:
            keys = TrustedKeys((trusted, other.public_bytes), frozenset([revoked, dsa_public()]))
            verifier = engine.open_verifier(keys)
            with pytest.raises(VerificationError):
                verifier.check(b"data", signatures[:1])
            assert verifier.check(b"data", signatures) == other.said


@pytest.mark.parametrize(
    "spoil",
    [lambda der: b"", lambda der: der[:-3], lambda der: der + b"\0", lambda der: b"no key"],
)
def test_what_is_revoked_and_no_key_is_an_error(spoil: Callable[[bytes], bytes]) -> None:
    """Part of a key, say, that lost its last line: nobody knows which key was to be revoked."""
    pair = spki_pair("ed25519")
    engine = find_engine("spki")
    signature = engine.parse_secret_key(pair.secret).sign(b"data")
    keys = TrustedKeys((pair.public_bytes,), frozenset([spoil(spki_pair("p256").public_bytes)]))
    with pytest.raises(VerificationError, match=r"^spki: A revoked key: "):
        engine.open_verifier(keys).check(b"data", (signature,))


def compressed(pair: KeyPair) -> bytes:
    """Return another way to write the public key of a pair of P-256."""
    loaded = serialization.load_der_public_key(pair.public_bytes)
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    point = loaded.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point


# -- all ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "frob", "ED25519", "gpg", "ed25519;spki", "keyed", "edwards"])
def test_unknown_engine_is_not_implemented(name: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        find_engine(name)
    assert str(caught.value) == "Requested signature type is not implemented"


def test_engines_stand_in_the_order_in_which_they_are_asked() -> None:
    assert tuple(engine.name for engine in all_engines()) == ENGINE_NAMES
    assert ENGINE_NAMES == ("ed25519", "spki", "dummy")


def test_readers_of_key_files_agree_with_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTREE_DUMMY_SIGN_ENABLED", "1")
    for pair in (ed25519_pair(), spki_pair("p256"), dummy_pair()):
        engine = find_engine(pair.engine)
        (secret,) = engine.read_secret_keys(pair.secret_file.encode())
        assert engine.parse_public_key(pair.public) == pair.public_bytes
        assert verify(pair.engine, pair.public_bytes, b"data", secret.sign(b"data")) == pair.said
        if pair.engine == "dummy":
            with pytest.raises(OstreeError, match=r"^not implemented"):
                engine.read_public_keys(pair.public_file.encode())
        else:
            assert list(engine.read_public_keys(pair.public_file.encode())) == [pair.public_bytes]
