"""Calculates closing times, and ends the visits that still wait then, if the clinic's setting `closes_line` says so.

Every worker checks, and each visit ends only once. `signalling/visit/notifications.py` defines the
notifications about the end, and `web/mail/visits.py` the mails. Alerts before closing time are defined in
`signalling/visit/queue_watch.py`.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from aiohttp import web

from signalling.errors import UnavailableError
from signalling.service import Accepted, Service
from signalling.service import Organisation as Settings
from signalling.sweep import system
from signalling.ticks import tick
from signalling.visit.commands import Close
from signalling.visit.record import Visit
from web.keys import ORGANISATIONS, SERVICE, SUPERVISOR
from web.organisations.documents import Organisations
from web.organisations.opening_hours import closes_at, is_open
from web.organisations.settings import Organisation

PERIOD_S = 15.0
GRACE = timedelta(minutes=1)
"""The time from closing time until the visits that still wait are ended."""
log = structlog.get_logger("web.closing")


def closes_ms(organisation: Settings, now_ms: int, area: str) -> int | None:
    """Return the next closing time of a waiting area in ms; if the area is closed now, return its last closing time.

    Return None if there is none from a week before `now_ms` to the end of the next day.
    """
    assert isinstance(organisation, Organisation), "the app has no other settings"
    end = closes_at(organisation.within(area), datetime.fromtimestamp(now_ms / 1000, UTC))
    return None if end is None else round(end.timestamp() * 1000)


def is_closing(organisation: Organisation, at: datetime) -> bool:
    """Return whether the visits that still wait must end now, by the organisation's rule `closes_line`.

    They must end if, at the time `at` (with a time zone), the organisation has been closed for GRACE or longer.
    """
    return organisation.policy.closes_line and not (
        is_open(organisation, at) or is_open(organisation, at - GRACE)
    )


def ends(visit: Visit) -> bool:
    """Return whether a waiting visit ends at closing time: it does, unless it was booked or is assigned."""
    return visit.booked_ms is None and visit.assignee is None


async def close_lines(service: Service, organisations: Organisations) -> int:
    """End the visits that still wait at clinics that have closed; return the number of ended visits.

    `service`: loads and changes visits; `organisations`: the clinics. Raises `UnavailableError` if the store does not
    answer.
    """
    count = 0
    for name in await organisations.list():
        organisation = await organisations.get(name)
        at = datetime.fromtimestamp(service.clock_ms() / 1000, UTC)
        if organisation is None or not organisation.policy.closes_line:
            continue
        areas = ("", *organisation.area_names)
        closing = {area for area in areas if is_closing(organisation.within(area), at)}
        mirror = await service.mirrors.get(name)
        waiting = mirror.visits.queue(urgent_first=False) if closing else []
        for visit in [one for one in waiting if one.area_id in closing and ends(one)]:
            done = await service.command(system(name), visit.id, Close())
            count += isinstance(done, Accepted) and done.event is not None
    if count:
        log.info("closing.ended", count=count)
    return count


async def run(service: Service, organisations: Organisations) -> None:
    """End the visits that still wait at closed clinics, every PERIOD_S seconds, until this task is cancelled."""
    while True:
        # After an error of the store, the visits are looked at again some seconds later.
        with contextlib.suppress(UnavailableError):
            await close_lines(service, organisations)
        await tick(PERIOD_S)


async def running(app: web.Application) -> AsyncIterator[None]:
    """End the visits that still wait at clinics that have closed (`run`), from the start of the app to its end.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    app[SERVICE].closes = closes_ms
    app[SUPERVISOR].keep("web.closing", partial(run, app[SERVICE], app[ORGANISATIONS]))
    yield
