"""Compares two runs: finds the figures that improved, those that got worse, and those with too few values to decide.

For each figure the ratio of the two runs is calculated, with a confidence interval from random samples (a
bootstrap). The seed is fixed, so that the result is the same each time. Values that are close in time are
similar, because a busy second slows all people. So a run's values count only as a smaller number of independent
values, which the function `effective` calculates. This module reads no clock and no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

import msgspec

from web.peers.report.figures import Figures, figures, percentile, total_errors
from web.peers.report.units import RATE, SHARE, TIME, Kind
from web.peers.run.observations import STEPS, About, Observations, Series

PERCENTILES = (50.0, 90.0, 99.0)
CONFIDENCE = 0.99
"""The confidence of the intervals, 0 to 1.

A comparison has dozens of ratios. With 0.95, one ratio of twenty would be called a change although nothing changed.
"""
MARGIN = 0.1
DRAWS = 2000
BEYOND = 3
"""A percentile is compared only if at least this number of independent values (see `effective`) is above it."""
AT_LEAST = 30
LAGS = 200
BETTER, WORSE, SAME, UNDECIDED = "better", "worse", "about the same", "cannot be told"


class Change(msgspec.Struct, frozen=True):
    """The comparison of one figure: its value in the first run (`before`) and in the second run (`after`).

    `ratio`: `after` divided by `before`. The true ratio is probably between `low` and `high`; these two are nan
    if they cannot be calculated. `what`: the statistic, such as `p99`.
    """

    name: str
    what: str
    kind: Kind
    before: float
    after: float
    ratio: float
    low: float
    high: float
    verdict: str
    why: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """The comparison of two runs: `changes` has all compared figures.

    `differs`: facts about the runs (plan, machine, versions) that are not the same, as (name, before, after).
    """

    before: Figures
    after: Figures
    changes: list[Change]
    differs: list[tuple[str, str, str]]
    margin: float
    confidence: float

    def count(self, verdict: str) -> int:
        """Return the number of compared figures that have this verdict, such as "worse"."""
        return sum(change.verdict == verdict for change in self.changes)


def compare(
    before: Observations,
    after: Observations,
    *,
    margin: float = MARGIN,
    confidence: float = CONFIDENCE,
    seed: int = 1,
) -> Comparison:
    """Compare every figure of two runs, `before` and `after`; ratios within `margin` of 1 are "about the same".

    `confidence`: the confidence of the intervals, 0 to 1; `seed`: the seed of the random numbers.
    """
    random = Random(seed)  # noqa: S311 - statistics need no secure random numbers
    first, second = figures(before), figures(after)
    names = [name for name in STEPS if name in before.steps and name in after.steps]
    names += [name for name in before.steps if name in after.steps and name not in names]
    judge = _Judge(random, margin, confidence)
    changes = [
        judge.quantile(name, percent, before.steps[name], after.steps[name])
        for name in names
        for percent in PERCENTILES
    ]
    changes.append(judge.throughput(first, second))
    changes.append(judge.errors(first, second))
    if (cpu := judge.cpu(first, second)) is not None:
        changes.append(cpu)
    return Comparison(first, second, changes, differences(first.about, second.about), margin, confidence)


def differences(before: About, after: About) -> list[tuple[str, str, str]]:
    """Return the differences in the plans, machines and versions of two runs, as (name, before, after)."""
    pairs = (before.plan, after.plan), (before.machine, after.machine), (before.versions, after.versions)
    return [
        (name, one.get(name, "not told"), other.get(name, "not told"))
        for one, other in pairs
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    ]


def effective(series: Series) -> float:
    """Return the number of independent values that would determine a percentile as well as these values do.

    For each compared percentile, every value becomes 1 if it is above the percentile and 0 otherwise. The
    number of values is divided by 1 + 2 Σρ; the ρ are the autocorrelations of this row of 0 and 1. The sum adds
    the ρ in pairs, and ends before the first pair that is not positive (Geyer's initial positive sequence). Of
    the results for all percentiles the smallest is returned, because the ρ of a high percentile are calculated
    from few values.
    """
    values = [value for _, value in sorted(series)]
    ordered = sorted(values)
    limits = (percentile(ordered, percent) for percent in PERCENTILES)
    return min(
        (len(values) / _inflation([value > limit for value in values]) for limit in limits), default=0.0
    )


def _inflation(above: Sequence[bool]) -> float:
    count = len(above)
    # The integer has one bit for each value: 1 if the value is above the limit. To find all pairs of values at the
    # distance `lag` that are both above the limit, one AND of the integer and a copy shifted by `lag` bits is enough.
    bits = int("".join("1" if value else "0" for value in above), 2)
    mean = bits.bit_count() / count
    variance = mean * (1 - mean)
    if not variance:
        return 1.0

    def correlation(lag: int) -> float:
        left = count - lag
        earlier, later = bits >> lag, bits & ((1 << left) - 1)
        both = (
            (earlier & later).bit_count() - mean * (earlier.bit_count() + later.bit_count()) + left * mean**2
        )
        return both / count / variance

    total = 1.0
    for lag in range(1, min(count // 4, LAGS), 2):
        pair = correlation(lag) + correlation(lag + 1)
        if pair <= 0:
            break
        total += 2 * pair
    return total


class _Judge:
    """Draws random samples, computes intervals, and returns the verdict on each figure."""

    def __init__(self, random: Random, margin: float, confidence: float) -> None:
        self._random, self._margin, self._confidence = random, margin, confidence
        self._known: dict[int, float] = {}

    def quantile(self, name: str, percent: float, before: Series, after: Series) -> Change:
        what = f"p{percent:g}"
        sides = [(sorted(series.values), self._effective(series)) for series in (before, after)]
        was, now = (percentile(ordered, percent) for ordered, _ in sides)
        fewest = min(number for _, number in sides)
        needed = max(AT_LEAST, BEYOND / (1 - percent / 100))
        if fewest < needed:
            why = f"worth {fewest:.0f} values that are independent of each other; {needed:.0f} are needed"
            return Change(name, what, TIME, was, now, _ratio(was, now), math.nan, math.nan, UNDECIDED, why)
        old, new = ([self._quantile(*side, percent / 100) for _ in range(DRAWS)] for side in sides)
        return self._change(name, what, TIME, was, now, old, new)

    def throughput(self, first: Figures, second: Figures) -> Change:
        was, now = first.throughput_per_s, second.throughput_per_s
        draws = [
            self._draws(lambda run=run: self._random.gammavariate(run.people.done + 0.5, 1))  # type: ignore[misc]
            for run in (first, second)
        ]
        scaled = [
            [value * rate / max(run.people.done, 1) for value in drawn]
            for drawn, run, rate in zip(draws, (first, second), (was, now), strict=True)
        ]
        return self._change("throughput", "", RATE, was, now, *scaled, more_is_better=True)

    def errors(self, first: Figures, second: Figures) -> Change:
        shares, draws = [], []
        for run in (first, second):
            total = total_errors(run.errors.values())
            arrived = max(run.people.arrived, total, 1)
            shares.append(total / arrived)
            draws.append(
                self._draws(
                    lambda total=total, arrived=arrived: self._random.betavariate(  # type: ignore[misc]
                        total + 0.5, arrived - total + 0.5
                    )
                )
            )
        if not any(shares):
            return Change(
                "errors", "of arrivals", SHARE, 0, 0, math.nan, math.nan, math.nan, SAME, "none in either"
            )
        return self._change("errors", "of arrivals", SHARE, shares[0], shares[1], *draws)

    def cpu(self, first: Figures, second: Figures) -> Change | None:
        was, now = first.server_cpu_per_visit_s, second.server_cpu_per_visit_s
        if was is None or now is None:
            return None
        why = "one figure of each run, which has no interval"
        return Change(
            "server CPU", "a visit", TIME, was, now, _ratio(was, now), math.nan, math.nan, UNDECIDED, why
        )

    def _effective(self, series: Series) -> float:
        if id(series) not in self._known:
            self._known[id(series)] = effective(series)
        return self._known[id(series)]

    def _quantile(self, ordered: Sequence[float], number: float, share: float) -> float:
        """Return a percentile of a random sample of the observed values.

        `ordered`: the observed values, sorted; `number`: the size of the sample; `share`: the percentile, from 0 to 1.
        The sample itself is not drawn: only the rank of its percentile among the observed values is drawn, from a beta
        distribution.
        """
        rank = self._random.betavariate(share * (number + 1), (1 - share) * (number + 1))
        return ordered[min(len(ordered) - 1, int(rank * len(ordered)))]

    def _draws(self, draw: Callable[[], float]) -> list[float]:
        return [draw() for _ in range(DRAWS)]

    def _change(
        self,
        name: str,
        what: str,
        kind: Kind,
        was: float,
        now: float,
        old: Sequence[float],
        new: Sequence[float],
        *,
        more_is_better: bool = False,
    ) -> Change:
        ratios = sorted(_ratio(one, other) for one, other in zip(old, new, strict=True))
        tail = (1 - self._confidence) / 2 * 100
        low, high = percentile(ratios, tail), percentile(ratios, 100 - tail)
        if 1 - self._margin <= low and high <= 1 + self._margin:
            verdict = SAME
        elif low > 1:
            verdict = BETTER if more_is_better else WORSE
        elif high < 1:
            verdict = WORSE if more_is_better else BETTER
        else:
            verdict = UNDECIDED
        return Change(name, what, kind, was, now, _ratio(was, now), low, high, verdict)


def _ratio(before: float, after: float) -> float:
    return after / before if before else math.inf if after else math.nan
