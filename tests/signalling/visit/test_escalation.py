"""Tests what a visit records of the messages that staff got because nobody had claimed it."""

from signalling.visit import commands as c
from signalling.visit.escalation import Escalation
from signalling.visit.record import Person
from signalling.visit.relations import Decided
from signalling.visit.rules import decide
from tests.signalling.visits import (
    CLAIMANT,
    SYSTEM,
    T0,
    claimed,
    context,
    does,
    event_of,
    on_call,
    queued,
    refused,
)

RAY = Escalation(id="ray", name="Ray", channels=("text", "push"))
LIN = Escalation(id="lin", name="Lin")


def test_f41_of_two_that_were_decided_at_once_the_second_changes_nothing() -> None:
    first = c.Escalate((RAY,), 0)
    decided = decide(queued(), first, SYSTEM, context(T0 + 1))
    assert isinstance(decided, Decided)
    assert decided.event is not None
    assert (decided.event.kind, decided.event.note, decided.event.by) == ("escalated", "Ray", None)
    assert [(one.id, one.at_ms) for one in decided.visit.escalations] == [("ray", T0 + 1)]
    assert event_of(decided.visit, first, SYSTEM) is None
    assert event_of(decided.visit, c.Escalate((LIN,), 0), SYSTEM) is None
    later = does(decided.visit, c.Escalate((LIN,), 1), SYSTEM, T0 + 2)
    assert [(one.id, one.at_ms) for one in later.escalations] == [("ray", T0 + 1), ("lin", T0 + 2)]


def test_f41_a_message_has_not_reached_somebody_when_every_channel_has_given_up() -> None:
    visit, ray = does(queued(), c.Escalate((RAY, LIN), 0), SYSTEM), Person("ray", "Ray")
    reached = []
    for channel in ("text", "text", "push"):
        visit = does(visit, c.RecordUnreached(ray, channel), SYSTEM)
        reached.append([one.reached for one in visit.escalations])
    assert reached == [[True, True], [True, True], [False, True]]
    assert visit.escalations[0].failed == ("text", "push")
    assert event_of(visit, c.RecordUnreached(ray, "push"), SYSTEM) is None, "known already"


def test_f41_messages_are_about_a_waiting_request_and_kept_when_it_comes_back() -> None:
    assert refused(claimed(), c.Escalate((RAY,), 0), SYSTEM).code == "wrong_status"
    visit = does(queued(), c.Escalate((RAY,), 0), SYSTEM)
    visit = does(does(visit, c.Claim(), CLAIMANT, staff=on_call("osei")), c.Release(), CLAIMANT)
    assert [one.id for one in visit.escalations] == ["ray"]
