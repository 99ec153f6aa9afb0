"""The installed test suite, copied so that it finds the command under test.

The suite's shell library runs ``ostree`` from PATH, and as web server
``../../libostree/ostree-trivial-httpd`` beside itself, or ``ostree trivial-httpd`` if that file is
missing. A copy without that file therefore uses the web server of the command under test, and no
line of a test has to change.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.conformance.tap import TapResult, Verdict, judge, parse_tap

INSTALLED = Path("/usr/libexec/installed-tests/libostree")
REFERENCE = Path("/usr/bin/ostree")
REFERENCE_HTTPD = Path("/usr/libexec/libostree/ostree-trivial-httpd")

# Neither the version managers of a developer's shell nor a virtual environment may decide which
# python3 the tests' own helpers get: some import Debian's modules.
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MARK = "PYOSTREE_CONFORMANCE_RUN"
_PR_SET_CHILD_SUBREAPER = 36

# These run only where files may be relabelled. They try that on a new file, to which a kernel with
# SELinux switched on has given a label. Where it is off, root may set labels all the same, so that
# this stands in for the kernel and labels the file on which it is tried.
_LABELLED = frozenset({"test-basic.sh"})
# These skip themselves, since luck decides how often a server fails them. Retries make it certain
# enough that a client which keeps what it has got gets there.
_LUCKY = frozenset({"test-pull-repeated.sh"})
_GETFATTR = """#!/bin/sh
case "$*" in
*security.selinux*testlabel.txt)
    setfattr -n security.selinux -v system_u:object_r:tmp_t:s0 testlabel.txt ;;
esac
exec /usr/bin/getfattr "$@"
"""


class FileResult(NamedTuple):
    """What came of one test file."""

    name: str
    verdict: Verdict
    tap: TapResult
    seconds: float
    log: Path


class Suite:
    """The suite set up in a directory of its own, for one command."""

    def __init__(self, ostree: Path, build_dir: Path, *, keep: bool = False) -> None:
        self._build_dir = build_dir
        self._keep = keep
        self._source = build_dir / "libexec/installed-tests/libostree"
        self._bin = build_dir / "bin"
        self.logs = build_dir / "logs"
        self._scratch_base = _scratch_base()
        shutil.rmtree(build_dir / "libexec", ignore_errors=True)
        shutil.rmtree(self._bin, ignore_errors=True)
        self._bin.mkdir(parents=True)
        self.logs.mkdir(exist_ok=True)
        shutil.copytree(INSTALLED, self._source, symlinks=True)
        (self._bin / "ostree").symlink_to(ostree)
        self._labelling_bin = build_dir / "labelling"
        self._labelling_bin.mkdir(exist_ok=True)
        _write_program(self._labelling_bin / "getfattr", _GETFATTR)
        if ostree == REFERENCE:
            httpd = build_dir / "libexec/libostree/ostree-trivial-httpd"
            httpd.parent.mkdir()
            httpd.symlink_to(REFERENCE_HTTPD)

    def run(self, name: str, *, timeout_s: float) -> FileResult:
        """Run one file in an empty directory; its output goes to a log."""
        log = self.logs / f"{name}.log"
        # Short, because sockets of gpg-agent live below it and have at most 108 bytes of path.
        scratch = Path(tempfile.mkdtemp(prefix="ot", dir=self._scratch_base))
        started = time.monotonic()
        try:
            exit_code = self._execute(name, scratch, log, timeout_s)
        finally:
            _end_processes(f"{_MARK}={scratch}")
            if not self._keep:
                shutil.rmtree(scratch, ignore_errors=True)
        seconds = time.monotonic() - started
        tap = parse_tap(log.with_suffix(".tap").read_text(errors="replace"))
        return FileResult(name, judge(tap, exit_code=exit_code), tap, seconds, log)

    def _execute(self, name: str, scratch: Path, log: Path, timeout_s: float) -> int | None:
        work, home = scratch / "t", scratch / "h"
        work.mkdir()
        home.mkdir()
        with log.open("wb") as err, log.with_suffix(".tap").open("wb") as out:
            err.write(f"# in {work}\n".encode())
            err.flush()
            process = subprocess.Popen(
                [self._source / name],
                cwd=work,
                env=self._environment(name, scratch, home),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                return process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                err.write(f"\n# stopped after {timeout_s:.0f} s\n".encode())
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None

    def _environment(self, name: str, scratch: Path, home: Path) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("USER", "LOGNAME", "TERM") if key in os.environ}
        if os.geteuid() == 0:
            kept["OSTREE_TEST_SUDO"] = "1"  # what needs root may run
        if name in _LUCKY:
            kept["OSTREE_TEST_ALLOW_RANDOM"] = "1"
        path = [str(self._bin), _SYSTEM_PATH]
        if name in _LABELLED:
            path.insert(0, str(self._labelling_bin))
        return kept | {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            # The suite is older than today's names of boot entries.
            "OSTREE_SYSROOT_OPTS": "bootloader-naming-1",
            "PATH": ":".join(path),
            "G_TEST_SRCDIR": str(self._source),
            "G_TEST_BUILDDIR": str(self._source),
            _MARK: str(scratch),
        }


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _scratch_base() -> str:
    """Return memory where it will do: the suite syncs thousands of times."""
    if os.environ.get("CONFORMANCE_TMP"):
        return os.environ["CONFORMANCE_TMP"]
    try:
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as probe:
            os.setxattr(probe.name, "user.probe", b"1")
    except OSError:
        return "/var/tmp"
    return "/dev/shm"


def suite_files() -> tuple[str, ...]:
    """Return the names of all test files that exercise the command.

    Left out are the compiled programs and the ``.js`` files: they test the C library and its
    bindings and never call ``ostree``.
    """
    names = (path.name for path in INSTALLED.glob("test-*") if path.suffix in {".sh", ".py"})
    return tuple(sorted(names))


def become_subreaper() -> None:
    """Adopt the daemons that tests leave behind, so that they can be reaped."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_processes(mark: str) -> None:
    # Web servers and gpg-agents detach; the environment they inherited tells whose they are.
    for pid in _marked_processes(mark.encode()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _marked_processes(mark: bytes) -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            environ = Path(entry.path, "environ").read_bytes()
            if mark in environ.split(b"\0"):
                yield int(entry.name)
