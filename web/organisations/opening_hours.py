"""When an organisation is open. The time is an argument."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from web.languages import i18n
from web.languages.i18n import gettext
from web.organisations.settings import Organisation, Span


def spans_on(organisation: Organisation, day: date) -> tuple[Span, ...]:
    """Return the opening hours of one date; none on a closed day."""
    return () if day.isoformat() in organisation.closed else organisation.hours[day.weekday()]


def is_open(organisation: Organisation, at: datetime) -> bool:
    """Return whether `at` (a time with time zone) is within the opening hours."""
    local = at.astimezone(ZoneInfo(organisation.timezone))
    minute = f"{local:%H:%M}"
    return any(opens <= minute < closes for opens, closes in spans_on(organisation, local.date()))


def opens_next(organisation: Organisation, at: datetime) -> str | None:
    """Return the next opening time after `at` in words ("today at 09:00", "Monday at 09:00"); None if none."""
    local = at.astimezone(ZoneInfo(organisation.timezone))
    for ahead in range(8):
        day = local + timedelta(days=ahead)
        for opens, _ in spans_on(organisation, day.date()):
            if ahead or opens > f"{local:%H:%M}":
                if ahead < 2:
                    words = gettext("tomorrow at {time}") if ahead else gettext("today at {time}")
                    return words.format(time=opens)
                return gettext("{day} at {time}").format(day=i18n.day_name(day), time=opens)
    return None
