"""A room: its parties, and the gate between them, which decides whether media is forwarded.

Nothing is forwarded while the gate is closed. The caller opens and closes it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from media.errors import RoomClosedError, RoomFullError
from media.events import REPLACED, Listener
from media.forwarding.active_speaker import STEP_S, ActiveSpeaker
from media.forwarding.endpoint import Endpoint
from media.forwarding.streams import Source
from media.forwarding.subscriptions import Subscription
from media.party import Party
from media.protocols.codecs import H264

if TYPE_CHECKING:
    from media.relay import Relay

PARTIES_MAX: Final = 6


class Room:
    """A room, in which parties exchange media; `Relay.room` makes it. `parties`: id -> party that is present."""

    def __init__(self, relay: Relay, room_id: str) -> None:
        self.relay = relay
        self.room_id = room_id
        self.parties: dict[str, Party] = {}
        self.h264_first = False  # True if offers list H.264 before VP8, so that browsers send it
        self._gate = False
        self._closed = False
        self._speaker = ActiveSpeaker()
        self._speaker_due_s = 0.0
        # True once the room has had more than two parties: it then keeps using subscriptions
        self._subscribing = False

    @property
    def gate(self) -> bool:
        """Return True if the gate is open: media is forwarded between the parties of the room."""
        return self._gate

    def set_gate(self, open: bool) -> None:
        """Open or close the gate. A repeated call changes nothing.

        When the gate opens, each party's browser receives a request for a keyframe, and the party's video is forwarded
        from that keyframe on.
        """
        if self._closed:
            open = False
        if open != self._gate:
            self._gate = open
            now_s = time.monotonic() if open else 0.0
            for party in self.parties.values():
                party.endpoint.opened_s = now_s
            self.reroute()

    def join(
        self, party_id: str, listener: Listener, *, opposite: str | None = None, admitted: bool = True
    ) -> Party:
        """Return a new party with its own endpoint.

        If `party_id` is already present (a page was reloaded), the older party receives Disconnected("replaced"), and
        the numbers of the streams to the other parties continue. `listener` is called on the event loop and must not
        raise. `opposite`: the id of the party whose media the new party receives on the m-lines on which the new party
        sends; this other party may be absent, and in a room of two it need not be named. Nothing is forwarded to or
        from a party while `admitted` is False (`set_admitted`). Raises RoomFullError if PARTIES_MAX parties are
        present, RoomClosedError if the room is closed.
        """
        if self._closed:
            raise RoomClosedError(self.room_id)
        previous = self.parties.get(party_id)
        if previous is None and len(self.parties) >= PARTIES_MAX:
            raise RoomFullError(self.room_id)
        party = Party(self, party_id, listener, opposite, admitted)
        self.parties[party_id] = party
        self.relay.add_party(party)
        if previous is not None:
            self.relay.remove_party(previous, REPLACED)
        self.h264_first = self.h264_first and len(self.parties) <= 2
        for other in list(self.parties.values()):
            if other is not party:
                party.add_slot(other.party_id)
                other.add_slot(party_id)
        self.reroute()
        for other in list(self.parties.values()):
            other.renew_offer()
        return party

    def remove(self, party: Party) -> None:
        """Remove a party from the room and close its endpoint. `Party.leave` calls this."""
        if self.parties.get(party.party_id) is party:
            del self.parties[party.party_id]
            self.reroute()
        self.relay.remove_party(party, None)

    def close(self) -> None:
        """Close the room: all parties are removed, and nothing is forwarded from now on.

        A repeated call changes nothing.
        """
        self._gate = False
        self._closed = True
        for party in list(self.parties.values()):
            self.remove(party)
        self.relay.remove_room(self)

    def tick(self, now_s: float) -> None:
        """In a room of more than two parties, choose the active speaker every STEP_S, and send its id to the listeners.

        Called every 50 ms. `now_s`: the monotonic time.
        """
        if not self._subscribing or now_s < self._speaker_due_s:
            return
        self._speaker_due_s = now_s + STEP_S
        parties = list(self.parties.values())
        self._speaker.observe({party.party_id: party.endpoint.voice.take() for party in parties})
        for party in parties:
            party.send_speaker(self._speaker.current)

    def choose_video(self) -> None:
        """Choose the video codec: H.264 in a room of two if both browsers accept it and one prefers it, otherwise VP8.

        Called after each answer. The choice stays while one of the two has not answered, so that reloading a page does
        not change it.
        """
        answers = [party.answer for party in self.parties.values() if party.answer is not None]
        if self._subscribing or len(answers) != 2:
            return
        taken = all(H264.payload_type in answer.payload_types for answer in answers)
        self.h264_first = taken and any(answer.prefers_h264 for answer in answers)
        for party in list(self.parties.values()):
            party.renew_offer()

    def reroute(self) -> None:
        """Compute again which media each party receives, after a party, the gate or a source has changed."""
        parties = list(self.parties.values())
        if not self._subscribing and not _is_pair(parties):
            self._begin_subscriptions(parties)
        now_s = time.monotonic()
        if self._subscribing:
            self._reroute_subscriptions(parties, now_s)
            return
        gate = self._gate and all(party.admitted for party in parties)
        for party in parties:
            party.endpoint.received = {}
        peers: list[Party | None] = [None] if len(parties) == 1 else [*reversed(parties)]
        for party, peer in zip(parties, peers, strict=True):
            for source in party.endpoint.route(peer.endpoint if peer is not None else None, gate):
                self.relay.forwarder.ask_for_keyframe(party.endpoint, source, now_s)

    def reroute_from(self, party: Party) -> None:
        """Compute again which media of one party is forwarded, after its sound or pictures were turned off or on.

        The receivers of this party, and the state of the gate, stay the same.
        """
        if self._subscribing:
            self.reroute()
            return
        for source in party.endpoint.route(party.endpoint.peer, party.endpoint.gate):
            self.relay.forwarder.ask_for_keyframe(party.endpoint, source, time.monotonic())

    def _begin_subscriptions(self, parties: list[Party]) -> None:
        """Use subscriptions (separate numbers for each receiver) from now on, because a third party has joined.

        `parties`: the three parties. Forwarded media continues without a gap.
        """
        self._subscribing = True
        for party in parties:
            peer = party.endpoint.peer
            other = next((other for other in parties if other.endpoint is peer), None)
            slot = other.slot_of(party.party_id) if other is not None else None
            if peer is not None and slot is not None:
                subscription = party.endpoint.subscribers[peer] = Subscription(
                    party.endpoint, peer, slot.sinks
                )
                subscription.inherit()
        for party in parties:
            party.endpoint.unpair()

    def _reroute_subscriptions(self, parties: list[Party], now_s: float) -> None:
        for party in parties:
            subscribers: dict[Endpoint, Subscription] = {}
            waiting: set[Source] = set()
            for other in parties:
                slot = other.slot_of(party.party_id)
                if other is party or slot is None:
                    continue
                subscription = party.endpoint.subscribers.get(other.endpoint)
                if subscription is None or subscription.sinks is not slot.sinks:
                    subscription = Subscription(party.endpoint, other.endpoint, slot.sinks)
                subscription.open = self._gate and party.admitted and other.admitted
                waiting.update(subscription.refresh())
                subscribers[other.endpoint] = subscription
            party.endpoint.subscribers = subscribers
            for source in waiting:
                self.relay.forwarder.ask_for_keyframe(party.endpoint, source, now_s)


def _is_pair(parties: list[Party]) -> bool:
    """Return True if the room has fewer than two parties, or two that receive each other on their first m-lines.

    The first m-lines are those on which a party also sends.
    """
    if len(parties) != 2:
        return len(parties) < 2
    one, other = parties
    return one.slot_of(other.party_id) is one.slots[0] and other.slot_of(one.party_id) is other.slots[0]
