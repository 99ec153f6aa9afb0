"""`Advertiser`: tells the local network by DNS-SD which refs the repositories of a server have.

Each repository is a service of its own, ``_ostree_repo._tcp``, found below ``/NUMBER``. Every few
seconds it is looked whether a summary or the addresses of this machine have changed; a machine
that has no network yet announces itself once it has.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

from pyostree.closing import Closing
from pyostree.errors import (
    ConflictError,
    NotFoundError,
    OstreeError,
    UnsupportedError,
    describe,
)
from pyostree.formats.lan_record import LanRecord, encode_lan_record
from pyostree.pull.finders.dns_sd import FULL_TYPE, Link, local_links, open_zeroconf
from pyostree.serve.announced import AnnouncedRepo
from pyostree.serve.numbers import number_places
from pyostree.serve.sites import Place

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

REFRESH_S = 5.0

_MAX_LABEL_BYTES = 63
_TOKEN_BYTES = 4
_IPV6 = 6

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Say = Callable[[str], None]


class UnreachableError(ConflictError):
    """Nobody on the network could reach the server."""

    hint = "listen on all addresses: `--host=::`"


class MissingAnnouncerError(UnsupportedError):
    """What speaks multicast DNS is not installed."""

    hint = "pip install 'pyostree[lan]'"


class AnnounceError(OstreeError):
    """The network did not take an announcement; later it may."""


class Advertiser(Closing):
    """Announces repositories from the start of a ``with`` block to its end.

    Args:
        hosts: addresses that the server listens on.
        port: of the server.
        places: its repositories.
        say: gets a line for people when something cannot be announced.
        refresh_s: how often changes are looked for.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        port: int,
        places: Sequence[Place],
        *,
        say: Say = lambda line: None,
        refresh_s: float = REFRESH_S,
    ) -> None:
        """Check what is to be announced.

        Raises:
            UnreachableError: the server listens on the loopback only.
            MissingAnnouncerError: `zeroconf` is not installed.
            OSError: a repository is gone.
        """
        self._hosts = [ipaddress.ip_address(host) for host in hosts]
        if all(host.is_loopback for host in self._hosts):
            raise UnreachableError("A server that only this machine can reach is not announced")
        if find_spec("zeroconf") is None:
            raise MissingAnnouncerError(
                "Announcing needs the package zeroconf, which is not installed"
            )
        self._say = say
        self._said: set[str] = set()
        self._refresh_s = refresh_s
        self._repos = ExitStack()
        numbers = number_places([place.name for place in places])
        self._announced = [
            self._repos.enter_context(AnnouncedRepo(place.path, number))
            for place, number in zip(places, numbers, strict=True)
        ]
        self._network = _Network(port)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="advertiser", daemon=True)

    def __enter__(self) -> Self:
        self._refresh()
        self._thread.start()
        return self

    def close(self) -> None:
        """Say goodbye to the network."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._network.close()
        self._repos.close()

    def _run(self) -> None:
        while not self._stopped.wait(self._refresh_s):
            self._refresh()

    def _refresh(self) -> None:
        records = {}
        for repo in self._announced:
            try:
                record = repo.record()
            except (OstreeError, OSError) as err:
                self._say_once(f"{repo.path} is not announced: {describe(err)}")
                continue
            if record is None:
                self._say_once(f"{repo.path} is not announced: its summary has no collection refs")
            else:
                records[repo.number] = record
        try:
            self._network.announce(records, self._published_links())
        except (OstreeError, OSError) as err:
            self._say_once(f"Nothing is announced: {describe(err)}")

    def _published_links(self) -> list[Link]:
        links = local_links()
        if any(host.is_unspecified and host.version == _IPV6 for host in self._hosts):
            return links  # it takes IPv4 connections, too
        return [link for link in links if any(_reaches(link, host) for host in self._hosts)]

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)


def _reaches(link: Link, host: _Address) -> bool:
    if host.is_unspecified:
        return link.network.version == host.version
    return ipaddress.ip_address(link.address) == ipaddress.ip_address(str(host).partition("%")[0])


class _Network(Closing):
    """The services that are announced, and the addresses they are announced with."""

    def __init__(self, port: int) -> None:
        self._port = port
        # Two servers may run on one machine, and machines may have the same name.
        self._token = secrets.token_hex(_TOKEN_BYTES)
        self._zeroconf: Zeroconf | None = None
        self._links: frozenset[Link] = frozenset()
        self._records: dict[int, LanRecord] = {}

    def announce(self, records: dict[int, LanRecord], links: Sequence[Link]) -> None:
        """Announce these repositories, by number, and no others.

        Raises:
            OSError, OstreeError: the network cannot be used (now).
        """
        if frozenset(links) != self._links:
            self.close()
            self._links = frozenset(links)
        if records == self._records:
            return
        from zeroconf import Error

        try:
            if self._zeroconf is None:
                self._zeroconf = open_zeroconf(links)
            self._tell(self._zeroconf, records, links)
        except Error as err:
            self.close()
            raise AnnounceError(str(err) or type(err).__name__) from err
        except (OSError, NotFoundError):
            self.close()
            raise

    def _tell(
        self, zeroconf: Zeroconf, records: dict[int, LanRecord], links: Sequence[Link]
    ) -> None:
        for number in self._records.keys() - records.keys():
            zeroconf.unregister_service(self._service(number, self._records[number], links))
        for number, record in records.items():
            service = self._service(number, record, links)
            if number not in self._records:
                # The name is ours alone, so that nobody need be asked for it.
                zeroconf.register_service(service, cooperating_responders=True, strict=False)
            elif self._records[number] != record:
                zeroconf.update_service(service)
        self._records = dict(records)

    def _service(self, number: int, record: LanRecord, links: Sequence[Link]) -> ServiceInfo:
        from zeroconf import ServiceInfo

        return ServiceInfo(
            FULL_TYPE,
            f"{_instance(number, self._token)}.{FULL_TYPE}",
            port=self._port,
            properties=encode_lan_record(record),
            server=f"ostree-{self._token}.local.",
            parsed_addresses=sorted({link.address for link in links}),
        )

    def close(self) -> None:
        """Take all back."""
        if self._zeroconf is not None:
            self._zeroconf.close()
            self._zeroconf = None
        self._links, self._records = frozenset(), {}


def _instance(number: int, token: str) -> str:
    """Return a name for people that look at what the network offers."""
    host = socket.gethostname().partition(".")[0].encode("ascii", "ignore").decode()
    ending = f" {number} {token}"
    start = f"ostree repository on {host}"
    return start[: _MAX_LABEL_BYTES - len(ending)] + ending
