"""What every way to sign must pass: a class of tests, and one subclass for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar

import pytest

from gpg_lab import KEYS, GpgHome, gpg_home
from pyostree.errors import OstreeError, VerificationError
from pyostree.formats.gvariant import Variant, lookup
from pyostree.sign.detached import (
    add_signature,
    check_signed,
    decode_signatures,
    signatures_under,
)
from pyostree.sign.engine import SecretKey, Verifier, find_engine
from pyostree.sign.gpg.keyrings import Keyrings
from pyostree.sign.gpg.result import NO_SIGNATURES
from pyostree.sign.gpg.signer import GpgKey
from pyostree.sign.gpg.verifier import GpgVerifier
from pyostree.sign.trust import TrustedKeys
from sign_lab import SPKI_KINDS, KeyPair, dummy_pair, ed25519_pair, spki_pair

DATA = b"the bytes of a commit object"
OTHER_DATA = b"the bytes of another one"
_MADE: dict[type, dict[tuple[int, bytes], bytes]] = {}  # making some of them takes long
FOREIGN = {"ostree.sign.strange": Variant("aay", (b"kept",)), "note": Variant("s", "kept")}


class SignatureContract:
    """The rules; keys have numbers, 0 is trusted where nothing else is said."""

    metadata_key: ClassVar[str]
    no_list: ClassVar[str]
    empty_list: ClassVar[str]

    def key(self, number: int) -> SecretKey:
        """Return a secret key."""
        raise NotImplementedError

    def open_verifier(self, *numbers: int) -> Verifier:
        """Return what trusts the public halves of these keys."""
        raise NotImplementedError

    def accepted(self, number: int) -> str:
        """Return how that begins what is said of a good signature."""
        raise NotImplementedError

    def refused(self, count: int) -> str:
        """Return how that begins what is said of this many signatures by keys that do not count."""
        raise NotImplementedError

    # -- helpers -------------------------------------------------------------------------

    def sign(self, *numbers: int, data: bytes = DATA) -> tuple[bytes, ...]:
        return tuple(self._sign(number, data) for number in numbers)

    def _sign(self, number: int, data: bytes) -> bytes:
        known = _MADE.setdefault(type(self), {})
        if (number, data) not in known:
            known[number, data] = self.key(number).sign(data)
        return known[number, data]

    def check(self, signatures: tuple[bytes, ...] | None, *numbers: int, data: bytes = DATA) -> str:
        with closing(self.open_verifier(*(numbers or (0,)))) as verifier:
            return verifier.check(data, signatures)

    def refusal(self, signatures: tuple[bytes, ...] | None, *numbers: int) -> str:
        with pytest.raises(VerificationError) as caught:
            self.check(signatures, *numbers)
        return str(caught.value)

    # -- the rules -----------------------------------------------------------------------

    def test_signature_by_trusted_key_is_good(self) -> None:
        assert self.check(self.sign(0)).startswith(self.accepted(0))

    def test_key_and_verifier_name_the_same_place(self) -> None:
        with closing(self.open_verifier(0)) as verifier:
            assert self.key(0).metadata_key == verifier.metadata_key == self.metadata_key

    def test_verifier_is_asked_twice_answers_twice(self) -> None:
        with closing(self.open_verifier(0)) as verifier:
            good = self.sign(0)
            assert verifier.check(DATA, good) == verifier.check(DATA, good)
            with pytest.raises(VerificationError):
                verifier.check(DATA, self.sign(1))
            verifier.check(DATA, good)

    def test_signature_by_other_key_is_refused(self) -> None:
        assert self.refusal(self.sign(1)).startswith(self.refused(1))

    def test_key_among_other_trusted_ones_counts(self) -> None:
        assert self.check(self.sign(0), 1, 0).startswith(self.accepted(0))

    def test_two_signers_one_trusted_is_good(self) -> None:
        assert self.accepted(0) in self.check(self.sign(1, 0))
        assert self.accepted(0) in self.check(self.sign(0, 1))

    def test_two_signers_none_trusted_is_refused(self) -> None:
        assert self.refusal(self.sign(1, 1)).startswith(self.refused(2))

    def test_no_list_is_refused(self) -> None:
        assert self.refusal(None) == self.no_list

    def test_empty_list_is_refused(self) -> None:
        assert self.refusal(()) == self.empty_list

    @pytest.mark.parametrize(
        "spoil", [lambda s: s[:-1], lambda s: s[1:], lambda s: b"", lambda s: s[:1]]
    )
    def test_truncated_signature_is_refused(self, spoil: object) -> None:
        assert callable(spoil)
        assert self.refusal((spoil(self.sign(0)[0]),))

    def test_extended_signature_is_refused(self) -> None:
        good = self.sign(0)[0]
        assert self.refusal((good + b"\0",))
        assert self.refusal((b"\0" + good,))

    def test_flipped_bit_is_refused(self) -> None:
        # Not every bit of an OpenPGP packet is signed: those at its end are the signature itself.
        for position in (-1, -9, -20):
            spoilt = bytearray(self.sign(0)[0])
            spoilt[max(position, -len(spoilt))] ^= 1
            assert self.refusal((bytes(spoilt),))

    # -- dictionaries --------------------------------------------------------------------

    def test_added_signature_is_found_and_others_survive(self) -> None:
        first = self.sign(1)
        before = (*FOREIGN.items(), (self.metadata_key, Variant("aay", first)))
        after = add_signature(self.key(0), DATA, before)
        assert {key: lookup(after, key) for key in FOREIGN} == FOREIGN
        found = signatures_under(after, self.metadata_key)
        assert found is not None
        assert len(found) == 2
        assert found[:1] == first
        with closing(self.open_verifier(0)) as verifier:
            assert self.accepted(0) in check_signed(verifier, DATA, after)

    @pytest.mark.parametrize(
        "value",
        [
            Variant("as", ("text",)),
            Variant("ay", b"bytes"),
            Variant("s", "text"),
            Variant("v", Variant("aay", (b"bytes",))),
            Variant("av", ()),
        ],
        ids=lambda value: value.type,
    )
    def test_value_of_other_type_is_no_list(self, value: Variant) -> None:
        with (
            closing(self.open_verifier(0)) as verifier,
            pytest.raises(VerificationError) as caught,
        ):
            check_signed(verifier, DATA, ((self.metadata_key, value),))
        assert str(caught.value) == self.no_list
        # Nor does it keep a signature from being added.
        after = add_signature(self.key(0), DATA, ((self.metadata_key, value),))
        assert len(signatures_under(after, self.metadata_key) or ()) == 1

    def test_no_metadata_is_no_list(self) -> None:
        with closing(self.open_verifier(0)) as verifier:
            for metadata in (None, (), decode_signatures(b"garbage"), tuple(FOREIGN.items())):
                with pytest.raises(VerificationError) as caught:
                    check_signed(verifier, DATA, metadata)
                assert str(caught.value) == self.no_list

    def test_good_signature_under_other_name_does_not_count(self) -> None:
        signed = add_signature(self.key(0), DATA, ())
        renamed = tuple((f"{key}x", value) for key, value in signed)
        with closing(self.open_verifier(0)) as verifier, pytest.raises(VerificationError):
            check_signed(verifier, DATA, renamed)


class BoundToDataContract(SignatureContract):
    """More rules, for all but the engine for tests."""

    def foreign_signature(self) -> bytes:
        """Return a signature that another engine has made."""
        return ed25519_key(0).sign(DATA)

    def test_signature_of_other_data_is_refused(self) -> None:
        replayed = self.sign(0, data=OTHER_DATA)
        assert self.check(replayed, data=OTHER_DATA)
        assert self.refusal(replayed)
        with pytest.raises(VerificationError):
            self.check(self.sign(0), data=DATA + b"\0")
        with pytest.raises(VerificationError):
            self.check(self.sign(0), data=b"")

    def test_empty_data_can_be_signed(self) -> None:
        assert self.check(self.sign(0, data=b""), data=b"").startswith(self.accepted(0))

    def test_signature_of_other_engine_is_refused(self) -> None:
        assert self.refusal((self.foreign_signature(),))


class KeyedContract(BoundToDataContract):
    """More rules, for engines whose keys are plain bytes."""

    engine_name: ClassVar[str]

    def pair(self, number: int) -> KeyPair:
        """Return a pair of keys."""
        raise NotImplementedError

    def key(self, number: int) -> SecretKey:
        return find_engine(self.engine_name).parse_secret_key(self.pair(number).secret)

    def open_verifier(self, *numbers: int) -> Verifier:
        return self.open_with(TrustedKeys(tuple(self.pair(n).public_bytes for n in numbers)))

    def open_with(self, keys: TrustedKeys) -> Verifier:
        return find_engine(self.engine_name).open_verifier(keys)

    def accepted(self, number: int) -> str:
        return self.pair(number).said

    def refused(self, count: int) -> str:
        named = "; ".join([f"key '{self.pair(0).public_bytes.hex()}'"] * count)
        return f"{self.engine_name}: Signature couldn't be verified with: {named}"

    def test_texts_are_exact(self) -> None:
        assert self.check(self.sign(0)) == self.accepted(0)
        assert self.refusal(self.sign(1)) == self.refused(1)
        assert self.refusal(self.sign(1, 1, 1)) == self.refused(3)
        tried = f"{self.engine_name}: Signature couldn't be verified; tried 4 keys"
        assert self.refusal(self.sign(1, 1, 1, 1)) == tried
        assert self.refusal(self.sign(1, 1), 0, 2) == tried

    def test_keys_are_tried_last_loaded_first(self) -> None:
        first, second = (self.pair(number).public_bytes.hex() for number in (2, 0))
        expected = f"couldn't be verified with: key '{first}'; key '{second}'"
        assert self.refusal(self.sign(1), 0, 2).endswith(expected)

    def test_same_key_twice_counts_once(self) -> None:
        assert self.refusal(self.sign(1), 0, 0) == self.refused(1)

    def test_revoked_key_never_counts(self) -> None:
        public = [self.pair(number).public_bytes for number in (0, 1)]
        for trusted in (public, public[::-1]):
            keys = TrustedKeys(tuple(trusted), frozenset(public[:1]))
            with closing(self.open_with(keys)) as verifier:
                with pytest.raises(VerificationError) as caught:
                    verifier.check(DATA, self.sign(0))
                named = f"{self.engine_name}: Signature couldn't be verified with: key "
                assert str(caught.value) == f"{named}'{public[1].hex()}'"
                assert verifier.check(DATA, self.sign(0, 1)) == self.accepted(1)

    def test_all_keys_revoked_is_refused(self) -> None:
        public = self.pair(0).public_bytes
        with closing(self.open_with(TrustedKeys((public,), frozenset([public])))) as verifier:
            for signatures in (self.sign(0), (b"short",)):
                with pytest.raises(VerificationError) as caught:
                    verifier.check(DATA, signatures)
                assert str(caught.value) == f"{self.engine_name}: no signatures found"

    def test_garbage_after_good_one_does_not_matter(self) -> None:
        assert self.check((*self.sign(0), b"garbage")) == self.accepted(0)

    def test_too_many_attempts_are_refused(self) -> None:
        with closing(self.open_verifier(0, 1)) as verifier:
            with pytest.raises(VerificationError, match="More than 100000 signatures times keys"):
                verifier.check(DATA, (b"x",) * 50_001)
            with pytest.raises(VerificationError, match="More than 100000"):
                verifier.check(DATA, (*self.sign(0), *(b"x",) * 50_001))

    def test_large_data_are_not_hashed_thousands_of_times(self) -> None:
        large = bytes(4 << 20)
        refused = pytest.raises(VerificationError, match="1026 signatures times keys are too many")
        with closing(self.open_verifier(0, 1)) as verifier, refused:
            verifier.check(large, (b"x" * 64,) * 513)


def ed25519_key(number: int) -> SecretKey:
    return find_engine("ed25519").parse_secret_key(ed25519_pair(number).secret)


class TestEd25519(KeyedContract):
    engine_name = "ed25519"
    metadata_key = "ostree.sign.ed25519"
    no_list = "ed25519: commit have no signatures of my type"
    empty_list = "ed25519: no signatures found"

    def pair(self, number: int) -> KeyPair:
        return ed25519_pair(number)

    def foreign_signature(self) -> bytes:
        return find_engine("spki").parse_secret_key(spki_pair("rsa2048").secret).sign(DATA)

    @pytest.mark.parametrize("size", [0, 1, 63, 65, 128])
    def test_signature_of_wrong_length_is_fatal(self, size: int) -> None:
        expected = f"Invalid signature: Ill-formed input: expected 64 bytes, got {size} bytes"
        assert self.refusal((bytes(size),)) == expected
        assert self.refusal((bytes(size), *self.sign(0))) == expected

    def test_garbage_of_right_length_before_good_one_does_not_matter(self) -> None:
        assert self.check((bytes(64), *self.sign(0))) == self.accepted(0)


class _SpkiContract(KeyedContract):
    engine_name = "spki"
    metadata_key = "ostree.sign.spki"
    no_list = "spki: commit have no signatures of my type"
    empty_list = "spki: no signatures found"
    kind: ClassVar[str]

    def pair(self, number: int) -> KeyPair:
        return spki_pair(self.kind, number)

    def test_garbage_before_good_one_does_not_matter(self) -> None:
        for garbage in (b"", b"garbage", bytes(64)):
            assert self.check((garbage, *self.sign(0))) == self.accepted(0)


class TestSpkiEd25519(_SpkiContract):
    kind = "ed25519"

    def foreign_signature(self) -> bytes:
        return b"\x88\x75\x04\x00\x16\x08\x00\x1d"  # as a packet of OpenPGP begins


class TestSpkiEd448(_SpkiContract):
    kind = "ed448"


class TestSpkiRsa(_SpkiContract):
    kind = "rsa2048"


class TestSpkiP256(_SpkiContract):
    kind = "p256"


class TestSpkiP384(_SpkiContract):
    kind = "p384"


class TestSpkiP521(_SpkiContract):
    kind = "p521"


def test_every_kind_of_key_has_its_class() -> None:
    kinds = {one.kind for one in _SpkiContract.__subclasses__()}
    assert kinds | {"rsa4096"} == set(SPKI_KINDS)


class TestDummy(SignatureContract):
    metadata_key = "ostree.sign.dummy"
    no_list = "signature: dummy: commit have no signatures of my type"
    empty_list = "signature: dummy: no signatures"

    @pytest.fixture(autouse=True)
    def _allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OSTREE_DUMMY_SIGN_ENABLED", "1")

    def key(self, number: int) -> SecretKey:
        return find_engine("dummy").parse_secret_key(dummy_pair(number).secret)

    def open_verifier(self, *numbers: int) -> Verifier:
        keys = tuple(dummy_pair(number).public_bytes for number in numbers)
        return find_engine("dummy").open_verifier(TrustedKeys(keys))

    def accepted(self, number: int) -> str:
        return "dummy: Signature verified"

    def refused(self, count: int) -> str:
        return f"signature: dummy: incorrect signatures found: {count}"

    def test_only_the_last_key_counts(self) -> None:
        assert self.refusal(self.sign(0), 0, 1) == self.refused(1)

    def test_empty_key_never_counts(self) -> None:
        verifier = find_engine("dummy").open_verifier(TrustedKeys((b"",)))
        with pytest.raises(VerificationError) as caught:
            verifier.check(DATA, (b"",))
        assert str(caught.value) == self.refused(1)

    @pytest.mark.parametrize("value", [None, "", "0", "true", "11", " 1"])
    def test_without_leave_nothing_is_good(
        self, monkeypatch: pytest.MonkeyPatch, value: str | None
    ) -> None:
        key, good, verifier = self.key(0), self.sign(0), self.open_verifier(0)
        monkeypatch.delenv("OSTREE_DUMMY_SIGN_ENABLED")
        if value is not None:
            monkeypatch.setenv("OSTREE_DUMMY_SIGN_ENABLED", value)
        for attempt in (
            lambda: verifier.check(DATA, good),
            lambda: key.sign(DATA),
            lambda: self.key(0),
        ):
            with pytest.raises(OstreeError) as caught:
                attempt()
            assert str(caught.value) == "dummy signature type is only for ostree testing"


class TestGpg(BoundToDataContract):
    metadata_key = "ostree.gpgsigs"
    no_list = NO_SIGNATURES
    empty_list = "Unable to complete signature verification: GPGME: No data"

    home: GpgHome

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _home(cls) -> Iterator[None]:
        with gpg_home() as cls.home:
            yield

    def key(self, number: int) -> SecretKey:
        return GpgKey(KEYS[number], str(self.home.path))

    def open_verifier(self, *numbers: int) -> Verifier:
        wanted = self.home.run("--export", *(KEYS[number] for number in numbers))
        return GpgVerifier(Keyrings(streams=(wanted,)))

    def accepted(self, number: int) -> str:
        return "Signature made "

    def refused(self, count: int) -> str:
        return "Signature made "

    def test_other_key_is_missing(self) -> None:
        assert self.refusal(self.sign(1)).endswith("Can't check signature: public key not found")

    def test_garbage_beside_good_one_is_refused(self) -> None:
        assert self.refusal((*self.sign(0), b"garbage")) == self.empty_list
        assert self.refusal((b"garbage", *self.sign(0))) == self.empty_list
