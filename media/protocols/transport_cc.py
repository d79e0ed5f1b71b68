"""Builds transport-wide congestion control feedback for packets that the server received and did not forward.

Format: draft-holmer-rmcat-transport-wide-cc-01. The feedback keeps the sender's bandwidth estimate current while the
gate is closed. Knows the arrivals of one connection; arrival times are arguments. Knows no stream, key or clock.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

_FEEDBACK = Struct("!BBHIIHH")
_DELTA_US: Final = 250
_REFERENCE_US: Final = 64_000
_RUN_MAX: Final = 8191
# Packets that one feedback may span, lost ones included: at most 4 KiB of deltas, far more than arrive in 50 ms.
_SPAN_MAX: Final = 2_000
_FIT_MAX: Final = 400  # packets that one feedback may describe, so that it fits into a datagram

NOT_RECEIVED, SMALL_DELTA, LARGE_DELTA = 0, 1, 2


class Arrivals:
    """The transport-wide sequence numbers that arrived since the last feedback. At most _FIT_MAX are kept."""

    __slots__ = ("_count", "_seen")

    def __init__(self) -> None:
        self._seen: list[tuple[int, int]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, sequence: int, now_us: int) -> None:
        """Record that the packet with this 16-bit number arrived at `now_us`, in µs of a monotonic clock."""
        if len(self._seen) < _FIT_MAX:
            self._seen.append((sequence, now_us))

    def feedback(self, sender_ssrc: int, media_ssrc: int) -> bytes | None:
        """Return the RTCP packet (RTPFB, FMT 15) for the arrivals since the last call, or None if there are none."""
        seen, self._seen = self._seen, []
        if not seen:
            return None
        packet = build_feedback(seen, self._count & 0xFF, sender_ssrc, media_ssrc)
        self._count += 1
        return packet


def build_feedback(seen: list[tuple[int, int]], count: int, sender_ssrc: int, media_ssrc: int) -> bytes:
    """Return a transport-cc feedback packet for (sequence number, arrival in µs) pairs in any order.

    `seen` must not be empty.
    """
    anchor = seen[0][0]
    # Reordered packets may have numbers a little below the first one's: count from the lowest.
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

    Draft §3.1.3, §3.1.4.
    """
    out = bytearray()
    at = 0
    while at < len(symbols):
        end = at
        while end < len(symbols) and symbols[end] == symbols[at] and end - at < _RUN_MAX:
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
