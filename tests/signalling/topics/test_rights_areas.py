"""Tests who may see which topic of a visit in a waiting area, by the reviewed table in `test_rights.py`.

This is SECURITY.md row 31.
"""

from __future__ import annotations

from msgspec.structs import replace

from signalling.topics import rights
from signalling.visit.record import Staff
from signalling.visit.waiting_area import Area
from tests.signalling.topics.test_rights import reviewed, visits
from tests.signalling.visits import ADMIN, STAFF, people

AREA = Area("walk-in", "Walk-in")


def on_call_in(*areas: str) -> dict[str, Staff]:
    """Return id -> member of staff. The person on call works in these areas only."""
    return {who: replace(one, areas=areas) if one.on_call else one for who, one in STAFF.items()}


def test_f39_a_visit_is_shown_to_those_on_call_in_its_area_and_to_others_as_if_off_call() -> None:
    """Compares each topic in each status with the reviewed table. A person on call in other areas
    counts as off call.
    """
    rows = reviewed()
    actor = people()["on call"]
    for status, visit in visits().items():
        inside = replace(visit, area=AREA)
        for topic in rights.OF_VISITS:
            shown = (topic, status, "on call") in rows
            hidden = (topic, status, "off call") in rows
            for areas, wanted in (((), shown), (("walk-in", "mind"), shown), (("mind",), hidden)):
                seen = rights.may_see(topic, inside, actor, on_call_in(*areas))
                assert seen is wanted, (topic, status, areas)
            assert rights.may_see(topic, visit, actor, on_call_in("mind")) is shown, "of no area"
            admin = rights.may_see(topic, inside, ADMIN, on_call_in("mind"))
            assert admin is ((topic, status, "admin") in rows)
