"""The sweep beside deadlines that lead to nothing: no visit, one that cannot be read, one that is not due."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.records import Store
from signalling.visit.record import Status, Visit
from signalling.visit.relations import Event
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.waits import until

MANY = 200
"""As many due visits as the sweep reads at a time."""

AWAY_MS = 3_600_000


async def left_over(opened: Clinic, redis: Redis, kind: str) -> list[str]:
    """Make visits with a deadline that has passed although nothing is due; return their ids."""
    if kind == "gone":
        return [f"v_gone{number}" for number in range(MANY)]
    patients = await asyncio.gather(*(opened.arrive() for _ in range(MANY)))
    names = [patient.visit for patient in patients if patient.visit is not None]
    if kind == "unreadable":
        for name in names:
            await redis.hset(keys.VISIT(ORG, name), "record", b"bytes of a key that is gone")
    return names


async def go_away(store: Store, visit_id: str, now_ms: int) -> None:
    """Have the patient of a visit be away for exactly as long as a waiting patient may be."""
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

        await until(expired, 10)
        assert await valkey.zcount(key, "-inf", now_ms) == 0, "what leads to nothing is not read again"
        if kind == "not due":
            assert await valkey.zcount(key, now_ms + AWAY_MS // 2, "+inf") == MANY, "and is kept until it is"
