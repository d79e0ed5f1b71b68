"""Tests messages during the wait: staff write to a patient, who may answer if the clinic allows it."""

from __future__ import annotations

from msgspec.structs import replace

from signalling.visit import commands as c
from signalling.visit.messages import MOST_ANSWERS, MOST_WRITERS
from signalling.visit.record import Visit
from signalling.visit.relations import Refusal
from tests.signalling.visits import (
    ADMIN,
    CLAIMANT,
    COLLEAGUE,
    PATIENT,
    T0,
    does,
    event_of,
    on_call,
    queued,
    refused,
)

ON = {"answers_waiting": True}


def written() -> Visit:
    """Return a waiting visit to whose patient an admin has written."""
    return does(queued(), c.Write(), ADMIN)


def test_f19_a_patient_answers_only_if_the_clinic_wants_it_and_staff_wrote() -> None:
    moved_on = Refusal("wrong_status", {"status": "queued"})
    assert refused(written(), c.Write(), PATIENT) == moved_on
    assert refused(queued(), c.Write(), PATIENT, **ON) == moved_on
    visit = does(written(), c.Write(), PATIENT, T0 + 5, **ON)
    assert (visit.unanswered, visit.answered_ms) == (1, T0 + 5)


def test_f19_a_patient_writes_five_messages_at_most_until_staff_write_again() -> None:
    visit = written()
    assert MOST_ANSWERS == 5, "docs/VISIT.md names the number"
    for number in range(MOST_ANSWERS):
        visit = does(visit, c.Write(), PATIENT, T0 + number, **ON)
    assert refused(visit, c.Write(), PATIENT, **ON) == Refusal("limit_reached", {"most": MOST_ANSWERS})
    visit = does(visit, c.Write(), COLLEAGUE)
    assert (visit.unanswered, visit.answered_ms, visit.writers) == (0, None, (ADMIN.id, COLLEAGUE.id))
    assert does(visit, c.Write(), PATIENT, **ON).unanswered == 1


def test_f19_a_second_message_of_the_same_person_changes_nothing_of_the_visit() -> None:
    assert event_of(written(), c.Write(), ADMIN) is None


def test_f19_the_staff_who_wrote_last_are_kept_a_limited_number_of_them() -> None:
    visit = written()
    for number in range(MOST_WRITERS + 3):
        visit = does(visit, c.Write(), replace(ADMIN, id=f"u{number}"))
    assert visit.writers == tuple(f"u{number}" for number in range(3, MOST_WRITERS + 3))


def test_f19_a_claim_leaves_no_answer_unread() -> None:
    visit = does(written(), c.Write(), PATIENT, **ON)
    assert does(visit, c.Claim(), CLAIMANT, staff=on_call("osei")).answered_ms is None
