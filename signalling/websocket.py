"""aiohttp's WebSocket, with one thing more: what comes may be taken where it is read.

To wait for a message costs a future and a turn of the loop, more than most answers do. Knows aiohttp's insides, and no
message: what is not taken (closing, faults, whatever comes while an answer is waited for) is received as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import WSMessage, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

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

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
        early, request.protocol._message_tail = request.protocol._message_tail, b""
        super()._post_start(request, protocol, writer)
        assert self._loop is not None, "a socket is served in a loop"
        self._reader = self._queue = _Queue(request.protocol, QUEUE_BYTES, loop=self._loop)
        self._parser = WebSocketReader(self._queue, self._message_bytes, compress=False, decode_text=False)
        request.protocol._payload_parser = self._parser
        if early:
            self._parser.feed_data(early)

    def take(self, take: Take | None) -> None:
        """From now on `take` is asked first about each message, where it is read; None: nobody. It must not raise."""
        assert self._queue is not None, "the socket was upgraded"
        self._queue.take = take

    def forget_upgrade(self, request: web.Request) -> None:
        """A quiet socket need not keep for hours what only its upgrade needed: a tenth of its memory."""
        self.headers.clear()
        request._cache.clear()  # cookies and addresses, made of the headers when they are asked for
        request.protocol._parser = None  # HTTP's: frames have their own
