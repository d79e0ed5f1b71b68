"""Tests that nothing is measured for publication while other programs use the machine."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.calm import AGAIN_S, LIMIT_S, too_busy


class Machine:
    """A machine with a clock of its own, whose other programs use these numbers of cores, one after another."""

    def __init__(self, *cores: float) -> None:
        self.now_s = 0.0
        self.said: list[str] = []
        self._cores: Iterator[float] = iter(cores)
        self._last = 0.0

    def busy(self) -> float:
        self._last = next(self._cores, self._last)
        return self._last

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def wait(self) -> str:
        return too_busy(self.said.append, self.busy, lambda: self.now_s, self.sleep)


def test_a_calm_machine_is_measured_at_once() -> None:
    machine = Machine(0.1)
    assert (machine.wait(), machine.said, machine.now_s) == ("", [], 0.0)


def test_a_busy_machine_is_named_and_measured_when_it_is_calm_again() -> None:
    machine = Machine(1.9, 0.5, 0.2)
    assert machine.wait() == ""
    assert machine.said[0].startswith("The machine is too busy to measure: other programs use 1.9 cores")
    assert (len(machine.said), machine.now_s) == (2, 2 * AGAIN_S)


def test_a_machine_that_stays_busy_is_not_measured() -> None:
    machine = Machine(1.5)
    assert machine.wait() == "the machine was too busy for 10 min: other programs use 1.5 cores"
    assert machine.now_s > LIMIT_S
