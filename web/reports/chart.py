"""Calculates a bar chart as shapes: the position of each bar, tick and label. The template only draws them.

Lengths are in the units of the SVG's view box. Bars with the same label are stacked. A mark is a short line across a
bar, at a value of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from web.reports.scale import Tick, nice_step

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 12, 28
LABELS_AT_MOST = 10
TICKS = 5


class Series(NamedTuple):
    """The bars of one kind, with a value for each label. `kind`: the CSS class for their colour."""

    name: str
    kind: str
    values: Sequence[float]


class Bar(NamedTuple):
    """The rectangle of one bar in the chart. `kind`: the CSS class for its colour."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Mark(NamedTuple):
    """A short horizontal line across a bar, at the height of its own value."""

    kind: str
    x: float
    y: float
    width: float


class Chart(NamedTuple):
    """The sizes, bars, marks, ticks and labels of a bar chart, in units of the view box of its SVG."""

    width: int
    height: int
    left: int
    right: float
    base: float
    bars: list[Bar]
    marks: list[Mark]
    ticks: list[Tick]
    labels: list[Tick]


def chart(labels: Sequence[str], stacked: Sequence[Series], marks: Sequence[Series] = ()) -> Chart:
    """Return a bar chart. `stacked`: the series whose bars are stacked; `marks`: the series whose values become marks.

    Each series has one value for each label.
    """
    tops = [sum(series.values[at] for series in stacked) for at in range(len(labels))]
    highest = max([1.0, *tops, *(value for series in marks for value in series.values)])
    step = max(1.0, nice_step(highest, TICKS))
    count = int(-(-highest // step))
    base, scale = HEIGHT - BOTTOM, (HEIGHT - TOP - BOTTOM) / (count * step)
    pitch = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    width = round(min(pitch * 0.72, 44), 2)
    bars, lines = [], []
    for at in range(len(labels)):
        x, y = round(LEFT + pitch * at + (pitch - width) / 2, 2), float(base)
        for series in stacked:
            height = series.values[at] * scale
            y -= height
            if height:
                bars.append(Bar(series.kind, x, round(y, 2), width, round(height, 2)))
        lines += [
            Mark(series.kind, x, round(base - series.values[at] * scale, 2), width)
            for series in marks
            if series.values[at]
        ]
    every = -(-len(labels) // LABELS_AT_MOST)
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        base=base,
        bars=bars,
        marks=lines,
        ticks=[Tick(round(base - step * at * scale, 2), f"{step * at:g}") for at in range(count + 1)],
        labels=[
            Tick(round(LEFT + pitch * (at + 0.5), 2), text)
            for at, text in enumerate(labels)
            if at % every == 0
        ],
    )
