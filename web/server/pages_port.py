"""Accepts TCP connections on the pages' port, and recognises ICE over TCP, TLS and HTTP by their first bytes.

Media of a call may come over this port, because a network that blocks UDP and unknown ports often allows port 443.
The first bytes are read without removing them from the socket (MSG_PEEK). So aiohttp, or another worker that serves
the call, reads the connection from its beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from ssl import SSLContext

import structlog
from aiohttp import web

from media.protocols import ice
from signalling.repeated import due

FIRST_BYTES_S = 15.0
WAITING_MAX = 10_000
PAUSE_S = 1.0
"""The time in s during which no connection is accepted after the system had no free descriptor."""
LEAVING_S = 0.5
"""The time in s that a stopping worker gives to TLS handshakes that have begun."""

log = structlog.get_logger("web.serve")

Tls = Callable[[], SSLContext | None]
"""A function that returns the TLS context for a new connection; None if pages are served by plain http."""
PassOn = Callable[[int, socket.socket], bool]
"""A function that passes a connection to the worker with an index; returns False if this is not possible."""


def plain() -> None:
    """Return None, because pages are served by plain http."""


def to_nobody(index: int, sock: socket.socket) -> bool:
    """Return False, because there is no other worker to which a connection could be passed."""
    return False


class Site(web.BaseSite):
    """A listening socket for pages. Connections with ICE over TCP are given to `pass_on`.

    `first_bytes_s`: the time in s after which a connection is closed if its first bytes have not arrived.
    """

    def __init__(
        self,
        runner: web.BaseRunner,
        listening: socket.socket,
        tls: Tls,
        pass_on: PassOn,
        first_bytes_s: float,
    ) -> None:
        super().__init__(runner)
        # `runner.server` is never None, because `BaseSite` has checked it.
        assert runner.server is not None
        self._pages = runner.server
        self._listening = listening
        self._tls = tls
        self._pass_on = pass_on
        self._first_bytes_s = first_bytes_s
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}
        # A socket whose first frame of ICE is not complete -> the number of bytes of this frame that have arrived.
        self._seen: dict[socket.socket, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.passed = 0
        # The number of connections that were closed because their first bytes came too late, or because these bytes
        # are a frame of ICE over TCP (RFC 4571) that names no worker with a call.
        self.refused = 0

    @property
    def name(self) -> str:
        """The socket's address as a URL, which aiohttp requires of each site."""
        return f"fd://{self._listening.fileno()}"

    async def start(self) -> None:
        """Begin to accept connections on the pages' port."""
        await super().start()
        self._listening.setblocking(False)
        self._resume()

    async def stop(self) -> None:
        """Stop accepting connections. `Runner` then answers or closes the connections that were accepted."""
        self._loop.remove_reader(self._listening.fileno())
        for sock in list(self._waiting):
            self._settle(sock)
            self._serve(sock)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVING_S)
        for task in self._tasks:
            task.cancel()
        await super().stop()

    def _resume(self) -> None:
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def _accept(self) -> None:
        """Accept one connection in a turn of the event loop, so that idle workers get the other connections."""
        try:
            sock, _address = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            # Another worker has accepted the connection first, or the client has disconnected.
            return
        except OSError:
            log.warning("server.accept_failed")
            self._loop.remove_reader(self._listening.fileno())
            self._loop.call_later(PAUSE_S, self._resume)
            return
        sock.setblocking(False)
        if len(self._waiting) >= WAITING_MAX:
            self._refuse(sock)
            return
        self._waiting[sock] = self._loop.call_later(self._first_bytes_s, self._late, sock)
        self._loop.add_reader(sock.fileno(), self._look, sock)

    def _look(self, sock: socket.socket) -> None:
        """Read the first bytes of a connection without removing them from the socket; decide who serves the
        connection.
        """
        try:
            data = sock.recv(ice.FRAME_LENGTH + ice.REQUEST_MAX, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._settle(sock)
            sock.close()
        elif not ice.is_framed(data):
            self._settle(sock)
            self._serve(sock)
        else:
            self._look_at_frame(sock, data)

    def _look_at_frame(self, sock: socket.socket, data: bytes) -> None:
        size = ice.frame_size(data)
        if len(data) < size <= ice.FRAME_LENGTH + ice.REQUEST_MAX and len(data) > self._seen.get(sock, 0):
            # The first frame of ICE over TCP is not complete. The event loop calls `_look` again when the frame is
            # complete, or when the connection has ended. In the second case `_look` finds no new bytes, and refuses it.
            self._seen[sock] = len(data)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            return
        index = ice.relay_index(data[:size]) if len(data) >= size else None
        self._settle(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        if index is not None and self._pass_on(index, sock):
            self.passed += 1
            sock.close()
            if count := due("server.media_passed"):
                log.info("server.media_passed", count=count)
        else:
            self._refuse(sock)

    def _settle(self, sock: socket.socket) -> None:
        """Stop waiting for the first bytes of a connection, because they have arrived or the wait is over."""
        self._waiting.pop(sock).cancel()
        self._seen.pop(sock, None)
        self._loop.remove_reader(sock.fileno())

    def _late(self, sock: socket.socket) -> None:
        self._settle(sock)
        self._refuse(sock)

    def _refuse(self, sock: socket.socket) -> None:
        self.refused += 1
        sock.close()
        if count := due("server.connection_refused"):
            log.info("server.connection_refused", count=count)

    def _serve(self, sock: socket.socket) -> None:
        task = self._loop.create_task(self._hand_over(sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_over(self, sock: socket.socket) -> None:
        # An OSError is ignored. It means that the client has disconnected, or that the TLS handshake has failed.
        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(self._pages, sock, ssl=self._tls())
