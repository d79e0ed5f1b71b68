"""Countries, and their regions: where a patient may be, and where a provider may be licensed.

Knows the table `regions.json`, which `make docs` writes from ISO 3166 (tests/docs/regions.py). Codes of regions are
those of ISO 3166-2 without the country: "TX", "ON", "BE". Knows no organisation.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from babel import Locale

from web.languages import i18n

FILE = Path(__file__).with_name("regions.json")


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, dict[str, str]])


def countries() -> Mapping[str, str]:
    """Return all countries, by their names in the current language: code (ISO 3166-1) -> name."""
    names = Locale.parse(i18n.locale()).territories
    found = {code: names.get(code, code) for code in _table()}
    return dict(sorted(found.items(), key=lambda item: item[1].casefold()))


def is_country(code: str) -> bool:
    """Return whether this is the code of a country."""
    return code in _table()


def regions(country: str) -> Mapping[str, str]:
    """Return the regions of a country, in the order of their names: code -> name; none if it is not divided."""
    return _table().get(country, {})
