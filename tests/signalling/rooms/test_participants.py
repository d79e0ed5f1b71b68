"""Tests what a room knows of its parties: which devices are off or missing, and what the relay forwards of them."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace

from signalling.rooms import worker_messages as wire
from signalling.rooms.participants import Participant, Room, Screen, admitted
from signalling.rooms.worker_messages import Member
from tests.signalling import visits
from tests.signalling.rooms.apart import OTHER, OWN, THIRD, Noted, member

PATIENT, PROVIDER = member(), member("provider", OTHER)


def room() -> tuple[Room, Participant]:
    """Return (a room of the patient and the provider, the patient in it)."""
    made = Room("riverside", cast(Any, Noted()), 7, {})
    for one in (PATIENT, PROVIDER):
        made.participants[one.party] = Participant(one, cast(Any, Noted()), 0)
    return made, made.participants["patient"]


def forwarded(participant: Participant) -> dict[str, bool]:
    """Return kind of media -> whether the relay must forward it, by the newest call of `set_receiving`."""
    media: Any = participant.media
    return dict(media.named("set_receiving"))


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (wire.Left(PATIENT, 7), True),
        (wire.Left(replace(PATIENT, worker=THIRD), 7), False),
        (wire.Left(replace(PATIENT, connection="c_tab"), 7), False),
        (wire.Moved(replace(PATIENT, worker=THIRD), 7), True),
        (wire.Moved(replace(PATIENT, connection="c_tab"), 7), False),
    ],
)
def test_a_message_is_the_participants_if_its_connection_was_not_replaced(
    message: wire.Left | wire.Moved, sent: bool
) -> None:
    _, patient = room()
    assert patient.sent(message) is sent


def off(made: Room, who: Member) -> tuple[set[str], set[str]]:
    """Return (the kinds of media that a party has turned off, the kinds for which it has no device)."""
    return set(made.muted_by(who)), set(made.missing_by(who))


def test_what_a_party_turned_off_is_kept_apart_from_what_it_lacks() -> None:
    made, patient = room()
    patient.switch(made, wire.Mute(PATIENT, 7, 1, "audio", True, None))
    assert off(made, PATIENT) == ({"audio"}, set())
    assert forwarded(patient) == {"audio": False, "video": True}
    patient.switch(made, wire.Mute(PATIENT, 7, 2, "video", True, None))
    assert made.muted_by(PATIENT) == {"audio", "video"}
    patient.switch(made, wire.Mute(PATIENT, 7, 3, "audio", False, None))
    assert forwarded(patient) == {"audio": True, "video": False}
    patient.switch(made, wire.Mute(PATIENT, 7, 4, "audio", False, True))
    assert off(made, PATIENT) == ({"video"}, {"audio"})
    assert forwarded(patient) == {"audio": True, "video": False}, "without a microphone nothing comes anyway"
    assert [made.lacks("patient", "audio"), made.lacks("patient", "video")] == [True, False]
    assert [made.lacks("provider", "audio"), made.lacks("guest-rosa", "audio")] == [False, False]
    patient.switch(made, wire.Mute(PATIENT, 7, 5, "audio", False, False))
    assert made.missing_by(PATIENT) == frozenset()
    other = replace(PROVIDER, person="lin")
    made.muted["provider", "osei"] = frozenset({"audio"})
    assert (off(made, PROVIDER), off(made, other)) == (({"audio"}, set()), (set(), set()))


@pytest.mark.parametrize(("sharing", "video"), [("patient", True), ("provider", False), (None, False)])
def test_a_shared_screen_is_forwarded_although_the_camera_is_off(sharing: str | None, video: bool) -> None:
    made, patient = room()
    made.muted["patient", PATIENT.person] = frozenset({"audio", "video"})
    made.screen = Screen(sharing)
    patient.let_through(made)
    assert forwarded(patient) == {"audio": False, "video": video}


def test_a_party_is_sent_both_switches_of_each_other_party() -> None:
    made, _ = room()
    made.muted["provider", "osei"] = frozenset({"video"})
    assert made.switches(besides="patient") == [("provider", "audio", False), ("provider", "video", True)]
    assert made.workers == {OWN, OTHER}


def test_a_rooms_name_differs_from_that_of_the_next_room_of_the_visit() -> None:
    assert len({room()[0].name for _ in range(9)}) == 9
    assert len(room()[0].name) == 8


def test_only_a_guest_is_forwarded_after_their_own_start() -> None:
    visit = visits.claimed()
    guest = replace(visit.parties["patient"], id="guest-rosa", started_ms=None)
    visit = replace(
        visit, parties={**visit.parties, "guest-rosa": guest, "guest-bo": replace(guest, started_ms=0)}
    )
    assert [admitted(visit, key) for key in visit.parties] == [True, True, False, True]
