"""Tests that nothing is measured for publication while other programs use the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.benchmarks.calm import AGAIN_S, LIMIT_S, BusyError, too_busy, undisturbed


class Machine:
    """A machine with a clock of its own. `cores`: how many cores its other programs use, for each call of `busy`."""

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


class Measured:
    """A measurement of 10 s. `cores`: how many cores other programs use in the first try, in the second, and so on."""

    def __init__(self, *cores: float, why: str = "") -> None:
        self._cores, self._why = cores, why
        self.made, self.now_s, self.used_s = 0, 0.0, 500.0
        self.said: list[str] = []

    def make(self) -> int:
        self.now_s += 10.0
        self.used_s += 10.0 * self._cores[self.made]
        self.made += 1
        return self.made

    def measure(self) -> int:
        return undisturbed(
            self.make, self.said.append, lambda _: self._why, lambda: self.used_s, lambda: self.now_s
        )


def test_a_measurement_that_nothing_disturbs_is_made_once() -> None:
    measured = Measured(0.2)
    assert (measured.measure(), measured.said) == (1, [])


def test_a_measurement_that_other_programs_disturb_is_dropped_and_made_again() -> None:
    measured = Measured(0.3, 0.0)
    assert measured.measure() == 2
    assert measured.said == ["Other programs used 0.3 cores during this measurement. Its result is dropped."]


def test_a_measurement_that_is_disturbed_twice_is_left_out_with_the_reason() -> None:
    measured = Measured(1.0, 0.5, 0.0)
    with pytest.raises(BusyError, match=r"^other programs used 0\.5 cores during each of 2 measurements$"):
        measured.measure()
    assert measured.made == 2


def test_nothing_is_measured_on_a_machine_that_stays_busy() -> None:
    measured = Measured(why="the machine was too busy")
    with pytest.raises(BusyError, match=r"^the machine was too busy$"):
        measured.measure()
    assert measured.made == 0
