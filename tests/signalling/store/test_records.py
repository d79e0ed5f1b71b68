"""Tests the store on a real Valkey: a commit takes effect once, and completely or not at all; stored
data is encrypted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from signalling.errors import SealError, UnavailableError
from signalling.store import keys, redis_connection
from signalling.store.encryption import Seal
from signalling.store.records import Committed, Place, Store
from signalling.store.redis_connection import SharedRedis
from signalling.visit import audit_entries as audit
from signalling.visit.record import Visit
from signalling.visit.relations import Event
from tests.limits import WAIT_S
from tests.signalling.visits import ANA, ORG, T0, queued
from web.server.valkey import EmbeddedStore

CANARIES = [part.encode() for part in (ANA.name, "Ruiz", ANA.phone, ANA.email, ANA.birth_date, ANA.reason)]


@asynccontextmanager
async def opened(store: EmbeddedStore, timeout_s: float) -> AsyncIterator[Redis]:
    """Yield a client of a store. `timeout_s`: its time-outs."""
    redis = SharedRedis.from_url(
        store.url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ConstantBackoff(0.05), 1),
    )
    yield redis
    await redis.aclose()


@pytest.fixture
async def client(own: EmbeddedStore) -> AsyncIterator[Redis]:
    """A client of the test's own store."""
    async with opened(own, WAIT_S) as redis:
        yield redis


@pytest.fixture
async def hurried(own: EmbeddedStore) -> AsyncIterator[Redis]:
    """A client of the test's own store with a short time-out, for commands that are not answered."""
    async with opened(own, 0.3) as redis:
        yield redis


def store_of(redis: Redis) -> Store:
    """Return the store of records that uses this client."""
    return Store(redis, Seal({b"1": b"k" * 32}))


def visit(visit_id: str = "v_1", version: int = 1) -> Visit:
    """Return a visit that can be committed with this id and version."""
    return replace(queued(), id=visit_id, version=version)


async def commit(store: Store, record: Visit) -> Committed | None:
    """Commit a record, as an event that also enters the visit's history. Return None if another commit came first."""
    return await store.commit(ORG, record, Event("opened", T0), index_score=record.arrived_ms, deadline_ms=T0)


async def members(client: Any, key: str) -> list[str]:
    """Return the members of the sorted set under `key`, in their order."""
    return [member.decode() for member in await client.zrange(key, 0, -1)]


async def loaded(store: Store) -> int:
    """Load the visit v_1 again and again until the store answers in time; return the store's time in ms."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(UnavailableError):
                return (await store.load(ORG, Visit, "v_1"))[1]


def all_of(folder: Path) -> bytes:
    """Return the content of all files in a folder, joined."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_of_two_commits_on_one_version_one_succeeds(valkey: Redis) -> None:
    store = store_of(valkey)
    for version in range(1, 6):
        answers = await asyncio.gather(*(commit(store, visit(version=version)) for _ in range(20)))
        won = [a for a in answers if a is not None]
        assert [a.seq for a in won] == [version]
    assert len(await store.history(ORG, "v_1")) == 5
    head = await store.stream.head(ORG)
    assert (head.epoch, head.seq) == (won[0].epoch, 5)


async def test_a_record_is_read_as_it_was_written_and_stays_in_its_place(valkey: Redis) -> None:
    store = store_of(valkey)
    await commit(store, visit("v_1"))
    await commit(store, visit("v_2"))
    loaded, _ = await store.load(ORG, Visit, "v_1")
    assert loaded == visit("v_1")
    await valkey.copy(keys.VISIT(ORG, "v_1"), keys.VISIT(ORG, "v_2"), replace=True)
    with pytest.raises(SealError):
        await store.load(ORG, Visit, "v_2")
    snapshot = await store.snapshot(ORG)
    assert list(snapshot.visits) == ["v_1"], "one record that cannot be read does not close the organisation"


async def test_a_commit_queues_its_entry_for_the_audit_log_and_typing_has_none(valkey: Redis) -> None:
    store, told = store_of(valkey), list[str]()
    store.on_audited = told.append
    for version, kind in ((1, "opened"), (2, "saved")):
        event = Event(kind, T0)
        await store.commit(ORG, visit(version=version), event, index_score=T0, deadline_ms=T0)
    (sealed,) = await valkey.lrange(keys.AUDIT_QUEUE(ORG), 0, -1)
    assert isinstance(sealed, bytes)
    act = audit.decode(store.seal.open(sealed, f"{ORG}/audit"))
    assert (act.at_ms, act.about, told) == (T0, "v_1", [ORG])


async def test_a_stores_identity_names_its_process_and_is_asked_once_for_each_connection(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, run_id = store_of(valkey).stream, (await valkey.info())["run_id"]
    assert await stream.identities([ORG, "other"]) == [run_id, run_id]
    with monkeypatch.context() as patch:
        patch.setattr(SharedRedis, "info_of", None)
        assert await stream.identities([ORG]) == [run_id]
    asked = list[str]()

    async def info_of(redis: object, key: str, *sections: str) -> dict[str, str]:
        asked.append(key)
        return {"run_id": "another"}

    monkeypatch.setattr(SharedRedis, "info_of", info_of)
    shared = await cast(SharedRedis, valkey).connection_of(ORG)
    await shared.close()
    assert await valkey.ping()
    assert await stream.identities([ORG]) == ["another"]
    assert len(asked) == 1


async def test_ended_visits_are_listed_in_pages_in_both_orders(valkey: Redis) -> None:
    store = store_of(valkey)
    ended = [("v_1", T0), ("v_2", T0 + 1), ("v_3", T0 + 1), ("v_4", T0 + 1), ("v_5", T0 + 2)]
    await valkey.zadd(keys.ENDED(ORG), dict(ended))
    places = [(ended_ms, name) for name, ended_ms in ended]
    last, first = (T0 + 9, ""), (0, "")
    assert await store.ended(ORG, None, last, 9) == places[::-1]
    assert await store.ended(ORG, T0 + 1, last, 9) == places[:0:-1]
    assert await store.ended(ORG, None, first, 9, oldest_first=True) == places
    assert await store.ended(ORG, T0 + 1, first, 9, oldest_first=True) == places[1:]
    for start, oldest_first in ((last, False), (first, True)):
        shown, place = list[Place](), start
        while page := await store.ended(ORG, None, place, 2, oldest_first=oldest_first):
            assert len(page) <= 2
            shown += page
            place = page[-1]
        assert shown == (places if oldest_first else places[::-1]), "three of one millisecond, two on a page"
    assert await store.count_ended(ORG, places[3]) == 4


async def test_a_commit_is_complete_or_absent_after_the_store_was_killed(
    own: EmbeddedStore, client: Redis
) -> None:
    store = store_of(client)
    acknowledged: dict[str, int] = {}
    enough = asyncio.Event()

    async def writer(number: int) -> None:
        version = 0
        while True:
            version += 1
            try:
                if await commit(store, visit(f"v_{number}", version)) is not None:
                    acknowledged[f"v_{number}"] = version
            except UnavailableError:
                return
            if sum(acknowledged.values()) > 200:
                enough.set()

    writers = [asyncio.create_task(writer(n)) for n in range(8)]
    async with asyncio.timeout(WAIT_S):
        await enough.wait()
    assert own.pid is not None
    os.kill(own.pid, signal.SIGKILL)
    await asyncio.gather(*writers)
    own.start()
    total = 0
    for name in await members(client, keys.OPEN(ORG)):
        record, _ = await store.load(ORG, Visit, name)
        assert record is not None
        assert record.version >= acknowledged.get(record.id, 0), "what was acknowledged is there"
        assert len(await store.history(ORG, record.id)) == record.version
        total += record.version
    seq = (await store.stream.head(ORG)).seq
    assert seq == total == await client.xlen(keys.EVENTS(ORG))
    assert set(acknowledged) <= set(await members(client, keys.DEADLINES(ORG)))


async def test_no_patient_data_is_readable_in_the_stores_keys_or_files(
    own: EmbeddedStore, client: Redis, tmp_path: Path
) -> None:
    store = store_of(client)
    answered = replace(visit(), answers={"allergies": "canary-answer"})
    await commit(store, answered)
    await store.commit(
        ORG, replace(answered, version=2), Event("declined", T0, note="canary-note"), index_score=None
    )
    own.stop()
    written = all_of(tmp_path)
    assert b"v_1" in written, "this is where it is kept"
    for canary in (*CANARIES, b"canary-answer", b"canary-note"):
        assert canary not in written


@pytest.mark.parametrize("fault", ["frozen", "stopped"])
async def test_a_store_that_does_not_answer_is_unavailable_in_time_and_never_a_hang(
    own: EmbeddedStore, client: Redis, hurried: Redis, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_connection, "PATIENCE_S", 3600.0)
    await commit(store_of(client), visit())
    store = store_of(hurried)
    await loaded(store)
    if fault == "frozen":
        assert own.pid is not None
        os.kill(own.pid, signal.SIGSTOP)
    else:
        own.stop()
    calls = [
        commit(store, visit(version=2)),
        store.load(ORG, Visit, "v_1"),
        store.snapshot(ORG),
        store.stream.head(ORG),
        store.stream.after(ORG, 0),
        store.stream.pulses([ORG], 0),
        store.history(ORG, "v_1"),
    ]
    async with asyncio.timeout(WAIT_S):
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(a) for a in answers] == [UnavailableError] * len(calls)
    if fault == "frozen":
        assert own.pid is not None
        os.kill(own.pid, signal.SIGCONT)
    else:
        own.start()
    seq = (await store_of(client).stream.head(ORG)).seq
    assert seq in (1, 2), "what was unavailable took effect or did not; nothing in between"


async def test_a_frozen_store_has_a_clock_that_goes_on(own: EmbeddedStore, hurried: Redis) -> None:
    store, began_s = store_of(hurried), time.monotonic()
    told_ms = await loaded(store)
    read_s = time.monotonic()
    assert own.pid is not None
    os.kill(own.pid, signal.SIGSTOP)
    with pytest.raises(UnavailableError):
        await store.stream.head(ORG)
    least_ms = (time.monotonic() - read_s) * 1000
    passed_ms = store.clock_ms() - told_ms
    most_ms = (time.monotonic() - began_s) * 1000
    # both times of the store are rounded to 1 ms
    assert 250 < least_ms - 2 <= passed_ms <= most_ms + 2


async def test_a_visit_without_chat_messages_has_an_empty_list_of_them(valkey: Redis) -> None:
    store = store_of(valkey)
    await commit(store, visit())
    assert await store.lines(ORG, "v_1") == []
    assert await store.count_lines(ORG, "v_1") == 0
