"""Reads a scenario: a file that describes a run of the load tester, instead of options on the command line.

Its keys are the options of `greenroom peers run` with `_` instead of `-`. `[[stages]]` describes arrivals in stages,
and `[network]` the network of all people's media. Options on the command line override the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from web.peers import toml_tables
from web.peers.cli.options import share
from web.peers.errors import PlanError, ThresholdError
from web.peers.network.network import Network, Phase, Table, Way
from web.peers.network.network import problem as network_problem
from web.peers.report.thresholds import parse as parse_threshold
from web.peers.run.arrivals import Arrivals, Span, seconds
from web.peers.run.faults import planned

DURATION: Final = "a duration like 250ms, 30s or 2min, in quotes"
SPAN: Final = "durations like 10s, 5s..20s (evenly) or ~8s (exponential), in quotes"
SHARE: Final = "a share like 5%, in quotes"

Text = Annotated[str, Meta(min_length=1, description="a text in quotes")]
File = Annotated[str, Meta(min_length=1, description="the path of a file, seen from this file’s folder")]
Duration = Annotated[str, Meta(min_length=1, description=DURATION)]
Times = Annotated[str, Meta(min_length=1, description=SPAN)]
Part = Annotated[str, Meta(min_length=1, description=SHARE)]
Switch = Annotated[bool, Meta(description="true or false")]
AtLeastOne = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]
Processes = Annotated[int, Meta(ge=1, le=256, description="a whole number from 1 to 256")]
Thresholds = Annotated[
    tuple[Annotated[str, Meta(min_length=1)], ...],
    Meta(max_length=100, description='a list of thresholds like ["pulled_in.p99>50ms", "errors>0"]'),
]

Faults = Annotated[
    tuple[Annotated[str, Meta(min_length=1)], ...],
    Meta(max_length=100, description='a list of moments like ["30s", "random:2/min"]'),
]


class Stage(Table, frozen=True):
    """A stage of the arrivals: in the time `over`, the rate of arrivals changes evenly to `to`."""

    over: Annotated[str, Meta(min_length=1, description=DURATION)]
    to: Annotated[str, Meta(min_length=1, description="a rate like 5/s or 30/min, in quotes")]


class Scenario(Table, frozen=True, kw_only=True):
    """The content of a scenario's file. A key that is not in the file is None or (): the option's default is then used.

    `about`: a sentence for people. All other keys are options of `greenroom peers run`.
    """

    about: Text | None = None
    url: Text | None = None
    adapter: Text | None = None
    organisation: Text | None = None
    local: Switch | None = None
    local_workers: AtLeastOne | None = None
    credentials: File | None = None
    ca: File | None = None
    insecure: Switch | None = None
    patients: AtLeastOne | None = None
    providers: (
        Annotated[int, Meta(ge=0, le=100_000, description="a whole number from 0 to 100000")] | None
    ) = None
    arrivals: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="arrivals like steady:2/s, poisson:30/min or burst:50/10s, in quotes",
            ),
        ]
        | None
    ) = None
    stages: Annotated[tuple[Stage, ...], Meta(max_length=1000, description="at most 1000 stages")] = ()
    duration: Duration | None = None
    fill_in: Times | None = None
    claim_after: Times | None = None
    talk: Times | None = None
    between: Times | None = None
    patience: Duration | None = None
    timeout: Duration | None = None
    media: (
        Annotated[str, Meta(pattern="^(none|light|real)$", description='"none", "light" or "real"')] | None
    ) = None
    media_file: File | None = None
    race: AtLeastOne | None = None
    reload: Part | None = None
    vanish: Part | None = None
    kill: Faults = ()
    freeze: Faults = ()
    cut: Faults = ()
    loss: Part | None = None
    network: Network | None = None
    seed: Annotated[int, Meta(ge=0, le=1 << 53, description="a whole number from 0")] | None = None
    processes: Processes | None = None
    report: File | None = None
    lines: File | None = None
    live: Text | None = None
    otlp: Text | None = None
    fail_if: Thresholds = ()
    abort_if: Thresholds = ()
    abort_after: Duration | None = None


FILES: Final = ("credentials", "ca", "media_file", "report", "lines")
"""The keys whose values are paths of files."""
NO_OPTIONS: Final = ("about", "stages", "network")
"""The keys that are no values of options. (The option --network takes a file's path, but the key is a table.)"""
KIND: Final = toml_tables.TableKind(
    Scenario, {"stages": Stage, "network": Network, "up": Way, "down": Way, "phases": Phase}
)
"""The tables that the file of a scenario may have."""


def read(path: Path) -> Scenario:
    """Return the scenario that a file describes.

    Relative paths in it begin at the file's folder. Raises PlanError if the file is not valid, and OSError if it
    cannot be read.
    """
    found = toml_tables.read(path, KIND, problem)
    changes: dict[str, Any] = {
        key: str(path.parent / value) for key in FILES if (value := getattr(found, key)) is not None
    }
    if found.arrivals and found.arrivals.startswith("day:"):
        changes["arrivals"] = f"day:{path.parent / found.arrivals.removeprefix('day:')}"
    return msgspec.structs.replace(found, **changes)


def defaults(scenario: Scenario) -> dict[str, Any]:
    """Return the options that the scenario sets: name of the option's parameter -> value."""
    found = {
        key: list(value) if isinstance(value, tuple) else value
        for key in scenario.__struct_fields__
        if key not in NO_OPTIONS and (value := getattr(scenario, key)) not in (None, ())
    }
    if scenario.stages:
        found["arrivals"] = _arrivals(scenario)
    return found


def problem(scenario: Scenario) -> str:
    """Return a sentence about what is wrong with a scenario as a whole; "" if it is valid.

    The types of its single values were checked before.
    """
    if scenario.stages and scenario.arrivals:
        return "stages: expected arrivals or stages, not both"
    if scenario.local and scenario.url:
        return "local: expected url or local, not both"
    for number, stage in enumerate(scenario.stages):
        for key, text in (("to", f"stages:1/s@1s,{stage.to}@1s"), ("over", f"stages:1/s@{stage.over}")):
            if _wrong(Arrivals.parse, text):
                place = f"stages[{number}].{key}"
                return f"{place}: expected {KIND.expected(place)}; found {getattr(stage, key)}"
    if scenario.stages and (wrong := _wrong(Arrivals.parse, _arrivals(scenario))):
        return f"stages: {wrong}"
    for key, check in CHECKS.items():
        values = getattr(scenario, key) or ()
        for value in (values,) if isinstance(values, str) else values:
            if wrong := _wrong(check, value):
                return f"{key}: {wrong}"
    if scenario.network is not None and (wrong := network_problem(scenario.network)):
        return f"network.{wrong}"
    return ""


def _arrivals(scenario: Scenario) -> str:
    """Return the scenario's stages in the form of the option --arrivals, such as `stages:5/s@30s`."""
    return "stages:" + ",".join(f"{stage.to}@{stage.over}" for stage in scenario.stages)


def _wrong(check: Callable[[str], object], value: str) -> str:
    """Return the sentence of the error that `check` raises for a value; "" if it raises none."""
    try:
        check(value)
    except (PlanError, ThresholdError) as wrong:
        return str(wrong)
    return ""


def _arrivals_without_day(text: str) -> object:
    """Parse arrivals, except those of a recorded day, whose file is read later."""
    return text if text.startswith("day:") else Arrivals.parse(text)


CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "arrivals": _arrivals_without_day,
    **dict.fromkeys(("fill_in", "claim_after", "talk", "between"), Span.parse),
    **dict.fromkeys(("duration", "patience", "timeout", "abort_after"), seconds),
    **dict.fromkeys(("reload", "vanish", "loss"), share),
    "kill": lambda text: planned([text], (), (), 1),
    "freeze": lambda text: planned((), [text], (), 1),
    "cut": lambda text: planned((), (), [text], 1),
    **dict.fromkeys(("fail_if", "abort_if"), parse_threshold),
}
"""Key -> the function that parses its value, and raises PlanError or ThresholdError if that is not possible."""
