"""Checks thresholds given on the command line, such as `pulled_in.p99>5ms`, for use in continuous integration.

An expression describes a failure, so the threshold `pulled_in.p99>5ms` is broken if the expression is true. The
threshold is also broken if the run has no value of the step `pulled_in`, because a run that measured nothing
must not pass.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from web.peers.errors import ThresholdError
from web.peers.report.figures import COUNTS, GAUGES, combine, gauge, people, percentile, throughput
from web.peers.report.units import COUNT, RATE, SHARE, TIME, Kind, gauge_kind, written
from web.peers.run.observations import STEPS, Observations

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
STATISTICS = ("min", "mean", "p50", "p90", "p99", "max", "count")
OF_GAUGES = ("mean", "max", "last")
EXPRESSION = re.compile(
    r"(?P<subject>[^\s<>=]+)(?P<operator>[<>]=?)(?P<number>\d+(?:\.\d+)?)(?P<unit>[^\d\s.]*)"
)
CLOSED = re.compile(r"closed_\d{4}")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


class Threshold(msgspec.Struct, frozen=True):
    """A parsed expression, such as `pulled_in.p99>5ms`: name, statistic, comparison, limit.

    `family`: the kind of thing that `name` names: a step, a gauge, a count, errors or the throughput. `limit`: in the
    base unit of `kind`.
    """

    expression: str
    family: str
    name: str
    statistic: str
    compare: str
    limit: float
    kind: Kind


class Verdict(msgspec.Struct, frozen=True):
    """The result of one threshold in a run. `value`: the observed value, None if there is none."""

    expression: str
    broken: bool
    value: float | None
    says: str


def judge(seen: Observations, thresholds: Sequence[str]) -> list[str]:
    """Return a sentence for each threshold that the run breaks. Raises ThresholdError if a threshold is not valid."""
    return [verdict.says for verdict in verdicts(seen, thresholds) if verdict.broken]


def verdicts(seen: Observations, thresholds: Sequence[str]) -> list[Verdict]:
    """Return the result of each threshold for the observations `seen`. Raises ThresholdError if a threshold is not
    valid.
    """
    read = [parse(expression, seen.steps, seen.gauges, seen.counts) for expression in thresholds]
    return [_verdict(threshold, seen) for threshold in read]


def broken_already(seen: Observations, thresholds: Sequence[str]) -> str:
    """Return a sentence about the first threshold that a run breaks while it goes on; "" if there is none.

    A threshold is not broken while there is no value of its step. Raises ThresholdError if a threshold is not valid.
    """
    return next((one.says for one in verdicts(seen, thresholds) if one.broken and one.value is not None), "")


def parse(
    expression: str,
    steps: Collection[str] = (),
    gauges: Collection[str] = (),
    counts: Collection[str] = (),
) -> Threshold:
    """Return the threshold that an expression such as `pulled_in.p99>5ms` means.

    `steps`, `gauges` and `counts`: names that are allowed in addition to the names that every run has. Raises
    ThresholdError if the expression is not valid; the error's text says what is expected.
    """
    text = re.sub(r"\s+", "", expression)
    match = EXPRESSION.fullmatch(text)
    if match is None:
        raise ThresholdError(
            f"{expression!r}: expected something like pulled_in.p99>5ms, errors>0 or throughput<90/s"
        )
    name, _, statistic = match["subject"].partition(".")
    family = _family(expression, name, statistic, steps, gauges, counts)
    kind = _kind(family, name, statistic, match["unit"])
    scale = kind.units.get(match["unit"])
    if scale is None:
        units = ", ".join(unit or "none" for unit in kind.units)
        found = f"found {match['unit']!r}" if match["unit"] else "found none"
        raise ThresholdError(f"{expression!r}: expected a unit ({units}); {found}")
    limit = float(match["number"]) * scale
    return Threshold(text, family, name, statistic, match["operator"], limit, kind)


def _family(
    expression: str,
    name: str,
    statistic: str,
    steps: Collection[str],
    gauges: Collection[str],
    counts: Collection[str],
) -> str:
    if name == "errors":
        return "errors"
    if name == "throughput" and not statistic:
        return "throughput"
    known_steps = [*STEPS, *(step for step in steps if step not in STEPS)]
    if name in known_steps:
        if statistic not in STATISTICS and not PERCENTILE.fullmatch(statistic):
            raise ThresholdError(
                f"{expression!r}: expected {name}. with one of {', '.join(STATISTICS)}, or any percentile as in p99.9"
            )
        return "step"
    known_gauges = sorted({*GAUGES, *gauges})
    if name in known_gauges:
        if statistic not in OF_GAUGES:
            raise ThresholdError(f"{expression!r}: expected {name}. with one of {', '.join(OF_GAUGES)}")
        return "gauge"
    known_counts = sorted({*COUNTS, *counts})
    if not statistic and (name in known_counts or CLOSED.fullmatch(name)):
        return "count"
    raise ThresholdError(
        f"{expression!r}: there is no {name!r}; steps: {', '.join(known_steps)}; gauges: {', '.join(known_gauges)}; "
        f"counts: {', '.join(known_counts)}; or errors, throughput"
    )


def _kind(family: str, name: str, statistic: str, unit: str) -> Kind:
    if family == "step":
        return COUNT if statistic == "count" else TIME
    if family == "gauge":
        return gauge_kind(name)
    if family == "errors" and unit == "%":
        return SHARE
    return RATE if family == "throughput" else COUNT


def _verdict(threshold: Threshold, seen: Observations) -> Verdict:
    value = _value(threshold, seen)
    if value is None:
        return Verdict(
            threshold.expression, True, None, f"{threshold.expression}: no {threshold.name} was seen"
        )
    broken = OPERATORS[threshold.compare](value, threshold.limit)
    says = f"{threshold.expression}: it was {written(value, threshold.kind)}"
    return Verdict(threshold.expression, broken, value, says)


def _value(threshold: Threshold, seen: Observations) -> float | None:
    """Return the value that a threshold compares with its limit; None if nothing was observed.

    Only this value is calculated, and not all figures: while a run goes on, its thresholds are checked each second.
    """
    name, statistic = threshold.name, threshold.statistic
    if threshold.family == "throughput":
        return throughput(seen)
    if threshold.family == "count":
        return int(sum(seen.counts[name].values)) if name in seen.counts else 0
    if threshold.family == "errors":
        total = sum(len(series) for code, series in seen.errors.items() if statistic in ("", code))
        return total / max(1, people(seen).arrived) if threshold.kind is SHARE else total
    if threshold.family == "gauge":
        if name not in seen.gauges:
            return None
        one = gauge(list(seen.gauges[name].values()), seen.duration_s, combine(name))
        return {"mean": one.mean, "max": one.max, "last": one.last}[statistic]
    series = seen.steps.get(name)
    if statistic == "count":
        return len(series) if series else 0
    if not series:
        return None
    if statistic == "mean":
        return math.fsum(series.values) / len(series)
    percent = {"min": 0.0, "max": 100.0}.get(statistic)
    return percentile(sorted(series.values), float(statistic[1:]) if percent is None else percent)
