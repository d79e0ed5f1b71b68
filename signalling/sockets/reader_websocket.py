"""A WebSocket whose messages are handled inside aiohttp's reader, by a synchronous handler.

Usually, a task waits for each message. This costs a future and a turn of the event loop, which is more than
most replies cost. This class uses private parts of aiohttp. Messages that the handler does not handle (close
frames, errors, messages while a reply waits) are received as usual. All frames are counted, also those
without a message; a client that sends too many is disconnected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from multidict import CIMultiDict, CIMultiDictProxy

from signalling.repeated import due
from signalling.sockets.frame_limits import Bound, Counted
from signalling.sockets.websocket import Handler, WebSocket

log = structlog.get_logger()
NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
HELLO_FRAMES, FRAMES = 100, 2000
"""The number of frames allowed within ten seconds, before and after `hello`. Messages have another limit: 50/s."""
HELLO_MESSAGES, MESSAGES = 2, 64
"""The number of bytes allowed within ten seconds, before and after `hello`, as a multiple of the largest message."""
FLOOD_CLOSE, MALFORMED_CLOSE = (b"\x88\x02" + code.to_bytes(2) for code in (4005, 1002))
QUEUE_BYTES = 65_536  # aiohttp stops reading while twice this number of bytes waits


class _FewMessages(list[Any]):
    """A queue of HTTP requests, in place of aiohttp's deque, which takes 600 bytes even if it is empty.

    It stays empty, because no HTTP request follows the upgrade to a WebSocket.
    """

    __slots__ = ()

    def popleft(self) -> Any:
        """Remove and return the first request. Raises IndexError if there is none."""
        return self.pop(0)


class _Queue(WebSocketDataQueue):
    """A queue of the messages that the handler did not handle.

    While a message waits in the queue, all later messages are queued as well.
    """

    __slots__ = ("handler", "queued")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.handler: Handler | None = None
        self.queued: Callable[[], None] = lambda: None

    def feed_data(self, data: Any, size: int) -> None:
        """Give a message to the handler; queue it if the handler does not handle it.

        aiohttp calls this method. `size`: the length of the message in bytes.
        """
        if self._buffer or self.handler is None or not self.handler(data):
            self.queued()
            super().feed_data(data, size)


class ReaderWebSocket(WebSocket):
    """The server side of one socket, with a handler inside aiohttp's reader and a limit for frames."""

    def __init__(self, protocols: tuple[str, ...], max_msg_size: int) -> None:
        super().__init__(protocols, max_msg_size)
        self._queue: _Queue | None = None
        self._counted: Counted | None = None
        self._transport: asyncio.Transport | None = None

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
        early, request.protocol._message_tail = request.protocol._message_tail, b""
        super()._post_start(request, protocol, writer)
        assert self._loop is not None, "a socket is served in a loop"
        self._reader = self._queue = _Queue(request.protocol, QUEUE_BYTES, loop=self._loop)
        reader = WebSocketReader(self._queue, self.message_bytes + 1, compress=False, decode_text=False)
        # this reader replaces aiohttp's own, so that aiohttp's reader and its queue are freed
        self._parser = reader
        self._transport = request.transport
        bound = Bound(HELLO_FRAMES, HELLO_MESSAGES * self.message_bytes)
        self._counted = Counted(reader.feed_data, reader.feed_eof, bound, self._flooded, self._malformed)
        request.protocol._payload_parser = self._counted
        if early:
            self._counted.feed_data(early)

    def welcome(self) -> None:
        """Raise the limits for frames and bytes, because the client's `hello` was accepted."""
        assert self._counted is not None, "the socket was upgraded"
        self._counted.allow(Bound(FRAMES, MESSAGES * self.message_bytes))

    def _flooded(self) -> None:
        if count := due("websocket.flooded"):
            log.info("websocket.flooded", count=count)
        self._cut_off(FLOOD_CLOSE)

    def _malformed(self) -> None:
        self._cut_off(MALFORMED_CLOSE)

    def _cut_off(self, close: bytes) -> None:
        """Send the frame `close` and disconnect the client, without reading more or waiting for its close frame."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size():
            transport.abort()  # a client that sends too much may not read a close frame either
        else:
            transport.write(close)
            transport.close()

    def handle(self, handler: Handler | None, queued: Callable[[], None] = lambda: None) -> None:
        """Give each message to `handler` inside the reader from now on; None removes the handler.

        `queued` is called for each message that was not handled and must wait.
        """
        assert self._queue is not None, "the socket was upgraded"
        self._queue.handler, self._queue.queued = handler, queued

    def forget_upgrade(self, request: web.BaseRequest) -> None:
        """Free the memory that only the upgrade needed, which is a quarter of the memory of an idle socket.

        The first line of the request is kept, for the log.
        """
        self.headers.clear()
        request._cache.clear()  # free the cookies and addresses that aiohttp has read from the headers
        request._message = request._message._replace(headers=NO_HEADERS, raw_headers=())
        request._headers = NO_HEADERS
        # free the parser of HTTP, because WebSocket frames have another parser
        request.protocol._parser = None
        if not request.protocol._messages:
            request.protocol._messages = _FewMessages()  # type: ignore[assignment]
