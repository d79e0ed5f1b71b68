"""What becomes of the queue as a whole: the rules that its pages follow, and alerts when waits pass limits.

Pure. The state is a record of its own (`record.Watch`), so that a change is one event on all workers, and an alert is
given once: again only after the queue was below its limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

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


def watched(
    watch: Watch, visits: OpenVisits, policy: Policy, now_ms: int, areas: Iterable[str] = ()
) -> Watch:
    """Return the watch as it has to be now, for a clinic with these waiting areas; the same if nothing has changed."""
    alerts = (alert for area in ("", *areas) for alert in _alerts(_line(visits, area), area, policy, now_ms))
    return replace(watch, rules=rules_of(policy), alerts=tuple(alerts))


class Line(NamedTuple):
    """The patients who wait for the same staff: how many, and the one who has waited longest."""

    waiting: int
    first: Visit | None


def _line(visits: OpenVisits, area: str) -> Line:
    """Return the line of the staff of an area, with the patients of no area; of all patients for ""."""
    if not area:
        return Line(visits.waiting, visits.first)
    firsts = [first for one in (area, "") if (first := visits.first_in(one)) is not None]
    first = min(firsts, key=lambda visit: visit.arrived_ms, default=None)
    return Line(visits.waiting_in(area) + visits.waiting_in(""), first)


def _alerts(line: Line, area: str, policy: Policy, now_ms: int) -> list[str]:
    waits_ms = 0 if line.first is None else now_ms - line.first.arrived_ms
    over = {
        MANY: 0 < policy.alert_waiting < line.waiting,
        LONG: 0 < policy.alert_wait_ms < waits_ms,
    }
    return [f"{kind}/{area}" if area else kind for kind in over if over[kind]]


def notices(
    before: Watch, after: Watch, visits: OpenVisits, staff: Mapping[str, Staff], now_ms: int, notice_id: str
) -> list[tuple[str, Notice]]:
    """Return (person, notice) for each alert that was not given before.

    An alert of an area is for those on call who work there and not in all areas; others on call, and all admins, get
    the alert of all patients.
    """
    return [
        (person.id, _notice(kind, _line(visits, area), now_ms, f"{notice_id}-{alert.replace('/', '-')}"))
        for alert in after.alerts
        if alert not in before.alerts
        for kind, _, area in [alert.partition("/")]
        for person in sorted(staff.values(), key=lambda one: one.id)
        if _concerns(person, area)
    ]


def _concerns(person: Staff, area: str) -> bool:
    if person.role is Role.ADMIN:
        return not area
    return person.on_call and (area in person.areas if area else not person.areas)


def _notice(kind: str, line: Line, now_ms: int, notice_id: str) -> Notice:
    first = line.first if kind in WITH_A_VISIT else None
    if first is None:
        return Notice(id=notice_id, kind=kind, at_ms=now_ms, count=line.waiting)
    return Notice(
        id=notice_id,
        kind=kind,
        at_ms=now_ms,
        visit=first.id,
        name=first.patient.name,
        count=(now_ms - first.arrived_ms) // MINUTE_MS,
    )
