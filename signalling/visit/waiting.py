"""The order of the queue, a patient's place in it, and the expected wait. Does no I/O.

All pages use the same rank, so that the provider's list and the patient's place agree. `Policy.urgent_first` says
whether an organisation orders visits by urgency and arrival, or by arrival only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from signalling.visit.record import Visit
from signalling.visit.urgency import SEVERITY

# the number of claims from which the speed of the queue is estimated
RECENT = 20
# claims that are older than this time in ms are not used to estimate the speed of the queue
RECENT_MS = 2 * 3_600_000
# the least number of recent claims from which a wait is estimated
FEWEST = 3


class Paced(NamedTuple):
    """A claim, for the estimate of waits: its time in ms, and the number of staff who were on call then."""

    at_ms: int
    on_call: int


Rank = tuple[int, int, int, str]
"""A visit's position in the order of the queue, as (severity, `number`, `arrived_ms`, id).

The queue is sorted by this tuple, the lowest first.
"""


def rank(visit: Visit, *, urgent_first: bool) -> Rank:
    """Return the rank that a visit has in the order of the queue, or would have if it waited.

    If `urgent_first` is False, all visits count as equally urgent, so that only their arrival decides.
    """
    severity = SEVERITY[visit.urgency] if urgent_first else 0
    return severity, visit.number, visit.arrived_ms, visit.id


def paced(events: Iterable[tuple[str, int]], on_call: int) -> list[Paced]:
    """Return the claims among events, the oldest first. `events`: (kind, time in ms), the newest first.

    `on_call`: the number of staff who are on call after the newest event. The numbers at earlier times are calculated
    from the events.
    """
    claims = []
    for kind, at_ms in events:
        if kind == "claimed":
            claims.append(Paced(at_ms, on_call))
        on_call += {"on_call": -1, "off_call": 1}.get(kind, 0)
    return claims[::-1]


def expected_wait(place: int, claims: Sequence[Paced], on_call: int, now_ms: int) -> tuple[int, int] | None:
    """Return the expected wait (low, high) in ms for a `place`, counted from 1; None if there is not enough data.

    The estimate is `place` times the mean gap between recent claims. It is larger if fewer staff are on call now than
    were on call at these claims, and smaller if more are. The result is the range from half the estimate to one and a
    half times the estimate. If half the time since the last claim is longer than the mean gap, this half is used
    instead of the gap.
    """
    recent = sorted(claim for claim in claims if now_ms - claim.at_ms <= RECENT_MS)[-RECENT:]
    if len(recent) < FEWEST or on_call == 0:
        return None
    first, last = recent[0].at_ms, recent[-1].at_ms
    gap = max((last - first) / (len(recent) - 1), (now_ms - last) / 2)
    on_call_then = sum(max(1, claim.on_call) for claim in recent) / len(recent)
    mean = place * gap * on_call_then / on_call
    return round(mean * 0.5), round(mean * 1.5)
