"""Binds the relay's sockets, and lists the addresses at which browsers reach them.

It takes the first free port, so that several workers can share a range of ports. IPv4 and IPv6 use the same port number
if possible; TCP always uses the port number of UDP. It handles address families and local interfaces, not packets.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import ifaddr

from media.errors import PortsTakenError
from media.protocols.ice import Candidate, usable
from media.transport import tcp

BUFFER_BYTES: Final = 4 << 20
WILDCARDS: Final = frozenset(("", "0.0.0.0", "::"))  # noqa: S104 - `host` in the settings may be one of these
# A port that the kernel chose for UDP may be in use for IPv6 or TCP (one in ten on a busy machine), so several are
# tried.
ANY_PORT_TRIES: Final = 16
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The address and ports of a relay. `ports` are tried in order; 0 means any free port.

    `announce`: the addresses for candidates. If it is empty, the address `host` is used, or, if `host` is a wildcard,
    all local addresses and 127.0.0.1. `tcp`: True to accept ICE over TCP as well, on the same port numbers.
    `pages_port`: the port of the web pages, whose server also accepts ICE over TCP and passes such connections to the
    relay (`Listener.take`); 0 if it does not. `index`: the number of the relay on its machine, which is a part of each
    ufrag.
    """

    host: str = LOOPBACK
    ports: Sequence[int] = (0,)
    announce: tuple[str, ...] = ()
    tcp: bool = True
    pages_port: int = 0
    index: int = 0


def bind(settings: RelaySettings) -> tuple[list[socket.socket], list[socket.socket]]:
    """Return (UDP sockets, listening TCP sockets), bound and non-blocking; the lists have one per address family.

    UDP and TCP use the same port number. If another program uses a port of the settings for TCP, there are fewer TCP
    sockets. Raises PortsTakenError if no port is free, OSError if the address is not this machine's.
    """
    families = _families(settings.host)
    for port in (number for number in settings.ports for _ in range(1 if number else ANY_PORT_TRIES)):
        try:
            bound = _bind_all(families, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        wanted = [(sock.family, *sock.getsockname()[:2]) for sock in bound] if settings.tcp else []
        listening = tcp.listen(wanted)
        if port or len(listening) == len(wanted):
            return bound, listening
        for sock in (*bound, *listening):
            sock.close()
    raise PortsTakenError(errno.EADDRINUSE, f"no free port on {settings.host or 'any address'}")


def candidates(
    settings: RelaySettings, sockets: Iterable[socket.socket], public: str | None = None
) -> list[Candidate]:
    """Return the candidates (addresses) of the relay's `sockets` that a browser may try, the best first.

    The addresses are looked up at each call, because a laptop changes its network. `public`: this machine's public
    address, found by STUN, or None. It comes after the machine's own addresses, which are a shorter way for a browser
    in the same network.
    """
    ports = {sock.family: sock.getsockname()[1] for sock in sockets}
    if settings.announce:
        hosts: Iterable[str] = settings.announce
    elif settings.host in WILDCARDS:
        hosts = local_addresses()
    else:
        hosts = [sock.getsockname()[0] for sock in sockets]
    if public is not None and not settings.announce:
        hosts = [*hosts, public]
    found = []
    for host in dict.fromkeys(hosts):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if family in ports:
            found.append(Candidate(host, ports[family]))
    return found


def local_addresses() -> list[str]:
    """Return this machine's addresses, IPv4 first. 127.0.0.1 is last, for a browser on the same machine."""
    found: list[str] = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            host = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            if usable(host) and host not in (LOOPBACK, "::1"):
                found.append(host)
    return [*sorted(found, key=lambda host: ":" in host), LOOPBACK]


def _families(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if host in WILDCARDS:
        return [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104 - as the settings demand
    family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0]
    return [(socket.AddressFamily(family), str(address[0]))]


def _bind_all(families: list[tuple[socket.AddressFamily, str]], port: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for family, host in families:
            try:
                bound.append(_bind_one(family, host, bound[0].getsockname()[1] if bound else port))
            except OSError as error:
                # A host without IPv6 uses only IPv4. If a port is taken, the caller tries the next port.
                if not bound or error.errno == errno.EADDRINUSE:
                    raise
    except OSError:
        for sock in bound:
            sock.close()
        raise
    return bound


def _bind_one(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # The kernel limits these sizes without an error (net.core.rmem_max). The buffers must have room for a burst of
        # keyframes.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
