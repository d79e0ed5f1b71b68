"""Tests that the trace of a claim (the times of all its steps) has the steps on every worker that takes part.

This release and earlier releases, which have no traces, can read each other's events.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest
from redis.asyncio import Redis

from signalling import tracing
from signalling.errors import RequestError
from signalling.store.event_stream import StreamEntry, decode_entry
from tests.otlp import Received, receiver
from tests.signalling.clinic import ANA, ORG, Clinic, clinic
from web.config import Tracing
from web.server.open_telemetry import RESULT, OpenTelemetry

HERE, THERE = "w0", "w1"


async def claimed(two: Clinic) -> str:
    """Let a provider on the first worker claim a visit whose patient is on the second; return the visit's id.

    A second provider is refused. The patient's page joins the call.
    """
    patient = await two.arrive(1)
    visit = patient.visit or ""
    page = await two.connect(patient, 1)
    await page.request("subscribe", topic=f"visit/{visit}")
    await page.request("visit.enter", visit=visit)
    first, second = await two.on_call(two.provider()), await two.on_call(two.provider("Dr J. Lind"))
    await first.request("visit.claim", visit=visit)
    await page.expect("visit.state", lambda message: message["visit"]["status"] == "claimed")
    await page.request("media.join", visit=visit)
    with pytest.raises(RequestError, match="already_claimed"):
        await second.request("visit.claim", visit=visit)
    return visit


async def test_a_claim_is_one_trace_from_socket_to_socket_over_both_workers(valkey: Redis) -> None:
    async with receiver() as received:
        tracers = [OpenTelemetry(Tracing(endpoint=received.endpoint), worker) for worker in (HERE, THERE)]
        async with clinic(valkey, tracers=dict(enumerate(tracers))) as two:
            visit = await claimed(two)
        for tracer in tracers:
            await asyncio.to_thread(tracer.provider.shutdown)
        spans = {span.id: span for span in received.spans()}
    claims = {span.attributes[RESULT]: span for span in spans.values() if span.name == "claim"}
    assert claims.keys() == {"done", "already_claimed"}

    def shown(span: Received) -> tuple[str, str, str]:
        parent = spans.get(span.parent)
        return span.name, span.worker, "" if parent is None else parent.name

    of_claim = [span for span in spans.values() if span.trace == claims["done"].trace]
    assert Counter(map(shown, of_claim)) == Counter(
        [
            ("claim", HERE, ""),
            ("decided", HERE, "claim"),
            ("committed and published", HERE, "claim"),
            ("event received", HERE, "claim"),
            ("event received", THERE, "claim"),
            ("delivered to the patient", THERE, "event received"),
            ("pulled in", THERE, "delivered to the patient"),
        ]
    )
    assert len(spans) == len(of_claim) + 1, "a refused claim has one span, and nothing else has any"
    assert all(span.begun_ns <= span.ended_ns for span in spans.values())
    assert all(not span.attributes for span in spans.values() if span.name != "claim")
    sent = b"".join(received.bodies)
    assert not [text for text in (visit, ORG, ANA.name, "u_osei", "Osei") if text.encode() in sent]


class Kept:
    """A tracer that keeps the names of its spans (timed parts of a trace)."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def begin(self, name: str) -> None:
        """Keep the name of a span, and return None, as if the claim were not in the sample of traced claims."""
        self.names.append(name)

    def add(self, name: str, parent: bytes, begun_ns: int, ended_ns: int) -> bytes:
        """Keep the name of a span, and ignore its times; return the context of its parent."""
        self.names.append(name)
        return parent


async def test_a_claim_that_is_not_one_of_the_sample_has_no_spans_on_any_worker(valkey: Redis) -> None:
    here, there = Kept(), Kept()
    async with clinic(valkey, tracers={0: here, 1: there}) as two:
        await claimed(two)
    assert (here.names, there.names) == (["claim", "claim"], [])


async def test_claims_whose_patients_never_join_are_forgotten(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "MOST", 1)
    async with receiver() as received:
        tracer = OpenTelemetry(Tracing(endpoint=received.endpoint), HERE)
        async with clinic(valkey, 1, tracers={0: tracer}) as one:
            traces = one.workers[0].services.traces
            assert traces is not None
            provider = await one.on_call(one.provider())
            visits = []
            for _ in range(2):
                patient = await one.arrive()
                page = await one.connect(patient)
                visits.append(patient.visit or "")
                await page.request("subscribe", topic=f"visit/{visits[-1]}")
                await provider.request("visit.claim", visit=visits[-1])
            assert list(traces._delivered) == visits[1:], "the oldest is forgotten"
            await provider.request("visit.release", visit=visits[1])
            assert not traces._delivered, "a visit without a claimant has no page to wait for"
        await asyncio.to_thread(tracer.provider.shutdown)


class EntryOfBefore(msgspec.Struct, frozen=True, array_like=True):
    """An entry of the event stream in the form of earlier releases, which have no traces."""

    what: str
    member: str
    version: int
    kind: str
    at_ms: int
    record: bytes
    notices: tuple[tuple[str, bytes], ...] = ()


def test_entries_without_a_trace_are_read_and_earlier_releases_read_those_with_one() -> None:
    encode = msgspec.msgpack.encode
    before = EntryOfBefore("visit", "v_1", 3, "claimed", 1, b"sealed", (("u_1", b"notice"),))
    now = decode_entry(encode(before))
    assert now == StreamEntry("visit", "v_1", 3, "claimed", 1, b"sealed", (("u_1", b"notice"),), None)
    assert len(encode(now)) == len(encode(before)) + 1, "without a trace the field takes a byte"
    traced = msgspec.structs.replace(now, trace=bytes(24))
    assert decode_entry(encode(traced)) == traced
    assert msgspec.msgpack.decode(encode(traced), type=EntryOfBefore) == before
