"""Defines the form of the public-facing calendar: names, texts, hours, closed days, bookable times, colours.

It has the error sentence of each field, and describes this part of the settings in words. If a day's hours end at
midnight, the settings have "24:00", and the form has 00:00, as clocks and browsers write it.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from zoneinfo import available_timezones

from msgspec.structs import replace

from web.languages.i18n import N_, day_names, gettext
from web.organisations.countries import countries
from web.organisations.frame_origins import exact_origin
from web.organisations.settings import (
    ACCENT,
    LANGUAGES,
    Booking,
    Day,
    Organisation,
    Span,
    bounds,
    bounds_of,
    is_night,
    too_long_nights,
)
from web.pages.setup.frame import Form, Parsed, Posted, plain

TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
MOST_SPANS = bounds_of(Day).most
MOST_CLOSED = bounds(Organisation, "closed").most
MOST_SITES = bounds(Organisation, "frame_origins").most
SITES_LENGTH = 4000
NO_ORIGIN = N_("%(site)s is no address of a site: write https:// and its name, and nothing after it.")
MIDNIGHT = "24:00"


class Text(NamedTuple):
    """A text of the settings. `required`: the error sentence to show if the text is empty; "" if it may be empty."""

    label: str
    required: str = ""


TEXTS: Mapping[str, Text] = {
    "name": Text(N_("Name of the clinic"), N_("Write the clinic’s name.")),
    "welcome": Text(N_("Welcome text")),
    "notice": Text(N_("Notice")),
}


class Number(NamedTuple):
    """A number of the booking settings, with the unit of its field in the form."""

    label: str
    unit: str


NUMBERS: Mapping[str, Number] = {
    "slot_min": Number(N_("Length of a booked visit"), N_("minutes")),
    "lead_h": Number(N_("Can be booked until this long before"), N_("hours")),
    "horizon_days": Number(N_("Can be booked this far ahead"), N_("days")),
    "capacity": Number(N_("Booked visits at the same time"), N_("visits")),
}
BOOKABLE: Mapping[str, str] = {
    "bookable_from": N_("Booked visits begin at the earliest"),
    "bookable_to": N_("Booked visits end at the latest"),
}
CHOICES: Mapping[str, str] = {
    "show_place": N_("Patients see their place in line"),
    "show_wait": N_("Patients see the expected wait"),
}


class Calendar:
    """Handles the form of the set-up's section "Calendar"."""

    name = "calendar"
    template = "setup/calendar.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""
        return {
            **{name: getattr(organisation, name) for name in TEXTS},
            "timezone": organisation.timezone,
            "country": organisation.country,
            "asks_region": organisation.asks_region,
            "accent": organisation.accent or "",
            "hours": clock_hours(organisation.hours),
            "closed": list(organisation.closed),
            "languages": list(organisation.languages),
            "enabled": organisation.booking.enabled,
            "feed_initials": organisation.booking.feed_initials,
            **{name: str(getattr(organisation.booking, name)) for name in NUMBERS},
            "bookable_from": organisation.booking.opens,
            "bookable_to": _as_clock(organisation.booking.closes),
            **{name: getattr(organisation.policy, name) for name in CHOICES},
            "frame_origins": "\n".join(organisation.frame_origins),
        }

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        form = _typed(posted)
        errors = {
            **_wrong_texts(form),
            **{f"hours-{day}": sentence for day, sentence in wrong_week(form["hours"]).items()},
            **{name: wrong for name in NUMBERS if (wrong := _wrong_number(name, form[name]))},
        }
        bookable = (form["bookable_from"], form["bookable_to"])
        if wrong := wrong_day([bookable]):
            errors["bookable_from"] = wrong
        if any(_date(text) is None for text in form["closed"]):
            errors["closed"] = gettext("Write each closed day as a whole date.")
        elif len(form["closed"]) > MOST_CLOSED:
            errors["closed"] = gettext("These are too many closed days.")
        sites = form["frame_origins"].split()
        if wrong := next((site for site in sites if not exact_origin(site)), ""):
            errors["frame_origins"] = gettext(NO_ORIGIN) % {"site": wrong}
        elif len(sites) > MOST_SITES:
            errors["frame_origins"] = gettext("At most %(most)s sites, please.") % {"most": MOST_SITES}
        if not form["languages"]:
            errors["languages"] = gettext("Choose one language at least.")

        def apply(document: Organisation) -> Organisation:
            return replace(
                document,
                **{name: form[name] for name in TEXTS},
                timezone=form["timezone"],
                country=form["country"],
                asks_region=form["asks_region"],
                accent=form["accent"] or None,
                hours=tuple(spans_of(day) for day in form["hours"]),
                closed=tuple(sorted(set(form["closed"]))),
                languages=tuple(form["languages"]),
                booking=replace(
                    document.booking,
                    enabled=form["enabled"],
                    feed_initials=form["feed_initials"],
                    opens=spans_of([bookable])[0][0],
                    closes=spans_of([bookable])[0][1],
                    **{name: int(form[name]) for name in NUMBERS},
                ),
                policy=replace(document.policy, **{name: form[name] for name in CHOICES}),
                frame_origins=tuple(dict.fromkeys(map(exact_origin, sites))),
            )

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the section's settings in words: label -> text."""
        yes = {True: gettext("Yes"), False: gettext("No")}
        booking = organisation.booking
        return {
            **{gettext(text.label): getattr(organisation, name) for name, text in TEXTS.items()},
            gettext("Time zone"): organisation.timezone,
            gettext("Country"): countries().get(organisation.country, ""),
            gettext("Patients say in which region they are"): yes[organisation.asks_region],
            gettext("Colour"): organisation.accent or "",
            **dict(zip(day_names(), map(_day_words, organisation.hours), strict=True)),
            gettext("Closed days"): ", ".join(organisation.closed),
            gettext("Languages"): ", ".join(LANGUAGES[code] for code in organisation.languages),
            gettext("Times can be booked"): yes[booking.enabled],
            gettext("Initials in providers’ own calendars"): yes[booking.feed_initials],
            **{
                gettext(number.label): f"{getattr(booking, name)} {gettext(number.unit)}"
                for name, number in NUMBERS.items()
            },
            gettext("Hours that can be booked"): _day_words([(booking.opens, booking.closes)]),
            **{gettext(label): yes[getattr(organisation.policy, name)] for name, label in CHOICES.items()},
            gettext("Sites that may show these pages inside their own"): ", ".join(
                organisation.frame_origins
            ),
        }


def zones() -> list[str]:
    """Return the names of the time zones to choose from; those that are named after a city come first."""
    return sorted(available_timezones(), key=lambda name: ("/" not in name or name.startswith("Etc/"), name))


def clock_hours(hours: Sequence[Day]) -> list[list[Span]]:
    """Return the opening hours of a week for the fields of the page, which show midnight as 00:00."""
    return [[(opens, _as_clock(closes)) for opens, closes in spans] for spans in hours]


def hours_words(hours: Sequence[Day]) -> str:
    """Return the opening hours of a week in words."""
    return ", ".join(f"{day} {_day_words(spans)}" for day, spans in zip(day_names(), hours, strict=True))


def typed_hours(posted: Posted, prefix: str = "") -> list[list[Span]]:
    """Return the opening hours of a week as they were typed, unchecked, without empty rows.

    `prefix`: the beginning of the names of the form's fields for these hours.
    """
    days = []
    for day in range(7):
        opens, closes = (posted.getall(f"{prefix}{end}-{day}", []) for end in ("opens", "closes"))
        pairs = [(a.strip()[:5], b.strip()[:5]) for a, b in zip(opens, closes, strict=False)]
        days.append([pair for pair in pairs if any(pair)][: MOST_SPANS + 1])
    return days


def _typed(posted: Posted) -> Form:
    """Return all fields of the form with the typed values, unchecked, without empty rows."""
    return {
        **{
            name: plain(posted.get(name, ""), bounds(Organisation, name).most, lines=name != "name")
            for name in TEXTS
        },
        "timezone": posted.get("timezone", "").strip()[:60],
        "country": posted.get("country", "")[:2],
        "asks_region": "asks_region" in posted,
        "accent": posted.get("accent", "").strip().lower()[:7],
        "hours": typed_hours(posted),
        "closed": [text.strip()[:10] for text in posted.getall("closed", []) if text.strip()][
            : MOST_CLOSED + 1
        ],
        "languages": [code for code in LANGUAGES if code in posted.getall("languages", [])],
        "enabled": "enabled" in posted,
        "feed_initials": "feed_initials" in posted,
        **{name: posted.get(name, "").strip()[:8] for name in (*NUMBERS, *BOOKABLE)},
        **{name: name in posted for name in CHOICES},
        "frame_origins": "\n".join(posted.get("frame_origins", "")[:SITES_LENGTH].split()),
    }


def _wrong_texts(form: Form) -> dict[str, str]:
    found = {}
    for name, text in TEXTS.items():
        most = bounds(Organisation, name).most
        if text.required and not form[name]:
            found[name] = gettext(text.required)
        elif len(form[name]) > most:
            found[name] = gettext("This is too long; at most %(most)s characters, please.") % {"most": most}
    if form["timezone"] not in available_timezones():
        found["timezone"] = gettext("Choose a time zone from the list, such as America/Chicago.")
    if form["country"] not in countries():
        found["country"] = gettext("Choose a country from the list.")
    if form["accent"] and not ACCENT.fullmatch(form["accent"]):
        found["accent"] = gettext("Write the colour as # and six digits or letters a to f, such as #0a7f6b.")
    return found


def wrong_week(days: Sequence[Sequence[Span]]) -> dict[int, str]:
    """Return what is wrong with the opening hours of a week: day (0 is Monday) -> sentence; empty if all are right."""
    wrong = {day: sentence for day, pairs in enumerate(days) if (sentence := wrong_day(pairs))}
    if wrong:
        return wrong
    sentence = gettext("The hours of the day before end later than these begin.")
    return dict.fromkeys(too_long_nights([spans_of(pairs) for pairs in days]), sentence)


def wrong_day(pairs: Sequence[Span]) -> str:
    """Return what is wrong with the opening hours of a day in a sentence; "" if they are right.

    `pairs`: the typed opening and closing times.
    """
    if len(pairs) > MOST_SPANS:
        return gettext("These are too many opening times for one day.")
    if not all(TIME.fullmatch(end) for pair in pairs for end in pair):
        return gettext("Write both an opening and a closing time, such as 09:00 and 17:00.")
    spans = spans_of(pairs)
    if any(opens == closes for opens, closes in spans):
        return gettext("Opening and closing time are the same; a whole day is 00:00 to 00:00.")
    if any(is_night(before) or before[1] > after[0] for before, after in itertools.pairwise(spans)):
        return gettext("Two opening times overlap.")
    return ""


def spans_of(pairs: Sequence[Span]) -> tuple[Span, ...]:
    """Return a day's opening hours, in order, from the pairs of times that an admin entered.

    If a period begins when the period before it ends, both become one period.
    """
    found: list[Span] = []
    for opens, closes in sorted(
        (opens, MIDNIGHT if closes == "00:00" else closes) for opens, closes in pairs
    ):
        if found and found[-1][1] == opens:
            found[-1] = (found[-1][0], closes)
        else:
            found.append((opens, closes))
    return tuple(found)


def _as_clock(closes: str) -> str:
    return "00:00" if closes == MIDNIGHT else closes


def _wrong_number(name: str, text: str) -> str:
    allowed = bounds(Booking, name)
    if allowed.least <= _number(text) <= allowed.most:
        return ""
    return gettext("Write a whole number from %(least)s to %(most)s.") % allowed._asdict()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _day_words(spans: Sequence[Span]) -> str:
    return ", ".join(f"{opens}–{closes}" for opens, closes in spans) or gettext("Closed")
