"""Runs the benchmark: makes the measurements in turn, and shows a table and writes files at the end.

Defines which measurements there are, how large each is in a quick and in a whole run, and what is shown. Each
measurement is defined in its own module.
"""

import os
import platform
import resource
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.benchmarks import (
    assign,
    between,
    browser,
    claim,
    driver,
    fanout,
    idle,
    networks,
    packets,
    process,
    publish,
    store_clients,
    visit_tables,
    waiting,
    waits,
    whole_visits,
)
from tests.benchmarks.calm import BusyError, undisturbed
from tests.benchmarks.figures import (
    Calls,
    Comparison,
    Load,
    Machine,
    Made,
    Point,
    Report,
    Skipped,
    Wait,
    medians,
    written,
)
from tests.benchmarks.lines import Lines
from tests.benchmarks.options import NAMES, Options
from tests.benchmarks.others import media, memory, race
from tests.benchmarks.others.setup import Say
from tests.benchmarks.others.stacks import RECIPES
from tests.benchmarks.server import running_server
from tests.benchmarks.tables import WAITED, call_goal, call_value, cell, document, waited
from tests.benchmarks.wire import PeerError
from web.errors import ConfigError, ServerNotReadyError
from web.peers.run.server import cpu_name

Tell = Callable[[float], None]
Own = Callable[[bool, Tell], Made]
Against = Callable[[Options, tuple[str, ...], Say, Tell], Made]


class Measurement(NamedTuple):
    """One measurement. `own` measures our server alone; `against` compares our server with other servers.
    Either is None if the measurement does not have this part.
    """

    name: str
    own: Own | None
    against: Against | None


def _claim(quick: bool, tell: Tell) -> Made:
    with running_server(2) as ready:
        return claim.measure(ready, 30 if quick else claim.ROUNDS, tell)


def _assign(quick: bool, tell: Tell) -> Made:
    with running_server(2) as ready:
        return assign.measure(ready, 30 if quick else assign.ROUNDS, tell)


def _idle(quick: bool, tell: Tell) -> Made:
    with running_server(1) as ready:
        return idle.measure(ready, 200 if quick else idle.SOCKETS, tell)


def _waiting(quick: bool, tell: Tell) -> Made:
    if quick:
        with running_server(1) as ready:
            return waiting.measure(ready, waiting.QUICK, tell)
    with running_server(1) as ready:
        away = waiting.measure(ready, waiting.WHOLE, lambda part: tell(part / 2))
    with running_server(1) as ready:
        here = waiting.measure(ready, waiting.WHOLE, lambda part: tell(0.5 + part / 2), pages=True)
    return Made([*away.figures, *here.figures], curve=[*away.curve, *here.curve])


def _visits(quick: bool, tell: Tell) -> Made:
    return whole_visits.measure(whole_visits.QUICK if quick else whole_visits.WHOLE, tell)


def _packets(quick: bool, tell: Tell) -> Made:
    return packets.measure(packets.CALLS, 1 if quick else 5, tell)


def _driver(quick: bool, tell: Tell) -> Made:
    return driver.measure(driver.QUICK if quick else driver.WHOLE, tell)


def _store(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    return store_clients.measure(store_clients.QUICK if options.quick else store_clients.WHOLE, tell)


def _fan_out(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    with running_server(2) as ours:
        return fanout.measure(ours, fanout.QUICK if options.quick else fanout.WHOLE, others, say, tell)


def _sockets(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    with running_server(2) as ours:
        return between.measure(ours, between.QUICK if options.quick else between.WHOLE, others, say, tell)


def _races(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    if not others:
        return Made()
    with running_server(2) as ours:
        return race.measure(ours, race.QUICK if options.quick else race.WHOLE, others, say, tell)


def _memory(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    if not others:
        return Made()
    with running_server(1) as ours:
        return memory.measure(ours, memory.FEW if options.quick else memory.SOCKETS, others, say, tell)


def _media(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    size = media.QUICK if options.quick else media.WHOLE
    return media.measure(size, others, say, tell, install_janus=options.install_janus)


def _networks(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    return networks.measure(options.quick, options.networks, bool(options.others), tell)


def _waits(options: Options, others: tuple[str, ...], say: Say, tell: Tell) -> Made:
    return waits.measure(options.quick, tell)


MEASUREMENTS = {
    "claim": Measurement("Claim race", _claim, _races),
    "assign": Measurement("Assignment", _assign, None),
    "fan-out": Measurement("Fan-out", None, _fan_out),
    "sockets": Measurement("Socket to socket", None, _sockets),
    "idle": Measurement("Idle sockets", _idle, _memory),
    "waiting": Measurement("Waiting patients", _waiting, None),
    "visits": Measurement("Whole visits", _visits, None),
    "media": Measurement("Media packets", _packets, _media),
    "driver": Measurement("Load tester", _driver, None),
    "store": Measurement("Clients of the store", None, _store),
    "networks": Measurement("Calls on bad networks", None, _networks),
    "waits": Measurement("Waits in a visit", None, _waits),
}
"""The measurements, by their names in options.py."""

PROBLEMS = (process.ChildError, ServerNotReadyError, PeerError, TimeoutError)


def run(options: Options) -> Report:
    """Make the measurements, show the tables, write the files, and return the report. Raises ConfigError if the options
    cannot be carried out.
    """
    if sys.platform != "linux":
        raise ConfigError("bench: expected Linux, whose /proc tells what a process has used")
    if options.publish:
        publish.refuse_outside()
        if options.networks:
            raise ConfigError("bench: --publish expects all networks, without --network")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The processes that this one starts inherit this limit of open files.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    console = Console()
    began, before = time.monotonic(), os.getloadavg()[0]
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    made = _play(console, options)
    machine = Machine(
        cpu=cpu_name(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        versions=process.versions() | made.versions,
        load=(before, os.getloadavg()[0]),
    )
    report = Report(
        command=f'make bench ARGS="{shlex.join(sys.argv[1:])}"',
        started=started,
        took_s=time.monotonic() - began,
        runs=options.runs,
        machine=machine,
        figures=made.figures,
        skipped=made.skipped,
        comparisons=made.comparisons,
        curve=made.curve,
        calls=made.calls,
        waits=made.waits,
        loads=made.loads,
        flame=made.flame,
    )
    _show(console, report)
    if options.json is not None:
        options.json.write_bytes(publish.encoded(report))
    if options.markdown is not None:
        options.markdown.write_text(document(report), "utf-8")
    if options.publish:
        publish.publish(report, whole=options.only == NAMES)
    return report


def _play(console: Console, options: Options) -> Made:
    whole = Made()
    columns = TextColumn("{task.description:<26}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:

        def play(name: str, times: int, make: Callable[[Tell], Made]) -> None:
            """Call `make`, which makes the measurement `name`, `times` times; add the results to the report.

            If a call fails, add the reason instead.
            """
            task = progress.add_task(name, total=times)

            def tell(done: float) -> None:
                """Show how many of the `times` measurements are done; 1.5: the second measurement is half done."""
                progress.update(task, completed=done)
                lines.part = done / times

            found = []
            with nullcontext() if console.is_terminal else lines.during(name):
                for number in range(times):

                    def once(number: int = number) -> Made:
                        return make(lambda part: tell(number + part))

                    try:
                        found.append(undisturbed(once, say) if options.publish else once())
                    except BusyError as busy:
                        whole.skipped.append(Skipped(name, str(busy)))
                        break
                    except PROBLEMS as problem:
                        whole.skipped.append(Skipped(name, str(problem) or type(problem).__name__))
                    tell(number + 1)
            _add(whole, found)

        def say(words: str) -> None:
            """Print a line above the progress bars."""
            progress.console.print(words, markup=False, soft_wrap=True)

        lines = Lines(say)
        for name in options.only:
            title, own, against = MEASUREMENTS[name]
            if own is not None:
                play(title, options.runs, lambda tell, own=own: own(options.quick, tell))  # type: ignore[misc]
            if against is not None:
                rivals = tuple(o for o in options.others if (o in RECIPES) is (name != "media"))
                if rivals or own is None:
                    play(
                        f"{title}, compared" if rivals else title,
                        1,
                        lambda tell, against=against, rivals=rivals: against(options, rivals, say, tell),  # type: ignore[misc]
                    )
    if options.browser:
        seen = browser.measure()
        if isinstance(seen, Skipped):
            whole.skipped.append(seen)
        else:
            whole.figures += seen
    return whole


def _add(whole: Made, found: list[Made]) -> None:
    whole.figures += medians([made.figures for made in found])
    for made in found:
        whole.comparisons += made.comparisons
        whole.versions |= made.versions
        whole.skipped += [skipped for skipped in made.skipped if skipped not in whole.skipped]
        whole.curve = made.curve or whole.curve
        whole.loads, whole.flame = made.loads or whole.loads, made.flame or whole.flame
        whole.calls = made.calls or whole.calls
        whole.waits = made.waits or whole.waits


def _show(console: Console, report: Report) -> None:
    if report.figures:
        console.print(_figures(report))
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for comparison in report.comparisons:
        if len(comparison.values) > 1:
            groups.setdefault(tuple(v.name for v in comparison.values), []).append(comparison)
    for names, group in groups.items():
        console.print(_compared(names, group))
    if report.curve:
        console.print(_curve(report.curve))
    if report.loads:
        console.print(_loads(report.loads))
    if report.calls:
        console.print(_calls(report.calls))
    if report.waits:
        console.print(_waited(report.waits))
    for left in report.skipped:
        console.print(f"Not measured: {left.name} ({left.why}).", markup=False)
    load = "the load average was {:.1f} before and {:.1f} after".format(*report.machine.load)
    console.print(
        f"{report.machine.cpu}, {report.machine.cores} cores; {load}; {report.took_s:.0f} s.", markup=False
    )


def _figures(report: Report) -> Table:
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
    return table


def _compared(names: tuple[str, ...], group: list[Comparison]) -> Table:
    """Return a table for these servers: a line for each kind of work, followed by the lines of its figures.

    `names`: the servers. `group`: their comparisons.
    """
    table = Table("", *names, box=None, pad_edge=False)
    shown = ""
    for comparison in group:
        work, _, what = comparison.name.rpartition(": ")
        if work and work != shown:
            table.add_row(f"[bold]{work}[/]")
            shown = work
        style = "red" if comparison.missed else ""
        cells = (cell(value, comparison.unit).replace("**", "") for value in comparison.values)
        table.add_row(f"  {what}" if work else what, *cells, style=style)
    return table


def _calls(calls: Calls) -> Table:
    table = Table("network of the patient", "", box=None, pad_edge=False)
    for heading in ("Greenroom", "peer to peer", "goal"):
        table.add_column(heading, justify="right")
    for one in calls.figures:
        direct = call_value(one.direct, one.unit) if one.compared else "–"
        style = "red" if one.missed else ""
        ours = call_value(one.ours, one.unit)
        table.add_row(one.network, one.figure, ours, direct, call_goal(one), style=style)
    return table


def _waited(waits: list[Wait]) -> Table:
    table = Table(*WAITED, box=None, pad_edge=False)
    for wait in waits:
        table.add_row(*waited(wait))
    return table


def _loads(loads: list[Load]) -> Table:
    table = Table(*visit_tables.COLUMNS, box=None, pad_edge=False)
    for load in loads:
        table.add_row(*visit_tables.cells(load))
    return table


def _curve(curve: list[Point]) -> Table:
    table = Table(
        "waiting",
        "pages open",
        "queue opens",
        "claim p50",
        "claim p99",
        "CPU a claim",
        box=None,
        pad_edge=False,
    )
    for p in curve:
        values = (p.open_ms, p.claim_p50_ms, p.claim_p99_ms, p.claim_us / 1000)
        table.add_row(f"{p.waiting:,}", f"{p.pages:,}", *(f"{written(value)} ms" for value in values))
    return table
