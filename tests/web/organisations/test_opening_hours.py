"""Opening hours, in the organisation's own time."""

from datetime import UTC, datetime

from tests.web.organisations.test_settings import document
from web.organisations.opening_hours import is_open, opens_next
from web.organisations.settings import parsed


def test_opening_hours_are_the_organisations_own_time() -> None:
    day = [["09:00", "12:00"], ["13:00", "17:00"]]
    clinic = parsed(document(timezone="America/Chicago", hours=[day, day, [], day, day, [], []]))

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    monday_nine = at("2026-11-23T15:00")  # Chicago is six hours behind in November
    assert is_open(clinic, monday_nine)
    assert not is_open(clinic, at("2026-11-23T14:59"))
    assert not is_open(clinic, at("2026-11-23T18:00"))
    assert opens_next(clinic, at("2026-11-23T18:30")) == "today at 13:00"
    assert opens_next(clinic, at("2026-11-24T23:00")) == "Thursday at 09:00"
    assert opens_next(clinic, at("2026-11-24T04:00")) == "tomorrow at 09:00"
    assert opens_next(parsed(document(hours=[[]] * 7)), monday_nine) is None
