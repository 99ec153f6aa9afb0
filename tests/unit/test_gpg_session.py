"""One gpg for many signatures: it confirms what is plainly good, and leaves the rest to others."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpg_lab import KEYS, GpgHome
from pyostree.formats.openpgp import encode_literal
from pyostree.fs.dir import Dir
from pyostree.fs.tempdir import private_directory
from pyostree.sign.gpg.keyrings import Keyrings
from pyostree.sign.gpg.program import KEYRING, start_private
from pyostree.sign.gpg.session import Session
from pyostree.sign.gpg.status import confirmed_statuses
from pyostree.sign.gpg.verifier import GpgVerifier

FPR = "5E65DE75AB1C501862D476347FCA23D8472CDAFA"
KEY_ID = FPR[-16:]
START = "[GNUPG:] FILE_START 1 message-7"
NEW = "[GNUPG:] NEWSIG test@test.com"
GOOD = f"[GNUPG:] GOODSIG {KEY_ID} Ostree Tester <test@test.com>"
VALID = f"[GNUPG:] VALIDSIG {FPR} 2026-11-23 1795394208 0 4 0 1 10 00 {FPR}"
MISSING = f"[GNUPG:] ERRSIG {KEY_ID} 1 10 00 1795394208 9 {FPR}"
BAD = f"[GNUPG:] BADSIG {KEY_ID} Ostree Tester <test@test.com>"
END = "[GNUPG:] FILE_DONE"
FINE = [START, NEW, GOOD, VALID, END]
DATA = b"a commit\nof two lines\r\n"


def confirm(lines: list[str], count: int = 1) -> list[bool]:
    return [one.is_valid for one in confirmed_statuses(lines, "message-7", count)]


def test_all_good_or_unknown_is_confirmed() -> None:
    assert confirm(FINE) == [True]
    assert confirm(["[GNUPG:] KEY_CONSIDERED x 0", *FINE][1:]) == [True]
    assert confirm([START, NEW, GOOD, VALID, NEW, MISSING, END], 2) == [True, False]


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (FINE[1:], 1),
        (FINE[:-1], 1),
        ([], 1),
        ([START.replace("7", "6"), *FINE[1:]], 1),
        ([START + " x", *FINE[1:]], 1),
        ([*FINE[:-1], START, END], 1),
        ([START, END, NEW, GOOD, VALID, END], 1),
        ([NEW, GOOD, VALID, *FINE], 2),
        ([*FINE, NEW, GOOD, VALID], 2),
        (FINE, 2),
        (FINE, 0),
        ([START, NEW, GOOD, VALID, NEW, BAD, END], 2),
        ([START, NEW, MISSING, END], 1),
        ([START, NEW, GOOD, VALID.replace(" 00 ", " 10 "), END], 1),
        ([START, NEW, GOOD, "[GNUPG:] NODATA 4", VALID, END], 1),
        ([START, NEW, GOOD, VALID, "[GNUPG:] FAILURE gpg-exit 33554433", END], 1),
        ([START, NEW, GOOD, VALID, "[GNUPG:] UNEXPECTED 0", END], 1),
    ],
    ids=[
        "no start", "no end", "nothing", "another file", "more of a name", "two files",
        "end twice", "before the start", "after the end", "too few", "too many", "bad beside it",
        "unknown only", "certification", "no data", "failure", "unexpected",
    ],
)  # fmt: skip
def test_anything_else_is_not_confirmed(lines: list[str], count: int) -> None:
    assert confirm(lines, count) == []


@given(
    st.lists(st.sampled_from([START, NEW, GOOD, VALID, MISSING, BAD, END, "x"]), max_size=7),
    st.integers(0, 2),
)
def test_what_is_confirmed_stands_alone_between_start_and_end(lines: list[str], count: int) -> None:
    if any(confirm(lines, count)):
        said = [line for line in lines if line != "x"]
        assert (said[0], said[-1], said.count(START), said.count(END)) == (START, END, 1, 1)
        assert BAD not in said
        assert said.count(NEW) == count == said.count(GOOD) + said.count(MISSING)


@pytest.fixture(scope="module")
def signatures(keys: GpgHome) -> dict[str, bytes]:
    """Signatures of `DATA` but for those whose name says otherwise."""

    def sign(key: int, *words: str, data: bytes = DATA) -> bytes:
        return keys.run(f"--local-user={KEYS[key]}", *words, "--detach-sign", stdin=data)

    return {
        "good": sign(0),
        "good too": sign(0, "--digest-algo=SHA512"),
        "second": sign(1, "--digest-algo=SHA512"),
        "second, other digest": sign(1, "--digest-algo=SHA224"),
        "unknown": sign(2),
        "of text": sign(0, "--textmode"),
        "ended": sign(0, "--faked-system-time=20200101T000000!", "--default-sig-expire=1d"),
        "of other data": sign(0, data=b"another commit"),
    }


@pytest.fixture
def keyrings(keys: GpgHome) -> Keyrings:
    """The first two keys."""
    return Keyrings((keys.run("--export", *KEYS[:2]),))


LISTS = [
    ["good"], ["good", "second"], ["good", "good too"], ["good", "second, other digest"],
    ["good", "unknown"], ["unknown", "good"], ["unknown"], ["of text"], ["good", "of text"],
    ["ended"], ["good", "ended"], ["ended", "good"], ["of other data"], ["good", "of other data"],
    ["of other data", "good"],
]  # fmt: skip


@pytest.mark.parametrize("names", LISTS, ids=" + ".join)
def test_the_outcome_is_the_same_at_first_and_later(
    keyrings: Keyrings, signatures: dict[str, bytes], names: list[str]
) -> None:
    """The first is verified by a process of its own, later ones by the one that stays."""
    entries = [signatures[name] for name in names]
    with GpgVerifier(keyrings) as verifier:
        first = verifier.verify(DATA, entries)
        again = [verifier.verify(DATA, entries) for _ in range(2)]
        good = verifier.verify(DATA, [signatures["good"]])
    assert again == [first, first]
    assert [one.is_valid for one in good] == [True]
    expected = not {"of other data", "ended", "unknown"} & {names[0]} or names == LISTS[5]
    assert any(one.is_valid for one in first) == expected


def test_each_answer_belongs_to_its_question(
    keyrings: Keyrings, signatures: dict[str, bytes]
) -> None:
    """Good and bad in turn, also where a bad one has ended the process that knew the good one."""
    with GpgVerifier(keyrings) as verifier:
        for number in range(12):
            name = "of other data" if number % 3 == 2 else "good"
            (found,) = verifier.verify(DATA, [signatures[name]])
            assert found.is_valid == (name == "good")
            assert verifier.verify(DATA, [signatures["second"]])[0].is_valid


def test_one_process_serves_all_after_the_first(
    keyrings: Keyrings, signatures: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = []

    def counted(home: Dir, arguments: list[str]) -> object:
        starts.append(arguments)
        return start_private(home, arguments)

    monkeypatch.setattr(f"{Session.__module__}.start_private", counted)
    with GpgVerifier(keyrings) as verifier:
        for number in range(20):
            verifier.verify(DATA, [signatures["good"]])
            assert len(starts) == min(number, 1)
        for _ in range(10):  # no process is started in vain again and again
            verifier.verify(DATA, [signatures["of other data"]])
        assert len(starts) == 3


@pytest.mark.parametrize(
    "script",
    [
        "exit 0",
        "echo '[GNUPG:] FILE_DONE' >&2; exit 0",
        'read name; echo "[GNUPG:] FILE_START 1 $name" >&2; kill -9 $$',
        "yes '[GNUPG:] NEWSIG' >&2",
        "read name; sleep 60",
        f"read name; printf '{START}\\n{NEW}\\n{GOOD}\\n{VALID}\\n{END}\\n' >&2; read name",
    ],
    ids=["silent", "rash", "killed", "endless", "slow", "another file"],
)
def test_process_that_misbehaves_confirms_nothing(
    tmp_path: Path,
    signatures: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    script: str,
) -> None:
    fake = tmp_path / "gpg"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(f"{Session.__module__}._TIMEOUT_S", 0.3)
    with private_directory("ostree-gpg-") as home, Session(home) as session:
        home.create_file(KEYRING, b"")
        for _ in range(5):
            assert session.confirm(signatures["good"], DATA, 1) == ()
        assert home.list() == [KEYRING]


def test_process_ends_with_the_verifier(
    keyrings: Keyrings, signatures: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = []

    def kept(home: Dir, arguments: list[str]) -> object:
        processes.append(start_private(home, arguments))
        return processes[-1]

    monkeypatch.setattr(f"{Session.__module__}.start_private", kept)
    with GpgVerifier(keyrings) as verifier:
        for _ in range(3):
            verifier.verify(DATA, [signatures["good"]])
        assert [process.poll() for process in processes] == [None]
    assert [process.poll() for process in processes] == [-9]


def test_time_goes_on_for_the_process_that_stays(keys: GpgHome, keyrings: Keyrings) -> None:
    ending = keys.run(
        f"--local-user={KEYS[0]}", "--default-sig-expire=seconds=3", "--detach-sign", stdin=DATA
    )
    with GpgVerifier(keyrings) as verifier:
        seen = [verifier.verify(DATA, [ending])[0].status for _ in range(2)]
        time.sleep(max(seen[0].expires + 0.1 - time.time(), 0))
        seen.append(verifier.verify(DATA, [ending])[0].status)
    assert [one.is_valid for one in seen] == [True, True, False]
    assert seen[-1].is_expired


def test_file_that_was_there_before_is_not_looked_at(
    tmp_path: Path, keyrings: Keyrings, signatures: dict[str, bytes]
) -> None:
    with private_directory("ostree-gpg-") as home, Session(home) as session:
        home.create_file(KEYRING, keyrings.streams[0])
        good = signatures["good"]
        home.create_file("message-1", good + encode_literal(DATA))
        assert session.confirm(good, b"another", 1) == ()
        assert session.confirm(good, DATA, 1)[0].is_valid
