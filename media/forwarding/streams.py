"""One stream through a room: the source that a party sends, the sink that another receives, and their numbers.

Knows how sequence numbers and timestamps continue when a source is replaced, so that the receiver is not disturbed.
Knows no packet, key or socket. `now_s`: any monotonic clock, in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from media.protocols.codecs import BY_STREAM, RED, StreamKind
from media.protocols.red import AGE_MAX, keep_newer, unwrap

if TYPE_CHECKING:
    from media.forwarding.endpoint import Endpoint

KEYFRAME_RETRY_S: Final = 0.150
BLANK_PATIENCE_S: Final = 0.600
SEQUENCE_MASK: Final = 0xFFFF
TIMESTAMP_MASK: Final = 0xFFFFFFFF


class Sink:
    """One kind of media that an endpoint receives. The server chooses its SSRC, which stays when its source changes."""

    __slots__ = ("at_s", "endpoint", "feeder", "kind", "sequence", "ssrc", "timestamp", "used")

    def __init__(self, kind: StreamKind, ssrc: int, endpoint: Endpoint) -> None:
        self.kind: StreamKind = kind
        self.ssrc = ssrc
        self.endpoint = endpoint
        self.feeder: Source | None = None
        self.used = False
        self.sequence = 0  # the highest sent, in the receiver's numbers
        self.timestamp = 0
        self.at_s = 0.0


class Source:
    """One SSRC that an endpoint sends. `forward`: the gate, as the hot path sees it; initially closed."""

    __slots__ = (
        "first_forwarded",
        "forward",
        "guarding",
        "keyframe_due_s",
        "kind",
        "octets",
        "packets",
        "payload_type",
        "reports",
        "sequence_shift",
        "settled",
        "settled_at",
        "sink",
        "special",
        "ssrc",
        "timestamp_shift",
        "waiting_s",
    )

    def __init__(self, kind: StreamKind, ssrc: int) -> None:
        self.kind: StreamKind = kind
        self.ssrc = ssrc
        self.payload_type = BY_STREAM[kind].payload_type
        self.sink: Sink | None = None
        self.forward = False
        self.settled = False  # its numbers fit the sink's, and its video began with a keyframe
        self.settled_at = 0  # the timestamp of the packet with which it settled
        self.guarding = False  # its RED may still carry payloads from before it settled
        self.special = False  # its packets need changes behind the fixed header
        self.sequence_shift = 0
        self.timestamp_shift = 0
        self.packets = 0
        self.octets = 0
        self.first_forwarded = 0  # `packets` when it last settled
        self.keyframe_due_s = 0.0
        self.waiting_s = 0.0  # when its first packet came after `unsettle`
        # The middle 32 bits of a sender report's NTP time -> when the report was forwarded.
        self.reports: dict[int, float] = {}

    def copy(self) -> Source:
        """Return a copy with the same numbers; the sink continues with the copy."""
        copy = Source(self.kind, self.ssrc)
        copy.sink, copy.forward, copy.settled = self.sink, self.forward, self.settled
        copy.sequence_shift, copy.timestamp_shift = self.sequence_shift, self.timestamp_shift
        copy.packets, copy.first_forwarded = self.packets, self.first_forwarded
        copy.settled_at, copy.guarding = self.settled_at, self.guarding
        if self.sink is not None and self.sink.feeder is self:
            self.sink.feeder = copy
        return copy

    def worth_showing(self, single: bool, now_s: float) -> bool:
        """Return True if a keyframe may be the first picture shown; `single`: it consists of one packet.

        A busy browser may still have a black frame in its encoder when its user presses Start Session. A black keyframe
        has a single packet, that of a real scene has more: a better one is awaited for BLANK_PATIENCE_S. After that the
        picture really is that plain.
        """
        if not self.waiting_s:
            self.waiting_s = now_s
        return not single or now_s - self.waiting_s > BLANK_PATIENCE_S

    def unsettle(self) -> None:
        """Require the next packet to be adapted to the sink again (and to start a keyframe, if it is video)."""
        self.settled = False
        self.waiting_s = 0.0

    def settle(self, sequence: int, timestamp: int, now_s: float) -> None:
        """Continue the sink's numbers with this packet; `sequence` and `timestamp` are the source's own.

        A source that comes back keeps its timestamps, or audio and video would lose their synchronisation. A new source
        continues the sink's timestamps by the time that has passed.
        """
        sink = self.sink
        assert sink is not None
        if not sink.used:
            self.sequence_shift = self.timestamp_shift = 0
        else:
            self.sequence_shift = (sink.sequence + 1 - sequence) & SEQUENCE_MASK
            if sink.feeder is not self:
                passed = int((now_s - sink.at_s) * BY_STREAM[self.kind].clock_rate)
                self.timestamp_shift = (sink.timestamp + passed - timestamp) & TIMESTAMP_MASK
            elif sequence_older(timestamp + self.timestamp_shift, sink.timestamp, TIMESTAMP_MASK):
                self.timestamp_shift = (sink.timestamp + 1 - timestamp) & TIMESTAMP_MASK
        sink.used = True
        sink.feeder = self
        sink.sequence = (sequence + self.sequence_shift - 1) & SEQUENCE_MASK
        self.first_forwarded = self.packets
        self.settled_at = timestamp
        self.guarding = self.kind == "audio"
        self.settled = True

    @property
    def shapes_red(self) -> bool:
        """Return True if its packets are RED that the receiver must not get as it is."""
        if self.payload_type != RED.payload_type or self.sink is None:
            return False
        return self.guarding or not self.sink.endpoint.takes_red

    def shape_red(self, packet: bytearray, length: int) -> int:
        """Make of a RED packet what the receiver may get and takes, in place; return its new length, 0 for nothing.

        Payloads from before the gate opened or a mute ended are removed.
        """
        assert self.sink is not None
        age_max = (int.from_bytes(packet[4:8]) - self.settled_at) & TIMESTAMP_MASK
        if age_max >= TIMESTAMP_MASK >> 1:  # the packet itself is older
            age_max = 0
        self.guarding = self.guarding and age_max <= AGE_MAX
        return keep_newer(packet, length, age_max) if self.sink.endpoint.takes_red else unwrap(packet, length)

    def predates_settling(self, original_sequence: int) -> bool:
        """Return True if a retransmitted packet was first sent before this source was forwarded.

        Such a packet must be dropped.
        """
        sink = self.sink
        if sink is None or not self.settled:
            return True
        newest = (sink.sequence - self.sequence_shift) & SEQUENCE_MASK
        age = (newest - original_sequence) & SEQUENCE_MASK
        return age < 0x8000 and age > self.packets - self.first_forwarded


def sequence_older(number: int, than: int, mask: int) -> bool:
    """Return True if `number` is before `than`, in numbers modulo `mask` + 1 (RFC 1982)."""
    return ((number - than) & mask) > mask >> 1


class Flow:
    """Packets, loss and bit rate of one source, sampled from the counters of the hot path."""

    __slots__ = ("_at_s", "_octets", "_packets", "_sequence", "kbps", "loss")

    def __init__(self) -> None:
        self._at_s = 0.0
        self._packets = self._octets = 0
        self._sequence: int | None = None
        self.kbps = 0.0
        self.loss: float | None = None  # share of packets, 0-1; None while nothing is forwarded

    def sample(self, source: Source, now_s: float) -> None:
        """Update `kbps` and `loss` for the time since the last sample."""
        passed_s = now_s - self._at_s
        if passed_s <= 0:
            return
        if self._at_s:
            self.kbps = max(0, source.octets - self._octets) * 8 / 1000 / passed_s
        sink = source.sink
        sequence = None
        if sink is not None and source.forward and source.settled:
            sequence = (sink.sequence - source.sequence_shift) & SEQUENCE_MASK
        if sequence is not None and self._sequence is not None:
            expected = (sequence - self._sequence) & SEQUENCE_MASK
            received = source.packets - self._packets
            self.loss = min(1.0, max(0.0, 1 - received / expected)) if 0 < expected < 0x8000 else None
        elif sequence is None:
            self.loss = None
        self._at_s, self._packets, self._octets, self._sequence = (
            now_s,
            source.packets,
            source.octets,
            sequence,
        )
