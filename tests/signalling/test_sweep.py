"""Tests the sweep (periodic work) with deadlines that lead to nothing: no visit, an unreadable visit, or nothing due
yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.records import Store
from signalling.visit.record import Actor, Status, Visit
from signalling.visit.relations import Event
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.sockets.test_presence import record
from tests.signalling.waits import until

MANY = 200
"""The number of visits with passed deadlines that the sweep reads at a time."""

AWAY_MS = 3_600_000


async def left_over(opened: Clinic, redis: Redis, kind: str) -> list[str]:
    """Make MANY visits that the list of deadlines will name although nothing can be done; return their ids. `kind`:
    "gone", "unreadable" or "not due".
    """
    if kind == "gone":
        return [f"v_gone{number}" for number in range(MANY)]
    patients = await asyncio.gather(*(opened.arrive() for _ in range(MANY)))
    names = [patient.visit for patient in patients if patient.visit is not None]
    if kind == "unreadable":
        for name in names:
            await redis.hset(keys.VISIT(ORG, name), "record", b"bytes of a key that is gone")
    return names


async def go_away(store: Store, visit_id: str, now_ms: int) -> None:
    """Change the record of a visit so that, at `now_ms`, its patient has been away for exactly as long as a waiting
    patient may be.
    """
    visit, _ = await store.load(ORG, Visit, visit_id)
    assert visit is not None
    away = replace(visit.parties["patient"], away_since_ms=now_ms - AWAY_MS)
    visit = replace(visit, version=visit.version + 1, parties={"patient": away})
    left = Event("left", now_ms)
    assert await store.commit(ORG, visit, left, index_score=visit.arrived_ms, deadline_ms=now_ms)


@pytest.mark.parametrize("kind", ["gone", "unreadable", "not due"])
async def test_two_hundred_deadlines_that_lead_to_nothing_delay_no_other(valkey: Redis, kind: str) -> None:
    async with clinic(valkey, workers=1, away_expiry_ms=AWAY_MS) as opened:
        stale = await left_over(opened, valkey, kind)
        late = await opened.arrive()
        assert late.visit is not None
        key, service = keys.DEADLINES(ORG), opened.workers[0].service
        now_ms = service.store.clock_ms()
        await valkey.zadd(key, dict.fromkeys(stale, now_ms - 60_000))
        await go_away(service.store, late.visit, now_ms)

        async def expired() -> bool:
            visit, _ = await service.store.load(ORG, Visit, late.visit or "")
            return visit is not None and visit.status is Status.ENDED

        await until(expired)
        assert await valkey.zcount(key, "-inf", now_ms) == 0, "what leads to nothing is not read again"
        if kind == "not due":
            assert await valkey.zcount(key, now_ms + AWAY_MS // 2, "+inf") == MANY, "and is kept until it is"


async def test_a_stream_gets_the_identity_of_its_store_and_a_new_epoch_in_another(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.sweep.PERIOD_S", 0.02)
    async with clinic(valkey, workers=1) as opened:
        await opened.arrive()
        stream = opened.workers[0].service.store.stream
        before, (identity,) = await stream.head(ORG), await stream.identities([ORG])

        async def owned() -> bool:
            return (await stream.head(ORG)).store == identity

        await until(owned)
        assert (await stream.head(ORG)).epoch == before.epoch
        await valkey.hset(keys.HEAD(ORG), "store", "another")
        await until(owned)
        assert (await stream.head(ORG)).epoch != before.epoch


async def test_an_organisation_that_is_no_longer_listed_is_not_swept(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.sweep.PERIOD_S", 0.02)
    async with clinic(valkey, workers=1, away_expiry_ms=AWAY_MS) as opened:
        late, service, rounds = await opened.arrive(), opened.workers[0].service, list[str]()

        async def none() -> list[str]:
            rounds.append("begun")
            return []

        async def status() -> Status:
            return (await record(opened, late)).status

        with monkeypatch.context() as patch:
            patch.setattr(service.organisations, "list", none)
            await until(lambda: len(rounds) > 1)
            await go_away(service.store, late.visit or "", service.store.clock_ms())
            begun = len(rounds)
            await until(lambda: len(rounds) > begun + 2)
            assert await status() is Status.QUEUED
        await until(lambda: ended(status))


async def ended(status: Callable[[], Awaitable[Status]]) -> bool:
    """Return True if the visit has ended by now. `status`: returns its status."""
    return await status() is Status.ENDED


async def away_too_long(opened: Clinic) -> Actor:
    """Return a patient who has been away for AWAY_MS, so that a sweep must end the visit now."""
    late, store = await opened.arrive(), opened.workers[0].service.store
    await go_away(store, late.visit or "", store.clock_ms())
    return late


async def ended_by_sweep(opened: Clinic, patient: Actor) -> bool:
    """Return True if the patient's visit has ended by now."""
    return (await record(opened, patient)).status is Status.ENDED


async def test_a_worker_that_lost_the_last_event_of_an_organisation_of_others_shows_it_soon(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.sweep.PERIOD_S", 0.02)
    monkeypatch.setattr("signalling.sweep.ELSEWHERE_S", 0.2)
    async with clinic(valkey) as two:
        one, other = two.workers
        monkeypatch.setattr(other.shares, "has", lambda organisation: False)
        mirror = await other.service.mirrors.get(ORG)
        other.bus._handlers[keys.EVENTS(ORG).encode()] = lambda data: None
        await two.arrive()
        seq = (await one.service.store.stream.head(ORG)).seq
        await until(lambda: mirror.seq >= seq)


async def test_staff_count_as_present_until_they_close_their_last_page(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.sweep.PERIOD_S", 0.02)
    monkeypatch.setattr("signalling.sweep.HERE_S", 3600.0)
    async with clinic(valkey, workers=1) as one:
        provider = one.provider()
        client = await one.connect(provider)

        async def seen() -> float | None:
            return await valkey.zscore(keys.HERE(ORG), provider.id)

        async def was_seen() -> bool:
            return await seen() is not None

        await until(was_seen)
        opened_ms = await seen()
        await asyncio.sleep(0.1)
        assert await seen() == opened_ms, "it is not written at each sweep"
        await client.send({"type": "bye", "id": 9})

        async def left() -> bool:
            return await seen() != opened_ms

        await until(left)
