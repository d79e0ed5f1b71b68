"""Tests figures, their targets, medians and ratios."""

from __future__ import annotations

import math

import pytest

from tests.benchmarks.figures import Figure, compared, medians, percentile


def test_a_figure_misses_its_target_if_it_is_greater_or_was_not_measured() -> None:
    assert not Figure("x", "x", 5.0, "ms", 5.0).missed
    assert Figure("x", "x", 5.1, "ms", 5.0).missed
    assert Figure("x", "x", math.nan, "ms", 5.0).missed
    assert not Figure("x", "x", 99.0, "ms").missed


def test_several_runs_show_their_median_and_add_up_their_faults() -> None:
    runs = [[Figure("t", "t", value, "ms", 5.0), Figure("f", "f", faults, "", 0)] for value, faults in
            ((3.0, 0), (9.0, 1), (4.0, 0))]  # fmt: skip
    slow, faults = medians(runs)
    assert slow.value == 4.0
    assert slow.note == "3 to 9"
    assert faults.missed


def test_a_comparison_takes_the_ratio_round_by_round_and_misses_below_its_target() -> None:
    rounds = {"ours": [2.0, 4.0, 3.0], "theirs": [6.0, 8.0, 9.0]}
    found = compared("x", "x", "µs", rounds, {"theirs": 2.5})
    assert [value.value for value in found.values] == [3.0, 8.0]
    # 2.0 is the ratio in one round and 3.0 in the other rounds, so the median is 3.0.
    assert found.values[1].ratio == 3.0
    assert not found.missed
    assert compared("x", "x", "µs", rounds, {"theirs": 3.5}).missed


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (95, 4), (99, 4), (1, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], percent) == value
