"""ICE-lite (RFC 8445 §2.5): decides to which addresses of a browser media may be sent, and until when.

Handles STUN binding requests, passwords, nomination and consent (RFC 7675). An ICE-lite server does not
search paths, so the browser's candidates are not read. An address is proven when a request with the right
password came from it. Times (`now_s`) and secrets are arguments. Does no I/O.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from media.protocols import stun

# the time in s without a valid packet after which consent expires (RFC 7675 §5.1)
CONSENT_S: Final = 30.0
# If no packet has come from the address in use (`Path.address`) for this time in s, a request from another address puts
# that other address in use.
SILENT_S: Final = 3.0
# Another proven address (see `Path.proven`) comes into use after this number of calls of `Path.on_media` in a row with
# that address.
FOLLOWS: Final = 2
UDP_PREFERENCE: Final = 126  # the type preference of a UDP host candidate (RFC 8445 §5.1.2.2)
TCP_PREFERENCE: Final = 90
# the direction preference of a passive TCP candidate (RFC 6544 §4.2)
PASSIVE: Final = 4
# The greatest number of relays on a machine. Each ufrag (ICE user name) begins with three hexadecimal
# digits that name its relay.
UFRAG_INDEXES: Final = 0xFFF + 1
# the index at the beginning of a ufrag, as `ufrag` writes it
INDEX: Final = re.compile(r"[0-9a-f]{3}")
# The greatest length in bytes of a request. A longer request might be too long for some IPv4 networks (RFC 8489 §6.1).
REQUEST_MAX: Final = 548
# the length in bytes of the length field before each packet over TCP (RFC 4571)
FRAME_LENGTH: Final = 2
# the greatest number of proven addresses of one browser; if there are more, the oldest that is not in use is removed
ADDRESSES_MAX: Final = 8

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[str, int, str]
"""An address of a browser: (host, port) for UDP over IPv4, (host, port, flow, scope) for UDP over IPv6, (host, port,
"tcp") for TCP.

TCP has a form of its own, because UDP and TCP may use the same port number.
"""

Transport = Literal["udp", "tcp"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The ICE credentials of one side of a connection: a user name and a password (RFC 8839 §5.4)."""

    ufrag: str
    password: str


def local_ufrag(datagram: bytes) -> str | None:
    """Return the server's ufrag (ICE user name) in a STUN binding request; None if the datagram contains no such name.

    The password is not checked, so that a flood of requests for unknown ufrags costs little.
    """
    if (
        len(datagram) < 28
        or len(datagram) > REQUEST_MAX
        or not datagram.startswith(stun.Kind.REQUEST.value)
        or datagram[4:8] != stun.COOKIE
        or int.from_bytes(datagram[2:4], "big") + 20 != len(datagram)
    ):
        return None
    at = 20
    while at + 4 <= len(datagram):
        kind, length = struct.unpack_from("!HH", datagram, at)
        if kind == stun.USERNAME:
            value = datagram[at + 4 : at + 4 + length].partition(b":")[0]
            return value.decode("ascii") if value.isascii() else None
        at += 4 + length + (-length & 3)
    return None


def ufrag(index: int, rest: str) -> str:
    """Return a new ufrag (ICE user name) that names the relay with this `index`, below UFRAG_INDEXES.

    `rest`: random hexadecimal digits.
    """
    return f"{index:03x}{rest}"


def is_framed(data: bytes) -> bool:
    """Return True if a TCP connection begins with a STUN request in a frame, False for HTTP or TLS.

    `data`: its first bytes, not empty. HTTP begins with a letter, TLS with the byte 0x16, and a frame with a length of
    at most REQUEST_MAX.
    """
    return data[0] <= REQUEST_MAX >> 8


def frame_size(data: bytes) -> int:
    """Return the length in bytes of the first frame, its length field included.

    Returns FRAME_LENGTH while `data` does not contain the whole length field.
    """
    return (
        FRAME_LENGTH + int.from_bytes(data[:FRAME_LENGTH], "big")
        if len(data) >= FRAME_LENGTH
        else FRAME_LENGTH
    )


def relay_index(frame: bytes) -> int | None:
    """Return the index of the relay to which the request in a frame belongs.

    Returns None if its ufrag (ICE user name) names no relay.
    """
    index = INDEX.match(local_ufrag(frame[FRAME_LENGTH:]) or "")
    return int(index[0], 16) if index else None


def check(datagram: bytes, password: str) -> stun.Message | None:
    """Return the STUN request in `datagram` if its MESSAGE-INTEGRITY was made with `password` (RFC 8445 §7.3),
    otherwise None.

    The caller does not answer a request with a wrong password.
    """
    message = stun.parse(datagram)
    if message is None or message.kind != stun.Kind.REQUEST or not message.is_signed_with(password):
        return None
    return message


def response(request: stun.Message, address: Address, password: str) -> bytes:
    """Return the success response to a STUN request. Request and response are signed with the same `password`.

    The response contains `address`, from which the request came (RFC 8489 §6.3.1).
    """
    mapped = stun.xor_address(address[0], address[1], request.transaction_id)
    return stun.build(
        stun.Kind.RESPONSE, request.transaction_id, [(stun.XOR_MAPPED_ADDRESS, mapped)], password
    )


def request(to_ufrag: str, own_ufrag: str, to_password: str, transaction_id: bytes) -> bytes:
    """Return a STUN binding request that the server sends to a browser (RFC 8445 §7.2.2).

    `to_ufrag`, `to_password`: the browser's credentials. `own_ufrag`: the server's user name. `transaction_id`: 12
    random bytes, which the response repeats. ICE-lite needs no such requests. The relay sends them to learn whether the
    browser receives at a new address.
    """
    attributes = [
        (stun.USERNAME, f"{to_ufrag}:{own_ufrag}".encode()),
        (stun.PRIORITY, (UDP_PREFERENCE << 24).to_bytes(4, "big")),
        (stun.ICE_CONTROLLED, transaction_id[:8]),
    ]
    return stun.build(stun.Kind.REQUEST, transaction_id, attributes, to_password)


def answered(datagram: bytes) -> bytes | None:
    """Return the transaction id of a STUN success response, None for other data. Its signature is not checked."""
    if (
        len(datagram) < stun.HEADER_BYTES
        or not datagram.startswith(stun.Kind.RESPONSE.value)
        or datagram[4:8] != stun.COOKIE
    ):
        return None
    return datagram[8 : stun.HEADER_BYTES]


def is_answer(datagram: bytes, password: str) -> bool:
    """Return True if the datagram is a STUN response that is signed with `password`."""
    message = stun.parse(datagram)
    return message is not None and message.is_signed_with(password)


class Path:
    """The address of one browser to which media is sent, and the browser's other proven addresses.

    `address`: the address in use, to which media is sent; None if there is none now. `proven`: the addresses from which
    a request with the right password came.
    """

    __slots__ = ("_elsewhere", "_used_s", "address", "alive_s", "checks", "proven")

    def __init__(self) -> None:
        self.address: Address | None = None
        self.proven: list[Address] = []
        # how many STUN requests with the right password have come from the browser
        self.checks = 0
        # the time in s of the newest request with the right password, or of the newest authentic packet, from any
        # address
        self.alive_s = 0.0
        # the time in s of the newest request or packet from `address`
        self._used_s = 0.0
        self._elsewhere = 0

    def on_check(self, address: Address, nominates: bool, now_s: float) -> tuple[bool, list[Address]]:
        """Handle a request with the right password. Return (True if `address` has now come into use, addresses to
        forget).

        `nominates`: True if the request chooses `address`. The first address that sends a request comes into use.
        Another address comes into use if a request nominates it (RFC 8445 §8.1.1), or if a request comes from it after
        SILENT_S without packets from the address in use. The second case is needed because a browser does not notice
        that its network has changed its address, and does not nominate again.
        """
        self.alive_s = now_s
        self.checks += 1
        forgotten: list[Address] = []
        if address not in self.proven:
            self.proven.append(address)
            spare = [known for known in self.proven if known not in (self.address, address)]
            if len(self.proven) > ADDRESSES_MAX:
                forgotten.append(spare[0])
                self.proven.remove(spare[0])
        silent = now_s - self._used_s > SILENT_S
        moved = address != self.address and (nominates or self.address is None or silent)
        if moved:
            self.address = address
        if address == self.address:
            self._used_s = now_s
        return moved, forgotten

    def on_media(self, address: Address, now_s: float) -> bool:
        """Handle the address of the newest authentic packet; return True if it has now come into use.

        Another proven address comes into use after FOLLOWS calls in a row with it. A single late packet from an old
        address changes nothing. Called at most every 50 ms. `now_s`: the monotonic time.
        """
        self.alive_s = now_s
        if address == self.address:
            self._elsewhere = 0
            self._used_s = now_s
            return False
        if address not in self.proven:
            return False
        self._elsewhere += 1
        if self._elsewhere < FOLLOWS:
            return False
        self._elsewhere = 0
        self.address, self._used_s = address, now_s
        return True

    def consented(self, now_s: float) -> bool:
        """Return True if the browser has sent a valid packet within the consent time (RFC 7675 §5.1).

        Authentic media counts too, because some clients send no requests after the first.
        """
        return now_s - self.alive_s < CONSENT_S

    def lose(self, address: Address) -> bool:
        """Remove an address whose TCP connection has ended; return True if it was the address in use.

        If it was, the next address that sends a request comes into use.
        """
        if address in self.proven:
            self.proven.remove(address)
        lost = address == self.address
        if lost:
            self.address = None
        return lost

    def expire(self) -> list[Address]:
        """Forget all proven addresses because consent has expired; return them."""
        gone, self.proven, self.address = self.proven, [], None
        return gone


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host candidate of the server: one address and port. A TCP candidate is passive: the browser connects to it."""

    host: str
    port: int
    transport: Transport = "udp"


def candidate_lines(candidates: Iterable[Candidate]) -> list[str]:
    """Return the values of `a=candidate` lines in the given order, the best first (RFC 8839 §5.1).

    The priority follows RFC 8445 §5.1.2.1. A TCP candidate always has a lower priority than a UDP candidate (RFC 6544
    §4.2).
    """
    lines = []
    for place, candidate in enumerate(candidates):
        if candidate.transport == "udp":
            preference, ending = UDP_PREFERENCE << 16 | (0xFFFF - place), ""
        else:
            preference = TCP_PREFERENCE << 16 | PASSIVE << 13 | (0x1FFF - place)
            ending = " tcptype passive"
        lines.append(
            f"{place + 1} 1 {candidate.transport} {preference << 8 | 0xFF} {candidate.host} {candidate.port} typ host"
            f"{ending}"
        )
    return lines


def usable(host: str) -> bool:
    """Return True if an interface's address may be announced: it is not link-local, multicast or unspecified."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_link_local or address.is_multicast or address.is_unspecified)
