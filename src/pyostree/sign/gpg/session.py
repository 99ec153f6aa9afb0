"""One gpg process that confirms one signed message after the other.

Starting gpg and reading keys takes several times as long as checking a signature, so that what is
verified with the same keys goes to the same process. ``gpg --multifile --verify`` reads names of
files from its standard input; each file holds signatures followed by what they sign. What gpg has
to say about it stands between two status lines that belong to that file.

Such a process ends at the first bad signature, and treats a list of signatures made in different
ways unlike the signatures of a separate file. Therefore it can only confirm: all that is not
plainly good is for the usual way, one process for one verification, to decide.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from pyostree.closing import Closing
from pyostree.formats.openpgp import encode_literal
from pyostree.fs.dir import Dir
from pyostree.sign.gpg.program import start_private
from pyostree.sign.gpg.status import SignatureStatus, confirmed_statuses

if TYPE_CHECKING:
    import subprocess

_MAX_DATA_BYTES = 16 << 20  # more is rare, and would be in memory twice
_MAX_OUTPUT_BYTES = 4 << 20
_CHUNK_BYTES = 64 << 10
_TIMEOUT_S = 60.0
_MAX_PROCESSES = 3  # who ends this often saves no time
_END = b"[GNUPG:] FILE_DONE\n"


class Session(Closing):
    """Confirms signatures by the keys in a home of ours; a context manager.

    The process is started when it is first needed.
    """

    def __init__(self, home: Dir) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._asked = 0

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):  # a name that it did not read any more
                    stream.close()
        process.wait()

    def confirm(self, packets: bytes, data: bytes, count: int) -> tuple[SignatureStatus, ...]:
        """Return what gpg says of signatures of `data`, nothing unless it is all good.

        Args:
            packets: `count` OpenPGP signatures, and nothing else.
        """
        if len(data) > _MAX_DATA_BYTES or (self._process is None and not self._start()):
            return ()
        self._asked += 1
        name = f"message-{self._asked}"  # never one twice: no answer fits another question
        if not self._home.create_file(name, packets + encode_literal(data), mode=0o600):
            return ()  # what is there is not ours
        try:
            answer = self._ask(name)
        finally:
            self._home.remove(name)
        if answer is None:
            self.close()
            return ()
        return confirmed_statuses(answer.split("\n"), name, count)

    def _start(self) -> bool:
        if self._starts == _MAX_PROCESSES:
            return False
        self._starts += 1
        self._process = start_private(self._home, ["--multifile", "--verify"])
        return True

    def _ask(self, name: str) -> str | None:
        """Return the status lines about a file, None when the process does not answer."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(f"{name}\n".encode())
            process.stdin.flush()
        except BrokenPipeError:
            return None
        answer = _read_answer(process.stderr)
        return None if answer is None else answer.decode("utf-8", "replace")


def _read_answer(stream: IO[bytes]) -> bytes | None:
    import select  # few pulls verify anything

    poll = select.poll()
    poll.register(stream, select.POLLIN)
    deadline = time.monotonic() + _TIMEOUT_S
    answer = b""
    while not answer.endswith(_END):
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000) or len(answer) > _MAX_OUTPUT_BYTES:
            return None
        chunk = stream.read1(_CHUNK_BYTES)  # type: ignore[attr-defined]
        if not chunk:
            return None
        answer += chunk
    return answer
