"""Calculates plots as shapes: the position of each line, bar, mark and label of an SVG. The template only draws them.

Lengths are in the units of the SVG's view box. Durations are on a logarithmic scale, except in plots over time, in
which they are on a linear scale from 0. A `Tick` is a label at a position on an axis, or a mark with a text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from web.peers.report.figures import Bucket, StepFigures, percentile
from web.peers.report.units import TIME, Kind, number, unit_for, written
from web.reports.scale import Tick, log_ticks, nice_step

WIDTH, HEIGHT = 480, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 26
RIGHT_END, BASE = WIDTH - RIGHT, HEIGHT - BOTTOM
STRIP = 200
RATIOS = ((1.5, 1.2), (2, 1.4), (4, 2), (10, 3), (100, 10))
"""The possible scales of ratios: (the greatest ratio on the scale, a smaller ratio that has a label, too)."""
SHARES = 120
MARKS_WITH_TEXT = 6


class Polyline(NamedTuple):
    """A line over time. `pieces`: for each part without a gap, its points as SVG text; `kind`: the line's CSS class."""

    kind: str
    name: str
    pieces: list[str]


class Box(NamedTuple):
    """A rectangle, and the tooltip that it shows."""

    x: float
    y: float
    width: float
    height: float
    title: str


class Plot(NamedTuple):
    """All shapes of a plot.

    `zones`: invisible areas over the full height of the plot, one for each interval of time; a zone's tooltip
    shows the figures of its interval.
    """

    label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    bars: list[Box]
    lines: list[Polyline]
    marks: list[Tick]
    zones: list[Box]


class Curve(NamedTuple):
    """One line of a plot as data. `points`: pairs of a time in s and a value; the value nan makes a gap in the line."""

    kind: str
    name: str
    points: Sequence[tuple[float, float]]


class Interval(NamedTuple):
    """A ratio with its confidence interval (`low` to `high`), as positions on a logarithmic scale.

    The interval is drawn in a row of a table. A value outside the scale is drawn at the edge of the scale.
    """

    low: float
    high: float
    ratio: float


class Strip(NamedTuple):
    """The durations of a step, drawn in a row of a table.

    A line leads from the shortest to the longest duration, a box from p50 to p90, and there are marks at p50 and
    p99.
    """

    low: float
    begin: float
    end: float
    high: float
    p50: float
    p99: float


def histogram_plot(label: str, step: StepFigures) -> Plot:
    """Return the histogram of a step's durations, with its p50 and p99. `label`: a description for screen readers."""
    bins = step.histogram
    low, high = bins[0].low_s, bins[-1].high_s
    most = max(one.count for one in bins)
    top, y_ticks = _scale(most, None)
    bars = []
    for one in bins:
        x, end = _log(one.low_s, low, high), _log(one.high_s, low, high)
        height = (BASE - TOP) * one.count / top
        if one.count:
            title = f"{written(one.low_s, TIME)} to {written(one.high_s, TIME)}: {number(one.count)}"
            bars.append(Box(x, _short(BASE - height), _short(max(end - x - 1, 1)), _short(height), title))
    ticks = [Tick(_log(value, low, high), written(value, TIME)) for value in log_ticks(low, high)]
    marks = [
        Tick(_log(min(max(value, low), high), low, high), name)
        for name, value in (("p50", step.p50_s), ("p99", step.p99_s))
    ]
    return Plot(f"How long: {label}", ticks, y_ticks, bars, [], marks, [])


def over_time_plot(label: str, buckets: Sequence[Bucket], width_s: float, duration_s: float) -> Plot:
    """Return a plot of two lines over time: the p50 and the p99 of each interval of `width_s` seconds.

    `label`: a description of the plot; `buckets`: the figures of the intervals; `duration_s`: the length of the run.
    """
    p50 = Curve("one", "p50", [(one.begin_s + width_s / 2, one.p50_s) for one in buckets])
    p99 = Curve("two", "p99", [(one.begin_s + width_s / 2, one.p99_s) for one in buckets])
    titles = [
        f"{number(one.begin_s)} s: p50 {written(one.p50_s, TIME)}, p99 {written(one.p99_s, TIME)}, "
        f"{number(one.count)} seen"
        for one in buckets
    ]
    zones = [
        (one.begin_s, one.begin_s + width_s, title)
        for one, title in zip(buckets, titles, strict=True)
        if one.count
    ]
    return curves_plot(f"Over time: {label}", [p50, p99], TIME, duration_s, zones)


def curves_plot(
    label: str,
    curves: Sequence[Curve],
    kind: Kind,
    duration_s: float,
    zones: Iterable[tuple[float, float, str]] = (),
) -> Plot:
    """Return a plot of lines over the time of the run, on one scale from 0.

    `label`: a description of the plot; `kind`: the kind of the figures, for units; `zones`: (start in s, end in s,
    tooltip) of each zone.
    """
    values = [value for curve in curves for _, value in curve.points if not math.isnan(value)]
    top, y_ticks = _scale(max(values, default=0), kind)
    end_s = max(duration_s, 1e-3)

    def x(at_s: float) -> float:
        return _short(LEFT + (RIGHT_END - LEFT) * min(at_s, end_s) / end_s)

    lines = []
    for curve in curves:
        pieces: list[list[str]] = [[]]
        for at_s, value in curve.points:
            if math.isnan(value):
                pieces.append([])
            else:
                pieces[-1].append(f"{x(at_s)},{_short(BASE - (BASE - TOP) * value / top)}")
        # A point between two gaps becomes a line of length 0, which is visible because its ends are round.
        drawn = [" ".join(piece if len(piece) > 1 else piece * 2) for piece in pieces if piece]
        lines.append(Polyline(curve.kind, curve.name, drawn))
    step = nice_step(end_s, 6)
    x_ticks = [Tick(x(step * at), f"{number(step * at)} s") for at in range(int(end_s / step + 1e-9) + 1)]
    boxes = [
        Box(x(begin_s), TOP, _short(max(x(end) - x(begin_s), 1)), BASE - TOP, title)
        for begin_s, end, title in zones
    ]
    return Plot(label, x_ticks, y_ticks, [], lines, [], boxes)


def with_faults(plot: Plot, faults: Sequence[tuple[float, str]], duration_s: float) -> Plot:
    """Return `plot`, a plot over time, with a mark at each fault. `faults`: (time in s, kind) of each.

    If there are more than MARKS_WITH_TEXT faults, no mark has a text, because the texts would overlap. `duration_s`:
    the length of the run.
    """
    end_s = max(duration_s, 1e-3)
    marks = [
        Tick(
            _short(LEFT + (RIGHT_END - LEFT) * min(at_s, end_s) / end_s),
            kind if len(faults) <= MARKS_WITH_TEXT else "",
        )
        for at_s, kind in faults
    ]
    return plot._replace(marks=marks)


def strips(steps: Iterable[StepFigures]) -> tuple[list[Strip], list[Tick]]:
    """Return the strips of all steps on one logarithmic scale of width STRIP, and the labels of this scale."""
    chosen = list(steps)
    if not chosen:
        return [], []
    low = max(1e-6, min(step.min_s for step in chosen))
    high = max(low * 1.01, *(step.max_s for step in chosen))

    def x(value: float) -> float:
        return _short(STRIP * math.log(max(value, low) / low) / math.log(high / low))

    made = [
        Strip(x(step.min_s), x(step.p50_s), x(step.p90_s), x(step.max_s), x(step.p50_s), x(step.p99_s))
        for step in chosen
    ]
    return made, [Tick(x(value), written(value, TIME)) for value in log_ticks(low, high, 5)]


def share_plot(label: str, curves: Sequence[tuple[str, str, Sequence[float]]]) -> Plot:
    """Return a plot of cumulative distributions. Each curve is (CSS class, name, sorted values).

    `label`: a description of the plot for screen readers.
    """
    low = max(1e-6, min(values[0] for _, _, values in curves))
    high = max(low * 1.01, *(values[-1] for _, _, values in curves))
    lines = []
    for css, name, values in curves:
        chosen = sorted({min(len(values) - 1, len(values) * at // SHARES) for at in range(SHARES + 1)})
        points = (
            f"{_log(max(values[at], low), low, high)},{_short(BASE - (BASE - TOP) * (at + 1) / len(values))}"
            for at in chosen
        )
        lines.append(Polyline(css, name, [" ".join(points)]))
    x_ticks = [Tick(_log(value, low, high), written(value, TIME)) for value in log_ticks(low, high)]
    y_ticks = [
        Tick(_short(BASE - (BASE - TOP) * percent / 100), f"{percent}%") for percent in (0, 25, 50, 75, 100)
    ]
    return Plot(label, x_ticks, y_ticks, [], lines, [], [])


def intervals(ratios: Sequence[tuple[float, float, float]]) -> tuple[list[Interval], list[Tick]]:
    """Return (the confidence intervals of ratios as positions, the labels of their scale); the scale is logarithmic.

    Each of `ratios` is (low end of its interval, ratio, high end). The scale has the width STRIP, and the ratio
    1 is in its middle. Of the scales in RATIOS, the first is used that contains 90 % of the intervals; if no
    scale does, the last scale is used. A value outside the scale is drawn at its edge.
    """
    reach = sorted(max(high, 1 / max(low, 1e-9)) for low, _, high in ratios)
    wanted = percentile(reach, 90) if reach else 1.0
    end, between = next((one for one in RATIOS if one[0] >= wanted), RATIOS[-1])

    def x(value: float) -> float:
        share = (1 + math.log(max(value, 1e-9)) / math.log(end)) / 2
        return _short(STRIP * min(max(share, 0.0), 1.0))

    made = [Interval(x(low), x(high), x(ratio)) for low, ratio, high in ratios]
    return made, [Tick(x(at), f"{at:.2g}") for at in (1 / end, 1 / between, 1, between, end)]


def _scale(highest: float, kind: Kind | None) -> tuple[float, list[Tick]]:
    """Return (the highest value of a scale that begins at 0 and contains `highest`, the labels of this scale).

    `kind`: the kind of the figures, for their unit; if it is None, the labels are whole numbers.
    """
    if kind is None or not kind.shown[0]:
        unit, one = "", 1.0
        step = max(1.0, nice_step(highest))
    else:
        # All labels have the unit of the highest label, such as 0.5 s and 1 s, not 500 ms and 1 s.
        one = kind.units[unit_for(highest, kind)]
        unit = unit_for(_top(highest / one) * one, kind)
        one = kind.units[unit]
        step = nice_step(highest / one)
    count = max(1, math.ceil(highest / one / step - 1e-9))
    gap = "" if not unit or unit in ("%", "/s") else " "
    ticks = [
        Tick(_short(BASE - (BASE - TOP) * at / count), f"{step * at:,.6g}{gap}{unit}" if at else "0")
        for at in range(count + 1)
    ]
    return step * count * one, ticks


def _top(highest: float) -> float:
    step = nice_step(highest)
    return step * max(1, math.ceil(highest / step - 1e-9))


def _log(value: float, low: float, high: float) -> float:
    share = math.log(value / low) / math.log(high / low)
    return _short(LEFT + (RIGHT_END - LEFT) * min(max(share, 0.0), 1.0))


def _short(value: float) -> float:
    return round(value, 1)
