"""aiohttp's WebSocketResponse plus a synchronous callback: messages are handled inside the reader.

Waiting for a message costs a future and a turn of the loop, more than most replies do. Knows aiohttp's private parts,
and no message. Messages that the callback does not take (close frames, errors, messages during a pending reply) are
received as usual. All frames are counted, also those that make no message; a client that sends too many is
disconnected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import WSMessage, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

from signalling.repeated import due
from signalling.sockets.frame_limits import Bound, Counted

log = structlog.get_logger()
HELLO_FRAMES, FRAMES = 100, 2000
"""How many frames are allowed within ten seconds, before and after `hello`. Messages are limited to 50/s besides."""
HELLO_MESSAGES, MESSAGES = 2, 64
"""How many bytes, likewise, as a multiple of the largest message."""
FLOOD_CLOSE = b"\x88\x02" + (4005).to_bytes(2)
QUEUE_BYTES = 65_536  # aiohttp pauses reading if twice as much waits
Take = Callable[[WSMessage], bool]
"""Returns True if it took the message; otherwise the message is received as usual."""


class _Queue(WebSocketDataQueue):
    """Messages that the callback did not take, in order. While one waits here, all later ones wait as well."""

    __slots__ = ("queued", "take")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.take: Take | None = None
        self.queued: Callable[[], None] = lambda: None

    def feed_data(self, data: Any, size: int) -> None:
        """Offer a message to the callback, otherwise queue it (called by aiohttp)."""
        if self._buffer or self.take is None or not self.take(data):
            self.queued()
            super().feed_data(data, size)


class WebSocket(web.WebSocketResponse):
    """The server side of one socket. Text arrives as bytes: the decoder must check that it is UTF-8."""

    def __init__(self, protocols: tuple[str, ...], max_msg_size: int) -> None:
        super().__init__(
            protocols=protocols,
            compress=False,
            max_msg_size=max_msg_size,
            autoping=False,  # `heartbeat.py` sends the pings, `connection.py` answers
            timeout=2.0,
            decode_text=False,
        )
        self._message_bytes = max_msg_size
        self._queue: _Queue | None = None
        self._counted: Counted | None = None
        self._transport: asyncio.Transport | None = None

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
        early, request.protocol._message_tail = request.protocol._message_tail, b""
        super()._post_start(request, protocol, writer)
        assert self._loop is not None, "a socket is served in a loop"
        self._reader = self._queue = _Queue(request.protocol, QUEUE_BYTES, loop=self._loop)
        reader = WebSocketReader(self._queue, self._message_bytes, compress=False, decode_text=False)
        self._transport = request.transport
        bound = Bound(HELLO_FRAMES, HELLO_MESSAGES * self._message_bytes)
        self._counted = Counted(reader.feed_data, reader.feed_eof, bound, self._cut_off)
        request.protocol._payload_parser = self._counted
        if early:
            self._counted.feed_data(early)

    def welcome(self) -> None:
        """Raise the limits for a client whose `hello` was accepted."""
        assert self._counted is not None, "the socket was upgraded"
        self._counted.allow(Bound(FRAMES, MESSAGES * self._message_bytes))

    def _cut_off(self) -> None:
        """Disconnect a client that floods, without reading more or waiting for its close frame."""
        if count := due("websocket.flooded"):
            log.info("websocket.flooded", count=count)
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            transport.abort()  # the client does not read either
        else:
            transport.write(FLOOD_CLOSE)
            transport.close()

    def take(self, take: Take | None, queued: Callable[[], None] = lambda: None) -> None:
        """Offer each message to `take` inside the reader from now on; None ends this. `take` must not raise.

        `queued` is called for each message that must wait.
        """
        assert self._queue is not None, "the socket was upgraded"
        self._queue.take, self._queue.queued = take, queued

    def forget_upgrade(self, request: web.Request) -> None:
        """Free what only the upgrade needed: a tenth of the memory of a quiet socket."""
        self.headers.clear()
        request._cache.clear()  # cookies and addresses, cached from the headers
        request.protocol._parser = None  # the parser of HTTP; frames have their own
