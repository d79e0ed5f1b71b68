"""Calculates the figures of a run: durations of steps, numbers of patients, rates, gauges and errors.

A step is a part of a visit, such as the wait for a provider. For each step there are percentiles, a
histogram, and the change over time. Percentiles are by nearest rank, so each is a value that was observed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import msgspec

from web.peers.run.faults import KINDS
from web.peers.run.observations import STEPS, About, Observations, Series
from web.reports.scale import nice_step

BINS = 36
BUCKETS = 40
RECENT = 1000
"""During a run, a step's percentiles are calculated from this number of its last values, to save CPU."""
GAUGES = (
    "waiting in_call server_cpu server_rss store_cpu store_rss driver_cpu driver_lag machine_cpu"
).split()
"""The gauges (values that go up and down) that the load tester records in every scenario.

`waiting` and `in_call` are people, `…_cpu` busy cores, `…_rss` resident bytes. `driver_lag` is the delay in s of the
event loop of a driver (a process that plays people).
"""
COUNTS = ["claims_lost", "freezes", "asked_to_wait", "reloads", "vanished", *KINDS]
"""The counts that the load tester records in every scenario.

It also records counts such as `closed_4002`, the number of connections that were closed with this code.
"""


class Bin(msgspec.Struct, frozen=True):
    """One bar of a histogram: the number of values from `low_s` up to `high_s`."""

    low_s: float
    high_s: float
    count: int


class Bucket(msgspec.Struct, frozen=True):
    """One interval of time, which begins at `begin_s`: the number of values observed in it, and two percentiles."""

    begin_s: float
    count: int
    p50_s: float
    p99_s: float


class StepFigures(msgspec.Struct, frozen=True):
    """The figures of the durations of one step of visits, in seconds."""

    count: int
    mean_s: float
    min_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float
    histogram: list[Bin]
    over_time: list[Bucket]


class GaugeFigures(msgspec.Struct, frozen=True):
    """The figures of one gauge (a value that goes up and down), combined from all processes as `combine` defines.

    `over_time`: pairs of a time in s and the value at that time.
    """

    mean: float
    max: float
    last: float
    over_time: list[tuple[float, float]]


class ErrorFigures(msgspec.Struct, frozen=True):
    """The figures of one kind of error: the number of errors, the times of the first and the last error, and a
    few texts.
    """

    count: int
    first_s: float
    last_s: float
    examples: list[str]


class PatientCounts(msgspec.Struct, frozen=True):
    """The numbers of patients: arrived so far, waiting now, in a call now, and done."""

    arrived: int
    waiting: int
    in_call: int
    done: int


class Figures(msgspec.Struct, frozen=True):
    """The figures of a whole run.

    `arrivals`, `departures` and `failures` (errors) have one number for each interval of `width_s` seconds. `faults`:
    the time in s and the kind of each fault that the load tester caused in the server.
    """

    started: str
    duration_s: float
    people: PatientCounts
    throughput_per_s: float
    width_s: float
    arrivals: list[int]
    departures: list[int]
    failures: list[int]
    steps: dict[str, StepFigures]
    gauges: dict[str, GaugeFigures]
    counts: dict[str, int]
    errors: dict[str, ErrorFigures]
    server_cpu_per_visit_s: float | None
    driver_cpu_per_visit_s: float | None
    about: About
    faults: list[tuple[float, str]] = []


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the percentile `percent` (0 to 100) of sorted values, by nearest rank; nan if there are no values."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(len(ordered) * percent / 100 - 1e-9) - 1)]


def recent(series: Series) -> tuple[float, float]:
    """Return the p50 and the p99 of the newest RECENT values; nan if there are no values."""
    ordered = sorted(series.values[-RECENT:])
    return percentile(ordered, 50), percentile(ordered, 99)


def combine(name: str) -> Callable[[list[float]], float]:
    """Return the function that makes one value of a gauge from the values of several processes.

    Values are added, except the delays of event loops: of these the greatest is used.
    """
    return max if name.endswith("_lag") else math.fsum


def figures(seen: Observations) -> Figures:
    """Return all figures that the report shows of a run. `seen`: the observations of the run."""
    duration_s = seen.duration_s
    width_s = bucket_width(duration_s)
    order = [name for name in STEPS if name in seen.steps]
    order += [name for name in seen.steps if name not in STEPS]
    gauges = {
        name: gauge(list(sources.values()), duration_s, combine(name))
        for name, sources in sorted(seen.gauges.items())
    }
    now = people(seen)
    return Figures(
        started=datetime.fromtimestamp(seen.started_at, UTC).isoformat(timespec="seconds"),
        duration_s=duration_s,
        people=now,
        throughput_per_s=throughput(seen),
        width_s=width_s,
        arrivals=per_bucket(seen.steps.get("arrive"), width_s, duration_s),
        departures=per_bucket(seen.steps.get("journey"), width_s, duration_s),
        failures=[
            sum(many)
            for many in zip(
                *(per_bucket(series, width_s, duration_s) for series in [Series(), *seen.errors.values()]),
                strict=True,
            )
        ],
        steps={name: step(seen.steps[name], width_s, duration_s) for name in order},
        gauges=gauges,
        counts={name: int(sum(series.values)) for name, series in sorted(seen.counts.items())},
        errors={
            code: ErrorFigures(len(series), min(series.at), max(series.at), seen.examples.get(code, []))
            for code, series in sorted(seen.errors.items(), key=lambda item: -len(item[1]))
        },
        server_cpu_per_visit_s=_for_each("server_cpu", seen, now.done),
        driver_cpu_per_visit_s=_for_each("driver_cpu", seen, now.done),
        about=seen.about,
        faults=sorted((at_s, kind) for kind in KINDS for at_s in seen.counts.get(kind, Series()).at),
    )


def step(series: Series, width_s: float, duration_s: float) -> StepFigures:
    """Return the figures of one step: percentiles, a histogram, and percentiles for each interval of time.

    `width_s`: the length of an interval; `duration_s`: the length of the run.
    """
    ordered = sorted(series.values)
    return StepFigures(
        count=len(ordered),
        mean_s=math.fsum(ordered) / len(ordered) if ordered else math.nan,
        min_s=percentile(ordered, 0),
        p50_s=percentile(ordered, 50),
        p90_s=percentile(ordered, 90),
        p99_s=percentile(ordered, 99),
        max_s=percentile(ordered, 100),
        histogram=histogram(ordered),
        over_time=over_time(series, width_s, duration_s),
    )


def histogram(ordered: Sequence[float], bins: int = BINS) -> list[Bin]:
    """Return `bins` bars of equal width on a logarithmic scale from the shortest value to the longest.

    Return [] if there are no values.
    """
    if not ordered:
        return []
    low = max(ordered[0], 1e-6)
    high = max(ordered[-1], low)
    # If all values are the same, the scale is made wider than the values. Otherwise the only bar would fill the whole
    # width of the plot.
    middle = math.sqrt(low * high)
    low, high = min(low, middle / 1.25), max(high, middle * 1.25)
    edges = [low * (high / low) ** (at / bins) for at in range(bins + 1)]
    cuts = [0, *(bisect_left(ordered, edge) for edge in edges[1:-1]), len(ordered)]
    return [Bin(edges[at], edges[at + 1], cuts[at + 1] - cuts[at]) for at in range(bins)]


def bucket_width(duration_s: float, most: int = BUCKETS) -> float:
    """Return a round width in s, at least 0.1, so that at most `most` intervals cover the duration."""
    return round(nice_step(max(duration_s, 0.1 * most), most), 6)


def over_time(series: Series, width_s: float, duration_s: float) -> list[Bucket]:
    """Return the count, the p50 and the p99 of the values in each period of `width_s` seconds.

    The periods cover the run from 0 to `duration_s` seconds. In a period without values the count is 0, and the
    percentiles are nan.
    """
    kept: list[list[float]] = [[] for _ in range(_stretches(width_s, duration_s))]
    for at, value in series:
        kept[min(len(kept) - 1, int(at / width_s))].append(value)
    made = []
    for number, values in enumerate(kept):
        values.sort()
        begin_s = round(number * width_s, 6)
        made.append(Bucket(begin_s, len(values), percentile(values, 50), percentile(values, 99)))
    return made


def per_bucket(series: Series | None, width_s: float, duration_s: float) -> list[int]:
    """Return the number of values in each period of `width_s` seconds, from 0 to `duration_s`."""
    found = [0] * _stretches(width_s, duration_s)
    for at in series.at if series else ():
        found[min(len(found) - 1, int(at / width_s))] += 1
    return found


def gauge(
    sources: Sequence[Series], duration_s: float, combined: Callable[[list[float]], float] = math.fsum
) -> GaugeFigures:
    """Return the figures of one gauge for the whole run, made from the series of all its processes.

    At each moment its value is `combined` (by default the sum) of the newest values of all processes.
    """
    events = sorted((at, source, value) for source, series in enumerate(sources) for at, value in series)
    now = [0.0] * len(sources)
    total: list[tuple[float, float]] = []
    for at, source, value in events:
        now[source] = value
        total.append((at, combined(now)))
    values = [value for _, value in total]
    mean = math.fsum(values) / len(values) if values else math.nan
    if not total:
        return GaugeFigures(mean, math.nan, math.nan, [])
    shown = thinned(total)
    if shown[-1][0] < duration_s:
        shown.append((duration_s, values[-1]))
    return GaugeFigures(mean, max(values), values[-1], shown)


def thinned(points: Sequence[tuple[float, float]], most: int = 4 * BUCKETS) -> list[tuple[float, float]]:
    """Return at most `most` + 1 of the points.

    From each group of neighbouring points the highest is kept, so that no peak is lost. The last point is always kept.
    """
    every = max(1, -(-len(points) // most))
    groups = (points[at : at + every] for at in range(0, len(points), every))
    kept = [max(group, key=lambda point: point[1]) for group in groups]
    return [*kept, points[-1]] if points and kept[-1] != points[-1] else kept


def integral(series: Series) -> float:
    """Return the sum of a gauge's values, each multiplied by the time in s since the previous value."""
    pairs = list(series)
    return math.fsum(value * (at - before) for (before, _), (at, value) in pairwise(pairs))


def people(seen: Observations) -> PatientCounts:
    """Return the number of patients in each state.

    `waiting` and `in_call` are the newest values of the gauges with these names. The other numbers, and these two if
    there is no gauge, are counted from the steps.
    """
    done = {name: len(series) for name, series in list(seen.steps.items())}
    arrived = done.get("arrive", 0)
    waiting = max(0, arrived - done.get("pulled_in", 0))
    in_call = max(0, done.get("started", 0) - done.get("hang_up", 0))
    return PatientCounts(
        arrived=arrived,
        waiting=_last(seen, "waiting", waiting),
        in_call=_last(seen, "in_call", in_call),
        done=done.get("journey", 0),
    )


def _for_each(name: str, seen: Observations, visits: int) -> float | None:
    """Return the integral of a gauge over time, divided by the number of visits, such as the CPU time in s per visit.

    `name`: the gauge; `seen`: the observations of the run. Returns None if no process has two values of the gauge, or
    if there was no visit.
    """
    found = [series for series in seen.gauges.get(name, {}).values() if len(series) > 1]
    return sum(integral(series) for series in found) / visits if found and visits else None


def _last(seen: Observations, name: str, otherwise: int) -> int:
    sources = seen.gauges.get(name)
    if not sources:
        return otherwise
    return int(sum(series.values[-1] for series in list(sources.values()) if len(series)))


def throughput(seen: Observations) -> float:
    """Return the number of whole visits per second, from the end of the first visit to the end of the last visit.

    The time before the first end is left out, because it depends on how long people talk, not on what the
    server can do. If only one visit ended, the whole run is used.
    """
    ends = seen.steps.get("journey", Series()).at
    if len(ends) < 2:
        return len(ends) / seen.duration_s if ends and seen.duration_s else 0.0
    took_s = max(ends) - min(ends)
    return (len(ends) - 1) / took_s if took_s else 0.0


def total_errors(counts: Iterable[ErrorFigures]) -> int:
    """Return the number of all errors, of all kinds together."""
    return sum(error.count for error in counts)


def _stretches(width_s: float, duration_s: float) -> int:
    return max(1, math.ceil(duration_s / width_s - 1e-9))
