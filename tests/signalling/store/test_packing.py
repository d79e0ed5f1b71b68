"""Tests that a packed (compressed) visit takes little memory, lacks nothing, and may change again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from signalling.protocol.client_messages import SessionsPast
from signalling.rooms.quality_watch import calls_of
from signalling.service import Accepted
from signalling.store import keys
from signalling.store.packing import AFTER_MS, MOST_PARTS, PackedVisits, Queued
from signalling.store.records import OLDEST, Store
from signalling.visit import commands as c
from signalling.visit.record import Actor, Visit
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.past import CHAT, whole_visit

MOST_BYTES = 1536
LATER_MS = AFTER_MS + 60_000


@pytest.fixture
async def desk(valkey: Redis) -> AsyncIterator[Clinic]:
    """A clinic whose periodic tasks have ended, because tests count the commands of its client."""
    async with clinic(valkey, workers=1) as opened:
        await opened.workers[0].supervisor.close()
        yield opened


async def provider_of(desk: Clinic) -> Actor:
    """Return a provider who is On-Call."""
    provider = desk.provider()
    await desk.workers[0].service.set_on_call(provider, on=True)
    return provider


async def pack_all(store: Store, later_ms: int = LATER_MS) -> int:
    """Pack (compress) all visits that will be due `later_ms` from now; return their number."""
    found = await store.packed.due(ORG, store.clock_ms() + later_ms, 100)
    return sum([await store.packed.pack(ORG, queued) for queued in found])


async def whole(store: Store, visit: str) -> list[Any]:
    """Return everything that the readers of the store return about a visit."""
    places = await store.ended(ORG, None, OLDEST, 100, oldest_first=True)
    return [
        (await store.load(ORG, Visit, visit))[0],
        await store.visits(ORG, places),
        await store.history(ORG, visit),
        await store.lines(ORG, visit),
        await store.lines(ORG, visit, 3),
        await calls_of(store, ORG, visit),
    ]


async def keys_of(valkey: Redis, visit: str) -> set[str]:
    """Return the store's keys of a visit and of chat messages."""
    client: Any = valkey
    names = [name.decode() for name in await client.keys("*")]
    return {name for name in names if visit in name or ":line:" in name}


async def test_r39_a_past_visit_with_ten_messages_and_a_call_takes_at_most_1_5_kb_of_the_store(
    desk: Clinic, valkey: Redis
) -> None:
    provider = await provider_of(desk)
    visits = [str((await whole_visit(desk, provider)).visit) for _ in range(5)]
    assert await pack_all(desk.workers[0].service.store) == len(visits)
    client: Any = valkey
    names = {name for visit in visits for name in await keys_of(valkey, visit)}
    sizes = [await client.memory_usage(name, samples=0) for name in (*names, keys.ENDED(ORG))]
    assert sum(sizes) / len(visits) <= MOST_BYTES


async def test_r39_a_visit_is_packed_an_hour_after_its_last_change_and_every_reader_still_finds_all_of_it(
    desk: Clinic, valkey: Redis
) -> None:
    patient = await whole_visit(desk, await provider_of(desk))
    visit, store = str(patient.visit), desk.workers[0].service.store
    before = await whole(store, visit)
    assert [line.text for line in before[3]] == list(CHAT)
    assert len(before[5]) == 2
    assert await pack_all(store, AFTER_MS - 60_000) == 0
    assert await pack_all(store) == 1
    assert await whole(store, visit) == before
    assert await keys_of(valkey, visit) == {keys.PAST(ORG, visit)}
    assert not await valkey.exists(keys.UNPACKED(ORG))
    sessions = desk.workers[0].topics.sessions
    found = await sessions.past(desk.provider(), SessionsPast(id=1, text="ruiz"))
    assert [row.visit for row in found.rows] == [visit]


async def test_r39_a_visit_is_due_exactly_an_hour_after_its_last_change(desk: Clinic) -> None:
    packed = desk.workers[0].service.store.packed
    await packed.enqueue(ORG, [(1_000, "v_1")])
    assert await packed.due(ORG, 1_000 + 3_599_999, 100) == []
    assert await packed.due(ORG, 1_000 + 3_600_000, 100) == [Queued("v_1", 1_000)]


async def test_r39_a_visit_with_very_many_messages_or_events_is_not_packed_and_not_read_whole(
    desk: Clinic, valkey: Redis
) -> None:
    assert MOST_PARTS == 200, "docs/ARCHITECTURE.md names the number"
    store, client = desk.workers[0].service.store, cast(Any, valkey)
    provider = await provider_of(desk)
    written, changed = [str((await whole_visit(desk, provider)).visit) for _ in range(2)]
    await client.zadd(keys.CHAT(ORG, written), {f"m_{line}": line for line in range(MOST_PARTS)})
    await client.rpush(keys.HISTORY(ORG, changed), *range(MOST_PARTS))
    before = await keys_of(valkey, written) | await keys_of(valkey, changed)
    await client.config_resetstat()
    assert await pack_all(store) == 2
    assert await keys_of(valkey, written) | await keys_of(valkey, changed) == before
    assert (await client.info("commandstats"))["cmdstat_hget"]["calls"] <= 2
    assert not await valkey.exists(keys.UNPACKED(ORG))


async def test_r32_a_page_of_packed_visits_is_read_by_one_command(desk: Clinic, valkey: Redis) -> None:
    provider, store, client = await provider_of(desk), desk.workers[0].service.store, cast(Any, valkey)
    for _ in range(3):
        await whole_visit(desk, provider)
    assert await pack_all(store) == 3
    places = await store.ended(ORG, None, OLDEST, 100, oldest_first=True)
    await client.config_resetstat()
    assert None not in await store.visits(ORG, places)
    found = await client.info("commandstats")
    assert found["cmdstat_mget"]["calls"] == 1
    assert "cmdstat_get" not in found


async def test_r39_a_packed_visit_that_is_tagged_rated_or_reopened_loses_nothing_and_is_packed_again(
    desk: Clinic, valkey: Redis
) -> None:
    provider = await provider_of(desk)
    patient = await whole_visit(desk, provider)
    visit, service = str(patient.visit), desk.workers[0].service
    store = service.store
    lines, calls = (await whole(store, visit))[3::2]
    for actor, command in (
        (provider, c.SetTags(("Follow-up",))),
        (patient, c.AnswerSurvey(1, "good")),
        (provider, c.Reopen()),
        (provider, c.End()),
    ):
        # The result counts a reopened visit too, which is not packed: `pack_all` only removes it from the list of
        # visits to pack.
        assert await pack_all(store) == 1
        before = await store.history(ORG, visit)
        assert isinstance(done := await service.command(actor, visit, command), Accepted)
        assert await store.history(ORG, visit) == [*before, done.event]
        assert (await whole(store, visit))[3::2] == [lines, calls]
        assert not await valkey.exists(keys.PAST(ORG, visit))
    ended = (await store.load(ORG, Visit, visit))[0]
    assert await pack_all(store) == 1
    assert (await store.load(ORG, Visit, visit))[0] == ended
    assert (await whole(store, visit))[3::2] == [lines, calls]


async def test_r39_a_visit_that_changes_while_it_is_packed_is_not_packed_and_nothing_is_lost(
    desk: Clinic, valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = await provider_of(desk)
    patient = await whole_visit(desk, provider)
    visit, service = str(patient.visit), desk.workers[0].service
    run, changes = PackedVisits._run, [c.SetTags(("Follow-up",)), c.Reopen()]

    async def changed_before(packing: PackedVisits, *args: Any) -> bool:
        if changes:
            command = changes.pop(0)
            assert isinstance(await service.command(provider, visit, command), Accepted)
        return await run(packing, *args)

    monkeypatch.setattr(PackedVisits, "_run", changed_before)
    assert await pack_all(service.store) == 0
    assert await pack_all(service.store) == 0
    assert not await valkey.exists(keys.PAST(ORG, visit))
    kinds = [event.kind for event in await service.store.history(ORG, visit)]
    assert kinds[-2:] == ["tagged", "reopened"]
    assert await pack_all(service.store) == 1
    assert not await valkey.exists(keys.UNPACKED(ORG), keys.PAST(ORG, visit)), (
        "an open visit only leaves the queue"
    )


async def test_r39_a_visit_that_cannot_be_read_stays_as_it_is(desk: Clinic, valkey: Redis) -> None:
    patient = await whole_visit(desk, await provider_of(desk))
    visit, store = str(patient.visit), desk.workers[0].service.store
    client: Any = valkey
    await client.lset(keys.HISTORY(ORG, visit), 0, b"bytes of a key that is gone")
    before = await keys_of(valkey, visit)
    assert await pack_all(store) == 1
    assert await keys_of(valkey, visit) == before
    assert not await valkey.exists(keys.UNPACKED(ORG))
    await valkey.set(keys.PAST(ORG, "v_1"), b"bytes of a key that is gone")
    assert await store.packed.visits(ORG, ["v_1", "v_none"]) == {}


async def test_r39_to_pack_and_to_read_visits_the_shared_connection_is_enough(
    desk: Clinic, valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, store = (
        str((await whole_visit(desk, await provider_of(desk))).visit),
        desk.workers[0].service.store,
    )
    real, transactions = valkey.pipeline, list[bool]()

    def pipeline(transaction: bool = True) -> Any:
        transactions.append(transaction)  # A transaction would use another connection of redis-py.
        return real(transaction)

    monkeypatch.setattr(valkey, "pipeline", pipeline)
    assert await pack_all(store) == 1
    assert transactions == [False] * 2
    await store.history(ORG, visit)
    assert transactions == [False] * 3


async def test_r39_only_one_of_two_workers_packs_a_visit(desk: Clinic, valkey: Redis) -> None:
    await whole_visit(desk, await provider_of(desk))
    store = desk.workers[0].service.store
    (queued,) = await store.packed.due(ORG, store.clock_ms() + LATER_MS, 100)
    assert [await store.packed.pack(ORG, queued) for _ in range(2)] == [True, False]
    assert not await store.packed.pack(ORG, Queued("v_none", 1))


class OneByOne(list[tuple[str, Any]]):
    """A pipeline that runs its commands one by one; after the first `count` commands, it calls `between`."""

    def __init__(self, redis: Redis, count: int, between: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._redis, self._count, self._between = redis, count, between

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.append((name, args))

    async def execute(self) -> list[Any]:
        replies = []
        for name, args in self:
            replies.append(await getattr(self._redis, name)(*args))
            if len(replies) == self._count:
                await self._between()
        return replies


@pytest.mark.parametrize(("packs", "count"), [(True, 1), (False, 2)])
async def test_r39_a_visit_that_is_packed_or_unpacked_between_two_commands_of_a_reader_is_read_whole(
    desk: Clinic, valkey: Redis, monkeypatch: pytest.MonkeyPatch, packs: bool, count: int
) -> None:
    patient = await whole_visit(desk, await provider_of(desk))
    visit, store = str(patient.visit), desk.workers[0].service.store
    events, other = await store.history(ORG, visit), PackedVisits(cast(Any, valkey), store.seal)
    (queued,) = await other.due(ORG, store.clock_ms() + LATER_MS, 1)
    if not packs:
        assert await other.pack(ORG, queued)

    async def change() -> None:
        await (other.pack(ORG, queued) if packs else other.unpack(ORG, visit, store.clock_ms()))

    real = valkey.pipeline
    pipelines = [OneByOne(valkey, count, change)]
    monkeypatch.setattr(
        valkey, "pipeline", lambda transaction: pipelines.pop() if pipelines else real(transaction)
    )
    assert await store.history(ORG, visit) == events
    assert not pipelines
    assert await valkey.exists(keys.PAST(ORG, visit)) == packs


async def test_r39_a_visit_that_is_packed_while_ended_visits_are_read_is_among_them(
    desk: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = await whole_visit(desk, await provider_of(desk))
    store, real = desk.workers[0].service.store, Store._many
    places = await store.ended(ORG, None, OLDEST, 1, oldest_first=True)

    async def packed_before(*args: Any) -> dict[str, Any]:
        await pack_all(store)
        return await real(*args)

    monkeypatch.setattr(Store, "_many", packed_before)
    (visit,) = await store.visits(ORG, places)
    assert visit is not None
    assert visit.id == patient.visit
