"""The state of a room that this worker carries: its occupants, and its media in the relay.

The behaviour of a room is defined in `rooms.py`.
"""

from __future__ import annotations

import secrets

from signalling.rooms.lease import Muted
from signalling.rooms.ports import MediaParty, MediaRoom
from signalling.rooms.worker_messages import RoomMessage, Seat, Settle
from signalling.visit.call_quality import MediaKind, Tally


class Occupant:
    """One party of a room: its seat, its leg in the relay, and the number of its newest offer."""

    __slots__ = ("leg", "offer", "seat")

    def __init__(self, seat: Seat, leg: MediaParty, offer: int) -> None:
        self.seat = seat
        self.leg = leg
        self.offer = offer

    def heeds(self, message: RoomMessage) -> bool:
        """Return True if a message comes from this occupant.

        After its connection moved, a late `Leave` of the old worker does not match and does not remove it.
        """
        if isinstance(message, Settle):
            return self.seat.connection == message.seat.connection
        return self.seat == message.seat


class Room:
    """A room whose media this worker carries, by the lease with the number `fence`.

    `talking`: party -> name, of those who take part in the call now; `since_s`: party -> time from which its call is
    not counted yet (monotonic). `muted`: also of parties that are away, because a page that is reloaded stays muted.
    """

    __slots__ = (
        "fence",
        "kept_s",
        "media",
        "muted",
        "name",
        "occupants",
        "organisation",
        "since_s",
        "talking",
        "tallies",
    )

    def __init__(self, organisation: str, media: MediaRoom, fence: int, muted: Muted) -> None:
        self.organisation = organisation
        self.media = media
        self.fence = fence
        self.muted = muted
        self.name = secrets.token_hex(4)  # differs from the room of the same visit on another worker
        self.occupants: dict[str, Occupant] = {}
        self.talking: dict[str, str] = {}
        self.since_s: dict[str, float] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.kept_s = 0.0

    def muted_by(self, seat: Seat) -> frozenset[MediaKind]:
        """Return the kinds of media that a party has turned off."""
        return self.muted.get((seat.party, seat.person), frozenset())
