"""The week of bookable times, for whichever page shows it.

Knows where a worker keeps its desk and which part of a week a request asks for.
"""

from datetime import timedelta
from typing import Any

from aiohttp import web

from web.appointments.appointment import may_change
from web.appointments.slots import WEEK, bookable_days, midnight_ms
from web.appointments.week import week, week_of
from web.appointments.words import when_words
from web.identity import sessions
from web.identity.visitors import booked_key
from web.keys import DESK
from web.organisations.documents import Organisation


async def booked_here(request: web.Request, organisation: Organisation) -> dict[str, str] | None:
    """When the visit is that this browser booked last, and where its page is; None where none is to come.

    Raises `Unavailable`.
    """
    kept = (await sessions.get(request)).get(booked_key(organisation.id))
    if not isinstance(kept, str):
        return None
    desk = request.app[DESK]
    found = await desk.book.get(organisation.id, kept)
    if found is None or not (may_change(found, desk.now_ms()) or await desk.may_check_in(found)):
        return None
    zone = found.zone or organisation.timezone
    path = f"/{organisation.id}/appointments/{desk.links.token(organisation.id, found.id)}"
    return {"when": when_words(found.starts_ms, zone), "path": path}


async def calendar_week(request: web.Request, organisation: Organisation, *, but: str = "") -> dict[str, Any]:
    """The week that the request asks for by `?day=`, for calendar/week.html; {} where nothing can be booked.

    The time of the appointment `but` counts as free. Raises `Unavailable`.
    """
    if not organisation.booking.enabled:
        return {}
    desk = request.app[DESK]
    now_ms = desk.now_ms()
    _, last = bookable_days(organisation, now_ms)
    begin, chosen = week_of(organisation, now_ms, request.query.get("day", ""))
    while True:
        end = begin + timedelta(days=WEEK)
        taken = await desk.book.taken(
            organisation.id, midnight_ms(organisation, begin), midnight_ms(organisation, end), but=but
        )
        shown = week(organisation, taken, now_ms, begin, chosen)
        # Who asks for no day is shown the first week in which there is a time left, if any is.
        if chosen is not None or shown["starts_ms"] or end > last:
            return shown
        begin = end
