"""Tests which times can be booked: opening hours, closed days, taken times, and the two days on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.appointments.slots import (
    HOUR_MS,
    MINUTE_MS,
    Slot,
    Taken,
    at_ms,
    bookable_days,
    most_at_once,
    slot_at,
    slots,
)
from web.organisations import demo
from web.organisations.opening_hours import is_open
from web.organisations.settings import Booking, Organisation

CHICAGO = ZoneInfo("America/Chicago")
WORKDAYS = ((("09:00", "12:00"), ("13:00", "17:00")),) * 5 + ((),) * 2
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=CHICAGO)  # a Monday, at an hour before the clinic opens


def clinic(**changes: object) -> Organisation:
    booking = Booking(enabled=True, slot_min=30, lead_h=0, horizon_days=14, capacity=1)
    fields = {"timezone": "America/Chicago", "hours": WORKDAYS, "booking": booking, **changes}
    return msgspec.structs.replace(demo.ORGANISATION, **fields)


def booking(**changes: object) -> Booking:
    return msgspec.structs.replace(clinic().booking, **changes)


def clock(slot: Slot, zone: ZoneInfo = CHICAGO) -> str:
    return f"{datetime.fromtimestamp(slot.starts_ms / 1000, zone):%H:%M}"


def on(day: date, organisation: Organisation | None = None, taken: tuple[Taken, ...] = ()) -> list[Slot]:
    return slots(organisation or clinic(), taken, at_ms(NOW), [day])


def test_a_day_is_cut_into_the_slots_that_its_hours_hold() -> None:
    found = [clock(slot) for slot in on(NOW.date())]
    assert found[:2] == ["09:00", "09:30"]
    assert found[-1] == "16:30"
    assert "12:00" not in found
    assert "12:30" not in found
    assert len(found) == 6 + 8


def test_nothing_can_be_booked_on_a_closed_day_or_where_booking_is_off() -> None:
    day = NOW.date() + timedelta(days=1)
    assert on(day)
    assert not on(day, clinic(closed=(day.isoformat(),)))
    assert not on(day, clinic(booking=booking(enabled=False)))
    assert not on(date(2026, 11, 28))  # a Saturday, on which the clinic is closed


def test_only_the_bookable_part_of_the_hours_can_be_booked() -> None:
    organisation = clinic(hours=((("00:00", "24:00"),),) * 7, booking=booking(opens="08:00", closes="10:00"))
    assert [clock(slot) for slot in on(NOW.date(), organisation)] == ["08:00", "08:30", "09:00", "09:30"]


def test_the_lead_and_the_horizon_bound_what_can_be_booked() -> None:
    organisation = clinic(booking=booking(lead_h=5, horizon_days=2))
    found = slots(organisation, (), at_ms(NOW), [NOW.date() + timedelta(days=ahead) for ahead in range(9)])
    assert clock(found[0]) == "11:00"
    assert bookable_days(organisation, at_ms(NOW)) == (date(2026, 11, 23), date(2026, 11, 25))
    assert datetime.fromtimestamp(found[-1].starts_ms / 1000, CHICAGO).date() == date(2026, 11, 25)


def test_a_full_time_is_not_offered_and_capacity_counts_simultaneous_visits() -> None:
    nine = on(NOW.date())[0]
    taken = (Taken(nine.starts_ms, nine.ends_ms),)
    assert clock(on(NOW.date(), taken=taken)[0]) == "09:30"
    two = clinic(booking=booking(capacity=2))
    assert [slot.free for slot in on(NOW.date(), two, taken)][:2] == [1, 2]
    assert clock(on(NOW.date(), two, taken * 2)[0]) == "09:30"


def test_two_short_visits_one_after_the_other_take_one_provider_not_two() -> None:
    nine = on(NOW.date())[0].starts_ms
    half = 15 * MINUTE_MS
    taken = (Taken(nine, nine + half), Taken(nine + half, nine + 2 * half))
    assert on(NOW.date(), clinic(booking=booking(capacity=2)), taken)[0] == Slot(nine, nine + 2 * half, 1)


def test_a_longer_visit_that_began_before_takes_a_slot_too() -> None:
    nine = on(NOW.date())[0].starts_ms
    found = on(NOW.date(), taken=(Taken(nine - HOUR_MS, nine + MINUTE_MS),))
    assert clock(found[0]) == "09:30"


def test_only_a_time_that_is_on_offer_can_be_asked_for() -> None:
    nine = on(NOW.date())[0]
    assert slot_at(clinic(), at_ms(NOW), nine.starts_ms) == nine
    for wrong in (
        nine.starts_ms + MINUTE_MS,
        nine.starts_ms - 3 * HOUR_MS,
        0,
        -1,
        10**17,
        nine.starts_ms + 1,
    ):
        assert slot_at(clinic(), at_ms(NOW), wrong) is None


@pytest.mark.parametrize(
    ("day", "clocks"),
    [
        # clocks are set forward on this day, so there is no two o'clock
        (date(2027, 3, 14), ["00:00", "01:00", "03:00", "04:00"]),
        (
            date(2026, 11, 1),
            ["00:00", "01:00", "01:00", "02:00", "03:00", "04:00"],
        ),  # clocks are set back on this day, so one o'clock comes twice
    ],
)
def test_a_day_on_which_the_clocks_change_has_the_slots_that_it_really_holds(
    day: date, clocks: list[str]
) -> None:
    organisation = clinic(
        hours=((("00:00", "05:00"),),) * 7, booking=booking(slot_min=60, horizon_days=180, capacity=1)
    )
    now = at_ms(datetime.combine(day, datetime.min.time(), CHICAGO)) - HOUR_MS
    found = slots(organisation, (), now, [day])
    assert [clock(slot) for slot in found] == clocks
    assert all(slot.ends_ms - slot.starts_ms == HOUR_MS for slot in found)
    assert len({slot.starts_ms for slot in found}) == len(clocks)


NIGHTS = ((("22:00", "02:00"),),) * 7


@pytest.mark.parametrize(
    ("changes", "clocks"),
    [
        ({"slot_min": 60}, ["00:00", "01:00", "22:00", "23:00"]),
        # A slot may end after midnight, as the slot at 23:30 does.
        ({"slot_min": 45}, ["00:15", "01:00", "22:00", "22:45", "23:30"]),
        ({"slot_min": 30, "opens": "23:00", "closes": "01:00"}, ["00:00", "00:30", "23:00", "23:30"]),
        ({"slot_min": 60, "opens": "00:00", "closes": "12:00"}, ["00:00", "01:00"]),
        ({"slot_min": 60, "opens": "12:00", "closes": "24:00"}, ["22:00", "23:00"]),
    ],
)
def test_a_night_is_cut_into_slots_on_both_of_its_dates(
    changes: dict[str, object], clocks: list[str]
) -> None:
    organisation = clinic(hours=NIGHTS, booking=booking(**changes))
    day = NOW.date() + timedelta(days=3)
    found = on(day, organisation)
    assert [clock(slot) for slot in found] == clocks
    for slot in found:
        assert slot_at(organisation, at_ms(NOW), slot.starts_ms) == slot


def test_the_first_hours_of_a_day_are_closed_with_the_day_before() -> None:
    day = NOW.date() + timedelta(days=3)
    organisation = clinic(hours=NIGHTS, booking=booking(slot_min=60), closed=(day.isoformat(),))
    assert [clock(slot) for slot in on(day, organisation)] == ["00:00", "01:00"]
    assert [clock(slot) for slot in on(day + timedelta(days=1), organisation)] == ["22:00", "23:00"]


def test_the_night_on_which_clocks_go_back_is_an_hour_longer() -> None:
    organisation = clinic(hours=NIGHTS, booking=booking(slot_min=60, horizon_days=180))
    now = at_ms(datetime(2026, 10, 31, 12, tzinfo=CHICAGO))
    found = slots(organisation, (), now, [date(2026, 10, 31), date(2026, 11, 1)])
    assert [clock(slot) for slot in found] == ["22:00", "23:00", "00:00", "01:00", "01:00", "22:00", "23:00"]


@given(
    zone=st.sampled_from(
        ["America/Chicago", "Europe/Madrid", "Asia/Kathmandu", "Pacific/Chatham", "America/Havana", "UTC"]
    ),
    hours=st.lists(st.integers(0, 47), min_size=2, max_size=4, unique=True).map(sorted),
    day=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    slot_min=st.sampled_from([5, 15, 20, 30, 45, 60, 240]),
    night=st.booleans(),
)
def test_every_slot_on_any_day_anywhere_lies_within_the_hours(
    zone: str, hours: list[int], day: date, slot_min: int, night: bool
) -> None:
    if night and len(hours) % 2 == 0:
        # If `night`, the last period of a day's opening hours ends on the next day.
        hours = [*hours[1:], hours[0]]
    ends = [f"{half // 2:02}:{half % 2 * 30:02}" for half in hours]
    spans = tuple(zip(ends[::2], ends[1::2], strict=False))
    organisation = clinic(
        timezone=zone, hours=(spans,) * 7, booking=booking(slot_min=slot_min, horizon_days=3)
    )
    now = at_ms(datetime.combine(day, datetime.min.time(), ZoneInfo(zone))) - HOUR_MS
    found = slots(organisation, (), now, [day])
    for slot in found:
        assert is_open(organisation, datetime.fromtimestamp(slot.starts_ms / 1000, UTC))
        assert is_open(organisation, datetime.fromtimestamp(slot.ends_ms / 1000 - 60, UTC))
    assert all(one.ends_ms <= following.starts_ms for one, following in pairwise(found))
    for slot in found[:1] + found[-1:]:
        assert slot_at(organisation, now, slot.starts_ms) == slot


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12),
    st.integers(0, 50),
    st.integers(1, 20),
)
def test_the_fullest_moment_is_counted_minute_by_minute(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    taken = sorted(Taken(at, at + long) for at, long in spans)
    slow = max(sum(one.starts_ms <= at < one.ends_ms for one in taken) for at in range(start, start + length))
    assert most_at_once(taken, start, start + length) == slow
