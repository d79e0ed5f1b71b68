"""Which addresses of others this server may call: public ones, so that a webhook cannot reach what stands beside it.

The name is looked up here and the connection goes to the very address that was looked at, so that a name which answers
differently the second time gains nothing. Networks that the settings allow are let through.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUP_S = 5.0
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Refused(OSError):
    """The address is not one that may be called."""


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that the settings name."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def may_call(text: str, allowed: Sequence[Network]) -> bool:
    """Whether this IP address is public, or in a network that is allowed."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(address)
    if any(found in network for network in allowed for found in (address, inner)):
        return True
    return all(found.is_global and not found.is_multicast for found in (address, inner))


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
    return address


def url_problem(url: str, allowed: Sequence[Network]) -> str | None:
    """What is wrong with a webhook's URL as it stands, or None. What its name leads to is seen when it is called."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return "is not a URL"
    if any(char.isspace() or not char.isprintable() for char in url) or not host:
        return "is not a URL"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "must have no user name, password or fragment"
    if port == 0:
        return "must have a port that can be called"
    literal = _literal(host)
    if literal is not None and not may_call(host, allowed):
        return "must be at a public address"
    inside = literal is not None and any(literal in network for network in allowed)
    if parts.scheme == "https" or (parts.scheme == "http" and inside):
        return None
    return "must begin with https://"


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


class Resolver(AbstractResolver):
    """Looks names up, and gives only addresses that may be called. Raises `Refused` where there is none."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError, `Refused` among them."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LOOKUP_S):
            found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        # All of them must be public: a name that leads inside as well is no honest receiver's.
        if not found or not all(may_call(str(entry[4][0]), self._allowed) for entry in found):
            raise Refused("not a public address")
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""
