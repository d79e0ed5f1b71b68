"""Tests waiting areas: their staff, a visit's place in the queue of its area, and what a move to another area keeps."""

from __future__ import annotations

from msgspec.structs import replace

from signalling.visit.commands import Move, Open
from signalling.visit.open_visits import OpenVisits
from signalling.visit.record import Visit
from signalling.visit.relations import Decided, Refusal
from signalling.visit.rules import decide
from signalling.visit.waiting_area import Area, serves
from tests.signalling.visits import ADMIN, ANA, PATIENT, T0, VISIT, context, queued

AREAS = {"walk-in": "Walk-in", "mind": "Behavioural health"}
FACTS = replace(context(T0 + 1), areas=AREAS)


def test_f39_staff_without_areas_work_in_all_and_requests_of_no_area_are_everybodys() -> None:
    assert all(serves((), area) for area in ("", *AREAS))
    assert [serves(("mind",), area) for area in ("", *AREAS)] == [True, False, True]


def test_f39_a_visit_opens_in_an_area_that_exists() -> None:
    opened = decide(None, Open(VISIT, ANA, area="mind"), PATIENT, FACTS)
    assert isinstance(opened, Decided)
    assert opened.visit.area == Area("mind", "Behavioural health")
    assert decide(None, Open(VISIT, ANA, area="gone"), PATIENT, FACTS) == Refusal(
        "not_found", {"area": "gone"}
    )


def test_f39_a_move_keeps_the_arrival_and_all_but_the_area() -> None:
    before = queued()
    decided = decide(before, Move("mind"), ADMIN, FACTS)
    assert isinstance(decided, Decided)
    assert decided.event is not None
    assert decided.event.kind == "moved"
    area = Area("mind", "Behavioural health")
    assert decided.visit == replace(before, version=before.version + 1, area=area)
    again = decide(decided.visit, Move("mind"), ADMIN, FACTS)
    assert isinstance(again, Decided)
    assert again.event is None
    assert decide(before, Move("gone"), ADMIN, FACTS) == Refusal("not_found", {"area": "gone"})
    back = decide(decided.visit, Move(""), ADMIN, FACTS)
    assert isinstance(back, Decided)
    assert back.visit.area is None


def test_f39_places_count_within_an_area() -> None:
    def one(number: int, area: str) -> Visit:
        place = Area(area, AREAS[area]) if area else None
        return replace(queued(), id=f"v_{number}", number=number, area=place)

    kept = OpenVisits([one(1, "mind"), one(2, ""), one(3, "mind"), one(4, "walk-in")])

    def places() -> list[int | None]:
        return [kept.place(f"v_{number}", urgent_first=False) for number in range(1, 5)]

    assert places() == [1, 1, 2, 1]
    assert [kept.waiting_in(area) for area in ("", *AREAS)] == [1, 1, 2]
    kept.put(one(1, "walk-in"))
    assert places() == [1, 1, 1, 2], "moved, with the wait of its arrival"
    kept.drop("v_1")
    assert places() == [None, 1, 1, 1]
