"""The state of a room (the call of a visit) that this worker carries: its participants, and its media in the relay.

`rooms.py` defines the behaviour of rooms.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final, get_args

import msgspec

from signalling.protocol.shapes import PathState
from signalling.rooms.lease import Muted
from signalling.rooms.ports import MediaParty, MediaRoom
from signalling.rooms.worker_messages import Member, Moved, Mute, RoomMessage
from signalling.visit.call_quality import MediaKind, Tally
from signalling.visit.record import Visit
from signalling.visit.relations import GUEST_PREFIX, PATIENT, PROVIDER


class Screen(msgspec.Struct, frozen=True):
    """The screen that is shared in a room.

    `sharing`: the key in `Visit.parties` of the party that shares its screen, None if no party does. `asked`:
    True while the patient is asked to share a screen.
    """

    sharing: str | None = None
    asked: bool = False


NO_SCREEN: Final = Screen()


class Participant:
    """One party that is in a room. `media`: its connection to the relay. `offer`: the number of its newest SDP offer.

    `path`: the state of its network path, None while that is not known. `overdue`: the timer that ends the wait for a
    first path. `speaker`: the speaker that was last sent to its client. `paused`: True while the party receives no
    pictures.
    """

    __slots__ = ("media", "member", "offer", "overdue", "path", "paused", "speaker")

    def __init__(self, member: Member, media: MediaParty, offer: int) -> None:
        self.member = member
        self.media = media
        self.offer = offer
        self.path: PathState | None = None
        self.overdue: asyncio.TimerHandle | None = None
        self.speaker: str | None = None
        self.paused = False

    def sent(self, message: RoomMessage) -> bool:
        """Return True if this participant's connection sent the message, and has not been replaced since.

        After a connection has moved to another worker, the old worker may send its `Left` late. Then the result is
        False.
        """
        if isinstance(message, Moved):
            return self.member.connection == message.member.connection
        return self.member == message.member

    def switch(self, room: Room, message: Mute) -> None:
        """Store and apply a party's report about one kind of media: the party turned it off, turned it on, or has no
        such device.
        """
        is_choice = message.missing is None
        states, is_so = (room.muted, message.muted) if is_choice else (room.missing, message.missing)
        key, kind = (self.member.party, self.member.person), message.kind
        states[key] = states.get(key, frozenset()) - {kind} | ({kind} if is_so else set())
        self.let_through(room)

    def let_through(self, room: Room) -> None:
        """Set which media of the party the relay forwards: all kinds that the party has not muted.

        A shared screen is forwarded even if the camera is off.
        """
        muted = room.muted_by(self.member)
        if room.screen.sharing == self.member.party:
            muted -= {"video"}
        for kind in get_args(MediaKind):
            self.media.set_receiving(kind, kind not in muted)


class Room:
    """A room whose media this worker carries. `fence`: the fencing number of the room's lease.

    `talking`: key of a party -> its name, for the parties that take part in the call now. `since_s`: key of a
    party -> the monotonic time in s until which the duration of its call has been counted. `muted` includes
    parties that are away, because a party stays muted when it reloads its page. `missing`: (party, person) ->
    the kinds of media for which the party has no device.
    """

    __slots__ = (
        "fence",
        "kept_s",
        "media",
        "missing",
        "muted",
        "name",
        "organisation",
        "participants",
        "screen",
        "since_s",
        "talking",
        "tallies",
    )

    def __init__(self, organisation: str, media: MediaRoom, fence: int, muted: Muted) -> None:
        self.organisation = organisation
        self.media = media
        self.fence = fence
        self.muted = muted
        self.missing: Muted = {}
        # The first part of this room's field names in the visit's hash of counts (`quality_watch.py`). It is random, so
        # that the rooms of two workers for the same visit write different fields.
        self.name = secrets.token_hex(4)
        self.participants: dict[str, Participant] = {}
        self.screen = NO_SCREEN
        self.talking: dict[str, str] = {}
        self.since_s: dict[str, float] = {}
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.kept_s = 0.0

    @property
    def workers(self) -> set[str]:
        """The ids of the workers on which the parties of this room have their sockets."""
        return {participant.member.worker for participant in self.participants.values()}

    def switches(self, besides: str) -> list[tuple[str, MediaKind, bool]]:
        """Return (party, kind, True if it is off) for the audio and the video of every party except the party
        `besides`.
        """
        return [
            (party, kind, kind in self.muted_by(other.member))
            for party, other in self.participants.items()
            for kind in get_args(MediaKind)
            if party != besides
        ]

    def muted_by(self, member: Member) -> frozenset[MediaKind]:
        """Return the kinds of media that the party of `member` has turned off."""
        return self.muted.get((member.party, member.person), frozenset())

    def missing_by(self, member: Member) -> frozenset[MediaKind]:
        """Return the kinds of media for which the party of `member` has no device."""
        return self.missing.get((member.party, member.person), frozenset())

    def lacks(self, party: str, kind: MediaKind) -> bool:
        """Return True if the party `party` is in the room and has no device for this kind of media."""
        participant = self.participants.get(party)
        return participant is not None and kind in self.missing_by(participant.member)


def admitted(visit: Visit, party: str) -> bool:
    """Return True if a party's audio and video may be forwarded: always, except for a guest before Start Session."""
    return not party.startswith(GUEST_PREFIX) or visit.parties[party].started_ms is not None


def opposite(party: str) -> str:
    """Return the party whose media a party receives on those m-lines of the SDP on which it sends its own media.

    The patient is the opposite of every other party.
    """
    return PROVIDER if party == PATIENT else PATIENT
