"""Runs a worker's app in aiohttp, with two changes to aiohttp's behaviour.

aiohttp gives the app's headers only to responses that a handler has made. Here all other responses get them too,
such as the response to a request that cannot be parsed, or that fails before its route is known.

While a worker stops, it answers the requests that it has accepted. aiohttp ignores what arrives after the stop
began: a request on a connection that was just accepted, the rest of a form, a frame of a WebSocket. The clients
would wait for a time-out. Here requests are answered until the app has stopped, each with `Connection: close`; then
all connections without a request are closed.

Three private attributes of aiohttp are needed for that. A worker tests them at its start. If the test fails,
responses that no handler made have only aiohttp's headers, and connections are closed as aiohttp does it.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_urldispatcher import MatchInfoError

from web.requests.path_prefix import without
from web.server.pages_port import FIRST_BYTES_S, PassOn, Site, Tls, plain, to_nobody

BACKLOG = 2048
"""The number of connections that may wait for a busy worker; the system closes further connections without an answer.

A worker accepts only one connection in each turn of the event loop. Many new connections then delay each other, but
they do not delay the visits.
"""
FIRST_S = 0.5
"""After a worker began to stop, an accepted connection has this time in s to send its first request."""
LOOK_S = 0.02
# The shortest time-out in s to pass to aiohttp, which reads 0 as no time-out.
LEAST_S = 0.1
TEST_S = 2.0

log = structlog.get_logger("web.serve")


class Runner(web.AppRunner):
    """A `web.AppRunner` that adds the app's headers to every response, and answers every accepted request.

    `pass_on`: passes a connection with media to a worker. `prefix`: is removed from the paths of requests. `private`:
    True if aiohttp's private attributes may be used; pass the result of `works`.
    """

    # The time in s (`time.monotonic`) at which this worker began to stop; infinite before that.
    _stopped_s = float("inf")

    def __init__(
        self,
        app: web.Application,
        listeners: Sequence[socket.socket] = (),
        tls: Tls = plain,
        pass_on: PassOn = to_nobody,
        *,
        prefix: str = "",
        private: bool,
        shutdown_timeout: float,
        keepalive_timeout: float = FIRST_BYTES_S,
        **how: Any,
    ) -> None:
        super().__init__(app, shutdown_timeout=shutdown_timeout, keepalive_timeout=keepalive_timeout, **how)
        self._listeners, self._tls = listeners, tls
        self._pass_on, self._first_bytes_s = pass_on, keepalive_timeout
        self._prefix = prefix
        self._private = private
        self._stop_s = shutdown_timeout

    async def setup(self) -> None:
        """Start the app, then accept connections of the listeners.

        Raises the errors that the app raises when it starts.
        """
        await super().setup()
        self._change()
        for listener in self._listeners:
            await Site(self, listener, self._tls, self._pass_on, self._first_bytes_s).start()

    def _change(self) -> None:
        assert self.server is not None
        unresolved = MatchInfoError(web.HTTPBadRequest())
        unresolved.add_app(self.app)
        unresolved.freeze()
        make = self.server.request_factory

        def request(message: Any, *parts: Any) -> web.BaseRequest:
            if self._stopped_s < time.monotonic():
                message = message._replace(should_close=True)
            made = make(without(message, self._prefix), *parts)
            if self._private:
                assign(made, unresolved)
            return made

        self.server.request_factory = request
        # `_stop` replaces aiohttp's `pre_shutdown`, which would make all connections ignore new data. aiohttp calls
        # `shutdown` after it.
        self.server.pre_shutdown = self._stop  # type: ignore[method-assign]
        end = self.server.shutdown

        async def end_in_time(timeout: float | None = None) -> None:
            # The argument is the time in s after which aiohttp cancels the requests that still run.
            await end(max(LEAST_S, self._stopped_s + self._stop_s - time.monotonic()))

        self.server.shutdown = end_in_time  # type: ignore[method-assign]

    def _stop(self) -> None:
        self._stopped_s = time.monotonic()

    async def shutdown(self) -> None:
        """Stop the app while requests are still answered; close the connections that have no request.

        This takes at most the time-out of this runner, which includes the time of the app's own `on_shutdown`.
        """
        try:
            async with asyncio.timeout(self._stop_s):
                await super().shutdown()
                while self._close_idle():  # noqa: ASYNC110 (aiohttp has no event for closed connections)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            log.warning("worker.stop_timed_out")

    def _close_idle(self) -> int:
        """Close the connections that wait for a request; return how many connections with a client are still open.

        If aiohttp's private attributes cannot be used, aiohttp closes the connections itself, and waits for the
        requests that have begun.
        """
        assert self.server is not None
        first_over = time.monotonic() > self._stopped_s + FIRST_S
        open_ones = [each for each in self.server.connections if each.transport is not None]
        if self._private:
            for connection in open_ones:
                if waits(connection) and (first_over or requests(connection)):
                    connection.force_close()
        elif first_over:
            for connection in open_ones:
                connection.close()
            return 0
        return len(open_ones)


# --- functions that use aiohttp's private attributes


def assign(request: Any, unresolved: MatchInfoError) -> None:
    """Set the route of a request to `unresolved` until the router has found the real route.

    The app's headers are then added to the response even if no route is found.
    """
    request._match_info = unresolved


def waits(connection: Any) -> bool:
    """Return whether a connection is idle, that is, waits for a request."""
    return connection._waiter is not None and not connection._waiter.done()


def requests(connection: Any) -> int:
    """Return the number of requests that have arrived on a connection."""
    return int(connection._request_count)


async def works() -> bool:
    """Return whether the functions of this module that use aiohttp's private attributes work; log a warning if not.

    The check sends a request to a server that it starts for this purpose.
    """
    problem = "wrong values"
    try:
        async with asyncio.timeout(TEST_S):
            if await _as_expected():
                return True
    except (AttributeError, TypeError, TimeoutError) as error:
        problem = type(error).__name__
    log.warning("server.runner_changed", problem=problem)
    return False


async def _as_expected() -> bool:
    loop = asyncio.get_running_loop()
    found: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        found.append((waits(request.protocol), requests(request.protocol)))
        return web.Response()

    async def mark(request: web.BaseRequest, response: web.StreamResponse) -> None:
        response.headers["X-Marked"] = "1"

    app = web.Application()
    app.router.add_get("/", handle)
    app.on_response_prepare.append(mark)
    silent = logging.Logger("aiohttp", logging.CRITICAL + 1)
    runner = Runner(app, private=True, shutdown_timeout=LEAST_S, access_log=None, logger=silent)
    await runner.setup()
    here, there = socket.socketpair()
    here.setblocking(False)
    with here:
        try:
            assert runner.server is not None
            await loop.connect_accepted_socket(runner.server, there)
            (connection,) = runner.server.connections
            await _until(lambda: waits(connection))
            found.append(requests(connection))
            await loop.sock_sendall(here, b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            found.append(b"X-Marked" in await loop.sock_recv(here, 4096))
            await _until(lambda: waits(connection))
            found.append(requests(connection))
            await loop.sock_sendall(here, b"no HTTP\r\n\r\n")
            found.append(b"X-Marked" in await loop.sock_recv(here, 4096))
        finally:
            here.close()
            await runner.cleanup()
    return found == [0, (False, 1), True, 1, True]


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (aiohttp has no event for the condition)
        await asyncio.sleep(0)
