"""Tests that the unit costs of a cluster are found in its runs, and that the simulation gives the same loads."""

import pytest

from tests.benchmarks.scale import SWEEP_S, Costs
from tests.benchmarks.scale_run import Run, Shares, costs_of, simulated

TRUE = Costs(command=0.0, event=300.0, event_once=330.0, sweep=170.0, node_commit=500.0, node_sweep=50.0)
BASE = 0.008


def run(workers: int, clinics: int, rate: float) -> Run:
    """Return the run that servers with exactly the costs TRUE would give. `rate`: commits per second."""
    idle = Shares(
        BASE + clinics / SWEEP_S * TRUE.sweep * 1e-6,
        0.002 + clinics / SWEEP_S * workers * TRUE.node_sweep * 1e-6,
    )
    worker_us = TRUE.event + TRUE.event_once / workers
    node_us = TRUE.node_commit + workers * TRUE.node_event
    return Run(
        workers,
        clinics,
        rate,
        idle,
        Shares(idle.worker + rate * worker_us * 1e-6, idle.node + rate * node_us * 1e-6),
    )


def test_the_costs_of_servers_are_found_and_the_simulation_says_how_busy_other_servers_are() -> None:
    costs, base = costs_of(run(1, 1, 100.0), run(1, 100, 100.0), run(3, 100, 100.0))
    assert costs == pytest.approx(TRUE)
    assert base == pytest.approx(BASE)
    other = run(4, 60, 200.0)
    assert simulated(other, costs, base) == pytest.approx((other.busy.worker, other.busy.node), rel=0.1)
