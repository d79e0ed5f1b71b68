"""Defines an organisation's settings and their allowed values: name, hours, texts, limits, languages, setup guide.

The functions use only their arguments and the time zones of the system.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Annotated, Any, NamedTuple, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from signalling.visit.record import Policy
from signalling.visit.setup_guide import Guide, Kind, condition_problem, levels_problem
from web.errors import OrganisationError
from web.organisations import countries
from web.organisations.frame_origins import exact_origin
from web.organisations.translations import Translated, Translations, too_large, translated

IN_USE = frozenset(
    {
        "api", "appointments", "enter", "facility", "feed", "guest", "information", "join", "logo", "qr.svg", "staff",
        "visit", "visits", "ws",
    }
)  # fmt: skip
"""Words that follow an organisation's path in its addresses; no area can have one of them as its id."""
MOST_AREAS = 20
RESERVED = frozenset({"static", "healthz", "readyz", "metrics", "api", "favicon.ico", "robots.txt"})
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
ACCENT = re.compile(r"#[0-9a-f]{6}")
LOGO = re.compile(r"[0-9a-f]{16}")

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


Span = tuple[str, str]
"""Opening and closing time, `HH:MM` in the organisation's time zone; "24:00" is the end of the day.

A closing time before the opening time is on the next day: ("22:00", "02:00") is a night."""


def is_night(span: Span) -> bool:
    """Return whether a period of opening hours ends on the day after the day on which it begins."""
    opens, closes = span
    return closes < opens


Day = Annotated[tuple[Span, ...], Meta(max_length=8)]
"""The opening hours of a day: several spans, with breaks between them. Only the last span may end on the next day."""


class Booking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of booked visits. A visit can be booked only within the opening hours."""

    enabled: bool = False
    # The length of a booked visit in minutes, and the distance between starting times
    slot_min: Annotated[int, Meta(ge=5, le=240)] = 30
    # The hours from now to the earliest time that can be booked
    lead_h: Annotated[int, Meta(ge=0, le=336)] = 2
    # The number of days from today in which times can be booked
    horizon_days: Annotated[int, Meta(ge=1, le=180)] = 28
    # The greatest number of booked visits at the same time; the clinic must have this number of providers for them
    capacity: Annotated[int, Meta(ge=1, le=100)] = 1
    opens: str = "00:00"  # the earliest time of day, "HH:MM", at which a booked visit may begin
    closes: str = "24:00"  # the latest end of a booked visit, "HH:MM"; on the next day if before `opens`
    feed_initials: bool = False  # whether a provider's own calendar shows the patients' initials


SurveyChoice = Annotated[str, Meta(min_length=1, max_length=60)]


class Survey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The texts of the survey after a visit. `Policy.survey` decides whether the survey is shown.

    `choices`: the answers to choose from, in the clinic's order; an answer is stored as the number of its choice.
    """

    question: Annotated[str, Meta(max_length=200)] = ""
    choices: tuple[SurveyChoice, SurveyChoice, SurveyChoice, SurveyChoice, SurveyChoice] | None = None
    comment: Annotated[str, Meta(max_length=200)] = ""  # the label of the survey's field for free text


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A person in the on-call rota: the account's id, and when the person gets messages, on each day from Monday."""

    person: Annotated[str, Meta(min_length=1, max_length=64)]
    hours: tuple[Day, ...]


class Rota(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The on-call rota: the order in which staff get a message when no provider claims a request.

    The people of the rota get the message one after another, and after them all administrators.
    """

    # The time in minutes that a request waits before the first person gets a message; 0: no messages
    first_min: Annotated[int, Meta(ge=0, le=1440)] = 0
    # The time in minutes between the message to a person and the message to the next person
    next_min: Annotated[int, Meta(ge=1, le=1440)] = 5
    turns: Annotated[tuple[Turn, ...], Meta(max_length=50)] = ()


class WaitingMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message that the clinic sends automatically to a patient who has waited for `after_min` minutes."""

    after_min: Annotated[int, Meta(ge=1, le=600)]
    text: Annotated[str, Meta(min_length=1, max_length=500)]


MOST_MESSAGES = 5

MailAddress = Annotated[str, Meta(max_length=254)]
"""An email address."""


class Area(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A waiting area (service) with its own address. `hours`, `guide`: None to use those of the organisation."""

    id: str
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    hours: tuple[Day, ...] | None = None
    guide: Guide | None = None


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one organisation.

    `hours`: seven days from Monday, each with its spans in order. `closed`: dates (ISO 8601). The bounds of numbers
    and the lengths of texts are part of their types, here and in `Booking`, `Policy` and `Guide`; `bounds` returns
    them for forms.
    """

    id: str
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    timezone: str = "UTC"
    country: str = "US"  # the code of the country in ISO 3166-1
    asks_region: bool = True  # whether the form asks patients for their region of the country
    accent: str | None = None
    welcome: Annotated[str, Meta(max_length=4000)] = ""
    hours: tuple[Day, ...] = ((("00:00", "24:00"),),) * 7
    closed: Annotated[tuple[str, ...], Meta(max_length=400)] = ()
    booking: Booking = Booking()
    survey: Survey = Survey()
    rota: Rota = Rota()
    messages: tuple[WaitingMessage, ...] = ()  # automatic messages to waiting patients, sorted by time
    translations: Translations = {}  # translations of the texts above, and of the setup guides
    languages: tuple[str, ...] = ("en",)
    policy: Policy = Policy()
    guide: Guide
    notice: Annotated[str, Meta(max_length=1000)] = ""
    logo: str | None = None
    retention_days: Annotated[int, Meta(ge=1, le=36_525)] = 2555
    checked: tuple[str, ...] = ()
    revision: int = 0
    mail_sender: MailAddress = ""  # the From address of the clinic's mails; "" for the server's address
    reply_to: MailAddress = ""  # the Reply-To address of the clinic's mails; "" for none
    admins_two_factor: bool = False  # whether administrators and auditors need a second factor
    emergency_min: Annotated[int, Meta(ge=0, le=240)] = 30  # minutes of one emergency access; 0 turns it off
    areas: tuple[Area, ...] = ()
    # Origins of the sites that may show the patient's pages in a frame
    frame_origins: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    # the highest version number that a setup guide of the organisation or of an area has had
    newest_guide: int = 0

    @property
    def area_names(self) -> Mapping[str, str]:
        """The waiting areas: id -> name; empty if there is one queue for all."""
        return {area.id: area.name for area in self.areas}

    @property
    def main_language(self) -> str:
        """The language in which the organisation writes its own texts."""
        return self.languages[0]

    def translated(self, text: str, language: str) -> Translated:
        """Return one of the organisation's texts in a language of the pages; without a translation, the text itself."""
        return translated(text, language, self.main_language, self.translations)

    def guide_of(self, area: str) -> Guide:
        """Return the setup guide of the waiting area with this id; for "", the organisation's own guide."""
        return self.within(area).guide

    def within(self, area: str) -> "Organisation":
        """Return these settings as they apply in a waiting area, with its name, hours and guide.

        `area`: the area's id; for "" or an unknown id, the settings are unchanged.
        """
        found = next((one for one in self.areas if one.id == area), None)
        if found is None:
            return self
        return msgspec.structs.replace(
            self,
            name=f"{self.name}, {found.name}",
            hours=found.hours if found.hours is not None else self.hours,
            guide=found.guide or self.guide,
        )

    @property
    def next_guide(self) -> int:
        """The version number for the next guide, which no guide of the organisation or of an area has ever had."""
        versions = (area.guide.version for area in self.areas if area.guide is not None)
        return max(self.newest_guide, self.guide.version, *versions) + 1

    @property
    def regions(self) -> Mapping[str, str]:
        """Code -> name of the regions where a patient may be; empty if the form does not ask for the region."""
        return countries.regions(self.country) if self.asks_region else {}


class Bounds(NamedTuple):
    """The least and the greatest allowed number, or the least and the greatest length of a text or list."""

    least: int
    most: int


def bounds(kind: type[msgspec.Struct], field: str) -> Bounds:
    """Return the bounds of a field, which its type defines. `kind`: `Organisation`, `Booking`, `Policy` or `Step`."""
    return bounds_of(_hints(kind)[field])


def bounds_of(hint: Any) -> Bounds:
    """Return the bounds that an annotated type sets for a number, or for the length of a text or list."""
    (meta,) = (found for found in hint.__metadata__ if isinstance(found, Meta))
    most = meta.max_length if meta.le is None else meta.le
    assert most is not None, "every bounded type has an upper bound"
    return Bounds(int(meta.ge or meta.min_length or 0), int(most))


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def validated(organisation: Organisation) -> Organisation:
    """Return the organisation unchanged. Raises OrganisationError, which names the field, if a value is wrong."""
    return parsed(msgspec.to_builtins(organisation))


def parsed(document: Mapping[str, Any] | bytes) -> Organisation:
    """Return the organisation in a document (a map, or JSON). Raises OrganisationError if a value is not allowed."""
    try:
        if isinstance(document, bytes):
            return _consistent(msgspec.json.decode(document, type=Organisation))
        return _consistent(msgspec.convert(document, Organisation))
    except msgspec.DecodeError as error:
        raise OrganisationError(f"{error}.") from None


def _consistent(organisation: Organisation) -> Organisation:
    """Return the organisation unchanged. Raises OrganisationError, naming the field, if values do not fit together."""
    for area in organisation.areas:
        _consistent_area(organisation, area)
    ids = [area.id for area in organisation.areas]
    steps = organisation.guide.steps
    on_call = [turn.person for turn in organisation.rota.turns]
    for wrong, sentence in (
        (len(set(ids)) != len(ids), "areas: two areas have the same id."),
        (len(ids) > MOST_AREAS, f"areas: at most {MOST_AREAS}."),
        (not SLUG.fullmatch(organisation.id), "id: must be 1 to 40 letters a-z, digits or hyphens."),
        (organisation.id in RESERVED, f"id: {organisation.id} is a name that the server itself uses."),
        (organisation.logo and not LOGO.fullmatch(organisation.logo), "logo: must be a hash."),
        (not _is_timezone(organisation.timezone), "timezone: must be a name such as America/Chicago."),
        (not countries.is_country(organisation.country), "country: must be a code such as US or DE."),
        (
            organisation.accent and not ACCENT.fullmatch(organisation.accent),
            "accent: must look like #0a7f6b.",
        ),
        (wrong_hours := _wrong_hours(organisation.hours), f"hours: {wrong_hours}"),
        (
            wrong_hours := next(
                filter(None, (_wrong_hours(turn.hours) for turn in organisation.rota.turns)), ""
            ),
            f"rota: {wrong_hours}",
        ),
        (len(set(on_call)) != len(on_call), "rota: a person has two places."),
        (not all(map(_is_date, organisation.closed)), "closed: dates must look like 2026-12-25."),
        (
            not (TIME.fullmatch(organisation.booking.opens) and TIME.fullmatch(organisation.booking.closes))
            or organisation.booking.opens == organisation.booking.closes,
            "booking: the bookable hours must look like 09:00 to 17:00.",
        ),
        (
            organisation.policy.survey and not (organisation.survey.question and organisation.survey.choices),
            "survey: needs its question and five choices.",
        ),
        (
            len(set(organisation.policy.tags)) != len(organisation.policy.tags),
            "tags: two tags have the same words.",
        ),
        (
            any(not one or exact_origin(one) != one for one in organisation.frame_origins),
            "frame_origins: must be origins such as https://www.clinic.example.",
        ),
        (len(organisation.messages) > MOST_MESSAGES, f"messages: at most {MOST_MESSAGES}."),
        (
            len({one.after_min for one in organisation.messages}) != len(organisation.messages),
            "messages: two messages have the same time.",
        ),
        (too_large(organisation.translations), "translations: there are too many, or one is too long."),
        (not organisation.languages, "languages: must name at least one."),
        (set(organisation.languages) - set(LANGUAGES), f"languages: must be among {', '.join(LANGUAGES)}."),
        (len({step.id for step in steps}) != len(steps), "guide: two steps have the same id."),
        (
            not all(SLUG.fullmatch(step.id) for step in steps),
            "guide: a step's id is made like an organisation's.",
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
        (wrong_levels := levels_problem(organisation.guide), f"guide: {wrong_levels}"),
    ):
        if wrong:
            raise OrganisationError(sentence)
    return organisation


def _consistent_area(organisation: Organisation, area: Area) -> None:
    """Raise OrganisationError if an area's id is not allowed, or its hours or guide break an organisation's rules."""
    if not SLUG.fullmatch(area.id) or area.id in IN_USE:
        raise OrganisationError(
            f"areas: {area.id} cannot be an id: letters a-z, digits, hyphens, and not in use."
        )
    inside = organisation.within(area.id)
    _consistent(msgspec.structs.replace(inside, name=organisation.name, areas=()))


def _wrong_hours(hours: Sequence[Day]) -> str:
    """Return what is wrong with the hours of a week; "" if they are right."""
    ends = [end for day in hours for span in day for end in span]
    for wrong, sentence in (
        (len(hours) != 7, "must list seven days, from Monday."),
        (not all(map(TIME.fullmatch, ends)), "times must look like 09:00."),
        (not all(map(_is_in_order, hours)), "a day's spans must follow one another."),
        (too_long_nights(hours), "a night must end before the next day's hours begin."),
    ):
        if wrong:
            return sentence
    return ""


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
    if day and is_night(day[-1]):
        ends.pop()
    return all(before < after for before, after in itertools.pairwise(ends))


def too_long_nights(hours: Sequence[Sequence[Span]]) -> list[int]:
    """Return the days (0 to 6) whose opening hours begin before those of the previous day have ended."""
    return [
        day
        for day, spans in enumerate(hours)
        if spans and hours[day - 1] and is_night(night := hours[day - 1][-1]) and night[1] > spans[0][0]
    ]
