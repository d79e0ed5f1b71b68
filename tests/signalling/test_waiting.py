"""Who comes when: one order for every screen, and a wait that is told only where there is data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalling import views
from signalling.record import Status, Visit
from signalling.waiting import FEWEST, RECENT_MS, expected_wait, order
from tests.signalling.visits import T0, claimed, ended, live, queued


def waiting_since(visit_id: str, arrived_ms: int) -> Visit:
    """Return a visit that waits."""
    return replace(queued(), id=visit_id, arrived_ms=arrived_ms)


@given(st.permutations(range(6)))
def test_the_longest_waiting_is_first_whatever_order_they_are_known_in(shuffled: list[int]) -> None:
    visits = [waiting_since(f"v_{i}", T0 + i // 2) for i in shuffled]
    assert [v.id for v in order(visits)] == [f"v_{i}" for i in range(6)]


def test_only_those_who_wait_have_a_place() -> None:
    assert order([claimed(), live(), ended()]) == []
    assert [v.status for v in order([claimed(), queued()])] == [Status.QUEUED]


def test_a_patients_place_is_the_line_of_the_providers_list() -> None:
    visits = [waiting_since(f"v_{i}", T0 - i) for i in range(9)]
    rows = [views.row(v).visit for v in order(visits)]
    for visit in visits:
        place = next(i for i, v in enumerate(order(visits), 1) if v.id == visit.id)
        assert rows[place - 1] == visit.id


def test_without_data_no_wait_is_invented() -> None:
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
def test_a_wait_that_is_told_is_a_range(place: int, claims: list[int], on_call: int) -> None:
    wait = expected_wait(place, claims, on_call, T0)
    if wait is not None:
        assert 0 <= wait[0] <= wait[1]
