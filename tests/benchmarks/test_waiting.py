"""Tests the measurement of waiting patients: the queue is filled step by step, and each step gives a point."""

from __future__ import annotations

from tests.benchmarks import waiting
from tests.benchmarks.server import BenchServer


def test_the_curve_of_waiting_patients_has_a_point_for_each_number_of_them(ours: BenchServer) -> None:
    made = waiting.measure(ours, waiting.Size((5, 40), 1, 3), print)
    assert [point.waiting for point in made.curve] == [5, 40]
    assert all(0 < point.claim_p50_ms <= point.claim_p99_ms for point in made.curve)
    assert all(point.open_ms > 0 and point.claim_us > 0 for point in made.curve)
