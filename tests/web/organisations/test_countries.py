"""Tests countries and their regions: where patients may be, and where providers may be licensed."""

import pytest

from web.languages.i18n import using
from web.organisations.countries import countries, country_of, regions


@pytest.mark.parametrize(
    ("country", "code", "name"),
    [
        ("CA", "ON", "Ontario"),
        ("DE", "BE", "Berlin"),
        ("KE", "30", "Nairobi City"),
        ("GB", "WLS", "Wales"),
        ("US", "TX", "Texas"),
        ("US", "VI", "U.S. Virgin Islands"),
    ],
)
def test_f22_a_country_has_its_own_regions(country: str, code: str, name: str) -> None:
    assert regions(country)[code] == name


@pytest.mark.parametrize("code", ["AE", "AP", "AA", "FM", "MH", "PW"])
def test_f22_patients_of_the_us_may_be_in_each_region_that_its_mail_reaches(code: str) -> None:
    assert code in regions("US")
    assert "UM" not in regions("US"), "nobody lives there"


def test_f22_regions_are_in_the_order_of_their_names() -> None:
    names = list(regions("US").values())
    assert names == sorted(names)
    assert list(regions("AX")) == [], "not divided"


def test_f22_countries_are_named_in_the_language_of_the_page() -> None:
    assert countries()["DE"] == "Germany"
    with using("es"):
        assert countries()["DE"] == "Alemania"
    assert len(countries()) > 240


@pytest.mark.parametrize(
    ("timezone", "spoken", "country"),
    [
        ("America/Chicago", "de_DE.UTF-8", "US"),
        ("Asia/Kolkata", "", "IN"),
        ("Europe/Kyiv", "", "UA"),
        ("UTC", "de_DE.UTF-8", "DE"),
        ("UTC", "ar_EG", "EG"),
        ("UTC", "C.UTF-8", "US"),
        ("UTC", "en_ZZ.UTF-8", "US"),
        ("Mars/Olympus", "", "US"),
    ],
)
def test_f22_a_clinics_country_is_guessed_from_its_time_zone_then_from_the_systems_language(
    timezone: str, spoken: str, country: str
) -> None:
    assert country_of(timezone, spoken) == country
