"""Entries of the journal, as journald gets them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyostree.fs.journal import (
    PRIORITY_ERROR,
    JournalEntry,
    encode_journal_entry,
    write_journal,
)

MESSAGE_ID = "75ba3deb0af041a9a46272ff85d9e73e"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket as journald has it, at ``tmp_path / "socket"``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.settimeout(5)
        yield listener


def test_write_journal_sends_one_datagram_with_all_fields(
    journal: socket.socket, tmp_path: Path
) -> None:
    entry = JournalEntry("done", MESSAGE_ID, PRIORITY_ERROR, {"OSTREE_REMOTE": "origin"})

    write_journal(entry, socket_path=str(tmp_path / "socket"))

    assert journal.recv(4096).decode().splitlines() == [
        "MESSAGE=done",
        f"MESSAGE_ID={MESSAGE_ID}",
        "PRIORITY=3",
        "SYSLOG_IDENTIFIER=ostree",
        "OSTREE_REMOTE=origin",
    ]


def test_encode_journal_entry_gives_the_length_of_values_with_line_breaks() -> None:
    data = encode_journal_entry(JournalEntry("one\nMESSAGE_ID=forged"))

    assert data.startswith(b"MESSAGE\n" + (21).to_bytes(8, "little") + b"one\nMESSAGE_ID=forged\n")


def test_encode_journal_entry_cuts_long_values() -> None:
    assert len(encode_journal_entry(JournalEntry("x" * 1_000_000))) < 64 << 10


@pytest.mark.parametrize("name", ["", "_PID", "lower", "A=B", "A\nB", "A" * 65])
def test_encode_journal_entry_with_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="journal field"):
        encode_journal_entry(JournalEntry("text", fields={name: "1"}))


def test_write_journal_without_a_journal_does_nothing(tmp_path: Path) -> None:
    write_journal(JournalEntry("text"), socket_path=str(tmp_path / "missing"))
    (tmp_path / "file").touch()
    write_journal(JournalEntry("text"), socket_path=str(tmp_path / "file"))


def test_write_journal_to_one_that_never_reads_goes_on(
    journal: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyostree.fs.journal._MAX_WAIT_S", 0.01)
    started_s = time.monotonic()

    for _ in range(40):  # far more than the socket's queue takes
        write_journal(JournalEntry("x" * 30_000), socket_path=str(tmp_path / "socket"))

    assert time.monotonic() - started_s < 10
    assert journal.recv(10).startswith(b"MESSAGE=")
