"""Defines the figures of a benchmark and their targets, how they are summarised, and how they are compared.

Does no I/O.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from web.peers.report.figures import percentile as of_ordered


class Figure(msgspec.Struct, frozen=True):
    """One measured figure.

    `target`: the greatest value allowed, None if there is no target. `note`: a text for people.
    """

    id: str
    name: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        """Return True if there is a target, and the value is above it or is no number."""
        return self.target is not None and not self.value <= self.target

    @property
    def verdict(self) -> str:
        """Return the result as a word: "ok", "MISS", or "" if there is no target."""
        return "" if self.target is None else "MISS" if self.missed else "ok"


class Value(msgspec.Struct, frozen=True):
    """The value of one server in a comparison.

    `ratio`: the value divided by that of our server, as the median over the rounds; None for our server. `target`: the
    lowest ratio allowed; None if there is no target.
    """

    name: str
    value: float
    ratio: float | None = None
    target: float | None = None

    @property
    def missed(self) -> bool:
        """Return True if there is a target, and the ratio is below it or is no number."""
        return self.target is not None and not (self.ratio is not None and self.ratio >= self.target)


class Comparison(msgspec.Struct, frozen=True):
    """One figure of several servers, which were measured in turn in one run.

    The first is ours. A lower value is always better.
    """

    id: str
    name: str
    unit: str
    values: list[Value]
    note: str = ""

    @property
    def missed(self) -> bool:
        """Return True if any ratio is below its target."""
        return any(value.missed for value in self.values)


class Point(msgspec.Struct, frozen=True):
    """The figures for a number of waiting patients: the time to open the queue, the time of a claim, and the worker's
    CPU.

    `pages`: the number of patients who have their page open, subscribed to their visit and their place in the queue.
    """

    waiting: int
    pages: int
    open_ms: float
    claim_p50_ms: float
    claim_p99_ms: float
    claim_us: float


class Wait(msgspec.Struct, frozen=True):
    """How long people waited in visits, with the patient at one `place` (near the server or far from it).

    Each wait is (median, longest) in ms, or None if it was not measured. `claim`: from a press of Claim until
    the patient's page shows the session. `start`: from the second press of Start Session until both pages
    show a picture. `killed`: the time without a new picture after the worker that carries the call was
    killed.
    """

    place: str
    visits: int
    claim: tuple[float, float] | None
    start: tuple[float, float] | None
    killed: tuple[float, float] | None


class Load(msgspec.Struct, frozen=True):
    """The figures of whole visits at one rate on a number of `workers`.

    `rate`: how many visits begin per second. `ended`: how many ended per second. `workers_ms`, `store_ms`:
    the CPU of all workers and of the store per visit. `claim_…`: the time from a press of Claim to the
    server's answer. `pulled_in_…`: the time from that press until the patient's page has the claim.
    `arrive_…`: the time from opening the calendar until it is shown.
    """

    workers: int
    rate: float
    ended: float
    workers_ms: float
    store_ms: float
    claim_p50_ms: float
    claim_p99_ms: float
    pulled_in_p99_ms: float
    arrive_p50_ms: float
    arrive_p99_ms: float


class Goal(msgspec.Struct, frozen=True):
    """The goal for a figure of a call: at "most" `value`, at "least" `value`, or the "same" as in a direct call."""

    kind: Literal["most", "least", "same"]
    value: float = 0.0


SAME_FROM = 0.95
"""From this ratio on, our figure counts as the same as that of a direct call, because two calls never have the same
pictures.
"""


class CallFigure(msgspec.Struct, frozen=True):
    """One figure of calls on a bad network: over our relay (`ours`) and, if `compared`, in a direct call (`direct`). A
    value of None means that the picture never came back.
    """

    network: str
    figure: str
    unit: str
    ours: float | None
    direct: float | None = None
    compared: bool = True
    goal: Goal | None = None

    @property
    def missed(self) -> bool:
        """Return True if there is a goal, and the value over our relay does not reach it."""
        if self.goal is None:
            return False
        if self.ours is None:
            return True
        if self.goal.kind == "same":
            return self.direct is not None and self.ours < SAME_FROM * self.direct
        return self.ours > self.goal.value if self.goal.kind == "most" else self.ours < self.goal.value


class Calls(msgspec.Struct, frozen=True):
    """All measured calls on bad networks of one run.

    `load`: the machine's one-minute load averages before and after.
    """

    started: str
    browser: str
    load: tuple[float, float]
    figures: list[CallFigure]


class Skipped(msgspec.Struct, frozen=True):
    """A measurement that was not made, with the reason."""

    name: str
    why: str


class Made(msgspec.Struct):
    """The result of a measurement: its figures and comparisons. `flame`: a flame graph of the CPU time, as SVG."""

    figures: list[Figure] = []
    comparisons: list[Comparison] = []
    curve: list[Point] = []
    skipped: list[Skipped] = []
    versions: dict[str, str] = {}
    calls: Calls | None = None
    waits: list[Wait] = []
    loads: list[Load] = []
    flame: str = ""


class Machine(msgspec.Struct, frozen=True):
    """The machine on which a run was made. `load`: its one-minute load averages before and after."""

    cpu: str
    cores: int
    system: str
    versions: dict[str, str]
    load: tuple[float, float]


class Part(msgspec.Struct, frozen=True):
    """A run of which the published report has figures: its command, the time when it began, its CPU and cores."""

    command: str
    started: str
    cpu: str
    cores: int

    def __str__(self) -> str:
        return f"`{self.command}`, {self.started}, {self.cpu}, {self.cores} cores"


class Report(msgspec.Struct, frozen=True):
    """The report of a whole run. `runs`: how often each figure was measured. The values are the medians.

    `parts`: the runs from which the figures come, if there were several.
    """

    command: str
    started: str
    took_s: float
    runs: int
    machine: Machine
    figures: list[Figure]
    skipped: list[Skipped]
    comparisons: list[Comparison] = []
    curve: list[Point] = []
    calls: Calls | None = None
    waits: list[Wait] = []
    loads: list[Load] = []
    flame: str = ""
    parts: list[Part] = []

    @property
    def part(self) -> Part:
        """The run of this report, as a part of a published report."""
        return Part(self.command, self.started, self.machine.cpu, self.machine.cores)

    @property
    def missed(self) -> list[Figure | Comparison | CallFigure]:
        """Return the figures of this report that miss their targets."""
        all_of_them = [*self.figures, *self.comparisons, *(self.calls.figures if self.calls else ())]
        return [one for one in all_of_them if one.missed]


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest value that `percent` of all values do not exceed (nearest rank); nan if there are none."""
    return of_ordered(sorted(values), percent)


def medians(runs: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Return each figure's median over several `runs`, with the range of its values in its note.

    Numbers of faults are added up.
    """
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
        # A figure with the target 0 is a number of faults: one fault in any run is too much.
        return msgspec.structs.replace(first, value=sum(values))
    spread = f"{written(min(values))} to {written(max(values))}"
    return msgspec.structs.replace(
        first,
        value=statistics.median(values),
        note=f"{spread}; {first.note}" if first.note else spread,
    )


def compared(
    id: str,
    name: str,
    unit: str,
    rounds: Mapping[str, Sequence[float]],
    targets: Mapping[str, float] | None = None,
    note: str = "",
) -> Comparison:
    """Return a comparison of servers from their values in several rounds: the medians of the values, and of their
    ratios to ours.

    `id`, `name`, `unit`, `note`: those of the figure. `rounds`: server -> its value in each round, ours first.
    `targets`: server -> the lowest ratio allowed.
    """
    ours, *others = rounds
    values = [Value(ours, statistics.median(rounds[ours]))]
    for other in others:
        ratios = [theirs / mine for mine, theirs in zip(rounds[ours], rounds[other], strict=True) if mine > 0]
        ratio = statistics.median(ratios) if ratios else math.nan
        values.append(Value(other, statistics.median(rounds[other]), ratio, (targets or {}).get(other)))
    return Comparison(id, name, unit, values, note)


def times(number: int, what: str) -> str:
    """Return a number with the noun `what`: "1 round", "5 rounds"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def written(value: float) -> str:
    """Return a value as the table shows it: three significant digits, at most two after the decimal point."""
    if value != value or math.isinf(value):
        return "none"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"
