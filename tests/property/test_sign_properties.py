"""Readers of keys and signatures: whatever they are given, an error of ours or an answer."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.errors import FormatError, OstreeError, VerificationError
from pyostree.formats.der_key import public_key_algorithm, secret_key_algorithm
from pyostree.formats.gvariant import Variant, lookup
from pyostree.formats.lenient_base64 import decode_lenient_base64
from pyostree.formats.pem import iter_pem
from pyostree.sign.detached import (
    decode_signatures,
    replace_signatures,
    signatures_under,
    with_signature,
)
from pyostree.sign.engine import find_engine
from pyostree.sign.trust import TrustedKeys, load_key_directories, load_key_file
from sign_lab import ed25519_pair, spki_pair

DATA = b"data"
ENGINES = ("ed25519", "spki")
_PAIRS = [ed25519_pair(), *(spki_pair(kind) for kind in ("ed25519", "ed448", "rsa2048", "p256"))]
_DER = [base64.b64decode(text) for pair in _PAIRS[1:] for text in (pair.secret, pair.public)]
_FILES = [text.encode() for pair in _PAIRS for text in (pair.secret_file, pair.public_file)]


@st.composite
def spoilt(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """Something that was sound, with a few bytes changed, lost or added."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, min(len(data), 60)))
        size = draw(st.integers(0, 3))
        data[position : position + size] = draw(st.binary(max_size=3))
    return bytes(data)


keys = st.one_of(st.binary(max_size=200), spoilt(_DER))
files = st.one_of(st.binary(max_size=400), spoilt(_FILES))


@given(files, st.sampled_from(ENGINES))
def test_key_files_give_keys_or_format_errors(content: bytes, name: str) -> None:
    engine = find_engine(name)
    with suppress(FormatError):
        for key in engine.read_public_keys(content):
            with suppress(FormatError):
                engine.check_public_key(key)
    with suppress(FormatError):
        for secret in engine.read_secret_keys(content):
            with suppress(FormatError):
                secret.sign(DATA)


@given(files, st.sampled_from(ENGINES))
def test_loading_gives_keys_or_our_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    base: Path = tmp_path_factory.getbasetemp() / "any"
    base.mkdir(exist_ok=True)
    for kind in ("trusted", "revoked"):
        (base / f"{kind}.{name}").write_bytes(content)
    engine = find_engine(name)
    with suppress(OstreeError):
        assert load_key_file(engine, str(base / f"trusted.{name}")).usable()
    with suppress(OstreeError):
        # The same keys are trusted and revoked.
        assert not load_key_directories(engine, str(base)).usable()


@given(keys, st.frozensets(keys, max_size=2), st.binary(max_size=80))
def test_any_spki_key_verifies_or_refuses(
    key: bytes, revoked: frozenset[bytes], signature: bytes
) -> None:
    verifier = find_engine("spki").open_verifier(TrustedKeys((key,), revoked))
    with pytest.raises(VerificationError):
        verifier.check(DATA, (signature,))


@given(keys)
def test_any_spki_secret_key_signs_or_refuses(key: bytes) -> None:
    secret = find_engine("spki").parse_secret_key(base64.b64encode(key).decode())
    with suppress(FormatError):
        assert secret.sign(DATA)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_no_signature_verifies_by_chance(key: bytes, signature: bytes) -> None:
    verifier = find_engine("ed25519").open_verifier(TrustedKeys((key,)))
    with pytest.raises(VerificationError):
        verifier.check(DATA, (signature,))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_signed_data_verifies(seed: bytes, data: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    engine = find_engine("ed25519")
    signature = engine.parse_secret_key(base64.b64encode(seed + public).decode()).sign(data)
    said = engine.open_verifier(TrustedKeys((public,))).check(data, (signature,))
    assert said.endswith(f"'{public.hex()}'")


@given(st.text(max_size=200), st.sampled_from(["ed25519", "spki"]))
def test_any_text_is_a_key_or_a_format_error(text: str, name: str) -> None:
    engine = find_engine(name)
    with suppress(FormatError):
        engine.parse_public_key(text)
    with suppress(FormatError):
        engine.parse_secret_key(text).sign(DATA)


@given(st.binary(max_size=100))
def test_base64_is_decoded_whatever_is_between(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert decode_lenient_base64(text) == data
    assert decode_lenient_base64("\r\n -é_".join(text)) == data


@given(st.text(alphabet="AQgw+/=\n -Zé\x7f", max_size=40))
def test_no_text_is_refused_as_base64(text: str) -> None:
    assert len(decode_lenient_base64(text)) <= len(text) // 4 * 3


@given(st.one_of(st.text(max_size=300), files.map(lambda data: data.decode("latin-1"))))
def test_pem_gives_blocks_or_format_errors(text: str) -> None:
    with suppress(FormatError):
        for block in iter_pem(text, "PUBLIC KEY"):
            assert isinstance(block, bytes)


@given(keys)
def test_der_has_an_algorithm_or_is_refused(data: bytes) -> None:
    for algorithm_of in (public_key_algorithm, secret_key_algorithm):
        with suppress(FormatError):
            algorithm_of(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_dictionary_of_signatures_or_none(data: bytes) -> None:
    for key in ("ostree.sign.ed25519", "ostree.gpgsigs"):
        signatures_under(decode_signatures(data), key)


_values = st.one_of(
    st.text(max_size=5).map(lambda text: Variant("s", text.replace("\0", ""))),
    st.lists(st.binary(max_size=5)).map(lambda items: Variant("aay", tuple(items))),
)
_names = st.text("abc.é", max_size=3)


@given(st.dictionaries(_names, _values), _names, st.binary(max_size=5))
def test_adding_a_signature_keeps_all_others(
    before: dict[str, Variant], key: str, signature: bytes
) -> None:
    had = signatures_under(tuple(before.items()), key) or ()
    after = with_signature(tuple(before.items()), key, signature)
    assert signatures_under(after, key) == (*had, signature)
    assert dict(after) == before | {key: Variant("aay", (*had, signature))}
    assert lookup(replace_signatures(after, (), key), key) is None
    assert dict(replace_signatures(after, (), key)) == {
        name: value for name, value in before.items() if name != key
    }
