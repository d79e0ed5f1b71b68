"""Decides which addresses this server may call: only public addresses, so that a webhook cannot reach the internal
network.

The library that connects also parses the URL, after normalization (`①②⑦.0.0.1` is 127.0.0.1), and each address is
checked again when its socket is made (`Sockets`). So no connection is opened to an unchecked address, however a URL
is written. Networks that the settings allow may be called too.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

from aiohttp import AddrInfoType, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from web.errors import AddressRefusedError

LOOKUP_S = 5.0
# NAT64 addresses: their last 32 bits are an IPv4 address (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
INTERNAL = tuple(
    # These networks are not public, but `is_global` may be true for them: site-local, local-use NAT64 (RFC 8215),
    # IPv4-compatible.
    ipaddress.IPv6Network(network)
    for network in ("fec0::/10", "64:ff9b:1::/48", "::/96")
)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return the IP networks for texts from the settings, such as "10.0.0.0/8"."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def may_call(text: str, allowed: Sequence[Network]) -> bool:
    """Return whether this server may connect to an IP address: it is public, or in an allowed network."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(address)
    if any(found in network for network in allowed for found in (address, inner)):
        return True
    if any(address in network for network in INTERNAL):
        return False
    return all(found.is_global and not found.is_multicast for found in (address, inner))


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address contains; the address itself if it contains none."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address
    return address


def url_problem(url: str, allowed: Sequence[Network]) -> str | None:
    """Return what is wrong with a webhook's URL, such as "is not a URL"; None if nothing is wrong.

    `allowed`: networks that may be called although they are not public. The addresses of a host name are not checked
    here, but at each call. The host is checked in the form in which the client uses it: after IDNA and NFKC, which turn
    many characters into ASCII.
    """
    try:
        parts = URL(url)
        port, host = parts.port, parts.raw_host or ""
    except ValueError:
        return "is not a URL"
    if any(char.isspace() or not char.isprintable() for char in url) or not host:
        return "is not a URL"
    if parts.raw_user is not None or parts.raw_password is not None or parts.raw_fragment:
        return "must have no user name, password or fragment"
    if port == 0:
        return "must have a port that can be called"
    literal = _literal(host)
    if literal is not None and not may_call(str(literal), allowed):
        return "must be at a public address"
    inside = literal is not None and any(literal in network for network in allowed)
    if parts.scheme == "https" or (parts.scheme == "http" and inside):
        return None
    return "must begin with https://"


def _literal(host: str) -> Address | None:
    """Return the IP address that the text `host` represents; None if the text is a name.

    The text may be in any notation of an address that a client or the system's resolver accepts.
    """
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # `inet_aton` also reads the old notations of addresses, such as 2130706433, 0x7f.1 and 0177.0.0.1. No host
        # name has such a form.
        return ipaddress.IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):
        return None


class Sockets:
    """Makes sockets for the connections of an HTTP client, and only to allowed addresses.

    `refused`: True after an address was refused.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self.refused = False

    def __call__(self, info: AddrInfoType) -> socket.socket:
        """Return a socket for an address. Raises `AddressRefusedError` if the address may not be called."""
        family, kind, proto, _, address = info
        if not may_call(str(address[0]), self._allowed):
            self.refused = True
            raise AddressRefusedError("not a public address")
        return socket.socket(family=family, type=kind, proto=proto)


class Resolver(AbstractResolver):
    """Looks up the addresses of names for an HTTP client.

    Raises `AddressRefusedError` if one of the addresses may not be called.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises OSError if the name is unknown, and `AddressRefusedError`, which is an OSError, if one of its addresses
        may not be called.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(LOOKUP_S):
            found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        # Every address must be allowed: a name with both a public and an internal address may be an attack.
        if not found or not all(may_call(str(entry[4][0]), self._allowed) for entry in found):
            raise AddressRefusedError("not a public address")
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
        """Do nothing: the resolver holds no resources."""


def connector(allowed: Sequence[Network]) -> tuple[TCPConnector, Sockets]:
    """Return a connector for an HTTP client that reaches only allowed addresses, and its `Sockets`."""
    sockets = Sockets(allowed)
    return TCPConnector(
        resolver=Resolver(allowed), socket_factory=sockets, limit=1, force_close=True
    ), sockets
