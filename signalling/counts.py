"""Counts what this worker has done since it started; `web/metrics` shows the counts. One process is one worker.

To count something only adds to a number, so that each worker can afford it for each claim and each event. No key names
a patient, a visit, a person or an organisation, and each count has a bounded number of keys.
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
    """Counts values by size, for a metric.

    `bounds`: the upper bounds of the size classes. `numbers`: the count in each class; its last element is the count
    of values above all bounds. `total`: the sum of all values.
    """

    __slots__ = ("bounds", "numbers", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.numbers = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one measured value in its size class, and add it to the total."""
        self.numbers[bisect_left(self.bounds, value)] += 1
        self.total += value


COMMANDS: Counter[tuple[str, str]] = Counter()
"""The commands on visits, by (name of their type, result): the result is "done", or the code of the refusal."""
ENDED: Counter[str] = Counter()
"""The number of visits that ended, by outcome (see `Outcome`: completed, declined, …)."""
WAIT_S = Histogram(_WAIT_S)
"""The time in s from a patient's arrival to the first claim."""
CLAIM_TO_PAGE_S = Histogram(_FAST_S)
"""The time in s from a claim until the message about the claim is sent to the patient's page."""
SOCKETS_OPENED: Counter[str] = Counter()
"""The received `hello` messages, by result: "new", "resumed", or the code of the error."""
SOCKETS_CLOSED: Counter[str] = Counter()
"""The sockets that this worker closed, by close code; "silent" for clients that did not answer the heartbeat."""
EVENT_LAG_S = Histogram(_FAST_S)
"""The time in s from the moment when a worker decided a change until this worker received the event by
pub/sub.
"""
REPAIRS: Counter[str] = Counter()
"""How often this worker repaired its copy of the open visits: "filled" (missing events were fetched), "reloaded" (the
copy was loaded again), or "epoch" (the store had lost events).
"""
BUS_LOST: Counter[str] = Counter()
"""The number of times that a pub/sub connection to the store was lost. The only key is ""."""
STORE_S = Histogram(_STORE_S)
"""The time in s from sending commands to the store to their replies."""
STORE_ERRORS: Counter[str] = Counter()
"""The number of failed requests to the store, by the `reason` of the `UnavailableError`."""
TAKEOVERS: Counter[str] = Counter()
"""The number of rooms whose media this worker took over from dead workers. The only key is ""."""
FIRST_PICTURE_S = Histogram(_PICTURE_S)
"""The time in s until a party's first picture is forwarded, measured from the moment when both parties have pressed
Start Session.
"""
ROUND_TRIP_S = Histogram(_FAST_S)
"""The round trips in s between the server and the parties of live calls, measured every two seconds."""
SENT_LOST, RECEIVED_LOST = Histogram(_SHARE), Histogram(_SHARE)
"""The shares (0 to 1) of lost packets in live calls: of the packets that parties sent, and of those sent to parties."""
LOOP_LAG_S = Histogram(_FAST_S)
"""How late in s a timer of the event loop runs, measured four times a second. A busy process has a high value."""


def decided(command: Command, outcome: Outcome) -> Outcome:
    """Count a command with its result, and return `outcome` unchanged."""
    COMMANDS[type(command).__name__, outcome.code if isinstance(outcome, Refusal) else "done"] += 1
    return outcome


def committed(before: Visit | None, after: Visit, event: Event) -> None:
    """Count a change of a visit that this worker has stored.

    `before` and `after`: the visit before and after the change; `before` is None if the change opened the visit.
    `event`: the event that describes the change.
    """
    if after.status is Status.ENDED and (before is None or before.is_open):
        ENDED[after.outcome or "none"] += 1
    elif event.kind == "claimed" and not after.returned:
        WAIT_S.observe((event.at_ms - after.arrived_ms) / 1000)


def shown(role: Role, before: Visit | None, after: Visit, now_ms: int) -> None:
    """Count the time from a claim until the message about it is sent to the patient's page. Called for each change of a
    visit that is sent to a person.

    `role`: the role of that person. `before`, `after`: the visit before and after the change. `now_ms`: the time in ms
    since 1970. Nothing is counted if the change is no claim, or the person is not the patient.
    """
    claimed_ms = after.claimed_ms
    if role is Role.PATIENT and claimed_ms and before is not None and before.claimed_ms != claimed_ms:
        CLAIM_TO_PAGE_S.observe(max(0, now_ms - claimed_ms) / 1000)


def measured(quality: PartyQuality) -> None:
    """Count one measurement of the quality of a party's call: round trip and lost packets."""
    if quality.rtt_ms is not None:
        ROUND_TRIP_S.observe(quality.rtt_ms / 1000)
    for kinds, lost in ((quality.sent, SENT_LOST), (quality.received, RECEIVED_LOST)):
        for kind in kinds.values():
            if kind.loss is not None:
                lost.observe(kind.loss)
