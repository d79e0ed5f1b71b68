"""The server side of one WebSocket, through aiohttp's public interface; and the choice of the class for all sockets.

`reader_websocket.py` has a class that is faster and needs less memory: it takes the connection away from aiohttp after
`hello`. That class uses private parts of aiohttp, so a worker tests it at its start. If the test fails, the class of
this module is used. Then each message costs a future and a turn of the event loop, an idle socket takes more than twice
the memory, and only messages are limited, not frames.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSCloseCode, WSMessage, web

if TYPE_CHECKING:
    from signalling.sockets.open_socket import OpenSocket

log = structlog.get_logger()
TEST_S, CLOSE_S = 2.0, 0.1
CLOSE_ANSWER_S = 2.0  # a client that does not answer a close frame is disconnected after this time in s
Handler = Callable[[WSMessage], bool]
"""A handler of received messages: returns True if it has handled the message, False if the message must wait.

Must not raise.
"""


class WebSocket(web.WebSocketResponse):
    """The server side of one socket. Text arrives as bytes, and the decoder must check that it is UTF-8."""

    def __init__(self, protocols: tuple[str, ...], max_msg_size: int) -> None:
        super().__init__(
            protocols=protocols,
            compress=False,
            max_msg_size=max_msg_size + 1,  # aiohttp refuses a message that is exactly as long as this limit
            autoping=False,  # `heartbeat.py` sends the pings, `connection.py` answers the client's pings
            timeout=CLOSE_ANSWER_S,
            decode_text=False,
        )
        self.message_bytes = max_msg_size

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        """Close the socket, as the method of aiohttp does; return False if it is closed already."""
        return await super().close(code=close_code(code, self.close_code), message=message, drain=drain)

    @property
    def ended(self) -> bool:
        """Whether the socket is closed."""
        return self.closed

    def welcome(self) -> None:
        """Do nothing, because this class has no limits for frames and bytes.

        A faster subclass raises its limits, because the client's `hello` was accepted.
        """

    def detach(
        self, request: web.BaseRequest, handler: Handler, wake: Callable[[], None]
    ) -> OpenSocket | None:
        """Return the object that serves the connection in place of aiohttp from now on, or None if aiohttp continues.

        This class returns None, and ignores its arguments: messages are received as usual. A subclass gives each
        message to `handler` first. It calls `wake` when a message waits, and at the end of the connection.
        """


def close_code(code: int, received: int | None) -> int:
    """Return the code of the close frame to send.

    `code`: the intended code; `received`: the code in the client's close frame, None if the client has sent none. No
    close frame may contain the code 1006 (RFC 6455 §7.4.1), but aiohttp accepts it from a client. The reply to it has
    the code 1002 (protocol error).
    """
    return WSCloseCode.PROTOCOL_ERROR if received == WSCloseCode.ABNORMAL_CLOSURE else code


async def fastest() -> type[WebSocket]:
    """Return the class that takes connections away from aiohttp, or `WebSocket` if that does not work."""
    problem = "wrong messages"
    try:
        found: type[WebSocket] = importlib.import_module(
            "signalling.sockets.reader_websocket"
        ).ReaderWebSocket
        if await handles_messages(found):
            return found
    except (ImportError, AttributeError) as error:
        problem = type(error).__name__
    log.warning("websocket.reader_changed", problem=problem)
    return WebSocket


async def handles_messages(kind: type[WebSocket]) -> bool:
    """Test the class `kind`: return True if it takes connections away from aiohttp, gives messages to its handler,
    and returns the messages that the handler did not handle.

    The test opens a server socket and connects a client to it. The client sends one message together with the
    upgrade, and two messages afterwards.
    """
    handled, received = list[bytes](), list[bytes]()
    ready, done = asyncio.Event(), asyncio.Event()
    found: OpenSocket | None = None

    def handler(message: WSMessage) -> bool:
        ours = bytes(message.data) == b"handle"
        if ours:
            handled.append(message.data)
        return ours

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal found
        ws = kind((), 1024)
        try:
            await ws.prepare(request)
            ws.welcome()
            received.append((await ws.receive()).data)
            found = ws.detach(request, handler, done.set)
        except (AttributeError, TypeError, ValueError):
            received.append(b"")
        ready.set()
        return ws

    loop, server = asyncio.get_running_loop(), web.Server(serve)
    here, there = socket.socketpair()
    with here:
        transport, _ = await loop.connect_accepted_socket(server, there)
        try:
            async with asyncio.timeout(TEST_S):
                here.sendall(_UPGRADE + _frame(b"early"))
                await ready.wait()
                if found is None:
                    return False
                here.sendall(_frame(b"handle") + _frame(b"receive"))
                await done.wait()
                message = await found.receive()
                received.append(message.data if message is not None and not server.connections else b"")
        except OSError:  # a time-out, or the server has closed the connection
            return False
        finally:
            transport.abort()
            # the server of this test must notice the end of the connection before it is stopped
            await asyncio.sleep(0)
            await server.shutdown(CLOSE_S)
    return handled == [b"handle"] and received == [b"early", b"receive"]


_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Z3JlZW5yb29tIHRlc3RzIQ==\r\n\r\n"
)


def _frame(payload: bytes) -> bytes:
    """Return a client's text frame with this payload. Its mask is all zeros."""
    return bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload
