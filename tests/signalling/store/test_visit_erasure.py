"""Tests that a visit is erased whole or not at all, also if it changes between its check and its deletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.rooms.participants import Room
from signalling.rooms.quality_watch import CallWatch
from signalling.service import Accepted, Service
from signalling.store import keys
from signalling.store.packing import AFTER_MS
from signalling.store.visit_erasure import OF_A_VISIT, VisitErasure
from signalling.visit import commands as c
from signalling.visit.call_quality import Tally
from signalling.visit.record import Actor, ChatMessage, Status, Visit
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.past import whole_visit
from tests.signalling.store.test_packing import keys_of


@pytest.fixture
async def desk(valkey: Redis) -> AsyncIterator[Clinic]:
    async with clinic(valkey, workers=1) as opened:
        yield opened


async def ended(desk: Clinic) -> tuple[str, Actor, Service]:
    """Play a whole visit; return (its id, its provider, the service of a worker)."""
    provider, service = desk.provider(), desk.workers[0].service
    await service.set_on_call(provider, on=True)
    return str((await whole_visit(desk, provider)).visit), provider, service


async def pack(service: Service) -> None:
    """Pack (compress) the only ended visit."""
    (queued,) = await service.store.packed.due(ORG, service.clock_ms() + 2 * AFTER_MS, 2)
    assert await service.store.packed.pack(ORG, queued)


@pytest.mark.parametrize("packs", [False, True])
async def test_s34_a_visit_is_erased_from_all_its_keys_and_from_all_indexes(
    desk: Clinic, valkey: Redis, packs: bool
) -> None:
    visit, _, service = await ended(desk)
    client: Any = valkey
    if packs:
        await pack(service)
    for kind in (keys.PHOTOS, keys.VISIT_DEVICES):
        await client.hset(kind(ORG, visit), "one", "sealed")
    erasure = VisitErasure(service.store)
    found = await erasure.read(ORG, visit)
    assert found.visit is not None
    assert not found.is_open
    assert await erasure.erase(found)
    assert await keys_of(valkey, visit) == set()
    for index in (keys.ENDED, keys.UNPACKED, keys.OPEN, keys.DEADLINES):
        assert await client.zscore(index(ORG), visit) is None, index.pattern
    assert await erasure.erase(await erasure.read(ORG, visit)), "what does not exist is erased"


@pytest.mark.parametrize("packs", [False, True])
async def test_s34_a_visit_that_is_reopened_between_the_check_and_the_deletion_loses_nothing(
    desk: Clinic, valkey: Redis, packs: bool
) -> None:
    visit, provider, service = await ended(desk)
    if packs:
        await pack(service)
    erasure = VisitErasure(service.store)
    lines, found = await service.store.lines(ORG, visit), await erasure.read(ORG, visit)
    assert isinstance(await service.command(provider, visit, c.Reopen()), Accepted)
    before = await keys_of(valkey, visit)
    assert not await erasure.erase(found)
    assert await keys_of(valkey, visit) == before
    assert await service.store.lines(ORG, visit) == lines
    again = await erasure.read(ORG, visit)
    assert again.is_open


@pytest.mark.parametrize("change", ["packed", "unpacked", "tagged", "message"])
async def test_s34_a_visit_that_changes_after_it_was_read_is_read_again_and_then_erased(
    desk: Clinic, valkey: Redis, change: str
) -> None:
    visit, provider, service = await ended(desk)
    if change == "unpacked":
        await pack(service)
    erasure = VisitErasure(service.store)
    found = await erasure.read(ORG, visit)
    if change == "packed":
        await pack(service)
    elif change == "unpacked":
        await service.store.packed.unpack(ORG, visit, service.clock_ms())
    elif change == "tagged":
        assert isinstance(await service.command(provider, visit, c.SetTags(("Follow-up",))), Accepted)
    else:
        late = ChatMessage(
            id="m_late", visit=visit, at_ms=service.clock_ms(), party="patient", name="Ana", text="Wait"
        )
        assert await service.write(ORG, late, None)
    before = await keys_of(valkey, visit)
    assert not await erasure.erase(found)
    assert await keys_of(valkey, visit) == before
    assert await erasure.erase(await erasure.read(ORG, visit))
    assert await keys_of(valkey, visit) == set()


async def test_s34_a_further_check_can_refuse_an_erasure(desk: Clinic, valkey: Redis) -> None:
    visit, _, service = await ended(desk)
    client: Any = valkey
    erasure = VisitErasure(service.store)
    found, none = await erasure.read(ORG, visit), (("ZCARD", keys.EMERGENCIES(ORG)), 0)
    await client.zadd(keys.EMERGENCIES(ORG), {"sealed": 1})
    assert not await erasure.erase(found, none)
    assert (await service.store.load(ORG, Visit, visit))[0] is not None
    await client.zrem(keys.EMERGENCIES(ORG), "sealed")
    assert await erasure.erase(found, none)


async def test_s34_a_reopened_visit_that_ends_again_stays_in_the_indexes_of_ended_visits(
    desk: Clinic, valkey: Redis
) -> None:
    visit, provider, service = await ended(desk)
    client: Any = valkey
    assert isinstance(await service.command(provider, visit, c.Reopen()), Accepted)
    erasure = VisitErasure(service.store)
    opened = await erasure.read(ORG, visit)
    assert isinstance(await service.command(provider, visit, c.End()), Accepted)
    assert not await erasure.unlist(opened)
    assert await client.zscore(keys.ENDED(ORG), visit) is not None
    assert isinstance(await service.command(provider, visit, c.Reopen()), Accepted)
    assert await erasure.unlist(await erasure.read(ORG, visit))
    assert await client.zscore(keys.ENDED(ORG), visit) is None
    held, _ = await service.store.load(ORG, Visit, visit)
    assert held is not None
    assert held.status is Status.CLAIMED


async def test_s34_a_visit_that_cannot_be_read_is_not_open_and_can_be_erased(
    desk: Clinic, valkey: Redis
) -> None:
    visit, _, service = await ended(desk)
    client: Any = valkey
    await client.hset(keys.VISIT(ORG, visit), "record", b"bytes of a key that is gone")
    erasure = VisitErasure(service.store)
    found = await erasure.read(ORG, visit)
    assert (found.visit, found.is_open) == (None, False)
    assert await erasure.erase(found)
    assert await keys_of(valkey, visit) == set()


def test_s34_every_kind_of_key_of_a_visit_with_patient_data_is_erased() -> None:
    of_a_visit = {
        kind
        for kind in keys.ALL
        if kind.pattern.endswith(":<visit>") and kind.erasure is keys.Erasure.RETENTION
    }
    assert of_a_visit <= set(OF_A_VISIT)


@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("kind", [keys.PHOTOS, keys.CALLS])
async def test_s34_what_is_written_late_of_a_visit_that_is_erased_or_packed_is_not_stored(
    desk: Clinic, valkey: Redis, kind: keys.Key, packs: bool
) -> None:
    """A photo may still be on its way, and a worker that was frozen still has the figures of a call."""
    visit, _, service = await ended(desk)
    if packs:
        await pack(service)
    else:
        erasure = VisitErasure(service.store)
        assert await erasure.erase(await erasure.read(ORG, visit))
    if kind is keys.PHOTOS:
        await service.photos.keep(ORG, visit, "p_1", b"a JPEG")
    else:
        watch = CallWatch({}, service.store, asyncio.ensure_future)
        room = Room(ORG, SimpleNamespace(), 7, {})
        room.tallies["patient", "Ana"] = Tally(party="patient", name="Ana", connected_ms=60_000)
        await watch.finish(visit, room)
    client: Any = valkey
    assert not await client.exists(kind(ORG, visit))
