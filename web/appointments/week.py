"""A week of bookable times as pages show it: seven days, and the free times of one, by the organisation's clock.

Pure but for the language it writes in. A browser of another time zone draws the same times anew (calendar/week.js).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from web.appointments.slots import WEEK, Taken, bookable_days, first_free, local, slots
from web.appointments.words import clock_words, zone_words
from web.i18n import date_words
from web.organisations import Organisation, spans_on


def week(organisation: Organisation, taken: Sequence[Taken], now_ms: int, wanted: str) -> dict[str, Any]:
    """What the template calendar/week.html needs. `wanted` is a date (ISO 8601); anything else shows the next free one.

    Weeks begin at the first day on which one can book.
    """
    first, last = bookable_days(organisation, now_ms)
    soonest = first_free(organisation, taken, now_ms)
    chosen = _date(wanted)
    if chosen is None or not first <= chosen <= last:
        chosen = first if soonest is None else local(organisation, soonest.starts_ms).date()
    begin = first + timedelta(days=(chosen - first).days // WEEK * WEEK)
    days = [begin + timedelta(days=ahead) for ahead in range(WEEK)]
    free = slots(organisation, taken, now_ms, days)
    dates = {slot.starts_ms: local(organisation, slot.starts_ms).date() for slot in free}
    counts = Counter(dates.values())
    if wanted != chosen.isoformat() and not counts[chosen]:
        chosen = next(iter(dates.values()), chosen)
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
                "closed": not spans_on(organisation, day) or day > last,
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
        "any": soonest is not None,
    }


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
