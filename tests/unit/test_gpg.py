"""What GnuPG says is read strictly, and what it is handed is nothing but signatures."""

from __future__ import annotations

import base64
import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyostree.errors import FormatError, VerificationError
from pyostree.formats.openpgp import count_signatures, dearmor
from pyostree.sign.gpg.directory import directory_urls
from pyostree.sign.gpg.keyrings import Keyrings
from pyostree.sign.gpg.keys import parse_keys
from pyostree.sign.gpg.program import Output
from pyostree.sign.gpg.result import describe, require_valid, with_key
from pyostree.sign.gpg.status import (
    SignatureStatus,
    has_word,
    parse_import_count,
    parse_status,
)
from pyostree.sign.gpg.verifier import GpgVerifier

FPR = "5E65DE75AB1C501862D476347FCA23D8472CDAFA"
KEY_ID = FPR[-16:]
SUB_FPR = "CC47B2DFB520AEF231180725DF20F58B408DEA49"
NEW = "[GNUPG:] NEWSIG"
VALID = f"[GNUPG:] VALIDSIG {FPR} 2026-11-23 1795394208 0 4 0 1 10 00 {FPR}"
USER = "Ostree Tester <test@test.com>"
GOOD = f"[GNUPG:] GOODSIG {KEY_ID} {USER}"
# As recorded from GnuPG 2.2.40.
LISTING = f"""tru::1:1426600865:0:3:1:5
pub:-:2048:1:{KEY_ID}:1378780182:::u:::scESC::::::23::0:
fpr:::::::::{FPR}:
uid:-::::1378780182::EF96101C99A1751276401BDDE112962A4B3C847C::{USER}::::::::::0:
uid:-::::1378780182::00::Odd\\x3a \\x1b[2J (her) <odd@test.com>::::::::::0:
sub:-:2048:1:DF20F58B408DEA49:1378780182:1378780183:::::e::::::23:
fpr:::::::::{SUB_FPR}:
""".split("\n")
SIGNATURE_PACKET = b"\xc2\x03abc"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([NEW, GOOD, VALID], {"is_valid": True}),
        ([NEW, f"[GNUPG:] EXPSIG {KEY_ID} {USER}", VALID], {"is_expired": True}),
        ([NEW, f"[GNUPG:] EXPKEYSIG {KEY_ID} {USER}", VALID], {"is_key_expired": True}),
        ([NEW, f"[GNUPG:] REVKEYSIG {KEY_ID} {USER}", VALID], {"is_key_revoked": True}),
    ],
    ids=["good", "expired", "key expired", "key revoked"],
)
def test_status_with_key_gives_one_verdict(lines: list[str], expected: dict[str, bool]) -> None:
    assert parse_status(lines) == (
        SignatureStatus(
            fingerprint=FPR,
            primary=FPR,
            timestamp=1795394208,
            pubkey_algo=1,
            hash_algo=10,
            **expected,
        ),
    )


@pytest.mark.parametrize(
    "lines",
    [
        [NEW, f"[GNUPG:] BADSIG {KEY_ID} {USER}"],
        [NEW, f"[GNUPG:] BADSIG {KEY_ID} {USER}", VALID],
        [NEW, GOOD],
        [NEW, VALID],
        [NEW],
        [NEW, "[GNUPG:] GOODSIG", VALID],
        [NEW, GOOD, GOOD, VALID],
        [NEW, GOOD, f"[GNUPG:] BADSIG {KEY_ID} {USER}", VALID],
        [NEW, GOOD, VALID, VALID],
        [NEW, GOOD, VALID.replace(" 00 ", " 10 ")],
        [NEW, GOOD.replace(KEY_ID, "D8228CFECA950D41"), VALID],
        [NEW, GOOD, NEW, VALID],
        [NEW, GOOD, f"[GNUPG:] VALIDSIG {FPR} 2026-11-23"],
    ],
    ids=[
        "bad", "bad and valid", "no details", "no verdict", "nothing", "no key", "good twice",
        "good and bad", "valid twice", "certification", "another key", "split", "short",
    ],
)  # fmt: skip
def test_status_of_anything_else_is_not_valid(lines: list[str]) -> None:
    assert not any(signature.is_valid for signature in parse_status(lines))
    assert len(parse_status(lines)) == lines.count(NEW) - (lines[-1] == NEW)
    assert has_word(lines, "NEWSIG")


def test_status_words_outside_of_status_lines_and_groups_do_not_count() -> None:
    assert parse_status([GOOD, VALID]) == ()
    assert parse_status([NEW, f"gpg: {GOOD}", f" {VALID}", NEW]) == (SignatureStatus(),)
    assert not has_word([GOOD, VALID, f" {NEW}", "[GNUPG:] NEWSIGNATURE"], "NEWSIG")


def test_status_of_missing_key_names_it() -> None:
    lines = [NEW, f"[GNUPG:] ERRSIG {KEY_ID} 1 10 00 1795394208 9 {FPR}"]
    (found,) = parse_status([*lines, f"[GNUPG:] NO_PUBKEY {KEY_ID}"])
    assert found == SignatureStatus(
        is_key_missing=True, fingerprint=FPR, timestamp=1795394208, pubkey_algo=1, hash_algo=10
    )
    other = parse_status([NEW, f"[GNUPG:] ERRSIG {KEY_ID} 99 10 00 1795394208 4 -"])
    assert not other[0].is_key_missing
    assert not other[0].is_valid


@given(st.lists(st.sampled_from([NEW, GOOD, VALID, f"[GNUPG:] BADSIG {KEY_ID} x"]), max_size=8))
def test_status_in_any_order_is_valid_only_for_one_good_and_one_valid(lines: list[str]) -> None:
    groups: list[list[str]] = []
    for line in lines:
        if line == NEW:
            groups.append([])
        elif groups:
            groups[-1].append(line)
    if groups and not groups[-1]:
        del groups[-1]
    expected = [sorted(group) == sorted([GOOD, VALID]) for group in groups]
    assert [one.is_valid for one in parse_status(lines)] == expected


def test_import_counts_new_keys() -> None:
    line = "[GNUPG:] IMPORT_RES 3 0 2 0 1 0 0 0 0 0 0 0 0 0 0"
    assert parse_import_count(["x", line]) == (3, 2)
    assert parse_import_count([]) == (0, 0)


def test_keys_have_subkeys_and_users() -> None:
    (key,) = parse_keys(LISTING)
    assert [one.fingerprint for one in key.subkeys] == [FPR, SUB_FPR]
    assert key.subkeys[1].expires == 1378780183
    assert (key.user_ids[0].name, key.user_ids[0].email) == ("Ostree Tester", "test@test.com")
    assert key.user_ids[1].text == "Odd: \\x1b[2J (her) <odd@test.com>"
    assert (key.user_ids[1].name, key.user_ids[1].email) == ("Odd: \\x1b[2J", "odd@test.com")


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        ("\x9b2J", "\\x9b2J"),
        ("\\xc2\\x9b2J\\x85", "\\x9b2J\ufffd"),
        ("\x80\x9f\xa0", "\\x80\\x9f\xa0"),
        ("a\u202eb\u202ac\u2066d\u2069", "a\\u202eb\\u202ac\\u2066d\\u2069"),
        ("\\x0a\\x7f\u2028\x07", "\\x0a\\x7f\\u2028\\x07"),
        ("Jörg Ærøsund 山田 שלום\u200f 😀 e\u0301", None),
        ("back\\x5cslash", "back\\slash"),
    ],
)
def test_user_ids_do_not_command_who_prints_them(listed: str, shown: str | None) -> None:
    (key,) = parse_keys([line.replace("Ostree Tester", listed) for line in LISTING])
    name = listed if shown is None else shown
    assert key.user_ids[0].text == f"{name} <test@test.com>"
    assert key.user_ids[0].name == name
    status = SignatureStatus(is_valid=True, fingerprint=FPR)
    assert f'Good signature from "{name} <test@test.com>"' in describe(with_key(status, [key]))


def test_complaints_do_not_command_who_prints_them() -> None:
    output = Output(2, b"", "gpg: x\ngpg: \x9b2J\x1b[2J\u202e of Jörg\n")
    assert output.reason == "\\x9b2J\\x1b[2J\\u202e of Jörg"


def test_description_of_signature_by_expired_subkey(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    status = SignatureStatus(
        is_key_expired=True, fingerprint=SUB_FPR, timestamp=1378780180, pubkey_algo=1
    )
    assert describe(with_key(status, parse_keys(LISTING)), "> ") == (
        "> Signature made Tue Sep 10 02:29:40 2013 using RSA key ID DF20F58B408DEA49\n"
        '> BAD signature from "Ostree Tester <test@test.com>"\n'
        "> Primary key ID 7FCA23D8472CDAFA\n"
        "> Key expired Tue Sep 10 02:29:43 2013\n"
    )
    monkeypatch.undo()
    time.tzset()


def test_description_of_unknown_time_says_so() -> None:
    status = SignatureStatus(fingerprint=FPR, timestamp=1 << 70)
    assert describe(with_key(status, ())) == (
        f"Can't check signature: timestamp {1 << 70} is invalid\n"
    )


def test_no_signature_is_no_valid_one() -> None:
    with pytest.raises(VerificationError, match="No GPG signatures found"):
        require_valid(())


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"", 0),
        (SIGNATURE_PACKET * 3, 3),
        (b"\x88\x02ab\x89\x00\x01a\x8a\x00\x00\x00\x01a", 3),
        (b"\xc2\xc0\x00" + bytes(192), 1),
        (b"\xc2\xff\x00\x00\x00\x02ab", 1),
    ],
    ids=["none", "new", "old", "two octets", "five octets"],
)
def test_signature_packets_are_counted(data: bytes, count: int) -> None:
    assert count_signatures(data) == count


@pytest.mark.parametrize(
    "data",
    [
        b"text",
        SIGNATURE_PACKET + b"\xcb\x02ab",  # literal data: a message with content of its own
        b"\xc4\x02ab",  # one-pass signature
        b"\xc8\x02ab",  # compressed
        SIGNATURE_PACKET[:-1],
        b"\xc2",
        b"\xc2\xe0" + bytes(1),
        b"\x8bab",
    ],
    ids=["text", "literal", "one-pass", "compressed", "cut", "head", "partial", "indefinite"],
)
def test_anything_but_signature_packets_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        count_signatures(data)
    with GpgVerifier(Keyrings()) as verifier, pytest.raises(VerificationError, match="No data"):
        verifier.verify(b"data", [data])


@given(st.binary(max_size=64))
def test_counting_any_bytes_raises_only_format_error(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        count_signatures(dearmor(data))


def test_armor_is_taken_off() -> None:
    body = base64.b64encode(SIGNATURE_PACKET).decode()
    begin, end = "-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
    text = f"{begin}\nComment: x\n\n{body}\n=abcd\n{end}\n"
    assert dearmor(text.encode()) == SIGNATURE_PACKET
    for broken in (text.replace(end, ""), text.replace(body, "!"), text.replace("\n\n", "\n")):
        with pytest.raises(FormatError):
            dearmor(broken.encode())


def test_too_many_signatures_are_refused() -> None:
    with GpgVerifier(Keyrings()) as verifier, pytest.raises(VerificationError, match="More than"):
        verifier.verify(b"data", [SIGNATURE_PACKET * 1001])


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("alice.smith", "9mipdp63xxmi9kqj58xdkyge9gr9jwfq"),
        ("bob", "jycbiujnsxs47xrkethgtj69xuunurok"),
    ],
)
def test_key_directory_hash(local: str, expected: str) -> None:
    urls = directory_urls(f"{local}@Example.org")
    assert urls.advanced == (
        f"https://openpgpkey.Example.org/.well-known/openpgpkey/example.org/hu/{expected}?l={local}"
    )
    assert urls.direct == f"https://Example.org/.well-known/openpgpkey/hu/{expected}?l={local}"


@pytest.mark.parametrize("address", ["x", "@x", "x@", "a@b@c"])
def test_key_directory_of_no_address(address: str) -> None:
    with pytest.raises(FormatError, match="Invalid email address"):
        directory_urls(address)
