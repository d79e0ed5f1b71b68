"""A run of the benchmark: the measurements in turn, on a terminal, with a table and files at the end.

Knows which measurements there are, how long each takes in a quick and in a whole run, and what is shown. How one is
made stands in its own module.
"""

import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from web.bench import assign, browser, claim, fanout, idle, process, relay
from web.bench.figures import Figure, Machine, Report, Skipped, markdown, medians, written
from web.bench.peers import PeerError
from web.bench.stage import NotReady, stage
from web.config import ConfigError

Tell = Callable[[float], None]
Measure = Callable[[Tell], list[Figure]]


class Measurement(NamedTuple):
    """One measurement: what it is called, and how it is made whole and quick."""

    name: str
    whole: Measure
    quick: Measure


def _claim(rounds: int) -> Measure:
    def measure(tell: Tell) -> list[Figure]:
        with stage(2) as ready:
            return claim.measure(ready, rounds, tell)

    return measure


def _assign(rounds: int) -> Measure:
    def measure(tell: Tell) -> list[Figure]:
        with stage(2) as ready:
            return assign.measure(ready, rounds, tell)

    return measure


def _idle(sockets: int) -> Measure:
    def measure(tell: Tell) -> list[Figure]:
        with stage(1) as ready:
            return idle.measure(ready, sockets, tell)

    return measure


def _fanout(sockets: int, seconds: float) -> Measure:
    def measure(tell: Tell) -> list[Figure]:
        with stage(2) as ready:
            return fanout.measure(ready, sockets, seconds, tell)

    return measure


def _relay(calls: int, seconds: float) -> Measure:
    return lambda tell: relay.measure(calls, seconds, tell)


MEASUREMENTS = {
    "claim": Measurement("Claim race", _claim(claim.ROUNDS), _claim(30)),
    "idle": Measurement("Idle sockets", _idle(idle.SOCKETS), _idle(200)),
    "fanout": Measurement("Fan-out", _fanout(fanout.SOCKETS, fanout.RATE_S), _fanout(200, 2)),
    "relay": Measurement("Relay", _relay(relay.CALLS, 5), _relay(relay.CALLS, 1)),
    "assign": Measurement("Assignment", _assign(assign.ROUNDS), _assign(30)),
}


def run(
    *,
    only: Sequence[str] = (),
    quick: bool = False,
    runs: int = 1,
    with_browser: bool = False,
    json_file: Path | None = None,
    markdown_file: Path | None = None,
) -> Report:
    """Measures, shows the table, writes the files, and returns the report. Raises ConfigError for what cannot be."""
    if sys.platform != "linux":
        raise ConfigError("bench: expected Linux, whose /proc tells what a process has used")
    if unknown := set(only) - set(MEASUREMENTS):
        raise ConfigError(f"bench: --only expects {', '.join(MEASUREMENTS)}; found {', '.join(unknown)}")
    console = Console()
    began, before = time.monotonic(), os.getloadavg()[0]
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    figures, skipped = _play(
        console, [name for name in MEASUREMENTS if not only or name in only], quick, runs
    )
    if with_browser:
        found = browser.measure()
        if isinstance(found, Skipped):
            skipped.append(found)
        else:
            figures += found
    machine = Machine(
        cpu=process.cpu_name(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        versions=process.versions(),
        load=(before, os.getloadavg()[0]),
    )
    report = Report(
        command=shlex.join(["greenroom", *sys.argv[1:]]),
        started=started,
        took_s=time.monotonic() - began,
        runs=runs,
        machine=machine,
        figures=figures,
        skipped=skipped,
    )
    _show(console, report)
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if markdown_file is not None:
        markdown_file.write_text(markdown(report), "utf-8")
    return report


def _play(
    console: Console, names: Sequence[str], quick: bool, runs: int
) -> tuple[list[Figure], list[Skipped]]:
    figures: list[Figure] = []
    skipped: list[Skipped] = []
    columns = TextColumn("{task.description:<14}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        for name in names:
            measurement = MEASUREMENTS[name]
            measure = measurement.quick if quick else measurement.whole
            task = progress.add_task(measurement.name, total=runs)
            made = []
            for number in range(runs):

                def tell(part: float, number: int = number, task: "object" = task) -> None:
                    progress.update(task, completed=number + part)  # type: ignore[arg-type]

                try:
                    made.append(measure(tell))
                except (process.ChildFailed, NotReady, PeerError, TimeoutError) as problem:
                    skipped.append(Skipped(measurement.name, str(problem) or type(problem).__name__))
                tell(1.0)
            figures += medians(made)
    return figures, skipped


def _show(console: Console, report: Report) -> None:
    table = Table("figure", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    table.add_column("note", style="dim")
    for figure in report.figures:
        target = "" if figure.target is None else f"≤ {written(figure.target)}"
        colour = {"ok": "green", "MISS": "red"}.get(figure.verdict, "")
        verdict = f"[{colour}]{figure.verdict}[/]" if colour else ""
        value = f"{written(figure.value)} {figure.unit}".rstrip()
        table.add_row(figure.name, value, target, verdict, figure.note)
    console.print(table)
    for left in report.skipped:
        console.print(f"Not measured: {left.name} ({left.why}).", markup=False)
    load = "the load average was {:.1f} before and {:.1f} after".format(*report.machine.load)
    console.print(
        f"{report.machine.cpu}, {report.machine.cores} cores; {load}; {report.took_s:.0f} s.", markup=False
    )
