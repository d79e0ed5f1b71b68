"""Checks the patient information form: the rules of each field, and the sentence for each error.

Today's date is an argument. The rules use the organisation's country and languages. The result is
signalling's `PatientInformation`, without control characters and with a limited size.
"""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from signalling.visit.record import PatientInformation
from web.intake.phone_numbers import example, phone_number
from web.languages.i18n import gettext
from web.organisations.settings import Organisation
from web.requests.mail_addresses import mail_address
from web.requests.unicode import normalized

OLDEST_YEARS = 130


class Field(NamedTuple):
    """One field of the form: its greatest length, and a function that checks a text.

    The function returns a sentence that says what is wrong, or None if the text is right.
    """

    longest: int
    problem: Callable[[str], str | None]
    required: str = ""
    """The sentence to show if the field is empty; "" if it may be empty."""


class Checked(NamedTuple):
    """The result of a check: the form to show again, a sentence for each wrong field, and the patient's information.

    The information is None if a field is wrong.
    """

    form: dict[str, str]
    errors: dict[str, str]
    information: PatientInformation | None


def check(posted: Mapping[str, object], organisation: Organisation, today: date) -> Checked:
    """Check a form that was posted to the organisation; return the result.

    `today`: today's date in the patient's time zone, or a later date. A date of birth after `today` is refused.
    """
    fields = _fields(organisation, today)
    form = {name: clean(posted.get(name), field.longest + 1) for name, field in fields.items()}
    if not organisation.regions:
        # A page that was opened before the settings changed still sends the field `state`; its value is
        # ignored.
        form["state"] = ""
    found = {name: _problem(fields[name], text) for name, text in form.items()}
    errors = {name: sentence for name, sentence in found.items() if sentence is not None}
    if errors:
        return Checked(form, errors, None)
    number = phone_number(form["phone"], organisation.country)
    assert number is not None, "checked"
    fine = {
        **form,
        "phone": number.dialled,
        "extension": number.extension,
        "phone_shown": number.shown,
        "email": mail_address(form["email"]),
        "filled_in_by": form["filled_in_by"] or None,
    }
    return Checked(form, {}, PatientInformation(**fine))  # type: ignore[arg-type]


def empty(organisation: Organisation, reads: str) -> dict[str, str]:
    """Return the values of the empty form.

    The form's language is `reads`, the language of the page, if the organisation offers it; otherwise the
    organisation's first language.
    """
    form = dict.fromkeys(_fields(organisation, date.min), "")
    return form | {"language": reads if reads in organisation.languages else organisation.languages[0]}


def _fields(organisation: Organisation, today: date) -> dict[str, Field]:
    languages, regions = organisation.languages, organisation.regions
    return {
        "name": Field(100, _name, gettext("Write the patient’s full name.")),
        "birth_date": Field(
            10, lambda text: _birth_date(text, today), gettext("Write the patient’s date of birth.")
        ),
        "phone": Field(
            40,
            lambda text: _phone(text, organisation.country),
            gettext("Write a phone number that we can call."),
        ),
        "email": Field(254, _email, gettext("Write an email address.")),
        "state": Field(
            3,
            lambda text: None if text in regions else gettext("Choose a place from the list."),
            gettext("Choose where the patient is.") if regions else "",
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


def _phone(text: str, country: str) -> str | None:
    if phone_number(text, country) is not None:
        return None
    return gettext(
        "Write a phone number with area code, for example {example}, or + and country code."
    ).format(example=example(country))


def _email(text: str) -> str | None:
    return None if mail_address(text) else gettext("Write an email address such as ana@example.org.")


def today_anywhere() -> date:
    """Return today's date in the time zone that is furthest ahead; it may be a day after the date of the server."""
    return (datetime.now(UTC) + timedelta(hours=14)).date()


def initials(name: str) -> str:
    """Return the first letters of the first and the last part of a name: "A. R."."""
    parts = name.split()
    return " ".join(f"{part[0].upper()}." for part in dict.fromkeys((parts[0], parts[-1])))
