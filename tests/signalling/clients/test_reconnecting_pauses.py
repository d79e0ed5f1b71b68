"""Tests after which close codes a client reconnects, and after which pauses (PROTOCOL.md#close-codes)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.clients.reconnecting import DRAINS, LOST, pause_s, stays_away

CHANCES = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("code", "stays"),
    [
        (1000, True),
        (1001, False),
        (1006, False),
        (1009, False),
        (4005, False),
        (4199, False),
        (4200, True),
        (4203, True),
    ],
)
def test_only_after_a_bye_and_from_4200_on_a_client_stays_away(code: int, stays: bool) -> None:
    assert stays_away(code) is stays


@given(st.integers(0, 10_000), CHANCES)
def test_pauses_double_from_half_a_second_to_fifteen_with_jitter(attempt: int, chance: float) -> None:
    most_s = min(15.0, 0.5 * 2.0 ** min(attempt, 20))
    assert most_s / 2 <= pause_s(LOST, attempt, chance) <= most_s


@pytest.mark.parametrize(
    ("attempt", "least_s", "most_s"),
    [(0, 0.25, 0.5), (1, 0.5, 1.0), (4, 4.0, 8.0), (5, 7.5, 15.0), (10_000, 7.5, 15.0)],
)
def test_the_pause_before_an_attempt_is_between_half_and_the_whole_of_its_limit(
    attempt: int, least_s: float, most_s: float
) -> None:
    assert [pause_s(LOST, attempt, chance) for chance in (0.0, 1.0)] == [least_s, most_s]


@given(st.integers(0, 10_000), CHANCES)
def test_after_a_drain_a_client_is_back_within_two_seconds(attempt: int, chance: float) -> None:
    assert 0 <= pause_s(DRAINS, attempt, chance) < 2


def test_clients_of_a_worker_that_stops_come_back_at_random_times_within_its_limit() -> None:
    assert [pause_s(DRAINS, 3, chance) for chance in (0.0, 0.25, 1.0)] == [0.0, 0.5, 2.0]
