"""Reads a network from a TOML file; an error names the file, the key and what is expected.

The keys, their bounds and their meanings are defined in `network.py`.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec

from web.peers.errors import PlanError
from web.peers.network.network import Network, Phase, Table, Way, problem

LARGEST: Final = 1 << 16
"""The longest file in bytes."""
INNER: Final[Mapping[str, type[Table]]] = {"up": Way, "down": Way, "phases": Phase}
"""Key -> the type of the table or tables below it."""
_MISSING = re.compile(r"missing required field `(\w+)`")


def read(path: Path) -> Network:
    """Return the network that a file describes. Raises PlanError if it describes none, OSError if it cannot be read."""
    with path.open("rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise PlanError(f"{path}: expected at most {LARGEST} bytes")
    try:
        raw = tomllib.loads(text.decode())
    # These errors are raised also for a text that is not UTF-8, and for a number with thousands of digits.
    except (ValueError, RecursionError) as wrong:
        raise PlanError(f"{path}: expected TOML; {str(wrong) or 'too deep'}") from None
    return parse(raw, str(path))


def parse(raw: Mapping[str, Any], source: str) -> Network:
    """Return the network in parsed TOML. Raises PlanError if it is not valid; the error's text begins with `source`."""
    wrong = _unknown(raw, Network) or _not_a_number(raw)
    if not wrong:
        try:
            network = msgspec.convert(raw, Network)
        except msgspec.ValidationError as error:
            wrong = _explained(str(error), raw)
        else:
            wrong = problem(network)
    if wrong:
        raise PlanError(f"{source}: {wrong}")
    return network


def _unknown(raw: Any, table: type[Table], place: str = "") -> str:
    """Return a sentence about the first key that `table` does not have; "" if there is none."""
    if not isinstance(raw, Mapping):
        return ""
    keys = table.__struct_fields__
    for key, value in raw.items():
        here = _joined(place, _shown(key))
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
            return f"{here}: there is no such key; {hint}"
        for inner, at in _tables(key, value, here):
            if wrong := _unknown(inner, INNER[key], at):
                return wrong
    return ""


def _tables(key: str, value: Any, place: str) -> Iterator[tuple[Any, str]]:
    """Yield the tables below a key, each with its place in the file."""
    if key in INNER:
        many = value if isinstance(value, list) else [value]
        yield from ((one, f"{place}[{at}]" if value is many else place) for at, one in enumerate(many))


def _explained(error: str, raw: Mapping[str, Any]) -> str:
    place = error.rpartition(" - at `$")[2].rstrip("`").lstrip(".")
    if missing := _MISSING.search(error):
        return f"{place}: expected {missing[1]}, {MEANINGS[missing[1]]}"
    return f"{place}: expected {MEANINGS.get(_key(place), 'a table')}; found {_shown(_value(raw, place))}"


def _key(place: str) -> str:
    return place.rpartition(".")[2]


def _joined(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _value(raw: Any, place: str) -> Any:
    for key in re.findall(r"[^.\[\]]+", place):
        raw = raw[int(key)] if isinstance(raw, list) else raw[key]
    return raw


def _not_a_number(raw: Any, place: str = "") -> str:
    """Return the place of `nan` or `inf` in the file, because no bound refuses these; "" if there is none."""
    if isinstance(raw, dict):
        return next(
            filter(None, (_not_a_number(value, _joined(place, key)) for key, value in raw.items())), ""
        )
    if isinstance(raw, list):
        return next(
            filter(None, (_not_a_number(value, f"{place}[{at}]") for at, value in enumerate(raw))), ""
        )
    if isinstance(raw, float) and not math.isfinite(raw):
        return f"{place}: expected {MEANINGS.get(_key(place), 'a table')}; found {raw}"
    return ""


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return repr(text[:60] + "…") if len(text) > 60 else text


def _meaning(hint: Any) -> str:
    """Return the description in an annotation, also inside `… | None`; "" if it has none."""
    if (extra := getattr(hint, "__metadata__", None)) is not None:
        return str(extra[0].description)
    return next(filter(None, map(_meaning, get_args(hint))), "")


MEANINGS: Final = {
    name: meaning
    for table in (Network, Phase, Way)
    for name, hint in get_type_hints(table, include_extras=True).items()
    if (meaning := _meaning(hint))
}
"""Key -> what is expected of its value."""
