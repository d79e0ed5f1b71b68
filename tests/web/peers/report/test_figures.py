"""Tests how the figures of a report are calculated: percentiles that were really observed, sums of
gauges, and rates.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.peers.runs import Clock, run
from web.peers.report.figures import (
    BUCKETS,
    bucket_width,
    figures,
    gauge,
    histogram,
    integral,
    percentile,
    step,
    thinned,
    throughput,
)
from web.peers.report.notes import notes
from web.peers.report.plots import Curve, curves_plot, histogram_plot, intervals
from web.peers.report.units import BYTES, COUNT, RATE, SHARE, TIME, written
from web.peers.run.observations import Observations, Series

DURATIONS = st.lists(st.floats(0, 1e4), min_size=1, max_size=60)


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, percent) for percent in (0, 50, 90, 99, 99.9, 100)] == [
        1,
        50,
        90,
        99,
        100,
        100,
    ]
    assert percentile([3.0], 99) == 3.0
    assert math.isnan(percentile([], 50))


@given(DURATIONS)
def test_every_value_is_in_the_histogram(values: list[float]) -> None:
    bins = histogram(sorted(values))
    assert sum(one.count for one in bins) == len(values)
    assert all(one.low_s < one.high_s for one in bins)


@given(DURATIONS)
def test_any_durations_can_be_drawn(values: list[float]) -> None:
    series = Series(range(len(values)), values)
    one = step(series, bucket_width(len(values)), len(values))
    plot = histogram_plot("anything", one)
    assert all(math.isfinite(number) for bar in plot.bars for number in bar[:4])
    assert sum(bucket.count for bucket in one.over_time) == len(values)


@given(st.floats(0, 1e6))
def test_intervals_of_time_are_round_and_not_too_many(duration_s: float) -> None:
    assert math.ceil(duration_s / bucket_width(duration_s) - 1e-6) <= BUCKETS


def test_throughput_counts_from_the_first_that_ended_to_the_last() -> None:
    clock = Clock()
    seen = Observations(clock=clock)
    clock.now = 100
    for _ in range(11):
        seen.step("journey", 90)
        clock.now += 0.5
    assert throughput(seen) == pytest.approx(2.0)


def test_gauges_of_several_processes_add_up() -> None:
    total = gauge([Series([1, 3], [5, 2]), Series([2], [10])], 4)
    assert total.over_time == [(1, 5), (2, 15), (3, 12), (4, 12)]
    assert (total.max, total.last) == (15, 12)


def test_the_delays_of_several_loops_are_not_added() -> None:
    seen = Observations()
    seen.gauge("driver_lag", 0.5)
    seen.absorb(b'["gauge","driver_lag",1,0.3,0]\n', source=1)
    assert figures(seen).gauges["driver_lag"].max == 0.5


def test_a_peak_is_kept_if_there_are_more_points_than_are_drawn() -> None:
    points = [(float(at), 99.0 if at == 777 else 1.0) for at in range(5000)]
    assert max(value for _, value in thinned(points, 100)) == 99
    assert len(thinned(points, 100)) <= 101


def test_cpu_is_summed_over_time() -> None:
    assert integral(Series([1, 2, 4], [0.9, 0.5, 1.0])) == 2.5


def test_the_servers_cpu_is_divided_by_the_visits() -> None:
    found = figures(run(patients=100, lost=0))
    assert found.server_cpu_per_visit_s == pytest.approx(0.45 * found.duration_s / 100, rel=0.1)


def test_a_reader_is_warned_of_a_driver_or_machine_that_was_short_of_cpu() -> None:
    seen = run(patients=150)
    assert notes(figures(seen)) == []
    for _ in range(50):
        seen.gauge("driver_lag", 0.3)
        seen.gauge("machine_cpu", 1.95)
    told = notes(figures(seen))
    assert len(told) == 2
    assert "195% of 200%" in told[0]
    assert told[1].endswith("by up to 300 ms, and that is in every figure.")
    del seen.gauges["machine_cpu"]
    assert "use more --processes" in notes(figures(seen))[0]
    assert "p99 is the longest" in notes(figures(run(patients=20)))[0]


def test_a_scale_is_in_the_unit_of_its_top() -> None:
    plot = curves_plot("lag", [Curve("one", "driver", [(0, 0.995), (1, 0)])], TIME, 2)
    assert [tick.text for tick in plot.y_ticks] == ["0", "0.5 s", "1 s"]


def test_a_run_without_observations_has_figures() -> None:
    found = figures(Observations())
    assert (found.duration_s, found.throughput_per_s, found.steps, found.people.arrived) == (0, 0, {}, 0)


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (0.00512, TIME, "5.12 ms"),
        (0.0000512, TIME, "51.2 µs"),
        (0, TIME, "0 ms"),
        (72, TIME, "72 s"),
        (1200, TIME, "20 min"),
        (math.nan, TIME, "–"),
        (1204, COUNT, "1,204"),
        (96.42, RATE, "96.4/s"),
        (0.125, SHARE, "12.5%"),
        (512e6, BYTES, "512 MB"),
    ],
)
def test_figures_are_written_for_people(value: float, kind: object, says: str) -> None:
    assert written(value, kind) == says  # type: ignore[arg-type]


def test_a_gap_in_what_was_seen_is_a_gap_in_the_line() -> None:
    plot = curves_plot("gap", [Curve("one", "p50", [(0, 1), (1, 2), (2, math.nan), (3, 1)])], TIME, 4)
    assert [len(piece.split()) for piece in plot.lines[0].pieces] == [2, 2]


def test_ratios_beyond_the_scale_are_drawn_at_its_edge() -> None:
    made, ticks = intervals([(0.98, 1.0, 1.02), (0.97, 1, 1.01), (1, 1000.0, 1e9)])
    assert made[2].high == made[2].ratio == 200
    assert [tick.text for tick in ticks][2] == "1"
