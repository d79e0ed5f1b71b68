"""One party of a room, with the interface for signalling: offer, answer, events, mute, quality.

A party keeps one endpoint and one DTLS association from join to leave. Signalling carries its offers to the browser,
and the browser's answers back.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from media.errors import DtlsError, PartyGoneError, SdpError
from media.events import (
    CLOSED_BY_PARTY,
    CONSENT_EXPIRED,
    DTLS_FAILED,
    WRONG_FINGERPRINT,
    Connected,
    Disconnected,
    Listener,
    OfferNeeded,
    PartyEvent,
    Speaking,
)
from media.forwarding.endpoint import SOURCES_MAX, Endpoint, SendTo
from media.forwarding.quality import Quality
from media.forwarding.streams import Sink
from media.protocols import ice, sdp
from media.protocols.codecs import RED, RTX_OF, TYPES, Kind, StreamKind
from media.protocols.ice import Address, Credentials
from media.transport.dtls import Association
from media.transport.tcp import PacketSocket

if TYPE_CHECKING:
    from media.room import Room

logger = logging.getLogger(__name__)

HANDSHAKE_S: Final = 30.0


@dataclass(slots=True)
class Slot:
    """The place of one other party in a browser's m-lines (sections of the SDP).

    `label`: the id of the party's stream. `holder`: the id of the party, None if the place is free. `sinks`:
    the streams in which the browser receives the party's media.
    """

    label: str
    holder: str | None
    sinks: dict[StreamKind, Sink]

    @property
    def ssrcs(self) -> dict[StreamKind, int]:
        """Return the SSRCs of the streams (sinks) in which the party's media is received, by kind."""
        return {kind: sink.ssrc for kind, sink in self.sinks.items()}


class Party:
    """One party, made by `Room.join`. `slots`: a `Slot` for each other party whose media the browser receives.

    The first slot uses the m-lines (sections of the SDP) on which the browser also sends.
    """

    def __init__(
        self, room: Room, party_id: str, listener: Listener, opposite: str | None, admitted: bool
    ) -> None:
        self.party_id = party_id
        self.room = room
        self.admitted = admitted
        self.endpoint = Endpoint(room.relay.new_ssrcs())
        self.slots = [Slot(opposite or sdp.UNNAMED, opposite, self.endpoint.sinks)]
        self._offered, self._offered_h264 = 1, False
        self.credentials = room.relay.new_credentials()
        self.previous_credentials: Credentials | None = None
        self.gone = False
        self._speaker: str | None = None  # id in the newest `Speaking` event; None: nobody speaks
        self._failed = False
        self._listener = listener
        self._identity = room.relay.identity()
        self._association: Association | None = None
        self._association_born_s = 0.0
        self.answer: sdp.Answer | None = None  # the newest answer of the party's browser
        self._session_id = secrets.randbits(62)
        self._version = 0
        self._connected = False
        self._sendto: dict[Address, SendTo] = {}  # address proven by ICE -> the function that sends there

    # -- the methods that signalling calls

    @property
    def connected(self) -> bool:
        """Return True if media can be sent to this party."""
        return self._connected

    def offer(self) -> str:
        """Return an SDP offer for this party's browser. Raises PartyGoneError if the party has left or has failed."""
        self._check_usable()
        self._version += 1
        self._offered = len(self.slots)
        self._offered_h264 = self.room.h264_first
        first, *further = self.slots
        return sdp.offer(
            self.credentials,
            self._identity.fingerprint,
            self.room.relay.candidates(),
            first.ssrcs,
            session_id=self._session_id,
            version=self._version,
            label=first.label,
            further=[(slot.label, slot.ssrcs) for slot in further],
            h264_first=self.room.h264_first,
        )

    def accept(self, answer: str) -> None:
        """Apply the browser's SDP answer.

        Raises SdpError if the answer cannot be used (the browser may then send another answer), PartyGoneError if the
        party has left or failed.
        """
        self._check_usable()
        parsed = sdp.parse_answer(answer, self._offered)
        established = self._association.established if self._association is not None else None
        if self._connected and established is not None and not established.shows(parsed.fingerprints):
            # The answer is refused: a new certificate needs a new DTLS association (RFC 8842 §4), so a new endpoint.
            raise SdpError("fingerprint", "the certificate of a connected party has changed")
        fresh = [ssrc for ssrc in parsed.sources.values() if ssrc not in self.endpoint.sources]
        if len(self.endpoint.sources) + len(fresh) > SOURCES_MAX:
            raise SdpError("ssrc", f"at most {SOURCES_MAX} SSRCs in the life of a connection")
        self.answer = parsed
        taken = self.endpoint.takes = parsed.payload_types
        self.endpoint.takes_red = RED.payload_type in taken
        self.endpoint.takes_rtx = all(RTX_OF[video] in taken for video in taken & TYPES["video"])
        self.endpoint.mends = parsed.mends
        for kind, ssrc in parsed.sources.items():
            self.endpoint.learn(ssrc, kind)
        self.room.reroute()
        self._connect_if_ready()
        self.room.choose_video()

    def restart_ice(self) -> str:
        """Return an SDP offer with new ICE credentials for the same DTLS association (RFC 8445 §2.4).

        The old credentials are valid until a request uses the new credentials. Raises PartyGoneError if the party has
        left or has failed.
        """
        self._check_usable()
        if self.previous_credentials is not None:
            self.room.relay.remove_ufrag(self.previous_credentials.ufrag)
        self.previous_credentials, self.credentials = self.credentials, self.room.relay.new_credentials()
        self.room.relay.add_ufrag(self.credentials.ufrag, self)
        return self.offer()

    def set_receiving(self, kind: Kind, allowed: bool) -> None:
        """Set whether media of a kind that this party sends may be forwarded. Initially it may.

        A repeated call changes nothing.
        """
        if allowed == (kind in self.endpoint.allowed):
            return
        if allowed:
            self.endpoint.allowed.add(kind)
        else:
            self.endpoint.allowed.discard(kind)
        self.room.reroute_from(self)

    def set_admitted(self, admitted: bool) -> None:
        """Set whether this party takes part in the call. Only while it does, media is forwarded to it and from it.

        A repeated call changes nothing.
        """
        if admitted != self.admitted:
            self.admitted = admitted
            self.room.reroute()

    def quality(self) -> Quality:
        """Return loss, jitter, round trip and bit rate. A figure that is not known yet is None."""
        peer = self.endpoint.peer or next(iter(self.endpoint.subscribers), None)
        return self.endpoint.meter.quality(peer.meter if peer is not None else None)

    def leave(self) -> None:
        """Remove the party from its room, and close its DTLS association (the encrypted connection).

        The listener is not called. A repeated call changes nothing.
        """
        if not self.gone:
            self.room.remove(self)

    # -- the methods that the room calls

    def renew_offer(self, *, always: bool = False) -> None:
        """Call the listener with `OfferNeeded` if the codec to offer first has changed, or if `always` is True."""
        if self._version and not self._failed and (always or self._offered_h264 != self.room.h264_first):
            self._offered_h264 = self.room.h264_first
            self.notify(OfferNeeded())

    def slot_of(self, party_id: str) -> Slot | None:
        """Return the slot (m-lines) in which this party receives another party; None if there is none."""
        for slot in self.slots:
            if slot.holder == party_id:
                return slot
        return None

    def add_slot(self, party_id: str) -> None:
        """Add a slot for another party, unless that party still has its slot from before.

        Calls the listener with `OfferNeeded` if no offer to the browser has contained this slot yet.
        """
        if self.slot_of(party_id) is not None:
            return
        present = self.room.parties
        first = self.slots[0]
        if first.label == sdp.UNNAMED and (first.holder is None or first.holder not in present):
            first.holder = party_id
            return
        ssrcs = self.room.relay.new_ssrcs(taken={ssrc for slot in self.slots for ssrc in slot.ssrcs.values()})
        sinks = {kind: Sink(kind, ssrc, self.endpoint) for kind, ssrc in ssrcs.items()}
        left = next((slot for slot in self.slots[1:] if slot.holder not in present), None)
        if left is None:
            self.slots.append(Slot(party_id, party_id, sinks))
        else:
            left.label, left.holder, left.sinks = party_id, party_id, sinks
        self.renew_offer(always=True)

    def send_speaker(self, speaker: str | None) -> None:
        """Call the listener with `Speaking` if `speaker` has changed, and this party is connected and admitted."""
        if speaker != self._speaker and self._connected and self.admitted:
            self._speaker = speaker
            self.notify(Speaking(speaker))

    # -- the methods that the relay calls

    def on_stun(self, datagram: bytes, address: Address, sock: PacketSocket, now_s: float) -> None:
        """Answer a STUN request signed with this party's ICE password; from then on, media may be sent to `address`."""
        request, used = None, self.credentials
        for credentials in (self.credentials, self.previous_credentials):
            if credentials is not None and credentials.ufrag == ice.local_ufrag(datagram):
                request, used = ice.check(datagram, credentials.password), credentials
        if request is None or not self.room.relay.is_free(address, self.endpoint):
            return
        if used is self.credentials and self.previous_credentials is not None:
            self.room.relay.remove_ufrag(self.previous_credentials.ufrag)
            self.previous_credentials = None
        try:
            sock.sendto(ice.response(request, address, used.password), address)
        except OSError:
            return
        self._add_address(address, sock, request.nominates, now_s)

    def on_check_answered(self, address: Address, sock: PacketSocket) -> None:
        """Send to `address` from now on: media came from there, and the browser has answered a check there."""
        if not (self.gone or self._failed) and self.room.relay.is_free(address, self.endpoint):
            self._add_address(address, sock, True, time.monotonic())

    def on_dtls(self, datagram: bytes, now_s: float) -> None:
        """Handle a DTLS datagram from an address of this party's browser. `now_s`: the monotonic time."""
        if self._association is None:
            self._association = Association(self._identity, self._send)
            self._association_born_s = now_s
        try:
            self._association.feed(datagram)
        except DtlsError:
            self._fail(DTLS_FAILED)
            return
        if self._association.closed:
            self._fail(CLOSED_BY_PARTY)
        else:
            self._connect_if_ready()

    def tick(self, now_s: float) -> None:
        """Do what is due: send DTLS records again, end a handshake that is late, notice that consent has expired."""
        association = self._association
        if association is not None and association.established is None and not self._failed:
            try:
                association.retransmit()
            except DtlsError:
                self._fail(DTLS_FAILED)
                return
            if now_s - self._association_born_s > HANDSHAKE_S:
                self._fail(DTLS_FAILED)
                return
        self._follow_media(now_s)
        if (self._connected or self.endpoint.address is not None) and not self.endpoint.path.consented(now_s):
            self._lose_path()
            if self._connected:
                self._connected = False
                self.room.reroute()
                self.notify(Disconnected(CONSENT_EXPIRED))

    def lose_address(self, address: Address) -> None:
        """Remove the address of an ended TCP connection. If it was in use, no media is sent until another is in use."""
        self._sendto.pop(address, None)
        if self.endpoint.path.lose(address):
            self.endpoint.address = self.endpoint.sendto = None
            self.room.reroute()

    def end(self, reason: str | None) -> None:
        """Close the endpoint after the room has removed the party.

        If `reason` is given, call the listener with `Disconnected`.
        """
        self.gone = True
        if self._association is not None:
            self._association.close()
        self._lose_path()
        self._drop_keys()
        self._connected = False
        if reason is not None:
            self.notify(Disconnected(reason))

    def notify(self, event: PartyEvent) -> None:
        """Call the listener (the function given to `Room.join`) with an event; log an exception that it raises."""
        try:
            self._listener(event)
        except Exception:
            logger.exception("media.listener_failed")

    # -- the methods that only this module calls

    def _add_address(self, address: Address, sock: PacketSocket, nominated: bool, now_s: float) -> None:
        """Add an address from which an ICE check came; send media there from now on if `Path.on_check` chooses it."""
        moved, forgotten = self.endpoint.path.on_check(address, nominated, now_s)
        self.room.relay.add_address(self.endpoint, address, forgotten)
        for gone in forgotten:
            self._sendto.pop(gone, None)
        self._sendto[address] = sock.sendto
        if moved:
            self._move(address)
            self._connect_if_ready()

    def _follow_media(self, now_s: float) -> None:
        """If the browser's media now comes from another address (`Path.on_media`), send to that address."""
        last_from, self.endpoint.last_from = self.endpoint.last_from, None
        if last_from is not None and self.endpoint.path.on_media(last_from, now_s):
            self._move(last_from)

    def _move(self, address: Address) -> None:
        self.endpoint.address, self.endpoint.sendto = address, self._sendto[address]
        self.room.reroute()

    def _check_usable(self) -> None:
        if self.gone or self._failed:
            raise PartyGoneError(self.party_id)

    def _connect_if_ready(self) -> None:
        """Connect the endpoint if the handshake is done, the answer has come and an ICE check has passed.

        The connection fails if its certificate is not the certificate that the answer names.
        """
        established = self._association.established if self._association is not None else None
        if self._connected or established is None or self.answer is None or self.endpoint.address is None:
            return
        if not established.shows(self.answer.fingerprints):
            self._fail(WRONG_FINGERPRINT)
            return
        if self.endpoint.tx is None:
            context = self.room.relay.binding.context
            self.endpoint.rx = context(established.keys.inbound)
            self.endpoint.tx = context(established.keys.outbound)
        self._connected = True
        self.room.reroute()
        self.notify(Connected())

    def _fail(self, reason: str) -> None:
        """End the connection, which has failed, and call the listener with `Disconnected(reason)`."""
        if self._association is not None:
            self._association.closed = True
        self._failed = True
        self._connected = False
        self._lose_path()
        self._drop_keys()
        self._forget_credentials()
        self.room.reroute()
        self.notify(Disconnected(reason))

    def _forget_credentials(self) -> None:
        for credentials in (self.credentials, self.previous_credentials):
            if credentials is not None:
                self.room.relay.remove_ufrag(credentials.ufrag)

    def _drop_keys(self) -> None:
        self.endpoint.rx = self.endpoint.tx = None

    def _lose_path(self) -> None:
        self.room.relay.remove_addresses(self.endpoint.path.expire())
        self.endpoint.address = self.endpoint.sendto = None
        self._sendto.clear()

    def _send(self, datagram: bytes) -> None:
        if self.endpoint.address is not None and self.endpoint.sendto is not None:
            try:
                self.endpoint.sendto(datagram, self.endpoint.address)
            except OSError:
                # The network did not take the datagram, so it is lost; DTLS sends it again later.
                return
