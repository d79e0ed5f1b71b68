"""How long it may take: a wait is told only where there is data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalling.visit.waiting import FEWEST, RECENT_MS, expected_wait, rank
from tests.signalling.visits import T0, queued


def test_without_data_there_is_no_expected_wait() -> None:
    minute = 60_000
    recent = [T0 - i * minute for i in range(FEWEST)]
    assert expected_wait(1, recent[: FEWEST - 1], 2, T0) is None, "too few claims"
    assert expected_wait(1, recent, 0, T0) is None, "nobody is on call"
    assert expected_wait(1, recent, 1, T0 + RECENT_MS + 3 * minute) is None, "of another time of day"
    assert expected_wait(1, recent, 1, T0) is not None


def test_the_wait_grows_with_the_place_and_with_silence() -> None:
    claims = [T0 - i * 120_000 for i in range(10)]
    first, third = expected_wait(1, claims, 2, T0), expected_wait(3, claims, 2, T0)
    assert first == (60_000, 180_000)
    assert third == (180_000, 540_000)
    later = expected_wait(1, claims, 2, T0 + 1_200_000)
    assert later is not None
    assert first is not None
    assert later[1] > first[1], "nobody has claimed for twenty minutes"


@given(
    st.integers(1, 500),
    st.lists(st.integers(T0 - 2 * RECENT_MS, T0), max_size=40),
    st.integers(0, 5),
)
def test_the_expected_wait_is_shown_as_a_range(place: int, claims: list[int], on_call: int) -> None:
    wait = expected_wait(place, claims, on_call, T0)
    if wait is not None:
        assert 0 <= wait[0] <= wait[1]


def test_a_wait_is_estimated_from_the_last_twenty_gaps_of_two_hours() -> None:
    minute, two_hours = 60_000, 7_200_000
    quick = [T0 - i * minute for i in range(20)]
    assert expected_wait(2, [*quick, T0 - 100 * minute], 1, T0) == (minute, 3 * minute), (
        "the twenty-first is not read"
    )
    edge = [T0 - two_hours, T0 - two_hours, T0]
    assert expected_wait(1, edge, 1, T0) == (1_800_000, 5_400_000)
    assert expected_wait(1, edge, 1, T0 + 1) is None


def test_the_queue_is_in_order_of_number_then_arrival_then_id() -> None:
    visit = replace(queued(), number=7)
    assert rank(visit) == (7, T0, "v_1")
