"""The setup guide: the steps that an organisation asks of a patient, and which answers to a step are valid.

`rules.py` defines how answers are stored in a visit, and the pages show the steps. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from signalling.visit.urgency import SEVERITY, Urgency

MAX_TEXT = 4000  # the greatest number of characters in one answer


class Kind(StrEnum):
    """The kind of answer that a step asks for."""

    TEXT = "text"
    CHOICE = "choice"
    YES_NO = "yes_no"
    DATE = "date"
    CONSENT = "consent"
    DEVICE_CHECK = "device_check"


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition of a step: the step is asked only if an earlier step has this answer (an option of a choice, True or
    False).
    """

    step: Annotated[str, Meta(description="the id of an earlier step")]
    answer: Annotated[str | bool, Meta(description="the answer to it that is needed")]


BRANCHING = frozenset({Kind.CHOICE, Kind.YES_NO})
"""The kinds of steps on which the conditions of later steps may depend."""


Option = Annotated[str, Meta(min_length=1, max_length=200)]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of the setup guide: a page with a question or a task for the patient."""

    id: Annotated[str, Meta(description="the step's id")]
    kind: Annotated[Kind, Meta(description="the kind of answer")]
    title: Annotated[str, Meta(min_length=1, max_length=200, description="the heading")]
    help: Annotated[str, Meta(max_length=1000, description="a sentence of help below the heading")] = ""
    required: Annotated[bool, Meta(description="true if the step must be answered")] = True
    options: Annotated[tuple[Option, ...], Meta(max_length=20, description="the options of a choice")] = ()
    text: Annotated[str, Meta(max_length=20_000, description="the full wording of a consent")] = ""
    only_if: Annotated[
        Condition | None, Meta(description="the earlier answer without which the step is not asked")
    ] = None


class Guide(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of an organisation's setup guide. A visit keeps the version with which it began.

    `levels`: step id -> option -> the urgency that this answer means. The levels are not part of a step, because
    patients receive the steps, and should not choose an answer for a better place in the queue.
    """

    version: int
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=50)]
    levels: dict[str, dict[str, Urgency]] = {}

    def position(self, step_id: str) -> int | None:
        """Return the index of a step, from 0; None if the guide has no such step."""
        return next((i for i, step in enumerate(self.steps) if step.id == step_id), None)


def _text(step: Step, answer: Any) -> str | None:
    if not isinstance(answer, str):
        return "must be text"
    return "is required" if step.required and not answer.strip() else None


def _choice(step: Step, answer: Any) -> str | None:
    return None if answer in step.options else "must be one of the options"


def _yes_no(_: Step, answer: Any) -> str | None:
    return None if isinstance(answer, bool) else "must be yes or no"


def _date(step: Step, answer: Any) -> str | None:
    if answer == "" and not step.required:
        return None
    try:
        date.fromisoformat(answer)
    except (TypeError, ValueError):
        return "must be a date (YYYY-MM-DD)"
    return None


def _consent(step: Step, answer: Any) -> str | None:
    if not isinstance(answer, dict) or set(answer) - {"agreed", "signature", "language"}:
        return "must say whether you agree, and your name"
    if not isinstance(answer.get("language", ""), str):
        return "must say in which language it was read"
    if answer.get("agreed") is not True:
        return "must be agreed to" if step.required else None
    signature = answer.get("signature")
    if not isinstance(signature, str) or not signature.strip():
        return "must be signed with your name"
    return None


def _device_check(_: Step, answer: Any) -> str | None:
    parts = {"camera", "microphone", "speaker", "network"}
    if not isinstance(answer, dict) or set(answer) - parts:
        return "must name camera, microphone, speaker and network"
    # The answer has one word for each device, such as "on". No word is refused, because a patient may join without a
    # camera or a microphone, but the length of a word is limited.
    return None if all(isinstance(v, str) and len(v) <= 60 for v in answer.values()) else "must be words"


_CHECKS: dict[Kind, Callable[[Step, Any], str | None]] = {
    Kind.TEXT: _text,
    Kind.CHOICE: _choice,
    Kind.YES_NO: _yes_no,
    Kind.DATE: _date,
    Kind.CONSENT: _consent,
    Kind.DEVICE_CHECK: _device_check,
}


def problem(step: Step, answer: Any) -> str | None:
    """Return the problem of an answer to a completed step; None if the answer is valid.

    The result is the end of a sentence about the answer, such as "is required".
    """
    if answer is None:
        return "is required" if step.required else None
    return _CHECKS[step.kind](step, answer) or draft_problem(answer)


def draft_problem(answer: Any) -> str | None:
    """Return the reason why an unfinished answer cannot be stored (its size or shape); None if it can be stored."""
    if answer is None or isinstance(answer, bool):
        return None
    if isinstance(answer, str):
        return None if len(answer) <= MAX_TEXT else f"is longer than {MAX_TEXT} characters"
    if isinstance(answer, dict) and len(answer) <= 8:
        fits = all(
            isinstance(v, bool) or v is None or (isinstance(v, str) and len(v) <= 200)
            for v in answer.values()
        )
        return None if fits and all(len(k) <= 40 for k in answer) else "is too large"
    return "is not an answer"


def visible(guide: Guide, answers: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return the steps that are asked of a patient with these answers (step id -> answer), in the guide's order.

    A step is not asked if it depends on a step that is not asked, whatever the patient answered to that step before.
    """
    seen: dict[str, Step] = {}
    for step in guide.steps:
        on = step.only_if
        if on is None or (on.step in seen and _same(answers.get(on.step), on.answer)):
            seen[step.id] = step
    return tuple(seen.values())


def _same(given: Any, wanted: str | bool) -> bool:
    # The types are compared too, because in Python the number 1 equals True.
    return type(given) is type(wanted) and bool(given == wanted)


def condition_problem(steps: Sequence[Step], index: int) -> str | None:
    """Return the problem of the condition of step `index`; None if the condition is valid, or if the step has none.

    The result is the end of a sentence about the step.
    """
    on = steps[index].only_if
    if on is None:
        return None
    asked = next((step for step in steps[:index] if step.id == on.step), None)
    if asked is None or asked.kind not in BRANCHING:
        return "depends on a step that does not come before it"
    fits = isinstance(on.answer, bool) if asked.kind is Kind.YES_NO else on.answer in asked.options
    return None if fits else "depends on an answer that the step does not have"


def missing(guide: Guide, answers: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the steps that are asked and have no valid answer, in the guide's order."""
    steps = visible(guide, answers)
    return tuple(step.id for step in steps if problem(step, answers.get(step.id)) is not None)


def levels_problem(guide: Guide) -> str | None:
    """Return the problem of the guide's levels of urgency, as a sentence; None if they are valid."""
    options = {step.id: step.options for step in guide.steps if step.kind is Kind.CHOICE}
    fits = all(set(levels) <= set(options.get(step, ())) for step, levels in guide.levels.items())
    return None if fits else "only an option of a choice has a level of urgency."


def urgency(guide: Guide, answers: Mapping[str, Any]) -> tuple[Urgency, str] | None:
    """Return (the most urgent level that these answers mean, the answer); None if no answer has a level."""
    found = [
        (level, answer)
        for step in visible(guide, answers)
        if isinstance(answer := answers.get(step.id), str)
        and (level := guide.levels.get(step.id, {}).get(answer)) is not None
    ]
    return min(found, key=lambda item: SEVERITY[item[0]], default=None)
