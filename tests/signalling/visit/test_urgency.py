"""Tests the urgency of a request: set by staff, or by an answer of the setup guide."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.visit.commands import Claim, Save, SetUrgency
from signalling.visit.record import Person, Triage, Visit
from signalling.visit.relations import Context, Decided
from signalling.visit.rules import decide
from signalling.visit.setup_guide import Condition, Guide, Kind, Step, levels_problem, urgency
from signalling.visit.urgency import Urgency, more_urgent
from tests.signalling.visits import ADMIN, CLAIMANT, PATIENT, PEOPLE, context, does, event_of, queued

OPTIONS = ("Chest pain", "A rash", "A letter")
GUIDE = Guide(
    version=1,
    steps=(
        Step(id="what", kind=Kind.CHOICE, title="What is it?", options=OPTIONS),
        Step(
            id="since",
            kind=Kind.CHOICE,
            title="Since when?",
            options=("today", "long"),
            only_if=Condition(step="what", answer="A rash"),
        ),
    ),
    levels={"what": {"Chest pain": Urgency.EMERGENCY}, "since": {"today": Urgency.URGENT}},
)
EMERGENCY = Triage(level=Urgency.EMERGENCY, answer="Chest pain")


def facts() -> Context:
    """Return the facts of a decision, with the setup guide of this file."""
    return replace(context(), guide=GUIDE)


def answers(visit: Visit, step: str, answer: Any, *, left: bool = True) -> Visit:
    """Return the visit after its patient has answered a step. `left`: the patient has left the step."""
    decided = decide(visit, Save(step, answer, left), PATIENT, facts())
    assert isinstance(decided, Decided)
    return decided.visit


def test_the_levels_are_ordered_the_most_urgent_first() -> None:
    assert [str(level) for level in Urgency] == ["emergency", "urgent", "routine"]
    assert all(more_urgent(one, other) and not more_urgent(other, one) for one, other in pairwise(Urgency))


def test_f38_the_most_urgent_answer_of_the_asked_steps_counts() -> None:
    assert urgency(GUIDE, {}) is None
    assert urgency(GUIDE, {"what": "A letter"}) is None
    assert urgency(GUIDE, {"what": "Chest pain", "since": "today"}) == (Urgency.EMERGENCY, "Chest pain")
    assert urgency(GUIDE, {"what": "A rash", "since": "today"}) == (Urgency.URGENT, "today")
    assert urgency(GUIDE, {"what": "A letter", "since": "today"}) is None, "no longer asked"
    assert urgency(GUIDE, {"what": {"agreed": True}}) is None


@pytest.mark.parametrize("left", [True, False])
def test_f38_an_answer_sets_the_urgency_and_another_answer_takes_it_back(left: bool) -> None:
    visit = answers(queued(), "what", "Chest pain", left=left)
    assert (visit.triage, visit.urgency) == (EMERGENCY, Urgency.EMERGENCY)
    visit = answers(visit, "what", "A letter", left=left)
    assert (visit.triage, visit.urgency) == (None, Urgency.ROUTINE)


@pytest.mark.parametrize("who", ["on call", "off call", "assignee", "admin"])
def test_f38_any_member_of_staff_sets_the_urgency_and_undoes_it_by_setting_it_again(who: str) -> None:
    visit = does(queued(), SetUrgency(Urgency.URGENT), PEOPLE[who])
    assert visit.triage == Triage(level=Urgency.URGENT, by=PEOPLE[who].person)
    assert event_of(visit, SetUrgency(Urgency.URGENT), PEOPLE[who]) is None, "so it is already"
    visit = does(visit, SetUrgency(Urgency.ROUTINE), ADMIN)
    assert visit.urgency is Urgency.ROUTINE


def test_f38_the_history_keeps_the_level_that_was_set() -> None:
    decided = decide(queued(), SetUrgency(Urgency.URGENT), CLAIMANT, context())
    assert isinstance(decided, Decided)
    assert decided.event is not None
    assert (decided.event.kind, decided.event.note) == ("urgency_set", "urgent")


def test_f38_what_staff_set_holds_until_the_answers_become_more_urgent() -> None:
    osei = Person("osei", "Osei")
    routine = does(answers(queued(), "what", "Chest pain"), SetUrgency(Urgency.ROUTINE), CLAIMANT)
    assert routine.triage == Triage(level=Urgency.ROUTINE, by=osei), "the answer was judged by a person"
    assert answers(routine, "what", "Chest pain").triage == routine.triage, "the same answer again"
    assert answers(routine, "what", "A letter").triage == routine.triage
    again = answers(answers(routine, "what", "A letter"), "what", "Chest pain")
    assert again.triage == EMERGENCY, "a new answer that is more urgent"
    urgent = does(queued(), SetUrgency(Urgency.URGENT), CLAIMANT)
    assert answers(urgent, "what", "Chest pain").triage == EMERGENCY
    assert answers(answers(urgent, "what", "A rash"), "since", "today").triage == urgent.triage, "as urgent"


def test_f38_a_visit_that_returns_to_the_queue_has_kept_its_urgency() -> None:
    visit = does(queued(), SetUrgency(Urgency.URGENT), ADMIN)
    assert does(visit, Claim(), ADMIN).urgency is Urgency.URGENT


@pytest.mark.parametrize(
    ("levels", "fits"),
    [
        ({}, True),
        ({"what": {"A rash": Urgency.URGENT}}, True),
        ({"what": {"Gout": Urgency.URGENT}}, False),
        ({"gone": {"A rash": Urgency.URGENT}}, False),
    ],
)
def test_only_options_of_a_choice_have_a_level(levels: dict[str, dict[str, Urgency]], fits: bool) -> None:
    assert (levels_problem(replace(GUIDE, levels=levels)) is None) is fits
