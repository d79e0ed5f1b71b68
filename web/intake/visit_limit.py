"""Limits how often strangers open or book visits, and change the times of booked visits, so that a script cannot fill
the queue or send mail to other people.

The limits are in the settings. Requests are counted in the store, across all workers. A request that opens or books
nothing does not count. Facilities and programs that use the API are not limited by this module, because they identify
themselves by a link or a key.
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
"""How often a patient may change the time of one booked visit within a day; each change sends a mail."""

EVERYBODY = "all"


def _daily(name: str, limit: int) -> Rule | None:
    """Return the rule `name`, which allows `limit` attempts a day; None if `limit` is 0, which means no limit."""
    return Rule(name, limit, DAY_MS, first_delay_ms=0) if limit else None


class Openings:
    """Limits how often visits are opened and booked, and how often booked visits get another time, by IP address and
    by organisation.
    """

    def __init__(self, throttle: Throttle, settings: Settings) -> None:
        limit = settings.limits.visits_per_address
        # There is no delay after earlier visits from the same address, because many patients may share one
        # address.
        self._rule = Rule("meet_now", limit, WINDOW_MS, first_delay_ms=0) if limit else None
        self._by_address = _daily("booking", settings.limits.bookings_per_address)
        self._by_email = _daily("booking_email", settings.limits.bookings_per_email)
        self._by_day = _daily("booking_day", settings.limits.bookings_per_day)
        self._throttle = throttle
        self._proxies = settings.server.trusted_proxies

    @asynccontextmanager
    async def one(self, request: web.Request, organisation: str) -> AsyncIterator[Attempt]:
        """Count one opening of a visit, which happens inside this context.

        If no visit was opened there, the caller must call `succeeded` on the yielded attempt; then nothing is
        counted. Raises BlockedError after too many visits from this IP address, and BusyError if too many visits are
        being opened now.
        """
        if self._rule is None:
            yield Attempt()
            return
        async with self._throttle.attempt(self._rule, organisation, self._from(request)) as attempt:
            yield attempt

    @asynccontextmanager
    async def booking(self, request: web.Request, organisation: str, email: str) -> AsyncIterator[None]:
        """Count the booking of a visit inside this context.

        The booking counts towards the daily limits of the IP address, of the email address and of the organisation. It
        does not count if the body of the context raises an error. Raises BlockedError after too many bookings, and
        BusyError if too many are being made now.
        """
        async with AsyncExitStack() as stack:
            for rule, who in (
                (self._by_address, self._from(request)),
                (self._by_email, pseudonym(email)),
                (self._by_day, EVERYBODY),
            ):
                if rule is not None:
                    await stack.enter_async_context(self._throttle.attempt(rule, organisation, who))
            yield

    @asynccontextmanager
    async def moving(self, organisation: str, appointment: str) -> AsyncIterator[None]:
        """Count one change of a booked visit's time, which happens inside this context; if the body of the context
        raises an error, nothing is counted.

        `appointment`: the visit's id. Raises BlockedError after too many changes, and BusyError if too many are being
        made now.
        """
        async with self._throttle.attempt(MOVES, organisation, appointment):
            yield

    def _from(self, request: web.Request) -> str:
        return neighbourhood(remote_of(request, self._proxies))
