"""Tests that the visit keeps the results of messages to a patient who is absent."""

from signalling.visit import commands as c
from signalling.visit.escalation import Escalation
from signalling.visit.relations import Decided
from signalling.visit.rules import decide
from tests.signalling.visits import CLAIMANT, SYSTEM, T0, claimed, context, does, event_of, on_call, queued


def test_f11_the_result_of_a_message_to_the_patient_is_kept_by_channel_until_the_next_claim() -> None:
    visit = does(claimed(), c.RecordContact("mail", "retried"), SYSTEM, T0 + 1)
    assert event_of(visit, c.RecordContact("mail", "retried"), SYSTEM) is None, "nothing new"
    visit = does(visit, c.RecordContact("text", "failed"), SYSTEM, T0 + 2)
    decided = decide(visit, c.RecordContact("mail", "sent"), SYSTEM, context(T0 + 3))
    assert isinstance(decided, Decided)
    assert decided.event is not None
    assert (decided.event.kind, decided.event.note) == ("contacted", "mail sent")
    assert [(one.channel, one.state, one.at_ms) for one in decided.visit.contacts] == [
        ("mail", "sent", T0 + 3),
        ("text", "failed", T0 + 2),
    ]
    again = does(does(decided.visit, c.Release(), CLAIMANT), c.Claim(), CLAIMANT, staff=on_call("osei"))
    assert again.contacts == ()


def test_the_history_names_the_staff_to_whom_messages_were_sent() -> None:
    to = tuple(Escalation(id=name, name=name.title(), channels=("mail",)) for name in ("lin", "osei"))
    decided = decide(queued(), c.Escalate(to, 0), SYSTEM, context(T0))
    assert isinstance(decided, Decided)
    assert decided.event is not None
    assert decided.event.note == "Lin, Osei"
