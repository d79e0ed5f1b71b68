"""Tests that the scale of a chart has a few round ticks and covers all values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from web.reports.scale import log_ticks, nice_step


@given(st.floats(1e-6, 1e3), st.floats(1.02, 1e6))
def test_a_scale_has_a_few_round_ticks(low: float, times: float) -> None:
    ticks = log_ticks(low, low * times)
    assert len(ticks) <= 8
    assert all(low * 0.999 <= tick <= low * times * 1.001 for tick in ticks)


@given(st.floats(1e-9, 1e9))
def test_a_scales_step_is_enough_for_all(highest: float) -> None:
    step = nice_step(highest)
    assert step * 4 >= highest * 0.999
    assert step / 2.5 * 4 < highest * 1.001, "a smaller step would not do"
    assert f"{step:e}"[0] in "125"
