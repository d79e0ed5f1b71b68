"""Lists countries and their regions, in which a patient may be and a provider may be licensed.

The table `regions.json` is written by `make docs` from ISO 3166 (tests/docs/regions.py); the package tzdata
has the time zones' countries. Codes of regions are those of ISO 3166-2 without the country: "TX", "ON", "BE".
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec
from babel import Locale

from web.languages import i18n

FILE = Path(__file__).with_name("regions.json")


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, dict[str, str]])


def countries() -> Mapping[str, str]:
    """Return code (ISO 3166-1) -> name of all countries, in the order of their names in the current language."""
    names = Locale.parse(i18n.locale()).territories
    found = {code: names.get(code, code) for code in _table()}
    return dict(sorted(found.items(), key=lambda item: item[1].casefold()))


def is_country(code: str) -> bool:
    """Return whether this is the code of a country."""
    return code in _table()


def regions(country: str) -> Mapping[str, str]:
    """Return code -> name of a country's regions, in the order of their names; empty if the country has none."""
    return _table().get(country, {})


def country_of(timezone: str, spoken: str = "") -> str:
    """Return the code of the country to which a time zone belongs.

    If it belongs to none, return the country of the locale `spoken`, such as "de_DE.UTF-8" ("" for none);
    otherwise "US".
    """
    _, _, territory = spoken.partition(".")[0].partition("_")
    return _of_zones().get(timezone) or (territory if is_country(territory) else "US")


@cache
def _of_zones() -> Mapping[str, str]:
    """Return the country of each time zone: the zone's name -> the country's code."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return {row[2]: row[0] for row in rows}
