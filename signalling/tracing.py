"""Measures how long each part of a claim takes: one trace per claim, from the provider's socket to the patient's
socket, on all workers that take part.

`web/server/tracing.py` passes a `Tracer` if tracing is on; without a tracer, nothing of this module runs. A trace
consists of spans, which are its timed parts. A span has a name and times, and the first span of a claim also has the
result. Nothing in a trace is about a person, a visit or an organisation.
"""

from __future__ import annotations

import time
from typing import Protocol

from signalling.hub import Hub
from signalling.store.mirror import Change, Observer, Reset
from signalling.visit.record import Role, Visit

MOST = 1_000
"""The greatest number of traced claims that are remembered until their patients join the call. A further claim replaces
the oldest claim.
"""


class Span(Protocol):
    """A timed part of a trace, which has begun and has not ended yet."""

    @property
    def context(self) -> bytes:
        """Return the id of the trace (16 bytes), and then the id of this span (8 bytes)."""

    def end(self, result: str) -> None:
        """End the span now. `result`: the result of the traced claim, "done" or the code of its refusal."""


class Tracer(Protocol):
    """Makes spans. Each span except the first of a trace belongs to a parent, the span whose `Span.context` it names.

    Times are in ns since 1970.
    """

    def begin(self, name: str) -> Span | None:
        """Begin a trace now, and return its first span; None if the sample does not include this trace."""

    def add(self, name: str, parent: bytes, begun_ns: int, ended_ns: int) -> bytes:
        """Add a span that has already ended to a trace; return the context of this span.

        `name`: the name of the span. `parent`: the context of the span to which it belongs. `begun_ns`, `ended_ns`: its
        begin and its end, in ns since 1970.
        """


class ClaimTrace:
    """The trace of one claim that this worker carries out: the time that each part of the work has taken.

    It has the methods of `CommitTrace` (`store/event_stream.py`), which the commit of the claim calls.
    """

    __slots__ = ("_begun_ns", "_span", "_tracer")

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._begun_ns = time.time_ns()

    def decided(self) -> bytes:
        """Add the time of the decision to the trace; return the context that all workers get with the event."""
        self._add("decided")
        return self._span.context

    def committed(self, done: bool) -> None:
        """Add the time of the commit to the trace. `done`: False if nothing was written."""
        self._add("committed and published" if done else "not committed")

    def _add(self, name: str) -> None:
        """Add a span named `name`, from the end of the span before (or the beginning of the trace) until now."""
        now_ns = time.time_ns()
        self._tracer.add(name, self._span.context, self._begun_ns, now_ns)
        self._begun_ns = now_ns

    def end(self, result: str) -> None:
        """End the trace's first span. `result`: "done", or the code of the refusal."""
        self._span.end(result)


class ClaimTraces:
    """The traces of claims on one worker. It begins a trace when a provider of this worker claims, and continues a
    trace when a patient of this worker receives the claim.
    """

    def __init__(self, tracer: Tracer, hub: Hub, observers: list[Observer]) -> None:
        """Add an observer of changes before all observers in `observers`, and another observer after them.

        The observers between these two write each change to the sockets. So the time from the first observer to the
        last observer is the time of writing. `tracer`: makes the parts of traces. `hub`: has the sockets.
        """
        self._tracer = tracer
        self._hub = hub
        self._begun_ns = 0
        self._delivered: dict[str, tuple[bytes, int]] = {}
        observers.insert(0, self._before_sockets)
        observers.append(self._after_sockets)

    def begin(self) -> ClaimTrace | None:
        """Begin and return the trace of a claim that was received now. Return None if the sample does not include this
        claim.
        """
        span = self._tracer.begin("claim")
        return None if span is None else ClaimTrace(self._tracer, span)

    def _before_sockets(self, _: Change | Reset) -> None:
        self._begun_ns = time.time_ns()

    def _after_sockets(self, news: Change | Reset) -> None:
        if not isinstance(news, Change) or not isinstance(news.after, Visit):
            return
        visit, begun_ns, now_ns = news.after, self._begun_ns, time.time_ns()
        if visit.claimant is None or not visit.is_open:
            self._delivered.pop(visit.id, None)
        if news.trace is None:
            return
        context = self._tracer.add("event received", news.trace, begun_ns, now_ns)
        subscribers = self._hub.subscribers(f"{news.organisation}/visit/{visit.id}")
        if any(socket.actor.role is Role.PATIENT for socket in subscribers):
            context = self._tracer.add("delivered to the patient", context, begun_ns, now_ns)
            if len(self._delivered) >= MOST:
                del self._delivered[next(iter(self._delivered))]
            self._delivered[visit.id] = context, now_ns

    def pulled_in(self, visit: str) -> None:
        """Add a span to the trace of a visit's claim: from the delivery of the claim until now, when the patient's page
        joins the call.

        Each traced claim gets this span once. Does nothing if this worker has delivered no traced claim to the visit's
        patient.
        """
        delivered = self._delivered.pop(visit, None)
        if delivered is not None:
            self._tracer.add("pulled in", *delivered, time.time_ns())
