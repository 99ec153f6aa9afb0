"""Messages for the system's journal, with fields that programs can search.

An entry is one datagram to journald: a field a line, ``NAME=VALUE``; a value with line breaks comes
as ``NAME``, a line break, its length in 64 bits, little-endian, and itself. Nobody may ever have to
wait, or fail, for the sake of a log: without a journal, or when that is busy, nothing is sent.

Source: "Native Journal Protocol" of systemd.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

JOURNAL_SOCKET = "/run/systemd/journal/socket"

PRIORITY_ERROR = 3
PRIORITY_INFO = 6

_IDENTIFIER = "ostree"
_MAX_VALUE_BYTES = 32 << 10  # a few of these fit the buffer that sockets have by default
_MAX_WAIT_S = 1.0
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")


class JournalEntry(NamedTuple):
    """A message for the journal.

    Attributes:
        message_id: 32 hex digits that name this kind of message; None for one without.
        priority: as for syslog, such as `PRIORITY_ERROR`; None leaves it to the journal.
        fields: more, by their names in capitals.
    """

    message: str
    message_id: str | None = None
    priority: int | None = None
    fields: Mapping[str, str] = MappingProxyType({})


def write_journal(entry: JournalEntry, *, socket_path: str = JOURNAL_SOCKET) -> None:
    """Send an entry, if a journal listens."""
    if not os.path.exists(socket_path):
        return
    import socket  # few commands have something to say

    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.settimeout(_MAX_WAIT_S)
        journal.sendto(encode_journal_entry(entry), socket_path)


def note_journal(message: str) -> None:
    """Send a message of little importance, if a journal listens."""
    write_journal(JournalEntry(message, priority=PRIORITY_INFO))


def encode_journal_entry(entry: JournalEntry) -> bytes:
    """Return the datagram for an entry; long values are cut."""
    fields = {"MESSAGE": entry.message}
    if entry.message_id is not None:
        fields["MESSAGE_ID"] = entry.message_id
    if entry.priority is not None:
        fields["PRIORITY"] = str(entry.priority)
    fields |= {"SYSLOG_IDENTIFIER": _IDENTIFIER, **entry.fields}
    return b"".join(_encode_field(name, value) for name, value in fields.items())


def _encode_field(name: str, value: str) -> bytes:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no name of a journal field")
    data = value.encode("utf-8", "surrogateescape")[:_MAX_VALUE_BYTES]
    if b"\n" not in data:
        return b"%b=%b\n" % (name.encode(), data)
    return b"%b\n%b%b\n" % (name.encode(), len(data).to_bytes(8, "little"), data)
