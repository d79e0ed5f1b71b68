"""Makes a week of bookable times for pages: seven days, and the free times of one day, in the organisation's time zone.

The words are in the current language. In a browser with another time zone, calendar/week.js shows the times
in the time zone of the browser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from web.appointments.slots import MINUTE_MS, WEEK, Taken, bookable_days, local, slots
from web.appointments.words import clock_words, zone_words
from web.languages.i18n import date_words
from web.languages.kept import kept
from web.organisations.opening_hours import opens_on
from web.organisations.settings import Organisation

WEEKS_KEPT = 64
"""The greatest number of results of `week` that a worker keeps; each is for one language and one minute."""


def week_of(organisation: Organisation, now_ms: int, wanted: str) -> tuple[date, date | None]:
    """Return (the first day of the week to show, the wanted day or None if it cannot be booked).

    `wanted`: a date (ISO 8601), or "". Weeks are counted from the first day that can be booked; without a
    wanted day, the first week is returned.
    """
    first, last = bookable_days(organisation, now_ms)
    try:
        chosen = date.fromisoformat(wanted)
    except ValueError:
        return first, None
    if not first <= chosen <= last:
        return first, None
    return first + timedelta(days=(chosen - first).days // WEEK * WEEK), chosen


def week(
    organisation: Organisation, taken: Sequence[Taken], now_ms: int, begin: date, chosen: date | None
) -> dict[str, Any]:
    """Return the values for the template calendar/week.html: seven days from `begin`, and the times of one of them.

    `taken`: the periods that are booked or held; `chosen`: the day whose times are shown, None for the first free day.
    Callers share the result and must not change it: it is the same for all requests within one minute.
    """
    # Slots begin at whole minutes. So the result is the same for all times within one minute, and can be cached.
    return _week(organisation, sorted(taken), -(-now_ms // MINUTE_MS) * MINUTE_MS, begin, chosen)


@kept(WEEKS_KEPT)
def _week(
    organisation: Organisation, taken: Sequence[Taken], now_ms: int, begin: date, chosen: date | None
) -> dict[str, Any]:
    first, last = bookable_days(organisation, now_ms)
    days = [begin + timedelta(days=ahead) for ahead in range(WEEK)]
    free = slots(organisation, taken, now_ms, days)
    dates = {slot.starts_ms: local(organisation, slot.starts_ms).date() for slot in free}
    counts = Counter(dates.values())
    asked = chosen is not None
    chosen = chosen or next(iter(dates.values()), begin)
    zone = organisation.timezone
    return {
        "zone": zone,
        "zone_words": zone_words(free[0].starts_ms if free else now_ms, zone),
        "starts_ms": [slot.starts_ms for slot in free],
        "days": [
            {
                "date": day.isoformat(),
                "weekday": date_words(day, "EEE"),
                "number": date_words(day, "d"),
                "month": date_words(day, "MMMM"),
                "count": counts[day],
                "closed": not opens_on(organisation, day) or day > last,
                "chosen": day == chosen,
            }
            for day in days
        ],
        "chosen": date_words(chosen, "full"),
        "times": [
            {"starts_ms": starts_ms, "words": clock_words(starts_ms, zone)}
            for starts_ms, day in dates.items()
            if day == chosen
        ],
        "range": f"{date_words(days[0], 'MMMd')} – {date_words(days[-1], 'MMMd')}",
        "previous": (begin - timedelta(days=WEEK)).isoformat() if begin > first else None,
        "next": (begin + timedelta(days=WEEK)).isoformat() if begin + timedelta(days=WEEK) <= last else None,
        "asked": asked,
    }
