"""Tests the rules of one booked visit: the agreed time is what the clinic's clocks show, also if the rules of its time
zone change.
"""

from datetime import UTC, datetime
from typing import Any

import icalendar
import pytest
from msgspec.structs import replace

from signalling.store.records import Extra
from tests.signalling.visits import ANA
from web.appointments import ics
from web.appointments.appointment import Appointment, by_current_rules, cancelled, moved
from web.appointments.letters import Promised, stale
from web.appointments.slots import HOUR_MS, MINUTE_MS, Slot, at_ms, wall_time

NOW = at_ms(datetime(2026, 11, 20, 12, tzinfo=UTC))
# 10:00 in Vancouver: by the current rules, Vancouver is seven hours behind UTC all year from November 2026 on.
RIGHT = at_ms(datetime(2026, 12, 1, 17, tzinfo=UTC))
OLD_RULES = RIGHT + HOUR_MS
BOOKED = Appointment(
    id="a_1",
    organisation="demo",
    starts_ms=OLD_RULES,
    ends_ms=OLD_RULES + HOUR_MS // 2,
    patient=replace(ANA, email="ana@münchen.de"),
    language="en",
    booked_ms=NOW,
    wall="2026-12-01T10:00",
    wall_zone="America/Vancouver",
    uid="a_1@greenroom",
)


def test_f25_the_pinned_rules_of_time_zones_hold() -> None:
    assert wall_time(RIGHT, "America/Vancouver") == "2026-12-01T10:00"


def test_f25_a_change_of_rules_moves_the_instant_and_not_the_wall_time() -> None:
    now = by_current_rules(BOOKED, NOW)
    assert (now.starts_ms, now.ends_ms) == (RIGHT, RIGHT + HOUR_MS // 2)
    assert (now.wall, now.version, now.sequence) == (BOOKED.wall, 2, 1)
    assert by_current_rules(now, NOW) is now


class Noted:
    """Replaces the mail queue: it makes entries that contain only the kind of the mail."""

    def promise(
        self, organisation: str, kind: str, payload: dict[str, Any], *, now_ms: int, due_ms: int | None = None
    ) -> Extra:
        return "", due_ms or now_ms, kind.encode()


def test_f25_after_a_change_of_rules_the_patient_gets_the_entry_and_the_reminders_again() -> None:
    entries = Promised(Noted()).about(BOOKED, by_current_rules(BOOKED, NOW), NOW)
    assert entries == [
        (NOW, b"booked"),
        (RIGHT - 24 * HOUR_MS, b"reminder"),
        (RIGHT - HOUR_MS, b"reminder"),
    ]


@pytest.mark.parametrize(
    "changes", [{"wall": "", "wall_zone": ""}, {"starts_ms": RIGHT}, {"starts_ms": NOW - 1}]
)
def test_f25_older_records_right_ones_and_past_ones_stay(changes: dict[str, str | int]) -> None:
    record = replace(BOOKED, **changes)
    assert by_current_rules(record, NOW) is record


# Clocks are set back on 2027-11-07, so 1:30 AM comes twice in Chicago, at these two hours of UTC.
@pytest.mark.parametrize("hour", [6, 7])
def test_f25_both_of_two_hours_with_one_wall_time_stay(hour: int) -> None:
    starts_ms = at_ms(datetime(2027, 11, 7, hour, 30, tzinfo=UTC))
    record = moved(BOOKED, Slot(starts_ms, starts_ms + 1, 1), "America/Chicago", NOW)
    assert record.wall == "2027-11-07T01:30"
    assert by_current_rules(record, NOW) is record


def entry(appointment: Appointment, link: str, method: str = ics.REQUEST) -> icalendar.Event:
    """Return the event in the calendar entry that is made for this booked visit.

    `link`: the address in the entry. `method`: what the entry does, such as REQUEST or CANCEL.
    """
    words = ics.Words("Video visit", "Check in:", "Riverside Clinic")
    data = ics.entry(appointment, words, link=link, sender="visits@example.org", method=method, now_ms=NOW)
    return icalendar.Calendar.from_ical(data).walk("VEVENT")[0]  # type: ignore[return-value]


def test_f28_the_uid_outlives_a_change_of_the_public_host_name() -> None:
    gone = cancelled(BOOKED, None, "", NOW)
    before, after = entry(BOOKED, "https://old.example/x"), entry(gone, "https://new.example/x", ics.CANCEL)
    assert str(before["uid"]) == str(after["uid"]) == "a_1@greenroom"


def test_f28_an_older_booking_keeps_the_uid_that_it_was_sent_with() -> None:
    assert str(entry(replace(BOOKED, uid=""), "https://old.example/x")["uid"]) == "a_1@old.example"


def test_f28_the_attendee_has_cn_and_rsvp_and_nothing_that_the_patient_wrote() -> None:
    attendee = entry(BOOKED, "https://old.example/x")["attendee"]
    assert str(attendee) == "mailto:ana@xn--mnchen-3ya.de"
    assert attendee.params["CN"] == "ana@xn--mnchen-3ya.de"
    assert attendee.params["RSVP"] == "FALSE"
    assert entry(BOOKED, "https://old.example/x")["organizer"].params["CN"] == "Riverside Clinic"


@pytest.mark.parametrize(
    ("hours", "left_min", "sent"),
    [
        (24, 24 * 60, True),
        (24, 95, True),
        (24, 90, False),
        (24, 30, False),
        (1, 60, True),
        (1, 10, True),
        (1, 0, False),
    ],
)
def test_f27_a_late_reminder_is_sent_unless_the_next_one_follows(
    hours: int, left_min: int, sent: bool
) -> None:
    payload = {"starts_ms": BOOKED.starts_ms, "hours": hours}
    assert stale("reminder", BOOKED, payload, BOOKED.starts_ms - left_min * MINUTE_MS) is not sent
