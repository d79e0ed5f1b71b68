"""One booked visit: its record, and the changes that are possible.

Pure: `now_ms` is an argument. Knows nothing of other bookings, of the store or of a page. Each function that changes it
returns the changed record with the next version, or raises `TooLateError` if the change is no longer possible.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from signalling.visit.record import PatientInformation
from web.appointments.slots import HOUR_MS, MINUTE_MS, Slot, Taken, moments_ms, wall_time
from web.errors import TooLateError
from web.intake.ids import derived_id

EARLY_MS = 15 * MINUTE_MS
"""Check In is possible from this long before the booked time ..."""
LATE_MS = HOUR_MS
"""... until this long after it."""


class Status(StrEnum):
    """The state of a booked visit."""

    BOOKED = "booked"
    CHECKED_IN = "checked_in"
    CANCELLED = "cancelled"


class Appointment(msgspec.Struct, frozen=True, kw_only=True):
    """The record. `zone`: the patient's time zone ("": the organisation's); `language`: that of the patient's mails.

    `wall` is the time that was agreed, in the organisation's time zone of then, `wall_zone`: the instant `starts_ms`
    follows from both by the rules of that zone, which governments change. `uid` names the calendar entry. All three are
    "" in older records. `area`: the id of the waiting area in whose calendar it was booked, "" for none. `changed_ms`:
    when it was last moved or cancelled; 0 for never, and in older records.
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
    cancelled_by: str | None = None  # the name of a member of staff; None if the patient cancelled
    reason: str = ""  # why it was cancelled
    checked_in_ms: int | None = None
    visit: str | None = None
    wall: str = ""
    wall_zone: str = ""
    uid: str = ""
    area: str = ""
    changed_ms: int = 0

    @property
    def taken(self) -> Taken | None:
        """The time that is not free for others; None if the visit is cancelled."""
        return None if self.status is Status.CANCELLED else Taken(self.starts_ms, self.ends_ms)

    @property
    def sequence(self) -> int:
        """The number of changes of the calendar entry in its mails (RFC 5545 §3.8.7.4)."""
        return self.moved + (self.status is Status.CANCELLED)


def may_change(appointment: Appointment, now_ms: int) -> bool:
    """Return whether it may be moved or cancelled: before its time, and if the patient has not checked in."""
    return appointment.status is Status.BOOKED and now_ms < appointment.starts_ms


def may_check_in(appointment: Appointment, now_ms: int) -> bool:
    """Return whether the patient may check in: from 15 minutes before the time until one hour after it."""
    on_time = appointment.starts_ms - EARLY_MS <= now_ms < appointment.starts_ms + LATE_MS
    return appointment.status is not Status.CANCELLED and on_time


def missed(appointment: Appointment, now_ms: int) -> bool:
    """Return whether the time for Check In is over and the patient has not checked in."""
    return appointment.status is Status.BOOKED and now_ms >= appointment.starts_ms + LATE_MS


def moved(appointment: Appointment, slot: Slot, zone: str, now_ms: int) -> Appointment:
    """Return the record with another time, agreed in the time zone `zone`. Raises TooLateError."""
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
    """Return the record at the instant that its wall time has by the current rules of its time zone.

    It is returned unchanged if that is the same instant, or if it can no longer be moved.
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
    """Return the record cancelled by the member of staff with this name, or (None) by the patient.

    Raises TooLateError.
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
    """Return the record checked in, with the id of the visit to open, new at each check-in. Raises TooLateError."""
    if not may_check_in(appointment, now_ms):
        raise TooLateError
    version = appointment.version + 1
    return msgspec.structs.replace(
        appointment,
        version=version,
        status=Status.CHECKED_IN,
        checked_in_ms=appointment.checked_in_ms or now_ms,
        visit=derived_id("v", appointment.organisation, appointment.id, str(version)),
    )
