"""The WebSocket of the benchmark's clients, which keeps the time at which each message was read.

It does not parse messages: each message is passed to `heard`.
"""

import asyncio
import time
from typing import Any

from tests.limits import WAIT_S
from web.peers.errors import HttpError
from web.peers.people.frames import TEXT
from web.peers.people.wire import Wire

OPEN_S = WAIT_S


class PeerError(Exception):
    """The server did not answer as its protocol requires."""


class TimedWire(Wire):
    """A WebSocket to `path` of a server.

    A subclass defines what happens with messages (`heard`) and at the end (`lost`).
    """

    def __init__(self, host: str, port: int, path: str, subprotocol: str = "", headers: str = "") -> None:
        super().__init__()
        self._address, self._subprotocol = (host, port), subprotocol
        self._head = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n{headers}"
        )
        self.on_message, self.on_end = self.heard, self._ended
        self.read_ns = 0
        """The time (monotonic, ns) at which the message that `heard` receives was read."""

    async def open(self) -> None:
        """Connect and upgrade to a WebSocket.

        Raises PeerError if the server refuses, OSError or TimeoutError if it does not answer.
        """
        async with asyncio.timeout(OPEN_S):
            await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
            try:
                await self.upgrade(self._head, self._subprotocol)
            except HttpError as problem:
                raise PeerError(str(problem)) from None

    def heard(self, payload: bytes) -> None:
        """Process a received message; `read_ns` is the time at which it was read."""

    def lost(self, problem: PeerError) -> None:
        """React to the end of the connection.

        `problem`: its text has the code with which the WebSocket ended.
        """

    def say(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send `payload` at once as one WebSocket frame of the type `opcode`. Raises PeerError if the socket is not
        open.
        """
        if self.closed:
            raise PeerError("not open")
        self.send(payload, opcode)

    def data_received(self, data: bytes) -> None:
        """Keep the time, and split the received bytes into frames. asyncio calls this method."""
        self.read_ns = time.monotonic_ns()
        super().data_received(data)

    def _ended(self, code: int) -> None:
        self.lost(PeerError(f"closed with {code}"))


def settle(futures: "list[asyncio.Future[Any]]", problem: Exception) -> None:
    """Make each of the futures that are not done yet fail with `problem`."""
    for future in futures:
        if not future.done():
            future.set_exception(problem)
