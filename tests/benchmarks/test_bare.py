"""Tests the measurement of a bare write, with real processes and real sockets."""

from __future__ import annotations

from tests.benchmarks.bare import write_us


def test_a_bare_write_costs_more_than_nothing_and_less_than_a_millisecond() -> None:
    assert 0.5 < write_us(20, 50.0, 0.5) < 1000
