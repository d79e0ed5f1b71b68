"""Calculates when an organisation is open, from its opening hours. The time is an argument."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from web.languages import i18n
from web.languages.i18n import gettext
from web.organisations.settings import Organisation, Span, is_night

WEEK_DAYS = 7
FURTHEST_DAYS = 500
"""The number of days from today in which the next opening is searched.

It is larger than 400, the greatest number of dates that can be set as closed."""


def spans_on(organisation: Organisation, day: date) -> tuple[Span, ...]:
    """Return the opening hours that begin on a date; () on a closed day."""
    return () if day.isoformat() in organisation.closed else organisation.hours[day.weekday()]


def night_before(organisation: Organisation, day: date) -> tuple[Span, ...]:
    """Return the opening hours that began on the day before `day` and end on `day`; () if there are no such hours."""
    return tuple(span for span in spans_on(organisation, day - timedelta(days=1)) if is_night(span))


def opens_on(organisation: Organisation, day: date) -> bool:
    """Return whether the organisation is open at some time of a date. Hours that end on this date count too."""
    return bool(spans_on(organisation, day) or night_before(organisation, day))


def is_open(organisation: Organisation, at: datetime) -> bool:
    """Return whether a moment is within the opening hours. `at`: the moment, with a time zone."""
    local = at.astimezone(ZoneInfo(organisation.timezone))
    day, minute = local.date(), f"{local:%H:%M}"
    return any(
        opens <= minute and (minute < closes or is_night((opens, closes)))
        for opens, closes in spans_on(organisation, day)
    ) or any(minute < closes for _, closes in night_before(organisation, day))


def closes_at(organisation: Organisation, at: datetime) -> datetime | None:
    """Return when the organisation closes next. If it is closed at `at`, return the last closing time before `at`.

    `at`: a time with time zone. Returns None if no such time is found from a week before `at` to the end of the next
    day. Opening hours that follow each other without a gap count as one period.
    """
    zone = ZoneInfo(organisation.timezone)
    days = (at.astimezone(zone).date() + timedelta(days=ahead) for ahead in range(-WEEK_DAYS, 2))
    ends = [end for day in days for end in _ends(organisation, day, zone)]
    if is_open(organisation, at):
        return next((end for end in ends if end > at and not is_open(organisation, end)), None)
    return max((end for end in ends if end <= at), default=None)


def _ends(organisation: Organisation, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the end of each span of opening hours that begins on `day`, in order, as a time in `zone`."""
    for span in spans_on(organisation, day):
        after = is_night(span) or span[1] == "24:00"
        clock = time() if span[1] == "24:00" else time.fromisoformat(span[1])
        yield datetime.combine(day + timedelta(days=after), clock, zone)


def opens_next(organisation: Organisation, at: datetime) -> str | None:
    """Return the next opening time after `at` in words; None if the organisation does not open again.

    `at` has a time zone. Examples are "today at 9:00 AM" and "Monday at 9:00 AM". If the time
    is a week or more ahead, the words have a date: "Monday, December 14, 2026 at 9:00 AM".
    """
    local = at.astimezone(ZoneInfo(organisation.timezone))
    for ahead in range(FURTHEST_DAYS):
        day = local.date() + timedelta(days=ahead)
        for opens, _ in spans_on(organisation, day):
            if ahead or opens > f"{local:%H:%M}":
                return _when(day, ahead).format(time=i18n.time_words(time.fromisoformat(opens)))
    return None


def _when(day: date, ahead: int) -> str:
    """Return the words for a date, with the placeholder `{time}`.

    `ahead`: the number of days from today to the date.
    """
    if ahead < 2:
        return gettext("tomorrow at {time}") if ahead else gettext("today at {time}")
    name = i18n.day_name(day) if ahead < WEEK_DAYS else i18n.date_words(day)
    return gettext("{day} at {time}").replace("{day}", name)
