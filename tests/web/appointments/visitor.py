"""Plays a patient at a clinic that takes bookings: reads the free times, holds one, and books it.

`appointments` returns the clinic's booked visits.
"""

import re
import time
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import ClientResponse

from tests.web.site import FORM, Person, Site
from web.appointments.appointment import Appointment
from web.appointments.slots import MINUTE_MS
from web.keys import DESK
from web.organisations.settings import Booking

CHICAGO = ZoneInfo("America/Chicago")
BOOKING = Booking(enabled=True, slot_min=30, lead_h=0, horizon_days=14, capacity=1)


async def offered(person: Person, path: str = "/demo", *, later_than_min: int = 5) -> list[int]:
    """Return the free times in ms of the whole week that a page offers.

    Times that begin within `later_than_min` minutes are left out, because they may begin before the test ends.
    """
    found = re.search(r'id="week-data">(.*?)</script>', await (await person.get(path)).text())
    assert found
    times: list[int] = msgspec.json.decode(found[1])["starts_ms"]
    return [starts_ms for starts_ms in times if starts_ms > time.time() * 1000 + later_than_min * MINUTE_MS]


async def hold(person: Person, starts_ms: int, **fields: str) -> ClientResponse:
    """Send the choice of the time `starts_ms` (ms since 1970), with further fields of the form; return the answer."""
    return await person.post("/demo/appointments/hold", {"starts": str(starts_ms), **fields})


async def book(person: Person, starts_ms: int, **fields: str) -> str:
    """Choose and book the time `starts_ms` (ms since 1970); return the path of the visit's page.

    `fields`: values that replace the usual values in the form.
    """
    assert (await hold(person, starts_ms, zone=fields.pop("zone", ""))).status == 303
    answer = await person.post("/demo/appointments/new", {**FORM, **fields})
    assert answer.status == 303, await answer.text()
    return answer.headers["Location"]


async def appointments(site: Site) -> list[Appointment]:
    """Return all booked visits of the clinic, in the order of their times."""
    return await site.app[DESK].book.between("demo", 0, 10**15)
