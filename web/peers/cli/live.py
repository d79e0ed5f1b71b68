"""Shows a load test in progress: patients by state as bars, durations of steps, and errors.

If the output is not a terminal, it shows lines of text. The display has its own thread, in which it reads the
observations; the CPU that it needs does not depend on the number of people.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from web.peers.report.figures import people, recent
from web.peers.report.units import TIME, number, written
from web.peers.run.observations import STEPS, Observations

REFRESH_PER_SECOND = 2
PLAIN_EVERY_S = 5.0
# The time in s after which the first line of text is shown; it is short, so that the reader sees that the run has
# begun.
PLAIN_FIRST_S = 1.0
RATE_OVER_S = 10.0
ERRORS_SHOWN = 6
BARS = ("arrived", "waiting", "in call", "done")
IN_A_LINE = ("queue_seen", "claim", "pulled_in", "first_frame")


class Planned(Protocol):
    """The part of a run's plan that the display needs."""

    @property
    def patients(self) -> int:
        """The number of patients who arrive in the whole run."""


class Live:
    """Shows a run of the load tester in the terminal, as long as this context manager is open."""

    def __init__(
        self,
        observations: Observations,
        plan: Planned,
        *,
        console: Console | None = None,
        every_s: float = PLAIN_EVERY_S,
    ) -> None:
        self._seen, self._total = observations, plan.patients
        self._console = console or Console(stderr=True)
        self._every_s = every_s
        self._progress = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            expand=True,
        )
        self._tasks = {name: self._progress.add_task(name, total=self._total) for name in BARS}
        self._screen: Screen | None = None
        self._ended = threading.Event()
        self._speaker: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._screen = Screen(
                console=self._console,
                refresh_per_second=REFRESH_PER_SECOND,
                get_renderable=self.picture,
                redirect_stdout=False,
            )
            self._screen.start()
        else:
            self._speaker = threading.Thread(target=self._speak, name="live figures", daemon=True)
            self._speaker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._screen is not None:
            self._screen.stop()
        if self._speaker is not None:
            self._speaker.join()
            self._say()

    def picture(self) -> RenderableType:
        """Return the present state of the run as the text and bars that the terminal shows."""
        now = people(self._seen)
        for name, value in zip(BARS, (now.arrived, now.waiting, now.in_call, now.done), strict=True):
            self._progress.update(self._tasks[name], completed=value)
        steps = Table("step", box=None, pad_edge=False, header_style="dim")
        for heading in ("seen", "p50", "p99"):
            steps.add_column(heading, justify="right", min_width=9)
        for name in self._steps():
            series = self._seen.steps[name]
            p50, p99 = self._spread(name)
            steps.add_row(name.replace("_", " "), number(len(series)), p50, p99)
        parts: list[RenderableType] = [self._progress, Text(), steps, Text()]
        arrivals, departures = self._rate("arrive"), self._rate("journey")
        parts.append(
            Text(f"{self._seen.now_s:.0f} s; a second: {arrivals:.1f} arrive, {departures:.1f} are done")
        )
        errors = self._errors()
        for code, count in errors[:ERRORS_SHOWN]:
            example = next(iter(self._seen.examples.get(code, ())), "")
            parts.append(
                Text(f"{count:>6,} × {code}  {example}", style="red", no_wrap=True, overflow="ellipsis")
            )
        if len(errors) > ERRORS_SHOWN:
            parts.append(Text(f"       and {len(errors) - ERRORS_SHOWN} more kinds of error", style="red"))
        return Group(*parts)

    def line(self) -> str:
        """Return the present figures in one line, for an output that is not a terminal, such as a file."""
        now = people(self._seen)
        parts = [
            f"{self._seen.now_s:.0f} s: {now.arrived} of {self._total} arrived, {now.waiting} waiting, "
            f"{now.in_call} in call, {now.done} done, {self._rate('journey'):.1f}/s"
        ]
        for name in IN_A_LINE:
            if name in self._seen.steps:
                p50, p99 = self._spread(name)
                parts.append(f"{name} p50 {p50} p99 {p99}")
        errors = self._errors()
        counted = ", ".join(f"{count} × {code}" for code, count in errors[:ERRORS_SHOWN])
        parts.append(f"errors: {counted}" if counted else "no errors")
        return "; ".join(parts)

    def _steps(self) -> list[str]:
        names = list(self._seen.steps)
        return [name for name in STEPS if name in names] + [name for name in names if name not in STEPS]

    def _spread(self, name: str) -> tuple[str, str]:
        p50, p99 = recent(self._seen.steps[name])
        return written(p50, TIME), written(p99, TIME)

    def _rate(self, name: str) -> float:
        """Return how many times per second the step `name` was carried out in the last RATE_OVER_S seconds."""
        series = self._seen.steps.get(name)
        now = self._seen.now_s
        over_s = min(RATE_OVER_S, now)
        if series is None or not over_s:
            return 0.0
        found = 0
        for at in reversed(series.at):
            if at < now - over_s:
                break
            found += 1
        return found / over_s

    def _errors(self) -> list[tuple[str, int]]:
        return sorted(
            ((code, len(series)) for code, series in list(self._seen.errors.items())),
            key=lambda item: -item[1],
        )

    def _speak(self) -> None:
        pause_s = min(PLAIN_FIRST_S, self._every_s)
        while not self._ended.wait(pause_s):
            self._say()
            pause_s = self._every_s

    def _say(self) -> None:
        self._console.print(self.line(), markup=False, highlight=False, soft_wrap=True)
