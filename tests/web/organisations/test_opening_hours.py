"""Tests opening hours, which are times of the organisation's own time zone."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.web.organisations.test_settings import document
from web.languages.i18n import using
from web.organisations import opening_hours
from web.organisations.opening_hours import is_open
from web.organisations.settings import Organisation, parsed


def opens_next(clinic: Organisation, at: datetime) -> str | None:
    """Return the words for the next opening, with plain instead of non-breaking spaces; None if it never opens."""
    words = opening_hours.opens_next(clinic, at)
    return words and re.sub(r"\s", " ", words)


def test_opening_hours_are_the_organisations_own_time() -> None:
    day = [["09:00", "12:00"], ["13:00", "17:00"]]
    clinic = parsed(document(timezone="America/Chicago", hours=[day, day, [], day, day, [], []]))

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    monday_nine = at("2026-11-23T15:00")  # in November, Chicago is six hours behind UTC
    assert is_open(clinic, monday_nine)
    assert not is_open(clinic, at("2026-11-23T14:59"))
    assert not is_open(clinic, at("2026-11-23T18:00"))
    assert opens_next(clinic, at("2026-11-23T18:30")) == "today at 1:00 PM"
    assert opens_next(clinic, at("2026-11-24T23:00")) == "Thursday at 9:00 AM"
    assert opens_next(clinic, at("2026-11-24T04:00")) == "tomorrow at 9:00 AM"
    assert opens_next(parsed(document(hours=[[]] * 7)), monday_nine) is None


def test_f26_an_opening_time_further_than_a_week_is_a_date() -> None:
    day = [["09:00", "17:00"]]
    monday = date(2026, 11, 23)

    def when(closed_days: int) -> str | None:
        closed = [(monday + timedelta(days=ahead)).isoformat() for ahead in range(closed_days)]
        clinic = parsed(document(timezone="America/Chicago", hours=[day] * 7, closed=closed))
        return opens_next(clinic, datetime(2026, 11, 23, 15, tzinfo=UTC))

    assert when(6) == "Sunday at 9:00 AM"
    assert when(7) == "Monday, November 30, 2026 at 9:00 AM"
    assert when(14) == "Monday, December 7, 2026 at 9:00 AM"
    with using("es"):
        assert when(14) == "el lunes, 7 de diciembre de 2026 a las 9:00 a.m."


NIGHT = [["22:00", "02:00"]]


@pytest.mark.parametrize(
    ("local", "is_open_then"),
    [
        ("2026-11-24T21:59", False),
        ("2026-11-24T22:00", True),
        ("2026-11-25T00:00", True),
        ("2026-11-25T01:59", True),
        ("2026-11-25T02:00", False),
        # The 26th is a closed day, so the night that would begin on it has no hours.
        ("2026-11-26T23:00", False),
        ("2026-11-26T01:00", True),  # the night that began on the 25th still ends as usual
        ("2026-11-27T01:00", False),
        ("2026-11-28T01:00", True),  # the night that began on Friday, the 27th, ends on this day
        # there are no hours on Saturdays
        ("2026-11-28T23:00", False),
        ("2026-11-29T01:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(local: str, is_open_then: bool) -> None:
    clinic = parsed(
        document(timezone="America/Chicago", hours=[NIGHT] * 5 + [[], NIGHT], closed=["2026-11-26"])
    )
    at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("America/Chicago"))
    assert is_open(clinic, at) is is_open_then


def test_a_clinic_of_nights_opens_next_in_the_evening() -> None:
    clinic = parsed(document(timezone="America/Chicago", hours=[NIGHT] * 7))
    at = datetime(2026, 11, 25, 3, tzinfo=ZoneInfo("America/Chicago"))
    assert opens_next(clinic, at) == "today at 10:00 PM"


def test_a_date_on_which_only_a_night_ends_has_hours() -> None:
    clinic = parsed(document(timezone="America/Chicago", hours=[NIGHT] * 5 + [[], []]))
    days = [opening_hours.opens_on(clinic, date(2026, 11, day)) for day in (27, 28, 29, 30)]
    assert days == [True, True, False, True]


def test_f18_a_closing_time_is_that_of_now_or_the_last_one() -> None:
    day = [["09:00", "12:00"], ["13:00", "17:00"]]
    weekend = [["20:00", "24:00"]], [["00:00", "24:00"]], [["00:00", "07:00"]]
    night = [["20:00", "02:00"]]
    clinic = parsed(document(timezone="America/Chicago", hours=[day, day, [], night, *weekend]))

    def closes(text: str) -> str | None:
        zone = ZoneInfo("America/Chicago")
        found = opening_hours.closes_at(clinic, datetime.fromisoformat(text).replace(tzinfo=zone))
        return None if found is None else f"{found:%a %H:%M}"

    assert closes("2026-11-23T11:59") == "Mon 12:00"
    assert closes("2026-11-23T12:00") == "Mon 12:00", "it has passed"
    assert closes("2026-11-23T16:59") == "Mon 17:00"
    assert closes("2026-11-25T12:00") == "Tue 17:00", "Wednesday has no hours"
    assert closes("2026-11-26T23:00") == "Fri 02:00", "a night"
    assert closes("2026-11-28T23:00") == "Sun 07:00", "midnight is no end"
    assert closes("2026-11-27T23:00") is None, "three days follow each other"
    always = parsed(document(hours=[[["00:00", "24:00"]]] * 7))
    never = parsed(document(hours=[[]] * 7))
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert (opening_hours.closes_at(always, now), opening_hours.closes_at(never, now)) == (None, None)
