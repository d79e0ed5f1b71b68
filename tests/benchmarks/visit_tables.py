"""Formats the figures of whole visits by rate: a Markdown table, and a plot. Does no I/O."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tests.benchmarks.figures import Load, written

COLUMNS = (
    "workers",
    "visits begin, /s",
    "end, /s",
    "CPU of the workers a visit",
    "of the store",
    "claim p50",
    "p99",
    "pulled in p99",
    "calendar p50",
    "p99",
)
PICTURES = {
    "visits.svg": "What a visit costs and how long claims take, as more begin",
    "visits-flame.svg": "Where a worker spends its time in whole visits",
}
"""The file name of a picture -> its description."""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 56, 150, 24, 40


class Line(NamedTuple):
    """A line of the plot: the field of `Load` that it shows, its name in the plot, and its colour."""

    field: str
    name: str
    colour: str


LINES = (
    Line("claim_p50_ms", "claim, p50", "#1f6f5c"),
    Line("claim_p99_ms", "claim, p99", "#b4552d"),
    Line("workers_ms", "CPU of a visit", "#3d5a99"),
    Line("store_ms", "of the store", "#7a7a7a"),
)


def cells(load: Load) -> list[str]:
    """Return the texts of a row of the table, in the order of COLUMNS."""
    times_ms = (
        load.workers_ms,
        load.store_ms,
        load.claim_p50_ms,
        load.claim_p99_ms,
        load.pulled_in_p99_ms,
        load.arrive_p50_ms,
        load.arrive_p99_ms,
    )
    return [
        str(load.workers),
        written(load.rate),
        written(load.ended),
        *(f"{written(value)} ms" for value in times_ms),
    ]


def table(loads: Sequence[Load]) -> list[str]:
    """Return the lines of a Markdown table of these figures, one row for each rate."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---:|' * len(COLUMNS)}"]
    return lines + [f"| {' | '.join(cells(load))} |" for load in loads]


def picture(loads: Sequence[Load]) -> str:
    """Return the figures by rate as an SVG picture with logarithmic axes: full lines for one worker, dashed for two."""
    values = [max(0.01, getattr(load, line.field)) for load in loads for line in LINES]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    rates = sorted({load.rate for load in loads})
    least, most = math.log10(rates[0]), math.log10(rates[-1])

    def x(rate: float) -> float:
        share = (math.log10(rate) - least) / ((most - least) or 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(ms: float) -> float:
        share = (math.log10(max(0.01, ms)) - low) / ((high - low) or 1)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{PICTURES['visits.svg']}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}" stroke="#e2e2e2"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{10.0**power:g} ms</text>')
    parts += [f'<text x="{x(rate)}" y="{HEIGHT - 18}" text-anchor="middle">{rate:g}</text>' for rate in rates]
    middle = (LEFT + WIDTH - RIGHT) / 2
    words = "visits a second; full lines: one worker, dashed: two"
    parts.append(f'<text x="{middle}" y="{HEIGHT - 3}" text-anchor="middle">{words}</text>')
    for number, line in enumerate(LINES):
        for workers in sorted({load.workers for load in loads}):
            ends = [(x(load.rate), y(getattr(load, line.field))) for load in loads if load.workers == workers]
            joined = " ".join(f"{at},{height}" for at, height in ends)
            dashes = "" if workers == 1 else ' stroke-dasharray="5 4"'
            parts.append(
                f'<polyline points="{joined}" fill="none" stroke="{line.colour}" stroke-width="2"{dashes}/>'
            )
            parts += [f'<circle cx="{at}" cy="{height}" r="3" fill="{line.colour}"/>' for at, height in ends]
        label = TOP + 16 * number
        parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{label}" fill="{line.colour}">{line.name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
