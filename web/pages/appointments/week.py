"""Makes the week of bookable times for all pages that show it."""

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
from web.organisations.settings import Organisation


async def booked_here(request: web.Request, organisation: Organisation) -> dict[str, str] | None:
    """Return the time of the visit that this browser booked last, and the path of the visit's page.

    Return None if there is no such visit, or if it is over or cancelled. Raises `UnavailableError` if the
    store does not answer.
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


def booking_paths(organisation: Organisation, area: str) -> dict[str, str | None]:
    """Return two paths: `book`, of the page with the bookable times, and `next_time`, of the next free time as JSON.

    `book` is None if nothing can be booked. `area`: the id of a waiting area, "" for none.
    """
    path, query = f"/{organisation.id}/appointments", f"?area={area}" if area else ""
    return {
        "book": path + query if organisation.booking.enabled else None,
        "next_time": f"{path}/next{query}",
    }


async def calendar_week(request: web.Request, organisation: Organisation, *, but: str = "") -> dict[str, Any]:
    """Return the values for the template calendar/week.html, for the week of `?day=`; {} if nothing can be booked.

    `but`: the id of an appointment whose time counts as free, "" for none. Raises `UnavailableError` if the store
    does not answer.
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
        # If `?day=` names no day, show the first week that has a free time. If no week has a free time, show the last.
        if chosen is not None or shown["starts_ms"] or end > last:
            return shown
        begin = end
