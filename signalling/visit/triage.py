"""Rules for the commands that change the urgency of a request or its waiting area: their effects and their guard.

Rows of `rules.py` name these small functions, as they name those of `effects.py`. Does no I/O.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from signalling.visit import setup_guide as guides
from signalling.visit.commands import Move, Open, SetUrgency
from signalling.visit.record import Actor, Triage, Visit
from signalling.visit.relations import Context, Refusal
from signalling.visit.urgency import more_urgent
from signalling.visit.waiting_area import Area


def of_answers(visit: Visit, answers: dict[str, Any], context: Context) -> Triage | None:
    """Return the visit's urgency after the patient's answers have changed to `answers`; None if no level is set.

    A level that staff have set is kept, unless the new answers mean a more urgent level.
    """
    before, after = (guides.urgency(context.guide, given) for given in (visit.answers, answers))
    if after == before:
        return visit.triage
    if visit.triage is None or visit.triage.by is None:
        return None if after is None else Triage(level=after[0], answer=after[1])
    known = (visit.urgency, *((before[0],) if before is not None else ()))
    if after is not None and all(more_urgent(after[0], level) for level in known):
        return Triage(level=after[0], answer=after[1])
    return visit.triage


def urgency_set(visit: Visit, command: SetUrgency, actor: Actor, _: Context) -> Visit:
    if visit.triage is not None and (visit.triage.level, visit.triage.by) == (command.level, actor.person):
        return visit
    return replace(visit, triage=Triage(level=command.level, by=actor.person))


def area_of(area: str, context: Context) -> Area | None:
    return Area(area, context.areas[area]) if area else None


def moved(visit: Visit, command: Move, _: Actor, context: Context) -> Visit:
    if command.area == visit.area_id:
        return visit
    return replace(visit, area=area_of(command.area, context))


def area_exists(_: Visit | None, command: Open | Move, __: Actor, context: Context) -> Refusal | None:
    known = not command.area or command.area in context.areas
    return None if known else Refusal("not_found", {"area": command.area})
