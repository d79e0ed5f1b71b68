"""A WebSocket that is taken from aiohttp after `hello`. From then on, each message is handled in the callback that
has read it.

In aiohttp, a task waits for each message. This costs a future and a turn of the event loop, which is more than most
replies cost. Also, the tasks, the request and the parser of an idle socket take most of its memory. This class uses
private parts of aiohttp to give the connection to `OpenSocket`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from signalling.sockets.open_socket import OpenSocket
from signalling.sockets.websocket import Handler, WebSocket


class ReaderWebSocket(WebSocket):
    """The server side of one socket, which limits frames, and handles messages inside aiohttp's reader."""

    def __init__(self, protocols: tuple[str, ...], max_msg_size: int) -> None:
        super().__init__(protocols, max_msg_size)
        self._open: OpenSocket | None = None
        self._detached = False

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
        early, request.protocol._message_tail = request.protocol._message_tail, b""
        super()._post_start(request, protocol, writer)
        if request.transport is None:
            return  # the client has closed the connection
        self._reader = self._open = OpenSocket(request.transport, self.message_bytes)
        self._parser = None  # so that the memory of aiohttp's own reader and its queue is freed
        request.protocol._payload_parser = self._open.parser
        if early:
            self._open.parser.feed_data(early)

    def welcome(self) -> None:
        """Raise the limits for frames and bytes, because the client's `hello` was accepted."""
        if self._open is not None:
            self._open.welcome()

    def detach(
        self, request: web.BaseRequest, handler: Handler, wake: Callable[[], None]
    ) -> OpenSocket | None:
        """Take the connection away from aiohttp, and return the object that serves it now; None if the client has left.

        Afterwards the handler of the HTTP request must return, so that aiohttp frees what it keeps of the request.
        """
        found, protocol = self._open, request.protocol
        # A transport that is closing stays with aiohttp. A TLS transport may report its end only to aiohttp, even after
        # a call of `set_protocol`. An `OpenSocket` would then wait for this report without end.
        if found is None or request.transport is None or request.transport.is_closing():
            return None
        self._detached = True
        found.detach(handler, wake)
        # Make aiohttp treat the connection as lost. The parser and the transport are removed from it first, so that
        # aiohttp neither stops the parser nor closes the transport.
        protocol._payload_parser = None
        protocol.transport = None
        protocol.connection_lost(None)
        return found

    async def write_eof(self, data: bytes = b"") -> None:
        """Close the socket at the end of the HTTP request's handler, as aiohttp does, unless `detach` was called."""
        if not self._detached:
            await super().write_eof()
