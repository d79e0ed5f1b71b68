"""Times in words: a moment as a patient's or the organisation's clocks show it, in the language being written in.

Knows CLDR by Babel, and which language is current by `web.languages.i18n`. Knows no page and no letter.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babel import dates

from web.languages.i18n import current, date_words, gettext, languages, time_words


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def known_zone(name: str) -> str:
    """The name where it is a time zone's (IANA), else ""."""
    return name if len(name) <= 64 and name in _zones() else ""


def moment(at_ms: int, zone: str) -> datetime:
    """A moment (ms since the epoch) on the clocks of a time zone."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))


def zone_words(at_ms: int, zone: str) -> str:
    """What a zone's time is called at that moment: "Central Standard Time", or "Kolkata time" where it has no name."""
    locale = languages()[current()].locale
    name = dates.get_timezone_name(moment(at_ms, zone), width="long", locale=locale)
    if not name.startswith(("GMT", "UTC")):
        return name
    place = dates.get_timezone_location(zone, locale=locale, return_city=True).rpartition("/")[2]
    return gettext("{place} time").format(place=place)


def day_words(at_ms: int, zone: str) -> str:
    """ "Tuesday, November 24, 2026"."""
    return date_words(moment(at_ms, zone), "full")


def clock_words(at_ms: int, zone: str) -> str:
    """ "10:30 AM"."""
    return time_words(moment(at_ms, zone))


def when_words(at_ms: int, zone: str) -> str:
    """ "Tuesday, November 24, 2026, 10:30 AM, Central Standard Time"."""
    # Translators: a booked time in words, such as "Tuesday, November 24, 2026, 10:30 AM, Central Standard Time".
    return gettext("{day}, {clock}, {zone}").format(
        day=day_words(at_ms, zone), clock=clock_words(at_ms, zone), zone=zone_words(at_ms, zone)
    )
