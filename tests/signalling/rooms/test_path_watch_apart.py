"""Tests the messages about network paths, paused video and who speaks: which party gets which.

Tests also when the timers run that end the wait for a path. There are no sockets.
"""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from signalling.protocol import server_messages as server
from signalling.protocol.shapes import PathState
from signalling.rooms.participants import Participant, Room
from signalling.rooms.path_watch import PathWatch
from signalling.rooms.ports import Connected, Disconnected, PicturePaused, Speaking
from signalling.rooms.worker_messages import Member
from tests.signalling.rooms.apart import VISIT, Noted, member

PATIENT, PROVIDER, GUEST = member(), member("provider"), member("guest-rosa")


class Watched:
    """A room of three people whose network paths are watched."""

    def __init__(self, *people: Member) -> None:
        self.messages: list[tuple[str, server.Message]] = []
        self.watch = PathWatch(lambda room, to, message: self.messages.append((to.party, message)))
        media: Any = Noted()
        self.room = Room("riverside", media, 7, {})
        for one in people or (PATIENT, PROVIDER, GUEST):
            self.room.participants[one.party] = Participant(one, media, 0)

    def __getitem__(self, party: str) -> Participant:
        return self.room.participants[party]

    def joins(self, who: Member) -> Participant:
        """Let a party join, for the first time or again; return the new participant."""
        media: Any = Noted()
        before, joined = self.room.participants.get(who.party), Participant(who, media, 0)
        self.room.participants[who.party] = joined
        self.watch.joined(self.room, joined, before)
        return joined

    def sent(self) -> list[tuple[str, str, PathState]]:
        """Return (recipient, party, state of the party's path) of each message since the last call. All must be
        about paths.
        """
        found = [
            (to, message.party, message.path)
            for to, message in self.messages
            if isinstance(message, server.MediaPath) and message.visit == VISIT
        ]
        assert len(found) == len(self.messages)
        self.messages.clear()
        return found


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        (None, Connected(), "open"),
        ("lost", Connected(), "open"),
        ("none", Connected(), "open"),
        ("open", Connected(), "open"),
        ("open", Disconnected("timeout"), "lost"),
        (None, Disconnected("timeout"), None),
        ("lost", Disconnected("timeout"), "lost"),
        ("none", Disconnected("timeout"), "none"),
    ],
)
def test_each_event_changes_the_path_once_and_is_sent_to_the_others(
    before: PathState | None, event: object, after: PathState | None
) -> None:
    watched = Watched()
    watched["patient"].path = before
    with capture_logs() as logs:
        watched.watch.follow(watched.room, "patient", event)
    assert (watched["patient"].path, logs) == (after, [])
    others = ["patient"] * (before == "none" and after == "open") + ["provider", "guest-rosa"]
    assert watched.sent() == [(to, "patient", after) for to in others if before != after]
    watched.watch.follow(watched.room, "nobody", event)
    assert watched.sent() == []


@pytest.mark.parametrize("path", [None, "lost", "none", "open"])
async def test_a_party_without_a_path_when_the_time_is_over_is_reported_to_everybody_once(
    path: PathState | None,
) -> None:
    watched = Watched()
    watched.watch.no_path_s = 0
    patient = watched.joins(PATIENT)
    patient.path = path
    timer = patient.overdue
    assert timer is not None
    with capture_logs() as logs:
        timer._run()
    never = path in (None, "lost")
    assert [line["event"] for line in logs] == ["room.no_path"] * never
    assert watched.sent() == [
        (to, "patient", "none") for to in ("patient", "provider", "guest-rosa") if never
    ]
    assert (timer.cancelled(), patient.overdue is None) == (never, never)


async def test_a_lost_path_does_not_end_the_wait_for_one_and_an_open_one_does() -> None:
    watched = Watched()
    patient = watched.joins(PATIENT)
    patient.path = "open"
    watched.watch.follow(watched.room, "patient", Disconnected("timeout"))
    assert patient.overdue is not None
    watched.watch.follow(watched.room, "patient", Connected())
    assert patient.overdue is None


async def test_the_same_page_keeps_its_path_and_its_timer_and_another_tab_begins_anew() -> None:
    watched = Watched(PROVIDER)
    first = watched.joins(PATIENT)
    first.path, timer = "lost", first.overdue
    again = watched.joins(PATIENT)
    assert (again.path, again.overdue) == ("lost", timer)
    again.path = "none"
    watched.watch._send = lambda *_: None
    tab = watched.joins(member(connection="c_tab"))
    assert tab.path is None
    assert timer is not None
    assert timer.cancelled()
    assert tab.overdue is not None
    assert not tab.overdue.cancelled()
    watched.watch.close(watched.room)
    assert tab.overdue is None


async def test_a_party_known_to_have_no_path_gets_no_new_time_when_it_joins_again() -> None:
    watched = Watched(PROVIDER)
    first = watched.joins(PATIENT)
    first.path, first.overdue = "none", None
    again = watched.joins(PATIENT)
    assert (again.path, again.overdue) == ("none", None)


def test_a_browser_that_cannot_hold_a_call_is_the_reason_only_while_there_is_no_path() -> None:
    watched = Watched(PROVIDER)
    patient = watched.joins(member(able=False))
    assert (patient.path, patient.overdue) == ("none", None)
    watched.watch.follow(watched.room, "patient", Connected())
    reasons = [(to, message.path, message.reason) for to, message in watched.messages
               if isinstance(message, server.MediaPath)]  # fmt: skip
    assert reasons == [
        ("provider", "none", "browser"), ("patient", "none", "browser"),
        ("provider", "open", None), ("patient", "open", None),
    ]  # fmt: skip


def test_pauses_and_speakers_are_sent_to_the_party_that_they_concern() -> None:
    watched = Watched()
    with capture_logs() as logs:
        for event in (PicturePaused(True), Speaking("provider"), PicturePaused(False), Speaking(None)):
            watched.watch.follow(watched.room, "guest-rosa", event)
            watched.watch.follow(watched.room, "nobody", event)
    assert [line["event"] for line in logs] == ["room.picture_paused", "room.picture_resumed"]
    assert watched.messages == [
        ("guest-rosa", server.MediaPaused(visit=VISIT, paused=True)),
        ("guest-rosa", server.MediaSpeaker(visit=VISIT, party="provider")),
        ("guest-rosa", server.MediaPaused(visit=VISIT, paused=False)),
        ("guest-rosa", server.MediaSpeaker(visit=VISIT, party=None)),
    ]


def test_a_party_that_comes_back_is_sent_the_speaker_the_pause_and_the_paths() -> None:
    watched = Watched()
    watched["patient"].speaker, watched["patient"].paused = "provider", True
    watched["patient"].path, watched["provider"].path, watched["guest-rosa"].path = "lost", "open", "lost"
    watched.watch.send(watched.room, PATIENT, "lost", "none")
    assert [message for _, message in watched.messages[:2]] == [
        server.MediaSpeaker(visit=VISIT, party="provider"),
        server.MediaPaused(visit=VISIT, paused=True),
    ]
    del watched.messages[:2]
    assert watched.sent() == [("patient", "guest-rosa", "lost")], "its own path is open or known to its page"
    watched["patient"].speaker, watched["patient"].paused, watched["patient"].path = None, False, "none"
    watched.watch.send(watched.room, PATIENT, "open", "none")
    assert watched.sent() == [("patient", "patient", "none"), ("patient", "provider", "open")]


@pytest.mark.parametrize("path", [None, "open", "lost", "none"])
async def test_the_path_of_a_party_that_leaves_is_lost_only_if_it_was_open(path: PathState | None) -> None:
    watched = Watched(PROVIDER)
    patient = watched.joins(PATIENT)
    patient.path, timer = path, patient.overdue
    del watched.room.participants["patient"]
    watched.watch.left(watched.room, patient)
    assert watched.sent() == [("provider", "patient", "lost")] * (path == "open")
    assert timer is not None
    assert timer.cancelled()
    assert patient.overdue is None
