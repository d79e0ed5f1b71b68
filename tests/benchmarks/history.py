"""Remembers published runs by the kind of machine, and makes docs/BENCHMARKS.md of them.

Only runs on the same kind of machine (CPU, cores, version of Python) are compared. A figure differs from run
to run; the bars of all its runs, in one line, show how much.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tests.benchmarks.figures import Comparison, Report, times, written

BARS: Final = "▁▂▃▄▅▆▇█"
RUNS: Final = 20
"""The number of the newest runs that a line shows."""
HEAD: Final = """# Benchmarks

This page shows every figure that has a target: whether the newest published run holds it, what bounds a missed one, and
how it changed over all published runs. [tests/benchmarks/results.md](../tests/benchmarks/results.md) has all figures of
that run, the machine, the versions, and how the servers were compared. `make bench ARGS="--browser --publish"` measures
anew and writes both pages and the README’s table; `make bench ARGS=--tables` writes them again from the kept results.
While other programs use the machine, nothing is measured for publication.

Values are better when they are low. A figure with “to ours” is a ratio, another server’s value divided by ours in the
same run; it is better when it is high.
"""
TREND: Final = """## How the figures changed

There is one table for each kind of machine. The last column shows each run as a bar between the lowest and the highest
value.
"""


class Row(NamedTuple):
    """A figure with a target. `key`: its key in `Entry` and in misses.toml; `target`: the target as text, with
    ≤ or ≥ in front.
    """

    key: str
    name: str
    unit: str
    value: float
    target: str
    missed: bool


class Entry(msgspec.Struct, frozen=True):
    """A published run on a `kind` of machine.

    `values`: id of a figure -> its value; `ratios`: "id server" -> the ratio.
    """

    started: str
    kind: str
    values: dict[str, float] = {}
    ratios: dict[str, float] = {}


def entry_of(report: Report) -> Entry:
    """Return the entry of a run for the file of published runs: its figures, and the kind of its machine."""
    machine = report.machine
    python = ".".join(machine.versions.get("Python", "?").split(".")[:2])
    ratios = {
        f"{one.id} {value.name}": value.ratio
        for one in report.comparisons
        for value in one.values
        if value.ratio is not None and value.ratio == value.ratio
    }
    values = {figure.id: figure.value for figure in report.figures if figure.value == figure.value}
    return Entry(report.started, f"{machine.cpu}, {machine.cores} cores, Python {python}", values, ratios)


def read(path: Path) -> list[Entry]:
    """Return the remembered runs, the oldest first; none if there is no file."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Entry) for line in path.read_bytes().splitlines()]


def remember(path: Path, entry: Entry) -> None:
    """Append a run to the file of the remembered runs."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(entry) + b"\n")


def read_misses(path: Path) -> dict[str, str]:
    """Return key of a figure -> a sentence about what limits the figure and what was tried, from misses.toml."""
    return {key: " ".join(text.split()) for key, text in tomllib.loads(path.read_text("utf-8")).items()}


def rows(report: Report) -> list[Row]:
    """Return the figures of a run that have a target: first our own, then the ratios to other servers."""
    own = [
        Row(f.id, f.name, f.unit, f.value, f"≤ {written(f.target)}", f.missed)
        for f in report.figures
        if f.target is not None
    ]
    ratios = [
        Row(
            f"{one.id} {value.name}",
            f"{_scene(one)}{one.name}, {value.name} to ours",
            "×",
            math.nan if value.ratio is None else value.ratio,
            f"≥ {written(value.target)}",
            value.missed,
        )
        for one in report.comparisons
        for value in one.values
        if value.target is not None
    ]
    return own + ratios


def _scene(comparison: Comparison) -> str:
    """Return which calls a comparison of media has measured, with a colon; "" for other comparisons.

    The text is the beginning of the comparison's note.
    """
    return f"{comparison.note.split(',')[0]}: " if comparison.id.startswith("media_") else ""


def page(entries: Sequence[Entry], newest: Report, misses: Mapping[str, str]) -> str:
    """Return docs/BENCHMARKS.md. `newest`: the published run. `misses`: key of a figure -> what limits the figure."""
    found = rows(newest)
    parts = [HEAD, "## Targets\n\n| figure | newest | target | |\n|---|---:|---:|---|"]
    parts[-1] += "".join(
        f"\n| {row.name} | {_with_unit(row.value, row.unit)} | {_unit(row.target, row.unit)} "
        f"| {'MISS' if row.missed else 'ok'} |"
        for row in found
    )
    missed = [row for row in found if row.missed]
    if missed:
        parts[-1] += "\n"
        parts.append("## What bounds the missed figures\n")
        parts[-1] += "".join(f"\n- **{row.name}**: {misses.get(row.key, '')}" for row in missed)
    parts[-1] += "\n"
    parts.append(TREND)
    for kind in dict.fromkeys(entry.kind for entry in reversed(entries)):
        same = [entry for entry in entries if entry.kind == kind]
        parts.append(
            f"### {kind}\n\n{times(len(same), 'run')}, {same[0].started[:10]} to {same[-1].started[:10]}\n\n"
            "| figure | first | newest | runs |\n|---|---:|---:|---|\n"
            + "\n".join(_changes(same, found))
            + "\n"
        )
    return "\n".join(parts)


def _changes(runs: Sequence[Entry], found: Iterable[Row]) -> list[str]:
    """Return the lines of the figures that at least two of these runs have measured."""
    lines: list[str] = []
    for row in found:
        series = [value for run in runs if (value := (run.values | run.ratios).get(row.key)) is not None]
        if len(series) > 1:
            first, newest = (_with_unit(value, row.unit) for value in (series[0], series[-1]))
            lines.append(f"| {row.name} | {first} | {newest} | {line(series)} |")
    return lines


def _with_unit(value: float, unit: str) -> str:
    return _unit(written(value), unit)


def _unit(value: str, unit: str) -> str:
    return f"{value} {unit}".rstrip()


def line(series: Sequence[float]) -> str:
    """Return the newest RUNS values as bars, one for each; all of middle height if they are equal."""
    shown = series[-RUNS:]
    low, high = min(shown), max(shown)
    if low == high:
        return BARS[3] * len(shown)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in shown)
