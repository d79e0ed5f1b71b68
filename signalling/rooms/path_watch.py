"""Reports to the parties of a room which network paths work, who speaks, and whether pictures are paused.

See PROTOCOL.md#media. Each party's state is kept in its `Participant`. When a party leaves or the room closes, the
timer that waits for the party's network path is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from signalling.protocol import server_messages as server
from signalling.protocol.shapes import PathState
from signalling.rooms.participants import Participant, Room
from signalling.rooms.ports import Connected, Disconnected, PicturePaused, Speaking
from signalling.rooms.worker_messages import Member

NO_PATH_S = 15.0
log = structlog.get_logger()


class _Overdue:
    """The event that a party joined NO_PATH_S ago, and still has no network path for its media."""


class _Unable:
    """The event that a party's browser or device is not able to hold a call."""


_AFTER: Final[Mapping[type, Mapping[PathState | None, PathState]]] = {
    Connected: {None: "open", "lost": "open", "none": "open"},
    Disconnected: {"open": "lost"},
    _Overdue: {None: "none", "lost": "none"},
    _Unable: {None: "none", "lost": "none"},
}
"""Event -> state of the party's path before it -> state after it. Any other pair of event and state changes nothing."""


class PathWatch:
    """Follows the network paths of the parties in one worker's rooms.

    `send`: a function that sends a message to a member.
    """

    def __init__(self, send: Callable[[Room, Member, server.Message], None]) -> None:
        self._send = send
        self.no_path_s = NO_PATH_S

    def joined(self, room: Room, participant: Participant, before: Participant | None) -> None:
        """Begin to follow the network path of `participant`, who has joined.

        `before`: the participant that `participant` replaces, or None. If both have the same connection, the state of
        the network path and the running timer are kept. Otherwise they begin anew.
        """
        member = participant.member
        if before is not None and before.member.connection == member.connection:
            participant.path, participant.overdue = before.path, before.overdue
        elif before is not None:
            _cancel(before)
        if not member.able:
            self.follow(room, member.party, _Unable())
        elif participant.overdue is None and participant.path != "none":
            loop = asyncio.get_running_loop()
            participant.overdue = loop.call_later(self.no_path_s, self.follow, room, member.party, _Overdue())

    def follow(self, room: Room, party: str, event: object) -> None:
        """Handle an event of a party: its network path, the pictures that it receives, or the speaker has changed.

        A new state of the network path is sent to the other parties. It is also sent to this party if the old or the
        new state is "none". Any other change is sent only to this party.
        """
        participant = room.participants.get(party)
        if isinstance(event, PicturePaused) and participant is not None:
            participant.paused = event.paused
            if event.paused:
                log.info("room.picture_paused", visit=participant.member.visit)
            else:
                log.info("room.picture_resumed", visit=participant.member.visit)
            self._say_paused(room, participant)
            return
        if isinstance(event, Speaking) and participant is not None:
            participant.speaker = event.party
            self._report_speaker(room, participant)
            return
        after = _AFTER.get(type(event), {}).get(participant.path) if participant is not None else None
        if participant is None or after is None:
            return
        before, participant.path = participant.path, after
        if after != "lost":
            _cancel(participant)
        if after == "none":
            log.info("room.no_path", visit=participant.member.visit)
        for other in room.participants.values():
            if other is not participant or "none" in (before, after):
                self._report(room, other.member, participant)

    def send(self, room: Room, member: Member, *states: PathState) -> None:
        """Send the party of `member` the states of network paths, the speaker, and whether its pictures are paused.

        States of the other parties' paths are sent if they are in `states`. The state of the party's own path is only
        sent if it is "none", and `states` contains "none". The speaker is only sent if somebody speaks, and the pause
        only if the pictures are paused.
        """
        participant = room.participants[member.party]
        if participant.speaker is not None:
            self._report_speaker(room, participant)
        if participant.paused:
            self._say_paused(room, participant)
        for other in room.participants.values():
            if other.path in states and (other.member.party != member.party or other.path == "none"):
                self._report(room, member, other)

    def left(self, room: Room, participant: Participant) -> None:
        """Report to the other parties that the path of `participant`, who has left, is lost; do nothing if it was not
        open.
        """
        _cancel(participant)
        if participant.path == "open":
            participant.path = "lost"
            for other in room.participants.values():
                self._report(room, other.member, participant)

    @staticmethod
    def close(room: Room) -> None:
        """Cancel the timers that wait for network paths in a room, so that nothing more is sent about the room."""
        for participant in room.participants.values():
            _cancel(participant)

    def _report_speaker(self, room: Room, participant: Participant) -> None:
        member = participant.member
        self._send(room, member, server.MediaSpeaker(visit=member.visit, party=participant.speaker))

    def _say_paused(self, room: Room, participant: Participant) -> None:
        member = participant.member
        self._send(room, member, server.MediaPaused(visit=member.visit, paused=participant.paused))

    def _report(self, room: Room, member: Member, about: Participant) -> None:
        if about.path is not None:
            reason: server.PathReason | None = (
                "browser" if about.path == "none" and not about.member.able else None
            )
            update = server.MediaPath(
                visit=member.visit, party=about.member.party, path=about.path, reason=reason
            )
            self._send(room, member, update)


def _cancel(participant: Participant) -> None:
    """Cancel the timer that ends the wait for a participant's first network path."""
    if participant.overdue is not None:
        participant.overdue.cancel()
        participant.overdue = None
