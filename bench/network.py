"""A network of our own: nginx in a namespace, with two addresses, one near and one far away.

The client runs as it is. A pair of virtual links leads to the near address; packets to the far one
take the time that they would on a real network.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.server import nginx_config, wait_for
from pyostree.closing import Closing

# The range set aside for benchmarks: nobody's own network.
_NEAR, _FAR = "198.18.77", "198.18.78"
_CLIENT, _SERVER = 1, 2
_SERVERS = """
    root {root};
    server {{ listen 80; }}
    server {{
        listen 443 ssl http2;
        http2_max_concurrent_streams 256;
        ssl_certificate {state}/cert.pem;
        ssl_certificate_key {state}/key.pem;
    }}
"""


class Network(Closing):
    """A server that is so far away; closed by ``with``.

    Attributes:
        ca_path: certificate that the server's TLS is checked against.
    """

    def __init__(self, root: Path, state: Path, *, delay_ms: int) -> None:
        """Build the network and serve `root`; needs root, iproute2, nginx and openssl.

        Args:
            state: a directory of its own, removed in the end.
            delay_ms: that the far address is away, in either direction.
        """
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if nginx is None or shutil.which("ip") is None:
            raise RuntimeError("needs nginx and ip: apt-get install nginx-light iproute2")
        self._namespace = f"bench-{os.getpid()}"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._state = state
        self.ca_path = state / "cert.pem"
        state.mkdir(parents=True, exist_ok=True)
        _make_certificate(state)
        config = state / "nginx.conf"
        config.write_text(nginx_config(state, _SERVERS.format(state=state, root=root)))
        try:
            _run("ip", "netns", "add", self._namespace)
            self._connect_near()
            self._connect_far(delay_ms)
            self._start(*self._inside(nginx, "-c", config, "-e", state / "log"))
            wait_for(f"{_NEAR}.{_SERVER}", 80)
        except BaseException:
            self.close()
            raise

    def _start(self, *argv: str | Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self._processes.append(process)
        return process

    def _connect_near(self) -> None:
        client, server = self._links("n")
        _run("ip", "link", "add", client, "type", "veth", "peer", server)
        self._set_up(_NEAR, client, server)

    def _connect_far(self, delay_ms: int) -> None:
        client, server = self._links("f")
        relay = self._start(sys.executable, "-m", "bench.delay", client, server, f"{delay_ms}")
        assert relay.stdout is not None
        relay.stdout.readline()  # it says that the devices are there
        for link in (client, server):
            _run("ip", "link", "set", link, "txqueuelen", "100000")
        self._set_up(_FAR, client, server)

    def _links(self, kind: str) -> tuple[str, str]:
        return f"b{kind}c{os.getpid()}", f"b{kind}s{os.getpid()}"

    def _set_up(self, network: str, client: str, server: str) -> None:
        _run("ip", "link", "set", server, "netns", self._namespace)
        for prefix, link, host in (((), client, _CLIENT), (self._inside(), server, _SERVER)):
            _run(*prefix, "ip", "address", "add", f"{network}.{host}/30", "dev", link)
            _run(*prefix, "ip", "link", "set", link, "up")

    def _inside(self, *argv: str | Path) -> Sequence[str | Path]:
        return ("ip", "netns", "exec", self._namespace, *argv)

    def url(self, repo: str, *, tls: bool, is_far: bool) -> str:
        """Return the URL of a repository below the served directory."""
        network = _FAR if is_far else _NEAR
        return f"http{'s' if tls else ''}://{network}.{_SERVER}/{repo}"

    def close(self) -> None:
        """End the server and remove the network."""
        for process in self._processes:
            process.terminate()
            process.wait()
        with suppress(subprocess.CalledProcessError):
            _run("ip", "link", "delete", self._links("n")[0])
        with suppress(subprocess.CalledProcessError):
            _run("ip", "netns", "delete", self._namespace)
        shutil.rmtree(self._state, ignore_errors=True)


def _make_certificate(state: Path) -> None:
    key, certificate = state / "key.pem", state / "cert.pem"
    if not certificate.exists():
        _run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-keyout", key, "-out", certificate, "-subj", "/CN=bench"),
            *("-addext", f"subjectAltName=IP:{_NEAR}.{_SERVER},IP:{_FAR}.{_SERVER}"),
        )


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
