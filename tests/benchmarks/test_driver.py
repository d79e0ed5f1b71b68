"""Tests the measurement of the load tester: the load tester runs, and its report is read."""

from __future__ import annotations

import pytest

from tests.benchmarks import driver
from tests.benchmarks.process import ChildError


def test_the_benchmark_runs_the_load_tester_by_its_command_line() -> None:
    run = driver.run(3, 3, "none", "at-once", talk="6s")  # so all three are in their calls at a time
    assert run["people"] == {"arrived": 3, "waiting": 0, "in_call": 0, "done": 3}
    assert run["driver_cpu_per_visit_s"] >= 0, "three people may take less than the system counts"
    assert run["gauges"]["in_call"]["max"] == 3
    with pytest.raises(ChildError, match="--media"):
        driver.run(1, 1, "opera", "at-once")


def test_the_load_testers_share_of_a_core_is_that_while_all_are_in_their_calls() -> None:
    in_call = [[0.0, 0], [1.0, 3], [2.0, 4], [3.0, 4], [9.0, 4], [10.0, 3], [11.0, 0]]
    share = [[1.0, 0.9], [2.5, 0.9], [4.0, 0.2], [6.0, 0.4], [9.0, 0.9], [11.0, 0.1]]
    gauges = {"in_call": {"over_time": in_call}, "driver_cpu": {"over_time": share}}
    assert driver.share({"people": {"arrived": 4}, "gauges": gauges}) == pytest.approx(0.3)
