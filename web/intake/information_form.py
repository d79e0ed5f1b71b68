"""The patient information form: the rules of each field, and the sentence for each error.

Pure: today's date is an argument. Knows the organisation's languages and no page. The result is signalling's
`PatientInformation`, without control characters and bounded in size.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from signalling.visit.record import PatientInformation
from web.languages.i18n import (
    gettext,
)
from web.requests.unicode import normalized

STATES: Mapping[str, str] = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky",
    "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "PR": "Puerto Rico", "RI": "Rhode Island",
    "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont",
    "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
    "AS": "American Samoa", "GU": "Guam", "MP": "Northern Mariana Islands", "VI": "U.S. Virgin Islands",
}  # fmt: skip
"""The states and territories where a patient may be, by USPS code (Publication 28, appendix B)."""

OLDEST_YEARS = 130
EMAIL = re.compile(r"[^@\s<>()\[\],;:\"\\]{1,64}@[^@\s<>()\[\],;:\"\\.]+(\.[^@\s<>()\[\],;:\"\\.]+)+")
PHONE_MARKS = re.compile(r"[\s().\-/\u2010-\u2015]+")


class Field(NamedTuple):
    """One field: its greatest length, and a function that returns what is wrong with a text, as a sentence, or None."""

    longest: int
    problem: Callable[[str], str | None]
    required: str = ""
    """The sentence if the field is empty; "" if it may be empty."""


class Checked(NamedTuple):
    """The form to show again, a sentence for each wrong field, and the information if no field is wrong."""

    form: dict[str, str]
    errors: dict[str, str]
    information: PatientInformation | None


def check(posted: Mapping[str, object], languages: Collection[str], today: date) -> Checked:
    """Return a posted form, checked. `languages` are the organisation's codes; `today` is the patient's date."""
    fields = _fields(languages, today)
    form = {name: clean(posted.get(name), field.longest + 1) for name, field in fields.items()}
    found = {name: _problem(fields[name], text) for name, text in form.items()}
    errors = {name: sentence for name, sentence in found.items() if sentence is not None}
    if errors:
        return Checked(form, errors, None)
    fine = {**form, "phone": normal_phone(form["phone"]) or "", "filled_in_by": form["filled_in_by"] or None}
    return Checked(form, {}, PatientInformation(**fine))  # type: ignore[arg-type]


def empty(languages: Collection[str], reads: str = "") -> dict[str, str]:
    """Return the empty form. Its language is that of the page (`reads`) if the organisation has it, else its first."""
    form = dict.fromkeys(_fields(languages, date.min), "")
    return form | {"language": reads if reads in languages else next(iter(languages))}


def normal_phone(text: str) -> str | None:
    """Return a phone number in the stored form ("+1 512 555 0142"), or None (ITU-T E.164: 7 to 15 digits).

    Ten digits without a country code are read as a number of the North American plan.
    """
    digits = PHONE_MARKS.sub("", normalized("NFKC", text))
    international = digits.startswith(("+", "00")) and not digits.startswith("000")
    digits = digits.removeprefix("+") if digits.startswith("+") else digits.removeprefix("00")
    if not digits.isascii() or not digits.isdigit():
        return None
    if not international and len(digits) == 10:
        digits, international = "1" + digits, True
    if digits.startswith("1"):
        # Area codes and exchanges do not begin with 0 or 1.
        area, exchange, line = digits[1:4], digits[4:7], digits[7:]
        fits = len(digits) == 11 and area[0] > "1" and exchange[0] > "1"
        return f"+1 {area} {exchange} {line}" if fits else None
    return f"+{digits}" if international and 7 <= len(digits) <= 15 and digits[0] != "0" else None


def _fields(languages: Collection[str], today: date) -> dict[str, Field]:
    return {
        "name": Field(100, _name, gettext("Write the patient’s full name.")),
        "birth_date": Field(
            10, lambda text: _birth_date(text, today), gettext("Write the patient’s date of birth.")
        ),
        "phone": Field(40, _phone, gettext("Write a phone number that we can call.")),
        "email": Field(254, _email, gettext("Write an email address.")),
        "state": Field(
            2,
            lambda text: None if text in STATES else gettext("Choose a state from the list."),
            gettext("Choose a state."),
        ),
        "reason": Field(1000, lambda _: None, gettext("Write the reason for the visit in a few words.")),
        "language": Field(
            16,
            lambda text: None if text in languages else gettext("Choose a language from the list."),
            gettext("Choose a language."),
        ),
        "filled_in_by": Field(100, lambda _: None),
    }


def _problem(field: Field, text: str) -> str | None:
    if not text:
        return field.required or None
    if len(text) > field.longest:
        return gettext("This is too long; at most {most} characters, please.").format(most=field.longest)
    return field.problem(text)


def clean(value: object, longest: int) -> str:
    """Return at most `longest` characters of the text, without line breaks, control and direction characters."""
    if not isinstance(value, str):
        return ""
    kept = "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in value[: longest * 4]
    )
    kept = "".join(
        char for char in kept if unicodedata.category(char) not in ("Cf", "Cs", "Co") or char in "\u200d"
    )
    return normalized("NFC", " ".join(kept.split()))[:longest]


def _name(text: str) -> str | None:
    return None if any(char.isalpha() for char in text) else gettext("Write the name in letters.")


def _birth_date(text: str, today: date) -> str | None:
    try:
        born = date.fromisoformat(text if len(text) == 10 and text[4] == "-" == text[7] else "")
    except ValueError:
        return gettext("Write the date of birth as year-month-day, for example 1990-04-02.")
    if born > today:
        return gettext("The date of birth is in the future.")
    return (
        None
        if today.year - born.year <= OLDEST_YEARS
        else gettext("The date of birth is too long ago; check the year.")
    )


def _phone(text: str) -> str | None:
    if normal_phone(text):
        return None
    return gettext("Write a phone number with area code, for example 512 555 0142, or + and country code.")


def _email(text: str) -> str | None:
    return None if EMAIL.fullmatch(text) else gettext("Write an email address such as ana@example.org.")


def today_anywhere() -> date:
    """Return the latest date in any time zone: for the patient, tomorrow may have begun."""
    return (datetime.now(UTC) + timedelta(hours=14)).date()
