"""Asking the local network who announces a repository: DNS-SD over multicast DNS.

No daemon is needed: `zeroconf` speaks the protocol from here, beside an Avahi that may run. Whoever
is on the network may answer anything, so all is bounded: the time (`browse`), the number of
services and of their addresses; and an address counts only on a network that we are attached to
ourselves, so that no answer makes us talk to this machine's own services or to the world.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyostree.errors import NotFoundError, UnsupportedError
from pyostree.formats.lan_record import SERVICE_TYPE
from pyostree.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, ServiceStateChange, Zeroconf

FULL_TYPE = f"{SERVICE_TYPE}.local."
MAX_SERVICES = 1000

# A responder answers within 0.12 s (RFC 6762 section 6); the question is repeated after 1 s, so a
# lost packet is made up for.
_QUIET_S = 1.2
_MAX_BROWSE_S = 4.0
_MAX_RESOLVE_S = 1.5
_MAX_RESOLVED = 256  # services that must be asked for one by one, since they did not tell at once
_TICK_S = 0.05
_MAX_ADDRESSES_READ = 64
_MAX_HOSTS = 4
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
        hosts: its addresses on our networks as they stand in a URL, the best first; perhaps none.
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
        names = _browse_names(zeroconf, deadline_s, watch)
        services = _resolve(zeroconf, names, deadline_s)
    return [
        Announcement(
            service.name,
            usable_hosts(service.parsed_scoped_addresses(), links),
            service.port,
            service.text,
        )
        for service in services
        if service.port is not None and 0 < service.port <= _MAX_PORT and service.text
    ]


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


class _Names:
    """The names of services that were heard of, and when the last one was new."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.last_s = time.monotonic()

    def note(
        self,
        zeroconf: Zeroconf,
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        """Take a change in; called in another thread."""
        if state_change.name == "Removed":
            self.names.pop(name, None)
        elif name not in self.names and len(self.names) < MAX_SERVICES:
            self.names[name] = None
            self.last_s = time.monotonic()


def _browse_names(zeroconf: Zeroconf, deadline_s: float, watch: Watch) -> list[str]:
    from zeroconf import ServiceBrowser

    seen = _Names()
    end_s = min(deadline_s, time.monotonic() + _MAX_BROWSE_S)
    browser = ServiceBrowser(zeroconf, FULL_TYPE, handlers=[seen.note])
    try:
        while time.monotonic() < min(seen.last_s + _QUIET_S, end_s):
            watch.check()
            time.sleep(_TICK_S)
    finally:
        browser.cancel()
    return list(seen.names)


def _resolve(zeroconf: Zeroconf, names: Sequence[str], deadline_s: float) -> list[ServiceInfo]:
    """Return what is known of the services; what is not is asked for, all at once."""
    from zeroconf import Error, ServiceInfo

    services: list[ServiceInfo] = []
    unknown: list[ServiceInfo] = []
    for name in names:
        try:
            service = ServiceInfo(FULL_TYPE, name)
        except Error:  # no valid name
            continue
        is_known = service.load_from_cache(zeroconf)
        (services if is_known else unknown).append(service)
    wait_s = min(_MAX_RESOLVE_S, deadline_s - time.monotonic())
    asked = unknown[:_MAX_RESOLVED]
    if not asked or wait_s <= 0 or zeroconf.loop is None:
        return services

    async def ask() -> list[bool]:
        wait_ms = wait_s * 1000
        return list(await asyncio.gather(*(one.async_request(zeroconf, wait_ms) for one in asked)))

    answered: list[bool] = asyncio.run_coroutine_threadsafe(ask(), zeroconf.loop).result()
    found = [one for one, is_known in zip(asked, answered, strict=True) if is_known]
    return services + found


def _missing() -> UnsupportedError:
    err = UnsupportedError("The local network cannot be searched without the package zeroconf")
    err.hint = "pip install 'pyostree[lan]'"
    return err
