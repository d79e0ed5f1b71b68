"""One WebSocket as cheaply as Python can have it: the upgrade, whole frames, and nothing else (RFC 6455).

Knows no protocol that is spoken on it: what a server says goes to `heard`, and `read_ns` has the time at which it was
read. A client from the shelf would cost more than the server that it loads. Messages come whole and unmasked, as all
servers here send.
"""

import asyncio
import time
from typing import Any, cast

from web.peers.people.frames import CLOSE, PING, PONG, TEXT, frame, take

OPEN_S = 20.0
KEY = "Z3JlZW5yb29tIGJlbmNoIQ=="  # any 16 bytes will do (RFC 6455 §4.1); the answer to it is not checked


class PeerError(Exception):
    """The server did not answer as its protocol says."""


class Wire(asyncio.Protocol):
    """A socket to `path` of a server. Subclasses say what `heard` and `lost` mean."""

    def __init__(self, host: str, port: int, path: str, headers: str = "") -> None:
        self._address = host, port
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
        ).encode()
        self.upgraded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.read_ns = 0
        """When what is being heard was read (monotonic)."""
        self._open = False
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    async def open(self) -> None:
        """Connects and upgrades. Raises PeerError, OSError, TimeoutError."""
        async with asyncio.timeout(OPEN_S):
            await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
            await self.upgraded

    def heard(self, payload: bytes) -> None:
        """A message came, at `read_ns`."""

    def lost(self, problem: PeerError) -> None:
        """The server closed, or the connection broke."""

    def say(self, payload: bytes, opcode: int = TEXT) -> None:
        """Sends a message at once. Raises PeerError where the socket is not open."""
        if self._transport is None:
            raise PeerError("not open")
        self._transport.write(frame(opcode, payload))

    def close(self) -> None:
        """Lets go of the socket."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: asks for the upgrade."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """asyncio's: takes what came apart."""
        self.read_ns = time.monotonic_ns()
        if self._buffer:
            data = self._buffer + data
        if not self._open:
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                self._buffer = data
                return
            self._upgrade(head)
            if not self._open:
                return
            data = rest
        self._buffer = take(data, self.heard, self._other)

    def _other(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == PING:
            self.say(payload, PONG)
        elif opcode == CLOSE:
            self.lost(PeerError(f"closed with {int.from_bytes(payload[:2])}"))
        elif opcode != PONG:
            self.lost(PeerError("a message came in parts"))

    def _upgrade(self, head: bytes) -> None:
        status = head.split(b"\r\n", 1)[0].decode("ascii", "replace")
        self._open = " 101 " in status
        if not self._open:
            self.close()
        if self.upgraded.done():
            return  # nobody waits any more
        if self._open:
            self.upgraded.set_result(None)
        else:
            self.upgraded.set_exception(PeerError(status))

    def connection_lost(self, problem: Exception | None) -> None:
        """asyncio's: whoever waits hears of it."""
        self._transport = None
        gone = PeerError("the connection was lost")
        if not self.upgraded.done():
            self.upgraded.set_exception(gone)
        self.lost(gone)


def settle(futures: "list[asyncio.Future[Any]]", problem: Exception) -> None:
    """Whoever waits for these hears of the problem."""
    for future in futures:
        if not future.done():
            future.set_exception(problem)
