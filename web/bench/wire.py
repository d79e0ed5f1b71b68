"""One WebSocket as cheaply as Python can have it: the upgrade, whole frames, and nothing else (RFC 6455).

Knows no protocol that is spoken on it: what a server says goes to `heard`, with the time at which it was read. A client
from the shelf would cost more than the server that it loads. Frames come whole and unmasked, as all servers here send.
"""

import asyncio
import time
from typing import Any, Final, cast

OPEN_S = 20.0
KEY = "Z3JlZW5yb29tIGJlbmNoIQ=="  # any 16 bytes will do (RFC 6455 §4.1); the answer to it is not checked
NO_MASK: Final = b"\0\0\0\0"  # a mask like any other, and the only one that costs nothing
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class PeerError(Exception):
    """The server did not answer as its protocol says."""


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame of a client's, its mask nothing but zeros."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8)
    return head + NO_MASK + payload


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
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    async def open(self) -> None:
        """Connects and upgrades. Raises PeerError, OSError, TimeoutError."""
        async with asyncio.timeout(OPEN_S):
            await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
            await self.upgraded

    def heard(self, payload: bytes, now_ns: int) -> None:
        """A message came; `now_ns` is when it was read (monotonic)."""

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
        """asyncio's: takes whole frames apart."""
        now = time.monotonic_ns()
        self._buffer = data = self._buffer + data if self._buffer else data
        at, end = 0, len(data)
        if not self.upgraded.done():
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                return
            self._upgrade(data[:at])
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                if end < start:
                    break
                size = int.from_bytes(data[at + 2 : start])
            if end < start + size:
                break
            opcode = data[at] & 0x0F
            payload = data[start : start + size]
            at = start + size
            if opcode in (TEXT, BINARY):
                self.heard(payload, now)
            elif opcode == PING:
                self.say(payload, PONG)
            elif opcode == CLOSE:
                self.lost(PeerError(f"closed with {int.from_bytes(payload[:2])}"))
        self._buffer = data[at:]

    def _upgrade(self, head: bytes) -> None:
        status = head.split(b"\r\n", 1)[0].decode("ascii", "replace")
        if " 101 " in status:
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
