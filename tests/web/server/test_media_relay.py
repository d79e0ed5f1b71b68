"""Tests the module that connects the relay with signalling.

It replaces each error and event of the package `media` by one of the package `signalling`.
"""

from __future__ import annotations

from typing import get_args

import pytest

import media
from signalling import errors
from web.server.media_relay import ERRORS, EVENTS, Relay

# These errors are not replaced: `MediaError` is only a base class, and only `media.Relay.open` raises
# `PortsTakenError`, before this module is used.
BEFORE_THE_ADAPTER = {media.MediaError, media.PortsTakenError}


def test_every_error_and_event_of_media_has_its_counterpart() -> None:
    public = {getattr(media, name) for name in media.__all__ if name.endswith("Error")}
    assert set(ERRORS) == public - BEFORE_THE_ADAPTER
    assert set(EVENTS) == set(get_args(media.PartyEvent))


async def test_calls_of_a_party_and_a_room_raise_the_errors_of_the_ports() -> None:
    relay = await media.Relay.open(media.RelaySettings())
    try:
        room = Relay(relay).room("room")
        party = room.join("a", lambda event: None, opposite="b", admitted=True)
        with pytest.raises(errors.BadSdpError) as refused:
            party.accept("no sdp")
        assert refused.value.problem == "not-sdp"
        room.close()
        with pytest.raises(errors.PartyGoneError):
            party.offer()
        with pytest.raises(errors.RoomFullError):
            room.join("a", lambda event: None, opposite="b", admitted=True)
    finally:
        await relay.close()
