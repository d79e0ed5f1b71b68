"""Tests which patient gets a message about a visit, and when."""

from msgspec.structs import replace

from signalling.visit import commands as c
from signalling.visit.relations import Event
from tests.signalling.visits import CLAIMANT, PATIENT, T0, claimed, does, live, on_call, queued
from web.channels.rules import GRACE_MS, patient_due_ms, patient_is_awaited

CLAIM = Event("claimed", T0)


def gone() -> c.Leave:
    """Return the command that ends the patient's only connection."""
    return c.Leave("c_ana", "w1")


def test_f11_an_absent_patient_is_written_to_at_the_claim_and_a_present_one_only_if_they_are_gone_soon() -> (
    None
):
    away = does(does(queued(), gone(), PATIENT), c.Claim(), CLAIMANT, staff=on_call("osei"))
    assert patient_due_ms(away, CLAIM) == T0
    assert patient_due_ms(claimed(), CLAIM) == T0 + GRACE_MS
    assert patient_due_ms(away, Event("started", T0)) is None


def test_f11_a_message_is_true_only_while_the_patient_is_absent_from_that_claim() -> None:
    absent = does(claimed(), gone(), PATIENT)
    assert absent.claimed_ms is not None
    assert patient_is_awaited(absent, absent.claimed_ms)
    for visit in (
        None,
        claimed(),
        does(live(), gone(), PATIENT),
        does(absent, c.Release(), CLAIMANT),
        does(absent, c.End(), CLAIMANT),
        replace(absent, claimed_ms=absent.claimed_ms + 1),
    ):
        assert not patient_is_awaited(visit, absent.claimed_ms)
