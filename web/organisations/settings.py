"""An organisation's settings: its name, hours, texts, limits, languages and setup guide, and what each may contain.

Pure but for the time zones of the system. Knows no store, no page and no account.
"""

import itertools
import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from signalling.visit.record import Policy
from signalling.visit.setup_guide import Guide, Kind, condition_problem

RESERVED = frozenset({"static", "healthz", "readyz", "metrics", "api", "favicon.ico", "robots.txt"})
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
ACCENT = re.compile(r"#[0-9a-f]{6}")
SLOT_MIN, LEAD_H, HORIZON_DAYS, CAPACITY = range(5, 241), range(337), range(1, 181), range(1, 101)
LOGO = re.compile(r"[0-9a-f]{16}")
RETENTION_DAYS = range(1, 36526)

LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "es": "Español",
    "zh": "中文",
    "vi": "Tiếng Việt",
    "tl": "Tagalog",
    "fr": "Français",
    "ar": "العربية",
    "ko": "한국어",
    "ru": "Русский",
    "pt": "Português",
    "de": "Deutsch",
    "ht": "Kreyòl ayisyen",
    "hi": "हिन्दी",
    "ase": "American Sign Language",
}
"""Languages that a patient may prefer, each in its own name, by BCP 47 code."""


class OrganisationError(Exception):
    """The document is not valid; the text is a sentence that says where and why."""


Span = tuple[str, str]
"""Opening and closing time, `HH:MM` in the organisation's time zone; "24:00" is the end of the day."""


class Booking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether and how visits can be booked ahead, within the opening hours."""

    enabled: bool = False
    slot_min: int = 30  # the length of a booked visit, and the distance between starting times
    lead_h: int = 2  # the hours from now to the earliest time that can be booked
    horizon_days: int = 28  # how far ahead times can be booked
    capacity: int = 1  # booked visits at the same time: the number of providers for them
    opens: str = "00:00"  # only opening hours from this time ...
    closes: str = "24:00"  # ... to this time can be booked


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document. `hours`: seven days from Monday, each with its spans in order; `closed`: dates (ISO 8601)."""

    id: str
    name: str
    timezone: str = "UTC"
    accent: str | None = None
    welcome: str = ""
    hours: tuple[tuple[Span, ...], ...] = ((("00:00", "24:00"),),) * 7
    closed: tuple[str, ...] = ()
    booking: Booking = Booking()
    languages: tuple[str, ...] = ("en",)
    policy: Policy = Policy()
    guide: Guide
    notice: str = ""
    logo: str | None = None
    retention_days: int = 2555
    checked: tuple[str, ...] = ()
    revision: int = 0
    mail_sender: str = ""  # the From address of its mails; "": the server's
    reply_to: str = ""  # the Reply-To address of its mails
    admins_two_factor: bool = False  # whether administrators need a second factor to do anything


def validated(organisation: Organisation) -> Organisation:
    """Return the organisation. Raises OrganisationError, naming the field, for values that types cannot exclude."""
    steps = organisation.guide.steps
    ids = [step.id for step in steps]
    spans = [span for day in organisation.hours for span in day]
    for wrong, sentence in (
        (not SLUG.fullmatch(organisation.id), "id: must be 1 to 40 letters a-z, digits or hyphens."),
        (organisation.id in RESERVED, f"id: {organisation.id} is a name that the server itself uses."),
        (not 1 <= len(organisation.name) <= 100, "name: must have 1 to 100 characters."),
        (len(organisation.welcome) > 4000, "welcome: must have at most 4000 characters."),
        (len(organisation.notice) > 1000, "notice: must have at most 1000 characters."),
        (organisation.logo and not LOGO.fullmatch(organisation.logo), "logo: must be a hash."),
        (
            organisation.retention_days not in RETENTION_DAYS,
            "retention_days: must be 1 to 36525 days.",
        ),
        (not _is_timezone(organisation.timezone), "timezone: must be a name such as America/Chicago."),
        (
            organisation.accent and not ACCENT.fullmatch(organisation.accent),
            "accent: must look like #0a7f6b.",
        ),
        (len(organisation.hours) != 7, "hours: must list seven days, from Monday."),
        (
            not all(TIME.fullmatch(end) for span in spans for end in span),
            "hours: times must look like 09:00.",
        ),
        (not all(map(_is_in_order, organisation.hours)), "hours: a day's spans must follow one another."),
        (not all(map(_is_date, organisation.closed)), "closed: dates must look like 2026-12-25."),
        (len(organisation.closed) > 400, "closed: must have at most 400 dates."),
        (organisation.booking.slot_min not in SLOT_MIN, "booking: a visit must be 5 to 240 minutes long."),
        (organisation.booking.lead_h not in LEAD_H, "booking: the lead must be 0 to 336 hours."),
        (organisation.booking.horizon_days not in HORIZON_DAYS, "booking: must open 1 to 180 days ahead."),
        (
            not (TIME.fullmatch(organisation.booking.opens) and TIME.fullmatch(organisation.booking.closes))
            or organisation.booking.opens >= organisation.booking.closes,
            "booking: the bookable hours must look like 09:00 to 17:00.",
        ),
        (organisation.booking.capacity not in CAPACITY, "booking: must allow 1 to 100 visits at a time."),
        (not organisation.languages, "languages: must name at least one."),
        (set(organisation.languages) - set(LANGUAGES), f"languages: must be among {', '.join(LANGUAGES)}."),
        (not 1 <= len(steps) <= 50, "guide: must have 1 to 50 steps."),
        (len(set(ids)) != len(ids), "guide: two steps have the same id."),
        (
            not all(SLUG.fullmatch(step.id) for step in steps),
            "guide: a step's id is made like an organisation's.",
        ),
        (
            not all(1 <= len(step.title) <= 200 for step in steps),
            "guide: titles must have 1 to 200 characters.",
        ),
        (
            any(step.kind is Kind.CHOICE and len(set(step.options)) < 2 for step in steps),
            "guide: a choice needs two different options at least.",
        ),
        (
            any(step.kind is Kind.CONSENT and not step.text.strip() for step in steps),
            "guide: a consent needs its full text.",
        ),
        (
            any(condition_problem(steps, index) for index in range(len(steps))),
            "guide: a step may depend only on an answer that a step before it has.",
        ),
        (
            any(
                value < 0 for value in msgspec.structs.astuple(organisation.policy) if isinstance(value, int)
            ),
            "policy: durations must not be negative.",
        ),
    ):
        if wrong:
            raise OrganisationError(sentence)
    return organisation


def parsed(document: Mapping[str, Any] | bytes) -> Organisation:
    """Return the organisation in a document (a map, or JSON). Raises OrganisationError."""
    try:
        if isinstance(document, bytes):
            return validated(msgspec.json.decode(document, type=Organisation))
        return validated(msgspec.convert(document, Organisation))
    except msgspec.DecodeError as error:
        raise OrganisationError(f"{error}.") from None


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_in_order(day: tuple[Span, ...]) -> bool:
    ends = [end for span in day for end in span]
    return all(before < after for before, after in itertools.pairwise(ends))
