"""Access logs of ``ostree serve`` that nobody takes: answers do not wait for them."""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from pyostree.fs.append_file import MAX_TOGETHER_BYTES, AppendFile
from pyostree.serve.log_writer import LogWriter
from repo_lab import ours
from serve_lab import OURS, Server, serving, wait_until

PATH = "/" + "a" * 900
LINE = re.compile(rf'127\.0\.0\.1 - - \[[^]]+\] "GET {PATH} HTTP/1\.1" 404 \d+ \d+\.\d{{3}}')


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "repo"
    assert ours(f"--repo={path}", "init", "--mode=archive").status == 0
    return path


def ask(port: int, count: int) -> None:
    """Send requests over one connection; each must be answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(count):
        connection.request("GET", PATH)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 404
    connection.close()


def drain(fd: int) -> bytes:
    """Return what can be read without waiting."""
    data = b""
    while select.select((fd,), (), (), 0)[0] and (chunk := os.read(fd, 1 << 16)):
        data += chunk
    return data


def small_pipe(fd: int) -> None:
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)


def test_reader_that_stops_stops_nobody_else(repo: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    small_pipe(reader)
    with serving(tmp_path / "server", repo, f"--access-log={fifo}", "--workers=1", "-q") as server:
        ask(server.port, 100)
        time.sleep(0.3)  # its log has been handed over, and nobody takes it
        ask(server.port, 100)
        data = bytearray()
        wait_until(lambda: data.extend(drain(reader)) or data.count(b"\n") == 200)
        assert all(LINE.fullmatch(line) for line in data.decode().splitlines())
        ask(server.port, 100)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        assert "nobody has taken the last lines of the access log" in server.out.read_text()
        assert "Traceback" not in server.out.read_text()
    os.close(reader)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_standard_output_and_error_that_nobody_reads(repo: Path, tmp_path: Path, kind: str) -> None:
    if kind == "pipe":
        reader, writer = os.pipe()
        small_pipe(reader)
    else:  # as the journal of systemd
        ends = socket.socketpair()
        ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        reader, writer = (end.detach() for end in ends)
    port = tmp_path / "port"
    words = [f"--port-file={port}", "--port=0", "--access-log=-", "--workers=1", "-q"]
    with subprocess.Popen([OURS, "serve", repo, *words], stdout=writer, stderr=writer) as process:
        try:
            os.close(writer)
            wait_until(port.exists)
            server = Server(process, int(port.read_text()), "http", tmp_path)
            ask(server.port, 100)
            time.sleep(0.3)  # the log has been handed over
            ask(server.port, 100)
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)  # that is to be said, too
            wait_until(lambda: server.workers() and victim not in server.workers())
            assert server.stop() == 0
        finally:
            process.kill()
            os.close(reader)


@pytest.mark.parametrize("how", ["full", "closed"])
def test_log_that_cannot_be_written_costs_lines_and_no_answers(
    repo: Path, tmp_path: Path, how: str
) -> None:
    log = Path("/dev/full")
    if how == "closed":
        log = tmp_path / "fifo"
        os.mkfifo(log)
        reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    with serving(tmp_path / "server", repo, f"--access-log={log}", "--workers=1", "-q") as server:
        if how == "closed":
            os.close(reader)
        ask(server.port, 100)
        assert server.stop() == 0
        reason = "No space left on device" if how == "full" else "Broken pipe"
        assert server.out.read_text() == (
            f"ostree serve: cannot write the access log: {reason}\n"
            "ostree serve: lines of the access log that have been lost: 100\n"
        )


def test_writer_drops_what_nobody_takes_and_counts_it() -> None:
    reader, writer = os.pipe()
    small_pipe(reader)
    said: list[str] = []
    log = LogWriter(AppendFile.duplicate(writer), said.append, max_pending_bytes=20_000)
    os.close(writer)
    lines = [b"%04d %s\n" % (number, b"x" * 994) for number in range(100)]
    for line in lines:
        log.put(line)
    assert said == ["the access log takes no more lines; they are lost until it does"]
    data = bytearray()
    wait_until(lambda: data.extend(drain(reader)) or len(said) == 2)
    lost = int(said[1].removeprefix("lines of the access log that have been lost: "))
    assert lost >= 70
    wait_until(lambda: data.extend(drain(reader)) or len(data) == (100 - lost) * 1000)
    log.close()
    os.close(reader)
    assert data.splitlines(keepends=True) == lines[: 100 - lost]
    assert said[2:] == []


def test_lines_of_several_writers_stay_whole_in_a_pipe() -> None:
    reader, writer = os.pipe()
    small_pipe(reader)
    logs = [LogWriter(AppendFile.duplicate(writer), print) for _ in range(2)]
    os.close(writer)
    lines = [b"%c" % (97 + number) * (7 + 13 * number) + b"\n" for number in range(26)]
    for log in logs:
        log.put(b"".join(lines) * 4)  # more than a pipe keeps together
    assert len(b"".join(lines)) * 4 > 2 * MAX_TOGETHER_BYTES
    data = bytearray()
    wait_until(lambda: data.extend(drain(reader)) or data.count(b"\n") == 2 * 4 * 26)
    for log in logs:
        log.close()
    os.close(reader)
    assert sorted(data.splitlines(keepends=True)) == sorted(lines * 8)


def test_line_torn_by_a_full_disk_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    script = (
        "import resource, signal, sys\n"
        "from pyostree.fs.append_file import AppendFile\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "file = AppendFile.open(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (6, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    file.write(b'one\\ntwo\\n')\n"
        "except OSError:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "    file.write(b'three\\n')\n"
    )
    subprocess.run([Path(OURS).with_name("python"), "-c", script, path], check=True)
    assert path.read_text() == "one\ntw\nthree\n"
