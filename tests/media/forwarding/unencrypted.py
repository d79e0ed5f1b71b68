"""Provides a forwarder without encryption, with its endpoints, sockets and packets, so that a test can read what it
sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from media.forwarding.endpoint import Endpoint
from media.forwarding.forwarder import Forwarder
from media.protocols.codecs import OPUS, VP8, VP8_RTX
from media.protocols.ice import Address
from media.protocols.rtp import build
from media.transport.srtp import Binding

AUDIO, VIDEO, RTX = OPUS.payload_type, VP8.payload_type, VP8_RTX.payload_type
A: Address = ("192.0.2.1", 1000)
B: Address = ("192.0.2.2", 2000)
C: Address = ("192.0.2.3", 3000)
# the payloads of the first packet of a keyframe, and of a packet of another picture
KEY, DELTA = b"\x10\x00key", b"\x10\x01delta"


class Keys:
    """Used instead of an endpoint's SRTP contexts.

    Each field is the result of the operation with its name: 0 for success, or the number of an error that a test sets.
    """

    def __init__(self) -> None:
        self.unprotect = self.protect = self.unprotect_rtcp = self.protect_rtcp = 0


def unencrypted() -> Binding:
    """Return an SRTP binding that leaves all bytes unchanged."""

    def answer(name: str) -> Callable[[Any, Any, Any], int]:
        return lambda keys, _handle, _length: int(getattr(keys, name))

    return Binding(
        name="unencrypted",
        unprotect=answer("unprotect"),
        protect=answer("protect"),
        unprotect_rtcp=answer("unprotect_rtcp"),
        protect_rtcp=answer("protect_rtcp"),
        handle=lambda buffer: buffer,
        length=lambda: [0],
        context=lambda session: session,
    )


class Inbox:
    """A socket with datagrams that wait to be read. In place of a datagram there may be an error, which is raised."""

    def __init__(self, *waiting: tuple[bytes, Address] | Exception) -> None:
        self.waiting = list(waiting)

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Any]:
        if not self.waiting:
            raise BlockingIOError
        found = self.waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        buffer[: len(found[0])] = found[0]
        return len(found[0]), found[1]

    def sendto(self, packet: bytes | memoryview, address: Any, /) -> int:
        raise AssertionError("nothing is sent by the socket that is read")


class Others:
    """Records what the forwarder passes on: packets that are not media, and packets from new addresses."""

    def __init__(self) -> None:
        self.stun: list[tuple[bytes, Address]] = []
        self.dtls: list[tuple[Endpoint, bytes]] = []
        self.moved: list[tuple[Endpoint, Address]] = []
        self.missing = 0

    def on_stun(self, datagram: bytes, address: Address, sock: Any) -> None:
        self.stun.append((datagram, address))

    def on_dtls(self, endpoint: Endpoint, datagram: bytes) -> None:
        self.dtls.append((endpoint, datagram))

    def on_moved(self, endpoint: Endpoint, address: Address, sock: Any) -> None:
        self.moved.append((endpoint, address))

    def on_missing(self) -> None:
        self.missing += 1


class UnencryptedRoom:
    """A forwarder and the endpoints of one room. `now_s`: its clock. `sent`: address -> the packets that were sent
    there.
    """

    def __init__(self, *addresses: Address) -> None:
        self.now_s = 100.0
        self.others = Others()
        self.forwarder = Forwarder(unencrypted(), self.others, lambda: self.now_s)
        self.sent: dict[Address, list[bytes]] = {address: [] for address in addresses}
        self.endpoints = [self._endpoint(10 * place, address) for place, address in enumerate(addresses, 1)]

    def _endpoint(self, ssrc: int, address: Address) -> Endpoint:
        made = Endpoint({"audio": ssrc, "video": ssrc + 1, "rtx": ssrc + 2})
        made.address, made.rx, made.tx = address, Keys(), Keys()
        made.takes_rtx = True

        def sendto(packet: bytes | memoryview, to: Any) -> int:
            self.sent[to].append(bytes(packet))
            return len(packet)

        made.sendto = sendto
        self.forwarder.endpoints[address] = made
        return made

    def reads(self, *waiting: tuple[bytes, Address] | Exception) -> Inbox:
        """Make the forwarder read these datagrams, or raise these errors; return the socket."""
        inbox = Inbox(*waiting)
        self.forwarder.read(inbox)
        return inbox

    def counted(self) -> dict[str, int]:
        """Return the counters that are not 0."""
        names = self.forwarder.counters.__slots__
        return {name: value for name in names if (value := getattr(self.forwarder.counters, name))}


def pair() -> tuple[UnencryptedRoom, Endpoint, Endpoint]:
    """Return (the room, the endpoint of A, the endpoint of B) in a room in which media may pass.

    A sends sound with SSRC 1, video with 2 and retransmissions with 3.
    """
    line = UnencryptedRoom(A, B)
    a, b = line.endpoints
    a.learn(1, "audio")
    a.learn(2, "video")
    a.learn(3, "rtx")
    a.route(b, True)
    b.route(a, True)
    return line, a, b


def sound(number: int, **more: Any) -> tuple[bytes, Address]:
    """Return (a packet of A's sound with this number, A's address). `more`: other arguments of `build`."""
    return build(AUDIO, number, 960 * number, 1, b"sound", **more), A


def picture(number: int, payload: bytes = DELTA, **more: Any) -> tuple[bytes, Address]:
    """Return (a packet of A's video with this number, A's address). `more`: further arguments of `build`."""
    return build(VIDEO, number, 3000 * number, 2, payload, **more), A
