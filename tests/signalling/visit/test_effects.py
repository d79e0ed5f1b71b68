"""Tests each effect of a rule: it changes the fields that it names, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import asdict, replace

from signalling.visit import commands as c
from signalling.visit import effects as do
from signalling.visit.record import Outcome, Party, Person, Policy, Role, Status, Visit
from signalling.visit.setup_guide import Guide, Kind, Step
from tests.signalling.visits import (
    ADMIN,
    ANA,
    CLAIMANT,
    ORG,
    PATIENT,
    PEOPLE,
    STAFF,
    T0,
    VISIT,
    assigned,
    claimed,
    context,
    does,
    ended,
    live,
    on_call,
    queued,
)

LATER = T0 + 90_000


def changed(before: Visit, after: Visit) -> dict[str, Any]:
    """Return the fields in which two visits differ, with their new values."""
    old = asdict(before)
    return {name: value for name, value in asdict(after).items() if value != old[name]}


def party(visit: Visit, key: str, **changes: Any) -> dict[str, Party]:
    """Return the visit's parties, in which the party `key` has these other values."""
    return {**visit.parties, key: replace(visit.parties[key], **changes)}


def test_a_visit_opens_with_what_the_form_said_and_who_opened_it() -> None:
    command = c.Open(VISIT, ANA, booked_ms=T0 + 1)
    facts = replace(context(T0, front_desk_ms=60_000), number=41)
    assert do.opened(None, command, PATIENT, facts) == Visit(
        id=VISIT,
        organisation=ORG,
        version=0,
        status=Status.QUEUED,
        patient=ANA,
        guide_version=1,
        steps=2,
        arrived_ms=T0,
        number=41,
        admins_until_ms=T0 + 60_000,
        opened_by="ana",
        booked_ms=T0 + 1,
        parties={"patient": Party(id="patient:v_1", name="Ana Ruiz", away_since_ms=T0)},
    )
    desk = PEOPLE["facility"]
    placed = do.opened(None, command, desk, context(T0))
    assert (placed.facility, placed.opened_by, placed.admins_until_ms) == ("Desk", "desk", None)


def test_a_claim_replaces_the_assignment_and_brings_the_provider_who_is_not_there_yet() -> None:
    before = assigned()
    assert changed(before, do.claimed(before, c.Claim(), CLAIMANT, context(LATER))) == {
        "assignee": None,
        "assigned_ms": None,
        "assigned_by": None,
        "claimant": Person("osei", "Osei"),
        "claimed_ms": LATER,
        "parties": {**before.parties, "provider": Party(id="osei", name="Osei", away_since_ms=LATER)},
    }


def test_an_assignment_stores_assignee_assigner_and_time() -> None:
    before = queued()
    after = do.assigned(before, c.Assign("lin"), ADMIN, context(LATER))
    assert changed(before, after) == {
        "assignee": Person("lin", "Lin"),
        "assigned_ms": LATER,
        "assigned_by": Person("zoe", "Zoe"),
    }
    assert do.unassigned(after) == before


def test_a_released_visit_loses_its_provider_and_each_press_and_keeps_its_talk() -> None:
    before = replace(live(), admins_until_ms=T0, live_ms=T0, talked_ms=5, returned=2)
    after = do.released(before, c.Release(), CLAIMANT, context(LATER))
    assert changed(before, after) == {
        "claimant": None,
        "claimed_ms": None,
        "admins_until_ms": None,
        "live_ms": None,
        "talked_ms": 90_005,
        "returned": 3,
        "parties": {"patient": replace(before.parties["patient"], started_ms=None)},
    }
    passed_on = do.transferred(before, c.Transfer("lin"), CLAIMANT, context(LATER))
    assert changed(after, passed_on) == {
        "assignee": Person("lin", "Lin"),
        "assigned_ms": LATER,
        "assigned_by": CLAIMANT.person,
    }


def test_a_patient_who_hangs_up_stops_the_clock_and_presses_again() -> None:
    before = live()
    after = do.hung_up(before, c.HangUp(), PATIENT, context(LATER))
    assert changed(before, after) == {
        "live_ms": None,
        "talked_ms": 90_000,
        "parties": party(before, "patient", started_ms=None, left_ms=LATER),
    }
    assert do.paused(after, LATER + 1) == after, "a stopped clock stays"
    assert do.paused(before, T0 - 1).talked_ms == 0, "a clock that was set back takes nothing away"


@pytest.mark.parametrize(
    ("live_ms", "talked_ms", "talked"), [(None, 0, False), (None, 1, True), (T0, 0, True)]
)
def test_a_visit_has_talked_from_the_first_millisecond_of_its_call(
    live_ms: int | None, talked_ms: int, talked: bool
) -> None:
    visit = replace(claimed(), live_ms=live_ms, talked_ms=talked_ms)
    assert do.has_talked(visit, PATIENT) is talked
    assert do.has_not_talked(visit, PATIENT) is not talked


def test_the_second_press_starts_the_clock_and_a_repeated_press_keeps_its_time() -> None:
    before = does(claimed(), c.Start(), PATIENT)
    after = do.went_live(before, c.Start(), CLAIMANT, context(LATER))
    assert changed(before, after) == {
        "live_ms": LATER,
        "parties": party(before, "provider", started_ms=LATER),
    }
    assert do.pressed(after, c.Start(), CLAIMANT, context(LATER + 1)) == after
    assert do.other_pressed(before, CLAIMANT)
    assert not do.other_pressed(before, PATIENT)
    assert do.other_has_not_pressed(before, PATIENT)
    assert not do.other_pressed(replace(before, parties={"patient": before.parties["patient"]}), PATIENT)


def test_an_end_stops_the_clock_and_only_a_decline_has_a_reason() -> None:
    before = replace(live(), typing="since")
    after = do.ended(Outcome.COMPLETED)(before, c.End(), CLAIMANT, context(LATER))
    assert changed(before, after) == {
        "outcome": Outcome.COMPLETED,
        "ended_ms": LATER,
        "live_ms": None,
        "talked_ms": 90_000,
        "typing": None,
    }
    assert do.ended(Outcome.DECLINED)(before, c.Decline("full"), ADMIN, context(LATER)).reason == "full"


def test_a_reopened_visit_waits_for_both_sides_to_enter_and_to_press() -> None:
    before = ended()
    away: dict[str, Any] = {"connections": {}, "away_since_ms": LATER, "started_ms": None}
    assert changed(before, do.reopened(before, c.Reopen(), CLAIMANT, context(LATER))) == {
        "outcome": None,
        "ended_ms": None,
        "parties": {
            "patient": replace(before.parties["patient"], **away),
            "provider": replace(before.parties["provider"], **away),
        },
    }


def test_a_party_comes_with_a_connection_and_is_away_without_its_last_one() -> None:
    before = claimed()
    after = do.entered(before, c.Enter("c_2", "w2"), PATIENT, context(LATER))
    assert changed(before, after) == {
        "parties": party(before, "patient", connections={"c_ana": "w1", "c_2": "w2"})
    }
    assert do.left(after, c.Leave("c_2", "w2"), PATIENT, context(LATER)) == before
    gone = do.left(before, c.Leave("c_ana", "w1"), PATIENT, context(LATER))
    assert changed(before, gone) == {"parties": party(before, "patient", connections={}, away_since_ms=LATER)}
    assert do.left(before, c.Leave("c_ana", "w2"), PATIENT, context(LATER)) == before
    assert do.left(before, c.Leave("c_none", "w1"), PATIENT, context(LATER)) == before


def test_a_guest_is_a_party_from_the_invitation_to_the_dismissal() -> None:
    before = claimed()
    after = do.invited(before, c.Invite("guest-rosa", "Rosa", "daughter"), CLAIMANT, context(LATER))
    guest = Party(id="guest-rosa", name="Rosa", relation="daughter", away_since_ms=LATER)
    assert changed(before, after) == {"parties": {**before.parties, "guest-rosa": guest}}
    assert do.dismissed(after, c.Dismiss("guest-rosa"), CLAIMANT, context(LATER)) == before


def test_four_guests_fit_each_under_its_own_key() -> None:
    visit = claimed()
    for number in range(4):
        command = c.Invite(f"guest-{number}", "Rosa", "daughter")
        assert do.room_for_guest(visit, command, CLAIMANT, context()) is None
        visit = do.invited(visit, command, CLAIMANT, context())
        again = do.room_for_guest(visit, command, CLAIMANT, context())
        assert again is not None
    fifth = do.room_for_guest(visit, c.Invite("guest-4", "Rosa", "daughter"), CLAIMANT, context())
    assert fifth is not None
    assert fifth.code == "room_full"
    odd = do.room_for_guest(claimed(), c.Invite("rosa", "Rosa", "daughter"), CLAIMANT, context())
    assert odd is not None
    for name in ("guest-9", "patient"):
        unknown = do.is_guest(visit, c.Dismiss(name), CLAIMANT, context())
        assert unknown is not None
        assert (unknown.code, unknown.details) == ("not_found", {"guest": name})
    assert do.is_guest(visit, c.Dismiss("guest-3"), CLAIMANT, context()) is None


def test_a_finished_guide_keeps_its_first_time_and_shows_its_last_step() -> None:
    before = replace(queued(), typing="since")
    after = do.finished(before, c.Finish(), PATIENT, context(LATER))
    assert changed(before, after) == {"typing": None, "guide_done_ms": LATER, "step": 2}
    assert do.finished(after, c.Finish(), PATIENT, context(LATER + 1)) == after


@pytest.mark.parametrize(
    ("step", "left", "at"), [("a", False, 1), ("a", True, 2), ("b", True, 3), ("d", False, 4), ("d", True, 4)]
)
def test_a_saved_answer_leads_to_its_step_and_one_that_was_left_to_the_next(
    step: str, left: bool, at: int
) -> None:
    guide = Guide(version=1, steps=tuple(Step(id=i, kind=Kind.TEXT, title=i) for i in "abcd"))
    before = replace(queued(), guide_done_ms=T0)
    facts = replace(context(LATER), guide=guide)
    after = do.saved(before, c.Save(step, "None", left=left), PATIENT, facts)
    assert (after.answers, after.typing) == ({step: "None"}, None if left else step)
    assert (after.step, after.steps, after.guide_done_ms) == (at, 4, T0)


def test_the_front_desk_and_the_assignee_go_first_until_their_time_is_over() -> None:
    early = replace(queued(), admins_until_ms=LATER)
    refusal = do.front_desk(early, c.Claim(), PEOPLE["on call"], context(LATER - 1))
    assert refusal is not None
    assert refusal.code == "front_desk"
    assert do.front_desk(early, c.Claim(), PEOPLE["on call"], context(LATER)) is None
    assert do.front_desk(early, c.Claim(), ADMIN, context(LATER - 1)) is None
    assert (
        do.front_desk(replace(assigned(), admins_until_ms=LATER), c.Claim(), PEOPLE["assignee"], context())
        is None
    )
    assert do.front_desk(queued(), c.Claim(), PEOPLE["on call"], context()) is None


def test_who_receives_a_visit_is_known_and_on_call() -> None:
    for to, code in (("nobody", "not_found"), ("lin", "not_on_call")):
        refusal = do.available(queued(), c.Assign(to), ADMIN, context())
        assert refusal is not None
        assert (refusal.code, refusal.details) == (code, {"staff": to})
    assert do.available(queued(), c.Assign("lin"), ADMIN, context(staff=on_call("lin"))) is None
    assert STAFF["lin"].role is Role.PROVIDER


def test_a_visit_may_be_reopened_until_the_limit() -> None:
    limit_ms = Policy().reopen_ms
    visit = replace(ended(), ended_ms=T0)
    assert do.within_limit(visit, c.Reopen(), CLAIMANT, context(T0 + limit_ms)) is None
    late = do.within_limit(visit, c.Reopen(), CLAIMANT, context(T0 + limit_ms + 1))
    assert late is not None
    assert (late.code, late.details) == ("wrong_status", {"status": "ended"})
    assert do.within_limit(replace(visit, ended_ms=None), c.Reopen(), CLAIMANT, context(limit_ms + 1)) == late
    assert do.was_held(visit, CLAIMANT)
    assert do.was_held(replace(visit, outcome=Outcome.BY_PHONE), CLAIMANT)
    assert not do.was_held(replace(visit, outcome=Outcome.DECLINED), CLAIMANT)


def test_deadlines_are_never_or_so_long_after_their_beginning() -> None:
    policy = Policy()
    gone = does(live(), c.Leave("c_ana", "w1"), PATIENT, T0 + 7)
    assert do.away(gone, "patient", 5) == T0 + 12
    assert do.away(gone, "provider", 5) is None
    assert do.away(queued(), "provider", 5) is None
    assert do.press_of_the_absent("patient")(gone, policy) == T0 + 7 + 30_000
    assert do.press_of_the_absent("provider")(gone, policy) is None
    assert do.press_of_the_absent("patient")(does(claimed(), c.Leave("c_ana", "w1"), PATIENT), policy) is None
    assert do.press_of_the_absent("provider")(queued(), policy) is None
    assert do.assignment_due(assigned(), policy) == T0 + 120_000
    assert do.assignment_due(queued(), policy) is None
    cleared = do.press_cleared("patient")(gone, c.Due(), PATIENT, context(LATER))
    assert changed(gone, cleared) == {
        "live_ms": None,
        "talked_ms": 90_000,
        "parties": party(gone, "patient", started_ms=None),
    }


def test_an_answer_that_does_not_fit_is_refused_with_its_step_and_problem() -> None:
    wrong = do.answer_fits(queued(), c.Save("since", "20", left=True), PATIENT, context())
    assert wrong is not None
    assert (wrong.code, wrong.details) == (
        "invalid_answer",
        {"step": "since", "problem": "must be a date (YYYY-MM-DD)"},
    )
    assert do.answer_fits(queued(), c.Save("since", "20", left=False), PATIENT, context()) is None
    unknown = do.answer_fits(queued(), c.Save("shoe size", "44", left=False), PATIENT, context())
    assert unknown is not None
    assert (unknown.code, unknown.details) == ("not_found", {"step": "shoe size"})
