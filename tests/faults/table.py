"""Makes the table of `make faults` as Markdown: first each figure with its bound, then each test with its result."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec


class Figure(NamedTuple):
    """One measured figure.

    `row`: the row of RELIABILITY.md or SECURITY.md to which it belongs. `at_most`: the bound, in `unit`.
    """

    row: str
    what: str
    value: float
    unit: str
    at_most: float
    test: str


class Ran(msgspec.Struct, frozen=True):
    """The newest run of a test: whether it passed, its duration in s, its figures, and its date."""

    passed: bool
    seconds: float
    figures: list[Figure]
    when: str


def read(path: Path) -> dict[str, Ran]:
    """Return test -> its newest run, from a file of results; empty if there is no such file."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Ran]) if path.exists() else {}


def written(ran: Mapping[str, Ran]) -> str:
    """Return the results as the text of a file that `read` can read."""
    return msgspec.json.format(msgspec.json.encode(dict(sorted(ran.items())))).decode() + "\n"


def markdown(ran: Mapping[str, Ran], machine: str) -> str:
    """Return the table of all figures and tests as Markdown.

    `ran`: test -> its newest run. `machine`: its description.
    """
    lines = [
        "# Faults: what was broken, and what was measured",
        "",
        f"Written by `make faults` ({machine}); docs/RELIABILITY.md says what each row promises.",
        "",
        "| row | figure | measured | at most | |",
        "|---|---|---:|---:|---|",
    ]
    figures = [figure for test in ran.values() for figure in test.figures]
    for figure in sorted(figures, key=lambda figure: (figure.row[:1], _number(figure.row), figure.what)):
        held = "ok" if figure.value <= figure.at_most else "MISS"
        value, bound = _with_unit(figure.value, figure.unit), _with_unit(figure.at_most, figure.unit)
        lines.append(f"| {figure.row} | {figure.what} | {value} | {bound} | {held} |")
    lines += ["", "| test | when | seconds | |", "|---|---|---:|---|"]
    for name, test in sorted(ran.items()):
        lines.append(f"| {name} | {test.when} | {test.seconds:.1f} | {'ok' if test.passed else 'FAILED'} |")
    return "\n".join(lines) + "\n"


HEADLINES = {
    "R22": ("picture and sound", "two owners"),
    "R23": ("calls touched",),
    "R24": ("deliveries",),
    "R25": ("60 dead peers",),
    "R30": ("kill -9",),
    "R32": ("search at",),
    "R36": ("largest share",),
    "S30": ("others' slowest",),
    "F": ("histories: owners", "histories: acknowledged", "histories: screens"),
}
"""The figures that the README shows: row -> how the names of these figures begin."""
BEGIN, END = "<!-- table of faults: made by `make faults` -->\n", "<!-- end of the table of faults -->\n"


def readme(ran: Mapping[str, Ran]) -> str:
    """Return the lines of the table that the README shows."""
    shown = [
        figure
        for test in ran.values()
        for figure in test.figures
        if figure.what.startswith(HEADLINES.get(figure.row, ()) or ("\n",))
    ]
    lines = ["\n| what was broken, what was measured | value | at most |\n|---|---:|---:|\n"]
    for figure in sorted(shown, key=lambda figure: (figure.row[:1] == "F", _number(figure.row), figure.what)):
        value, bound = _with_unit(figure.value, figure.unit), _with_unit(figure.at_most, figure.unit)
        missed = "" if figure.value <= figure.at_most else " MISS"
        lines.append(f"| {figure.what} | {value}{missed} | {bound} |\n")
    return "".join(lines) + "\n"


def placed(document: str, ran: Mapping[str, Ran]) -> str:
    """Return `document`, the README, with new lines of the table in place of its earlier lines.

    `ran`: test -> its newest run.
    """
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + readme(ran) + END + rest.partition(END)[2]


def _number(row: str) -> int:
    digits = "".join(filter(str.isdigit, row))
    return int(digits) if digits else 0


def _with_unit(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
    return f"{text} {unit}".strip()
