"""Tests that a worker carries out the commands on one visit one after another, and that none waits longer than its
limit.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.service import Accepted, Service
from signalling.store import turns as module
from signalling.store.encryption import Seal
from signalling.store.keys import VISIT
from signalling.store.mirror import Mirror
from signalling.store.pubsub import Bus
from signalling.store.records import Store
from signalling.visit import commands as c
from signalling.visit.queue_state import Watch
from signalling.visit.record import Actor, Visit
from signalling.visit.relations import Event, Refusal
from tests.limits import WAIT_S
from tests.signalling.clinic import ORG, Organisations, clinic


async def test_a_command_goes_ahead_as_soon_as_the_one_before_it_is_done(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.store.turns.TURN_S", 3600.0)
    async with clinic(valkey, 1) as one:
        patient, service = await one.arrive(), one.workers[0].service
        saved = [c.Save("allergies", f"{number}", left=False) for number in range(3)]
        async with asyncio.timeout(WAIT_S):
            outcomes = await asyncio.gather(
                *(service.command(patient, patient.visit or "", command) for command in saved)
            )
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)


async def test_a_command_that_has_waited_long_enough_goes_ahead_without_its_turn(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.store.turns.TURN_S", 0.0)
    async with clinic(valkey, 1) as one:
        patient, service = await one.arrive(), one.workers[0].service
        carry_out, held = service._carry_out, asyncio.Event()

        async def slow(actor: Actor, visit: str, command: c.Command, *rest: Any) -> Accepted | Refusal:
            if command == saved[0]:
                await held.wait()
            return await carry_out(actor, visit, command, *rest)

        monkeypatch.setattr(service, "_carry_out", slow)
        saved = [c.Save("allergies", f"{number}", left=False) for number in range(2)]
        first, second = (
            asyncio.create_task(service.command(patient, patient.visit or "", command)) for command in saved
        )
        async with asyncio.timeout(WAIT_S):
            assert isinstance(await second, Accepted)
        held.set()
        assert isinstance(await first, Accepted)


async def test_the_time_limit_of_a_command_that_got_its_turn_does_not_end_the_wait_of_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turn = module.Turn()
    assert turn.take()
    monkeypatch.setattr(module, "TURN_S", 0.02)
    first = asyncio.create_task(turn.wait())
    await asyncio.sleep(0)
    turn.release()
    assert await first
    monkeypatch.setattr(module, "TURN_S", 3600.0)
    second = asyncio.create_task(turn.wait())
    await asyncio.sleep(0.03)
    assert not second.done()
    turn.release()
    assert await second


async def test_the_state_of_the_queue_is_changed_by_a_worker_that_has_its_newest_version_and_settings(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisations, store = Organisations(amber_ms=60_000), Store(valkey, Seal({b"1": b"k" * 32}))
    service = Service(store, Bus(valkey), organisations)
    ahead, behind = (Mirror(ORG, store, []) for _ in range(2))
    for mirror in (ahead, behind):
        await mirror.open()

    async def stored() -> tuple[int, int | None]:
        watch = (await store.load(ORG, Watch, behind.watch.id))[0] or Watch()
        return watch.version, watch.rules.amber_ms

    before = await stored()

    async def erased(_: str) -> None:
        return None

    with monkeypatch.context() as changed:
        changed.setattr(organisations, "read", erased)
        await service.watch_queue(ahead)
    assert await stored() == before
    await service.watch_queue(ahead)
    assert await stored() == (1, 60_000)
    organisations.change(amber_ms=120_000)
    await service.watch_queue(behind)
    assert await stored() == (1, 60_000), "it would undo what it has not seen"
    await behind.catch_up()
    await service.watch_queue(behind)
    assert await stored() == (2, 120_000)


async def test_a_command_reads_nothing_from_the_store_if_the_workers_copy_is_the_stores(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        patient, service = await one.arrive(), one.workers[0].service
        monkeypatch.setattr(service.store, "load", None)
        saved = await service.command(patient, patient.visit or "", c.Save("allergies", "none", left=False))
        assert isinstance(saved, Accepted)
        assert saved.visit.version == 2


async def test_a_command_on_an_old_copy_is_decided_again_on_the_stores_record(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        one, other = (worker.service for worker in two.workers)
        patient = await two.arrive()
        visit_id = patient.visit or ""
        await other.mirrors.get(ORG)
        assert isinstance(
            await other.command(patient, visit_id, c.Save("allergies", "a", left=False)), Accepted
        )
        for handlers in (worker.bus._handlers for worker in two.workers):
            handlers[f"{{{ORG}}}:events".encode()] = lambda data: None
        assert isinstance(await one.command(patient, visit_id, c.Save("since", "b", left=False)), Accepted)
        third = await other.command(patient, visit_id, c.Save("since", "c", left=False))
        assert isinstance(third, Accepted)
        assert third.visit.version == 4


async def test_a_command_never_replaces_another_record_with_the_version_of_the_copy(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        one, other = (worker.service for worker in two.workers)
        patient = await two.arrive()
        visit_id = patient.visit or ""
        await other.mirrors.get(ORG)
        # The store loses the newest change of the visit, and another worker makes a different change in its place.
        key = VISIT(ORG, visit_id)
        before: Any = await valkey.hgetall(key)
        assert isinstance(
            await one.command(patient, visit_id, c.Save("allergies", "lost", left=False)), Accepted
        )
        await valkey.hset(key, mapping=before)
        found, _ = await other.store.load(ORG, Visit, visit_id)
        assert found is not None
        kept = replace(found, version=2, answers={**found.answers, "allergies": "kept"})
        assert await other.store.commit(
            ORG, kept, Event("saved", found.arrived_ms), index_score=found.arrived_ms
        )
        done = await one.command(patient, visit_id, c.Save("since", "today", left=False))
        assert isinstance(done, Accepted)
        assert done.visit.answers.get("allergies") == "kept"
