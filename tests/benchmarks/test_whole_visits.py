"""Tests the measurement of whole visits: its steps are read from one run of the load tester."""

from __future__ import annotations

import pytest

from tests.benchmarks.figures import Load
from tests.benchmarks.whole_visits import (
    EDGE_S,
    WARM_S,
    Run,
    Size,
    Used,
    arrivals,
    figures,
    loads,
    overload,
)
from web.peers.run.arrivals import Arrivals
from web.peers.run.observations import Observations

SIZE = Size((2, 10), 4.0)


def run(claim_s: float, until_s: float) -> tuple[Observations, list[Used]]:
    """Return what a run of SIZE observes until `until_s`: 10 visits a second, and 5 ms of CPU for each visit.

    `claim_s`: the time that each claim takes.
    """
    now = [0.0]
    seen = Observations(clock=lambda: now[0])
    used = []
    while now[0] < until_s:
        now[0] += 0.1
        for name, seconds in (("arrive", 0.003), ("claim", claim_s), ("pulled_in", 0.004), ("journey", 2.0)):
            seen.step(name, seconds)
        used.append(Used(seen.started_at + now[0], round(now[0] * 50e6), round(now[0] * 10e6)))
    return seen, used


def test_the_load_tester_plays_all_steps_after_its_first_visits() -> None:
    plan = Arrivals.parse(arrivals(SIZE))
    assert sum(over_s for over_s, _ in plan.stages) == pytest.approx(WARM_S + 2 * 4.0, abs=0.1)


def test_each_step_has_the_cpu_of_its_visits_without_its_begin() -> None:
    seen, used = run(0.010, WARM_S + 8.5)
    found = loads(seen, used, SIZE, 1)
    assert [load.rate for load in found] == [2, 10]
    for load in found:
        assert load.ended == pytest.approx(10.0, rel=0.1)
        assert load.workers_ms == pytest.approx(5.0, rel=0.15)
        assert load.store_ms == pytest.approx(1.0, rel=0.15)
        assert load.claim_p99_ms == pytest.approx(10.0)


def test_steps_after_slow_claims_and_steps_that_did_not_end_are_left_out() -> None:
    assert len(loads(*run(0.5, WARM_S + 8.5), SIZE, 1)) == 1
    assert len(loads(*run(0.01, WARM_S + 4 + EDGE_S), SIZE, 1)) == 1


def test_the_most_visits_are_those_of_the_last_step_with_fast_claims() -> None:
    def load(ended: float, claim_p99_ms: float) -> Load:
        return Load(1, ended, ended, 9.0, 2.0, 4.0, claim_p99_ms, 9.0, 5.0, 8.0)

    found = {one.id: one.value for one in figures([load(5, 9), load(20, 19), load(30, 40)])}
    assert (found["visits_most_1"], found["visits_ms_1"]) == (20, 9.0)
    assert {one.id: one.value for one in figures([load(5, 90)])}["visits_most_1"] == 0


def test_an_overload_shows_how_long_claims_of_patients_in_line_take() -> None:
    load = Load(1, 120, 45.0, 9.0, 2.0, 4.0, 101.0, 99.0, 5.0, 8.0)
    found = overload(Run([load], 7))
    assert [(one.value, one.verdict) for one in found] == [(101.0, "MISS"), (99.0, "ok"), (45.0, "")]
    assert "7 answers" in found[0].note
    assert overload(Run([], 0)) == []
