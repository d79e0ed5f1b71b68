"""A WebSocket of JSON messages, for adapters: reads in the background; callers wait for the messages they need."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import aiohttp

from web.peers.adapters.adapter import Server
from web.peers.errors import EntryError, RefusedError
from web.peers.people.entry import sentence

KEPT: Final = 100
"""The greatest number of received messages that are kept for `wait`; if there are more, the oldest are dropped."""
PING_S: Final = 20.0
CLOSE_S: Final = 2.0
Message = dict[str, Any]


class JsonSocket:
    """A WebSocket connection; call `open` to make one. Received messages that are not JSON objects are ignored."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._kept: deque[Message] = deque(maxlen=KEPT)
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, server: Server, *, path: str = "", protocols: Sequence[str] = ()) -> Self:
        """Open the WebSocket at the server's address followed by `path`, offering these subprotocols.

        Raises EntryError if the server does not open it.
        """
        try:
            socket = await server.http.ws_connect(
                server.url.rstrip("/") + path, protocols=protocols, heartbeat=PING_S, max_msg_size=1 << 22
            )
        except aiohttp.WSServerHandshakeError as refused:
            raise EntryError(f"{server.url} opens no WebSocket: it answers with {refused.status}") from None
        except (aiohttp.ClientError, OSError) as problem:
            raise EntryError(sentence(problem, server.url)) from None
        return cls(socket)

    async def send(self, **message: Any) -> None:
        """Send the arguments as a JSON object. Raises RefusedError with the code `lost` if the connection is closed."""
        try:
            await self._socket.send_json(message)
        except (ConnectionError, aiohttp.ClientError):
            raise self._lost() from None

    async def wait(self, fits: Callable[[Message], bool]) -> Message:
        """Wait for a message for which `fits` returns True, and return it; each message is returned once.

        Messages for which it returns False are kept for later calls. Raises RefusedError with the code `lost` if the
        connection is closed.
        """
        while True:
            for message in self._kept:
                if fits(message):
                    self._kept.remove(message)
                    return message
            if self._reader.done():
                raise self._lost()
            self._news.clear()
            await self._news.wait()

    def drop(self) -> None:
        """Drop all received messages that `wait` has not returned, such as late messages of an earlier call."""
        self._kept.clear()

    async def close(self) -> None:
        """Close the connection; wait at most CLOSE_S seconds for the server's close frame."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close()
        except TimeoutError:
            # The server does not answer the close frame, so the client does not wait any longer.
            pass
        self._reader.cancel()

    def _lost(self) -> RefusedError:
        return RefusedError("lost", f"the WebSocket is closed with {self._socket.close_code}")

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._take(frame.data)
        finally:
            self._news.set()

    def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict):
            self._kept.append(message)
            self._news.set()
