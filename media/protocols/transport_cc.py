"""Builds and reads transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-01).

The server builds such feedback while it does not forward the sender's packets, or while their receiver sends
no feedback. So the sender's estimate of its bandwidth stays current. Arrival times are arguments.

A lost packet is normally not reported: the feedback is made in several pieces, each without a gap. A browser lowers its
bit rate after losses. A lower bit rate is not needed, because lost packets are sent again. The browser still lowers the
rate if the delay grows, which shows that a link is full. If very many packets are lost, a link may be full without
growing delay, so the losses are reported.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

_FEEDBACK = Struct("!BBHIIHH")
_NUMBERS = Struct("!HH")
_TWO_BITS: Final = range(12, -2, -2)
_ONE_BIT: Final = range(13, -1, -1)
_DELTA_US: Final = 250
_REFERENCE_US: Final = 64_000
# the bits of a chunk that hold the length of a run
_RUN_LENGTH: Final = 0x1FFF
# The greatest number of packets in one feedback, lost packets included. Its time differences (two bytes each) then need
# at most 4 KiB. Far fewer packets arrive in 50 ms, the time between two feedbacks.
_SPAN_MAX: Final = 2_000
_FIT_MAX: Final = 400  # the greatest number of arrivals in one feedback, so that it fits into a datagram

# The greatest number of feedback packets that are sent together, so that they fit into a datagram. There is one packet
# for each run of arrivals without a gap.
_PIECES_MAX: Final = 40
# losses are reported if more than this share of packets (0 to 1) is lost
LOSS_SHOWN: Final = 0.35
# the weight of one packet in the running mean of lost packets (`share`)
_LOSS_MEMORY: Final = 0.01
# If one feedback reports this number of lost packets or more, the network was interrupted. These lost packets are not
# counted (`Losses`), because an interruption does not show how many packets the network can carry.
OUTAGE: Final = 100

NOT_RECEIVED, SMALL_DELTA, LARGE_DELTA = 0, 1, 2


Seen = list[tuple[int, int]]  # (sequence number, time of arrival in µs) of each packet


class Losses:
    """Calculates from feedback the share of a sender's packets that are lost. `share`: a running mean, from 0 to 1."""

    __slots__ = ("share",)

    def __init__(self) -> None:
        self.share = 0.0

    @property
    def shown(self) -> bool:
        """Return True if the loss is so high that the feedback must report the lost packets to the sender."""
        return self.share > LOSS_SHOWN

    def observe(self, received: int, lost: int) -> None:
        """Update `share` (the running mean of lost packets) by the numbers of received and lost packets in one
        feedback packet.
        """
        counted = lost if lost < OUTAGE else 0
        memory = (1 - _LOSS_MEMORY) ** (received + counted)
        self.share = self.share * memory + (1 - memory) * counted / max(1, received + counted)


class Arrivals:
    """Collects the transport-wide numbers of at most _FIT_MAX packets that arrived since the last feedback."""

    __slots__ = ("_count", "_seen", "losses")

    def __init__(self) -> None:
        self.losses = Losses()
        self._seen: Seen = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, sequence: int, now_us: int) -> None:
        """Record that the packet with this 16-bit number arrived at `now_us`, in µs of a monotonic clock."""
        if len(self._seen) < _FIT_MAX:
            self._seen.append((sequence, now_us))

    def feedback(self, sender_ssrc: int, media_ssrc: int) -> bytes | None:
        """Return the RTCP packets with the feedback for all arrivals since the previous call; None if nothing arrived.

        `sender_ssrc`: the SSRC of the server. `media_ssrc`: the SSRC of the stream.
        """
        seen, self._seen = self._seen, []
        if not seen:
            return None
        return self.describe(seen, sender_ssrc, media_ssrc)

    def describe(self, seen: Seen, sender_ssrc: int, media_ssrc: int) -> bytes:
        """Return the RTCP packets with the feedback for the arrivals `seen`: one for each run of packets without a gap.

        If the loss is high (`Losses.shown`), or there are more than _PIECES_MAX runs, returns one packet that also
        reports the lost packets. `sender_ssrc`: the SSRC of the server. `media_ssrc`: the SSRC of the stream.
        """
        pieces = split_at_gaps(seen)
        self.losses.observe(len(seen), ((pieces[-1][-1][0] - pieces[0][0][0]) & 0xFFFF) + 1 - len(seen))
        if self.losses.shown or len(pieces) > _PIECES_MAX:
            pieces = [seen]
        packets = [
            build_feedback(piece, (self._count + place) & 0xFF, sender_ssrc, media_ssrc)
            for place, piece in enumerate(pieces)
        ]
        self._count += len(pieces)
        return b"".join(packets)


def split_at_gaps(seen: Seen) -> list[Seen]:
    """Return the arrivals in the order of their sequence numbers, in pieces in which no number is missing."""
    anchor = seen[0][0]
    ordered = sorted(seen, key=lambda found: ((found[0] - anchor + 0x8000) & 0xFFFF, found[1]))
    pieces = [ordered[:1]]
    for found in ordered[1:]:
        if (found[0] - pieces[-1][-1][0]) & 0xFFFF > 1:
            pieces.append([])
        pieces[-1].append(found)
    return pieces


def is_whole(packet: bytes) -> bool:
    """Return True if a feedback packet reports no lost packet: one run-length chunk marks all packets as received."""
    chunk = int.from_bytes(packet[20:22])
    return 0 < chunk >> 13 < 3 and chunk & _RUN_LENGTH >= int.from_bytes(packet[14:16])


def read_feedback(packet: bytes) -> tuple[Seen, int]:
    """Return (arrivals that a feedback packet reports, number of packets that it reports as lost).

    The times of arrival are those of the receiver's clock. Returns ([], 0) if the packet is malformed.
    """
    base, statuses = _NUMBERS.unpack_from(packet, 12)
    # (index of the packet, symbol of its status) for each received packet
    received: list[tuple[int, int]] = []
    at, place = 20, 0
    while place < statuses:
        if at + 2 > len(packet):
            return [], 0
        chunk = packet[at] << 8 | packet[at + 1]
        at += 2
        if chunk & 0x8000:
            wide = bool(chunk & 0x4000)
            symbols = [chunk >> shift & (3 if wide else 1) for shift in (_TWO_BITS if wide else _ONE_BIT)]
        else:
            run = chunk & _RUN_LENGTH
            if not run:
                return [], 0
            symbols = [chunk >> 13] * run if chunk >> 13 else []
            place += 0 if symbols else run
        symbols = symbols[: statuses - place]
        received += [(place + step, symbol) for step, symbol in enumerate(symbols) if symbol]
        place += len(symbols)
        if len(received) > len(packet):
            return [], 0
    clock_us = int.from_bytes(packet[16:19]) * _REFERENCE_US
    seen = []
    for place, symbol in received:
        size = symbol  # the symbol is the size in bytes: 1 for a small time difference, 2 for a large one
        if size > 2 or at + size > len(packet):
            return [], 0
        clock_us += int.from_bytes(packet[at : at + size], signed=size == 2) * _DELTA_US
        at += size
        seen.append(((base + place) & 0xFFFF, clock_us))
    return seen, statuses - len(seen)


def build_feedback(seen: Seen, count: int, sender_ssrc: int, media_ssrc: int) -> bytes:
    """Return a transport-cc feedback packet.

    `seen`: the sequence number and the arrival time in µs of each packet, at least one packet, in any order. `count`:
    the number of the feedback. `sender_ssrc`: the SSRC of the server. `media_ssrc`: the SSRC of the stream.
    """
    anchor = seen[0][0]
    # Reordered packets may have numbers slightly below the first number, so the count begins at the lowest number.
    relative = [((number - anchor + 0x8000) & 0xFFFF) - 0x8000 for number, _ in seen]
    lowest = max(min(relative), -_SPAN_MAX // 2)
    arrived: dict[int, int] = {}
    for offset, (_, at_us) in zip(relative, seen, strict=True):
        if 0 <= offset - lowest < _SPAN_MAX:
            arrived.setdefault(offset - lowest, at_us)
    base = (anchor + lowest) & 0xFFFF
    statuses = max(arrived) + 1
    clock_us = arrived[min(arrived)] // _REFERENCE_US * _REFERENCE_US
    reference = clock_us // _REFERENCE_US & 0xFFFFFF
    symbols = [NOT_RECEIVED] * statuses
    deltas = bytearray()
    for offset in sorted(arrived):
        delta = round((arrived[offset] - clock_us) / _DELTA_US)
        if 0 <= delta <= 0xFF:
            symbols[offset] = SMALL_DELTA
            deltas.append(delta)
        else:
            delta = max(-0x8000, min(0x7FFF, delta))
            symbols[offset] = LARGE_DELTA
            deltas += delta.to_bytes(2, "big", signed=True)
        clock_us += delta * _DELTA_US
    body = reference.to_bytes(3, "big") + bytes((count,)) + _chunks(symbols) + bytes(deltas)
    body += bytes(-len(body) % 4)
    words = 3 + len(body) // 4
    return _FEEDBACK.pack(0x8F, 205, words, sender_ssrc, media_ssrc, base, statuses) + body


def _chunks(symbols: list[int]) -> bytes:
    """Return packet status chunks: run lengths for seven or more equal symbols, otherwise two-bit vectors.

    They are defined in §3.1.3 and §3.1.4 of the draft. `symbols`: at most _SPAN_MAX, so that a run fits into a chunk.
    """
    out = bytearray()
    at = 0
    while at < len(symbols):
        end = at
        while end < len(symbols) and symbols[end] == symbols[at]:
            end += 1
        if end - at >= 7 or end == len(symbols):
            chunk = symbols[at] << 13 | (end - at)
            at = end
        else:
            chunk = 0xC000
            for position, symbol in enumerate(symbols[at : at + 7]):
                chunk |= symbol << (12 - 2 * position)
            at += 7
        out += chunk.to_bytes(2, "big")
    return bytes(out)
