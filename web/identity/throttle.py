"""Doors that a token opens: who guesses at tokens is slowed down and then stopped (SECURITY.md rows 14 and 41).

Knows the rule of each door and who a request comes from. Knows no page and no token: a door says whether its token was
right, or genuine and used already, which is no guess. Each door counts for itself, in the store, over all workers.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

from aiohttp import web

from web.keys import SETTINGS, THROTTLE
from web.requests.security import Attempt, Blocked, Rule, neighbourhood, remote_of


class Door(StrEnum):
    """What a token opens."""

    INVITATION = "link"
    GUEST = "guest_link"
    PATIENT = "patient_link"
    FACILITY = "facility_link"
    BOOKING = "booking_link"
    RESUME = "resume"


RULES = {door: Rule(door) for door in Door}


@asynccontextmanager
async def guess(request: web.Request, organisation: str, door: Door, of: str = "") -> AsyncIterator[Attempt]:
    """Around the look at a token; it counts as a wrong guess unless the attempt is said to have `succeeded`.

    `of` names the thing that the token is for, if it names a thing that exists: guesses at others do not shut that one.
    Raises HTTP 429 after too many wrong ones, Busy.
    """
    address = neighbourhood(remote_of(request, request.app[SETTINGS].server.trusted_proxies))
    who = f"{address}/{of}" if of else address
    try:
        async with request.app[THROTTLE].attempt(RULES[door], organisation, who) as attempt:
            yield attempt
    except Blocked as blocked:
        raise web.HTTPTooManyRequests(headers={"Retry-After": str(blocked.retry_s)}) from None
