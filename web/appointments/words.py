"""Writes times in words: a moment in the patient's or the organisation's time zone, in the current language.

The words come from the Unicode locale data (CLDR) through Babel; `web.languages.i18n` has the current
language.
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
    """Return `name` if it is the IANA name of a time zone, otherwise ""."""
    return name if len(name) <= 64 and name in _zones() else ""


def moment(at_ms: int, zone: str) -> datetime:
    """Return `at_ms`, a time in ms since 1970, as a date and time in the time zone `zone`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))


def zone_words(at_ms: int, zone: str) -> str:
    """Return the name of the time that a zone has at a moment, such as "Central Standard Time".

    If CLDR has no name for this time, return the name of the zone's city, such as "Kolkata time".
    """
    locale = languages()[current()].locale
    name = dates.get_timezone_name(moment(at_ms, zone), width="long", locale=locale)
    if not name.startswith(("GMT", "UTC")):
        return name
    place = dates.get_timezone_location(zone, locale=locale, return_city=True).rpartition("/")[2]
    return gettext("{place} time").format(place=place)


def zone_name(at_ms: int, zone: str) -> str:
    """Return the name of a time zone that is right in summer and in winter, such as "Central Time".

    The name is for texts about many days. If the clocks of the zone never change, this is the same as `zone_words`.
    """
    half_a_year_ms = 183 * 86_400_000
    if moment(at_ms, zone).utcoffset() == moment(at_ms + half_a_year_ms, zone).utcoffset():
        return zone_words(at_ms, zone)
    return dates.get_timezone_name(ZoneInfo(zone), width="long", locale=languages()[current()].locale)


def day_words(at_ms: int, zone: str) -> str:
    """Return the date of `at_ms` (ms since 1970) in the time zone `zone`, such as "Tuesday, November 24, 2026"."""
    return date_words(moment(at_ms, zone), "full")


def clock_words(at_ms: int, zone: str) -> str:
    """Return the time of day of a moment in a time zone, such as "10:30 AM"."""
    return time_words(moment(at_ms, zone))


def when_words(at_ms: int, zone: str) -> str:
    """Return `at_ms` (ms since 1970) in words, in the time zone `zone`, such as "Tuesday, November 24, 2026, 10:30 AM,
    Central Standard Time".
    """
    # Translators: a booked time in words, such as "Tuesday, November 24, 2026, 10:30 AM, Central Standard Time".
    return gettext("{day}, {clock}, {zone}").format(
        day=day_words(at_ms, zone), clock=clock_words(at_ms, zone), zone=zone_words(at_ms, zone)
    )
