"""Tests the rules of the visit, one after another: each command, each deadline, and repeated commands."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from signalling.visit import commands as c
from signalling.visit import setup_guide as guides
from signalling.visit.record import Outcome, Policy, Status
from signalling.visit.relations import PATIENT as PATIENTS_SIDE
from signalling.visit.relations import PROVIDER, Decided, Refusal
from signalling.visit.rules import (
    DEADLINES,
    DONE_BEFORE,
    MOST_CHANGES,
    QUIET,
    RULES,
    decide,
    tables,
)
from tests.signalling.visits import (
    ADMIN,
    ANA,
    CLAIMANT,
    COLLEAGUE,
    GUIDE,
    PATIENT,
    PEOPLE,
    SYSTEM,
    T0,
    VISIT,
    assigned,
    claimed,
    context,
    does,
    ended,
    event_of,
    live,
    on_call,
    queued,
    refused,
)

POLICY = Policy()
SIGNED = "2026-01-02"


# --- each command of the table


def test_a_patient_waits_from_the_moment_the_setup_guide_is_entered() -> None:
    visit = does(None, c.Open(VISIT, ANA), PATIENT, T0 + 5)
    assert (visit.status, visit.arrived_ms, visit.version) == (Status.QUEUED, T0 + 5, 1)
    assert (visit.step, visit.steps, visit.guide_version) == (1, 2, 1)
    assert not visit.parties[PATIENTS_SIDE].present
    assert does(None, c.Open(VISIT, ANA), PEOPLE["facility"]).status is Status.QUEUED


def test_a_draft_is_kept_unchecked_and_an_answer_is_checked_when_its_step_is_left() -> None:
    visit = does(queued(), c.Save("since", "20", left=False), PATIENT)
    assert (visit.typing, visit.step, visit.answers) == ("since", 2, {"since": "20"})
    wrong = refused(visit, c.Save("since", "20", left=True), PATIENT)
    assert wrong.code == "invalid_answer"
    assert wrong.details == {"step": "since", "problem": guides.problem(GUIDE.steps[1], "20")}
    visit = does(visit, c.Save("since", SIGNED, left=True), PATIENT)
    assert (visit.typing, visit.step, visit.answers) == (None, 2, {"since": SIGNED})
    assert does(visit, c.Save("since", None, left=True), PATIENT).answers == {}
    assert refused(visit, c.Save("shoe size", "44", left=False), PATIENT).code == "not_found"


@pytest.mark.parametrize("in_status", [queued, claimed, live])
def test_the_setup_guide_goes_on_in_every_status_but_ended(in_status: object) -> None:
    assert callable(in_status)
    visit = in_status()
    missing = refused(visit, c.Finish(), PATIENT)
    assert (missing.code, missing.details) == ("guide_incomplete", {"steps": ["allergies"]})
    visit = does(visit, c.Save("allergies", "None", left=True), PATIENT)
    done = does(visit, c.Finish(), PATIENT, T0 + 9)
    assert (done.guide_done_ms, done.step, done.status) == (T0 + 9, 2, visit.status)
    assert event_of(done, c.Finish(), PATIENT, T0 + 20) is None


def test_s47_a_party_that_has_changed_too_much_may_only_hang_up_leave_and_end() -> None:
    visit = live()
    made = visit.parties[PATIENTS_SIDE].changes
    assert made == 2, "entered and started"
    assert MOST_CHANGES == 20_000, "PROTOCOL.md names the number"
    visit = does(visit, c.Save("allergies", "a", left=False), PATIENT)
    assert visit.parties[PATIENTS_SIDE].changes == made + 1
    spent = replace(visit.parties[PATIENTS_SIDE], changes=MOST_CHANGES)
    visit = replace(visit, parties={**visit.parties, PATIENTS_SIDE: spent})
    for command in (c.Save("allergies", "b", left=False), c.Finish(), c.Enter("c_more", "w1")):
        assert refused(visit, command, PATIENT) == Refusal("limit_reached", {"most": MOST_CHANGES})
    paused = does(visit, c.HangUp(), PATIENT)
    assert refused(paused, c.Start(), PATIENT).code == "limit_reached"
    does(paused, c.Leave("c_ana", "w1"), SYSTEM)
    does(replace(visit, status=Status.QUEUED), c.Withdraw(), PATIENT)
    does(visit, c.Enter("c_osei2", "w1"), CLAIMANT)
    does(visit, c.End(), CLAIMANT)


def test_a_patient_may_withdraw_and_repeat_the_request() -> None:
    gone = does(queued(), c.Withdraw(), PATIENT)
    assert (gone.status, gone.outcome, gone.claimant) == (Status.ENDED, Outcome.WITHDRAWN, None)
    assert event_of(gone, c.Withdraw(), PATIENT) is None


def test_a_facility_withdraws_only_patients_whom_it_placed() -> None:
    desk = PEOPLE["facility"]
    placed = does(None, c.Open(VISIT, ANA), desk)
    assert placed.facility == desk.name
    gone = does(placed, c.Withdraw(), desk)
    assert (gone.status, gone.outcome) == (Status.ENDED, Outcome.WITHDRAWN)
    assert event_of(gone, c.Withdraw(), desk) is None
    other = replace(desk, id="ward 3")
    assert refused(placed, c.Withdraw(), other).code == "not_allowed"
    assert refused(queued(), c.Withdraw(), desk).code == "not_allowed"


def test_an_admin_assigns_to_somebody_who_is_available_and_may_take_it_back() -> None:
    assert refused(queued(), c.Assign("lin"), ADMIN).code == "not_on_call"
    assert refused(queued(), c.Assign("nobody"), ADMIN).code == "not_found"
    visit = assigned()
    assert visit.assignee is not None
    assert (visit.assignee.id, visit.status, visit.arrived_ms) == ("lin", Status.QUEUED, T0)
    assert does(visit, c.Unassign(), ADMIN).assignee is None
    assert refused(visit, c.Unassign(), COLLEAGUE).code == "not_allowed"


def test_the_assignee_may_claim_without_being_on_call_and_so_may_an_admin() -> None:
    assert does(assigned(), c.Claim(), PEOPLE["assignee"]).claimant == PEOPLE["assignee"].person
    assert does(queued(), c.Claim(), ADMIN).claimant == ADMIN.person
    assert refused(queued(), c.Claim(), PEOPLE["off call"]).code == "not_on_call"
    taken = does(assigned(), c.Claim(), COLLEAGUE)
    assert (taken.assignee, taken.assigned_ms) == (None, None)


def test_a_second_provider_learns_who_claimed_it() -> None:
    lost = refused(claimed(), c.Claim(), COLLEAGUE)
    assert (lost.code, lost.details) == ("already_claimed", {"by": {"id": "osei", "name": "Osei"}})
    assert event_of(claimed(), c.Claim(), CLAIMANT) is None


def test_an_organisation_may_refuse_claims_of_staff_in_session_or_without_a_licence() -> None:
    busy: dict[str, Any] = {"in_session": ("ray",), "claim_in_session": False}
    assert refused(queued(), c.Claim(), COLLEAGUE, **busy).code == "in_session"
    assert does(queued(), c.Claim(), COLLEAGUE, in_session=("ray",)).claimant is not None
    licensed = {
        "ray": type(on_call()["ray"])(id="ray", name="Ray", role=COLLEAGUE.role, on_call=True, states=("OK",))
    }
    blocked = refused(queued(), c.Claim(), COLLEAGUE, staff=licensed, block_unlicensed=True)
    assert (blocked.code, blocked.details) == ("not_licensed", {"state": "TX"})
    nowhere = replace(queued(), patient=replace(queued().patient, state=""))
    does(nowhere, c.Claim(), COLLEAGUE, staff=licensed, block_unlicensed=True)
    assert does(queued(), c.Claim(), COLLEAGUE, staff=licensed).claimant is not None


def test_an_admin_declines_with_a_reason() -> None:
    visit = does(queued(), c.Decline("Call 911"), ADMIN)
    assert (visit.status, visit.outcome, visit.reason) == (Status.ENDED, Outcome.DECLINED, "Call 911")
    assert refused(queued(), c.Decline(), COLLEAGUE).code == "not_allowed"


def test_a_party_is_present_while_any_of_its_connections_is_on_the_page() -> None:
    visit = does(queued(), c.Enter("c_phone", "w2"), PATIENT)
    visit = does(visit, c.Leave("c_ana", "w1"), PATIENT, T0 + 1)
    assert visit.parties[PATIENTS_SIDE].present
    assert event_of(visit, c.Leave("c_phone", "w1"), SYSTEM) is None, "it resumed on another worker meanwhile"
    visit = does(visit, c.Leave("c_phone", "w2"), SYSTEM, T0 + 2)
    assert visit.parties[PATIENTS_SIDE].away_since_ms == T0 + 2
    assert does(visit, c.Enter("c_new", "w1"), PATIENT).parties[PATIENTS_SIDE].away_since_ms is None
    assert event_of(ended(), c.Leave("c_ana", "w1"), SYSTEM) is None


@pytest.mark.parametrize(("first", "second"), [(PATIENT, CLAIMANT), (CLAIMANT, PATIENT)])
def test_the_visit_is_live_from_the_second_press_of_start_in_either_order(
    first: object, second: object
) -> None:
    assert isinstance(first, type(PATIENT))
    assert isinstance(second, type(PATIENT))
    visit = does(claimed(), c.Start(), first, T0 + 1)
    assert visit.status is Status.CLAIMED
    assert event_of(visit, c.Start(), first, T0 + 2) is None, "pressing twice alone starts nothing"
    visit = does(visit, c.Start(), second, T0 + 3)
    assert (visit.status, visit.live_ms) == (Status.LIVE, T0 + 3)
    assert event_of(visit, c.Start(), second, T0 + 4) is None


def test_only_the_visits_parties_press_start() -> None:
    for stranger in (ADMIN, COLLEAGUE, PEOPLE["other patient"], SYSTEM):
        assert refused(claimed(), c.Start(), stranger).code == "not_allowed"


def test_f08_a_patient_leaves_a_claimed_visit_before_the_call() -> None:
    visit = does(claimed(), c.Withdraw(), PATIENT, T0 + 10_000)
    assert (visit.status, visit.outcome, visit.ended_ms) == (Status.ENDED, Outcome.WITHDRAWN, T0 + 10_000)
    assert visit.claimant is not None, "the provider still sees whose visit it was"
    assert event_of(visit, c.Withdraw(), PATIENT) is None
    assert refused(visit, c.Reopen(), CLAIMANT).code == "wrong_status"
    assert refused(claimed(), c.Withdraw(), CLAIMANT).code == "not_allowed"


def test_f18_a_waiting_visit_is_closed_by_an_admin_or_at_closing_time() -> None:
    for by in (ADMIN, SYSTEM):
        visit = does(queued(), c.Close(), by, T0 + 10_000)
        assert (visit.status, visit.outcome, visit.ended_ms) == (Status.ENDED, Outcome.CLOSED, T0 + 10_000)
        assert event_of(visit, c.Close(), by) is None
    assert refused(claimed(), c.Close(), SYSTEM).code == "wrong_status"
    assert refused(queued(), c.Close(), COLLEAGUE, staff=on_call("ray")).code == "not_allowed"


def test_f13_a_patient_who_was_in_the_call_and_is_done_completes_the_visit() -> None:
    left = does(live(), c.HangUp(), PATIENT, T0 + 10_000)
    for before, talked_ms in ((left, 10_000), (live(), 20_000)):
        visit = does(before, c.Withdraw(), PATIENT, T0 + 20_000)
        assert (visit.status, visit.outcome, visit.talked_ms) == (Status.ENDED, Outcome.COMPLETED, talked_ms)
        assert event_of(visit, c.Withdraw(), PATIENT) is None
        assert does(visit, c.Reopen(), CLAIMANT, T0 + 30_000).status is Status.CLAIMED


def test_f13_a_patient_who_has_left_the_call_is_shown_so_until_they_rejoin() -> None:
    left = does(live(), c.HangUp(), PATIENT, T0 + 10_000)
    assert left.parties[PATIENTS_SIDE].left_ms == T0 + 10_000
    for back in (does(left, c.Start(), PATIENT), does(left, c.Release(), CLAIMANT)):
        assert back.parties[PATIENTS_SIDE].left_ms is None
    ended = does(left, c.End(), CLAIMANT)
    assert does(ended, c.Reopen(), CLAIMANT).parties[PATIENTS_SIDE].left_ms is None


def test_hanging_up_pauses_the_visit_until_the_patient_presses_again() -> None:
    visit = does(live(), c.HangUp(), PATIENT, T0 + 10_000)
    assert (visit.status, visit.talked_ms, visit.live_ms) == (Status.CLAIMED, 10_000, None)
    assert visit.parties[PATIENTS_SIDE].started_ms is None
    assert visit.parties[PROVIDER].started_ms is not None
    assert event_of(visit, c.HangUp(), PATIENT) is None
    again = does(visit, c.Start(), PATIENT, T0 + 20_000)
    assert (again.status, again.live_ms) == (Status.LIVE, T0 + 20_000)


@pytest.mark.parametrize("taken", [claimed, live])
@pytest.mark.parametrize("command", [c.Release(), c.Transfer("ray")])
def test_a_released_visit_keeps_its_place_and_loses_all_presses_of_start(
    taken: object, command: c.Command
) -> None:
    assert callable(taken)
    visit = does(taken(), command, CLAIMANT, T0 + 5000)
    assert (visit.status, visit.arrived_ms, visit.returned) == (Status.QUEUED, T0, 1)
    assert (visit.claimant, visit.claimed_ms, visit.live_ms) == (None, None, None)
    assert list(visit.parties) == [PATIENTS_SIDE]
    assert visit.parties[PATIENTS_SIDE].started_ms is None
    assert visit.parties[PATIENTS_SIDE].present
    assert (visit.assignee.id if visit.assignee else None) == (
        "ray" if isinstance(command, c.Transfer) else None
    )
    assert refused(taken(), c.Transfer("kim"), CLAIMANT).code == "not_on_call"
    assert does(taken(), command, ADMIN).status is Status.QUEUED


def test_only_the_provider_ends_a_visit_and_may_repeat_the_request() -> None:
    visit = ended()
    assert (visit.outcome, visit.talked_ms, visit.ended_ms) == (Outcome.COMPLETED, 60_000, T0 + 60_000)
    assert event_of(visit, c.End(), CLAIMANT) is None
    assert refused(live(), c.End(), PATIENT).code == "not_allowed"
    assert refused(live(), c.End(by_phone=True), PATIENT).code == "not_allowed"
    assert refused(ended(), c.End(), ADMIN).code == "wrong_status"


def test_a_visit_held_by_phone_ends_so_and_is_reopened_as_any_that_took_place() -> None:
    for before in (claimed(), live()):
        for by in (CLAIMANT, ADMIN):
            visit = does(before, c.End(by_phone=True), by)
            assert (visit.status, visit.outcome) == (Status.ENDED, Outcome.BY_PHONE)
    assert event_of(visit, c.End(by_phone=True), CLAIMANT) is None, "said again"
    assert does(visit, c.Reopen(), CLAIMANT).outcome is None


def test_a_provider_takes_an_ended_visit_up_again_within_the_limit() -> None:
    visit = does(ended(), c.Reopen(), CLAIMANT, T0 + 90_000)
    assert (visit.status, visit.outcome, visit.ended_ms) == (Status.CLAIMED, None, None)
    assert all(party.started_ms is None for party in visit.parties.values())
    assert visit.talked_ms == 60_000
    assert refused(ended(), c.Reopen(), CLAIMANT, T0 + 60_000 + POLICY.reopen_ms + 1).code == "wrong_status"
    assert refused(ended(), c.Reopen(), COLLEAGUE).code == "not_allowed"


def test_without_a_room_for_a_call_no_visit_is_claimed_or_reopened_and_all_else_goes_on() -> None:
    staff = on_call("osei")
    for visit, command in ((queued(), c.Claim()), (ended(), c.Reopen())):
        for left in (0, -1):
            assert refused(visit, command, CLAIMANT, rooms_left=left, staff=staff) == Refusal("at_capacity")
        assert does(visit, command, CLAIMANT, rooms_left=1, staff=staff).status is Status.CLAIMED
    assert event_of(claimed(), c.Claim(), CLAIMANT, rooms_left=0) is None, "a repeated claim"
    assert does(claimed(), c.Start(), CLAIMANT, rooms_left=0)
    assert refused(claimed(), c.Claim(), COLLEAGUE, rooms_left=0).code == "already_claimed"
    assert refused(queued(), c.Claim(), PEOPLE["off call"], rooms_left=0).code == "not_on_call"


def test_a_clock_that_is_set_back_does_not_shorten_the_talk_time() -> None:
    visit = does(live(), c.HangUp(), PATIENT, T0 - 3_600_000)
    assert visit.talked_ms == 0


# --- tests of the tables of rules as a whole, and of the lists that belong to them


def test_every_command_that_may_be_repeated_has_a_test_here() -> None:
    assert {row.command for row in DONE_BEFORE} == {
        c.Claim, c.Close, c.Start, c.HangUp, c.Leave, c.End, c.Withdraw,
    }  # fmt: skip


def test_a_visit_has_room_for_six_photos_and_for_another_when_one_is_removed() -> None:
    visit, ana = queued(), PATIENT
    for number in range(6):
        visit = does(visit, c.AddPhoto(f"p_{number}", 800, 600, "My arm"), ana)
    refused = decide(visit, c.AddPhoto("p_6", 800, 600, ""), ana, context())
    assert refused == Refusal("limit_reached", {"most": 6})
    visit = does(visit, c.RemovePhoto("p_2"), ana)
    again = decide(visit, c.RemovePhoto("p_2"), ana, context())
    assert isinstance(again, Decided)
    assert again.event is None, "removed before: no error"
    visit = does(visit, c.AddPhoto("p_6", 800, 600, ""), ana)
    assert [photo.id for photo in visit.photos] == ["p_0", "p_1", "p_3", "p_4", "p_5", "p_6"]


def test_the_printed_tables_have_every_row() -> None:
    printed = tables()
    assert printed.count("\n") == len(RULES) + len(DEADLINES) + 4
    for event in [row.event for row in RULES] + [row.event for row in DEADLINES]:
        assert f" {event} |" in printed


def test_the_printed_tables_are_markdown_with_as_many_cells_in_each_row_as_in_its_head() -> None:
    for table, names in zip(tables().split("\n\n"), ("command", "at its deadline"), strict=True):
        head, line, *rows = table.split("\n")
        assert names in head
        assert line == "|---" * (head.count("|") - 1) + "|"
        assert {row.count("|") for row in rows} == {head.count("|")}


def test_the_events_are_stored_under_these_names() -> None:
    assert [row.event for row in RULES] == (
        "opened saved guide_finished photo_added photo_removed withdrawn withdrawn patient_done "
        "assigned urgency_set moved staff_wrote answered unassigned claimed declined closed entered left "
        "contact_agreed contacted escalated not_reached invited dismissed guest_started started went_live hung_up "
        "released transferred ended reopened tagged surveyed"
    ).split()
    assert [row.event for row in DEADLINES] == "expired assignment_lapsed returned paused paused".split()
    assert {"saved", "entered", "left", "staff_wrote", "answered"} == QUIET
