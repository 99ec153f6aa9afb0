"""The web server that both tools pull from."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TRIVIAL_HTTPD = Path("/usr/libexec/libostree/ostree-trivial-httpd")
_NGINX_CONFIG = """
{user}
worker_processes {workers};
daemon off;
pid {state}/nginx.pid;
error_log {state}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 100000000;
    client_body_temp_path {state}/body;
    proxy_temp_path {state}/proxy;
    fastcgi_temp_path {state}/fastcgi;
    uwsgi_temp_path {state}/uwsgi;
    scgi_temp_path {state}/scgi;
    {servers}
}}
"""


def nginx_config(state: Path, servers: str, *, workers: str = "1") -> str:
    """Return a configuration for nginx.

    Args:
        state: where it keeps what it needs while it runs.
        servers: what the ``http`` block says of the servers.
    """
    user = "user root;" if os.getuid() == 0 else ""
    return _NGINX_CONFIG.format(state=state, servers=servers, workers=workers, user=user)


@contextmanager
def serving(root: Path, state: Path) -> Iterator[str]:
    """Serve `root` on a loopback port and give the URL; nginx if there is one."""
    state.mkdir(parents=True, exist_ok=True)
    port_file = state / "port"
    port_file.unlink(missing_ok=True)
    if nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
        port = free_port()
        config = state / "nginx.conf"
        servers = f"server {{ listen 127.0.0.1:{port}; root {root}; }}"
        config.write_text(nginx_config(state, servers))
        process = subprocess.Popen([nginx, "-c", config, "-e", state / "error.log"])
    else:
        process = subprocess.Popen([_TRIVIAL_HTTPD, "-p", port_file, root])
        while not port_file.exists():
            time.sleep(0.05)
        port = int(port_file.read_text())
    try:
        wait_for("127.0.0.1", port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port of this machine that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(address: str, port: int) -> None:
    """Wait until somebody listens there."""
    for _ in range(100):
        try:
            socket.create_connection((address, port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"no web server at {address}, port {port}")
