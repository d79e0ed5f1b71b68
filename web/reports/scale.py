"""Calculates the scale of a chart, with round steps and ticks, for the charts of the reports and of the load tester."""

from __future__ import annotations

import math
from typing import NamedTuple

NICE = (1, 2, 5, 10)


class Tick(NamedTuple):
    """A tick of a scale: its label and its position, in the units of the SVG's view box."""

    at: float
    text: str


def nice_step(highest: float, most: int = 4) -> float:
    """Return a round step (1, 2 or 5 times a power of ten) with which at most `most` steps lead from 0 to `highest`."""
    least = highest / most
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least) + 1e-9)
    return next(power * nice for nice in NICE if power * nice >= least * (1 - 1e-9))


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most `most` round values from `low` to `high`, for the ticks of a logarithmic scale.

    The values are 1, 2 and 5 times powers of ten, or only powers of ten. If the range contains fewer than two of them,
    the values are at equal distances instead.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits, every in (((1, 2, 5), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        found = [digit * 10.0**decade for decade in decades if decade % every == 0 for digit in digits]
        found = [value for value in found if low <= value <= high]
        if len(found) < 2:
            break
        if len(found) <= most:
            return found
    step = nice_step(high - low, most - 2)
    first = math.ceil(low / step)
    return [step * at for at in range(first, int(high / step + 1e-9) + 1)]
