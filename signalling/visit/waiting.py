"""The order of the queue, a patient's place in it, and the expected wait.

Pure. All screens use the same rank, so that the provider's list and the patient's place agree.
"""

from __future__ import annotations

from collections.abc import Sequence

from signalling.visit.record import Visit

RECENT = 20  # how many claims are used to estimate the speed of the queue
RECENT_MS = 2 * 3_600_000  # older claims belong to another time of day
FEWEST = 3  # with fewer claims there is no estimate

Rank = tuple[int, int, str]
"""A visit's position in the queue: (`number`, `arrived_ms`, id), the smallest first."""


def rank(visit: Visit) -> Rank:
    """Return a visit's rank; does not check that the visit waits."""
    return visit.number, visit.arrived_ms, visit.id


def expected_wait(place: int, claims_ms: Sequence[int], on_call: int, now_ms: int) -> tuple[int, int] | None:
    """Return (low, high) in ms for a place counted from 1, or None if the data is not sufficient.

    Estimated from the recent gaps between claims: `place` claims must happen before this patient's turn. The range is
    half to one and a half times the mean. It widens if the last claim is long ago compared with the gaps.
    """
    recent = sorted(t for t in claims_ms if now_ms - t <= RECENT_MS)[-RECENT:]
    if len(recent) < FEWEST or on_call == 0:
        return None
    gap = max((recent[-1] - recent[0]) / (len(recent) - 1), (now_ms - recent[-1]) / 2)
    mean = place * gap
    return round(mean * 0.5), round(mean * 1.5)
