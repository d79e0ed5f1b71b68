"""Finds out whether Meet Now is available, and how long a patient will wait, for calendar, kiosk and API."""

from datetime import UTC, datetime
from typing import NamedTuple

from signalling.service import Service
from signalling.store.mirror import Mirror
from signalling.visit.waiting import expected_wait
from signalling.visit.waiting_area import serves
from web.organisations.opening_hours import is_open
from web.organisations.settings import Organisation


class Availability(NamedTuple):
    """The state of Meet Now at one moment. `why`: "closed" or "nobody_on_call" if it is not available, otherwise None.

    `wait_ms`: the expected wait (low, high) in ms of a patient who comes now; None if it cannot be estimated.
    """

    why: str | None
    at: datetime
    on_call: int
    waiting: int
    wait_ms: tuple[int, int] | None


async def availability(service: Service, organisation: Organisation, area: str = "") -> Availability:
    """Return the state of Meet Now in a waiting area: whether a patient may use it, and how long the wait will be.

    `organisation`: the settings as they apply in the area; `area`: its id, "" for none. Raises
    `UnavailableError` if the store does not answer.
    """
    mirror, now_ms = await service.mirrors.get(organisation.id), service.clock_ms()
    on_call, waiting = staff_on_call(mirror, area), mirror.visits.waiting_in(area)
    why = None
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    if not is_open(organisation, now):
        why = "closed"
    elif organisation.policy.needs_on_call and not on_call:
        why = "nobody_on_call"
    return Availability(why, now, on_call, waiting, wait_at(mirror, waiting + 1, now_ms, area))


def wait_at(mirror: Mirror, place: int | None, now_ms: int, area: str = "") -> tuple[int, int] | None:
    """Return the expected wait (low, high) in ms at a place of the queue; None without a place or an estimate.

    `mirror`: this worker's copy of the visits; `place`: the place, from 1; `area`: the id of a waiting area,
    "" for none.
    """
    if not place or area:
        # There is no estimate for an area, because the claims of the whole organisation do not show how fast the
        # patients of one area are claimed.
        return None
    return expected_wait(place, list(mirror.claims), staff_on_call(mirror), now_ms)


def staff_on_call(mirror: Mirror, area: str = "") -> int:
    """Return the number of staff who are on call and work in a waiting area.

    `mirror`: this worker's copy of the visits and the staff; `area`: the area's id, "" for the whole
    organisation.
    """
    return sum(staff.on_call and serves(staff.areas, area) for staff in mirror.staff.values())
