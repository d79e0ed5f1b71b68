"""Defines which people may see which topic: one table, by a person's relations to a visit and by its status
(SECURITY.md row 31).

`relations` (visit/relations.py) returns a person's relations to a visit. A person of another organisation has none, and
so sees nothing. A topic without a row does not exist. `topics.py` defines the content of topics. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from signalling.visit.record import Actor, Staff, Status, Visit
from signalling.visit.relations import (
    ADMIN,
    ANYONE_STAFF,
    ASSIGNEE,
    CLAIMANT,
    GUEST,
    ON_CALL,
    PATIENT,
    relations,
)

Seen = Mapping[Status, frozenset[str]]

MAY_CLAIM = frozenset({ON_CALL, ASSIGNEE, ADMIN})
ITS_STAFF = frozenset({CLAIMANT, ADMIN})
NOBODY: frozenset[str] = frozenset()


def _seen(queued: frozenset[str], taken: frozenset[str], ended: frozenset[str]) -> Seen:
    return {Status.QUEUED: queued, Status.CLAIMED: taken, Status.LIVE: taken, Status.ENDED: ended}


OF_VISITS: Mapping[str, Seen] = {
    # The patient and the guests of an ended visit are shown only that it has ended (`views.visit_over`).
    "visit": _seen(MAY_CLAIM | {PATIENT, GUEST}, ITS_STAFF | {PATIENT, GUEST}, ITS_STAFF | {PATIENT, GUEST}),
    "case": _seen(MAY_CLAIM | {PATIENT}, ITS_STAFF | {PATIENT}, ITS_STAFF),
    "chat": _seen(MAY_CLAIM | {PATIENT, GUEST}, ITS_STAFF | {PATIENT, GUEST}, ITS_STAFF),
    "place": _seen(frozenset({PATIENT}), frozenset({PATIENT}), NOBODY),
}
"""The topics of one visit, `{topic}/{visit}`: topic -> status -> the relations whose persons may see it."""

OF_STAFF: Mapping[str, frozenset[str]] = {
    "queue": frozenset({ANYONE_STAFF}),
    "sessions": frozenset({ANYONE_STAFF}),
    "bell": frozenset({ANYONE_STAFF}),
}
"""The topics of an organisation's staff -> the relations whose persons may see them. The content of `bell` is different
for each person.
"""


def may_see(topic: str, visit: Visit, actor: Actor, on_duty: Mapping[str, Staff]) -> bool:
    """Return True if the actor may see a visit's topic, by the present state of the visit and the staff.

    `topic`: the topic's name without the visit's id. `on_duty`: the staff of the organisation, by id.
    """
    seen = OF_VISITS.get(topic)
    return seen is not None and not relations(visit, actor, on_duty).isdisjoint(seen[visit.status])


def may_see_staffs(topic: str, actor: Actor) -> bool:
    """Return True if the actor may see a topic of the organisation's staff."""
    return not relations(None, actor, {}).isdisjoint(OF_STAFF.get(topic, NOBODY))
