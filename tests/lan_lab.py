"""A local network of several hosts: network namespaces on one switch, without the world around."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

_SETUP_TIMEOUT_S = 20


class Lan:
    """The network; host number n (from 1) has the address 10.77.0.n and a link-local one."""

    def __init__(self, prefix: str, names: Sequence[str]) -> None:
        self._prefix = prefix
        self._names = tuple(names)

    def address(self, host: str) -> str:
        """Return the IPv4 address of a host."""
        return f"10.77.0.{self._names.index(host) + 1}"

    def command(self, host: str, *words: str | Path) -> list[str]:
        """Return the command line that runs a program on a host."""
        return ["ip", "netns", "exec", f"{self._prefix}{host}", *map(str, words)]

    def run(self, host: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program on a host to its end."""
        return subprocess.run(
            self.command(host, *words), capture_output=True, text=True, check=False, timeout=60
        )

    @contextmanager
    def running(self, host: str, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program on a host until the block is left."""
        with subprocess.Popen(self.command(host, *words)) as process:
            try:
                yield process
            finally:
                process.terminate()


@contextmanager
def local_network(*names: str, ipv4: bool = True) -> Iterator[Lan]:
    """Set up a network with these hosts.

    Args:
        names: of a few letters.
        ipv4: whether hosts have IPv4 addresses; otherwise they only have link-local IPv6 ones.
    """
    prefix = f"lan{os.getpid()}-"
    lan = Lan(prefix, names)
    with ExitStack() as stack:
        for name in ("switch", *names):
            _ip("netns", "add", f"{prefix}{name}")
            stack.callback(_ip, "netns", "delete", f"{prefix}{name}")
        lines = ["link add br0 type bridge forward_delay 0 stp_state 0", "link set br0 up"]
        for name in names:
            lines += [
                f"link add to-{name} type veth peer name eth0 netns {prefix}{name}",
                f"link set to-{name} master br0 up",
            ]
        _batch(f"{prefix}switch", lines)
        for name in names:
            _without_address_checks(lan, name)
            address = [f"address add {lan.address(name)}/24 dev eth0"] if ipv4 else []
            _batch(f"{prefix}{name}", ["link set lo up", *address, "link set eth0 up"])
        yield lan


def _without_address_checks(lan: Lan, name: str) -> None:
    # Otherwise an IPv6 address can be used only after a second or two.
    done = lan.run(name, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad")
    assert done.returncode == 0, done.stderr


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=_SETUP_TIMEOUT_S)


def _batch(namespace: str, lines: Sequence[str]) -> None:
    with NamedTemporaryFile("w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        _ip("-n", namespace, "-batch", file.name)
