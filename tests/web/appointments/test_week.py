"""Tests the week of bookable times that pages show.

It is calculated once for all visitors who come within the same minute.
"""

from msgspec.structs import replace

from web.appointments.slots import HOUR_MS, MINUTE_MS, Slot, bookable_days, slots
from web.appointments.week import week
from web.languages import i18n
from web.organisations import demo
from web.organisations.settings import Organisation

NOON_MS = 1_790_000_000_000 // HOUR_MS * HOUR_MS
CLINIC = replace(
    demo.ORGANISATION,
    hours=((("00:00", "24:00"),),) * 7,
    booking=replace(demo.ORGANISATION.booking, enabled=True, opens="00:00", closes="24:00", lead_h=1),
)


def free(clinic: Organisation, now_ms: int) -> list[int]:
    begin, _ = bookable_days(clinic, now_ms)
    found: list[int] = week(clinic, (), now_ms, begin, None)["starts_ms"]
    return found


def test_a_week_shows_the_slots_that_are_free_at_each_moment_of_a_minute() -> None:
    for late_ms in (-1, 0, 1, MINUTE_MS - 1, MINUTE_MS):
        now_ms = NOON_MS + late_ms
        begin, _ = bookable_days(CLINIC, now_ms)
        expected: list[Slot] = slots(CLINIC, (), now_ms, [begin])
        assert free(CLINIC, now_ms)[: len(expected)] == [slot.starts_ms for slot in expected]
    assert free(CLINIC, NOON_MS)[0] == NOON_MS + HOUR_MS
    assert free(CLINIC, NOON_MS + 1)[0] > NOON_MS + HOUR_MS


def test_visitors_of_one_minute_share_a_week_until_its_settings_or_the_language_differ() -> None:
    begin, _ = bookable_days(CLINIC, NOON_MS)
    shown = week(CLINIC, (), NOON_MS - 2, begin, None)
    assert week(CLINIC, (), NOON_MS - 1, begin, None) is shown
    assert week(CLINIC, (), NOON_MS + 1, begin, None) is not shown
    longer = replace(CLINIC, booking=replace(CLINIC.booking, slot_min=CLINIC.booking.slot_min * 2))
    assert len(week(longer, (), NOON_MS - 1, begin, None)["starts_ms"]) < len(shown["starts_ms"])
    with i18n.using("es"):
        assert week(CLINIC, (), NOON_MS - 1, begin, None)["zone_words"] != shown["zone_words"]
