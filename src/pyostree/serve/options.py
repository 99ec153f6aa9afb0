"""What a server is told: where to listen, how many workers, which certificates."""

from __future__ import annotations

from typing import NamedTuple

from pyostree.serve.sites import Place

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
DEFAULT_GRACE_S = 30
DEFAULT_IDLE_S = 75


class Certificates(NamedTuple):
    """Paths of a certificate chain and its key, both PEM."""

    chain: str
    key: str


class ServeOptions(NamedTuple):
    """How to serve.

    Attributes:
        places: repositories, and their names below the top of the server.
        port: 0 for any free one.
        port_file: gets the port's number; ``-`` is standard output.
        workers: processes; None for as many as there are processors.
        access_log: is appended to; ``-`` is standard output.
        grace_s: for running transfers when the server stops.
        idle_s: after so long without a byte either way a connection is closed.
        max_memory_mib: a worker that takes more is replaced; None: by the size of the machine.
        advertise: announce the repositories on the local network.
        quiet: no lines about where what is served.
    """

    places: tuple[Place, ...]
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    port_file: str | None = None
    workers: int | None = None
    certificates: Certificates | None = None
    access_log: str | None = None
    grace_s: int = DEFAULT_GRACE_S
    idle_s: int = DEFAULT_IDLE_S
    max_memory_mib: int | None = None
    advertise: bool = False
    quiet: bool = False
