"""Tests a visit whose setup guide has steps with conditions: which steps are counted, asked, and asked again."""

from __future__ import annotations

from typing import Any

from signalling.visit import commands as c
from signalling.visit.record import Policy, Visit
from signalling.visit.relations import Context, Decided, Refusal
from signalling.visit.rules import decide
from signalling.visit.setup_guide import Condition, Guide, Kind, Step
from tests.signalling.visits import ANA, PATIENT, T0, VISIT

GUIDE = Guide(
    version=3,
    steps=(
        Step(id="fever", kind=Kind.YES_NO, title="Do you have a fever?"),
        Step(
            id="since",
            kind=Kind.TEXT,
            title="Since when?",
            only_if=Condition(step="fever", answer=True),
        ),
        Step(id="consent", kind=Kind.YES_NO, title="Do you agree?"),
    ),
)


def after(visit: Visit | None, *commands: c.Command) -> Visit:
    for command in commands:
        decided = decide(visit, command, PATIENT, Context(now_ms=T0, policy=Policy(), guide=GUIDE))
        assert isinstance(decided, Decided), decided
        visit = decided.visit
    assert visit is not None
    return visit


def left(step: str, answer: Any) -> c.Save:
    return c.Save(step, answer, left=True)


def test_only_steps_that_are_asked_are_counted() -> None:
    visit = after(None, c.Open(VISIT, ANA))
    assert (visit.step, visit.steps) == (1, 2)
    visit = after(visit, left("fever", True))
    assert (visit.step, visit.steps) == (2, 3)
    visit = after(visit, left("since", "Monday"))
    assert (visit.step, visit.steps) == (3, 3)
    visit = after(visit, left("fever", False))
    assert (visit.step, visit.steps) == (2, 2)
    assert visit.answers["since"] == "Monday", "what was answered is kept, should it be asked for again"


def test_a_guide_is_complete_without_the_steps_that_are_not_asked() -> None:
    visit = after(None, c.Open(VISIT, ANA), left("fever", False), left("consent", True), c.Finish())
    assert visit.guide_done_ms == T0


def test_a_guide_is_not_complete_without_a_step_that_an_answer_brought_up() -> None:
    visit = after(None, c.Open(VISIT, ANA), left("fever", True), left("consent", True))
    refused = decide(visit, c.Finish(), PATIENT, Context(now_ms=T0, policy=Policy(), guide=GUIDE))
    assert isinstance(refused, Refusal)
    assert refused.details == {"steps": ["since"]}


def test_an_answer_that_is_changed_in_the_waiting_room_may_open_the_guide_again() -> None:
    done = after(None, c.Open(VISIT, ANA), left("fever", False), left("consent", True), c.Finish())
    assert after(done, left("consent", False)).guide_done_ms == T0
    again = after(done, left("fever", True))
    assert again.guide_done_ms is None
    assert after(again, left("since", "Monday"), c.Finish()).guide_done_ms == T0
