"""Records a history: the commands of people, their answers, the store's events and the workers' rooms.

Pure: reads no clock and no store. Times are `time.time()` in s; `seen_s` is the time at which the test received the
store's event. `checks.py` judges the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from signalling.visit.record import Actor, Record, Visit
from signalling.visit.relations import Event

# the time in s within which a worker, after its own fault, must give up what others have taken over
NOTICE_S = 3.0
CHAIN = (
    # sockets of one connection are counted within a thousand; a new connection continues at the next thousand
    1000
)


@dataclass(slots=True)
class Request:
    """A command of a person, sent on socket number `generation` of their connection, and its answer.

    `answer` is "done", an error's code, or "unknown" if there was none; `version` belongs to "done".
    """

    number: int
    person: str
    visit: str | None
    request: str
    fields: Mapping[str, Any]
    generation: int
    sent_s: float
    answered_s: float | None = None
    answer: str = "unknown"
    version: int = 0

    @property
    def refused(self) -> bool:
        """True if the server answered that it changed nothing."""
        return self.answer not in ("done", "unknown", "unavailable")


class Commit(NamedTuple):
    """An event of the organisation's stream, with its record."""

    seq: int
    seen_s: float
    kind: str
    at_ms: int
    record: Record


class Held(NamedTuple):
    """A sample: the rooms that a worker carries at a time, and whether their gates are open."""

    worker: str
    at_s: float
    rooms: Mapping[str, bool]


class Outage(NamedTuple):
    """A time in which a worker was stopped or could not reach the store."""

    worker: str
    from_s: float
    until_s: float


class Saw(NamedTuple):
    """The owner of a visit on a person's screen at a version."""

    person: str
    visit: str
    version: int
    claimant: str | None
    at_s: float


class Wrong(NamedTuple):
    """A screen that still differs from the store this time in s after the last fault."""

    person: str
    topic: str
    shown: str
    stored: str
    at_s: float


@dataclass
class History:
    """All records of one story."""

    people: dict[str, Actor] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    saw: list[Saw] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    twice: list[tuple[float, str]] = field(default_factory=list)
    finals: dict[str, Visit | None] = field(default_factory=dict)
    stories: dict[str, list[Event]] = field(default_factory=dict)
