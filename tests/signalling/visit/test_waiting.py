"""Tests the expected wait: it is shown only if there are enough data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalling.visit.record import Triage
from signalling.visit.urgency import Urgency, more_urgent
from signalling.visit.waiting import FEWEST, RECENT_MS, Paced, expected_wait, paced, rank
from tests.signalling.visits import T0, queued


def claims(*times_ms: int, on_call: int = 1) -> list[Paced]:
    """Return claims at these times. `on_call`: the number of providers on call then."""
    return [Paced(at_ms, on_call) for at_ms in times_ms]


def test_without_data_there_is_no_expected_wait() -> None:
    minute = 60_000
    recent = claims(*(T0 - i * minute for i in range(FEWEST)))
    assert expected_wait(1, recent[: FEWEST - 1], 2, T0) is None, "too few claims"
    assert expected_wait(1, recent, 0, T0) is None, "nobody is on call"
    assert expected_wait(1, recent, 1, T0 + RECENT_MS + 3 * minute) is None, "of another time of day"
    assert expected_wait(1, recent, 1, T0) is not None


def test_the_wait_grows_with_the_place_and_with_silence() -> None:
    recent = claims(*(T0 - i * 120_000 for i in range(10)), on_call=2)
    first, third = expected_wait(1, recent, 2, T0), expected_wait(3, recent, 2, T0)
    assert first == (60_000, 180_000)
    assert third == (180_000, 540_000)
    later = expected_wait(1, recent, 2, T0 + 1_200_000)
    assert later is not None
    assert first is not None
    assert later[1] > first[1], "nobody has claimed for twenty minutes"


@given(
    st.integers(1, 500),
    st.lists(st.integers(T0 - 2 * RECENT_MS, T0), max_size=40),
    st.integers(0, 5),
)
def test_the_expected_wait_is_shown_as_a_range(place: int, times: list[int], on_call: int) -> None:
    wait = expected_wait(place, claims(*times), on_call, T0)
    if wait is not None:
        assert 0 <= wait[0] <= wait[1]


def test_a_wait_is_estimated_from_the_last_twenty_gaps_of_two_hours() -> None:
    minute, two_hours = 60_000, 7_200_000
    quick = [T0 - i * minute for i in range(20)]
    assert expected_wait(2, claims(*quick, T0 - 100 * minute), 1, T0) == (minute, 3 * minute), (
        "the twenty-first is not read"
    )
    edge = claims(T0 - two_hours, T0 - two_hours, T0)
    assert expected_wait(1, edge, 1, T0) == (1_800_000, 5_400_000)
    assert expected_wait(1, edge, 1, T0 + 1) is None


def test_f16_the_estimate_knows_how_many_are_on_call_now_and_were_at_the_claims() -> None:
    of_four = claims(*(T0 - i * 120_000 for i in range(10)), on_call=4)
    assert expected_wait(1, of_four, 4, T0) == (60_000, 180_000)
    assert expected_wait(1, of_four, 1, T0) == (240_000, 720_000), "one goes on at a quarter of the pace"
    assert expected_wait(1, of_four, 8, T0) == (30_000, 90_000)
    without = claims(*(T0 - i * 120_000 for i in range(10)), on_call=0)
    assert expected_wait(1, without, 1, T0) == (60_000, 180_000), "an admin claims without being on call"


def test_f16_who_was_on_call_at_a_claim_follows_from_the_later_events() -> None:
    events = [("claimed", 5), ("on_call", 4), ("claimed", 3), ("saved", 3), ("off_call", 2), ("claimed", 1)]
    assert paced(events, 2) == [Paced(1, 2), Paced(3, 1), Paced(5, 2)]


def test_the_queue_is_in_order_of_number_then_arrival_then_id() -> None:
    visit = replace(queued(), number=7)
    assert rank(visit, urgent_first=False) == (0, 7, T0, "v_1")


def test_f38_the_clinics_rule_puts_urgency_before_the_wait() -> None:
    long, short = (replace(queued(), id=name, number=number) for name, number in (("v_1", 1), ("v_2", 2)))
    levels = [None, *Urgency]
    for mine in levels:
        for other in levels:
            first, second = (
                visit if level is None else replace(visit, triage=Triage(level=level))
                for visit, level in ((long, mine), (short, other))
            )
            assert rank(first, urgent_first=False) < rank(second, urgent_first=False), "the wait alone"
            severe = more_urgent(second.urgency, first.urgency)
            assert (rank(first, urgent_first=True) < rank(second, urgent_first=True)) is not severe
