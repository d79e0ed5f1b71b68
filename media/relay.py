"""The relay of one worker: its sockets, its rooms, and one timer for all of them.

It finds the party to which a datagram belongs. It starts no asyncio task: the event loop calls it when a socket is
readable, and one timer runs while there are parties.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import secrets
import socket
import time
from collections.abc import Iterable
from typing import Final

from media.address_checks import AddressChecks
from media.forwarding.counters import Counters
from media.forwarding.endpoint import Endpoint
from media.forwarding.forwarder import STRAY_LOOKS, Forwarder
from media.forwarding.mending import MEND_S
from media.party import Party
from media.pictures import Pictures
from media.probes import Probes
from media.protocols import ice, sdp
from media.protocols.codecs import STREAM_KINDS, StreamKind
from media.protocols.ice import Address, Candidate, Credentials
from media.room import Room
from media.transport import srtp, tcp
from media.transport import udp as sockets
from media.transport.dtls import Identity
from media.transport.tcp import PacketSocket
from media.transport.udp import RelaySettings

logger = logging.getLogger(__name__)

# The time in s between two ticks. At each tick, a sender whose packets are not forwarded gets transport-cc feedback
# from the server, as often as browsers send such feedback.
TICK_S: Final = 0.050
# A tick is the periodic work for all parties. It is divided into at most PARTS_MAX parts of at least PART_MIN
# parties, spread over TICK_S, so that packets are handled between two parts. If the event loop is busy and a
# part begins late, the parts that are due by then are done together with it; otherwise the delays of the
# parts would add up.
PARTS_MAX: Final = 10
PART_MIN: Final = 6


class Relay:
    """The relay of one worker, which receives and forwards media.

    `Relay.open` makes it inside a running loop (asyncio's or uvloop's).
    """

    def __init__(
        self,
        settings: RelaySettings,
        bound: list[socket.socket],
        listening: list[socket.socket],
        binding: srtp.Binding,
    ) -> None:
        self.settings = settings
        self.binding = binding
        self.forwarder = Forwarder(binding, self)
        self._sockets = bound
        self.streams = tcp.Listener(listening, self.forwarder.read, self._stream_ended)
        self._loop = asyncio.get_running_loop()
        self._rooms: dict[str, Room] = {}
        self._by_ufrag: dict[str, Party] = {}
        self._by_endpoint: dict[Endpoint, Party] = {}
        self._identity = Identity(time.monotonic())
        # the credentials with which other workers check whether this relay answers; None: it answers no such check
        self.probed_by: ice.Credentials | None = None
        self._pictures = Pictures(self.forwarder.send_rtcp)
        self._checks = AddressChecks()
        self._probes = Probes()
        self._timer: asyncio.TimerHandle | None = None
        self._mending: asyncio.TimerHandle | None = None  # the newest timer of `_mend`
        self._ticked_s = self._passed_s = 0.0
        self._part, self._parts_done, self._pause_s = 0, 0, TICK_S
        # the parties that this tick has not reached yet
        self._waiting: list[tuple[Endpoint, Party]] = []
        # the public address, found by STUN (`media.transport.public_address`); None: not found
        self.public_host: str | None = None
        self._closed = False

    @classmethod
    async def open(cls, settings: RelaySettings, binding: srtp.Binding | None = None) -> Relay:
        """Bind the sockets, start reading, and return the relay.

        `binding`: the functions for SRTP; None: the fastest functions that work with the installed libraries. Raises
        PortsTakenError if no port is free, OSError if the address is not this machine's.
        """
        bound, listening = sockets.bind(settings)
        if settings.tcp and len(listening) < len(bound):
            logger.warning("media.tcp_port_taken")
        relay = cls(settings, bound, listening, binding or srtp.best_binding())
        for sock in relay._sockets:
            relay._loop.add_reader(sock.fileno(), relay.forwarder.read, sock)
        return relay

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the bound UDP ports, one per address family."""
        return tuple(sock.getsockname()[1] for sock in self._sockets)

    @property
    def stats(self) -> Counters:
        """Return a copy of this relay's packet counters, which count since it opened."""
        return dataclasses.replace(self.forwarder.counters)

    @property
    def rooms(self) -> int:
        """Return the number of open rooms."""
        return len(self._rooms)

    @property
    def parties(self) -> int:
        """Return the number of parties in all rooms."""
        return len(self._by_endpoint)

    def room(self, room_id: str) -> Room:
        """Return the room with this name; make it if there is no such room."""
        room = self._rooms.get(room_id)
        if room is None:
            room = self._rooms[room_id] = Room(self, room_id)
        return room

    async def close(self) -> None:
        """Close every room and every browser's connection, and release the ports. A repeated call changes nothing."""
        if self._closed:
            return
        self._closed = True
        for room in list(self._rooms.values()):
            room.close()
        for timer in (self._timer, self._mending):
            if timer is not None:
                timer.cancel()
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self.streams.close()

    # -- the methods that rooms and parties call

    def candidates(self) -> list[Candidate]:
        """Return the ICE candidates at which browsers can reach this relay."""
        found = sockets.candidates(self.settings, self._sockets, self.public_host)
        shared = self.settings.pages_port if self.settings.tcp else 0
        return [
            *found,
            *self.streams.candidates(found),
            *(Candidate(candidate.host, shared, "tcp") for candidate in found if shared),
        ]

    def probe(self) -> str | None:
        """Return an SDP offer with which a browser can test its network (`media.probes`).

        Returns None if too many browsers test their network now.
        """
        credentials = self.new_credentials()
        if not self._probes.add(credentials, time.monotonic()):
            return None
        return sdp.offer(
            credentials,
            self.identity().fingerprint,
            self.candidates(),
            self.new_ssrcs(),
            session_id=secrets.randbits(62),
            version=1,
        )

    def new_credentials(self) -> Credentials:
        """Return new ICE credentials for the server's side of a connection.

        The user name (ufrag) names this relay. User name and password are long enough for RFC 8445 §5.3 (24 and 128
        bits).
        """
        return Credentials(ice.ufrag(self.settings.index, secrets.token_hex(6)), secrets.token_hex(16))

    def identity(self) -> Identity:
        """Return the certificate for a new endpoint; make a new certificate if the present one is a week old."""
        now_s = time.monotonic()
        if not self._identity.fresh(now_s):
            self._identity = Identity(now_s)
        return self._identity

    def new_ssrcs(self, taken: Iterable[int] = ()) -> dict[StreamKind, int]:
        """Return new SSRCs (ids of streams), by kind, for the media that an endpoint receives from one party.

        They differ from each other and from those in `taken`.
        """
        chosen: set[int] = set()
        while len(chosen) < len(STREAM_KINDS):
            chosen.add(secrets.randbelow(0x7FFF_FFFF) + 1)
            chosen.difference_update(taken)
        return dict(zip(STREAM_KINDS, chosen, strict=True))

    def add_party(self, party: Party) -> None:
        """Register a new party. If the timer of `_tick` does not run yet, start it."""
        self._by_endpoint[party.endpoint] = party
        self.add_ufrag(party.credentials.ufrag, party)
        if self._timer is None and not self._closed:
            self._ticked_s = time.monotonic()
            self._waiting.clear()
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def remove_party(self, party: Party, reason: str | None) -> None:
        """Remove a party and close its endpoint. `reason`: the reason of its `Disconnected` event; None: no event is
        sent.
        """
        self._by_endpoint.pop(party.endpoint, None)
        self.remove_ufrag(party.credentials.ufrag)
        if party.previous_credentials is not None:
            self.remove_ufrag(party.previous_credentials.ufrag)
        party.end(reason)

    def remove_room(self, room: Room) -> None:
        """Remove a closed room from the rooms of this relay."""
        if self._rooms.get(room.room_id) is room:
            del self._rooms[room.room_id]

    def add_ufrag(self, ufrag: str, party: Party) -> None:
        """Register a ufrag (ICE user name), so that requests to it are passed to this party."""
        self._by_ufrag[ufrag] = party

    def remove_ufrag(self, ufrag: str) -> None:
        """Remove a ufrag (ICE user name), so that requests to it are ignored."""
        self._by_ufrag.pop(ufrag, None)

    def is_free(self, address: Address, endpoint: Endpoint) -> bool:
        """Return True if an address is unused, or used by this endpoint.

        An address of another endpoint is refused, because a request with a forged sender could take that endpoint's
        address.
        """
        return self.forwarder.endpoints.get(address, endpoint) is endpoint

    def add_address(self, endpoint: Endpoint, address: Address, forgotten: list[Address]) -> None:
        """Register an address that has sent a check with an endpoint's ICE password; remove the addresses in
        `forgotten`.
        """
        self.remove_addresses(forgotten)
        self.forwarder.endpoints[address] = endpoint
        self.streams.proven(address)

    def remove_addresses(self, addresses: list[Address]) -> None:
        """Remove addresses, so that their datagrams are ignored, and close their TCP connections."""
        for address in addresses:
            self.forwarder.endpoints.pop(address, None)
            self.streams.close_stream(address)

    def _stream_ended(self, address: Address) -> None:
        """Remove the address of an ended TCP connection from its party. The party may still have another address."""
        endpoint = self.forwarder.endpoints.pop(address, None)
        party = self._by_endpoint.get(endpoint) if endpoint is not None else None
        if party is not None:
            party.lose_address(address)

    # -- the methods that the forwarder calls

    def on_stun(self, datagram: bytes, address: Address, sock: PacketSocket) -> None:
        """Pass a STUN request to the party or probe that its ufrag (ICE user name) names.

        The party or probe answers if the password is right. The relay itself answers the requests by which
        other workers check it. A STUN response is passed to the check that it answers. `address`: the sender
        of the `datagram`; `sock`: the socket that received it.
        """
        ufrag = ice.local_ufrag(datagram)
        party = self._by_ufrag.get(ufrag) if ufrag is not None else None
        if party is not None:
            party.on_stun(datagram, address, sock, time.monotonic())
        elif ufrag is None:
            self._checks.on_response(datagram, address, sock)
        elif self.probed_by is not None and ufrag == self.probed_by.ufrag:
            request = ice.check(datagram, self.probed_by.password)
            if request is not None:
                with contextlib.suppress(OSError):
                    sock.sendto(ice.response(request, address, self.probed_by.password), address)
        else:
            self._probes.on_stun(ufrag, datagram, address, sock, time.monotonic())

    def on_moved(self, endpoint: Endpoint, address: Address, sock: PacketSocket) -> None:
        """Send a check to the new address from which an endpoint's media came, to learn whether its browser receives
        there.

        `sock`: the socket on which the media came.
        """
        party = self._by_endpoint.get(endpoint)
        answer = party.answer if party is not None else None
        if party is None or answer is None:
            return
        remote = Credentials(answer.ufrag, answer.password)
        self._checks.send(
            address, sock, remote, party.credentials.ufrag, party.on_check_answered, time.monotonic()
        )

    def on_missing(self) -> None:
        """Call `_mend` every MEND_S seconds, to request missing packets again, until no packet is missing."""
        self._mending = self._loop.call_later(MEND_S, self._mend)

    def on_dtls(self, endpoint: Endpoint, datagram: bytes) -> None:
        """Pass a DTLS datagram to the party that owns `endpoint`. The datagram came from this party's browser."""
        party = self._by_endpoint.get(endpoint)
        if party is not None:
            party.on_dtls(datagram, time.monotonic())

    def _mend(self) -> None:
        if not self._closed and self.forwarder.mender.mend(time.monotonic()):
            self.on_missing()

    def _tick(self) -> None:
        """Do the periodic work of the parties that are due next. The work of each party is done every TICK_S."""
        now_s = time.monotonic()
        if not self._waiting:
            self._passed_s, self._ticked_s = now_s - self._ticked_s, now_s
            self.forwarder.stray_looks = STRAY_LOOKS
            self._waiting = list(self._by_endpoint.items())
            parts = min(PARTS_MAX, max(1, len(self._waiting) // PART_MIN))
            self._part, self._pause_s = math.ceil(len(self._waiting) / parts), TICK_S / parts
            self._parts_done = 0
        parts_due = 1 + int((now_s - self._ticked_s) / self._pause_s)
        number = max(1, parts_due - self._parts_done) * self._part
        self._parts_done = max(self._parts_done + 1, parts_due)
        due, self._waiting = self._waiting[:number], self._waiting[number:]
        for endpoint, party in due:
            if endpoint in self._by_endpoint:
                self._tick_party(endpoint, party, now_s)
        going_on = self._by_endpoint and not self._closed
        self._timer = self._loop.call_later(self._pause_s, self._tick) if going_on else None

    def _tick_party(self, endpoint: Endpoint, party: Party, now_s: float) -> None:
        try:
            endpoint.refill(self._passed_s)
            feedback = endpoint.feedback(now_s)
            if feedback is not None:
                self.forwarder.send_rtcp(endpoint, feedback)
            self.forwarder.mender.retry(endpoint, now_s)
            endpoint.meter.sample(endpoint.current, now_s)
            self._pictures.tick(party, now_s)
            if endpoint.subscribers:
                party.room.tick(now_s)
            party.tick(now_s)
        except Exception:  # noqa: BLE001 - `fault` logs it
            self.forwarder.counters.fault()
