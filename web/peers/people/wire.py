"""Implements the TCP connection of a synthetic browser: first HTTP/1.1 requests, then the WebSocket on it.

The load tester and benchmarks use it. It implements only those parts of RFC 9112 and RFC 6455 that a thousand
people on one core need. A general HTTP client would cost more CPU than all other work of these people. This
module handles bytes, not cookies and not messages; `signalling.clients.client` handles messages.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import NamedTuple, cast

import msgpack

from signalling.clients.client import CLOSE_S, MSGPACK, NO_CODE, Listener, Received, SignallingClient
from signalling.errors import ClosedError
from web.peers.errors import HttpError
from web.peers.people.frames import (
    BINARY,
    CLOSE,
    CONTINUED,
    FINAL,
    PING,
    PONG,
    TEXT,
    frame,
    take,
)

KEY = base64.b64encode(b"greenroom peers!").decode()
ACCEPT = base64.b64encode(
    hashlib.sha1(KEY.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
)
MOST_HEAD = 64 * 1024
MOST_BODY = 8 << 20
END = b"\r\n\r\n"
EMPTY = frozenset({204, 304})
MOST_READ = 256
READ: dict[bytes | str, Received] = {}
"""A cache: bytes of a message -> the decoded message, for at most MOST_READ messages.

Several people share a decoded message, so it must not be changed.
"""


class Answer(NamedTuple):
    """A response: status, headers (lower-case name -> value), body. Values of the same name are joined by "\\n"."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(asyncio.Protocol):
    """A TCP connection to a server. After `upgrade`, `on_message` is called with each message.

    When the TCP connection ends after `upgrade`, `on_end` is called once with the WebSocket's close code.
    """

    def __init__(self) -> None:
        self.on_message: Callable[[bytes], None] = lambda _: None
        self.on_end: Callable[[int], None] = lambda _: None
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[Answer] | None = None
        self._upgraded = False
        self._parts: list[bytes] = []
        self._code = NO_CODE

    # --- methods that use HTTP

    async def request(self, head: str, body: bytes = b"") -> Answer:
        """Send an HTTP request; return the response.

        `head`: its first line and headers; `body`: the bytes after them. Raises HttpError if no valid response arrives.
        """
        if self._transport is None or self.closed:
            raise HttpError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode("latin-1") + b"\r\n" + body)
        return await self._answer

    async def upgrade(self, head: str, subprotocol: str = MSGPACK) -> None:
        """Open the WebSocket: send `head` (request line and headers) with the headers of an upgrade added.

        `subprotocol`: the codec to offer, "" for none. Raises HttpError if the server refuses it.
        """
        offered = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        answer = await self.request(
            f"{head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\n{offered}"
        )
        accepted = answer.headers.get("sec-websocket-accept", "").encode()
        if (
            answer.status != 101
            or accepted != ACCEPT
            or answer.headers.get("sec-websocket-protocol", "") != subprotocol
        ):
            self.abort()
            raise HttpError(f"no WebSocket: the answer is {answer.status}")

    def _http(self) -> None:
        head, end, rest = self._buffer.partition(END)
        if not end:
            if len(head) > MOST_HEAD:
                self._fail("a head without an end")
            return
        lines = head.decode("latin-1").split("\r\n")
        version, _, status = lines[0].partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdecimal():
            self._fail("no answer of HTTP/1.1")
            return
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.lower()
            headers[name] = f"{headers[name]}\n{value.strip()}" if name in headers else value.strip()
        code = int(status[:3])
        if 100 <= code < 200 and code != 101:
            self._buffer = rest
            self._http()
            return
        found = _body(code, headers, rest)
        if found is None and len(rest) > MOST_BODY:
            self._fail("too long a page")
        elif found is not None and self._answer is not None:
            body, self._buffer = found
            self._upgraded = code == 101
            answer, self._answer = self._answer, None
            if not answer.done():
                answer.set_result(Answer(code, headers, body))
            if headers.get("connection", "").lower() == "close":
                self.abort()

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HttpError(why))
        self.abort()

    # --- methods that use the WebSocket

    def send(self, payload: bytes, opcode: int = BINARY) -> None:
        """Send one message in a frame with this opcode; do nothing if the connection is closed."""
        if self._transport is not None:
            self._transport.write(frame(opcode, payload))

    def _other(self, first: int, payload: bytes) -> None:
        opcode, final = first & 0x0F, first & FINAL
        if opcode == PING:
            self.send(payload, PONG)
        elif opcode == CLOSE:
            self._code = int.from_bytes(payload[:2]) if len(payload) >= 2 else NO_CODE
            self.send(payload[:2], CLOSE)
            if self._transport is not None:
                self._transport.close()
        elif opcode in (CONTINUED, TEXT, BINARY):
            self._parts.append(payload)
            if final:
                whole, self._parts = b"".join(self._parts), []
                self.on_message(whole)

    # --- methods that asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection's transport (called by asyncio)."""
        self._transport = cast(
            asyncio.Transport,
            transport,
            # A cast is needed: uvloop's transport has the methods, but not this base class.
        )

    def data_received(self, data: bytes) -> None:
        """Parse the received bytes (called by asyncio)."""
        self._buffer = data = self._buffer + data if self._buffer else data
        if not self._upgraded:
            self._http()
            data = self._buffer
        if self._upgraded and data:
            self._buffer = take(data, self.on_message, self._other)

    def eof_received(self) -> None:
        """Complete a response without Content-Length, because the server has sent all of it (called by asyncio)."""
        if self._answer is not None and END in self._buffer:
            self._buffer = self._buffer.replace(
                END, f"\r\nContent-Length: {_rest(self._buffer)}".encode() + END, 1
            )
            self._http()

    def connection_lost(self, problem: Exception | None) -> None:
        """Let a waiting request raise HttpError; if there was an upgrade, call `on_end` (called by asyncio)."""
        self.closed, self._transport = True, None
        self._fail("the connection was lost")
        if self._upgraded:
            self.on_end(self._code)

    def pause_reading(self) -> None:
        """Stop reading what the server sends, so that unsent data accumulates at the server."""
        if self._transport is not None:
            self._transport.pause_reading()

    def abort(self) -> None:
        """Close the TCP connection at once, without a close frame."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()


def _rest(data: bytes) -> int:
    return len(data) - data.index(END) - len(END)


def _body(code: int, headers: dict[str, str], rest: bytes) -> tuple[bytes, bytes] | None:
    """Return the body and the bytes after it (RFC 9112 §6.3); None while the body is not complete.

    `code` and `headers`: those of the answer; `rest`: the bytes received after the headers.
    """
    if code == 101 or code in EMPTY:
        return b"", rest
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _chunks(rest)
    length = headers.get("content-length", "")
    if not length.isdecimal() or len(rest) < int(length):
        return None
    return rest[: int(length)], rest[int(length) :]


def _chunks(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the body of a chunked answer and the bytes after it (RFC 9112 §7.1); None while it is not complete.

    Trailer fields are ignored.
    """
    body: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        try:
            size = int(data[at:end].partition(b";")[0], 16)
        except ValueError:
            return None
        at = end + 2
        if not size:
            last = data.find(END, end)
            return None if last < 0 else (b"".join(body), data[last + 4 :])
        if len(data) < at + size + 2:
            return None
        body.append(data[at : at + size])
        at += size + 2
    return None


class LeanClient(SignallingClient):
    """A client of the WebSocket protocol that uses a `Wire` and MessagePack. The caller must first send `hello`."""

    def __init__(self, wire: Wire, timeout_s: float, listener: Listener) -> None:
        self._wire = wire
        self._begin(timeout_s, listener, binary=True)
        wire.on_message, wire.on_end = self._take, self._ended

    def _take(self, data: bytes | str) -> None:
        # A message to all staff has the same bytes for each person, so it is decoded only once.
        message = READ.get(data)
        if message is None:
            message = msgpack.unpackb(data)
            if "reply_to" in message:
                reply = self._replies.pop(message["reply_to"], None)
                if reply is not None and not reply.done():
                    reply.set_result(message)
                return
            if len(READ) >= MOST_READ:
                READ.clear()
            READ[data] = message
        self._listener(message)

    async def send(self, message: object) -> None:
        """Send a message unchanged. Raises `ClosedError` if the socket is closed."""
        if self.closed_with is not None:
            raise ClosedError(self.closed_with)
        self._wire.send(msgpack.packb(message))

    async def ask(self, message_type: str, /, **fields: object) -> asyncio.Future[Received]:
        """Send a request; return a future of its reply. Raises `ClosedError` if the socket is closed.

        `message_type`: the request's type; `fields`: its fields.
        """
        if self.closed_with is not None:
            raise ClosedError(self.closed_with)
        request_id = next(self._ids)
        reply = self._replies[request_id] = asyncio.get_running_loop().create_future()
        self._wire.send(msgpack.packb({"type": message_type, "id": request_id, **fields}))
        return reply

    def stop_reading(self) -> None:
        """Stop reading what the server sends, like an overloaded device."""
        self._wire.pause_reading()

    def vanish(self) -> None:
        """Abort the socket without a close frame, like a device that loses its network."""
        self._wire.abort()

    async def close(self) -> None:
        """Close with the code 1001, as a browser does when a page is closed."""
        if self.closed_with is None:
            self._wire.send((1001).to_bytes(2), CLOSE)
            try:
                await self.wait_closed(CLOSE_S)
            except TimeoutError:
                self._wire.abort()
