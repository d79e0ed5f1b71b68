"""What becomes of the queue as a whole: the rules that its pages follow, and alerts when waits pass limits.

Pure. The state is a record of its own (`record.Watch`), so that a change is one event on all workers, and an alert is
given once: again only after the queue was below its limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from signalling.visit.open_visits import OpenVisits
from signalling.visit.queue_state import QueueRules, Watch
from signalling.visit.record import Notice, Policy, Role, Staff, Visit
from signalling.visit.urgency import Urgency

MANY, LONG = "queue_many", "queue_long"
"""Kinds of notices: more patients wait than the limit; somebody waits longer than the limit."""
WITH_A_VISIT: Final = frozenset({LONG})
MINUTE_MS = 60_000


def rules_of(policy: Policy) -> QueueRules:
    """Return what the pages of the queue must know of an organisation's limits."""
    words = zip(Urgency, (policy.emergency_word, policy.urgent_word, policy.routine_word), strict=True)
    return QueueRules(
        amber_ms=policy.amber_ms,
        red_ms=policy.red_ms,
        urgent_first=policy.urgent_first,
        words={level: word for level, word in words if word},
        alert_waiting=policy.alert_waiting,
        alert_wait_ms=policy.alert_wait_ms,
    )


def watched(watch: Watch, visits: OpenVisits, policy: Policy, now_ms: int) -> Watch:
    """Return the watch as it has to be now; the same if nothing has changed."""
    first = visits.first
    waits_ms = 0 if first is None else now_ms - first.arrived_ms
    over = {
        MANY: 0 < policy.alert_waiting < visits.waiting,
        LONG: 0 < policy.alert_wait_ms < waits_ms,
    }
    return replace(watch, rules=rules_of(policy), alerts=tuple(kind for kind in over if over[kind]))


def notices(
    before: Watch, after: Watch, visits: OpenVisits, staff: Mapping[str, Staff], now_ms: int, notice_id: str
) -> list[tuple[str, Notice]]:
    """Return (person, notice) for each alert that was not given before: to all who are on call, and to admins."""
    people = sorted(one.id for one in staff.values() if one.on_call or one.role is Role.ADMIN)
    return [
        (person, _notice(kind, visits, now_ms, f"{notice_id}-{kind}"))
        for kind in after.alerts
        if kind not in before.alerts
        for person in people
    ]


def _notice(kind: str, visits: OpenVisits, now_ms: int, notice_id: str) -> Notice:
    first: Visit | None = visits.first if kind in WITH_A_VISIT else None
    if first is None:
        return Notice(id=notice_id, kind=kind, at_ms=now_ms, count=visits.waiting)
    return Notice(
        id=notice_id,
        kind=kind,
        at_ms=now_ms,
        visit=first.id,
        name=first.patient.name,
        count=(now_ms - first.arrived_ms) // MINUTE_MS,
    )
