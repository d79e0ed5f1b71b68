"""How many visits are opened, booked and moved by strangers, so that a script cannot fill the line or mail anybody.

Knows the limits of the settings and who a request comes from. Counts in the store, over all workers; what opens or
books nothing does not count. Knows no page. Kiosks and programs have doors of their own, by a link or a key.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from web.config import Settings
from web.identity.accounts import pseudonym
from web.requests.security import Attempt, Rule, Throttle, neighbourhood, remote_of

WINDOW_MS = 10 * 60_000
DAY_MS = 24 * 3600_000
MOVES = Rule("move", 5, DAY_MS, first_delay_ms=0)
"""How often a patient may move one booked visit within a day: each time is a letter."""


class Openings:
    """Who may open a visit just now."""

    def __init__(self, throttle: Throttle, settings: Settings) -> None:
        limit = settings.limits.visits_per_address
        # Nobody waits for having opened one before: behind one address may be a whole clinic.
        self._rule = Rule("meet_now", limit, WINDOW_MS, first_delay_ms=0) if limit else None
        booked, mailed = settings.limits.bookings_per_address, settings.limits.bookings_per_email
        self._by_address = Rule("booking", booked, DAY_MS, first_delay_ms=0) if booked else None
        self._by_email = Rule("booking_email", mailed, DAY_MS, first_delay_ms=0) if mailed else None
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
        async with self._throttle.attempt(self._rule, organisation, self._from(request)) as attempt:
            yield attempt

    @asynccontextmanager
    async def booking(self, request: web.Request, organisation: str, email: str) -> AsyncIterator[None]:
        """Around a booking, by address and by mail address within a day; counts unless an exception leaves.

        Raises as `one`.
        """
        async with AsyncExitStack() as stack:
            for rule, who in ((self._by_address, self._from(request)), (self._by_email, pseudonym(email))):
                if rule is not None:
                    await stack.enter_async_context(self._throttle.attempt(rule, organisation, who))
            yield

    @asynccontextmanager
    async def moving(self, organisation: str, appointment: str) -> AsyncIterator[None]:
        """Around the moving of one booked visit; counts unless an exception leaves. Raises as `one`."""
        async with self._throttle.attempt(MOVES, organisation, appointment):
            yield

    def _from(self, request: web.Request) -> str:
        return neighbourhood(remote_of(request, self._proxies))
