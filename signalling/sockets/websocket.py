"""aiohttp's WebSocket, with one thing more: what comes may be taken where it is read.

To wait for a message costs a future and a turn of the loop, more than most answers do. Knows aiohttp's insides, and no
message: what is not taken (closing, faults, whatever comes while an answer is waited for) is received as ever. Every
frame counts, also those that make no message; a client that sends too many is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import WSMessage, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

from signalling.sockets.frame_limits import Bound, Counted

log = structlog.get_logger()
HELLO_FRAMES, FRAMES = 100, 2000
"""So many frames within ten seconds, before hello and after it. Of messages, 50/s are taken."""
HELLO_MESSAGES, MESSAGES = 2, 64
"""So many times the largest message in bytes, likewise."""
FLOOD_CLOSE = b"\x88\x02" + (4005).to_bytes(2)
QUEUE_BYTES = 65_536  # aiohttp reads on until twice as much waits
Take = Callable[[WSMessage], bool]
"""Returns whether it has taken the message; what it has not is received."""


class _Queue(WebSocketDataQueue):
    """What came and was not taken, in order: while something waits here, all that follows does."""

    __slots__ = ("take",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.take: Take | None = None

    def feed_data(self, data: Any, size: int) -> None:
        """aiohttp's: a message was read."""
        if self._buffer or self.take is None or not self.take(data):
            super().feed_data(data, size)


class WebSocket(web.WebSocketResponse):
    """One socket's server side. Text comes as bytes: whoever decodes it checks that it is UTF-8."""

    def __init__(self, protocols: tuple[str, ...], max_msg_size: int) -> None:
        super().__init__(
            protocols=protocols,
            compress=False,
            max_msg_size=max_msg_size,
            autoping=False,  # `heartbeat.py` pings everybody; answers come here
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
        """The client has said who it is: it may send more from now on."""
        assert self._counted is not None, "the socket was upgraded"
        self._counted.allow(Bound(FRAMES, MESSAGES * self._message_bytes))

    def _cut_off(self) -> None:
        """End a client that floods: nothing of it is read any more, and its answer to the close is not waited for."""
        log.info("websocket.flooded")
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            transport.abort()  # it does not read either
        else:
            transport.write(FLOOD_CLOSE)
            transport.close()

    def take(self, take: Take | None) -> None:
        """From now on `take` is asked first about each message, where it is read; None: nobody. It must not raise."""
        assert self._queue is not None, "the socket was upgraded"
        self._queue.take = take

    def forget_upgrade(self, request: web.Request) -> None:
        """A quiet socket need not keep for hours what only its upgrade needed: a tenth of its memory."""
        self.headers.clear()
        request._cache.clear()  # cookies and addresses, made of the headers when they are asked for
        request.protocol._parser = None  # HTTP's: frames have their own
