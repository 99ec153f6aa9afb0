"""``ostree serve`` as a process: pulled from, stopped, reloaded, and refused."""

from __future__ import annotations

import http.client
import os
import pty
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from repo_lab import ours, run_process
from serve_lab import OURS, Server, make_certificate, read_all, serving, wait_until

LARGE_BYTES = 12 << 20
REFERENCE = "/usr/bin/ostree"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the archive ``repo``; its commit has a large file."""
    top = tmp_path_factory.mktemp("serve")
    tree = top / "tree"
    tree.mkdir()
    for number in range(40):
        (tree / f"file{number}").write_text(f"content {number}\n" * number)
    (tree / "large").write_bytes(random.Random(1).randbytes(LARGE_BYTES))
    for words in (
        ["init", "--mode=archive"],
        ["commit", "-b", "main", f"--tree=dir={tree}"],
        ["static-delta", "generate", "--empty", "main"],
        ["summary", "-u"],
    ):
        assert ours(f"--repo={top / 'repo'}", *words).status == 0
    return top


def large_object(place: Path) -> str:
    """Return the URL's path of the large content object."""
    paths = (place / "repo").glob("objects/*/*.filez")
    largest = max(paths, key=lambda path: path.stat().st_size)
    return f"/{largest.relative_to(place / 'repo')}"


def pull(program: str, repo: Path, url: str, options: list[str], *how: str) -> str:
    """Pull ``main`` into a new repository and return its checksum."""
    for words in (
        ["init", "--mode=bare-user"],
        ["remote", "add", "--no-gpg-verify", *options, "origin", url],
        ["pull", *how, "origin", "main"],
    ):
        result = run_process(program, f"--repo={repo}", *words)
        assert result.status == 0, result.err
    assert run_process(program, f"--repo={repo}", "fsck").status == 0
    return run_process(program, f"--repo={repo}", "rev-parse", "origin:main").out


@pytest.mark.parametrize("program", [OURS, REFERENCE], ids=["ours", "reference"])
@pytest.mark.parametrize("security", ["http", "https"])
def test_both_commands_pull_from_it(
    place: Path, tmp_path: Path, program: str, security: str
) -> None:
    words: list[str] = []
    options: list[str] = []
    if security == "https":
        chain, key = make_certificate(tmp_path)
        words = [f"--tls-cert={chain}", f"--tls-key={key}"]
        options = [f"--set=tls-ca-path={chain}"]
    log = tmp_path / "log"
    with serving(tmp_path / "server", place / "repo", f"--access-log={log}", *words) as server:
        checksum = pull(program, tmp_path / "repo", server.url, options, "--require-static-deltas")
        options.append("--set=http2=false")
        url = f"{server.url}/"
        loose = pull(program, tmp_path / "loose", url, options, "--disable-static-deltas")
        assert server.stop() == 0
    expected = (place / "repo/refs/heads/main").read_text()
    assert checksum == loose == expected
    lines = log.read_text().splitlines()
    form = r'127\.0\.0\.1 - - \[\S+ \+0000\] "GET /\S+ HTTP/[12.]+" [24]0\d \d+ \d+\.\d{3}'
    assert all(re.fullmatch(form, line) for line in lines)
    assert any("superblock" in line for line in lines)
    version = "2" if security == "https" else "1.1"
    assert any(f'HTTP/{version}"' in line for line in lines)


def test_http2_without_tls_by_prior_knowledge(place: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "server", place / "repo", "--workers=1") as server:
        url = f"{server.url}{large_object(place)}"
        for option in ("--http2-prior-knowledge", "--http1.1"):
            got = subprocess.run(["curl", "-sSf", option, url], capture_output=True, check=True)
            assert got.stdout == (place / "repo" / large_object(place)[1:]).read_bytes()
            head = subprocess.run(
                ["curl", "-sSfI", option, url], capture_output=True, check=True, text=True
            ).stdout
            assert f"content-length: {len(got.stdout)}\n" in head.replace("\r", "")


def test_ranges_and_conditions_over_the_wire(place: Path, tmp_path: Path) -> None:
    path = large_object(place)
    data = (place / "repo" / path[1:]).read_bytes()
    with serving(tmp_path / "server", place / "repo", "--workers=1") as server:
        whole = server.get(path)
        assert (whole.status, whole.body) == (200, data)
        etag = whole.headers["etag"]
        for spec, start, end in (
            ("bytes=1000000-1000099", 1_000_000, 1_000_100),
            (f"bytes={len(data) - 5}-", len(data) - 5, len(data)),
            ("bytes=-7", len(data) - 7, len(data)),
            ("bytes=0-0", 0, 1),
        ):
            part = server.get(path, Range=spec, If_Range=etag)
            assert (part.status, part.body) == (206, data[start:end])
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(data)}"
            assert part.headers["content-length"] == str(end - start)
        assert server.get(path, Range="bytes=0-1", If_Range='"old"').body == data
        assert server.get(path, Range=f"bytes={len(data)}-").status == 416
        assert server.get(path, If_None_Match=etag).body == b""
        assert server.get(path, If_None_Match=etag).status == 304
        head = server.get(path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(data))
        assert server.get("/summary", "POST").status == 405
        assert server.get("/tmp").status == 404


def test_a_hundred_clients_at_once_are_all_answered(place: Path, tmp_path: Path) -> None:
    repo = place / "repo"
    paths = [f"/{path.relative_to(repo)}" for path in repo.glob("objects/*/*.*")]
    paths.remove(large_object(place))
    head = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths[:-1])
    last = f"GET {paths[-1]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with serving(tmp_path / "server", repo, "--workers=2") as server:
        clients = [server.connect() for _ in range(100)]
        for client in clients:
            client.sendall((head + last).encode())
        for client in clients:
            with client:
                assert read_all(client).count(b"HTTP/1.1 200 OK\r\n") == len(paths)
        assert server.stop() == 0


def test_stop_finishes_running_downloads(place: Path, tmp_path: Path) -> None:
    path = large_object(place)
    data = (place / "repo" / path[1:]).read_bytes()
    with serving(tmp_path / "server", place / "repo") as server, server.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        begin = connection.recv(1000)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not accepts(server))
        rest = read_all(connection)
        assert (begin + rest).endswith(data)
        assert server.process.wait(30) == 0


def test_stop_gives_up_when_the_grace_period_is_over(place: Path, tmp_path: Path) -> None:
    with (
        serving(tmp_path / "server", place / "repo", "--grace-period=1") as server,
        server.connect() as connection,
    ):
        connection.sendall(f"GET {large_object(place)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.recv(1000)
        workers = server.workers()
        began = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert 0.9 < time.monotonic() - began < 10
        assert not any(is_running(pid) for pid in workers)


def test_second_signal_does_not_wait(place: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "server", place / "repo") as server, server.connect() as connection:
        connection.sendall(f"GET {large_object(place)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.recv(1000)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert server.process.poll() is None
        began = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < 10


def test_killed_parent_takes_the_workers_along(place: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "server", place / "repo") as server:
        workers = server.workers()
        assert workers
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not any(is_running(pid) for pid in workers))


def test_killed_worker_is_replaced(place: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "server", place / "repo", "--workers=2") as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and victim not in server.workers())
        for _ in range(20):  # the new one has the sockets of the old one
            assert server.get("/config").status == 200
        assert f"worker {victim} was killed by SIGKILL" in server.out.read_text()
        assert server.stop() == 0


def test_worker_that_has_grown_is_replaced(place: Path, tmp_path: Path) -> None:
    words = (place / "repo", "--workers=1", "--max-memory=1")
    with serving(tmp_path / "server", *words) as server:
        before = server.workers()
        server.process.send_signal(signal.SIGCHLD)  # look at them now
        wait_until(lambda: server.workers() and before[0] not in server.workers())
        assert f"worker {before[0]} takes " in server.out.read_text()
        assert server.get("/config").status == 200
        assert server.stop() == 0


def test_reload_replaces_workers_and_refuses_nobody(place: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(tmp_path / "server", place / "repo", f"--access-log={log}") as server:
        failures: list[str] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                try:
                    if get_as_clients_do(server, "/config") != 200:
                        failures.append("status")
                except OSError as err:
                    failures.append(repr(err))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(2):
                log.unlink()
                reload(server)
                wait_until(lambda: log.exists() and log.stat().st_size)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert server.stop() == 0


def test_reload_takes_a_new_certificate_and_no_broken_one(place: Path, tmp_path: Path) -> None:
    chain, key = make_certificate(tmp_path)
    words = (f"--tls-cert={chain}", f"--tls-key={key}", "--workers=1")
    with serving(tmp_path / "server", place / "repo", *words) as server:
        first = presented(server)
        (tmp_path / "new").mkdir()
        fresh, fresh_key = make_certificate(tmp_path / "new")
        chain.write_text("broken")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "nothing is reloaded" in server.out.read_text())
        assert presented(server) == first
        fresh.rename(chain)
        fresh_key.rename(key)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: presented(server) != first)
        assert server.stop() == 0


def test_closed_terminal_ends_it(place: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    port_file = tmp_path / "port"
    process = subprocess.Popen(
        [OURS, "serve", place / "repo", "--port=0", f"--port-file={port_file}"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    with process:
        try:
            os.close(slave)
            wait_until(port_file.exists)
            process.send_signal(signal.SIGHUP)  # reloads: the terminal is there
            time.sleep(0.5)
            assert process.poll() is None
            os.close(master)
            process.send_signal(signal.SIGHUP)
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_service_manager_hands_over_a_socket_and_hears_of_it(place: Path, tmp_path: Path) -> None:
    notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notes.bind(str(tmp_path / "notify"))
    notes.settimeout(30)
    with notes, socket.create_server(("127.0.0.1", 0)) as listener:
        # As systemd does: descriptor 3, and the number of the process that is to have it.
        script = (
            "import os, sys\n"
            "os.dup2(int(sys.argv[1]), 3)\n"
            "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}\n"
            "os.execv(sys.argv[2], sys.argv[2:])\n"
        )
        fd = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(fd), OURS, "serve", str(place / "repo")],
            pass_fds=[fd],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert notes.recv(999).startswith(b"READY=1\nSTATUS=Serving 1 repository at 127.")
                server = Server(process, listener.getsockname()[1], "http", tmp_path)  # type: ignore[arg-type]
                assert server.get("/config").status == 200
                process.send_signal(signal.SIGHUP)
                assert notes.recv(999).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
                assert notes.recv(999).startswith(b"READY=1")
                process.send_signal(signal.SIGTERM)
                assert notes.recv(999) == b"STOPPING=1"
                assert process.wait(30) == 0
            finally:
                process.kill()


def test_status_lines_say_what_is_where(place: Path, tmp_path: Path) -> None:
    bare = tmp_path / "archive"
    assert ours(f"--repo={bare}", "init", "--mode=archive").status == 0
    words = (place / "repo", f"os={bare}")
    with serving(tmp_path / "server", *words) as server:
        wait_until(lambda: "summary -u" in server.out.read_text())
        assert server.out.read_text() == (
            f"Serving {place}/repo at {server.url}/\n"
            f"Serving {bare} at {server.url}/os\n"
            "  It has no summary, so clients cannot list its refs: `ostree summary -u` makes one\n"
        )
        assert server.get("/os/config").status == 200
        assert server.stop() == 0
    with serving(tmp_path / "quiet", place / "repo", "--quiet") as server:
        assert server.stop() == 0
        assert server.out.read_text() == ""


def test_port_in_use_is_an_error_that_says_so(place: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "server", place / "repo") as server:
        result = run_process(OURS, "serve", f"--port={server.port}", place / "repo")
        assert result.status == 1
        assert f"Cannot listen on 127.0.0.1:{server.port}: the port is in use" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host=no.such.host.invalid"], "Cannot listen on no.such.host.invalid: "),
        (["--host=203.0.113.1", "--port=0"], "Cannot listen on 203.0.113.1:0: "),
        (["--port=70000"], "--port must be between 0 and 65535"),
        (["--workers=0"], "--workers must be at least 1"),
        (["--tls-cert=x"], "--tls-cert and --tls-key belong together"),
        (["--tls-cert=/none", "--tls-key=/none"], "Cannot read certificate /none or key /none"),
        (["--tls-cert=/etc/passwd", "--tls-key=/etc/passwd"], "Cannot use certificate"),
        (["--access-log=/none/log"], "Error opening file “/none/log”"),
        (["--access-log=-", "--port-file=-"], "Cannot use --port-file=- and --access-log=-"),
        (["objects=x"], "Invalid name of a served repository: objects"),
        (["second"], "Two repositories for the top of the server"),
    ],
)
def test_bad_options_are_errors_without_a_server(
    place: Path, words: list[str], message: str
) -> None:
    result = run_process(OURS, "serve", place / "repo", *words)
    assert result.status == 1
    assert message in result.err
    assert "Traceback" not in result.err


def test_bare_repository_is_refused_with_a_hint(tmp_path: Path) -> None:
    assert ours(f"--repo={tmp_path}/bare", "init", "--mode=bare").status == 0
    result = run_process(OURS, "serve", f"--repo={tmp_path}/bare")
    assert result.status == 1
    assert "its mode is bare, and only archive repositories can be pulled" in result.err


def reload(server: Server) -> None:
    """Send SIGHUP; wait until no worker is one of those before."""
    before = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & set(server.workers()) and server.workers())


def get_as_clients_do(server: Server, path: str) -> int:
    """Return the status; a connection that is closed before the answer is made anew, once."""
    try:
        return server.get(path).status
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return server.get(path).status


def accepts(server: Server) -> bool:
    try:
        server.connect().close()
    except OSError:
        return False
    return True


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def presented(server: Server) -> str:
    """Return the certificate that a client gets."""
    return ssl.get_server_certificate(("127.0.0.1", server.port), timeout=30)
