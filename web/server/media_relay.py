"""Connects the media relay to the interfaces that signalling declares (`signalling/rooms/ports.py`).

Errors and events of the package media are converted into those of the interfaces.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import media
from signalling import errors
from signalling.protocol.shapes import IceServer
from signalling.rooms import ports

ERRORS: Final[Mapping[type[media.MediaError], Callable[[Any], errors.MediaError]]] = {
    media.PartyGoneError: lambda _: errors.PartyGoneError(),
    media.RoomFullError: lambda _: errors.RoomFullError(),
    media.RoomClosedError: lambda _: errors.RoomFullError(),
    media.SdpError: lambda error: errors.BadSdpError(error.code),
}
EVENTS: Final[Mapping[type[media.PartyEvent], Callable[[Any], ports.MediaEvent]]] = {
    media.Connected: lambda _: ports.Connected(),
    media.Disconnected: lambda event: ports.Disconnected(event.reason),
    media.OfferNeeded: lambda _: ports.OfferNeeded(),
    media.Speaking: lambda event: ports.Speaking(event.party_id),
    media.PicturePaused: lambda event: ports.PicturePaused(event.paused),
}


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except media.MediaError as error:
        raise ERRORS[type(error)](error) from error


class Party:
    """A party of a call: implements `ports.MediaParty` with a `media.Party`."""

    __slots__ = ("_party",)

    def __init__(self, party: media.Party) -> None:
        self._party = party

    @property
    def connected(self) -> bool:
        """Whether the media connection with the party's browser is established, so that media can be sent."""
        return self._party.connected

    def offer(self) -> str:
        """Return an SDP offer. Raises `PartyGoneError` if the party has left."""
        with _errors():
            return self._party.offer()

    def accept(self, answer: str) -> None:
        """Use an SDP answer. Raises `BadSdpError` if it is not valid, and `PartyGoneError` if the party has left."""
        with _errors():
            self._party.accept(answer)

    def restart_ice(self) -> str:
        """Return an SDP offer with new ICE credentials. Raises `PartyGoneError` if the party has left."""
        with _errors():
            return self._party.restart_ice()

    def set_receiving(self, kind: media.Kind, allowed: bool) -> None:
        """Set whether the sound or the video (`kind`) that this party sends may be forwarded."""
        self._party.set_receiving(kind, allowed)

    def set_admitted(self, admitted: bool) -> None:
        """Set whether media may be forwarded between this party and the other parties; False stops both directions."""
        self._party.set_admitted(admitted)

    def quality(self) -> media.Quality:
        """Return the loss, jitter, round trip and bit rate of the party's media, as measured until now."""
        return self._party.quality()

    def leave(self) -> None:
        """Remove the party from its room."""
        self._party.leave()


class Room:
    """A room, which carries the media of one call: implements `ports.MediaRoom` with a `media.Room`."""

    __slots__ = ("_room",)

    def __init__(self, room: media.Room) -> None:
        self._room = room

    @property
    def gate(self) -> bool:
        """Whether the room forwards media between its parties."""
        return self._room.gate

    def join(
        self,
        party_id: str,
        listener: Callable[[ports.MediaEvent], None],
        *,
        opposite: str | None,
        admitted: bool,
    ) -> Party:
        """Add a party to the room and return it. Raises `RoomFullError` if the room has too many parties.

        `listener` is called with each event of the new party. `opposite`: the id of another party, or None. The new
        party receives the media of `opposite` on the m-lines on which the new party sends its own media. `admitted`:
        True if media may be forwarded from and to the new party.
        """

        def convert(event: media.PartyEvent) -> None:
            listener(EVENTS[type(event)](event))

        with _errors():
            return Party(self._room.join(party_id, convert, opposite=opposite, admitted=admitted))

    def set_gate(self, open: bool) -> None:
        """Open or close the room's gate: whether media is forwarded between the parties."""
        self._room.set_gate(open)

    def close(self) -> None:
        """End the room: no media is forwarded from now on."""
        self._room.close()


class Turn(NamedTuple):
    """The TURN servers that browsers may use. `secret`: the secret that this server shares with the TURN servers."""

    urls: tuple[str, ...]
    secret: str


class Relay:
    """The media relay of this worker: implements `ports.MediaRelay` with a `media.Relay`."""

    def __init__(self, relay: media.Relay, turn: Turn | None = None) -> None:
        self._relay = relay
        self._turn = turn

    def room(self, room_id: str) -> Room:
        """Return this relay's room with the id `room_id`; make the room first if there is none."""
        return Room(self._relay.room(room_id))

    def ice_servers(self) -> list[IceServer]:
        """Return the TURN servers for a browser, with new credentials; an empty list if none is set."""
        if self._turn is None:
            return []
        # The user name is random, because coturn logs it, and its log must not show to which visit a user belongs.
        made = media.ice_server(self._turn.urls, self._turn.secret, secrets.token_hex(8), time.time())
        return [IceServer(urls=list(made.urls), username=made.username, credential=made.credential)]

    def probe(self) -> str | None:
        """Return an SDP offer with which a browser can test how media can reach the server from its network.

        Returns None if too many browsers are testing now.
        """
        return self._relay.probe()

    def addresses(self) -> list[tuple[str, int]]:
        """Return the UDP addresses at which this relay receives, as (host, port)."""
        return [(found.host, found.port) for found in self._relay.candidates() if found.transport == "udp"]

    def answer_probes(self, name: str, password: str) -> None:
        """Begin to answer STUN requests with this name and password.

        By such requests, other workers check whether this relay answers.
        """
        self._relay.probed_by = media.Credentials(name, password)

    async def reaches(self, addresses: Sequence[tuple[str, int]], name: str, password: str) -> bool:
        """Return whether another worker's relay answers at one of its addresses within half a second.

        `name` and `password`: those that the other worker gave to `answer_probes`.
        """
        return await media.reaches(addresses, media.Credentials(name, password))
