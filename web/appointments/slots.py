"""Calculates the times that can be booked: the opening hours, divided into slots, without slots that are fully
booked.

The functions use only their arguments; `now_ms` is the time now. In each period of bookable hours, the first slot
begins with the period, and each following slot begins where the slot before it ends. A slot's length is real time, so
when clocks are set forward, no slot is in the hour that does not exist. Times are in ms since the epoch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from web.organisations.opening_hours import spans_on
from web.organisations.settings import Booking, Organisation, Span, bounds, is_night

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
DAY_MIN = 24 * 60
LONGEST_MS = bounds(Booking, "slot_min").most * MINUTE_MS
WEEK = 7


class Taken(NamedTuple):
    """A period that is booked, or held for ten minutes."""

    starts_ms: int
    ends_ms: int


class Slot(NamedTuple):
    """A time that can be booked. `free`: how many more visits can be booked at this time, at least 1."""

    starts_ms: int
    ends_ms: int
    free: int


def at_ms(moment: datetime) -> int:
    """Return the ms since the epoch of a time that has a time zone."""
    return round(moment.timestamp() * 1000)


def local(organisation: Organisation, moment_ms: int) -> datetime:
    """Return `moment_ms` (ms since 1970) as a date and time in the organisation's time zone."""
    return datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(organisation.timezone))


def wall_time(moment_ms: int, zone: str) -> str:
    """Return the time that clocks in a time zone show at a moment, such as "2026-12-01T10:00"."""
    shown = datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(zone))
    return shown.replace(tzinfo=None).isoformat(timespec="minutes")


def moments_ms(wall: str, zone: str) -> tuple[int, int]:
    """Return the two moments (ms since the epoch) at which clocks in the time zone show this time.

    `wall`: the date and time of the clocks (ISO 8601); `zone`: the IANA name of the time zone. Both moments are the
    same, except when clocks were set back so that the time comes twice.
    """
    shown = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone))
    return at_ms(shown), at_ms(shown.replace(fold=1))


def bookable_days(organisation: Organisation, now_ms: int) -> tuple[date, date]:
    """Return the first and the last date, in the organisation's time zone, that visitors can choose for a booking."""
    today = local(organisation, now_ms).date()
    first = local(organisation, now_ms + organisation.booking.lead_h * HOUR_MS).date()
    return first, max(first, today + timedelta(days=organisation.booking.horizon_days))


def slots(
    organisation: Organisation, taken: Iterable[Taken], now_ms: int, days: Iterable[date]
) -> list[Slot]:
    """Return the free slots that begin on these dates, in order; none if booking is switched off.

    `taken`: the periods that are booked or held; `days`: dates in the organisation's time zone.
    """
    return list(_free(organisation, sorted(taken), now_ms, days))


def midnight_ms(organisation: Organisation, day: date) -> int:
    """Return the time in ms at which a date begins in the organisation's time zone."""
    return _moment_ms(organisation.timezone, day, 0)


def slot_at(organisation: Organisation, now_ms: int, starts_ms: int) -> Slot | None:
    """Return the slot that begins exactly at `starts_ms`, even if it is booked already; None if no slot begins
    then.
    """
    if not abs(starts_ms - now_ms) < 400 * DAY_MS:
        return None
    found = slots(organisation, (), now_ms, [local(organisation, starts_ms).date()])
    return next((slot for slot in found if slot.starts_ms == starts_ms), None)


def most_at_once(taken: Sequence[Taken], starts_ms: int, ends_ms: int) -> int:
    """Return the greatest number of periods that overlap at one moment between `starts_ms` and `ends_ms`.

    `taken`: the periods, sorted by their start.
    """
    first = bisect_left(taken, Taken(starts_ms - LONGEST_MS, 0))
    over: list[Taken] = []
    for one in taken[first:]:
        if one.starts_ms >= ends_ms:
            break
        if one.ends_ms > starts_ms:
            over.append(one)
    moments = [starts_ms, *(one.starts_ms for one in over if one.starts_ms > starts_ms)]
    return max(sum(one.starts_ms <= at < one.ends_ms for one in over) for at in moments)


def _free(
    organisation: Organisation, taken: list[Taken], now_ms: int, days: Iterable[date]
) -> Iterator[Slot]:
    booking = organisation.booking
    if not booking.enabled:
        return
    soonest_ms = now_ms + booking.lead_h * HOUR_MS
    first, last = bookable_days(organisation, now_ms)
    for day in days:
        if not first <= day <= last:
            continue
        for starts_ms in _starts(organisation, day):
            ends_ms = starts_ms + booking.slot_min * MINUTE_MS
            if starts_ms < soonest_ms:
                continue
            free = booking.capacity - most_at_once(taken, starts_ms, ends_ms)
            if free > 0:
                yield Slot(starts_ms, ends_ms, free)


def _starts(organisation: Organisation, day: date) -> Iterator[int]:
    """Yield the starting times (ms) of the slots that begin on a date, in order.

    Each slot lies within the opening hours. First come the slots after midnight that lie in opening hours that began
    on the day before.
    """
    booking, zone = organisation.booking, organisation.timezone
    window = (booking.opens, booking.closes)
    begin_ms, end_ms = (midnight_ms(organisation, at) for at in (day, day + timedelta(days=1)))
    for opened in (day - timedelta(days=1), day):
        spans = spans_on(organisation, opened)
        for start_ms in _cut(opened, spans, window, booking.slot_min * MINUTE_MS, zone):
            if begin_ms <= start_ms < end_ms:
                yield start_ms


# The result is cached, because all visitors of the calendar request the same days.
@lru_cache(2048)
def _cut(day: date, spans: tuple[Span, ...], window: Span, length_ms: int, timezone: str) -> tuple[int, ...]:
    """Return the starting times (ms) of slots of this length, in order.

    `day`: the date on which the spans begin; `spans`: the opening hours; `window`: the hours in which visits
    can be booked. Each slot lies within one of the spans and within the window.
    """
    found: list[int] = []
    for span in spans:
        for opens, closes in _within(span, window):
            start_ms, end_ms = _moment_ms(timezone, day, opens), _moment_ms(timezone, day, closes)
            while start_ms + length_ms <= end_ms:
                # When clocks are set back, they show one hour of the day twice. A clinic that closes within this hour
                # may open again when the hour is repeated. A slot must not include the time when it is closed.
                ends = (start_ms, start_ms + length_ms - MINUTE_MS)
                if all(_is_open(spans, _minute(timezone, at)) for at in ends):
                    found.append(start_ms)
                start_ms += length_ms
    return tuple(found)


def _within(span: Span, window: Span) -> list[tuple[int, int]]:
    """Return the parts of a period of opening hours that lie within the daily window in which visits can be booked.

    Each part is a pair of its start and its end, in minutes from the midnight at which the day of `span` begins.
    """
    (opens, closes), (first, last) = _minutes(span), _minutes(window)
    if last - first == DAY_MIN:
        return [(opens, closes)]
    days = ((first + shift, last + shift) for shift in (-DAY_MIN, 0, DAY_MIN))
    parts = [(max(opens, a), min(closes, b)) for a, b in days]
    return [part for part in parts if part[0] < part[1]]


def _minutes(span: Span) -> tuple[int, int]:
    """Return the start and the end of a period of opening hours, in minutes from the midnight at which the day of
    `span` begins.

    If the period ends on the next day, its end is greater than 1440.
    """
    opens, closes = (int(clock[:2]) * 60 + int(clock[3:]) for clock in span)
    return opens, closes + DAY_MIN * is_night(span)


def _is_open(spans: tuple[Span, ...], minute: int) -> bool:
    return any(a <= at < b for a, b in map(_minutes, spans) for at in (minute, minute + DAY_MIN))


def _minute(timezone: str, moment_ms: int) -> int:
    shown = datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(timezone))
    return shown.hour * 60 + shown.minute


def _moment_ms(timezone: str, day: date, minute: int) -> int:
    """Return the moment (ms since the epoch) at which clocks in the time zone show a time of `day`.

    `minute`: the time, in minutes from midnight; from 1440 on, a time of the next day.
    """
    days, rest = divmod(minute, DAY_MIN)
    clock = time(rest // 60, rest % 60)
    return at_ms(datetime.combine(day + timedelta(days=days), clock, ZoneInfo(timezone)))
