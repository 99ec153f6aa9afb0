"""``python -m bench.tasks.serve``: requests a second of ``ostree serve`` and other servers.

A hundred clients ask for small content objects of one archive, again and again. Beside ours stand
the reference's ``ostree-trivial-httpd`` and nginx, which knows nothing of repositories. On a
machine that does other things the processor time per request says more than requests a second.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.server import free_port, nginx_config, wait_for

_OURS = Path(sys.executable).parent / "ostree"
_REFERENCE = "/usr/libexec/libostree/ostree-trivial-httpd"
_CLIENTS = 100
_NGINX = """
    server {{
        listen 127.0.0.1:{port} {options};
        ssl_certificate {work}/cert.pem;
        ssl_certificate_key {work}/key.pem;
        root {root};
    }}
"""
_WRK = """
local paths = {{}}
for line in io.lines("{list}") do paths[#paths + 1] = line end
local next = 0
request = function()
    next = next % #paths + 1
    return wrk.format("GET", paths[next])
end
"""


class Contest(NamedTuple):
    """What is served, and how the clients ask.

    Attributes:
        work: has the certificate, the clients' script and the list of paths.
    """

    repo: Path
    work: Path
    seconds: int


class Server(NamedTuple):
    """One line of the table."""

    name: str
    command: Sequence[str]
    port: int
    is_http2: bool


class Score(NamedTuple):
    """What a server did.

    Attributes:
        failed: connections refused or broken, answers that were not 200.
    """

    requests_per_s: float
    cpu_us: float
    failed: int
    peak_mib: float


def main() -> int:
    """Print the table; 1 if a request failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.tasks.serve", description=__doc__)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=5, help="for each server")
    args = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="bench-serve", dir="/dev/shm") as top:
        contest = _prepare(Path(top), args.objects, args.seconds)
        print(f"{'server':34}{'requests/s':>12}{'CPU, us each':>14}{'failed':>8}{'MiB':>7}")
        for server in _servers(contest):
            score = _score(server, contest)
            failed += score.failed
            print(
                f"{server.name:34}{score.requests_per_s:12,.0f}{score.cpu_us:14.0f}"
                f"{score.failed:8}{score.peak_mib:7.0f}",
                flush=True,
            )
    return 1 if failed else 0


def _prepare(top: Path, objects: int, seconds: int) -> Contest:
    """Make an archive of small files of about 2 KB, and what the clients need."""
    dice = random.Random(1)
    tree, repo = top / "tree", top / "repo"
    tree.mkdir()
    for number in range(objects):
        (tree / str(number)).write_bytes(dice.randbytes(dice.randrange(500, 3500)))
    for words in (["init", "--mode=archive"], ["commit", "-b", "main", f"--tree=dir={tree}"]):
        subprocess.run([_OURS, f"--repo={repo}", *words], check=True, stdout=subprocess.DEVNULL)
    paths = [f"/{path.relative_to(repo)}" for path in repo.glob("objects/*/*.filez")]
    dice.shuffle(paths)
    (top / "paths").write_text("\n".join(paths))
    (top / "wrk.lua").write_text(_WRK.format(list=top / "paths"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "30", "-subj", "/CN=localhost"),
            *("-keyout", str(top / "key.pem"), "-out", str(top / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return Contest(repo, top, seconds)


def _servers(contest: Contest) -> Iterator[Server]:
    repo, work = contest.repo, contest.work
    command: tuple[str, ...]
    ours = (str(_OURS), "serve", str(repo), "--quiet")
    tls = (f"--tls-cert={work / 'cert.pem'}", f"--tls-key={work / 'key.pem'}")
    port = free_port()
    yield Server("ostree serve, HTTP/1.1", (*ours, f"--port={port}"), port, False)
    log = f"--access-log={work / 'log'}"
    port = free_port()
    yield Server("ostree serve with a log, HTTP/1.1", (*ours, f"--port={port}", log), port, False)
    port = free_port()
    yield Server("ostree serve, HTTP/2 and TLS", (*ours, f"--port={port}", *tls), port, True)
    if Path(_REFERENCE).exists():
        port = free_port()
        command = (_REFERENCE, "-P", str(port), str(repo))
        yield Server("ostree-trivial-httpd, HTTP/1.1", command, port, False)
    if nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
        for name, options, is_http2 in (
            ("nginx, HTTP/1.1", "", False),
            ("nginx, HTTP/2 and TLS", "ssl http2", True),
        ):
            port = free_port()
            config = work / "nginx.conf"
            servers = _NGINX.format(work=work, port=port, options=options, root=repo)
            config.write_text(nginx_config(work, servers, workers="auto"))
            command = (nginx, "-c", str(config), "-e", str(work / "error.log"))
            yield Server(name, command, port, is_http2)


@contextmanager
def _running(server: Server) -> Iterator[int]:
    process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL)
    try:
        wait_for("127.0.0.1", server.port)
        time.sleep(1)  # for workers that are still starting
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _score(server: Server, contest: Contest) -> Score:
    with _running(server) as pid:
        before = sum(_cpu_s(one) for one in _family(pid))
        count, wall_s, failed = (_ask_http2 if server.is_http2 else _ask_http1)(server, contest)
        cpu_s = sum(_cpu_s(one) for one in _family(pid)) - before
        peak_kib = sum(_peak_kib(one) for one in _family(pid))
    return Score(count / wall_s, cpu_s / max(count, 1) * 1e6, failed, peak_kib / 1024)


def _ask_http1(server: Server, contest: Contest) -> tuple[int, float, int]:
    """Return the number of answers, the seconds they took, and how many failed."""
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{_CLIENTS}", f"-d{contest.seconds}s"),
            *("-s", str(contest.work / "wrk.lua"), f"http://127.0.0.1:{server.port}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    total = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    assert total is not None, done.stdout
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    failed = sum(map(int, errors.groups())) if errors else 0
    if wrong := re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout):
        failed += int(wrong[1])
    return int(total[1]), float(total[2]), failed


def _ask_http2(server: Server, contest: Contest) -> tuple[int, float, int]:
    urls = contest.work / "urls"
    paths = (contest.work / "paths").read_text().splitlines()
    urls.write_text("\n".join(f"https://127.0.0.1:{server.port}{path}" for path in paths))
    done = subprocess.run(
        [
            *("h2load", f"-c{_CLIENTS}", "-m8", f"-D{contest.seconds}", f"-i{urls}"),
            f"https://127.0.0.1:{server.port}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    rate = re.search(r"finished in ([\d.]+)s, ([\d.]+) req/s", done.stdout)
    total = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    assert rate is not None, done.stdout
    assert total is not None, done.stdout
    succeeded, *wrong = map(int, total.groups())
    return succeeded, float(rate[1]), sum(wrong)


def _family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
