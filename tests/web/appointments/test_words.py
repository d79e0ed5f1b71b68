"""Tests the names of time zones on pages."""

import pytest

from web.appointments.words import zone_name, zone_words
from web.languages.i18n import using

NOVEMBER_MS, JULY_MS = 1_795_867_200_000, 1_784_116_800_000


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "Eastern Time"), ("es", "hora oriental"), ("fr", "heure de l’Est nord-américain")],
)
def test_a_zone_has_one_name_in_every_season_in_the_readers_language(language: str, name: str) -> None:
    with using(language):
        assert {zone_name(at_ms, "America/New_York") for at_ms in (NOVEMBER_MS, JULY_MS)} == {name}


@pytest.mark.parametrize(
    ("zone", "name"),
    [("America/Phoenix", "Mountain Standard Time"), ("Etc/UTC", "Coordinated Universal Time")],
)
def test_a_zone_without_seasons_has_the_name_of_its_time(zone: str, name: str) -> None:
    assert zone_name(JULY_MS, zone) == zone_words(JULY_MS, zone) == name
