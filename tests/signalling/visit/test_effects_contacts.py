"""Tests what a visit records about messages to its patient and to staff, about photos, and about a reopened guide."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from signalling.visit import commands as c
from signalling.visit import effects as do
from signalling.visit.escalation import Escalation
from signalling.visit.record import Contact, Person, Photo
from signalling.visit.setup_guide import Condition, Guide, Kind, Step
from tests.signalling.visits import ADMIN, CLAIMANT, PATIENT, SYSTEM, T0, claimed, context, queued

LATER = T0 + 90_000
BRANCHING = Guide(
    version=1,
    steps=(
        Step(id="fever", kind=Kind.YES_NO, title="Do you have a fever?"),
        Step(id="pain", kind=Kind.YES_NO, title="Do you have pain?"),
        Step(id="since", kind=Kind.TEXT, title="Since when?", only_if=Condition(step="fever", answer=True)),
    ),
)


def test_a_patient_agrees_to_each_way_of_being_called_on_its_own() -> None:
    visit = queued()
    for channel, agrees, agreed in (
        ("text", True, ("text",)),
        ("push", True, ("text", "push")),
        ("text", True, ("push", "text")),
        ("push", False, ("text",)),
        ("push", False, ("text",)),
    ):
        visit = do.agreed_to_contact(visit, c.AgreeToContact(channel, agrees), PATIENT, context())
        assert visit.agreed == agreed


def test_the_newest_result_of_each_channel_is_kept_with_the_time_at_which_it_was_new() -> None:
    visit = claimed()
    kept = dict[str, Contact]()
    for at_ms, (channel, state) in enumerate(
        (("mail", "retried"), ("text", "failed"), ("mail", "sent"), ("mail", "sent"), ("text", "sent")), T0
    ):
        before = visit
        visit = do.contacted(visit, c.RecordContact(channel, state), SYSTEM, context(at_ms))
        if at_ms == T0 + 3:
            assert visit is before, "the same result again is nothing new"
        else:
            kept[channel] = Contact(channel=channel, state=state, at_ms=at_ms)
        assert visit.contacts == tuple(kept.values())


def test_a_message_to_staff_is_recorded_once_and_with_the_channels_that_failed() -> None:
    lin, osei = (Escalation(id=name, name=name.title(), channels=("mail",)) for name in ("lin", "osei"))
    one = do.escalated(queued(), c.Escalate((lin,), 0), SYSTEM, context(LATER))
    assert one.escalations == (replace(lin, at_ms=LATER),)
    assert do.escalated(one, c.Escalate((osei,), 0), SYSTEM, context(LATER)) is one, (
        "another worker was first"
    )
    two = do.escalated(one, c.Escalate((osei,), 1), SYSTEM, context(LATER + 1))
    assert two.escalations == (*one.escalations, replace(osei, at_ms=LATER + 1))
    unreached = do.not_reached(two, c.RecordUnreached(Person("osei", "Osei"), "mail"), SYSTEM, context())
    assert [message.failed for message in unreached.escalations] == [(), ("mail",)]


def test_photos_are_kept_in_order_until_they_are_removed_and_six_are_enough() -> None:
    visit = queued()
    for number in range(6):
        assert do.room_for_photo(visit) is None
        command = c.AddPhoto(f"p_{number}", 640, 480, "the rash")
        visit = do.photo_added(visit, command, PATIENT, context(T0 + number))
    assert visit.photos[1] == Photo(id="p_1", at_ms=T0 + 1, width=640, height=480, text="the rash")
    full = do.room_for_photo(visit)
    assert full is not None
    assert (full.code, full.details) == ("limit_reached", {"most": 6})
    rest = do.photo_removed(visit, c.RemovePhoto("p_1"), PATIENT, context())
    assert [photo.id for photo in rest.photos] == ["p_0", "p_2", "p_3", "p_4", "p_5"]


@pytest.mark.parametrize(
    ("answers", "saved", "answer", "again"),
    [
        ({"fever": False, "pain": False}, "fever", True, True),
        ({"fever": False, "pain": False}, "pain", True, False),
        ({"fever": False}, "fever", True, True),
        ({"fever": True, "pain": False, "since": "today"}, "fever", False, False),
        ({"fever": False, "pain": False, "since": "today"}, "fever", True, False),
    ],
)
def test_a_finished_guide_opens_again_only_for_a_step_that_is_new_and_not_answered(
    answers: dict[str, Any], saved: str, answer: bool, again: bool
) -> None:
    before = replace(queued(), answers=answers, guide_done_ms=T0)
    facts = replace(context(LATER), guide=BRANCHING)
    changed = {**answers, saved: answer}
    assert do.newly_asked(before, changed, facts) is again
    left = do.saved(before, c.Save(saved, answer, left=True), PATIENT, facts)
    assert left.guide_done_ms == (None if again else T0)
    typed = do.saved(before, c.Save(saved, answer, left=False), PATIENT, facts)
    assert typed.guide_done_ms == T0, "the step is not left yet"


@pytest.mark.parametrize(("left", "full"), [(None, False), (1, False), (0, True), (-1, True)])
def test_a_call_begins_only_while_a_room_is_left(left: int | None, full: bool) -> None:
    refusal = do.room_for_call(claimed(), c.Start(), CLAIMANT, context(rooms_left=left))
    assert (refusal is not None and refusal.code) == (full and "at_capacity")


@pytest.mark.parametrize(
    ("states", "facts", "code"),
    [
        (("CA",), {"block_unlicensed": True}, "not_licensed"),
        (("CA", "TX"), {"block_unlicensed": True}, None),
        ((), {"block_unlicensed": True}, None),
        (("CA",), {"block_unlicensed": False}, None),
        ((), {"in_session": ("osei",), "claim_in_session": False}, "in_session"),
        ((), {"in_session": ("osei",), "claim_in_session": True}, None),
        ((), {"in_session": ("lin",), "claim_in_session": False}, None),
    ],
)
def test_a_provider_in_a_session_or_not_licensed_claims_as_the_organisation_allows(
    states: tuple[str, ...], facts: dict[str, Any], code: str | None
) -> None:
    there = context(**facts)
    staff = {**there.staff, "osei": replace(there.staff["osei"], states=states)}
    refusal = do.may_claim(queued(), c.Claim(), CLAIMANT, replace(there, staff=staff))
    assert (None if refusal is None else refusal.code) == code
    assert refusal is None or refusal.details == ({"state": "TX"} if code == "not_licensed" else {})
    assert do.may_claim(queued(), c.Claim(), ADMIN, replace(there, staff={})) is None
