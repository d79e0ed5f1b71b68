"""What this worker has counted since it started; `web/metrics` shows it. One process is one worker.

A count is an addition to a number: a claim, and an event at every worker, can afford it. No key names a patient, a
visit, a person or an organisation, and each count has a bounded number of keys.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TypeVar

from signalling.visit.call_quality import PartyQuality
from signalling.visit.commands import Command
from signalling.visit.record import Role, Status, Visit
from signalling.visit.relations import Event, Refusal

Outcome = TypeVar("Outcome")
_FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_STORE_S = (0.00025, 0.0005, *_FAST_S)
_WAIT_S = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)
_PICTURE_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_SHARE = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


class Histogram:
    """How many values were at most each bound, and how many above the last one; and the sum of the values."""

    __slots__ = ("bounds", "numbers", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.numbers = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.numbers[bisect_left(self.bounds, value)] += 1
        self.total += value


COMMANDS: Counter[tuple[str, str]] = Counter()
"""Commands on visits, by the name of their type and their result: "done", or the code of the refusal."""
ENDED: Counter[str] = Counter()
"""Visits that ended, by outcome."""
WAIT_S = Histogram(_WAIT_S)
"""From a patient's arrival to the first claim."""
CLAIM_TO_PAGE_S = Histogram(_FAST_S)
"""From a claim to the message about it to the patient's page."""
SOCKETS_OPENED: Counter[str] = Counter()
"""Hellos, by result: "new", "resumed", or the code of the error."""
SOCKETS_CLOSED: Counter[str] = Counter()
"""Sockets that this worker closed, by close code; "silent" for clients that the heartbeat gave up."""
EVENT_LAG_S = Histogram(_FAST_S)
"""From the decision of a change to its arrival by pub/sub."""
REPAIRS: Counter[str] = Counter()
"""Repairs of copies of open visits: "filled", "reloaded", or "epoch" if the store had lost events."""
BUS_LOST: Counter[str] = Counter()
"""Lost connections for pub/sub, under the key ""."""
STORE_S = Histogram(_STORE_S)
"""From commands sent to the store to their replies."""
STORE_ERRORS: Counter[str] = Counter()
"""Errors of the store, by reason."""
TAKEOVERS: Counter[str] = Counter()
"""Rooms that this worker took over from dead workers, under the key ""."""
FIRST_PICTURE_S = Histogram(_PICTURE_S)
"""From the opening of the gate, at the second Start Session, until a party's first picture crosses."""
ROUND_TRIP_S = Histogram(_FAST_S)
"""Round trips between the server and the parties of live calls, measured every two seconds."""
SENT_LOST, RECEIVED_LOST = Histogram(_SHARE), Histogram(_SHARE)
"""Shares of lost packets: of those that the parties of live calls sent, and of those sent to them; as above."""
LOOP_LAG_S = Histogram(_FAST_S)
"""How late the event loop was, measured four times a second."""


def decided(command: Command, outcome: Outcome) -> Outcome:
    """Count a command with its outcome, which is returned."""
    COMMANDS[type(command).__name__, outcome.code if isinstance(outcome, Refusal) else "done"] += 1
    return outcome


def committed(before: Visit | None, after: Visit, event: Event) -> None:
    """Count a change of a visit that this worker has committed."""
    if after.status is Status.ENDED and (before is None or before.is_open):
        ENDED[after.outcome or "none"] += 1
    elif event.kind == "claimed" and not after.returned:
        WAIT_S.observe((event.at_ms - after.arrived_ms) / 1000)


def shown(role: Role, before: Visit | None, after: Visit, now_ms: int) -> None:
    """Count the time from a claim to the patient's page, if a change that a person in `role` receives is a claim."""
    claimed_ms = after.claimed_ms
    if role is Role.PATIENT and claimed_ms and before is not None and before.claimed_ms != claimed_ms:
        CLAIM_TO_PAGE_S.observe(max(0, now_ms - claimed_ms) / 1000)


def measured(quality: PartyQuality) -> None:
    """Count the quality of a party's connection at one moment."""
    if quality.rtt_ms is not None:
        ROUND_TRIP_S.observe(quality.rtt_ms / 1000)
    for kinds, lost in ((quality.sent, SENT_LOST), (quality.received, RECEIVED_LOST)):
        for kind in kinds.values():
            if kind.loss is not None:
                lost.observe(kind.loss)
