"""Calculates the figures of a run at one moment while the run goes on: people, steps, errors and gauges.

This module does no I/O. The figures are written as one line of JSON each second (`--lines`), served at
`/metrics`, and sent by OTLP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from web.peers.report.figures import PatientCounts, combine, people, recent
from web.peers.run.observations import Observations


class StepMoment(msgspec.Struct, frozen=True):
    """The figures of one step so far: how often it happened, and percentiles of its newest RECENT durations, in s."""

    count: int
    p50_s: float
    p99_s: float


class Moment(msgspec.Struct, frozen=True):
    """The figures of a run `at_s` seconds after its start. `planned`: the number of patients of the whole run."""

    at_s: float
    planned: int
    people: PatientCounts
    steps: dict[str, StepMoment]
    errors: dict[str, int]
    counts: dict[str, int]
    gauges: dict[str, float]


def moment(seen: Observations, planned: int) -> Moment:
    """Return the figures of a run as they are now. `planned`: the number of patients of the whole run."""
    return Moment(
        at_s=round(seen.now_s, 3),
        planned=planned,
        people=people(seen),
        steps={name: StepMoment(len(series), *recent(series)) for name, series in seen.steps.items()},
        errors={code: len(series) for code, series in seen.errors.items()},
        counts={name: int(sum(series.values)) for name, series in seen.counts.items()},
        gauges={
            name: combine(name)([series.values[-1] for series in sources.values()])
            for name, sources in seen.gauges.items()
        },
    )


class Metric(NamedTuple):
    """A metric of Prometheus and OTLP. `label`: the name of its only label; `total`: True if its values only grow."""

    name: str
    about: str
    label: str
    total: bool = False


PEOPLE: Final = Metric("greenroom_peers_patients", "Patients who are in this state.", "state")
STEPS: Final = Metric("greenroom_peers_steps", "Steps that were taken.", "step", total=True)
P50: Final = Metric("greenroom_peers_step_p50_seconds", "Median duration of a step recently.", "step")
P99: Final = Metric("greenroom_peers_step_p99_seconds", "99th percentile of a step recently.", "step")
ERRORS: Final = Metric("greenroom_peers_errors", "Errors by code.", "code", total=True)
COUNTS: Final = Metric(
    "greenroom_peers_events", "Events that the driver counts, such as freezes.", "event", total=True
)
GAUGES: Final = Metric(
    "greenroom_peers_gauge", "Busy cores, resident bytes and the driver's delay in s.", "gauge"
)
METRICS: Final = (PEOPLE, STEPS, P50, P99, ERRORS, COUNTS, GAUGES)


def samples(now: Moment) -> Iterator[tuple[Metric, str, float]]:
    """Yield each value of all metrics, as (the metric, the value of its label, the value itself)."""
    for state in ("waiting", "in_call"):
        yield PEOPLE, state, getattr(now.people, state)
    for name, step in now.steps.items():
        yield STEPS, name, step.count
        yield P50, name, step.p50_s
        yield P99, name, step.p99_s
    for metric, values in ((ERRORS, now.errors), (COUNTS, now.counts), (GAUGES, now.gauges)):
        yield from ((metric, name, value) for name, value in values.items())
