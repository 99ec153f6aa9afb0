"""Asking the local network who announces a repository: DNS-SD over multicast DNS.

No daemon is needed: `zeroconf` speaks the protocol from here, beside an Avahi that may run. Whoever
is on the network may answer anything, so all is bounded: the time (`browse`), the number of
services and of their addresses; and an address counts only on a network that we are attached to
ourselves, so that no answer makes us talk to this machine's loopback or to the world.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import NotFoundError, UnsupportedError
from pyostree.formats.lan_record import SERVICE_TYPE
from pyostree.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser

FULL_TYPE = f"{SERVICE_TYPE}.local."
MAX_SERVICES = 4000

# A responder answers within 0.12 s (RFC 6762 section 6); the question is repeated after 1 s, so a
# lost packet is made up for.
_QUIET_S = 1.2
_MAX_BROWSE_S = 4.0
_MAX_RESOLVE_S = 1.5
_MAX_INCOMPLETE = 256  # services that must be asked for one by one, since they did not tell at once
_TICK_S = 0.05
_MAX_ADDRESSES_READ = 64
_MAX_HOSTS = 4
_MAX_PER_HOST = 16
_MAX_PER_PORT = 8
_MAX_PORT = 65535
_IPV4 = 4

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Link(NamedTuple):
    """A network that an interface of this machine is attached to.

    Attributes:
        address: of this machine in that network.
        interface: its number.
    """

    address: str
    network: _Network
    interface: int


class Announcement(NamedTuple):
    """A service as it was announced; nothing in it can be trusted.

    Attributes:
        hosts: its addresses on our networks as they stand in a URL, the best first.
        text: data of its TXT record.
    """

    name: str
    hosts: tuple[str, ...]
    port: int
    text: bytes


def browse(*, timeout_s: float, watch: Watch = UNWATCHED) -> list[Announcement]:
    """Return the services that announce themselves.

    It ends 1.2 s after the start or after the last service that was new, but 4 s after the start at
    the latest; up to 1.5 s more are spent on services that did not tell everything at once.

    Args:
        timeout_s: the limit for all of that together.

    Raises:
        UnsupportedError: `zeroconf` is not installed.
        NotFoundError: this machine has no network.
        OSError: the port of multicast DNS cannot be shared.
    """
    deadline_s = time.monotonic() + timeout_s
    links = local_links()
    with open_zeroconf(links) as zeroconf:
        loop = zeroconf.loop
        assert loop is not None  # it runs in a thread of its own
        listener = _Listener(links)
        browser = asyncio.run_coroutine_threadsafe(_start(zeroconf, listener), loop).result()
        _listen(listener, deadline_s, watch)
        asyncio.run_coroutine_threadsafe(browser.async_cancel(), loop).result()
        wait_s = min(_MAX_RESOLVE_S, deadline_s - time.monotonic())
        asyncio.run_coroutine_threadsafe(_ask(zeroconf, listener, wait_s), loop).result()
    return listener.announcements()


def _listen(listener: _Listener, deadline_s: float, watch: Watch) -> None:
    """Wait until nothing new is heard."""
    end_s = min(deadline_s, time.monotonic() + _MAX_BROWSE_S)
    while time.monotonic() < min(listener.last_s + _QUIET_S, end_s):
        watch.check()
        time.sleep(_TICK_S)


def check_installed() -> None:
    """Raise `UnsupportedError` unless `zeroconf` is installed."""
    if find_spec("zeroconf") is None:
        raise _missing()


def local_links() -> list[Link]:
    """Return the networks of this machine but for its loopback.

    Raises:
        UnsupportedError: `zeroconf` is not installed.
    """
    try:
        import ifaddr  # zeroconf brings it along
    except ImportError as err:
        raise _missing() from err
    links = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            interface = ipaddress.ip_interface(f"{text}/{ip.network_prefix}")
            if not interface.is_loopback:
                links.append(Link(text, interface.network, adapter.index or 0))
    return links


def open_zeroconf(links: Sequence[Link]) -> Zeroconf:
    """Return what speaks multicast DNS on all of the links; use it as a context manager.

    Raises:
        UnsupportedError: `zeroconf` is not installed.
        NotFoundError: there is no link.
        OSError: the port cannot be shared.
    """
    try:
        from zeroconf import Zeroconf
    except ImportError as err:
        raise _missing() from err
    by_address: list[str | int] = [link.address for link in links if link.network.version == _IPV4]
    by_index = sorted({link.interface for link in links if link.network.version != _IPV4})
    if not by_address and not by_index:
        raise NotFoundError("no network interface is up")
    try:
        return Zeroconf(interfaces=[*by_address, *by_index], use_asyncio=False)
    except OSError:
        if not by_address or not by_index:
            raise
        return Zeroconf(interfaces=by_address, use_asyncio=False)  # a kernel without IPv6


def usable_hosts(addresses: Iterable[str], links: Sequence[Link]) -> tuple[str, ...]:
    """Return the addresses that lie on one of the links, as they stand in a URL.

    IPv4 comes first, link-local IPv6, with the number of the interface behind ``%``, last.
    """
    found: dict[str, int] = {}
    for text, _ in zip(addresses, range(_MAX_ADDRESSES_READ), strict=False):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        host = _host(address, links)
        if host is not None:
            found[host] = address.version + address.is_link_local
    return tuple(sorted(found, key=found.__getitem__)[:_MAX_HOSTS])


def _host(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, links: Sequence[Link]
) -> str | None:
    here = [link for link in links if address.version == link.network.version]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address) if any(_has_host(link.network, address) for link in here) else None
    if not address.is_link_local:
        return f"[{address}]" if any(address in link.network for link in here) else None
    indexes = {str(link.interface) for link in here if link.network.is_link_local}
    scope = address.scope_id
    if scope is None and len(indexes) == 1:
        scope = indexes.copy().pop()
    if scope is None or scope not in indexes:
        return None
    return f"[{ipaddress.IPv6Address(int(address))}%{scope}]"


def _has_host(network: _Network, address: ipaddress.IPv4Address) -> bool:
    if network.prefixlen >= network.max_prefixlen - 1:  # a link of two has no broadcast address
        return address in network
    return address in network and address not in (
        network.network_address,
        network.broadcast_address,
    )


class _Listener:
    """Takes in what a browser hears; called in the thread of `zeroconf`.

    A service is looked at in the moment it is heard of: among very many, its records may not be
    remembered for long.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self._per_host: Counter[str] = Counter()
        self._per_port: Counter[tuple[str, int]] = Counter()
        self._found: dict[str, Announcement] = {}
        self.incomplete: dict[str, ServiceInfo] = {}
        self.last_s = time.monotonic()

    def note(
        self,
        zeroconf: Zeroconf,
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        """Take a change in; the names are those that `zeroconf` calls with."""
        if state_change.name == "Removed":
            self.incomplete.pop(name, None)
            gone = self._found.pop(name, None)
            if gone is not None:
                self._count(gone.hosts[0], gone.port, -1)
            return
        from zeroconf import Error, ServiceInfo

        try:
            service = ServiceInfo(service_type, name)
        except Error:  # no valid name
            return
        if service.load_from_cache(zeroconf):
            self.take(service)
        elif len(self.incomplete) < _MAX_INCOMPLETE:
            self.incomplete[name] = service
            self.last_s = time.monotonic()

    def take(self, service: ServiceInfo) -> None:
        """Keep what a service announces, unless it cannot be used or there are too many."""
        hosts = usable_hosts(service.parsed_scoped_addresses(), self._links)
        port = service.port or 0
        if not hosts or not service.text or not 0 < port <= _MAX_PORT:
            return
        known = self._found.get(service.name)
        if known is None:
            if len(self._found) >= MAX_SERVICES or not self._has_room(hosts[0], port):
                return
            self.last_s = time.monotonic()
        else:
            hosts = known.hosts
            self._count(hosts[0], known.port, -1)
        self._count(hosts[0], port, 1)
        self._found[service.name] = Announcement(service.name, hosts, port, service.text)

    def _has_room(self, host: str, port: int) -> bool:
        # Anybody may announce something at another one's address.
        at_port = self._per_port[host, port]
        return self._per_host[host] < _MAX_PER_HOST and at_port < _MAX_PER_PORT

    def _count(self, host: str, port: int, change: int) -> None:
        self._per_host[host] += change
        self._per_port[host, port] += change

    def announcements(self) -> list[Announcement]:
        """Return what was announced and not taken back."""
        return list(self._found.values())


async def _start(zeroconf: Zeroconf, listener: _Listener) -> AsyncServiceBrowser:
    from zeroconf.asyncio import AsyncServiceBrowser

    await zeroconf.async_wait_for_start()
    return AsyncServiceBrowser(zeroconf, FULL_TYPE, handlers=[listener.note])


async def _ask(zeroconf: Zeroconf, listener: _Listener, wait_s: float) -> None:
    """Ask for what some services have not told yet, all at once."""
    services = list(listener.incomplete.values())
    if not services or wait_s <= 0:
        return
    answered = await asyncio.gather(
        *(service.async_request(zeroconf, wait_s * 1000) for service in services)
    )
    for service, is_complete in zip(services, answered, strict=True):
        if is_complete:
            listener.take(service)


def _missing() -> UnsupportedError:
    err = UnsupportedError(
        "LAN repo finder requested but ostree was compiled without Avahi support"
    )
    err.hint = "it needs the package zeroconf: pip install 'pyostree[lan]'"
    return err
