"""The interfaces by which signalling uses a media relay, and the events that the relay sends.

`web/server/media_relay.py` implements them with the relay of the package `media`. The interface `Parties`, by which a
room sends messages to its parties, is implemented by `memberships.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from signalling.protocol import server_messages as server
from signalling.protocol.shapes import IceServer
from signalling.rooms.worker_messages import Member
from signalling.visit.call_quality import MediaKind, PartyQuality


class Connected(msgspec.Struct, frozen=True):
    """The party's media connection to the relay is open: media can flow."""


class Disconnected(msgspec.Struct, frozen=True):
    """The party's media connection to the relay is no longer open. `reason`: the cause, as a short code."""

    reason: str


class OfferNeeded(msgspec.Struct, frozen=True):
    """The party's client must receive a new SDP offer, because the media that it receives has changed."""


class Speaking(msgspec.Struct, frozen=True):
    """The current speaker of the room has changed.

    `party`: the key in `Visit.parties` of the party that speaks now ("patient", …), None if nobody speaks.
    """

    party: str | None


class PicturePaused(msgspec.Struct, frozen=True):
    """The relay has paused or resumed the pictures that it sends to the party.

    `paused`: True if the party receives no pictures from now on, because its network is too weak.
    """

    paused: bool


MediaEvent = Connected | Disconnected | OfferNeeded | Speaking | PicturePaused


class MediaParty(Protocol):
    """One party in the relay: the media connection to one browser.

    `offer` and `restart_ice` return SDP. `accept` uses the browser's answer, and raises `BadSdpError` if this is not
    possible. All three methods raise `PartyGoneError` if the connection has ended.
    """

    @property
    def connected(self) -> bool: ...
    def offer(self) -> str: ...
    def accept(self, answer: str) -> None: ...
    def restart_ice(self) -> str: ...
    def set_receiving(self, kind: MediaKind, allowed: bool) -> None: ...
    def set_admitted(self, admitted: bool) -> None: ...
    def quality(self) -> PartyQuality: ...
    def leave(self) -> None: ...


class MediaRoom(Protocol):
    """The media of one visit in the relay.

    `join` raises `RoomFullError` if the room already has the greatest number of parties, or is closing.
    """

    @property
    def gate(self) -> bool: ...
    def join(
        self,
        party_id: str,
        listener: Callable[[MediaEvent], None],
        *,
        opposite: str | None,
        admitted: bool,
    ) -> MediaParty: ...
    def set_gate(self, open: bool) -> None: ...
    def close(self) -> None: ...


class MediaRelay(Protocol):
    """The relay of this worker, which receives and forwards media.

    `ice_servers` returns the TURN servers for one browser, with credentials that expire. `probe` returns an SDP offer
    with which a browser can test its network, or None if too many browsers do this now. `reaches` returns True if
    another worker's relay answers at the addresses to which browsers send media. `answer_probes` sets the name and the
    password of the requests by which other workers check this relay.
    """

    def room(self, room_id: str) -> MediaRoom: ...
    def ice_servers(self) -> list[IceServer]: ...
    def probe(self) -> str | None: ...
    def addresses(self) -> list[tuple[str, int]]: ...
    def answer_probes(self, name: str, password: str) -> None: ...
    async def reaches(self, addresses: Sequence[tuple[str, int]], name: str, password: str) -> bool: ...


class Parties(Protocol):
    """Carries messages between this worker's rooms and their parties, whose sockets may be on other workers."""

    def send(self, member: Member, fence: int, message: server.Message, /) -> None: ...
    def send_lost(self, worker: str, visit: str, fence: int, /) -> None: ...
    def lost(self, visit: str, fence: int, /) -> None: ...
    def close_room(self, visit: str, /) -> None: ...
