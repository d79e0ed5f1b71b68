"""Tests the measurement of messages from one socket to another, on the same worker and on another."""

from __future__ import annotations

from tests.benchmarks import between
from tests.benchmarks.server import BenchServer


def test_a_line_and_a_missing_microphone_reach_the_other_socket_on_either_worker(
    ours: BenchServer,
) -> None:
    made = between.measure(ours, between.Size(2, 1, 2, 2), [], print, print)
    figures = {figure.id: figure.value for figure in made.figures}
    assert set(figures) == {"muted_one_us", "muted_across_us", "line_one_us", "line_across_us"}
    assert all(value > 0 for value in figures.values())
