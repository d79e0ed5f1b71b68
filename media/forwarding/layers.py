"""Chooses which temporal layers of a VP8 video (RFC 7741 §4.2) a receiver gets, and numbers its packets without gaps.

A layer adds pictures between those of the lower layers, which can be decoded without this layer. Sequence numbers are
those of the sender, modulo 2^16, unless a text below names the receiver's. Does no I/O and reads no clock.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

LAYERS: Final = 4  # the number of layers that two bits can name in the VP8 descriptor; browsers send three
TOP: Final = LAYERS - 1
SPANS_MAX: Final = 64
# The greatest number of packets in a span (a range of packets with the same shifts). A longer span is replaced by a new
# span, and all earlier spans are forgotten, because sequence numbers start again after 2^16.
SPAN_MAX: Final = 0x4000
# A receiver gets one more layer if its estimated bandwidth is enough for this layer and all lower layers. It keeps the
# layer while this layer and all lower layers together need at most KEEP times the estimated bandwidth.
KEEP: Final = 1.25
SHARES_WHOLE: Final = (1.0,) * LAYERS
MEASURE_S: Final = 1.0
_MASK: Final = 0xFFFF
_HALF: Final = 0x8000  # half of all sequence numbers: the half after a given number counts as newer


class Span(NamedTuple):
    """A range of packets with the same shifts, from the sequence number `first` to the next span.

    `sequence_shift` and `picture_shift`: the numbers added to each sequence number and picture number. `level`: the
    highest layer that is sent.
    """

    first: int
    sequence_shift: int
    picture_shift: int
    level: int


class Layers:
    """The temporal layers of one video for one receiver.

    `target`: the highest layer to send from the next picture on.
    """

    __slots__ = ("_newest", "_spans", "_timestamp", "target")

    def __init__(self) -> None:
        self.target = TOP
        self._spans: deque[Span] = deque(maxlen=SPANS_MAX)
        self.restart(0, 0)

    @property
    def level(self) -> int:
        """Return the highest temporal layer of the video that is sent to the receiver now."""
        return self._spans[-1].level

    @property
    def sequence_shift(self) -> int:
        """Return the number that is added to the sequence number of the next packet for the receiver."""
        return self._spans[-1].sequence_shift

    def restart(self, first: int, sequence_shift: int) -> None:
        """Forget all earlier packets, and start again at `first`, the number of a keyframe's first packet.

        `sequence_shift`: the number that is added to each sequence number from there on.
        """
        self._newest = (first - 1) & _MASK
        self._timestamp: int | None = None  # of the newest picture since `restart`; None: no picture yet
        self._spans.clear()
        self._spans.append(Span(first, sequence_shift, 0, self.target))

    def take(self, number: int, timestamp: int, layer: int, syncs: bool) -> Span | None:
        """Return what to add to the numbers of a packet (`Span`); None if the caller must drop the packet.

        `number`, `timestamp`, `layer`: those of the packet. `syncs`: True if the packet's picture needs only the
        lowest layer. A layer can be removed at any picture. It can be added only at a picture that `syncs`, one layer
        at a time.

        For a packet that comes late, the result is the `Span` whose range contains its number; None if the packet is
        older than all known spans, because its number at the receiver is not known any more. If the packet's layer is
        higher than the `level` of this span, the caller must send padding with the packet's number in place of the
        packet, because the receiver waits for the number.
        """
        ahead = (number - self._newest) & _MASK
        if ahead == 0 or ahead >= _HALF:
            return self._span(number)
        self._newest = number
        now = self._spans[-1]
        level, begins = now.level, timestamp != self._timestamp
        if begins:
            self._timestamp = timestamp
            level = min(layer if syncs and layer == level + 1 else level, self.target)
        if layer > level:
            shift, picture_shift = (now.sequence_shift - 1) & _MASK, now.picture_shift - begins
            self._add(number, Span((number + 1) & _MASK, shift, picture_shift, level))
            return None
        if level != now.level:
            self._add(number, now._replace(first=number, level=level))
        elif (number - now.first) & _MASK > SPAN_MAX:
            self._spans.clear()
            self._spans.append(now._replace(first=(number - SPAN_MAX // 2) & _MASK))
        return self._spans[-1]

    def own_number(self, number: int) -> int:
        """Return the sender's sequence number of the packet that the receiver knows by `number`."""
        for span in reversed(self._spans):
            if (number - span.first - span.sequence_shift) & _MASK < _HALF:
                return (number - span.sequence_shift) & _MASK
        return (number - self._spans[0].sequence_shift) & _MASK

    def _add(self, number: int, span: Span) -> None:
        # A span is valid from its first packet on. If the newest span begins at the packet with this number, the new
        # span replaces it, because no packet has used the newest one yet.
        if self._spans[-1].first == number:
            self._spans.pop()
        self._spans.append(span)

    def _span(self, number: int) -> Span | None:
        """Return the span that contains the packet `number`.

        Return None if the packet was left out, or is older than all known spans.
        """
        left_out_from, shift = number + 1, self._spans[-1].sequence_shift
        for span in reversed(self._spans):
            left_out_from -= (span.sequence_shift - shift) & _MASK
            if (number - span.first) & _MASK < _HALF:
                return span if (number - left_out_from) & _MASK >= _HALF else None
            # Each packet that is left out lowers the shift by 1. These are the packets directly before the next span.
            left_out_from, shift = span.first, span.sequence_shift
        return None


class LayerShares:
    """Measures the share of each layer in a video's bit rate.

    `octets`: the bytes per layer, counted in the hot path.
    """

    __slots__ = ("_at_s", "_counted", "octets", "shares")

    def __init__(self) -> None:
        self.octets = [0] * LAYERS
        # Index of a layer -> the share (0 to 1) of this layer and all lower layers in the bit rate.
        self.shares: tuple[float, ...] = SHARES_WHOLE
        self._counted = [0] * LAYERS
        self._at_s = 0.0

    def sample(self, now_s: float) -> None:
        """Update `shares` from the counted bytes, at most once in MEASURE_S. `now_s`: the monotonic time.

        Each new value is the mean of the old value and the measured value, so that one keyframe does not change it
        much.
        """
        if now_s - self._at_s < MEASURE_S:
            return
        grown = [after - before for after, before in zip(self.octets, self._counted, strict=True)]
        self._at_s, self._counted = now_s, list(self.octets)
        total = sum(grown)
        if total:
            now = [sum(grown[: layer + 1]) / total for layer in range(LAYERS)]
            self.shares = tuple((share + new) / 2 for share, new in zip(self.shares, now, strict=True))


def choose_level(kbps: float, shares: tuple[float, ...], estimate_kbps: float, level: int) -> int:
    """Return the highest layer for which a receiver's bandwidth `estimate_kbps` is enough; 0 if there is no such layer.

    `kbps`: the video's whole bit rate. `shares`: index of a layer -> the share (0 to 1) of this layer and all lower
    layers in the bit rate. `level`: the highest layer that the receiver gets now.
    """
    fitting = [
        layer
        for layer, share in enumerate(shares)
        if kbps * share <= estimate_kbps * (KEEP if layer <= level else 1.0)
    ]
    return max(fitting, default=0)
