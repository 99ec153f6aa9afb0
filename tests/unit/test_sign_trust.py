"""Which files give trusted and revoked keys, and what happens when one of them is no good."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pyostree.errors import (
    ConfigError,
    FormatError,
    NotFoundError,
    OstreeError,
    UnsupportedError,
    VerificationError,
    describe,
)
from pyostree.sign import trust
from pyostree.sign.engine import find_engine
from pyostree.sign.key_files import MAX_KEY_FILE_BYTES, KeyFileError, read_key_file
from pyostree.sign.trust import TrustedKeys, load_key_directories, load_key_file
from sign_lab import KeyPair, ed25519_pair, make_pair, spki_pair

ED25519, SPKI = find_engine("ed25519"), find_engine("spki")
KEYS = tuple(ed25519_pair(number).public_bytes for number in range(4))
LINES = tuple(ed25519_pair(number).public for number in range(4))
EMPTY_LINE = "Invalid base64 blob format"
SHORT = base64.b64encode(b"short").decode()
TOO_SHORT = (
    "ed25519: unable to read from NULL key-data input stream: "
    "Invalid ed25519 public key: Ill-formed input: expected 32 bytes, got 5 bytes"
)
NONE_LOADED = "signature: ed25519: no keys loaded"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A directory that may hold key files."""
    made = tmp_path / "base"
    made.mkdir()
    return made


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def load(base: Path) -> TrustedKeys:
    return load_key_directories(ED25519, str(base))


def error_of(action: Callable[[], object]) -> str:
    with pytest.raises((OstreeError, OSError)) as caught:
        action()
    return describe(caught.value)


# -- one file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"{LINES[0]}\n", 1),
        (LINES[0], 1),
        (f"{LINES[0]}\n{LINES[1]}", 2),
        (f"{LINES[0]}\r\n{LINES[1]}\r\n", 2),
        (f"  {LINES[0]} \n\t{LINES[1]}\n", 2),
        (f"{SHORT}\n{LINES[0]}\n", 1),
        (f"{LINES[0]}\n{SHORT}\n", 1),
        (f"# comments are lines as any other\n{LINES[0]}\n", 1),
        (f"\x00\n{LINES[0]}\n", 1),
        (f"é\n{LINES[0]}\n", 1),
    ],
)
def test_key_file_lines_are_keys(tmp_path: Path, content: str, expected: int) -> None:
    path = tmp_path / "keys"
    path.write_text(content, "utf-8", newline="")
    assert load_key_file(ED25519, str(path)).trusted == KEYS[:expected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n", EMPTY_LINE),
        (f"{LINES[0]}\n\n", EMPTY_LINE),
        (f"\n{LINES[0]}\n", EMPTY_LINE),
        (f"{LINES[0]}\n\n{LINES[1]}\n", EMPTY_LINE),
        (f"{SHORT}\n", TOO_SHORT),
        (f"{SHORT}\n{SHORT}\n", TOO_SHORT),
        ("", "signature: ed25519: no valid keys in file '{path}'"),
    ],
)
def test_key_file_without_sound_lines_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    assert error_of(lambda: load_key_file(ED25519, str(path))) == message.format(path=path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "signature: spki: no valid keys in file '{path}'"),
        ("only text\n", "signature: spki: no valid keys in file '{path}'"),
        ("{secret}", 'Unexpected label "PRIVATE KEY"'),
        ("{public}{secret}", 'Unexpected label "PRIVATE KEY"'),
        ("-----BEGIN EC PRIVATE KEY-----\n", 'Unexpected label "EC PRIVATE KEY"'),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "PEM trailer not found"),
        ("{public}-----BEGIN PUBLIC KEY-----\n", "PEM trailer not found"),
        ("-----BEGIN PUBLIC KEY-----\n-----END KEY-----\n", "Unmatched PEM header"),
        ("-----BEGIN PUBLIC KEY-----\n{public}", "PEM trailer not found"),
    ],
)
def test_pem_file_with_fault_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path, pair = tmp_path / "keys", spki_pair()
    path.write_text(content.format(public=pair.public_file, secret=pair.secret_file))
    assert error_of(lambda: load_key_file(SPKI, str(path))) == message.format(path=path)


def test_pem_file_may_hold_text_and_several_keys(tmp_path: Path) -> None:
    first, second = spki_pair("ed25519"), spki_pair("p256")
    indented = second.public_file.replace("\n", "  \r\n\n  ")
    path = tmp_path / "keys"
    path.write_text(f"of the build host\n{first.public_file}-- and another\n{indented}\n")
    keys = load_key_file(SPKI, str(path)).trusted
    assert keys == (first.public_bytes, second.public_bytes)


def test_dummy_keys_are_in_no_file(tmp_path: Path) -> None:
    path = write(tmp_path / "keys", "key")
    assert error_of(lambda: load_key_file(find_engine("dummy"), str(path))) == "not implemented"
    with pytest.raises(UnsupportedError):
        load_key_directories(find_engine("dummy"), str(tmp_path))


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "device", "dangling", "loop"])
def test_what_is_no_file_is_no_key_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "keys"
    match kind:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)  # nobody writes: opening it would wait for ever
        case "device":
            path.symlink_to("/dev/zero")
        case "dangling":
            path.symlink_to("nowhere")
        case "loop":
            path.symlink_to("keys")
    expected = f"File object '{path}' is not a regular file"
    assert error_of(lambda: load_key_file(ED25519, str(path))) == expected
    with pytest.raises(NotFoundError):
        read_key_file(str(path))


def test_key_file_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path / "real", LINES[0])
    (tmp_path / "keys").symlink_to("real")
    assert load_key_file(ED25519, str(tmp_path / "keys")).trusted == KEYS[:1]


def test_key_file_below_a_file_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "file", LINES[0]) / "keys"
    assert error_of(lambda: read_key_file(str(path))).endswith("is not a regular file")
    assert error_of(lambda: read_key_file("")) == "File object '' is not a regular file"


def test_huge_key_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.touch()
    os.truncate(path, MAX_KEY_FILE_BYTES + 1)
    assert error_of(lambda: read_key_file(str(path))).endswith("File too large")


def test_many_keys_in_one_file_are_all_there(tmp_path: Path) -> None:
    lines = [base64.b64encode(number.to_bytes(32, "big")).decode() for number in range(20_000)]
    keys = load_key_file(ED25519, str(write(tmp_path / "keys", *lines)))
    assert len(keys.usable()) == 20_000
    assert keys.usable()[0] == (19_999).to_bytes(32, "big")


# -- directories -------------------------------------------------------------------------------


def test_directories_give_files_and_their_parts(base: Path) -> None:
    write(base / "trusted.ed25519", LINES[0])
    write(base / "trusted.ed25519.d" / "any name", LINES[1])
    write(base / "trusted.ed25519.d" / ".hidden", LINES[2])
    write(base / "trusted.spki", LINES[3])
    found = load(base)
    assert set(found.usable()) == set(KEYS[:3])
    assert not found.revoked


def test_no_key_is_an_error(base: Path) -> None:
    for prepare in (
        lambda: None,
        lambda: (base / "trusted.ed25519.d").mkdir(),
        lambda: write(base / "trusted.ed25519"),
        lambda: write(base / "trusted.ed25519.d" / "empty"),
        lambda: write(base / "revoked.ed25519", LINES[0]),
    ):
        prepare()
        assert error_of(lambda: load(base)) == NONE_LOADED
    assert error_of(lambda: load(base / "missing")) == NONE_LOADED


def test_file_that_is_no_good_is_passed_over(base: Path) -> None:
    directory = base / "trusted.ed25519.d"
    write(directory / "a", LINES[0])
    write(directory / "b", SHORT)
    write(directory / "c", LINES[1], "", LINES[2])  # what comes before the fault stays
    (directory / "d").mkdir()
    (directory / "e").symlink_to("nowhere")
    os.mkfifo(directory / "f")
    assert set(load(base).usable()) == set(KEYS[:2])


def test_only_faulty_files_are_an_error(base: Path) -> None:
    write(base / "trusted.ed25519.d" / "c", LINES[1], "")
    assert error_of(lambda: load(base)) == NONE_LOADED


@pytest.mark.parametrize("place", ["revoked.ed25519", "revoked.ed25519.d/x"])
def test_revoked_key_is_never_used(base: Path, place: str) -> None:
    write(base / "trusted.ed25519", LINES[0], LINES[1])
    write(base / place, LINES[0])
    found = load(base)
    assert found.usable() == (KEYS[1],)
    assert found.with_key(KEYS[0]).usable() == (KEYS[1],)
    assert found.with_first((KEYS[0], KEYS[2])).usable() == (KEYS[1], KEYS[2])


def test_empty_file_of_revoked_keys_revokes_nothing(base: Path) -> None:
    write(base / "trusted.ed25519", LINES[0])
    write(base / "revoked.ed25519")
    write(base / "revoked.ed25519.d" / "none")
    assert load(base).usable() == KEYS[:1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: write(path, SHORT),
        lambda path: write(path, LINES[1], ""),
        lambda path: write(path, LINES[1], SHORT),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.mkdir(),
        os.mkfifo,
        lambda path: path.symlink_to(path.name),
    ],
)
@pytest.mark.parametrize("place", ["revoked.ed25519", "revoked.ed25519.d/x"])
def test_revoked_keys_that_cannot_be_told_are_an_error(
    base: Path, place: str, spoil: Callable[[Path], object]
) -> None:
    """The reference passes over such files, and so trusts what was to be revoked by them."""
    write(base / "trusted.ed25519", LINES[0])
    (base / place).parent.mkdir(exist_ok=True)
    spoil(base / place)
    assert error_of(lambda: load(base)).startswith(f"Reading revoked keys from {base / place}: ")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: write(path, LINES[0]),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path.name),
    ],
)
def test_directory_of_revoked_keys_that_is_none_is_an_error(
    base: Path, spoil: Callable[[Path], object]
) -> None:
    write(base / "trusted.ed25519", LINES[0])
    path = base / "revoked.ed25519.d"
    spoil(path)
    try:
        keys = load(base)
    except OstreeError as err:
        assert describe(err).startswith(f"Reading revoked keys from {path}")  # noqa: PT017
    else:
        assert not keys.usable()  # a file in its place is read as one


def test_ten_thousand_files_are_read_and_no_more(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trust._MAX_KEY_FILES == 10_000
    monkeypatch.setattr(trust, "_MAX_KEY_FILES", 100)
    directory = base / "trusted.ed25519.d"
    directory.mkdir()
    write(directory / "real", LINES[0])
    for number in range(99):
        os.link(directory / "real", directory / f"{number}")
    assert load(base).usable() == KEYS[:1]
    os.link(directory / "real", directory / "one more")
    with pytest.raises(ConfigError, match="More than 100 files in "):
        load(base)


# -- directories of the machine ----------------------------------------------------------------


@pytest.fixture
def machine(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Stand-ins for ``/etc/ostree`` and ``/usr/share/ostree``."""
    etc, share = base, tmp_path / "share"
    share.mkdir()
    monkeypatch.setattr(trust, "SYSTEM_DIRS", (str(etc), str(share)))
    return etc, share


def test_default_directories_are_those_of_the_reference() -> None:
    assert trust.SYSTEM_DIRS == ("/etc/ostree", "/usr/share/ostree")


def test_both_directories_of_the_machine_count(machine: tuple[Path, Path]) -> None:
    etc, share = machine
    write(etc / "trusted.ed25519", LINES[0])
    write(share / "trusted.ed25519.d" / "vendor", LINES[1])
    write(share / "revoked.ed25519", LINES[0])
    assert load_key_directories(ED25519).usable() == (KEYS[1],)


@pytest.mark.parametrize("engine", ["ed25519", "spki"])
def test_verifier_without_keys_asks_the_machine(machine: tuple[Path, Path], engine: str) -> None:
    first, second = make_pair(engine, 0), make_pair(engine, 1)
    etc, share = machine
    (etc / f"trusted.{engine}").write_text(first.public_file)
    found = find_engine(engine)

    def check(pair: KeyPair) -> str:
        signature = found.parse_secret_key(pair.secret).sign(b"data")
        return found.open_verifier(None).check(b"data", (signature,))

    assert check(first) == first.said
    with pytest.raises(VerificationError):
        check(second)
    (share / f"trusted.{engine}").write_text(second.public_file)
    (share / f"revoked.{engine}").write_text(first.public_file)
    assert check(second) == second.said
    with pytest.raises(VerificationError):
        check(first)
    (share / f"trusted.{engine}").unlink()
    (etc / f"trusted.{engine}").unlink()
    with pytest.raises(NotFoundError, match=f"signature: {engine}: no keys loaded"):
        check(first)


def test_verifier_with_keys_does_not_ask_the_machine(machine: tuple[Path, Path]) -> None:
    etc, _ = machine
    write(etc / "trusted.ed25519", LINES[0])
    signature = ED25519.parse_secret_key(ed25519_pair(0).secret).sign(b"data")
    for keys in (
        TrustedKeys(),
        TrustedKeys(KEYS[1:2]),
        TrustedKeys(KEYS[1:2], frozenset(KEYS[1:2])),
    ):
        with pytest.raises(VerificationError):
            ED25519.open_verifier(keys).check(b"data", (signature,))


def test_unsigned_data_does_not_even_ask(machine: tuple[Path, Path]) -> None:
    with pytest.raises(VerificationError, match="no signatures of my type"):
        ED25519.open_verifier(None).check(b"data", None)


def test_reader_errors_are_told_apart() -> None:
    with pytest.raises(KeyFileError):
        list(ED25519.read_secret_keys(b"\n"))
    with pytest.raises(FormatError) as caught:
        list(ED25519.read_secret_keys(b"AAAA\n"))
    assert not isinstance(caught.value, KeyFileError)
