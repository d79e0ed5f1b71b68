"""The protocol from the other side: what synthetic peers and tests speak to a server.

Knows PROTOCOL.md and nothing of this package's types: messages are plain maps, so that it proves what a
stranger can write.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import aiohttp
import msgpack

JSON, MSGPACK = "greenroom.v1.json", "greenroom.v1.msgpack"
BACKLOG = 10_000  # messages kept that nobody has looked at; the oldest go first
Received = dict[str, Any]


class SignallingError(Exception):
    """A request was refused. `code` is stable (PROTOCOL.md#errors), `details` are the server's."""

    def __init__(self, code: str, text: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.details = details


class Closed(Exception):
    """The socket is closed; `code` is the close code (PROTOCOL.md#close-codes), 1006 where there was none."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class SignallingClient:
    """One connection. `connect` opens it and says hello; use it as an async context manager or `close` it."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, timeout_s: float) -> None:
        self._ws = ws
        self._timeout_s = timeout_s
        self._binary = ws.protocol == MSGPACK
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Received]] = {}
        self._arrived = asyncio.Condition()
        self.backlog: deque[Received] = deque(maxlen=BACKLOG)
        self.welcome: Received = {}
        self.closed_with: int | None = None
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(
        cls,
        http: aiohttp.ClientSession,
        url: str,
        role: str,
        *,
        resume: str | None = None,
        subprotocol: str = MSGPACK,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
    ) -> SignallingClient:
        """Return a connection that was welcomed. Raises `SignallingError`, `Closed`, `aiohttp.ClientError`,
        `TimeoutError`.
        """
        async with asyncio.timeout(timeout_s):
            ws = await http.ws_connect(
                url, protocols=(subprotocol,), headers=headers, max_msg_size=0, compress=0
            )
        client = cls(ws, timeout_s)
        try:
            hello = {"role": role} if resume is None else {"role": role, "resume": resume}
            client.welcome = await client.request("hello", **hello)
        except BaseException:
            await client.close()
            raise
        return client

    async def request(self, message_type: str, **fields: Any) -> Received:
        """Send a request and return its answer. Raises `SignallingError`, `Closed`, `TimeoutError`."""
        request_id = next(self._ids)
        reply = self._replies[request_id] = asyncio.get_running_loop().create_future()
        try:
            await self.send({"type": message_type, "id": request_id, **fields})
            async with asyncio.timeout(self._timeout_s):
                answer: Received = await reply
        finally:
            del self._replies[request_id]
        if answer["type"] == "error":
            raise SignallingError(answer["code"], answer["text"], answer["details"])
        return answer

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message as it is."""
        if self.closed_with is not None:
            raise Closed(self.closed_with)
        if self._binary:
            await self._ws.send_bytes(msgpack.packb(message))
        else:
            await self._ws.send_str(json.dumps(message))

    async def expect(
        self,
        message_type: str,
        condition: Callable[[Received], bool] = lambda _: True,
        timeout_s: float | None = None,
    ) -> Received:
        """Return the first message of a type that fits, and forget those before it. Raises `Closed`, `TimeoutError`."""
        async with asyncio.timeout(timeout_s or self._timeout_s), self._arrived:
            while True:
                while self.backlog:
                    message = self.backlog.popleft()
                    if message["type"] == message_type and condition(message):
                        return message
                if self.closed_with is not None:
                    raise Closed(self.closed_with)
                await self._arrived.wait()

    async def _read(self) -> None:
        async for frame in self._ws:
            if frame.type is aiohttp.WSMsgType.BINARY:
                await self._take(msgpack.unpackb(frame.data))
            elif frame.type is aiohttp.WSMsgType.TEXT:
                await self._take(json.loads(frame.data))
        self.closed_with = self._ws.close_code or 1006
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(Closed(self.closed_with))
        async with self._arrived:
            self._arrived.notify_all()

    async def _take(self, message: Received) -> None:
        reply = self._replies.get(message.get("reply_to") or 0)
        if reply is not None and not reply.done():
            reply.set_result(message)
            return
        async with self._arrived:
            self.backlog.append(message)
            self._arrived.notify_all()

    async def wait_closed(self) -> int:
        """Return the close code, once the server has closed. Raises `TimeoutError`."""
        async with asyncio.timeout(self._timeout_s):
            await asyncio.wait([self._reader])
        return self.closed_with or 1006

    def vanish(self) -> None:
        """Lose the socket without a word, as a dead phone does."""
        transport = self._ws.get_extra_info("socket") and self._ws._response.connection
        if transport is not None and transport.transport is not None:
            transport.transport.abort()

    async def close(self) -> None:
        """Close the socket without bye: the connection may be resumed."""
        await self._ws.close()
        await asyncio.wait([self._reader], timeout=self._timeout_s)

    async def __aenter__(self) -> SignallingClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
