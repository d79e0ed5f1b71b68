"""Tests phone numbers: however people write one, it is stored in one form for dialling, and shown in its country's
form.
"""

import pytest

from web.intake.phone_numbers import Number, example, phone_number


@pytest.mark.parametrize(
    ("country", "written", "number"),
    [
        ("US", "+44 (0)20 7946 0958", Number("+44 20 7946 0958", "", "+44 20 7946 0958")),
        ("US", "+49 (0) 30 901820", Number("+49 30 901820", "", "+49 30 901820")),
        ("US", "512-555-0142 x12", Number("+1 512 555 0142", "12", "(512) 555-0142 ext. 12")),
        ("US", "011 44 20 7946 0958", Number("+44 20 7946 0958", "", "+44 20 7946 0958")),
        ("SA", "٠٥٠١٢٣٤٥٦٧", Number("+966 50 123 4567", "", "050 123 4567")),
        ("DE", "030 901820", Number("+49 30 901820", "", "030 901820")),
        ("DE", "+49 30 901820", Number("+49 30 901820", "", "030 901820")),
        ("KE", "0712 345678", Number("+254 712 345678", "", "0712 345678")),
        ("US", "0049 30 901820", Number("+49 30 901820", "", "+49 30 901820")),
        ("US", "1-512-555-0142", Number("+1 512 555 0142", "", "(512) 555-0142")),
        ("US", "+1 (512) 555.0142", Number("+1 512 555 0142", "", "(512) 555-0142")),
    ],
)
def test_f21_a_number_is_read_by_the_country_dialled_in_e164_and_shown_nationally(
    country: str, written: str, number: Number
) -> None:
    assert phone_number(written, country) == number


@pytest.mark.parametrize(
    "written", ["", "call me", "555 0142", "112 555 0142", "+1 512 555", "+1234567890123456", "+999 12345678"]
)
def test_f21_what_nobody_can_dial_is_no_number(written: str) -> None:
    assert phone_number(written, "US") is None


@pytest.mark.parametrize("country", ["US", "DE", "KE", "SA", "AQ"])
def test_f21_the_example_is_a_number_that_the_form_takes(country: str) -> None:
    assert phone_number(example(country), country) or country == "AQ"
