"""Who comes when: the order of the queue, a patient's place in it, and how long it may take.

Pure. The one rank that orders the queue serves every screen, so that the provider's list and the patient's
number agree.
"""

from __future__ import annotations

from collections.abc import Sequence

from signalling.visit.record import Visit

RECENT = 20  # so many claims tell how fast the queue moves now
RECENT_MS = 2 * 3_600_000  # older ones tell of another time of day
FEWEST = 3  # with fewer there is nothing to say

Rank = tuple[int, int, str]
"""Where a visit stands among those that wait: (`number`, `arrived_ms`, id), the smallest first."""


def rank(visit: Visit) -> Rank:
    """Return a visit's rank; it does not look whether the visit waits."""
    return visit.number, visit.arrived_ms, visit.id


def expected_wait(place: int, claims_ms: Sequence[int], on_call: int, now_ms: int) -> tuple[int, int] | None:
    """Return (low, high) in ms for a place counted from 1, or None where the data says nothing.

    From the recent gaps between claims: `place` claims must happen, and they take as long as claims have taken.
    The range is half to one and a half times the mean; it widens as claims become older than their own rhythm.
    """
    recent = sorted(t for t in claims_ms if now_ms - t <= RECENT_MS)[-RECENT:]
    if len(recent) < FEWEST or on_call == 0:
        return None
    gap = max((recent[-1] - recent[0]) / (len(recent) - 1), (now_ms - recent[-1]) / 2)
    mean = place * gap
    return round(mean * 0.5), round(mean * 1.5)
