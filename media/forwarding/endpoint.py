"""One leg of a room: the transport to one browser, what it sends (sources) and what it hears (sinks).

Knows its keys, its address, and which of its sources may cross at the moment. Does not know SDP, DTLS or why
the gate is open. The hot path reads its fields directly; everything that changes seldom is worked out in
`route`, so that one flag per source is left to check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from media.forwarding.quality import Meter
from media.forwarding.streams import SEQUENCE_MASK, Sink, Source
from media.forwarding.subscriptions import Lane
from media.protocols.codecs import BY_PAYLOAD_TYPE, STREAM_KINDS, Kind, StreamKind
from media.protocols.ice import Address, Path
from media.protocols.rtp import transport_cc_at
from media.protocols.transport_cc import Arrivals

SOURCES_MAX: Final = 16  # SSRCs one browser may use in its life; libsrtp keeps state for each
REPORTERS_MAX: Final = 32
CC_MARGIN: Final = (
    64  # transport-wide numbers skipped after a pause, so that those still under way keep theirs
)
BITS_PER_S_MAX: Final = 12_000_000
BUDGET_WINDOW_S: Final = 1.0
BUDGET_MAX: Final = int(BITS_PER_S_MAX / 8 * BUDGET_WINDOW_S)

SendTo = Callable[[Any, Any], int]


class Leg:
    """See the module. `tx` and `rx` are SRTP contexts, None until the other side's certificate has been
    checked."""

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
        "gate",
        "lanes",
        "limited_s",
        "meter",
        "path",
        "peer",
        "received",
        "reporters",
        "rx",
        "sendto",
        "sinks",
        "sources",
        "tx",
        "withheld",
    )

    def __init__(self, ssrcs: Mapping[StreamKind, int]) -> None:
        self.path = Path()
        self.address: Address | None = None
        self.sendto: SendTo | None = None
        self.rx: Any = None
        self.tx: Any = None
        self.sinks: dict[StreamKind, Sink] = {kind: Sink(kind, ssrcs[kind], self) for kind in STREAM_KINDS}
        self.sources: dict[int, Source] = {}
        self.current: dict[StreamKind, Source] = {}
        self.received: dict[int, Source] = {}  # the SSRC this leg hears -> the source behind it
        self.reporters: set[int] = set()
        self.peer: Leg | None = None
        self.lanes: dict[Leg, Lane] = {}  # in a room of more than two, the way to each of the others
        self.gate = False
        self.allowed: set[Kind] = {"audio", "video"}
        self.arrivals = Arrivals()
        self.withheld = 0  # packets since the last feedback
        self.answering = False  # the server itself answers transport-cc
        self.cc_shift = 0  # added to this leg's transport-wide numbers on their way to the peer
        self.cc_want: int | None = None  # what the next one must become
        self.cc_last: int | None = None  # the last one this leg, as a receiver, has spoken of
        self.cc_next = 0  # in a room of more than two, the next transport-wide number on the way to this leg
        self.limited_s = 0.0  # when the server last told this leg what its video may take
        self.budget = BUDGET_MAX
        self.meter = Meter()

    @property
    def ready(self) -> bool:
        """Whether packets can be sent to this leg."""
        return self.tx is not None and self.address is not None

    def learn(self, ssrc: int, kind: StreamKind) -> Source:
        """The source of this SSRC. A second SSRC of a kind replaces the first; learning the same one again
        changes nothing."""
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
        """The source of an authenticated packet with an SSRC nobody announced; None for a payload type that
        was not offered."""
        codec = BY_PAYLOAD_TYPE.get(payload_type)
        if codec is None:
            # Remembered all the same, so that libsrtp's state stays bounded by SOURCES_MAX.
            self.sources[ssrc] = Source("audio", ssrc)
            return None
        return self.learn(ssrc, codec.stream)

    def route(self, peer: Leg | None, gate: bool) -> list[Source]:
        """Work out which sources cross to `peer`; returns those of video that must now begin with a
        keyframe."""
        waiting: list[Source] = []
        opened = peer is not self.peer
        self.peer, self.gate = peer, gate
        if peer is not None:
            peer.received = {}
        for kind, source in self.current.items():
            source.sink = peer.sinks[kind] if peer is not None else None
            media: Kind = "audio" if kind == "audio" else "video"
            forward = gate and peer is not None and peer.ready and media in self.allowed
            if forward and not source.forward:
                source.unsettle()
                opened = True
                if kind == "video":
                    waiting.append(source)
            source.forward = forward
            if peer is not None:
                peer.received[peer.sinks[kind].ssrc] = source
        if opened:
            self._continue_transport_cc()
        self.mark()
        return waiting

    def unpair(self) -> None:
        """The room is no longer one of two: from now on the lanes carry what this leg sends."""
        self.route(None, False)
        if self.cc_last is not None:
            self.cc_next = (self.cc_last + CC_MARGIN) & SEQUENCE_MASK

    def _continue_transport_cc(self) -> None:
        """After a pause or to a new receiver, let the transport-wide numbers go on where that receiver is."""
        if self.peer is None:
            return
        if self.peer.cc_last is None:
            self.cc_shift, self.cc_want = 0, None
        else:
            self.cc_want = (self.peer.cc_last + CC_MARGIN) & SEQUENCE_MASK

    def mark(self) -> None:
        """Tell the hot path which packets need more than their fixed header rewritten."""
        special = self.answering or self.cc_want is not None or self.cc_shift != 0
        for source in self.current.values():
            source.special = special or source.kind == "rtx"

    def withhold(self, packet: bytearray, length: int) -> None:
        """A packet arrived and stays here: it counts as arrived for the sender's bandwidth estimate."""
        self.withheld += 1
        if not self.answering:
            self.answering = True
            self.mark()
        self.note_arrival(packet, length)

    def note_arrival(self, packet: bytearray, length: int) -> None:
        """Remember the packet for the feedback the server sends itself."""
        at = transport_cc_at(packet, length)
        if at:
            self.arrivals.add(packet[at] << 8 | packet[at + 1], time.monotonic_ns() // 1000)

    def refill(self, passed_s: float) -> None:
        """Grant the bytes of `passed_s` seconds: what a leg sends beyond its budget does not cross."""
        self.budget = min(BUDGET_MAX, self.budget + int(BITS_PER_S_MAX / 8 * passed_s))

    def feedback(self) -> bytes | None:
        """The server's own transport-cc packet, when one is due. Call every 50 ms."""
        if not self.answering:
            return None
        if (
            not self.withheld
        ):  # a whole interval without a withheld packet: the receiver's own feedback serves again
            self.answering = False
            self.mark()
        self.withheld = 0
        source = self.current.get("video") or self.current.get("audio")
        return self.arrivals.feedback(self.sinks["video"].ssrc, source.ssrc) if source is not None else None
