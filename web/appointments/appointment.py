"""Defines the record of one booked visit, and the changes that are possible.

The functions use only their arguments; `now_ms` is the time now. Each function that changes the record
returns a changed copy with the next version, or raises `TooLateError` if the change is no longer possible.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from signalling.visit.record import PatientInformation
from web.appointments.slots import HOUR_MS, MINUTE_MS, Slot, Taken, moments_ms, wall_time
from web.errors import TooLateError
from web.intake.ids import derived_id

EARLY_MS = 15 * MINUTE_MS
"""Check In is possible from this time in ms before the booked time."""
LATE_MS = HOUR_MS
"""Check In is possible until this time in ms after the booked time."""
MOST_CHECK_INS = 10
"""The greatest number of check-ins of a booked visit. Each opens a visit in the queue, whose patient may leave it."""


class Status(StrEnum):
    """The state of a booked visit."""

    BOOKED = "booked"
    CHECKED_IN = "checked_in"
    CANCELLED = "cancelled"


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a booked visit.

    `zone`: the patient's time zone; "" means that of the organisation. `language`: the language of the patient's
    mails. `wall`: the agreed time as clocks in the time zone `wall_zone` show it. `starts_ms`: the same time in ms
    since 1970, calculated from `wall` and `wall_zone` by the rules of the time zone; governments change these rules.
    `uid`: the name of the calendar entry in mails. In older records, `wall`, `wall_zone` and `uid` are "". `area`:
    the id of the waiting area in whose calendar the visit was booked, "" for none. `changed_ms`: when the visit last
    got another time or was cancelled; 0 if it never was, and in older records.
    """

    id: str
    organisation: str
    version: int = 1
    status: Status = Status.BOOKED
    starts_ms: int
    ends_ms: int
    patient: PatientInformation
    language: str
    zone: str = ""
    booked_ms: int
    moved: int = 0
    cancelled_ms: int | None = None
    # The name of the member of staff who cancelled; None if the patient cancelled.
    cancelled_by: str | None = None
    # The reason of the cancellation, a text for the patient; "" for none.
    reason: str = ""
    checked_in_ms: int | None = None
    visit: str | None = None
    wall: str = ""
    wall_zone: str = ""
    uid: str = ""
    area: str = ""
    changed_ms: int = 0

    @property
    def taken(self) -> Taken | None:
        """The period that this visit occupies in the calendar; None if the visit is cancelled."""
        return None if self.status is Status.CANCELLED else Taken(self.starts_ms, self.ends_ms)

    @property
    def sequence(self) -> int:
        """The number of changes of the booked visit so far: new times, and a cancellation. Mails write the number into
        the calendar entry (RFC 5545 §3.8.7.4).
        """
        return self.moved + (self.status is Status.CANCELLED)


def may_change(appointment: Appointment, now_ms: int) -> bool:
    """Return whether the booked visit may get another time or be cancelled: only before its time, and only if the
    patient has not checked in.
    """
    return appointment.status is Status.BOOKED and now_ms < appointment.starts_ms


def may_check_in(appointment: Appointment, now_ms: int) -> bool:
    """Return whether the patient may check in: from 15 minutes before the time until one hour after it."""
    on_time = appointment.starts_ms - EARLY_MS <= now_ms < appointment.starts_ms + LATE_MS
    return appointment.status is not Status.CANCELLED and on_time


def missed(appointment: Appointment, now_ms: int) -> bool:
    """Return whether the time for Check In is over and the patient has not checked in."""
    return appointment.status is Status.BOOKED and now_ms >= appointment.starts_ms + LATE_MS


def moved(appointment: Appointment, slot: Slot, zone: str, now_ms: int) -> Appointment:
    """Return the record with another time.

    `slot`: the new time; `zone`: the time zone in which the patient has chosen it. Raises TooLateError if the time
    can no longer be changed (`may_change`).
    """
    if not may_change(appointment, now_ms):
        raise TooLateError
    return msgspec.structs.replace(
        appointment,
        version=appointment.version + 1,
        starts_ms=slot.starts_ms,
        ends_ms=slot.ends_ms,
        moved=appointment.moved + 1,
        changed_ms=now_ms,
        wall=wall_time(slot.starts_ms, zone),
        wall_zone=zone,
    )


def by_current_rules(appointment: Appointment, now_ms: int) -> Appointment:
    """Return the record with `starts_ms` calculated again by the present rules of its time zone.

    Returns the record unchanged if the result is the same moment, or if the time can no longer be changed
    (`may_change`).
    """
    if not appointment.wall or not may_change(appointment, now_ms):
        return appointment
    possible = moments_ms(appointment.wall, appointment.wall_zone)
    if appointment.starts_ms in possible:
        return appointment
    return msgspec.structs.replace(
        appointment,
        version=appointment.version + 1,
        starts_ms=possible[0],
        ends_ms=possible[0] + appointment.ends_ms - appointment.starts_ms,
        moved=appointment.moved + 1,
        changed_ms=now_ms,
    )


def cancelled(appointment: Appointment, by: str | None, reason: str, now_ms: int) -> Appointment:
    """Return the cancelled record.

    `by`: the name of the member of staff, or None for the patient; `reason`: a text for the patient, or "". Raises
    TooLateError if the visit can no longer be cancelled (`may_change`).
    """
    if not may_change(appointment, now_ms):
        raise TooLateError
    return msgspec.structs.replace(
        appointment,
        version=appointment.version + 1,
        status=Status.CANCELLED,
        changed_ms=now_ms,
        cancelled_ms=now_ms,
        cancelled_by=by,
        reason=reason,
    )


def checked_in(appointment: Appointment, now_ms: int) -> Appointment:
    """Return the checked-in record, with the id of the visit to open; each check-in makes a new id.

    Raises TooLateError if the patient may not check in now (`may_check_in`), or has done so MOST_CHECK_INS times.
    """
    # The version of a new record is 1, and each change of the time and each check-in increases it by 1.
    if not may_check_in(appointment, now_ms) or appointment.version - appointment.moved > MOST_CHECK_INS:
        raise TooLateError
    version = appointment.version + 1
    return msgspec.structs.replace(
        appointment,
        version=version,
        status=Status.CHECKED_IN,
        checked_in_ms=appointment.checked_in_ms or now_ms,
        visit=derived_id("v", appointment.organisation, appointment.id, str(version)),
    )
