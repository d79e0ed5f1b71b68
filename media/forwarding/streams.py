"""A stream through a room: the source that a party sends, and the sink in which another party receives it.

If another source takes over a sink, it continues the sink's sequence numbers and timestamps, so that the receiver is
not disturbed. `now_s`: any monotonic clock, in seconds.
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

# A sink (stream to a receiver) keeps this number of packets to send them again: 0.9 s of sound, 0.2 to 0.4 s of video.
KEPT: Final = 46
# The greatest number of consecutive missing packets that are requested and sent again. More sound would come too late,
# and late sound delays all sound and pictures after it. If more video is missing, a keyframe is quicker.
GAP_MAX: Final[dict[StreamKind, int]] = {"audio": 12, "video": 64, "rtx": 0}
MISSING_MAX: Final = 256
# The greatest number of requests for one missing packet. Requests and answers are lost too: in a network that loses
# a fifth of all packets, one packet in a thousand needs seven requests.
ASKED_MAX: Final = 12
ASK_AGAIN_S: Final = 0.015  # pause in s between two requests for a packet, or one round trip if it is longer
ASKED_STEADILY: Final = 8  # after this number of requests for a packet, each pause is twice the pause before
KEYFRAME_RETRY_S: Final = 0.150
BLANK_PATIENCE_S: Final = 0.600
SEQUENCE_MASK: Final = 0xFFFF
TIMESTAMP_MASK: Final = 0xFFFFFFFF


class _KeepsNothing(list[Packet | None]):
    """A list that stores nothing, for the `kept` of a sink of retransmissions, because these are not sent again."""

    def __setitem__(self, *_: Any) -> None:
        pass


class Sink:
    """The stream in which an endpoint receives one kind of media. Its SSRC stays the same if the source changes."""

    __slots__ = (
        "at_s",
        "endpoint",
        "feeder",
        "floor",
        "kept",
        "kind",
        "sequence",
        "ssrc",
        "timestamp",
        "used",
    )

    def __init__(self, kind: StreamKind, ssrc: int, endpoint: Endpoint) -> None:
        self.kind: StreamKind = kind
        self.ssrc = ssrc
        self.endpoint = endpoint
        self.feeder: Source | None = None
        self.used = False
        self.sequence = 0  # the highest sequence number sent, in the receiver's numbers
        # The highest sequence number that may have been sent before the packets in `kept` were removed. None: that
        # number is so far below `sequence` that it is not needed any more.
        self.floor: int | None = None
        self.timestamp = 0
        self.at_s = 0.0
        # The newest packets sent, not encrypted. Each is at the index of its sequence number modulo KEPT.
        self.kept: list[Packet | None] = []
        self.forget()

    def forget(self) -> None:
        """Remove all packets that are kept to be sent again."""
        self.kept = _KeepsNothing() if self.kind == "rtx" else [None] * KEPT

    def forget_rows(self, missing: Iterable[int]) -> None:
        """Find each run of more than GAP_MAX consecutive numbers in `missing`; remove its packets from `kept`."""
        for _, row in groupby(enumerate(missing), lambda found: (found[1] - found[0]) & SEQUENCE_MASK):
            numbers = [number for _, number in row]
            for number in numbers if len(numbers) > GAP_MAX[self.kind] else ():
                if self.find(number) is not None:
                    self.kept[number % KEPT] = None

    def find(self, sequence: int) -> Packet | None:
        """Return the stored packet that the receiver knows by this sequence number; None if it is not stored."""
        kept = self.kept[sequence % KEPT]
        # After a jump of the numbers, an old packet may be stored under a number that is still to come.
        is_past = (self.sequence - sequence) & SEQUENCE_MASK < KEPT
        return kept if is_past and kept is not None and kept[2] << 8 | kept[3] == sequence else None

    def takes_late(self, sequence: int) -> bool:
        """Return True if a late packet may still be sent. `sequence`: its sequence number at the receiver.

        Return False if a packet with this number may have been sent before: AES-GCM must not encrypt two packets under
        one number. That is not known for a number up to `floor`, and if a newer packet is in the place of this one in
        `kept`, as after the number 0xFFFF.
        """
        behind = (self.sequence - sequence) & SEQUENCE_MASK
        if behind >= KEPT:
            return False
        if self.floor is not None:
            above = (self.sequence - self.floor) & SEQUENCE_MASK
            if behind >= above:
                return False
            if above >= KEPT:
                self.floor = None
        kept = self.kept[sequence % KEPT]
        return kept is None or sequence_older(kept[2] << 8 | kept[3], sequence, SEQUENCE_MASK)


class Missing:
    """The source's own sequence numbers of at most MISSING_MAX packets that the server did not receive."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        # sequence number of a missing packet -> (number of requests for it, time in s of the newest request)
        self._asked: dict[int, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def __contains__(self, number: int) -> bool:
        return number in self._asked

    def add(self, kind: StreamKind, sequence: int, count: int, now_s: float) -> list[int]:
        """Record the `count` numbers before `sequence` as missing; return them. If too many: forget all, return []."""
        if count > GAP_MAX[kind] or len(self._asked) + count > MISSING_MAX:
            self._asked.clear()
            return []
        numbers = [(sequence - ahead) & SEQUENCE_MASK for ahead in range(count, 0, -1)]
        for number in numbers:
            self._asked[number] = 1, now_s
        return numbers

    def due(self, now_s: float, rtt_ms: float | None, wanted: Iterable[int] | None = None) -> list[int]:
        """Return the sequence numbers to request again now. If `wanted` is given, only numbers in it are returned.

        A number that was requested ASKED_MAX times is given up. `rtt_ms`: the round trip, None if not known.
        """
        pause_s = ASK_AGAIN_S if rtt_ms is None else max(ASK_AGAIN_S, rtt_ms / 1000)
        found, listed = [], self._asked if wanted is None else wanted
        for number in [one for one in dict.fromkeys(listed) if one in self._asked]:
            asked, at_s = self._asked[number]
            if now_s - at_s < pause_s * 2 ** max(0, asked - ASKED_STEADILY):
                continue
            if asked >= ASKED_MAX:
                del self._asked[number]
                continue
            self._asked[number] = asked + 1, now_s
            found.append(number)
        return found

    def arrived(self, number: int) -> None:
        """Remove a packet from the missing packets, because it has arrived."""
        self._asked.pop(number, None)

    def clear(self) -> None:
        """Give up all missing packets."""
        self._asked.clear()


class Source:
    """One stream that an endpoint sends. `forward`: True if its packets are forwarded; initially False."""

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
        self.settled = False  # True if forwarding has begun (`settle`); video begins with a keyframe
        self.settled_at = 0  # the timestamp of the first packet since forwarding began (`settle`)
        self.guarding = False  # True if RED packets may repeat sound from before forwarding began
        self.special = False  # True if packets of this source need changes after the fixed RTP header
        self.sequence_shift = 0
        self.timestamp_shift = 0
        self.packets = 0
        self.octets = 0
        self.first_forwarded = 0  # the number of `packets` that had been received when forwarding began
        self.first_sequence = 0  # the sequence number of the first packet since forwarding began
        self.earlier: tuple[int, bytes] | None = None  # (timestamp, payload) that `add_red` repeats
        self.missing = Missing()
        self.newest: int | None = None  # in a room of more than two: the newest sequence number received
        self.layers: Layers | None = None  # in a room of more than two: the layers of a subscription's video
        self.shares: LayerShares | None = None  # in a room of more than two: measures the layers' bit rates
        self.keyframe_due_s = 0.0
        # True if a receiver in a room of more than two has requested a keyframe
        self.keyframe_wanted = False
        # the time in s of the first keyframe since the newest call of `unsettle`; 0: none yet
        self.waiting_s = 0.0
        # the middle 32 bits of the NTP time in a sender report -> the time in s at which the report was forwarded
        self.reports: dict[int, float] = {}

    def copy(self) -> Source:
        """Return a copy with the same sink and shifts. If `sink.feeder` is this source, the copy replaces it there."""
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
        """Return True if the picture may begin with this keyframe. `single`: True if the keyframe is only one packet.

        A busy browser may still have a black frame in its encoder when its user presses Start Session. One packet is
        enough for a black keyframe, but not for a keyframe of a real scene. So a keyframe of one packet is refused for
        BLANK_PATIENCE_S; a later keyframe is accepted, because the scene itself must then be plain.
        """
        if not self.waiting_s:
            self.waiting_s = now_s
        return not single or now_s - self.waiting_s > BLANK_PATIENCE_S

    def unsettle(self) -> None:
        """Make the next packet set the shifts again (`settle`); a packet of video must then begin a keyframe."""
        self.settled = False
        self.waiting_s = 0.0
        self.earlier = None
        self.missing.clear()
        if self.sink is not None:
            self.sink.forget()

    def settle(self, sequence: int, timestamp: int, now_s: float) -> None:
        """Set the shifts so that this packet continues the sink's numbers. `sequence`, `timestamp`: the packet's own.

        If a source is forwarded again, its timestamp shift stays the same, so that audio and video stay synchronous. A
        new source begins with the timestamp of the sink's newest packet, plus the time since that packet.
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
        sink.sequence = sink.floor = (sequence + self.sequence_shift - 1) & SEQUENCE_MASK
        self.first_forwarded = self.packets
        self.first_sequence = sequence
        self.settled_at = timestamp
        self.guarding = self.kind == "audio"
        self.settled = True
        if self.layers is not None:
            self.layers.restart(sequence, self.sequence_shift)

    @property
    def shapes_red(self) -> bool:
        """Return True if the source's RED packets (with repeated sound) must be changed for the receiver."""
        if self.payload_type != RED.payload_type or self.sink is None:
            return False
        return self.guarding or not self.sink.endpoint.takes_red

    def advance(self, sequence: int) -> int:
        """Record the number of a packet that has arrived; return how many packets directly before it are missing."""
        newest, ahead = self.newest, 1
        if newest is not None:
            ahead = (sequence - newest) & SEQUENCE_MASK
        if ahead < 0x8000:
            self.newest = sequence
            return max(0, ahead - 1)
        self.missing.arrived(sequence)
        return 0

    def own_number(self, number: int) -> int:
        """Return the source's own sequence number of the packet that the receiver knows by `number`."""
        if self.layers is not None:
            return self.layers.own_number(number)
        return (number - self.sequence_shift) & SEQUENCE_MASK

    def takes_late(self, sequence: int) -> bool:
        """Record that a late packet came; return True if it may be sent. `sequence`: its number at the receiver."""
        own = self.own_number(sequence)
        self.missing.arrived(own)
        return self.sink is not None and self.sink.takes_late(sequence) and not self.predates_settling(own)

    def repeat(self, packet: bytearray, length: int) -> int:
        """In a retransmission, replace the original packet's number by the number under which the receiver knows it.

        Returns the offset of the number; 0 if the packet is only padding; -1 if the receiver must not get the packet.
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
        """Rebuild the original packet from a retransmission, after `repeat` has rewritten its number at offset `at`.

        Keep and return the packet. Return None, and keep nothing, if `at` is 0, there is no receiver, or the packet is
        too old or was sent before.
        """
        sink, number = self.sink, packet[at] << 8 | packet[at + 1]
        if not at or sink is None or not sink.takes_late(number):
            return None
        timestamp = (int.from_bytes(packet[4:8]) + self.timestamp_shift) & TIMESTAMP_MASK
        kept = sink.kept[number % KEPT] = original(packet, length, at, timestamp, sink.ssrc)
        return kept

    def shape_red(self, packet: bytearray, length: int) -> int:
        """Reduce a RED packet in place to the payloads that the receiver may get and accepts; return its new length.

        The length is 0 if no payload is left. Payloads from before the gate opened or a mute ended are removed.
        """
        assert self.sink is not None
        age_max = (int.from_bytes(packet[4:8]) - self.settled_at) & TIMESTAMP_MASK
        if age_max >= TIMESTAMP_MASK >> 1:  # True if the packet is older than the first forwarded packet
            age_max = 0
        self.guarding = self.guarding and age_max <= AGE_MAX
        return keep_newer(packet, length, age_max) if self.sink.endpoint.takes_red else unwrap(packet, length)

    @property
    def adds_red(self) -> bool:
        """Return True if the source's packets are plain Opus and the receiver accepts RED (with repeated sound)."""
        return (
            self.payload_type == OPUS.payload_type and self.sink is not None and self.sink.endpoint.takes_red
        )

    def add_red(self, packet: bytearray, length: int) -> int:
        """Turn a plain Opus packet in place into a RED packet that repeats the previous payload; return its length.

        A packet stays plain if it came late, or is the first packet after the gate opened or a mute ended.
        """
        timestamp, earlier, own = int.from_bytes(packet[4:8]), self.earlier, payload(packet, length)
        if earlier is not None and sequence_older(timestamp, earlier[0], TIMESTAMP_MASK):
            return length
        self.earlier = timestamp, own
        if earlier is None:
            return length
        return wrap(packet, length, (timestamp - earlier[0]) & TIMESTAMP_MASK, earlier[1])

    def predates_settling(self, sequence: int) -> bool:
        """Return True if a packet must be dropped because it is older than the first packet that was forwarded.

        `sequence`: the source's own number of the packet, which came late or again.
        """
        if self.sink is None or not self.settled:
            return True
        # Compare only the first 0x4000 packets: later, numbers begin again at 0, and new packets would look older.
        recent = self.packets - self.first_forwarded < 0x4000
        return recent and sequence_older(sequence, self.first_sequence, SEQUENCE_MASK)


def sequence_older(number: int, than: int, mask: int) -> bool:
    """Return True if `number` comes before `than`; both are numbers modulo `mask` + 1 (RFC 1982)."""
    return ((number - than) & mask) > mask >> 1
