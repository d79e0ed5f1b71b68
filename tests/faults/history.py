"""The records of a story (random commands with faults): people's commands and their answers, the store's events, the
workers' rooms.

The module reads no clock and no store. Times are `time.time()` in s; `seen_s` is the time at which the test received
the store's event. `checks.py` judges the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from signalling.visit.record import Actor, Policy, Record, Visit
from signalling.visit.relations import Event
from signalling.visit.setup_guide import Guide

# After a worker was frozen or cut off, other workers may have taken over its rooms and connections. The worker must
# give these up within this time in s.
NOTICE_S = 3.0


class Rules(NamedTuple):
    """The limits and the setup guide of the organisation, which the rules of visits need (`decide`), and times in s.

    `lag_s`: by how much samples and events may be late. `overlap_s`: how long two workers may carry a room, while one
    takes it over. `gate_s`: how long media may pass after the visit is no longer live. `notice_s`: see NOTICE_S.
    """

    policy: Policy
    guide: Guide
    lag_s: float = 0.5
    overlap_s: float = 0.2
    gate_s: float = 1.0
    notice_s: float = NOTICE_S


CHAIN = (
    # The numbers of a connection's sockets begin at a multiple of this number; a new connection gets the next multiple.
    1000
)


@dataclass(slots=True)
class Request:
    """A command that a person sent, and its answer. `generation`: the number of the socket, which grows with each new
    socket.

    `answer` is "done", an error's code, or "unknown" if no answer came. `version`: the version of the visit's topic in
    the answer "done".
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
        """Return True if the answer is an error by which the server reports that it has changed nothing."""
        return self.answer not in ("done", "unknown", "unavailable")


class Commit(NamedTuple):
    """An event of the organisation's stream, with the record that it changed. `seq`: its number in the stream; `at_ms`:
    the store's time of the event.
    """

    seq: int
    seen_s: float
    kind: str
    at_ms: int
    record: Record


class Held(NamedTuple):
    """A sample of a worker at the time `at_s`: visit whose room it carries -> True if the gate is open (media may
    pass).
    """

    worker: str
    at_s: float
    rooms: Mapping[str, bool]


class Outage(NamedTuple):
    """A period in which a worker was stopped, or could not reach the store."""

    worker: str
    from_s: float
    until_s: float


class Saw(NamedTuple):
    """The claimant of a visit that a person's screen showed (None if it showed none), and the version that the
    screen showed.
    """

    person: str
    visit: str
    version: int
    claimant: str | None
    at_s: float


class Wrong(NamedTuple):
    """A screen that still differed from the store SHOWN_S after the last fault: what the screen showed, and what the
    store had.
    """

    person: str
    topic: str
    shown: str
    stored: str
    at_s: float


@dataclass
class History:
    """All records of one story (random commands with faults).

    `twice`: requests that were answered twice. `finals`: visit -> its record at the end of the story.
    `stories`: visit -> its events.
    """

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
