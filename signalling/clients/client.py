"""A client of the WebSocket protocol: one connection to a server, for scripts, load testers and tests.

It follows PROTOCOL.md and uses no type of this package: messages are plain maps, as in a client that another team has
written. It needs aiohttp and msgpack, and this file can be copied as it is. It does not reconnect by itself: the caller
decides to `resume`. PROTOCOL.md also describes how to get the cookie that identifies a person.

    async with aiohttp.ClientSession() as http:
        headers = {"Cookie": cookie, "Origin": "https://visits.example.org"}
        url = "https://visits.example.org/riverside/ws"
        async with await SignallingClient.connect(http, url, "patient", headers=headers) as client:
            visit = client.welcome["visit"]
            await client.request("subscribe", topic=f"visit/{visit}")
            await client.expect("visit.state", lambda m: m["visit"]["status"] == "claimed")
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping
from ssl import SSLContext
from types import TracebackType
from typing import Any

import aiohttp
import msgpack

from signalling.errors import ClosedError, RequestError

JSON, MSGPACK = "greenroom.v1.json", "greenroom.v1.msgpack"
# The client keeps at most this number of received messages for `expect`. If more arrive, the oldest message is dropped.
BACKLOG = 10_000
NO_CODE = 1006  # the close code that is reported if a socket was closed without a code (RFC 6455 §7.4.1)
CLOSE_S = 2.0  # time in s that `close` waits for the server to answer `bye`; then the socket is aborted
Received = dict[str, Any]
Listener = Callable[[Received], None]


def accepted(answer: Received) -> Received:
    """Return `answer`, the server's reply to a request. Raises `RequestError` if it is an `error` message."""
    if answer["type"] == "error":
        raise RequestError(answer["code"], answer["text"], answer["details"])
    return answer


class SignallingClient:
    """One connection. `connect` opens it; use it as an async context manager, or call `close`.

    `welcome`: the reply to `hello`; `welcome["resume"]` is the token for a later `connect(resume=…)`. Messages that are
    no reply go to `listener` if one is given, otherwise to `backlog`, which `expect` reads. `closed_with`: the close
    code, None while the socket is open.
    """

    def __init__(
        self, ws: aiohttp.ClientWebSocketResponse, timeout_s: float, listener: Listener | None = None
    ) -> None:
        self._ws = ws
        self._begin(timeout_s, listener, binary=ws.protocol == MSGPACK)
        self._reader = asyncio.create_task(self._read())

    def _begin(self, timeout_s: float, listener: Listener | None, *, binary: bool) -> None:
        self._timeout_s = timeout_s
        self._binary = binary
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Received]] = {}
        self._arrived = asyncio.Event()
        self._listener = listener or self._keep
        self._over = asyncio.Event()
        self._tell: list[Callable[[], None]] = []
        self.backlog: deque[Received] = deque(maxlen=BACKLOG)
        self.welcome: Received = {}
        self.closed_with: int | None = None

    @classmethod
    async def connect(
        cls,
        http: aiohttp.ClientSession,
        url: str,
        role: str,
        *,
        resume: str | None = None,
        or_anew: bool = False,
        subprotocol: str = MSGPACK,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        listener: Listener | None = None,
        ssl: SSLContext | bool = True,
    ) -> SignallingClient:
        """Open a socket, send `hello` as `role` (`patient`, `staff` or `guest`), and return the connection.

        `http`, `url`, `headers` and `ssl` are used to open the socket. `subprotocol` chooses JSON or MessagePack.
        `or_anew`: True begins a new connection on the same socket if the token `resume` is refused. `timeout_s` limits
        the opening and the reply of each request. Each received message that is no reply is passed to `listener` at
        once; an exception in `listener` ends the connection. Raises `RequestError` if the server refuses `hello`,
        `ClosedError` if the server closes the socket, `aiohttp.ClientError` if no socket can be opened, `TimeoutError`
        if the server does not answer.
        """
        async with asyncio.timeout(timeout_s):
            ws = await http.ws_connect(
                url, protocols=(subprotocol,), headers=headers, max_msg_size=0, compress=0, ssl=ssl
            )
        client = cls(ws, timeout_s, listener)
        await client.hello(role, resume, or_anew=or_anew)
        return client

    async def hello(self, role: str, resume: str | None = None, *, or_anew: bool = False) -> None:
        """Send `hello` with this role, and keep the reply as `welcome`; close the socket if that fails.

        `resume`: the token of a connection to resume, None for a new connection. `or_anew`: True to begin a new
        connection if the server refuses the token. Raises the errors of `connect`, except `aiohttp.ClientError`.
        """
        try:
            hello = {"role": role} if resume is None else {"role": role, "resume": resume}
            try:
                self.welcome = await self.request("hello", **hello)
            except RequestError as refused:
                if not or_anew or not refused.code.startswith("resume_"):
                    raise
                self.welcome = await self.request("hello", role=role)
        except BaseException:
            await self.close()
            raise

    async def request(self, message_type: str, /, **fields: Any) -> Received:
        """Send a request of the type `message_type` with these fields, and return its reply.

        Raises `RequestError` if the reply is an `error`, `ClosedError` if the socket is closed, `TimeoutError` without
        a reply.
        """
        async with asyncio.timeout(self._timeout_s):
            answer = await (await self.ask(message_type, **fields))
        return accepted(answer)

    async def ask(self, message_type: str, /, **fields: Any) -> asyncio.Future[Received]:
        """Send a request like `request`, but return a future of its reply, which may be an `error` (see `accepted`).

        So a caller can send several requests before the first reply arrives. This method and the future raise
        `ClosedError` if the socket is closed.
        """
        request_id = next(self._ids)
        reply = self._replies[request_id] = asyncio.get_running_loop().create_future()
        try:
            await self.send({"type": message_type, "id": request_id, **fields})
        except BaseException:
            del self._replies[request_id]
            raise
        return reply

    async def send(self, message: Mapping[str, Any]) -> None:
        """Encode a message as it is given, and send it. Raises `ClosedError` if the socket is closed."""
        if self.closed_with is not None:
            raise ClosedError(self.closed_with)
        try:
            if self._binary:
                await self._ws.send_bytes(msgpack.packb(message))
            else:
                await self._ws.send_str(json.dumps(message))
        except (aiohttp.ClientConnectionResetError, ConnectionError):
            raise ClosedError(self._ws.close_code or NO_CODE) from None

    async def expect(
        self,
        message_type: str,
        condition: Callable[[Received], bool] = lambda _: True,
        timeout_s: float | None = None,
    ) -> Received:
        """Return the first received message of this type for which `condition` is true, and drop the messages before
        it.

        This method reads `backlog`, which stays empty if there is a `listener`. `timeout_s`: None for the connection's
        time-out. Raises `ClosedError` if the socket is closed, `TimeoutError` if no such message arrives in time.
        """
        async with asyncio.timeout(timeout_s or self._timeout_s):
            while True:
                while self.backlog:
                    message = self.backlog.popleft()
                    if message["type"] == message_type and condition(message):
                        return message
                if self.closed_with is not None:
                    raise ClosedError(self.closed_with)
                self._arrived.clear()
                await self._arrived.wait()

    async def _read(self) -> None:
        try:
            async for frame in self._ws:
                if frame.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                    self._take(frame.data)
        finally:
            self._ended(self._ws.close_code or NO_CODE)

    def _take(self, data: bytes | str) -> None:
        message = msgpack.unpackb(data) if self._binary else json.loads(data)
        reply = self._replies.pop(message["reply_to"], None) if "reply_to" in message else None
        if reply is None:
            self._listener(message)
        elif not reply.done():
            reply.set_result(message)

    def _ended(self, code: int) -> None:
        self.closed_with = code
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ClosedError(code))
                # Read the exception: asyncio would otherwise log that no caller has read it.
                reply.exception()
        self._arrived.set()
        self._over.set()
        for tell in self._tell:
            tell()

    def _keep(self, message: Received) -> None:
        self.backlog.append(message)
        self._arrived.set()

    def on_close(self, tell: Callable[[], None]) -> None:
        """Call `tell` once when the server or this client has closed the socket."""
        self._tell.append(tell)

    async def wait_closed(self, timeout_s: float | None = None) -> int:
        """Wait until the socket is closed; return the close code.

        `timeout_s`: None for the connection's time-out. Raises `TimeoutError` if the socket is still open after that
        time.
        """
        async with asyncio.timeout(timeout_s or self._timeout_s):
            await self._over.wait()
        return self.closed_with or NO_CODE

    def stop_reading(self) -> None:
        """Stop reading, as an overloaded device does, so that unsent data accumulates at the server."""
        transport = self._transport()
        if transport is not None:
            transport.pause_reading()

    def vanish(self) -> None:
        """Abort the socket without a close frame, like a phone that loses power. The connection may be resumed."""
        transport = self._transport()
        if transport is not None:
            transport.abort()

    def _transport(self) -> asyncio.Transport | None:
        connection = self._ws._response.connection
        return connection.transport if connection is not None else None

    async def bye(self) -> None:
        """Send `bye` and close the socket. The server ends the connection at once, so that it cannot be resumed."""
        try:
            await self.send({"type": "bye", "id": next(self._ids)})
            await self.wait_closed(CLOSE_S)
        except (ClosedError, TimeoutError):
            self.vanish()
        await self.close()

    async def close(self) -> None:
        """Close the socket without `bye`, like a browser whose user leaves the page. The connection may be resumed."""
        await self._ws.close()
        if not self._reader.done():
            await asyncio.wait([self._reader], timeout=self._timeout_s)

    async def __aenter__(self) -> SignallingClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
