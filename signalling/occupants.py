"""A room that this worker carries: who sits there, and what is asked of a relay for it.

Knows no packet: `MediaRelay` is what signalling needs of a relay. What happens in a room stands in `rooms.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Protocol

from signalling import messages as m
from signalling.tally import LegQuality, Tally
from signalling.wire import RoomMessage, Seat, Settle


class MediaParty(Protocol):
    """One party's leg."""

    @property
    def connected(self) -> bool: ...
    def offer(self) -> str: ...
    def accept(self, answer: str) -> None: ...
    def restart_ice(self) -> str: ...
    def set_receiving(self, kind: m.MediaKind, allowed: bool) -> None: ...
    def set_admitted(self, admitted: bool) -> None: ...
    def quality(self) -> LegQuality: ...
    def leave(self) -> None: ...


class MediaRoom(Protocol):
    """One visit's media."""

    def join(
        self, party_id: str, listener: Callable[[Any], None], *, opposite: str | None, admitted: bool
    ) -> MediaParty: ...
    def set_gate(self, open: bool) -> None: ...
    def close(self) -> None: ...


class MediaRelay(Protocol):
    """The worker's relay. `accept` raises ValueError for SDP that cannot be used, `join` RuntimeError
    where there is no place. A listener's event with a true `needs_offer` asks for a new offer, one with a
    `reason` says that the party is no longer connected."""

    def room(self, room_id: str) -> MediaRoom: ...


class Occupant:
    """Who sits on one side of a room, the number of the newest offer, and what is switched off."""

    __slots__ = ("leg", "muted", "offer", "seat")

    def __init__(self, seat: Seat, leg: MediaParty, offer: int, muted: dict[m.MediaKind, bool]) -> None:
        self.seat = seat
        self.leg = leg
        self.offer = offer
        self.muted = muted

    def heeds(self, message: RoomMessage) -> bool:
        """Return whether a request comes from who sits there; of a connection that moved, what its old worker says
        late (`Leave`) does not unseat it."""
        if isinstance(message, Settle):
            return self.seat.connection == message.seat.connection
        return self.seat == message.seat


class Room:
    """A room whose media this worker carries. `talking`: who takes part in the call now, and by which name;
    `since_s`: from when on their call is yet to be counted (monotonic)."""

    __slots__ = ("kept_s", "media", "name", "occupants", "organisation", "since_s", "talking", "tallies")

    def __init__(self, organisation: str, media: MediaRoom) -> None:
        self.organisation = organisation
        self.media = media
        self.name = secrets.token_hex(4)  # another worker's room of the same visit has another
        self.occupants: dict[str, Occupant] = {}
        self.talking: dict[str, str] = {}
        self.since_s: dict[str, float] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.kept_s = 0.0
