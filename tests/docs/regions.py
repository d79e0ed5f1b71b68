"""Makes `web/organisations/regions.json`: the countries of ISO 3166-1, and their top-level regions of ISO
3166-2.

The product reads this file and not pycountry itself, which takes 100 ms to load.
"""

import json
import re
from pathlib import Path
from typing import Any

import pycountry

FILE = Path(__file__).resolve().parents[2] / "web/organisations/regions.json"

MAIL = {
    "AA": "Armed Forces Americas",
    "AE": "Armed Forces Europe",
    "AP": "Armed Forces Pacific",
    "FM": "Federated States of Micronesia",
    "MH": "Marshall Islands",
    "PW": "Palau",
}
"""Destinations of United States mail that ISO 3166-2 does not have (USPS Publication 28, appendix B)."""
EMPTY = {"US-UM"}
"""Codes of regions in which nobody lives, and which are left out."""


def made() -> str:
    """Return the new text of `regions.json`."""
    table = {country.alpha_2: _regions(country.alpha_2) for country in pycountry.countries}
    table["US"] = _ordered(table["US"] | MAIL)
    return json.dumps(dict(sorted(table.items())), ensure_ascii=False, indent=1) + "\n"


def _regions(country: str) -> dict[str, str]:
    found: Any = pycountry.subdivisions.get(country_code=country) or []  # type: ignore[no-untyped-call]
    first = (one for one in found if one.parent_code is None and one.code not in EMPTY)
    return _ordered({one.code.partition("-")[2]: plain(one.name) for one in first})


def _ordered(names: dict[str, str]) -> dict[str, str]:
    return dict(sorted(names.items(), key=lambda item: (item[1].casefold(), item[0])))


def plain(name: str) -> str:
    """Return a name as it is written in a sentence: "Wales" for "Wales [Cymru GB-CYM]", "U.S. Virgin Islands" for
    "Virgin Islands, U.S.".
    """
    name = re.sub(r" *\[.*\]", "", name)
    main, comma, first = name.partition(", ")
    return f"{first} {main}" if comma else name
