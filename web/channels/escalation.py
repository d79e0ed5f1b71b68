"""Sends messages to the people of the on-call rota, one after another, if nobody claims a request.

The clinic sets how long a request waits before the first message. Every worker checks the requests. One commit writes
the recipient into the visit and stores the job that sends the message; of several workers' commits only one succeeds.
`rota.py` decides who is the recipient.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial

import structlog
from aiohttp import web

from signalling.errors import UnavailableError
from signalling.service import Accepted
from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.sweep import system
from signalling.ticks import tick
from signalling.visit.commands import Escalate
from signalling.visit.record import STAFF_ROLES
from web.channels import rota, staff
from web.identity.accounts import Account
from web.keys import ACCOUNTS, ORGANISATIONS, REDIS, SERVICE, SUPERVISOR
from web.organisations.settings import Organisation

TASK = "web.escalation"
PERIOD_S = 5.0
PRESENT_MS = 30_000
"""The time in ms for which a person counts as present after their last page was closed. The page may only be
reloading."""
log = structlog.get_logger("web.escalation")


async def escalate(app: web.Application) -> int:
    """Send the messages that are due at all clinics; return the number of requests that these messages are about.

    Raises `UnavailableError` if the store does not answer.
    """
    count = await app[ORGANISATIONS].at_each(TASK, partial(_escalate_at, app))
    if count:
        log.info("escalation.sent", count=count)
    return count


async def _escalate_at(app: web.Application, organisation: Organisation) -> int:
    service, name = app[SERVICE], organisation.id
    if not organisation.rota.first_min:
        return 0
    now_ms = service.clock_ms()
    waiting = (await service.mirrors.get(name)).visits.queue(urgent_first=False)
    due = [visit for visit in waiting if rota.is_due(visit, organisation.rota, now_ms)]
    if not due:
        return 0
    facts = await _facts(app, organisation, now_ms)
    lately, count = rota.lately(waiting, organisation.rota, now_ms), 0
    for visit in due:
        to = rota.escalations(visit, facts, lately)
        if to:
            done = await service.command(system(name), visit.id, Escalate(to, len(visit.escalations)))
            count += isinstance(done, Accepted) and done.event is not None
            lately |= {one.id for one in to}
    return count


async def _facts(app: web.Application, organisation: Organisation, now_ms: int) -> rota.Facts:
    accounts = [one for one in await app[ACCOUNTS].list(organisation.id) if one.role in STAFF_ROLES]
    return rota.Facts(
        organisation=organisation,
        accounts=accounts,
        present=await _present(app, organisation.id, accounts, now_ms),
        channels=await staff.channels_of(app, organisation.id, accounts),
        now=datetime.fromtimestamp(now_ms / 1000, UTC),
    )


async def _present(
    app: web.Application, organisation: str, accounts: Sequence[Account], now_ms: int
) -> frozenset[str]:
    """Return the ids of those of `accounts` who have a page open on any worker, or had one within PRESENT_MS."""
    ids = [account.id for account in accounts]
    async with answering():
        seen = await app[REDIS].zmscore(keys.HERE(organisation), ids) if ids else []
    return frozenset(
        one for one, seen_ms in zip(ids, seen, strict=True) if now_ms - (seen_ms or 0) < PRESENT_MS
    )


async def run(app: web.Application) -> None:
    """Every PERIOD_S seconds until cancelled, send the messages that are due because nobody has claimed a request."""
    while True:
        # after an error of the store, the requests are checked again some seconds later
        with contextlib.suppress(UnavailableError):
            await escalate(app)
        await tick(PERIOD_S)


async def running(app: web.Application) -> AsyncIterator[None]:
    """Check for requests that nobody has claimed, from the start of the app to its end.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    app[SUPERVISOR].keep(TASK, partial(run, app))
    yield
