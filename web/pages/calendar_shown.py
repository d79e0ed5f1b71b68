"""The week of bookable times, for whichever page shows it.

Knows where a worker keeps its desk and which part of a week a request asks for.
"""

from typing import Any

from aiohttp import web

from web.appointments.desk import Desk
from web.appointments.week import week
from web.organisations import Organisation

DESK = web.AppKey("desk", Desk)


async def calendar_week(request: web.Request, organisation: Organisation, *, but: str = "") -> dict[str, Any]:
    """The week that the request asks for by `?day=`, for calendar/week.html; {} where nothing can be booked.

    The time of the appointment `but` counts as free. Raises `Unavailable`.
    """
    if not organisation.booking.enabled:
        return {}
    desk = request.app[DESK]
    taken = await desk.taken(organisation, but=but)
    return week(organisation, taken, desk.now_ms(), request.query.get("day", ""))
