"""A journal of a test's own: what a command would have told that of the system."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

# Of the C implementation alone: where in its source, and how long a sync took.
_LEFT_OUT = ("CODE_", "OSTREE_SYNCFS_")
_MAX_BYTES = 1 << 20


class Journaled(NamedTuple):
    """What a command did, and the entries it sent, as sorted fields."""

    status: int
    out: str
    err: str
    entries: list[list[tuple[str, str]]]

    @property
    def messages(self) -> list[str]:
        """The texts of the entries."""
        return [dict(entry)["MESSAGE"] for entry in self.entries]


def run_with_journal(*words: str | Path, **environment: str) -> Journaled:
    """Run a command that finds our socket where journald has its own."""
    with (
        tempfile.TemporaryDirectory() as place,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal,
    ):
        journal.bind(f"{place}/socket")
        script = (
            "mount -t tmpfs run /run && mkdir -p /run/systemd/journal && "
            f'mount --bind {place} /run/systemd/journal && exec "$@"'
        )
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", *map(str, words)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        journal.setblocking(False)
        entries = []
        while True:
            try:
                entries.append(_decode(journal.recv(_MAX_BYTES)))
            except BlockingIOError:
                break
    return Journaled(done.returncode, done.stdout, done.stderr, entries)


def _decode(data: bytes) -> list[tuple[str, str]]:
    fields = []
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            length = int.from_bytes(data[:8], "little")
            value, data = data[8 : 8 + length], data[9 + length :]
        if not name.decode().startswith(_LEFT_OUT):
            fields.append((name.decode(), value.decode()))
    return sorted(fields)
