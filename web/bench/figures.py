"""What a benchmark says: figures, their targets, and how they are read.

Pure. Knows how figures are summed up, compared and written as JSON or Markdown. Knows nothing of how one is measured.
"""

import math
import statistics
from collections.abc import Iterable, Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One figure. `target` is the most that it may be; None where it is only worth knowing. `note` is for people."""

    id: str
    name: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether there is a target, and this is above it (or no number at all)."""
        return self.target is not None and not self.value <= self.target

    @property
    def verdict(self) -> str:
        """ "ok", "MISS", or "" where there is no target."""
        return "" if self.target is None else "MISS" if self.missed else "ok"


class Skipped(msgspec.Struct, frozen=True):
    """A measurement that was not made, and why."""

    name: str
    why: str


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured. `load` is the one-minute load average before and after."""

    cpu: str
    cores: int
    system: str
    versions: dict[str, str]
    load: tuple[float, float]


class Report(msgspec.Struct, frozen=True):
    """A whole run. `runs` is how often each figure was measured; values are medians."""

    command: str
    started: str
    took_s: float
    runs: int
    machine: Machine
    figures: list[Figure]
    skipped: list[Skipped]

    @property
    def missed(self) -> list[Figure]:
        """The figures that are above their targets."""
        return [figure for figure in self.figures if figure.missed]


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed (nearest rank); nan where there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


def medians(runs: Sequence[Sequence[Figure]]) -> list[Figure]:
    """One list of figures from several runs: medians, with the range of each in its note. Counts of faults add up."""
    by_id: dict[str, list[Figure]] = {}
    for run in runs:
        for figure in run:
            by_id.setdefault(figure.id, []).append(figure)
    return [_median(figures) for figures in by_id.values()]


def _median(figures: list[Figure]) -> Figure:
    first, values = figures[0], [figure.value for figure in figures]
    if len(values) == 1:
        return first
    if first.target == 0:
        return msgspec.structs.replace(first, value=sum(values))  # one fault in any run is a fault
    spread = f"{written(min(values))} to {written(max(values))}"
    return msgspec.structs.replace(
        first,
        value=statistics.median(values),
        note=f"{spread}; {first.note}" if first.note else spread,
    )


def written(value: float) -> str:
    """A value as it stands in the table: three digits that matter, and no more than two after the point."""
    if value != value or math.isinf(value):
        return "none"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def markdown(report: Report) -> str:
    """The report as a Markdown document."""
    lines = [
        "# Benchmark",
        "",
        f"`{report.command}`, {report.started}, {report.took_s:.0f} s, median of {report.runs}.  ",
        f"{report.machine.cpu}, {report.machine.cores} cores, {report.machine.system}; load average "
        f"{report.machine.load[0]:.1f} before, {report.machine.load[1]:.1f} after.  ",
        ", ".join(f"{name} {version}" for name, version in report.machine.versions.items()),
        "",
        "| figure | value | target | | note |",
        "|---|---:|---:|---|---|",
    ]
    for figure in report.figures:
        target = "" if figure.target is None else f"≤ {written(figure.target)} {figure.unit}".rstrip()
        value = f"{written(figure.value)} {figure.unit}".rstrip()
        lines.append(f"| {figure.name} | {value} | {target} | {figure.verdict} | {figure.note} |")
    lines += ["", *(f"Not measured: {skipped.name} ({skipped.why})." for skipped in report.skipped)]
    return "\n".join(lines).rstrip() + "\n"
