"""A room: its parties, and the gate between them.

Knows who is in it, and that nothing crosses while the gate is closed. Does not know why it opens: whoever
holds the room's state says so.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from media.party import REPLACED, Listener, Party

if TYPE_CHECKING:
    from media.relay import Relay

PARTIES_MAX: Final = 2


class RoomFull(RuntimeError):
    """The room holds as many parties as it may."""


class RoomClosed(RuntimeError):
    """The room was closed; ask the relay for a new one."""


class Room:
    """Made by `Relay.room`."""

    def __init__(self, relay: Relay, room_id: str) -> None:
        self.relay = relay
        self.room_id = room_id
        self.parties: dict[str, Party] = {}
        self._gate = False
        self._closed = False

    @property
    def gate(self) -> bool:
        """Whether media crosses."""
        return self._gate

    def set_gate(self, open: bool) -> None:
        """Open or close the gate. Idempotent. On opening every party is asked for a keyframe, and its video
        crosses from there on."""
        if self._closed:
            open = False
        if open != self._gate:
            self._gate = open
            self.reroute()

    def join(self, party_id: str, listener: Listener) -> Party:
        """A party with a leg of its own. The same `party_id` again is a reload: the older leg ends with
        Disconnected("replaced"), and the other side's numbers go on as if nothing had happened. `listener` is
        called on the loop and must not raise.

        Raises RoomFull and RoomClosed.
        """
        if self._closed:
            raise RoomClosed(self.room_id)
        previous = self.parties.get(party_id)
        if previous is None and len(self.parties) >= PARTIES_MAX:
            raise RoomFull(self.room_id)
        party = Party(self, party_id, listener)
        self.parties[party_id] = party
        self.relay.enter(party)
        if previous is not None:
            self.relay.exit(previous, REPLACED)
        self.reroute()
        return party

    def remove(self, party: Party) -> None:
        """What `Party.leave` does."""
        if self.parties.get(party.party_id) is party:
            del self.parties[party.party_id]
            self.reroute()
        self.relay.exit(party, None)

    def close(self) -> None:
        """End the room: nothing crosses from this moment on. Idempotent."""
        self._gate = False
        self._closed = True
        for party in list(self.parties.values()):
            self.remove(party)
        self.relay.forget_room(self)

    def reroute(self) -> None:
        """Work out anew what crosses to whom, after anything that bears on it has changed."""
        legs = [party.leg for party in self.parties.values()]
        for leg in legs:
            leg.received = {}
        now_s = time.monotonic()
        for leg in legs:
            peer = next((other for other in legs if other is not leg), None)
            for source in leg.route(peer, self._gate):
                self.relay.forwarder.ask_for_keyframe(leg, source, now_s)
