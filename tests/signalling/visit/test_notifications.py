"""Tests which people an event notifies, by a table with one row per event.

A person who is not in the row of an event gets no notification of it.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from signalling.visit.commands import Enter, Invite, Leave
from signalling.visit.notifications import TOLD, notices
from signalling.visit.record import Person, Role, Staff, Visit
from signalling.visit.relations import Event
from signalling.visit.waiting_area import Area
from tests.signalling.visits import CLAIMANT, PATIENT, SYSTEM, T0, assigned, claimed, does, queued

STAFF = {i: Staff(id=i, name=i.title(), role=Role.ADMIN if i in ("zoe", "max") else Role.PROVIDER) for i in
         ("zoe", "max", "osei", "lin", "ray")}  # fmt: skip
LIN, ZOE = Person("lin", "Lin"), Person("zoe", "Zoe")


def recipients_of(kind: str, before: Visit | None, after: Visit, by: Person | None = None) -> list[str]:
    """Return the ids of the people who get a notification of the event `kind`. `by`: the person who caused it.

    `before`, `after`: the visit before and after the event.
    """
    return [person for person, _ in notices(before, after, Event(kind, T0, by), STAFF, "n_1")]


@pytest.mark.parametrize(
    ("kind", "before", "after", "receive"),
    [
        ("assigned", queued(), assigned(), ["lin"]),
        ("transferred", claimed(), assigned(), ["lin", "osei"]),
        ("assignment_lapsed", assigned(), queued(), ["lin", "zoe"]),
        ("declined", assigned(), queued(), ["lin", "max", "zoe"]),
        ("declined", queued(), queued(), ["max", "zoe"]),
        ("returned", claimed(), queued(), ["max", "osei", "zoe"]),
        ("released", claimed(), queued(), ["osei"]),
        ("assigned", None, queued(), []),
        ("assignment_lapsed", None, queued(), []),
        ("assignment_lapsed", queued(), queued(), []),
        ("released", None, queued(), []),
        ("released", queued(), queued(), []),
        ("claimed", assigned(), claimed(), []),
        ("withdrawn", assigned(), queued(), ["lin"]),
        ("withdrawn", claimed(), claimed(), ["osei"]),
        ("hung_up", claimed(), claimed(), ["osei"]),
        ("closed", assigned(), queued(), ["lin", "max", "zoe"]),
        ("patient_done", claimed(), claimed(), ["osei"]),
        ("answered", queued(), replace(queued(), writers=("lin", "gone", "zoe")), ["lin", "zoe"]),
        ("answered", queued(), queued(), []),
    ],
)
def test_each_event_has_its_recipients(
    kind: str, before: Visit | None, after: Visit, receive: list[str]
) -> None:
    assert recipients_of(kind, before, after) == receive


def test_f36_a_decline_notifies_all_admins_the_one_who_declined_included() -> None:
    assert recipients_of("declined", assigned(), queued(), ZOE) == ["lin", "max", "zoe"]
    assert recipients_of("declined", queued(), queued(), ZOE) == ["max", "zoe"]


def test_the_person_who_caused_another_event_is_not_notified() -> None:
    assert recipients_of("returned", claimed(), queued(), ZOE) == ["max", "osei"]
    assert recipients_of("assigned", queued(), assigned(), LIN) == []


def test_a_notice_says_what_happened_to_whom_and_by_whom() -> None:
    event = Event("released", T0 + 5, ZOE, "lunch")
    ((person, notice),) = notices(claimed(), queued(), event, STAFF, "n_7")
    assert person == "osei"
    assert (notice.id, notice.kind, notice.at_ms, notice.visit) == ("n_7", "returned", T0 + 5, "v_1")
    assert (notice.name, notice.by, notice.note) == ("Ana Ruiz", "Zoe", "lunch")
    ((_, unnamed),) = notices(claimed(), queued(), replace(event, by=None), STAFF, "n_7")
    assert unnamed.by is None
    assert {kind for kind, _ in TOLD.values()} == {
        "assigned", "transferred", "assignment_lapsed", "declined", "returned", "patient_back",
        "patient_left", "closed", "answered",
    }  # fmt: skip


@pytest.mark.parametrize(("away_ms", "receive"), [(29_999, []), (30_000, ["osei"]), (90_000, ["osei"])])
def test_the_claimant_is_notified_of_a_patient_who_was_away_for_half_a_minute(
    away_ms: int, receive: list[str]
) -> None:
    gone = does(claimed(), Leave("c_ana", "w1"), PATIENT, T0)
    back = does(gone, Enter("c_ana", "w1"), PATIENT, T0 + away_ms)
    event = Event("entered", T0 + away_ms, PATIENT.person)
    assert [person for person, _ in notices(gone, back, event, STAFF, "n_1")] == receive
    assert notices(None, back, event, STAFF, "n_1") == []
    assert notices(gone, gone, event, STAFF, "n_1") == [], "somebody else entered"
    unclaimed = replace(back, claimant=None)
    assert notices(gone, unclaimed, event, STAFF, "n_1") == []


def test_f39_a_notice_names_the_waiting_area_of_the_patient_if_there_is_one() -> None:
    event = Event("declined", T0, ZOE)
    of_skin = replace(queued(), area=Area("skin", "Skin"))
    named = [notices(visit, visit, event, STAFF, "n_1")[0][1].area for visit in (of_skin, queued())]
    assert named == ["Skin", None]


def test_a_guest_who_enters_causes_no_notification() -> None:
    with_guest = does(claimed(), Invite("guest-rosa", "Rosa", "daughter"), CLAIMANT)
    assert recipients_of("entered", with_guest, with_guest) == []
    assert SYSTEM.role is Role.SYSTEM
