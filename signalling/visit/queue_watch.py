"""Decides how the state of the whole queue changes: the rules by which pages show the queue, and the alerts.

Alerts are about long waits and closing times. The state is a separate record (`queue_state.Watch`), so that a
change is one event on all workers, and an alert is sent once. It is sent again only if its reason ended and
came back. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from signalling.visit.open_visits import OpenVisits
from signalling.visit.queue_state import AtClosing, Closing, QueueRules, Watch
from signalling.visit.record import Notice, Policy, Role, Staff, Visit
from signalling.visit.urgency import Urgency
from signalling.visit.waiting_area import serves

MANY, LONG = "queue_many", "queue_long"
"""Kinds of notifications. MANY: more patients wait than the limit. LONG: a patient has waited longer than the limit."""
CLOSING, CLOSED = "queue_closing", "queue_closed"
"""Kinds of notifications.

CLOSING: patients wait shortly before closing time. CLOSED: they wait after it, and staff are asked what to do.
"""
OF_CLOSING: Final = frozenset({CLOSING, CLOSED})
WITH_A_VISIT: Final = frozenset({LONG})
MINUTE_MS = 60_000
SOON_MS = 15 * MINUTE_MS
"""How long before the closing time, in ms, waiting patients and staff begin to see it."""

Closes = Callable[[str], int | None]
"""A function that gets an area's id, "" for a visit without an area. It returns a time in ms: when the area closes next
or, if it is closed, when it closed last. It returns None if the area never closes.
"""


def rules_of(policy: Policy, closing: Mapping[str, Closing]) -> QueueRules:
    """Return the part of an organisation's `policy` that the queue's pages need, with the closing times of
    its areas.
    """
    words = zip(Urgency, (policy.emergency_word, policy.urgent_word, policy.routine_word), strict=True)
    return QueueRules(
        amber_ms=policy.amber_ms,
        red_ms=policy.red_ms,
        urgent_first=policy.urgent_first,
        words={level: word for level, word in words if word},
        alert_waiting=policy.alert_waiting,
        alert_wait_ms=policy.alert_wait_ms,
        closing=dict(closing),
    )


def watched(
    watch: Watch,
    visits: OpenVisits,
    policy: Policy,
    now_ms: int,
    areas: Iterable[str] = (),
    closes: Closes = lambda _area: None,
) -> Watch:
    """Return the new state of the whole queue; the result equals `watch` if nothing changes.

    `visits`: the open visits. `policy`: the organisation's settings. `now_ms`: the present time. `areas`: the ids of
    its waiting areas. `closes`: returns when an area closes.
    """
    every = ("", *areas)
    closing = {
        area: Closing(at_ms=at_ms, over=at_ms <= now_ms, rule=_at_closing(policy))
        for area in every
        if visits.waiting_in(area) and (at_ms := closes(area)) is not None and at_ms - now_ms <= SOON_MS
    }
    over = [alert for area in every for alert in _alerts(_line(visits, area), area, policy, now_ms)]
    near = [_of(kind, area) for area, one in closing.items() if (kind := _closing_kind(one))]
    return replace(watch, rules=rules_of(policy, closing), alerts=(*over, *near))


def _at_closing(policy: Policy) -> AtClosing:
    if policy.closes_line:
        return AtClosing.END
    return AtClosing.ASK if policy.asks_closing else AtClosing.KEEP


def _closing_kind(closing: Closing) -> str:
    if not closing.over:
        return CLOSING
    return CLOSED if closing.rule is AtClosing.ASK else ""


class Line(NamedTuple):
    """The patients who wait for the same staff.

    `waiting`: their number. `first`: the visit that has waited longest, or None.
    """

    waiting: int
    first: Visit | None


def _line(visits: OpenVisits, area: str) -> Line:
    """Return how many of the open `visits` wait for the staff of an area ("" for all patients), and the first of them.

    Patients without an area are included, because the staff of every area serve them.
    """
    if not area:
        return Line(visits.waiting, visits.first)
    firsts = [first for one in (area, "") if (first := visits.first_in(one)) is not None]
    first = min(firsts, key=lambda visit: visit.arrived_ms, default=None)
    return Line(visits.waiting_in(area) + visits.waiting_in(""), first)


def _alerts(line: Line, area: str, policy: Policy, now_ms: int) -> list[str]:
    """Return the names of the alerts that the waits in `line` cause. A limit of 0 causes no alert.

    `area`: the id of the area whose patients are in `line`, "" for all patients.
    """
    long_ago_ms = now_ms - policy.alert_wait_ms
    over = {
        MANY: policy.alert_waiting and line.waiting > policy.alert_waiting,
        LONG: policy.alert_wait_ms and line.first is not None and line.first.arrived_ms < long_ago_ms,
    }
    return [_of(kind, area) for kind in over if over[kind]]


def _of(kind: str, area: str) -> str:
    return f"{kind}/{area}" if area else kind


def notices(
    before: Watch, after: Watch, visits: OpenVisits, staff: Mapping[str, Staff], now_ms: int, notice_id: str
) -> list[tuple[str, Notice]]:
    """Return (person, notification) for each alert that is active in `after` and was not in `before`.

    `visits`: the open visits. `staff`: the organisation's staff, by id. `notice_id`: the id of the
    notifications. An alert about waits in one area is sent to staff on call whose list of areas contains this
    area. An alert about all patients is sent to staff on call who work in all areas, and to all admins. An
    alert about the closing time of an area is sent to all staff on call who serve this area, and to all
    admins.
    """
    return [
        (
            person.id,
            _notice(kind, _line_of(kind, visits, area), now_ms, f"{notice_id}-{alert.replace('/', '-')}"),
        )
        for alert in after.alerts
        if alert not in before.alerts
        for kind, _, area in [alert.partition("/")]
        for person in sorted(staff.values(), key=lambda one: one.id)
        if (_closing_concerns if kind in OF_CLOSING else _concerns)(person, area)
    ]


def _line_of(kind: str, visits: OpenVisits, area: str) -> Line:
    if kind in OF_CLOSING:
        return Line(visits.waiting_in(area), visits.first_in(area))
    return _line(visits, area)


def _closing_concerns(person: Staff, area: str) -> bool:
    return person.role is Role.ADMIN or (person.on_call and serves(person.areas, area))


def _concerns(person: Staff, area: str) -> bool:
    if person.role is Role.ADMIN:
        return not area
    return person.on_call and (area in person.areas if area else not person.areas)


def _notice(kind: str, line: Line, now_ms: int, notice_id: str) -> Notice:
    area = line.first.area.name if line.first is not None and line.first.area is not None else None
    first = line.first if kind in WITH_A_VISIT else None
    if first is None:
        of_one_area = area if kind in OF_CLOSING else None
        return Notice(id=notice_id, kind=kind, at_ms=now_ms, count=line.waiting, area=of_one_area)
    return Notice(
        id=notice_id,
        kind=kind,
        at_ms=now_ms,
        visit=first.id,
        name=first.patient.name,
        count=(now_ms - first.arrived_ms) // MINUTE_MS,
        area=area,
    )
