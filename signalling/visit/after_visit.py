"""Rules for what is added to a visit after its end: its tags, and the patient's answer to the survey.

Contains the effects (how the visit changes) and guards (reasons to refuse) that rows of `rules.py` use. The rows define
who may set tags or answer, and when. Does no I/O.
"""

from __future__ import annotations

from msgspec.structs import replace

from signalling.visit.commands import AnswerSurvey, SetTags
from signalling.visit.record import Actor, Visit
from signalling.visit.relations import Context, Refusal
from signalling.visit.survey import SurveyAnswer


def tagged(visit: Visit, command: SetTags, _: Actor, __: Context) -> Visit:
    return replace(visit, tags=tuple(dict.fromkeys(command.tags)))


def surveyed(visit: Visit, command: AnswerSurvey, _: Actor, context: Context) -> Visit:
    answer = SurveyAnswer(choice=command.choice, text=command.text, at_ms=context.now_ms)
    return replace(visit, survey=visit.survey or answer)


def tags_exist(visit: Visit, command: SetTags, __: Actor, context: Context) -> Refusal | None:
    # Staff may keep a tag that the visit already has, even if the organisation no longer offers it.
    unknown = set(command.tags) - set(context.policy.tags) - set(visit.tags)
    return Refusal("not_found", {"tags": sorted(unknown)}) if unknown else None


def survey_open(visit: Visit, command: AnswerSurvey, __: Actor, context: Context) -> Refusal | None:
    if not context.policy.survey:
        return Refusal("not_allowed")
    given = visit.survey
    another = given is not None and (given.choice, given.text) != (command.choice, command.text)
    return Refusal("limit_reached", {"most": 1}) if another else None
