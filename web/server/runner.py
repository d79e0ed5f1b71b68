"""Runs a worker's app in aiohttp, with two changes to aiohttp's behaviour.

Responses made without a handler (to a request that cannot be parsed, or that fails before its route is known) get the
same headers as all others: every request belongs to the app from its first byte.

A worker that stops answers what it has accepted. aiohttp ignores what arrives after the stop began: a request on a
connection that was just accepted, the rest of a form, a frame of a WebSocket. Their clients would wait until a time-out
ends the connection. Here requests are answered until the app has stopped, each with `Connection: close`; then all
connections without a request are closed. Knows private parts of aiohttp, whose version is bounded.
"""

import asyncio
import time
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_urldispatcher import MatchInfoError

FIRST_S = 0.5
"""How long after the stop began the first request of a new connection is awaited."""
LOOK_S = 0.02
LEAST_S = 0.1  # aiohttp takes 0 for no time-out

log = structlog.get_logger("web.serve")


class Runner(web.AppRunner):
    """`web.AppRunner` whose app prepares every response, and which leaves no accepted request without an answer."""

    _stopped_s = float("inf")  # monotonic

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        unresolved = MatchInfoError(web.HTTPBadRequest())
        unresolved.add_app(self.app)
        unresolved.freeze()
        make = server.request_factory

        def request(message: Any, *parts: Any) -> web.BaseRequest:
            if self._stopped_s < time.monotonic():
                message = message._replace(should_close=True)
            made = make(message, *parts)
            assert isinstance(made, web.Request)
            made._match_info = unresolved  # until the router sets the real one
            return made

        server.request_factory = request
        # aiohttp's own would make all connections ignore what arrives. `shutdown` comes next.
        server.pre_shutdown = self._stop  # type: ignore[method-assign]
        return server

    def _stop(self) -> None:
        self._stopped_s = time.monotonic()

    async def shutdown(self) -> None:
        """Stop the app while requests are still answered; close the connections that have none.

        Takes at most the time-out of this runner, in which the app's own `on_shutdown` is included.
        """
        end_s = self._stopped_s + self._shutdown_timeout
        try:
            async with asyncio.timeout(self._shutdown_timeout):
                await super().shutdown()
                while self._close_idle():  # noqa: ASYNC110 (aiohttp has no event for it)
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            log.warning("worker.stop_timed_out")
        # aiohttp cancels the requests that are left, after this time-out.
        self._shutdown_timeout = max(LEAST_S, end_s - time.monotonic())

    def _close_idle(self) -> int:
        """Close the connections that wait for a request; return how many are left that have a client."""
        assert self.server is not None
        first_s = self._stopped_s + FIRST_S
        open_ones = [each for each in self.server.connections if each.transport is not None]
        for connection in open_ones:
            waits = connection._waiter is not None and not connection._waiter.done()
            if waits and (connection._request_count or time.monotonic() > first_s):
                connection.force_close()
        return len(open_ones)
