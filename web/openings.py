"""How many visits are opened by Meet Now from one address, so that a script cannot fill the line.

Knows the limit of the settings and who a request comes from. Counts in the store, over all workers; what opens no visit
does not count. Knows no page. Kiosks and programs have doors of their own, by a link or a key.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from web.config import Settings
from web.security import Attempt, Rule, Throttle, neighbourhood, remote_of

WINDOW_MS = 10 * 60_000


class Openings:
    """Who may open a visit just now."""

    def __init__(self, throttle: Throttle, settings: Settings) -> None:
        limit = settings.limits.visits_per_address
        # Nobody waits for having opened one before: behind one address may be a whole clinic.
        self._rule = Rule("meet_now", limit, WINDOW_MS, first_delay_ms=0) if limit else None
        self._throttle = throttle
        self._proxies = settings.server.trusted_proxies

    @asynccontextmanager
    async def one(self, request: web.Request, organisation: str) -> AsyncIterator[Attempt]:
        """Around the opening of a visit, which counts unless the attempt is said to have `succeeded` without one.

        Raises Blocked where there were too many from there, Busy where as many are being opened at this moment.
        """
        if self._rule is None:
            yield Attempt()
            return
        address = neighbourhood(remote_of(request, self._proxies))
        async with self._throttle.attempt(self._rule, organisation, address) as attempt:
            yield attempt


OPENINGS = web.AppKey("openings", Openings)
