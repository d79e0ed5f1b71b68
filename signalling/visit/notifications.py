"""Defines which staff receive which notification, with one row per event.

Notifications are written in the same commit as the event, so that none is lost and none is sent twice. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from signalling.visit.record import Notice, Role, Staff, Visit
from signalling.visit.relations import PATIENT, Event

AWAY_MS = 30_000  # a patient's return after a shorter absence (in ms) causes no notification

Recipients = Callable[[Visit | None, Visit, Event, Mapping[str, Staff]], Iterable[str]]


def _admins(_: Visit | None, __: Visit, ___: Event, staff: Mapping[str, Staff]) -> Iterable[str]:
    return (s.id for s in staff.values() if s.role is Role.ADMIN)


def _assignee(_: Visit | None, after: Visit, __: Event, ___: Mapping[str, Staff]) -> Iterable[str]:
    return () if after.assignee is None else (after.assignee.id,)


def _former_assignee(before: Visit | None, _: Visit, __: Event, ___: Mapping[str, Staff]) -> Iterable[str]:
    return () if before is None or before.assignee is None else (before.assignee.id,)


def _assigner(before: Visit | None, _: Visit, __: Event, ___: Mapping[str, Staff]) -> Iterable[str]:
    return () if before is None or before.assigned_by is None else (before.assigned_by.id,)


def _former_claimant(before: Visit | None, _: Visit, __: Event, ___: Mapping[str, Staff]) -> Iterable[str]:
    return () if before is None or before.claimant is None else (before.claimant.id,)


def _writers(_: Visit | None, after: Visit, __: Event, staff: Mapping[str, Staff]) -> Iterable[str]:
    return (person for person in after.writers if person in staff)


def _claimant_if_back(
    before: Visit | None, after: Visit, event: Event, _: Mapping[str, Staff]
) -> Iterable[str]:
    """Return (the id of the claimant,) if the patient comes back by `event` after at least AWAY_MS, otherwise ().

    `before`, `after`: the visit before and after `event`.
    """
    if before is None or after.claimant is None:
        return ()
    away_ms = before.parties[PATIENT].away_since_ms
    back = away_ms is not None and after.parties[PATIENT].present
    return (after.claimant.id,) if back and event.at_ms - (away_ms or 0) >= AWAY_MS else ()


# event -> (the kind of notification that it causes, the functions that return its recipients)
TOLD: dict[str, tuple[str, tuple[Recipients, ...]]] = {
    "assigned": ("assigned", (_assignee,)),
    "transferred": ("transferred", (_assignee, _former_claimant)),
    "assignment_lapsed": ("assignment_lapsed", (_assigner, _former_assignee)),
    "declined": ("declined", (_former_assignee, _admins)),
    "returned": ("returned", (_former_claimant, _admins)),
    "released": ("returned", (_former_claimant,)),
    "closed": ("closed", (_former_assignee, _admins)),
    "withdrawn": ("patient_left", (_former_assignee, _former_claimant)),
    "patient_done": ("patient_left", (_former_claimant,)),
    "hung_up": ("patient_left", (_former_claimant,)),
    "answered": ("answered", (_writers,)),
    "entered": ("patient_back", (_claimant_if_back,)),
}


OWN = {"declined"}
"""The kinds of notifications that the person who caused the event receives as well, so that every admin has a list of
all declined requests.
"""


def notices(
    before: Visit | None, after: Visit, event: Event, staff: Mapping[str, Staff], notice_id: str
) -> list[tuple[str, Notice]]:
    """Return (person, notification) for each recipient of an event's notification.

    `before` and `after`: the visit before and after the event. `staff`: the organisation's staff, by id. `notice_id`:
    the id of the notification. The person who caused the event receives none, except a notification of a kind in OWN
    ("declined").
    """
    kind, recipients = TOLD.get(event.kind, ("", ()))
    people = {person for rule in recipients for person in rule(before, after, event, staff)}
    if event.by is not None and kind not in OWN:
        people.discard(event.by.id)
    notice = Notice(
        id=notice_id,
        kind=kind,
        at_ms=event.at_ms,
        visit=after.id,
        name=after.patient.name,
        by=event.by.name if event.by is not None else None,
        note=event.note,
        area=after.area.name if after.area is not None else None,
    )
    return [(person, notice) for person in sorted(people)]
