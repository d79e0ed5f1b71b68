"""Tests the measurement of bare writes (one message to many sockets, without a server) in real processes."""

from __future__ import annotations

from tests.benchmarks.bare import write_us


def test_a_bare_write_costs_more_than_nothing_and_less_than_a_millisecond() -> None:
    assert 0.5 < write_us(20, 50.0, 0.5) < 1000
