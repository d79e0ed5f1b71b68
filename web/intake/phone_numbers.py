"""Reads phone numbers as people write them, by the rules of a country, and returns them in two forms.

One form is for dialling, the other for people to read. The library phonenumbers has the numbering plans of
all countries, and loads a plan when it is needed.
"""

from collections.abc import Iterator
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

from web.requests.unicode import normalized


class Number(NamedTuple):
    """A phone number, in a form for dialling and in a form for people to read.

    `dialled`: E.164 with spaces, "+1 512 555 0142"; `extension`: "12", or "" for none; `shown`: the number with its
    extension, as people of the country write it.
    """

    dialled: str
    extension: str
    shown: str


def phone_number(text: str, country: str) -> Number | None:
    """Return the number that the text means in `country` (ISO 3166-1), or None if it cannot be called."""
    found = next(_readings(normalized("NFKC", text), country), None)
    if found is None:
        return None
    own = phonenumbers.country_code_for_region(country) == found.country_code
    form = PhoneNumberFormat.NATIONAL if own else PhoneNumberFormat.INTERNATIONAL
    extension, shown = found.extension or "", phonenumbers.format_number(found, form)
    found.extension = None
    dialled = phonenumbers.format_number(found, PhoneNumberFormat.INTERNATIONAL)
    return Number(dialled.replace("-", " "), extension, shown)


def example(country: str) -> str:
    """Return an example of a number of that country, as people write it there."""
    found = phonenumbers.example_number(country) or phonenumbers.example_number("US")
    assert found is not None, "every plan has an example"
    return str(phonenumbers.format_number(found, PhoneNumberFormat.NATIONAL))


def _readings(text: str, country: str) -> Iterator[PhoneNumber]:
    """Yield the valid phone numbers that the text can mean when it is written in this country.

    A leading 00 is also read as the sign of an international number, in every country.
    """
    for written in (text, f"+{text[2:]}" if text.startswith("00") else ""):
        try:
            found = phonenumbers.parse(written, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(found):
            yield found
