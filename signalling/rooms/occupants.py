"""A room that this worker carries: who sits there, and what is asked of a relay for it.

What happens in a room stands in `rooms.py`.
"""

from __future__ import annotations

import secrets

from signalling.protocol import messages as m
from signalling.rooms.ports import MediaParty, MediaRoom
from signalling.rooms.worker_messages import RoomMessage, Seat, Settle
from signalling.visit.call_quality import Tally


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
    """A room whose media this worker carries, by the lease with the number `fence`.

    `talking`: who takes part in the call now, and by which name; `since_s`: from when on their call is yet to be
    counted (monotonic).
    """

    __slots__ = (
        "fence",
        "kept_s",
        "media",
        "name",
        "occupants",
        "organisation",
        "since_s",
        "talking",
        "tallies",
    )

    def __init__(self, organisation: str, media: MediaRoom, fence: int) -> None:
        self.organisation = organisation
        self.media = media
        self.fence = fence
        self.name = secrets.token_hex(4)  # another worker's room of the same visit has another
        self.occupants: dict[str, Occupant] = {}
        self.talking: dict[str, str] = {}
        self.since_s: dict[str, float] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.kept_s = 0.0
