"""Tests the views of a record for each reader: each contains the fields that this reader may see, and no others."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from signalling.protocol import shapes, views
from signalling.visit import commands as c
from signalling.visit.call_quality import HEARD_LOST, PICTURE, ROUND_TRIP, SENT_LOST, Tally
from signalling.visit.escalation import Escalation
from signalling.visit.queue_state import AtClosing, Closing, QueueRules
from signalling.visit.record import Outcome, Person, Photo, Policy, Staff, Status, Triage
from signalling.visit.survey import SurveyAnswer
from signalling.visit.urgency import Urgency
from signalling.visit.waiting_area import Area
from tests.signalling.visits import (
    ADMIN,
    ANA,
    CLAIMANT,
    GUIDE,
    STAFF,
    T0,
    assigned,
    claimed,
    does,
    ended,
    live,
    on_call,
    queued,
)


def shown(part: object) -> object:
    """Return a part of a message as plain dictionaries and lists, the form in which it is sent."""
    return msgspec.to_builtins(part)


FULL = replace(
    assigned(),
    number=41,
    step=2,
    guide_done_ms=T0 + 9,
    returned=3,
    facility="Ward 3",
    booked_ms=T0 + 1,
    admins_until_ms=T0 + 2,
    patient=replace(ANA, filled_in_by="Ben"),
    area=Area("mind", "Behavioural health"),
    triage=Triage(level=Urgency.URGENT, by=Person("osei", "Osei")),
    answered_ms=T0 + 3,
    escalations=(Escalation(id="ray", name="Ray", at_ms=T0 + 3, channels=("text",)),),
)


def test_a_row_of_the_queue_has_what_one_needs_to_choose() -> None:
    row = views.row(FULL)
    assert shown(row) == {
        "visit": "v_1",
        "name": "Ana Ruiz",
        "number": 41,
        "arrived_ms": T0,
        "state": "TX",
        "phone": "+1 512 555 0142",
        "language": "es",
        "reason": "Rash, three days",
        "step": 2,
        "steps": 2,
        "guide_done": True,
        "online": True,
        "away_since_ms": None,
        "returned": 3,
        "assignee": {"id": "lin", "name": "Lin"},
        "assigned_ms": T0,
        "filled_in_by": "Ben",
        "facility": "Ward 3",
        "booked_ms": T0 + 1,
        "admins_until_ms": T0 + 2,
        "blocked": False,
        "phone_shown": "+1 512 555 0142",
        "urgency": {"level": "urgent", "by": {"id": "osei", "name": "Osei"}, "answer": ""},
        "area": {"id": "mind", "name": "Behavioural health"},
        "answered_ms": T0 + 3,
        "escalations": ({"name": "Ray", "at_ms": T0 + 3, "reached": True},),
    }
    shown_so = replace(FULL, patient=replace(FULL.patient, phone_shown="(512) 555-0142 ext. 12"))
    assert views.row(shown_so).phone_shown == "(512) 555-0142 ext. 12"
    for network, blocked in (("blocked", True), ("unsupported", True), ("poor", False)):
        assert (
            views.row(replace(FULL, answers={"text": "hi", "check": {"network": network}})).blocked == blocked
        )
    bare = views.row(queued())
    assert (bare.guide_done, bare.assignee, bare.urgency) == (False, None, None)


def test_a_counted_row_has_nothing_about_the_patient() -> None:
    row = views.counted_row(FULL)
    assert (row.visit, row.number, row.arrived_ms, row.returned) == ("v_1", 41, T0, 3)
    nothing = {"visit": "v_1", "number": 41, "arrived_ms": T0, "returned": 3}
    left: Any = {name: value for name, value in msgspec.structs.asdict(row).items() if name not in nothing}
    assert not any(left.values()), left


CLOSING = Closing(at_ms=T0 + 9, over=True, rule=AtClosing.ASK)


def test_the_rules_of_the_queue_are_shown_with_the_clinics_words_and_closing_times() -> None:
    rules = QueueRules(
        amber_ms=1,
        red_ms=2,
        urgent_first=True,
        words={Urgency.URGENT: "Soon"},
        alert_waiting=3,
        alert_wait_ms=4,
        closing={"mind": CLOSING},
    )
    assert shown(views.limits(rules)) == {
        "amber_ms": 1,
        "red_ms": 2,
        "urgent_first": True,
        "alert_waiting": 3,
        "alert_wait_ms": 4,
        "level_words": {"urgent": "Soon"},
        "closing": {"mind": {"at_ms": T0 + 9, "over": True, "rule": str(AtClosing.ASK)}},
    }


def test_a_patient_who_booked_keeps_the_place_at_closing_time() -> None:
    assert views.closing(None, booked=True) is None
    for booked, rule in ((False, AtClosing.ASK), (True, AtClosing.KEEP)):
        part = views.closing(CLOSING, booked=booked)
        assert part == shapes.ClosingPart(at_ms=T0 + 9, over=True, rule=rule)


def test_a_session_names_who_is_present() -> None:
    assert shown(views.session_row(live())) == {
        "visit": "v_1",
        "name": "Ana Ruiz",
        "status": "live",
        "claimant": {"id": "osei", "name": "Osei"},
        "arrived_ms": T0,
        "claimed_ms": T0,
        "live_ms": T0,
        "present": ("patient", "provider"),
        "contacts": (),
    }
    visit = live()
    away = replace(
        visit, parties={**visit.parties, "patient": replace(visit.parties["patient"], connections={})}
    )
    assert views.session_row(away).present == ("provider",)


def test_a_completed_visit_says_until_when_it_may_be_reopened() -> None:
    assert shown(views.past_row(ended(), Policy(reopen_ms=5), with_texts=True)) == {
        "visit": "v_1",
        "name": "Ana Ruiz",
        "outcome": "completed",
        "reason": None,
        "claimant": {"id": "osei", "name": "Osei"},
        "arrived_ms": T0,
        "claimed_ms": T0,
        "ended_ms": T0 + 60_000,
        "talked_ms": 60_000,
        "reopen_until_ms": T0 + 60_005,
        "tags": (),
    }
    reasoned = replace(ended(), reason="Not urgent")
    assert [views.past_row(reasoned, Policy(), with_texts=shows).reason for shows in (True, False)] == [
        "Not urgent",
        None,
    ]
    for other in (replace(ended(), outcome=Outcome.DECLINED), replace(ended(), ended_ms=None)):
        assert views.past_row(other, Policy(), with_texts=True).reopen_until_ms is None


def test_parties_see_each_other_but_no_answers_of_the_guide() -> None:
    assert shown(views.visit_part(replace(live(), guide_done_ms=T0))) == {
        "id": "v_1",
        "status": "live",
        "outcome": None,
        "arrived_ms": T0,
        "claimed_ms": T0,
        "live_ms": T0,
        "ended_ms": None,
        "talked_ms": 0,
        "guide_done": True,
        "reason": None,
        "claimant": {"id": "osei", "name": "Osei"},
        "taking_over": None,
        "parties": {
            key: {
                "name": name,
                "relation": None,
                "present": True,
                "away_since_ms": None,
                "started": True,
                "left": False,
            }
            for key, name in (("patient", "Ana Ruiz"), ("provider", "Osei"))
        },
        "area": None,
        "tags": (),
        "surveyed": False,
    }
    assert not views.visit_part(claimed()).parties["patient"].started
    assert not views.visit_part(claimed()).guide_done


def test_f15_a_visit_that_was_handed_over_names_the_colleague_and_a_new_one_nobody() -> None:
    over = does(claimed(), c.Transfer("lin"), CLAIMANT, staff=on_call("lin"))
    assert views.visit_part(over).taking_over == shapes.PersonPart(id="lin", name="Lin")
    assert views.visit_part(assigned()).taking_over is None


def test_a_patient_sees_only_the_outcome_of_an_ended_visit() -> None:
    over = views.visit_over(replace(ended(), reason="full", guide_done_ms=T0))
    assert shown(over) == {
        "id": "v_1",
        "status": "ended",
        "outcome": "completed",
        "arrived_ms": T0,
        "claimed_ms": None,
        "live_ms": None,
        "ended_ms": T0 + 60_000,
        "talked_ms": 0,
        "guide_done": True,
        "reason": "full",
        "claimant": None,
        "taking_over": None,
        "parties": {},
        "area": None,
        "tags": (),
        "surveyed": False,
    }
    assert not views.visit_over(ended()).guide_done


def test_tags_are_shown_to_staff_alone_and_of_the_survey_only_that_it_was_answered() -> None:
    answer = SurveyAnswer(choice=4, text="So-so", at_ms=T0)
    visit = replace(ended(), tags=("Follow-up",), survey=answer)
    for part, tags in (
        (views.visit_of_staff(visit), ("Follow-up",)),
        (views.visit_part(visit), ()),
        (views.visit_over(visit), ()),
    ):
        assert (part.tags, part.surveyed) == (tags, True)
        assert "So-so" not in str(shown(part))
    assert views.past_row(visit, Policy(), with_texts=True).tags == ("Follow-up",)
    assert views.past_row(visit, Policy(), with_texts=False).tags == ()


def test_case_information_is_everything_that_was_collected() -> None:
    part = views.case(replace(FULL, answers={"allergies": "None"}, typing="since"), GUIDE)
    assert (part.steps, part.answers, part.typing, part.step, part.guide_done) == (
        GUIDE.steps,
        {"allergies": "None"},
        "since",
        2,
        True,
    )
    assert part.visit == "v_1"
    photo = Photo(id="p_1", at_ms=T0, width=8, height=6, text="My arm")
    assert shown(views.case(replace(FULL, photos=(photo,)), GUIDE).photos[0]) == {
        "id": "p_1",
        "path": f"/{FULL.organisation}/visits/{FULL.id}/photos/p_1",
        "at_ms": T0,
        "width": 8,
        "height": 6,
        "text": "My arm",
    }
    expected: Any = shown(replace(ANA, filled_in_by="Ben", phone_shown=ANA.phone))
    del expected["extension"]
    assert shown(part.patient) == expected
    assert not views.case(queued(), GUIDE).guide_done


def test_colleagues_see_who_is_on_call_and_in_session() -> None:
    zoe = Staff(id="zoe", name="Zoe", role=ADMIN.role, on_call=True, states=("TX",))
    assert shown(views.staff(zoe, in_session=True)) == {
        "id": "zoe",
        "name": "Zoe",
        "role": "admin",
        "on_call": True,
        "in_session": True,
        "states": ("TX",),
        "areas": (),
    }
    assert shown(views.person(Person("zoe", "Zoe"))) == {"id": "zoe", "name": "Zoe"}
    assert views.person(None) is None
    assert not views.staff(STAFF["lin"], in_session=False).on_call


def test_a_row_is_gone_because_it_was_claimed_or_ended() -> None:
    assert views.why_gone(claimed()) == "claimed"
    assert views.why_gone(ended()) == "claimed"
    assert views.why_gone(queued()) == "moved", "to another waiting area"
    for outcome in (Outcome.DECLINED, Outcome.WITHDRAWN, Outcome.EXPIRED):
        gone = replace(queued(), status=Status.ENDED, outcome=outcome)
        assert views.why_gone(gone) == str(outcome)


def test_the_quality_of_a_call_is_a_usual_and_a_worse_value() -> None:
    seen = {
        HEARD_LOST: {0: 15, 30: 5},
        SENT_LOST: {4: 1},
        ROUND_TRIP: {40: 10, 90: 9, 300: 1},
        PICTURE: {100: 1, 800: 10, 1200: 9},
    }
    tally = Tally(party="patient", name="Ana", connected_ms=1234.6, interruptions=2, seen=seen)
    assert shown(views.call(tally)) == {
        "party": "patient",
        "name": "Ana",
        "connected_ms": 1235,
        "interruptions": 2,
        "heard_lost": {"usual": 0.8, "worse": 3.0},
        "sent_lost": {"usual": 0.4, "worse": 0.4},
        "round_trip_ms": {"usual": 40, "worse": 90},
        "picture_kbps": {"usual": 800, "worse": 100},
    }
    nothing = views.call(Tally(party="patient", name="Ana"))
    assert (nothing.heard_lost, nothing.sent_lost, nothing.round_trip_ms, nothing.picture_kbps) == (None,) * 4
