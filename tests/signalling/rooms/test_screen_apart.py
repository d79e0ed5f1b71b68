"""Tests how a room's shared screen changes when its parties act, join and leave, and which parties are informed."""

from __future__ import annotations

from typing import Any, cast

import pytest

from signalling.protocol import server_messages as server
from signalling.rooms.participants import NO_SCREEN, Participant, Room, Screen
from signalling.rooms.screen import Screens
from tests.signalling.rooms.apart import VISIT, MediaRoom, Noted, member

GUEST = "guest-rosa"
PARTIES = ("patient", "provider", GUEST)
ASKED, BY_PROVIDER, BY_PATIENT = Screen(asked=True), Screen("provider"), Screen("patient")
BOTH = Screen("provider", asked=True)


class Shared:
    """A room of three parties. `screen`: which party shares its screen, and whether the patient is asked to share."""

    def __init__(self, screen: Screen = NO_SCREEN, live: bool = True) -> None:
        self.sent: list[tuple[str, str | None, bool]] = []
        self.screens = Screens(self._send)
        media: Any = MediaRoom()
        media.set_gate(live)
        self.room = Room("riverside", media, 7, {})
        self.room.screen = screen
        for party in PARTIES:
            self.room.participants[party] = Participant(member(party), cast(Any, Noted()), 0)

    def _send(self, room: Room, to: Any, message: Any) -> None:
        assert room is self.room
        assert isinstance(message, server.MediaShared)
        assert message.visit == VISIT
        self.sent.append((to.party, message.sharing, message.asked))

    def has(self, screen: Screen, before: Screen) -> None:
        """Check that the shared screen is in the state `screen`.

        Check also that each party was sent this state if it differs from the earlier state `before`.
        """
        assert self.room.screen == screen
        told = [(party, screen.sharing, screen.asked) for party in PARTIES]
        assert self.sent == (told if screen != before else [])
        for participant in self.room.participants.values():
            media: Any = participant.media
            assert len(media.named("set_receiving")) == (2 if screen != before else 0)


def test_nothing_is_shared_while_the_visit_is_not_live() -> None:
    shared = Shared(live=False)
    refused = shared.screens.act(shared.room, shared.room.participants["provider"], "share")
    assert refused == ("wrong_status", {"status": "claimed"})
    shared.has(NO_SCREEN, NO_SCREEN)


def test_an_act_that_is_allowed_is_sent_to_all_and_another_is_refused() -> None:
    shared = Shared()
    assert shared.screens.act(shared.room, shared.room.participants[GUEST], "share") == ("not_allowed", {})
    shared.has(NO_SCREEN, NO_SCREEN)
    assert shared.screens.act(shared.room, shared.room.participants["provider"], "share") is None
    shared.has(BY_PROVIDER, NO_SCREEN)


@pytest.mark.parametrize(
    ("before", "party", "after"),
    [
        (BY_PROVIDER, "provider", NO_SCREEN),
        (BY_PROVIDER, "patient", BY_PROVIDER),
        (BY_PROVIDER, GUEST, BY_PROVIDER),
        (BOTH, "provider", NO_SCREEN),
        (BOTH, "patient", BY_PROVIDER),
        (BOTH, GUEST, BOTH),
        (ASKED, "patient", NO_SCREEN),
        (ASKED, "provider", NO_SCREEN),
        (ASKED, GUEST, ASKED),
        (BY_PATIENT, "patient", NO_SCREEN),
        (NO_SCREEN, "patient", NO_SCREEN),
    ],
)
def test_what_a_party_shared_asked_or_was_asked_ends_when_it_leaves(
    before: Screen, party: str, after: Screen
) -> None:
    shared = Shared(before)
    shared.screens.left(shared.room, party)
    shared.has(after, before)


@pytest.mark.parametrize(
    ("before", "party", "after", "sent"),
    [
        (NO_SCREEN, "patient", NO_SCREEN, 0),
        (BY_PROVIDER, "patient", BY_PROVIDER, 1),
        (BY_PROVIDER, "provider", NO_SCREEN, 3),
        (BOTH, "provider", ASKED, 4),
        (ASKED, "patient", ASKED, 1),
    ],
)
def test_a_party_that_joins_shares_nothing_and_is_sent_what_is_shared_or_asked_for(
    before: Screen, party: str, after: Screen, sent: int
) -> None:
    shared = Shared(before)
    joined = shared.room.participants[party]
    shared.screens.joined(shared.room, joined)
    assert (shared.room.screen, len(shared.sent)) == (after, sent)
    assert shared.sent[3 * (before != after) :] == (
        [] if after == NO_SCREEN else [(party, after.sharing, after.asked)]
    )
    media: Any = joined.media
    assert len(media.named("set_receiving")) == (4 if before != after else 2), "what it sends is let through"


@pytest.mark.parametrize(("live", "after"), [(True, BOTH), (False, NO_SCREEN)])
def test_all_sharing_ends_with_the_call(live: bool, after: Screen) -> None:
    shared = Shared(BOTH)
    shared.screens.follow(shared.room, live)
    shared.has(after, BOTH)
