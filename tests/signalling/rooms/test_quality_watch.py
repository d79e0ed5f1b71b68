"""Tests the quality of a call: the relay measures it, the history shows it, and the counts of two workers are added."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from media import KindQuality, Quality
from media.peers.aiortc_peer import SyntheticParty
from signalling.clients.client import SignallingClient
from signalling.protocol import views
from signalling.rooms import quality_watch
from signalling.rooms.participants import Participant, Room
from signalling.rooms.quality_watch import CallWatch, calls_of
from signalling.rooms.worker_messages import Member
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit import call_quality as t
from signalling.visit.record import Actor
from tests.limits import WAIT_S
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.rooms.calls import both, join, start
from tests.signalling.waits import until


async def sit(client: SignallingClient, patient: Actor, peer: SyntheticParty) -> None:
    """Join the call of the patient's visit, answer the offer by `peer`, and return when `peer` is connected."""
    offer = await join(client, patient)
    sdp = await peer.answer(offer["sdp"])
    await client.request("media.answer", visit=patient.visit, offer=offer["offer"], sdp=sdp)
    await peer.wait_connected(WAIT_S)


@asynccontextmanager
async def call(open_: Clinic) -> AsyncIterator[tuple[Actor, SignallingClient, SignallingClient]]:
    """Yield a live call of two in which media flows: (the patient, the patient's client, the provider's client)."""
    for worker in open_.workers:
        worker.rooms.calls.look_s = 0.05
    patient, their, provider = await both(open_, 1, 0)
    peers = SyntheticParty(), SyntheticParty()
    for client, peer in zip((their, provider), peers, strict=True):
        await sit(client, patient, peer)
        peer.start()
    await start(patient, their, provider)
    for peer in peers:
        await peer.wait_for(lambda peer=peer: peer.pictures_decoded > 2, WAIT_S)  # type: ignore[misc]
    yield patient, their, provider
    for peer in peers:
        await peer.close()


async def calls(client: SignallingClient, patient: Actor, parties: int) -> dict[str, dict[str, object]]:
    """Return party -> the quality of its call, from the visit's history, as soon as the history has this number of
    parties.
    """
    async with asyncio.timeout(WAIT_S):
        while True:
            found = (await client.request("visit.history", visit=patient.visit))["calls"]
            if len(found) == parties:
                return {each["party"]: each for each in found}
            await asyncio.sleep(0.02)


async def test_a_calls_quality_is_in_the_visits_history_after_its_end(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_watch, "KEEP_S", 3600.0)
    began_s = time.monotonic()
    async with clinic(valkey) as two, call(two) as (patient, _, provider):
        assert (await provider.request("visit.history", visit=patient.visit))["calls"] == []
        owner = next(w for w in two.workers if w.rooms._rooms)
        room = owner.rooms._rooms[f"{patient.visit}"]
        await until(lambda: [t.PICTURE in tally.seen for tally in room.tallies.values()] == [True] * 2)
        await provider.request("visit.end", visit=patient.visit)
        found = await calls(provider, patient, 2)
        assert found["patient"]["name"] == "Ana Ruiz"
        assert found["provider"]["name"] == "Dr M. Osei"
        for each in found.values():
            assert 0 < each["connected_ms"] < 1000 * (time.monotonic() - began_s)  # type: ignore[operator]
            assert each["interruptions"] == 0
            assert each["picture_kbps"]["usual"] >= 1  # type: ignore[index]
        for sealed in await valkey.hvals(keys.CALLS(ORG, f"{patient.visit}")):
            assert b"Ana" not in sealed
            assert b"seen" not in sealed


async def test_the_quality_is_stored_at_intervals_and_when_the_visit_returns_to_the_queue(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two, call(two) as (patient, _, provider):
        owner = next(w for w in two.workers if w.rooms._rooms)
        owner.rooms._rooms[f"{patient.visit}"].kept_s = -1000.0
        assert set(await calls(provider, patient, 2)) == {"patient", "provider"}
        await valkey.delete(keys.CALLS(ORG, f"{patient.visit}"))
        await provider.request("visit.release", visit=patient.visit)
        assert set(await calls(provider, patient, 2)) == {"patient", "provider"}


async def test_a_call_taken_over_by_another_worker_is_one_call_with_an_interruption(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two, call(two) as (patient, their, provider):
        owner = next(w for w in two.workers if w.rooms._rooms)
        room = owner.rooms._rooms[f"{patient.visit}"]
        peer = SyntheticParty()
        await sit(their, patient, peer)  # a reload of the page: the first connection ends

        def interruptions() -> dict[str, int]:
            return {party: tally.interruptions for (party, _), tally in room.tallies.items()}

        await until(lambda: interruptions() == {"patient": 1, "provider": 0})
        before = room.tallies["provider", "Dr M. Osei"].connected_ms
        await two.workers[0].drain()
        found = await calls(provider, patient, 2) if provider.welcome["worker"] != owner.id else None
        if found is None:
            back = await two.connect(two.provider(), 1)
            found = await calls(back, patient, 2)
        assert found["patient"]["interruptions"] == 1
        assert found["provider"]["connected_ms"] >= round(before)  # type: ignore[operator]
        await peer.close()


def quality(loss: float | None, rtt_ms: float | None, kbps: float) -> Quality:
    """Return the quality of a party, with the same loss in both directions.

    `loss`: from 0 to 1; None: not measured. `rtt_ms`: the round-trip time. `kbps`: the bit rate in kbit/s.
    """
    silent = KindQuality(0.0, None, None)
    picture = KindQuality(kbps, loss, None)
    return Quality(rtt_ms, {"audio": silent, "video": picture}, {"audio": silent, "video": picture})


@pytest.mark.parametrize(("passed_s", "kept_ms"), [(3.0, [3000.0]), (0.00125, [1.25]), (0.0005, [])])
async def test_the_time_since_the_last_look_counts_when_a_room_is_given_up(
    passed_s: float, kept_ms: list[float], valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(quality_watch, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    store = Store(valkey, Seal({b"1": b"k" * 32}))
    await store.redis.hset(keys.VISIT(ORG, "v_1"), "record", "sealed")
    watch = CallWatch({}, store, asyncio.ensure_future)
    leg: Any = SimpleNamespace(connected=True, quality=lambda: quality(None, None, 0.0))
    member = Member(ORG, "v_1", "patient", "patient:v_1", "c1", "w1", "json")
    room = Room(ORG, SimpleNamespace(), 7, {})
    room.participants["patient"] = Participant(member, leg, 0)
    watch.talking(room, {"patient": "Ana Ruiz"})
    clock.now_s += passed_s
    await watch.finish("v_1", room)
    found = [tally.connected_ms for tally in await calls_of(store, ORG, "v_1")]
    assert found == pytest.approx(kept_ms), "the time of a connection that has only just begun is not kept"
    assert room.talking == {}


async def test_only_rooms_with_a_live_visit_are_measured(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = {f"v_{number}": Room(ORG, SimpleNamespace(), number, {}) for number in range(3)}
    watch = CallWatch(rooms, Store(valkey, Seal({b"1": b"k" * 32})), asyncio.ensure_future)
    watch.look_s = 0.001
    watch.talking(rooms["v_1"], {"patient": "Ana Ruiz"})
    looked: list[Room] = []
    monkeypatch.setattr(watch, "look", looked.append)
    await until(lambda: len(looked) > 3)
    assert {id(room) for room in looked} == {id(rooms["v_1"])}
    watch.talking(rooms["v_1"], {})


def test_the_round_trip_is_the_median_and_the_loss_is_the_total_loss() -> None:
    tally = t.Tally(party="patient", name="Ana Ruiz", connected_ms=60_000)
    for second in range(20):
        tally.take(quality(0.2 if second == 0 else 0.0, 300 if second < 2 else 42.4, 800))
    found = views.call(tally)
    assert found.heard_lost is not None
    assert found.heard_lost.usual == 1.0, "one second in twenty lost a fifth"
    assert found.round_trip_ms is not None
    assert (found.round_trip_ms.usual, found.round_trip_ms.worse) == (42, 300)
    assert found.picture_kbps is not None
    assert found.picture_kbps.usual == 800


def test_unknown_figures_and_parties_that_never_connected_are_left_out() -> None:
    tally = t.Tally(party="patient", name="Ana Ruiz", connected_ms=1000)
    tally.take(quality(None, None, 0.0))
    found = views.call(tally)
    assert (found.heard_lost, found.sent_lost, found.round_trip_ms, found.picture_kbps) == (None,) * 4
    assert t.merged([t.Tally(party="provider", name="Dr Osei")]) == []


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_tally_stays_small_and_its_median_is_right_to_two_digits(values: list[float]) -> None:
    seen: dict[int, int] = {}
    for value in values:
        digits = t.two_digits(value)
        seen[digits] = seen.get(digits, 0) + 1
        assert abs(digits - value) <= max(0.51, 0.0525 * value)
    assert len(seen) <= 100 + 90 * 4 + 1
    median = sorted(values)[(len(values) - 1) // 2]
    assert t.percentile(seen, 50) == t.two_digits(median)


def test_the_tallies_of_a_calls_parts_add_up() -> None:
    parts = [t.Tally(party="patient", name="Ana Ruiz", connected_ms=1000, interruptions=1) for _ in range(3)]
    for part in parts:
        part.take(quality(0.1, 20, 500))
    (whole,) = t.merged(parts)
    assert (whole.connected_ms, whole.interruptions) == (3000, 3)
    assert whole.seen[t.ROUND_TRIP] == {20: 3}
    assert parts[0].seen[t.ROUND_TRIP] == {20: 1}, "nothing is counted twice the next time"
