"""Delays and stops guesses at secret tokens, such as those in links (SECURITY.md rows 14 and 41).

`RULES` has one limit on wrong guesses for each kind of token. The caller reports whether a token was right. A
token that was valid and is used up does not count as a wrong guess. Guesses of each kind are counted
separately, in the store, across all workers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TypeVar

from aiohttp import web

from web.errors import BlockedError
from web.keys import SETTINGS, THROTTLE
from web.metrics.counts import TOKENS_REFUSED
from web.requests.security import Attempt, Rule, neighbourhood, remote_of


class TokenKind(StrEnum):
    """The kinds of secret tokens. Wrong guesses at each kind are counted separately."""

    INVITATION = "link"
    GUEST = "guest_link"
    PATIENT = "patient_link"
    FACILITY = "facility_link"
    BOOKING = "booking_link"
    FEED = "feed_link"
    RESUME = "resume"


Found = TypeVar("Found")
RULES = {kind: Rule(kind) for kind in TokenKind}


@asynccontextmanager
async def guess(
    request: web.Request, organisation: str, kind: TokenKind, of: str = ""
) -> AsyncIterator[Attempt]:
    """Count a wrong guess at a token of this `kind`, unless the caller calls `succeeded` inside this context.

    The caller checks the token in the context; `succeeded` is a method of the yielded attempt. `of`: the id of the
    facility or person to which the token belongs, "" for none. Wrong guesses are counted for each id separately, so
    that guesses at one token do not block other tokens. Raises HTTP 429 after too many wrong guesses, and BusyError if
    too many guesses are being checked now.
    """
    address = neighbourhood(remote_of(request, request.app[SETTINGS].server.trusted_proxies))
    who = f"{address}/{of}" if of else address
    try:
        async with request.app[THROTTLE].attempt(RULES[kind], organisation, who) as attempt:
            yield attempt
            TOKENS_REFUSED[kind] += attempt.failed
    except BlockedError as blocked:
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(blocked.retry_s)}) from None


async def opened(
    request: web.Request,
    organisation: str,
    kind: TokenKind,
    token: str,
    find: Callable[[str, str], Awaitable[Found | None]],
    was_used: Callable[[str, str], Awaitable[bool]],
) -> Found | None:
    """Check a token that works once, and return the result of `find` for it; None if the token is not valid.

    `find` and `was_used` get the organisation's id and the token. `was_used` returns whether the token was valid
    before; such a token does not count as a wrong guess. Raises HTTP 429 after too many wrong guesses, and BusyError if
    too many guesses are being checked now.
    """
    async with guess(request, organisation, kind) as attempt:
        found = await find(organisation, token)
        if found is not None or await was_used(organisation, token):
            attempt.succeeded()
    return found
