"""Defines kinds of figures (such as durations) with their units, and formats values for people."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """A kind of figure. `units`: each unit that may be typed -> its size in the base unit.

    `shown`: the units that are used for output, the greatest first.
    """

    name: str
    units: Mapping[str, float]
    shown: tuple[str, ...]


TIME = Kind("time", {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}, ("min", "s", "ms", "µs"))
BYTES = Kind("bytes", {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}, ("GB", "MB", "kB", "B"))
RATE = Kind("rate", {"/s": 1.0, "/min": 1 / 60}, ("/s",))
SHARE = Kind("share", {"%": 0.01}, ("%",))
COUNT = Kind("count", {"": 1.0}, ("",))
ENDINGS = {"rss": BYTES, "cpu": SHARE, "lag": TIME}
MINUTES_FROM_S = 600.0


def gauge_kind(name: str) -> Kind:
    """Return the kind of a gauge; the last word of its name determines it, as in `server_cpu`."""
    return ENDINGS.get(name.rpartition("_")[2], COUNT)


def unit_for(value: float, kind: Kind) -> str:
    """Return the greatest unit of a kind that is not greater than the value (minutes only from MINUTES_FROM_S on)."""
    for unit in kind.shown:
        least = MINUTES_FROM_S if unit == "min" else kind.units[unit]
        if abs(value) >= least:
            return unit
    return "ms" if kind is TIME and not value else kind.shown[-1]


def number(value: float) -> str:
    """Return a number with a thousands separator and at most two decimals; a dash for nan and infinity.

    A whole number and a number of 100 or more have no decimals.
    """
    if math.isnan(value) or math.isinf(value):
        return "–"
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def written(value: float, kind: Kind) -> str:
    """Return a value of a kind with its unit: `5.12 ms`, `1,204`, `96.4/s`, `12.5%`."""
    if math.isnan(value) or math.isinf(value):
        return "–"
    unit = unit_for(value, kind)
    gap = "" if not unit or unit in ("%", "/s") else " "
    return f"{number(value / kind.units[unit])}{gap}{unit}"
