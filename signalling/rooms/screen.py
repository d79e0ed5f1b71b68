"""Shows the screen of a party to the other parties of a call, in place of its camera: PROTOCOL.md#screens.

`after` decides which party may share, and does no I/O. `Screens` applies its decision to the rooms of a
worker, and sends each change to the parties. A screen is forwarded as the party's video, so only while the
visit is live, and to the parties that take part in the call.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from signalling.protocol import server_messages as server
from signalling.protocol.client_messages import ScreenAct
from signalling.rooms.participants import NO_SCREEN, Participant, Room, Screen
from signalling.rooms.worker_messages import Member
from signalling.visit.record import Status
from signalling.visit.relations import PATIENT, PROVIDER

Refused = tuple[str, dict[str, str]]


def after(state: Screen, party: str, act: ScreenAct) -> Screen | None:
    """Return the state of the shared screen after `act` of a party; None if the party may not do that.

    `party`: its key in `Visit.parties` ("patient", …). A repeated act changes nothing.
    """
    match act, party:
        case "share", "provider":
            return replace(state, sharing=PROVIDER)
        case "share", "patient" if state.asked or state.sharing == PATIENT:
            return Screen(sharing=PATIENT)
        case "end", _:
            return replace(state, sharing=None) if state.sharing == party else state
        case "ask", "provider":
            return replace(state, asked=state.sharing != PATIENT)
        case "decline", "patient":
            return replace(state, asked=False)
    return None


class Screens:
    """Holds the shared screens of one worker's rooms. `send`: a function that sends a message to a member of a room."""

    def __init__(self, send: Callable[[Room, Member, server.Message], None]) -> None:
        self._send = send

    def act(self, room: Room, participant: Participant, act: ScreenAct) -> Refused | None:
        """Carry out a party's act; return None, or a refusal: (error code, details).

        `act`: share the screen, end the sharing, ask the patient to share, or decline this request.
        """
        if not room.media.gate:
            return "wrong_status", {"status": Status.CLAIMED}
        state = after(room.screen, participant.member.party, act)
        if state is None:
            return "not_allowed", {}
        self._become(room, state)
        return None

    def joined(self, room: Room, participant: Participant) -> None:
        """End the sharing of a party that has joined again after a reload: its new page shares nothing.

        If another party shares its screen, or the patient is asked to share, send the party a message about this.
        """
        self._become(room, after(room.screen, participant.member.party, "end") or NO_SCREEN)
        participant.let_through(room)
        if room.screen != NO_SCREEN:
            self.send(room, participant.member)

    def left(self, room: Room, party: str) -> None:
        """End the sharing of a party that has left the room. Also end a request to share that the party made or
        received.
        """
        asked = room.screen.asked and party not in (PATIENT, PROVIDER)
        sharing = None if room.screen.sharing == party else room.screen.sharing
        self._become(room, Screen(sharing, asked))

    def follow(self, room: Room, live: bool) -> None:
        """End all sharing if the visit is no longer live (`live` is False)."""
        if not live:
            self._become(room, NO_SCREEN)

    def send(self, room: Room, member: Member) -> None:
        """Send the party of `member` which screen is shared in the room, or that the patient is asked to share."""
        state = room.screen
        self._send(
            room,
            member,
            server.MediaShared(visit=member.visit, sharing=state.sharing, asked=state.asked),
        )

    def _become(self, room: Room, state: Screen) -> None:
        if state == room.screen:
            return
        room.screen = state
        for participant in room.participants.values():
            participant.let_through(room)
            self.send(room, participant.member)
