"""Tests which answers each kind of step accepts, and which unfinished answers may be kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.visit.setup_guide import (
    MAX_TEXT,
    Condition,
    Guide,
    Kind,
    Step,
    condition_problem,
    draft_problem,
    levels_problem,
    missing,
    problem,
    urgency,
    visible,
)
from signalling.visit.urgency import Urgency

OPTIONS = ("never", "sometimes")
JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=300) | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=50), inner, max_size=10),
    max_leaves=12,
)


def step(kind: Kind, required: bool = True) -> Step:
    """Return a step of this kind. `required`: whether the patient must answer it."""
    return Step(id=str(kind), kind=kind, title="?", required=required, options=OPTIONS)


GOOD: list[tuple[Kind, Any]] = [
    (Kind.TEXT, "Penicillin"),
    (Kind.TEXT, "x" * MAX_TEXT),
    (Kind.CHOICE, "never"),
    (Kind.YES_NO, False),
    (Kind.DATE, "2024-02-29"),
    (Kind.CONSENT, {"agreed": True, "signature": "Ana Ruiz"}),
    (Kind.CONSENT, {"agreed": True, "signature": "Ana Ruiz", "language": "es"}),
    (Kind.DEVICE_CHECK, {"camera": "on", "microphone": "off", "speaker": "on", "network": "poor"}),
    (Kind.DEVICE_CHECK, {}),
]
BAD: list[tuple[Kind, Any]] = [
    (Kind.TEXT, "  "),
    (Kind.TEXT, True),
    (Kind.TEXT, "x" * (MAX_TEXT + 1)),
    (Kind.CHOICE, "always"),
    (Kind.CHOICE, {}),
    (Kind.YES_NO, "yes"),
    (Kind.DATE, "2023-02-29"),
    (Kind.DATE, "tomorrow"),
    (Kind.DATE, True),
    (Kind.CONSENT, {"agreed": True, "signature": " "}),
    (Kind.CONSENT, {"agreed": "yes", "signature": "Ana"}),
    (Kind.CONSENT, {"agreed": True, "signature": "Ana", "as": "guardian"}),
    (Kind.CONSENT, {"agreed": True, "signature": "Ana", "language": 7}),
    (Kind.CONSENT, True),
    (Kind.DEVICE_CHECK, {"camera": "x" * 61}),
    (Kind.DEVICE_CHECK, {"camera": True}),
    (Kind.DEVICE_CHECK, {"printer": "on"}),
]


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("signature", ["x" * 201, ["x"] * 9])
def test_s47_a_signature_is_no_larger_than_a_name(required: bool, signature: object) -> None:
    answer = {"agreed": required, "signature": signature}
    assert problem(step(Kind.CONSENT, required), answer) is not None


@pytest.mark.parametrize(("kind", "answer"), GOOD)
def test_an_answer_is_taken(kind: Kind, answer: Any) -> None:
    assert problem(step(kind), answer) is None


@pytest.mark.parametrize(("kind", "answer"), BAD)
def test_an_answer_that_does_not_fit_is_refused_with_a_sentence(kind: Kind, answer: Any) -> None:
    said = problem(step(kind), answer)
    assert said
    assert said.split()[0] in {"is", "must"}, "it goes on after 'This answer'"


@pytest.mark.parametrize("kind", list(Kind))
def test_an_optional_step_may_be_left_open_and_a_required_one_may_not(kind: Kind) -> None:
    assert problem(step(kind), None) == "is required"
    assert problem(step(kind, required=False), None) is None


def test_an_optional_date_may_be_emptied_again() -> None:
    assert problem(step(Kind.DATE, required=False), "") is None
    assert problem(step(Kind.DATE), "") is not None


@given(st.sampled_from(list(Kind)), st.booleans(), JSON)
def test_any_value_as_an_answer_is_checked_without_an_exception(
    kind: Kind, required: bool, answer: Any
) -> None:
    problem(step(kind, required), answer)
    draft_problem(answer)


@given(JSON)
def test_a_draft_that_is_kept_is_small(answer: Any) -> None:
    if draft_problem(answer) is None:
        assert len(str(answer)) <= max(MAX_TEXT, 8 * 300)


@pytest.mark.parametrize(("kind", "answer"), GOOD)
def test_every_answer_may_be_kept_while_it_is_typed(kind: Kind, answer: Any) -> None:
    assert draft_problem(answer) is None


def test_missing_steps_are_listed_in_the_guides_order() -> None:
    guide = Guide(version=1, steps=tuple(step(kind) for kind in (Kind.DATE, Kind.TEXT, Kind.YES_NO)))
    assert missing(guide, {}) == ("date", "text", "yes_no")
    assert missing(guide, {"text": "None", "date": "soon"}) == ("date", "yes_no")
    assert guide.position("yes_no") == 2
    assert guide.position("nowhere") is None


FEVER = Step(id="fever", kind=Kind.YES_NO, title="Do you have a fever?")
SINCE = Step(
    id="since",
    kind=Kind.CHOICE,
    title="Since when?",
    options=("today", "longer"),
    only_if=Condition(step="fever", answer=True),
)
TAKEN = Step(
    id="taken",
    kind=Kind.TEXT,
    title="What have you taken?",
    only_if=Condition(step="since", answer="longer"),
)
BRANCHING = Guide(version=1, steps=(FEVER, SINCE, TAKEN))


@pytest.mark.parametrize(
    ("answers", "asked", "open_ones"),
    [
        ({}, ["fever"], ("fever",)),
        ({"fever": False}, ["fever"], ()),
        ({"fever": True}, ["fever", "since"], ("since",)),
        ({"fever": 1}, ["fever"], ("fever",)),
        ({"fever": True, "since": "longer"}, ["fever", "since", "taken"], ("taken",)),
        ({"fever": False, "since": "longer"}, ["fever"], ()),
    ],
)
def test_a_step_is_asked_only_of_those_who_gave_the_answer_that_it_hangs_on(
    answers: dict[str, Any], asked: list[str], open_ones: tuple[str, ...]
) -> None:
    assert [step.id for step in visible(BRANCHING, answers)] == asked
    assert missing(BRANCHING, answers) == open_ones


@pytest.mark.parametrize(
    ("steps", "index", "said"),
    [
        ((FEVER, SINCE, TAKEN), 2, None),
        ((SINCE, FEVER), 0, "depends on a step that does not come before it"),
        ((TAKEN,), 0, "depends on a step that does not come before it"),
        (
            (FEVER, Step(id="x", kind=Kind.DATE, title="?", only_if=Condition(step="fever", answer="yes"))),
            1,
            "depends on an answer that the step does not have",
        ),
    ],
)
def test_a_condition_names_an_answer_of_an_earlier_step(
    steps: tuple[Step, ...], index: int, said: str | None
) -> None:
    assert condition_problem(steps, index) == said


@given(st.dictionaries(st.sampled_from(["fever", "since", "taken"]), JSON))
def test_the_first_step_is_always_asked(answers: dict[str, Any]) -> None:
    assert visible(BRANCHING, answers)[0] is FEVER


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, None),
        (True, None),
        ("x" * 4000, None),
        ("x" * 4001, "is longer than 4000 characters"),
        ({str(number): True for number in range(8)}, None),
        ({str(number): True for number in range(9)}, "is not an answer"),
        ({"k": "x" * 200}, None),
        ({"k": "x" * 201}, "is too large"),
        ({"k" * 40: None}, None),
        ({"k" * 41: None}, "is too large"),
        ({"k": 1}, "is too large"),
        (7, "is not an answer"),
        ([], "is not an answer"),
    ],
)
def test_a_draft_may_be_as_large_as_an_answer(answer: Any, said: str | None) -> None:
    assert draft_problem(answer) == said


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        (Kind.CONSENT, {"agreed": True, "signature": "Ana"}, None),
        (Kind.CONSENT, {"agreed": True, "signature": "Ana", "language": "es"}, None),
        (
            Kind.CONSENT,
            {"agreed": True, "signature": "Ana", "language": 7},
            "must say in which language it was read",
        ),
        (Kind.DEVICE_CHECK, {"camera": "x" * 60}, None),
        (Kind.DEVICE_CHECK, {"camera": "x" * 61}, "must be words"),
        (Kind.DEVICE_CHECK, {"camera": 1}, "must be words"),
        (Kind.TEXT, "x" * 4000, None),
        (Kind.TEXT, "x" * 4001, "is longer than 4000 characters"),
    ],
)
def test_a_completed_step_has_an_answer_of_its_kind(kind: Kind, answer: Any, said: str | None) -> None:
    assert problem(Step(id="x", kind=kind, title="?"), answer) == said


@pytest.mark.parametrize(
    ("levels", "valid"),
    [
        ({}, True),
        ({"since": {"today": Urgency.ROUTINE, "longer": Urgency.URGENT}}, True),
        ({"since": {"longer": Urgency.URGENT}}, True),
        ({"since": {"never": Urgency.URGENT}}, False),
        # The step `notes` asks for a text, so its `options` are not used.
        ({"notes": {"today": Urgency.URGENT}}, False),
        ({"nowhere": {"today": Urgency.URGENT}}, False),
    ],
)
def test_only_options_of_a_choice_have_a_level_of_urgency(
    levels: dict[str, dict[str, Urgency]], valid: bool
) -> None:
    notes = Step(id="notes", kind=Kind.TEXT, title="Notes", options=("today",))
    guide = Guide(version=1, steps=(FEVER, SINCE, notes), levels=levels)
    assert levels_problem(guide) == (None if valid else "only an option of a choice has a level of urgency.")


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"fever": True, "since": "longer"}, (Urgency.URGENT, "longer")),
        ({"fever": True, "since": "today"}, (Urgency.ROUTINE, "today")),
        ({"fever": True, "since": "longer", "more": "worse"}, (Urgency.EMERGENCY, "worse")),
        ({"fever": False, "since": "longer"}, None),
        ({}, None),
    ],
)
def test_the_most_urgent_answer_that_is_asked_for_sets_the_level(
    answers: dict[str, Any], found: tuple[Urgency, str] | None
) -> None:
    more = Step(id="more", kind=Kind.CHOICE, title="Better?", options=("better", "worse"))
    levels = {
        "since": {"today": Urgency.ROUTINE, "longer": Urgency.URGENT},
        "more": {"worse": Urgency.EMERGENCY},
    }
    assert urgency(Guide(version=1, steps=(FEVER, SINCE, more), levels=levels), answers) == found
