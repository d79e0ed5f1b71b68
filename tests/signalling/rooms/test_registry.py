"""Tests that reports in the store decide which worker gets a new room, and that this worker then carries it."""

from __future__ import annotations

import msgspec
import pytest
from redis.asyncio import Redis

from signalling import counts
from signalling.errors import RequestError
from signalling.rooms.liveness import death_of
from signalling.rooms.placement import Place
from signalling.rooms.registry import FRESH_MS, Registry
from signalling.store import keys
from signalling.worker import Limits, Worker
from tests.signalling.clinic import clinic
from tests.signalling.rooms.calls import both, gates, join, owner_of, start
from tests.signalling.sockets.test_presence import record
from tests.signalling.waits import until


async def register(valkey: Redis, worker: Worker, rooms: int, old_ms: int = -600_000, **more: object) -> None:
    """Write a report (`Place`) of `worker`, with this number of rooms, into the store. It is dated `old_ms` ago.

    By default it is dated ten minutes ahead, so that it stays new during the test. `more`: other fields of `Place`.
    """
    at_ms = worker.service.clock_ms() - old_ms
    data = msgspec.convert({"worker": worker.id, "at_ms": at_ms, "rooms": rooms, **more}, Place)
    await valkey.zadd(keys.REPORTS(), {msgspec.msgpack.encode(data): at_ms})
    await valkey.pexpire(keys.REPORTS(), 600_000)


async def test_a_room_is_carried_by_the_least_loaded_worker_and_its_call_works_from_another(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        one, other = two.workers
        await register(valkey, one, rooms=1)
        await register(valkey, other, rooms=0)
        patient, their, provider = await both(two, 0, 0)
        await join(their, patient)
        assert await owner_of(valkey, patient) == other.id
        await join(provider, patient)
        await start(patient, provider, their)
        await until(lambda: gates(two, patient) == [True])
        assert not one.rooms._rooms


async def test_a_worker_that_has_died_or_reported_long_ago_or_drains_gets_no_room(valkey: Redis) -> None:
    async with clinic(valkey, workers=4) as four:
        one, dead, old, draining = four.workers
        await register(valkey, one, rooms=9)
        await register(valkey, dead, rooms=0)
        await register(valkey, old, rooms=0, old_ms=FRESH_MS + 1)
        await register(valkey, draining, rooms=0, draining=True)
        for command in death_of(dead.id):
            await valkey.execute_command(*command)  # type: ignore[no-untyped-call]
        patient, their, _ = await both(four, 0, 0)
        await join(their, patient)
        assert await owner_of(valkey, patient) == one.id


async def test_rooms_placed_since_the_last_report_count(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.rooms.registry.FRESH_MS", 600_000)
    async with clinic(valkey) as two:
        one, other = two.workers
        registry = one.memberships._registry
        await register(valkey, one, rooms=2, old_ms=60_000)
        await register(valkey, other, rooms=0, old_ms=60_000)
        chosen = [await registry.choose([]) for _ in range(6)]
        assert chosen == [other.id, other.id, one.id, other.id, one.id, other.id]


async def test_r40_the_limit_of_rooms_stays_while_no_worker_that_takes_rooms_has_reported(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, places = [0], Registry.places

    async def counted(registry: Registry) -> list[Place]:
        found = await places(registry)
        looks[0] += 1
        return found

    monkeypatch.setattr(Registry, "places", counted)
    monkeypatch.setattr("signalling.rooms.registry.EVERY_S", 0.01)
    async with clinic(valkey, workers=1, limits=Limits(rooms_max=3)) as opened:
        (worker,) = opened.workers
        await until(lambda: looks[0] >= 2)
        assert worker.service.rooms_left() is None
        await register(valkey, worker, rooms=0, rooms_max=3)
        await until(lambda: worker.service.rooms_left() == 3)
        await valkey.delete(keys.REPORTS())
        await register(valkey, worker, rooms=0, rooms_max=3, draining=True)
        seen = looks[0]
        await until(lambda: looks[0] >= seen + 2)
        assert worker.service.rooms_left() == 3


async def test_r40_a_claim_is_refused_while_all_workers_are_full_and_the_patient_keeps_the_place(
    valkey: Redis,
) -> None:
    async with clinic(valkey, limits=Limits(rooms_max=1)) as two:
        one, other = two.workers
        waiting = [await two.arrive() for _ in range(3)]
        provider = await two.on_call(two.provider())
        await register(valkey, one, rooms=0, rooms_max=1)
        await register(valkey, other, rooms=0, rooms_max=1, draining=True)
        await until(lambda: one.service.rooms_left() == 1)
        await provider.request("visit.claim", visit=waiting[0].visit)
        refusals = counts.COMMANDS["Claim", "at_capacity"]
        with pytest.raises(RequestError, match="at_capacity"):
            await provider.request("visit.claim", visit=waiting[1].visit)
        assert counts.COMMANDS["Claim", "at_capacity"] == refusals + 1
        after = await record(two, waiting[1])
        assert (after.status, after.version, after.number) == ("queued", 1, 1)
        await register(valkey, other, rooms=0, old_ms=-660_000, rooms_max=1)  # newer than the other report
        await until(lambda: one.service.rooms_left() == 1)
        await provider.request("visit.claim", visit=waiting[1].visit)
        assert one.service.rooms_left() == 0
        await provider.request("visit.end", visit=waiting[0].visit)
        await provider.request("visit.claim", visit=waiting[2].visit)


async def test_without_a_bound_there_is_no_limit_and_a_worker_without_one_lifts_that_of_all(
    valkey: Redis,
) -> None:
    async with clinic(valkey, workers=1) as one:
        assert one.workers[0].service.rooms_left() is None
    async with clinic(valkey, limits=Limits(rooms_max=1)) as two:
        bounded, other = two.workers
        await register(valkey, bounded, rooms=0, rooms_max=1)
        await until(lambda: bounded.service.rooms_left() == 1)
        await register(valkey, other, rooms=0)
        await until(lambda: bounded.service.rooms_left() is None)
