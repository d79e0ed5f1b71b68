"""Remembers published runs by the kind of machine, and shows how the figures have changed: docs/BENCHMARKS.md.

Only runs on the same kind of machine (CPU, cores, version of Python) are compared. A figure of one run alone says
little; the line of all runs shows its noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.benchmarks.figures import Report, times, written

BARS: Final = "▁▂▃▄▅▆▇█"
RUNS: Final = 20
"""The number of the newest runs that a line shows."""
HEAD: Final = """# Benchmarks

The tables of the newest run are in [tests/benchmarks/results.md](../tests/benchmarks/results.md), with the machine, the
versions and how it was compared. This page shows how the figures that have a target changed over all published runs,
one table for each kind of machine. `make bench ARGS="--browser --publish"` measures anew and writes both pages and the
README’s table; `make bench ARGS=--tables` writes them again from the kept results. While other programs use the
machine, nothing is measured for publication.

A line shows each run as a bar between the lowest and the highest value. Values are better when they are low, ratios (×,
another server’s value divided by ours) when they are high.
"""


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
    """Append a run to the file of the remembered ones."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(entry) + b"\n")


def page(entries: Sequence[Entry], newest: Report) -> str:
    """Return docs/BENCHMARKS.md. The figures are those of the `newest` run that have a target."""
    values = {f.id: (f"{f.name}", f.unit) for f in newest.figures if f.target}
    ratios = {
        f"{one.id} {value.name}": (f"{one.name}, {value.name} to ours", "×")
        for one in newest.comparisons
        for value in one.values
        if value.target is not None
    }
    parts = [HEAD]
    for kind in dict.fromkeys(entry.kind for entry in reversed(entries)):
        same = [entry for entry in entries if entry.kind == kind]
        rows = [*_rows([e.values for e in same], values), *_rows([e.ratios for e in same], ratios)]
        parts.append(
            f"## {kind}\n\n{times(len(same), 'run')}, {same[0].started[:10]} to {same[-1].started[:10]}\n\n"
            "| figure | first | newest | runs |\n|---|---:|---:|---|\n" + "\n".join(rows) + "\n"
        )
    return "\n".join(parts)


def _rows(runs: Iterable[dict[str, float]], named: dict[str, tuple[str, str]]) -> list[str]:
    found: list[str] = []
    runs = list(runs)
    for key, (name, unit) in named.items():
        series = [run[key] for run in runs if key in run]
        if len(series) > 1:
            first, newest = (f"{written(value)} {unit}" for value in (series[0], series[-1]))
            found.append(f"| {name} | {first} | {newest} | {line(series)} |")
    return found


def line(series: Sequence[float]) -> str:
    """Return the newest RUNS values as bars, one for each; all of middle height if they are equal."""
    shown = series[-RUNS:]
    low, high = min(shown), max(shown)
    if low == high:
        return BARS[3] * len(shown)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in shown)
