"""The receiving side of one WebSocket: an asyncio protocol, and the queue of the messages that must wait.

After `hello`, an `OpenSocket` replaces aiohttp as the protocol of the transport. For each connection, aiohttp keeps
the HTTP request, a parser and two tasks in memory while the request's handler runs. With an `OpenSocket`, an idle
socket needs none of these objects. aiohttp's reader still parses the frames and gives each message to `feed_data`.
All frames are counted, also frames that complete no message; a client that sends too many frames is disconnected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import EofStream, WebSocketError, WSCloseCode, WSMessage, WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

from signalling.hub import CLOSE, frame
from signalling.repeated import due
from signalling.sockets.frame_limits import Bound, Counted
from signalling.sockets.websocket import CLOSE_ANSWER_S, Handler, close_code

log = structlog.get_logger()
HELLO_FRAMES, FRAMES = 100, 2000
"""The number of frames allowed within ten seconds, before and after `hello`. Messages have another limit: 50/s."""
HELLO_MESSAGES, MESSAGES = 2, 64
"""The limits for bytes in ten seconds, before and after `hello`, as multiples of the greatest length of a message."""
QUEUE_BYTES = 131_072
"""If a client's waiting messages have more bytes than this number, reading from the client pauses, until at most half
of this number waits.
"""


class OpenSocket(WebSocketDataQueue, asyncio.Protocol):
    """The receiving side of one client's socket. `message_bytes`: the length of the longest message.

    Until `detach`, aiohttp reads the messages by `read`. Afterwards, each message goes to the handler first. If the
    handler does not handle a message, this message and all later messages wait, and `receive` returns them in order.
    """

    __slots__ = (
        "_arrived",
        "_bytes",
        "_closing",
        "_counted",
        "_ended",
        "_handler",
        "_messages",
        "_paused",
        "_problem",
        "_timer",
        "_transport",
        "_wake",
        "data_received",
        "message_bytes",
    )

    # The queue of the base class is not used (its `__init__` is not called), because it takes 800 bytes even if it is
    # empty. aiohttp's reader compares `_size` with `_limit`, and would stop reading if `_size` were larger.
    _size = _limit = 0

    def __init__(self, transport: asyncio.Transport, message_bytes: int) -> None:
        self._transport = transport
        self.message_bytes = message_bytes
        self._messages: list[tuple[WSMessage, int]] = []
        self._bytes = 0
        self._arrived: asyncio.Future[None] | None = None
        self._handler: Handler | None = None
        self._wake: Callable[[], None] | None = None
        self._problem: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = self._closing = self._ended = False
        reader = WebSocketReader(self, message_bytes + 1, compress=False, decode_text=False)
        bound = Bound(HELLO_FRAMES, HELLO_MESSAGES * message_bytes)
        self._counted = Counted(reader.feed_data, reader.feed_eof, bound, self.flooded, self.malformed)
        # The event loop calls `data_received` for received data. It is an attribute, so that the loop calls the method
        # of `_counted` directly.
        self.data_received = self._counted.feed_data  # type: ignore[method-assign,assignment]

    @property
    def parser(self) -> Counted:
        """The object to which aiohttp gives the received data until `detach`."""
        return self._counted

    @property
    def ended(self) -> bool:
        """Whether the connection has ended: it is lost, or `receive` has returned a close frame or invalid data."""
        return self._ended

    def welcome(self) -> None:
        """Raise the limits for frames and bytes, because the client's `hello` was accepted."""
        self._counted.allow(Bound(FRAMES, MESSAGES * self.message_bytes))

    def detach(self, handler: Handler, wake: Callable[[], None]) -> None:
        """Give each message to `handler` from now on.

        `wake` is called after each message that must wait, and when the connection has ended or its data is invalid.
        """
        self._handler, self._wake = handler, wake
        self._transport.set_protocol(self)
        if self._messages or self._problem is not None:
            wake()

    # --- called by aiohttp's reader and by aiohttp's WebSocketResponse

    def feed_data(self, data: Any, size: int) -> None:
        """Give a received message to the handler; if the handler does not handle it, keep it for `receive`.

        `size`: the length of the message in bytes.
        """
        if self._closing:
            # The server has sent its close frame, and only waits for the client's close frame.
            if data.type is WSMsgType.CLOSE:
                self._transport.close()
            return
        if not self._messages and self._handler is not None and self._handler(data):
            return
        self._messages.append((data, size))
        self._bytes += size
        if self._bytes > QUEUE_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._notify()

    def feed_eof(self) -> None:
        """Note that the connection has ended. aiohttp's reader calls this until `detach`."""
        self._ended = True
        self._notify()

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Store `exc`, the error of invalid data or of a failed handler. aiohttp's reader calls this method."""
        self._problem = exc
        self._notify()

    def exception(self) -> BaseException | None:
        """Return the error that `set_exception` has stored, None if there is none."""
        return self._problem

    def is_eof(self) -> bool:
        """Return True if the connection has ended, so that no more messages come."""
        return self._ended

    async def read(self) -> WSMessage:
        """Return the next message; wait for it if none has come. aiohttp calls this until `detach`.

        Raises EofStream if the connection has ended, the exception of aiohttp's reader if the data is invalid.
        """
        while not self._messages:
            if self._problem is not None:
                raise self._problem
            if self._ended:
                raise EofStream
            self._arrived = asyncio.get_running_loop().create_future()
            try:
                await self._arrived
            finally:
                self._arrived = None
        return self._next()

    # --- called by the event loop after `detach`

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended, and free what was needed to receive from it."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._notify()
        # The two attributes refer to each other: if they stayed, the memory would be free only after a garbage
        # collection.
        del self.data_received, self._counted
        self._handler = self._wake = None

    def eof_received(self) -> None:
        """Return None, so that the event loop closes the transport, because the client sends nothing more."""

    # --- called by the connection after `detach`

    async def receive(self) -> WSMessage | None:
        """Return the next message that waits to be handled, None if there is none. This method never waits.

        After the client's close frame or invalid data the connection is closed, and a message of the type CLOSE or
        ERROR is returned. If the handler of a message has failed, the connection is closed, and its error is raised.
        """
        if self._messages:
            message = self._next()
            if message.type is WSMsgType.CLOSE:
                self._end(close_code(WSCloseCode.OK, message.data))
            return message
        if self._problem is None or self._ended:
            return None
        if isinstance(self._problem, WebSocketError):
            self._end(self._problem.code)
            return WSMessage(WSMsgType.ERROR, self._problem, None)
        self._end(WSCloseCode.INTERNAL_ERROR)
        raise self._problem

    async def close(self, *, code: int) -> bool:
        """Send a close frame with this code. The connection is aborted if the client has not closed it CLOSE_ANSWER_S
        later.

        Returns False if the connection is closing already.
        """
        if self._closing or self._ended or self._transport.is_closing():
            return False
        self._send_close(code)
        if any(message.type is WSMsgType.CLOSE for message, _ in self._messages):
            # the client has sent its close frame already
            self._transport.close()
        # The requests that wait are not answered any more. They are removed, so that reading continues up to the
        # client's close frame.
        self._messages.clear()
        self._bytes = 0
        self._resume()
        return True

    def _end(self, code: int) -> None:
        # Both are also set if the transport is closing already. Then no close frame is sent.
        self._closing = self._ended = True
        if not self._transport.is_closing():
            self._send_close(code)
            self._transport.close()

    def _send_close(self, code: int) -> None:
        """Send a close frame, and abort the connection if it is still open CLOSE_ANSWER_S later.

        Without the abort, the transport would wait without end for a client that does not read the close frame.
        """
        self._closing = True
        self._transport.write(_close_frame(code))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(CLOSE_ANSWER_S, self._transport.abort)

    def _next(self) -> WSMessage:
        message, size = self._messages.pop(0)
        self._bytes -= size
        if self._bytes <= QUEUE_BYTES // 2:
            self._resume()
        return message

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake()
        elif self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    # --- called by `Counted`

    def flooded(self) -> None:
        """Disconnect a client that has sent too many frames or bytes."""
        if count := due("websocket.flooded"):
            log.info("websocket.flooded", count=count)
        self._cut_off(4005)

    def malformed(self) -> None:
        """Disconnect a client whose frame breaks RFC 6455."""
        self._cut_off(WSCloseCode.PROTOCOL_ERROR)

    def _cut_off(self, code: int) -> None:
        """Send a close frame with this code and disconnect the client, without waiting for its close frame."""
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # the client does not read, so it would not read a close frame
        else:
            self._transport.write(_close_frame(code))
            self._transport.close()


def _close_frame(code: int) -> bytes:
    """Return a close frame with this code."""
    return frame(code.to_bytes(2), CLOSE)
