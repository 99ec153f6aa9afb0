"""Running ``gpg``: never interactive on our side, its output bounded, its exit status reported."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, NamedTuple

from pyostree.errors import OstreeError, UnsupportedError, VerificationError
from pyostree.fs.dir import Dir
from pyostree.fs.tempdir import private_directory
from pyostree.sign.gpg.printable import printable

if TYPE_CHECKING:
    import subprocess

PROGRAM = "gpg"
HOME_PREFIX = "ostree-gpg-"
KEYRING = "pubring.gpg"  # its presence keeps GnuPG from making a keybox

_MAX_OUTPUT_BYTES = 64 << 20
_MAX_ERROR_BYTES = 64 << 10
_TIMEOUT_S = 300.0
_MAX_MEMORY_BYTES = 512 << 20  # a kilobyte of compressed packets can stand for gigabytes of keys

_COMMON = ("--batch", "--no-tty", "--no-greeting")
# A private home: nothing comes from anyone's configuration but that of the system, which GnuPG
# always reads, no key from the network, and no agent is left behind. Trust is flat: whatever key is
# in the home counts.
_PRIVATE = (
    "--no-options",
    "--no-autostart",
    "--disable-dirmngr",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--no-auto-check-trustdb",
    "--trust-model=always",
)


class Output(NamedTuple):
    """What gpg wrote; `errors` is for people."""

    status: int
    data: bytes
    errors: str

    def lines(self) -> list[str]:
        """Return the lines of the output."""
        return self.data.decode("utf-8", "replace").split("\n")

    @property
    def reason(self) -> str:
        """The last thing that gpg complained about."""
        lines = [line.strip() for line in self.errors.strip().split("\n")]
        return printable(lines[-1]).removeprefix("gpg: ") or f"exit status {self.status}"


def run_private(home: Dir, arguments: Sequence[str], data: bytes | None = None) -> Output:
    """Run gpg in a home of our own.

    Raises:
        VerificationError: it was killed; what it has said may lack the rest.
    """
    arguments = [f"--homedir={home.label}", *_PRIVATE, *arguments]
    output = _run(arguments, home, data, is_private=True)
    if output.status < 0:
        raise VerificationError(f"gpg was killed by signal {-output.status}")
    return output


def start_private(home: Dir, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start gpg in a home of our own, which is its working directory.

    It reads from a pipe; status lines, and nothing that it has been given, come out of its standard
    error.
    """
    import subprocess

    process = _start(
        [
            f"--homedir={home.label}",
            *_PRIVATE,
            "--logger-file=/dev/null",
            "--status-fd=2",
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=home.label,
    )
    _limit(process)
    return process


def run_user(homedir: str | None, arguments: Sequence[str]) -> Output:
    """Run gpg in a person's home, where it may start an agent and ask for a passphrase.

    Args:
        homedir: None for what GnuPG uses by default.
    """
    own = [] if homedir is None else [f"--homedir={homedir}"]
    with private_directory(HOME_PREFIX) as scratch:
        return _run([*own, *arguments], scratch, None, is_private=False)


def _run(arguments: Sequence[str], scratch: Dir, data: bytes | None, *, is_private: bool) -> Output:
    import subprocess  # slow to import, and most pulls verify nothing

    errors_name = "errors"
    scratch.replace_file(errors_name, b"", mode=0o600, sync=False)
    with (
        open(f"{scratch.label}/{errors_name}", "r+b") as errors,
        _start(
            ["--status-fd=1", *arguments],
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        if is_private:
            _limit(process)
        timeout_s = _TIMEOUT_S if is_private else threading.TIMEOUT_MAX  # people may take theirs
        timer = threading.Timer(timeout_s, process.kill)
        timer.daemon = True
        timer.start()
        try:
            output = _exchange(process, data)
            status = process.wait()
        finally:
            timer.cancel()
            process.kill()
        errors.seek(0)
        text = errors.read(_MAX_ERROR_BYTES).decode("utf-8", "replace")
    return Output(status, output, text)


def _start(
    arguments: Sequence[str],
    *,
    stdin: int,
    stdout: int,
    stderr: int | IO[bytes],
    cwd: str | None = None,
) -> subprocess.Popen[bytes]:
    import subprocess

    command = [PROGRAM, *_COMMON, *arguments]
    try:
        return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd)
    except FileNotFoundError:
        err = UnsupportedError("GnuPG is needed for OpenPGP signatures, but there is no gpg")
        err.hint = "install GnuPG (Debian: apt-get install gpg)"
        raise err from None


def _limit(process: subprocess.Popen[bytes]) -> None:
    """Bound the memory of a process that reads what others have made."""
    import resource

    with suppress(ProcessLookupError):  # it is done already
        resource.prlimit(process.pid, resource.RLIMIT_AS, (_MAX_MEMORY_BYTES,) * 2)


def _exchange(process: subprocess.Popen[bytes], data: bytes | None) -> bytes:
    assert process.stdout is not None
    writer = None
    if data is not None:
        writer = threading.Thread(target=_feed, args=(process, data))
        writer.start()
    output = process.stdout.read(_MAX_OUTPUT_BYTES + 1)
    if len(output) > _MAX_OUTPUT_BYTES:
        process.kill()
    if writer is not None:
        writer.join()
    if len(output) > _MAX_OUTPUT_BYTES:
        raise OstreeError(f"gpg wrote more than {_MAX_OUTPUT_BYTES} bytes")
    return output


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:  # gpg has its reasons, and tells them
        process.stdin.write(data)
