"""An endpoint is the server's side of the media connection with one browser.

An endpoint has the streams that the browser sends (sources) and receives (sinks), the SRTP keys, and the browser's
address. The code that runs for every packet (hot path) reads the fields directly. State that changes rarely is computed
in `route`, so that the hot path checks one flag per source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from media.forwarding.active_speaker import Voice
from media.forwarding.picture_pause import PicturePause
from media.forwarding.quality import Meter
from media.forwarding.streams import SEQUENCE_MASK, Sink, Source
from media.forwarding.subscriptions import Subscription
from media.protocols.codecs import (
    BY_PAYLOAD_TYPE,
    BY_STREAM,
    STREAM_KINDS,
    TYPES,
    VP8,
    Kind,
    StreamKind,
)
from media.protocols.ice import Address, Path
from media.protocols.rtp import transport_cc_at
from media.protocols.transport_cc import Arrivals

# the greatest number of SSRCs that one browser may use; libsrtp keeps state for each SSRC
SOURCES_MAX: Final = 16
REPORTERS_MAX: Final = 32
# If forwarding begins again after a pause, this number of transport-wide sequence numbers is skipped. Packets with the
# skipped numbers may still be on their way to the receiver.
CC_MARGIN: Final = 64
BITS_PER_S_MAX: Final = 12_000_000
# If a receiver has sent no transport-cc feedback for this time in s, the server sends the feedback itself.
SILENT_S: Final = 0.4
BUDGET_WINDOW_S: Final = 1.0
BUDGET_MAX: Final = int(BITS_PER_S_MAX / 8 * BUDGET_WINDOW_S)

SendTo = Callable[[Any, Any], int]


class Endpoint:
    """The server's side of the media connection with one browser: its streams, keys and address.

    `tx` and `rx` are the SRTP contexts for sending and receiving, None until the browser's certificate was checked.
    """

    __slots__ = (
        "address",
        "allowed",
        "answering",
        "arrivals",
        "budget",
        "cc_last",
        "cc_next",
        "cc_shift",
        "cc_want",
        "current",
        "feedback_s",
        "gate",
        "last_from",
        "limit_kbps",
        "limited_s",
        "looked_s",
        "mends",
        "meter",
        "opened_s",
        "path",
        "pause",
        "peer",
        "received",
        "received_s",
        "reporters",
        "rx",
        "sendto",
        "sinks",
        "sources",
        "subscribers",
        "takes",
        "takes_red",
        "takes_rtx",
        "tx",
        "voice",
        "withheld",
    )

    def __init__(self, ssrcs: Mapping[StreamKind, int]) -> None:
        self.path = Path()
        self.address: Address | None = None
        self.sendto: SendTo | None = None
        # the address that sent the newest authentic packet since the relay's last tick (every 50 ms)
        self.last_from: Address | None = None
        # The time in s of the newest authentic packet from this endpoint, updated at each tick of the relay.
        self.received_s = 0.0
        self.rx: Any = None
        self.tx: Any = None
        self.sinks: dict[StreamKind, Sink] = {kind: Sink(kind, ssrcs[kind], self) for kind in STREAM_KINDS}
        self.sources: dict[int, Source] = {}
        self.current: dict[StreamKind, Source] = {}
        # the SSRC under which this endpoint receives a stream -> the source of that stream
        self.received: dict[int, Source] = {}
        self.reporters: set[int] = set()
        self.peer: Endpoint | None = None
        # In a room of more than two parties: each receiver -> its subscription to the media of this endpoint.
        self.subscribers: dict[Endpoint, Subscription] = {}
        self.gate = False
        self.allowed: set[Kind] = {"audio", "video"}
        # the RTP payload types (codecs) that this endpoint's browser accepts
        self.takes: frozenset[int] = frozenset({VP8.payload_type})
        self.takes_red = self.takes_rtx = False
        # the kinds of media whose lost packets this endpoint can send again
        self.mends: frozenset[StreamKind] = frozenset()
        self.arrivals = Arrivals()
        # the number of packets from this endpoint that were not forwarded since the server last sent the endpoint
        # feedback
        self.withheld = 0
        # True if the server sends transport-cc feedback itself, in place of the receiver
        self.answering = False
        # the number that is added to the transport-wide sequence number of each packet from this endpoint
        self.cc_shift = 0
        # The transport-wide sequence number that the receiver must get in the next packet from this endpoint;
        # `cc_shift` is calculated from this number when that packet arrives. None: `cc_shift` is right already.
        self.cc_want: int | None = None
        # the newest transport-wide sequence number that this endpoint has reported as a receiver
        self.cc_last: int | None = None
        # The time in s at which this endpoint, as a receiver, last sent transport-cc feedback.
        self.feedback_s = 0.0
        # in a room of more than two parties: the transport-wide sequence number of the next packet to this endpoint
        self.cc_next = 0
        # The loudness of this endpoint's sound; used only in a room of more than two parties.
        self.voice = Voice()
        # Decides whether pictures are sent to this endpoint, or paused because its network is too weak.
        self.pause = PicturePause()
        # The time in s of the last check whether this endpoint's network is too weak for pictures.
        self.looked_s = 0.0
        # `limit_kbps`: the limit in kbit/s that the server last sent for this endpoint's video (None: no limit).
        # `limited_s`: the time in s at which the server last calculated this limit.
        self.limit_kbps: float | None = None
        self.limited_s = 0.0
        self.budget = BUDGET_MAX
        # The time in s at which the gate opened; 0 once the first picture of this endpoint was forwarded.
        self.opened_s = 0.0
        self.meter = Meter()

    @property
    def ready(self) -> bool:
        """Return True if packets can be encrypted for this endpoint and sent to it."""
        return self.tx is not None and self.address is not None

    def learn(self, ssrc: int, kind: StreamKind) -> Source:
        """Return the source (stream that the browser sends) with this SSRC; register it if it is new.

        `kind`: the kind of its media. If the endpoint already has a source of this kind with another SSRC, the new
        source replaces it. Registering the same SSRC and kind again changes nothing.
        """
        known = self.sources.get(ssrc)
        if known is not None and known.kind == kind:
            return known
        source = Source(kind, ssrc)
        self.sources[ssrc] = source
        previous = self.current.get(kind)
        if previous is not None:
            previous.forward = False
        self.current[kind] = source
        return source

    def learn_from_packet(self, ssrc: int, payload_type: int) -> Source | None:
        """Register the SSRC of an authentic packet if no SDP answer has announced this SSRC; return its source.

        `payload_type`: the payload type of the packet. Returns None if the server has not offered this payload type.
        """
        codec = BY_PAYLOAD_TYPE.get(payload_type)
        if codec is None:
            # The source is stored although it is not used, so that SOURCES_MAX also limits libsrtp's state for it.
            self.sources[ssrc] = Source("audio", ssrc)
            return None
        return self.learn(ssrc, codec.stream)

    def route(self, peer: Endpoint | None, gate: bool) -> list[Source]:
        """Set which sources are forwarded to `peer`; return the video sources that must now start with a keyframe.

        `peer`: the other endpoint in a room of two, None if there is none. `gate`: True if media may be forwarded at
        all.
        """
        waiting: list[Source] = []
        opened = peer is not self.peer
        self.peer, self.gate = peer, gate
        if peer is not None:
            peer.received = {}
        for kind, source in self.current.items():
            source.sink = peer.sinks[kind] if peer is not None else None
            media: Kind = "audio" if kind == "audio" else "video"
            forward = gate and peer is not None and peer.ready and media in self.allowed
            forward = forward and not (media == "video" and peer is not None and peer.pause.paused)
            if forward and not source.forward:
                source.unsettle()
                opened = True
                if kind == "video":
                    waiting.append(source)
            source.forward = forward
            if not forward:
                source.missing.clear()
            if peer is not None:
                peer.received[peer.sinks[kind].ssrc] = source
        if opened:
            self._continue_transport_cc()
        self.mark()
        return waiting

    def unpair(self) -> None:
        """Stop forwarding to a single other endpoint.

        Called when a third party joins a room of two: from then on the room uses subscriptions, which have separate
        sequence numbers for each receiver.
        """
        self.route(None, False)
        for source in self.current.values():
            if source.kind != "audio":
                source.payload_type = BY_STREAM[source.kind].payload_type
        if self.cc_last is not None:
            self.cc_next = (self.cc_last + CC_MARGIN) & SEQUENCE_MASK

    def _continue_transport_cc(self) -> None:
        """Continue the transport-wide sequence numbers after the newest number that the receiver has reported.

        Called after a pause of forwarding, and for a new receiver.
        """
        if self.peer is None:
            return
        if self.peer.cc_last is None:
            self.cc_shift, self.cc_want = 0, None
        else:
            self.cc_want = (self.peer.cc_last + CC_MARGIN) & SEQUENCE_MASK

    def mark(self) -> None:
        """Set the flag `special`, which the hot path reads, of each source.

        The flag is True if packets of the source need changes after the fixed RTP header.
        """
        special = self.answering or self.cc_want is not None or self.cc_shift != 0
        for source in self.current.values():
            source.special = special or source.kind == "rtx" or source.shapes_red or source.adds_red

    def follow(self, source: Source, payload_type: int) -> bool:
        """Handle a packet of `source` with another payload type than before; return True if the packet is
        forwarded.

        Sound may change between RED and plain Opus. In a room of two, video may change to another codec that the
        receiver accepts; it is forwarded from the next keyframe on.
        """
        changes = payload_type != source.payload_type and payload_type in TYPES[source.kind]
        if changes and self._may_change(source, payload_type):
            source.payload_type = payload_type
            self.mark()
        return source.forward and payload_type == source.payload_type

    def _may_change(self, source: Source, payload_type: int) -> bool:
        if source.kind == "audio":
            return True
        if self.peer is None or (source.kind == "video" and payload_type not in self.peer.takes):
            return False
        if source.kind == "video":
            source.unsettle()
        return True

    def withhold(self, packet: bytearray, length: int) -> None:
        """Count a packet of `length` bytes that is not forwarded, and record its arrival for the sender's bandwidth
        estimate.
        """
        self.withheld += 1
        self.answer()
        self.note_arrival(packet, length)

    def answer(self) -> None:
        """Set the flag `answering`: the server itself sends transport-cc feedback to this endpoint.

        The method `feedback` resets the flag.

        Needed when packets are not forwarded, when the receiver sends no feedback, and after an outage.
        """
        if not self.answering:
            self.answering = True
            self.mark()

    def note_arrival(self, packet: bytearray, length: int) -> None:
        """Record when a packet of `length` bytes arrived, for the feedback that the server itself sends to this
        endpoint.
        """
        at = transport_cc_at(packet, length)
        if at:
            self.arrivals.add(packet[at] << 8 | packet[at + 1], time.monotonic_ns() // 1000)

    def renumber(self, packet: bytearray, length: int) -> None:
        """Replace the transport-wide sequence number in a packet of `length` bytes by the number that the receiver
        expects.

        Do nothing if the packet has no such number.
        """
        at = transport_cc_at(packet, length)
        if not at:
            return
        number = packet[at] << 8 | packet[at + 1]
        if self.answering:
            self.note_arrival(packet, length)
        if self.cc_want is not None:
            self.cc_shift, self.cc_want = (self.cc_want - number) & SEQUENCE_MASK, None
            self.mark()
        number = (number + self.cc_shift) & SEQUENCE_MASK
        packet[at], packet[at + 1] = number >> 8, number & 0xFF

    def refill(self, passed_s: float) -> None:
        """Allow this endpoint to send more: add the bytes of `passed_s` seconds to its budget.

        Packets beyond the budget are dropped.
        """
        self.budget = min(BUDGET_MAX, self.budget + int(BITS_PER_S_MAX / 8 * passed_s))

    def feedback(self, now_s: float) -> bytes | None:
        """Return the server's own transport-cc feedback as RTCP, or None if none is due. Called every 50 ms.

        Feedback is due while packets are not forwarded, and while the receiver sends no feedback. The server's feedback
        replaces that of the receiver, so that losses between the server and the receiver do not lower the sender's bit
        rate. `now_s`: the monotonic time.
        """
        peer = self.peer
        unheard = peer is not None and self.gate and 0 < peer.feedback_s < now_s - SILENT_S
        if unheard:
            self.answer()
        if not self.answering:
            return None
        # If all packets were forwarded since the previous call, the receiver's own feedback is forwarded again.
        if not self.withheld and not unheard:
            self.answering = False
            self.mark()
        self.withheld = 0
        source = self.current.get("video") or self.current.get("audio")
        return self.arrivals.feedback(self.sinks["video"].ssrc, source.ssrc) if source is not None else None
