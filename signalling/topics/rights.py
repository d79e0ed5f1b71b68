"""Who may see which topic: one table, by what somebody is to a visit and by the visit's status (SECURITY.md row 31).

Pure. `relations` (decision.py) says what a person is to a visit; somebody of another organisation is nothing to it, and
so sees nothing. A topic without a row does not exist. Which worker shows what, and how, is defined in `topics.py`.
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
    # Of an ended visit the patient and the guests are shown the end and nothing else (`views.visit_over`).
    "visit": _seen(MAY_CLAIM | {PATIENT, GUEST}, ITS_STAFF | {PATIENT, GUEST}, ITS_STAFF | {PATIENT, GUEST}),
    "case": _seen(MAY_CLAIM | {PATIENT}, ITS_STAFF | {PATIENT}, ITS_STAFF),
    "chat": _seen(MAY_CLAIM | {PATIENT, GUEST}, ITS_STAFF | {PATIENT, GUEST}, ITS_STAFF),
    "place": _seen(frozenset({PATIENT}), frozenset({PATIENT}), NOBODY),
}
"""Topics of one visit, `{topic}/{visit}`: who sees them in which status."""

OF_STAFF: Mapping[str, frozenset[str]] = {
    "queue": frozenset({ANYONE_STAFF}),
    "sessions": frozenset({ANYONE_STAFF}),
    "bell": frozenset({ANYONE_STAFF}),
}
"""Topics of an organisation's staff; `bell` is each person's own."""


def may_see(topic: str, visit: Visit, actor: Actor, on_duty: Mapping[str, Staff]) -> bool:
    """Return whether somebody may see a visit's topic, as the visit and its organisation's staff are now."""
    seen = OF_VISITS.get(topic)
    return seen is not None and not relations(visit, actor, on_duty).isdisjoint(seen[visit.status])


def may_see_staffs(topic: str, actor: Actor) -> bool:
    """Return whether somebody may see a topic of their own organisation's staff."""
    return not relations(None, actor, {}).isdisjoint(OF_STAFF.get(topic, NOBODY))
