"""One stream through a room: the source that a party sends, the sink that another party receives, and their numbers.

When a source is replaced, its sequence numbers and timestamps are continued, so that the receiver is not disturbed.
`now_s`: any monotonic clock, in seconds.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from media.forwarding.layers import Layers, LayerShares
from media.protocols.codecs import BY_STREAM, OPUS, RED, StreamKind
from media.protocols.red import AGE_MAX, keep_newer, payload, unwrap, wrap
from media.protocols.rtp import Packet, original, original_sequence_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from media.forwarding.endpoint import Endpoint

# The number of packets that a sink keeps to send them again: 0.9 s of sound, 0.2-0.4 s of video; 140 KB a call.
KEPT: Final = 46
# At most this number of missing packets in a row is asked for, and sent again: more sound would come too late, and for
# more video a keyframe is quicker. A browser plays late sound nevertheless, and delays all that follows, pictures too.
GAP_MAX: Final[dict[StreamKind, int]] = {"audio": 12, "video": 64, "rtx": 0}
MISSING_MAX: Final = 256
ASKED_MAX: Final = 12  # the greatest number of requests for one packet
ASK_AGAIN_S: Final = 0.015  # in s: the pause between two requests, unless the round trip is longer
# The number of requests after which each pause is twice the one before. A request and its answer may both be lost: on a
# path that loses a fifth, one packet in a thousand needs seven requests, and a picture that is 150 ms late is a freeze.
ASKED_STEADILY: Final = 8
KEYFRAME_RETRY_S: Final = 0.150
BLANK_PATIENCE_S: Final = 0.600
SEQUENCE_MASK: Final = 0xFFFF
TIMESTAMP_MASK: Final = 0xFFFFFFFF


class _KeepsNothing(list[Packet | None]):
    """Used as `kept` for retransmissions: it keeps nothing, because retransmissions are not sent again."""

    def __setitem__(self, *_: Any) -> None:
        pass


class Sink:
    """One kind of media that an endpoint receives. The server chooses its SSRC, which stays with a new source."""

    __slots__ = ("at_s", "endpoint", "feeder", "kept", "kind", "sequence", "ssrc", "timestamp", "used")

    def __init__(self, kind: StreamKind, ssrc: int, endpoint: Endpoint) -> None:
        self.kind: StreamKind = kind
        self.ssrc = ssrc
        self.endpoint = endpoint
        self.feeder: Source | None = None
        self.used = False
        self.sequence = 0  # the highest sequence number sent, in the receiver's numbers
        self.timestamp = 0
        self.at_s = 0.0
        # The newest packets sent, not encrypted, each at the index of its sequence number modulo KEPT.
        self.kept: list[Packet | None] = []
        self.forget()

    def forget(self) -> None:
        """Remove all packets that are kept."""
        self.kept = _KeepsNothing() if self.kind == "rtx" else [None] * KEPT

    def forget_rows(self, missing: Iterable[int]) -> None:
        """Forget the packets of each row among those `missing` at the receiver that is longer than GAP_MAX."""
        for _, row in groupby(enumerate(missing), lambda found: (found[1] - found[0]) & SEQUENCE_MASK):
            numbers = [number for _, number in row]
            for number in numbers if len(numbers) > GAP_MAX[self.kind] else ():
                if self.find(number) is not None:
                    self.kept[number % KEPT] = None

    def find(self, sequence: int) -> Packet | None:
        """Return the kept packet with this number, None if it is not kept."""
        kept = self.kept[sequence % KEPT]
        return kept if kept is not None and kept[2] << 8 | kept[3] == sequence else None

    def takes_late(self, sequence: int) -> bool:
        """Return True if an older packet may still be sent: it is not too old, and was not sent before.

        The number is in the receiver's numbers.
        """
        return (self.sequence - sequence) & SEQUENCE_MASK < KEPT and self.find(sequence) is None


class Missing:
    """The packets of a source that the server did not receive, in the source's numbers. At most MISSING_MAX."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        # sequence number -> (number of requests, time in s of the last one)
        self._asked: dict[int, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def __contains__(self, number: int) -> bool:
        return number in self._asked

    def add(self, kind: StreamKind, sequence: int, count: int, now_s: float) -> list[int]:
        """Add the `count` packets before `sequence`; return their numbers; [], and clear all, if too many."""
        if count > GAP_MAX[kind] or len(self._asked) + count > MISSING_MAX:
            self._asked.clear()
            return []
        numbers = [(sequence - ahead) & SEQUENCE_MASK for ahead in range(count, 0, -1)]
        for number in numbers:
            self._asked[number] = 1, now_s
        return numbers

    def due(self, now_s: float, rtt_ms: float | None, wanted: Iterable[int] | None = None) -> list[int]:
        """Return the sequence numbers to request again; with `wanted`, only numbers in it.

        A number that was requested ASKED_MAX times is given up.
        """
        pause_s = max(ASK_AGAIN_S, (rtt_ms or 0.0) / 1000)
        found = []
        for number in list(self._asked) if wanted is None else wanted:
            asked, at_s = self._asked.get(number, (0, now_s))
            if now_s - at_s < pause_s * 2 ** max(0, asked - ASKED_STEADILY):
                continue
            if asked >= ASKED_MAX:
                del self._asked[number]
                continue
            self._asked[number] = asked + 1, now_s
            found.append(number)
        return found

    def arrived(self, number: int) -> None:
        """Remove a packet that has arrived."""
        self._asked.pop(number, None)

    def clear(self) -> None:
        """Give up all missing packets."""
        self._asked.clear()


class Source:
    """One SSRC that an endpoint sends. `forward`: True if the hot path forwards it; initially False."""

    __slots__ = (
        "earlier",
        "first_forwarded",
        "first_sequence",
        "forward",
        "guarding",
        "keyframe_due_s",
        "keyframe_wanted",
        "kind",
        "layers",
        "missing",
        "newest",
        "octets",
        "packets",
        "payload_type",
        "reports",
        "sequence_shift",
        "settled",
        "settled_at",
        "shares",
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
        self.settled = False  # True if its numbers continue the sink's, and its video began with a keyframe
        self.settled_at = 0  # the timestamp of the packet at which `settled` became True
        self.guarding = False  # True if its RED may still carry payloads from before it settled
        self.special = False  # True if its packets need changes after the fixed header
        self.sequence_shift = 0
        self.timestamp_shift = 0
        self.packets = 0
        self.octets = 0
        self.first_forwarded = 0  # the value of `packets` when `settled` last became True
        self.first_sequence = 0  # the sequence number of the packet at which `settled` became True
        # For plain sound whose receiver accepts RED: timestamp and payload of the newest packet.
        self.earlier: tuple[int, bytes] | None = None
        self.missing = Missing()
        self.newest: int | None = None  # in a room of more than two: the highest sequence number received
        # In a room of more than two: the layers of a subscription's video, and the layers' shares in the sender's own.
        self.layers: Layers | None = None
        self.shares: LayerShares | None = None
        self.keyframe_due_s = 0.0
        self.keyframe_wanted = False  # True if a receiver in a room of more than two has requested one
        self.waiting_s = 0.0  # the time in s of its first packet after `unsettle`
        # The middle 32 bits of a sender report's NTP time -> when the report was forwarded.
        self.reports: dict[int, float] = {}

    def copy(self) -> Source:
        """Return a copy with the same numbers; the sink continues with the copy."""
        copy = Source(self.kind, self.ssrc)
        copy.sink, copy.forward, copy.settled = self.sink, self.forward, self.settled
        copy.sequence_shift, copy.timestamp_shift = self.sequence_shift, self.timestamp_shift
        copy.packets, copy.first_forwarded = self.packets, self.first_forwarded
        copy.first_sequence = self.first_sequence
        copy.settled_at, copy.guarding = self.settled_at, self.guarding
        if self.sink is not None and self.sink.feeder is self:
            self.sink.feeder = copy
        return copy

    def worth_showing(self, single: bool, now_s: float) -> bool:
        """Return True if a keyframe may be the first picture shown. `single`: True if the keyframe is one packet.

        A busy browser may still have a black frame in its encoder when its user presses Start Session. A black keyframe
        fits into a single packet, that of a real scene needs more. So a single packet is refused for BLANK_PATIENCE_S;
        after that the picture really is that plain.
        """
        if not self.waiting_s:
            self.waiting_s = now_s
        return not single or now_s - self.waiting_s > BLANK_PATIENCE_S

    def unsettle(self) -> None:
        """Require that the next packet is adapted to the sink again; if it is video, it must begin a keyframe."""
        self.settled = False
        self.waiting_s = 0.0
        self.earlier = None
        self.missing.clear()
        if self.sink is not None:
            self.sink.forget()

    def settle(self, sequence: int, timestamp: int, now_s: float) -> None:
        """Continue the sink's numbers with this packet; `sequence` and `timestamp` are the source's own.

        A source that is forwarded again keeps its timestamps; otherwise audio and video would lose their
        synchronisation. The timestamps of a new source continue the sink's by the time that has passed.
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
        self.first_sequence = sequence
        self.settled_at = timestamp
        self.guarding = self.kind == "audio"
        self.settled = True
        if self.layers is not None:
            self.layers.restart(sequence, self.sequence_shift)

    @property
    def shapes_red(self) -> bool:
        """Return True if its RED packets must be changed before the receiver gets them."""
        if self.payload_type != RED.payload_type or self.sink is None:
            return False
        return self.guarding or not self.sink.endpoint.takes_red

    def advance(self, sequence: int) -> int:
        """Record a packet's own number in a room of more than two; return the number of packets missing before it."""
        newest, ahead = self.newest, 1
        if newest is not None:
            ahead = (sequence - newest) & SEQUENCE_MASK
        if ahead < 0x8000:
            self.newest = sequence
            return max(0, ahead - 1)
        self.missing.arrived(sequence)
        return 0

    def own_number(self, number: int) -> int:
        """Return the source's own sequence number of a packet, given the receiver's sequence number."""
        if self.layers is not None:
            return self.layers.own_number(number)
        return (number - self.sequence_shift) & SEQUENCE_MASK

    def takes_late(self, sequence: int) -> bool:
        """Return True if a packet that is older than the newest one, in the receiver's numbers, may still be sent."""
        own = self.own_number(sequence)
        self.missing.arrived(own)
        return self.sink is not None and self.sink.takes_late(sequence) and not self.predates_settling(own)

    def repeat(self, packet: bytearray, length: int) -> int:
        """Write the original's sequence number, as the receiver knows it, into a retransmission of this video.

        Returns the offset of the number, 0 if the packet is only padding, and -1 if the receiver must not get the
        packet.
        """
        at = original_sequence_at(packet, length)
        if not self.settled:
            return -1
        if at:
            number = packet[at] << 8 | packet[at + 1]
            self.missing.arrived(number)
            if self.predates_settling(number):
                return -1
            number = (number + self.sequence_shift) & SEQUENCE_MASK
            packet[at], packet[at + 1] = number >> 8, number & 0xFF
        return at

    def keep_repeated(self, packet: bytearray, length: int, at: int) -> bytes | None:
        """Keep the original of a retransmission that `repeat` has changed; return it if it was not sent before."""
        sink, number = self.sink, packet[at] << 8 | packet[at + 1]
        if not at or sink is None or not sink.takes_late(number):
            return None
        timestamp = (int.from_bytes(packet[4:8]) + self.timestamp_shift) & TIMESTAMP_MASK
        kept = sink.kept[number % KEPT] = original(packet, length, at, timestamp, sink.ssrc)
        return kept

    def shape_red(self, packet: bytearray, length: int) -> int:
        """Reduce a RED packet in place to the payloads that the receiver may get and accepts.

        Returns the new length, 0 if nothing is left. Payloads from before the gate opened or a mute ended are removed.
        """
        assert self.sink is not None
        age_max = (int.from_bytes(packet[4:8]) - self.settled_at) & TIMESTAMP_MASK
        if age_max >= TIMESTAMP_MASK >> 1:  # the packet is older than `settled_at`
            age_max = 0
        self.guarding = self.guarding and age_max <= AGE_MAX
        return keep_newer(packet, length, age_max) if self.sink.endpoint.takes_red else unwrap(packet, length)

    @property
    def adds_red(self) -> bool:
        """Return True if its packets are plain Opus and the receiver accepts RED."""
        return (
            self.payload_type == OPUS.payload_type and self.sink is not None and self.sink.endpoint.takes_red
        )

    def add_red(self, packet: bytearray, length: int) -> int:
        """Add the previous payload to a plain Opus packet, as RED, in place; return the new length.

        A packet stays plain if it came late, or is the first one after the gate opened or a mute ended.
        """
        timestamp, earlier, own = int.from_bytes(packet[4:8]), self.earlier, payload(packet, length)
        if earlier is not None and sequence_older(timestamp, earlier[0], TIMESTAMP_MASK):
            return length
        self.earlier = timestamp, own
        if earlier is None:
            return length
        return wrap(packet, length, (timestamp - earlier[0]) & TIMESTAMP_MASK, earlier[1])

    def predates_settling(self, sequence: int) -> bool:
        """Return True if a late or repeated packet is older than the first packet that was forwarded.

        Its number is the source's own. Such a packet must be dropped.
        """
        if self.sink is None or not self.settled:
            return True
        # after this number of packets, sequence numbers are used again
        recent = self.packets - self.first_forwarded < 0x4000
        return recent and sequence_older(sequence, self.first_sequence, SEQUENCE_MASK)


def sequence_older(number: int, than: int, mask: int) -> bool:
    """Return True if `number` comes before `than`, in numbers modulo `mask` + 1 (RFC 1982)."""
    return ((number - than) & mask) > mask >> 1


class Flow:
    """The packets, loss and bit rate of one source, sampled from the counters of the hot path."""

    __slots__ = ("_at_s", "_octets", "_packets", "_sequence", "kbps", "loss")

    def __init__(self) -> None:
        self._at_s = 0.0
        self._packets = self._octets = 0
        self._sequence: int | None = None
        self.kbps = 0.0
        self.loss: float | None = None  # the share of lost packets, 0 to 1; None while nothing is forwarded

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
