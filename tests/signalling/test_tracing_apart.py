"""Tests which spans (timed parts) the trace of a claim has, and their times, without a store or sockets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling import tracing
from signalling.store.mirror import Change, Reset
from signalling.tracing import MOST, ClaimTraces
from signalling.visit.record import Actor, Staff, Visit
from tests.signalling import visits
from tests.signalling.visits import ORG


class Spans:
    """A tracer that keeps (name, parent, begin, end) of each span. `sampled`: False leaves all claims out."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, bytes, int, int]] = []
        self.results: list[str] = []
        self.sampled = True

    def begin(self, name: str) -> Any:
        assert name == "claim"
        return SimpleNamespace(context=b"first", end=self.results.append) if self.sampled else None

    def add(self, name: str, parent: bytes, begun_ns: int, ended_ns: int) -> bytes:
        self.parts.append((name, parent, begun_ns, ended_ns))
        return name.encode()


class Apart:
    """The traces of one worker. `now_ns`: the time. `subscribed`: who is subscribed to the visit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns, self.spans, self.subscribed = 0, Spans(), [visits.PATIENT]
        monkeypatch.setattr(tracing, "time", SimpleNamespace(time_ns=lambda: self.now_ns))
        self.observers: list[Any] = [self._sockets]
        hub: Any = SimpleNamespace(subscribers=self._subscribers)
        self.traces = ClaimTraces(self.spans, hub, self.observers)

    def _subscribers(self, topic: str) -> list[Any]:
        assert topic.startswith(f"{ORG}/visit/v_")
        return [SimpleNamespace(actor=actor) for actor in self.subscribed]

    def _sockets(self, news: Any) -> None:
        self.now_ns += 5

    def news(self, after: Visit | Staff | None, trace: bytes | None = b"trace") -> None:
        """Inform the observers that a record has changed to `after`, or of a reset if `after` is None."""
        news = Reset(ORG) if after is None else Change(ORG, 1, "claimed", None, after, trace=trace)
        for observer in self.observers:
            observer(news)


def test_a_claim_is_traced_from_its_request_to_its_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = Apart(monkeypatch)
    apart.now_ns = 10
    trace = apart.traces.begin()
    assert trace is not None
    apart.now_ns = 20
    assert trace.decided() == b"first"
    for apart.now_ns, done in ((30, False), (40, True)):
        trace.committed(done)
    trace.end("done")
    assert apart.spans.parts == [
        ("decided", b"first", 10, 20),
        ("not committed", b"first", 20, 30),
        ("committed and published", b"first", 30, 40),
    ]
    assert apart.spans.results == ["done"]
    apart.spans.sampled = False
    assert apart.traces.begin() is None


@pytest.mark.parametrize(
    ("subscribed", "delivered"),
    [
        ([visits.PATIENT], True),
        ([visits.CLAIMANT, visits.PATIENT], True),
        ([visits.CLAIMANT], False),
        ([], False),
    ],
)
def test_a_claim_is_delivered_when_the_patients_socket_was_written(
    subscribed: list[Actor], delivered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = Apart(monkeypatch)
    apart.subscribed, apart.now_ns = subscribed, 100
    apart.news(visits.claimed())
    apart.now_ns = 200
    for _ in range(2):
        apart.traces.pulled_in("v_1")
    assert (
        apart.spans.parts
        == [
            ("event received", b"trace", 100, 105),
            ("delivered to the patient", b"event received", 100, 105),
            ("pulled in", b"delivered to the patient", 105, 200),
        ][: 3 if delivered else 1]
    )


def test_only_changes_of_visits_with_a_trace_have_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    apart = Apart(monkeypatch)
    apart.news(visits.claimed(), None)
    apart.news(Staff(id="u_1", name="", role=visits.ADMIN.role))
    apart.news(None)
    assert apart.spans.parts == []


@pytest.mark.parametrize(
    ("after", "waits"), [(visits.queued(), False), (visits.ended(), False), (visits.live(), True)]
)
def test_a_claim_waits_for_the_patients_page_while_the_visit_is_claimed(
    after: Visit, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = Apart(monkeypatch)
    apart.news(visits.claimed())
    apart.news(after, None)
    assert list(apart.traces._delivered) == ["v_1"] * waits


def test_a_thousand_claims_wait_for_their_pages_and_the_oldest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = Apart(monkeypatch)
    for number in range(MOST + 1):
        apart.news(replace(visits.claimed(), id=f"v_{number}"))
        assert len(apart.traces._delivered) == min(number + 1, 1000)
    assert next(iter(apart.traces._delivered)) == "v_1"
