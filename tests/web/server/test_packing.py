"""Tests when ended visits are packed (compressed into one value of the store), and that packing loses nothing.

The visits are those in a store of an earlier release.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.packing import PackedVisits
from signalling.store.records import OLDEST
from signalling.visit.record import Visit
from tests.faults.ended import ended_visit, write_ended
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.waits import until
from tests.web.site import Site, settings_for
from web.keys import SEAL, SERVICE
from web.metrics.report import Report
from web.retention import DAY_MS
from web.server import store_version
from web.server.packing import Packer

MANY = 12


@pytest.fixture
async def desk(valkey: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clinic]:
    """A clinic with ended visits in a store of an earlier release, in which no visit is packed (compressed)."""
    monkeypatch.setattr("web.server.packing.AT_ONCE", 5)
    monkeypatch.setattr("web.server.packing.REST", 0)
    await store_version.check(valkey)
    async with clinic(valkey, workers=1) as opened:
        store = opened.workers[0].service.store
        begun_ms = store.clock_ms() - DAY_MS
        await write_ended(valkey, store.seal, (ended_visit(ORG, n, begun_ms) for n in range(MANY)))
        yield opened


def packer(desk: Clinic, valkey: Redis) -> Packer:
    """Return the object of a worker that packs ended visits."""
    service = desk.workers[0].service
    return Packer(valkey, service, service.organisations)


async def all_visits(desk: Clinic) -> list[Visit | None]:
    """Return all ended visits, the oldest first."""
    store = desk.workers[0].service.store
    return await store.visits(ORG, await store.ended(ORG, None, OLDEST, 100, oldest_first=True))


async def packed_and_not(valkey: Redis) -> tuple[int, int]:
    """Return how many visits are packed (compressed), and how many are not."""
    client: Any = valkey
    return len(await client.keys(keys.PAST(ORG, "*"))), len(await client.keys(keys.VISIT(ORG, "*")))


async def next_look(desk: Clinic, valkey: Redis) -> int:
    """Make a worker look for visits to pack (compress), as if a minute had passed; return the number of packed
    visits.
    """
    await valkey.delete(keys.PACKING())
    return await packer(desk, valkey).look()


async def two_looks(desk: Clinic, valkey: Redis) -> int:
    """Make a worker look for visits to pack (compress) two times; return the number of packed visits.

    The first time, the worker only raises the version of the store's content; it packs visits from the second time
    on.
    """
    return await next_look(desk, valkey) + await next_look(desk, valkey)


async def report(valkey: Redis, reads: int) -> None:
    """Write the report of a worker that can read the store's content up to the version `reads`."""
    one = Report(
        worker=f"w{reads}", machine="m", pid=1, version="0.1.0", reads=reads, up_s=1,
        at_ms=1, sockets=0, rooms=0, parties=0,
        cpu=0, lag_ms=0, memory_bytes=0, draining=False,
    )  # fmt: skip
    await valkey.zadd(keys.REPORTS(), {msgspec.msgpack.encode(one): 1})
    await valkey.pexpire(keys.REPORTS(), 60_000)


async def test_r39_visits_of_an_earlier_release_are_packed_and_its_servers_are_refused_from_then_on(
    desk: Clinic, valkey: Redis
) -> None:
    before = await all_visits(desk)
    await report(valkey, store_version.VERSION)
    assert await packer(desk, valkey).look() == 0, "the next look packs"
    assert await store_version.of(valkey) == store_version.VERSION
    assert await packed_and_not(valkey) == (0, MANY)
    assert await next_look(desk, valkey) == MANY
    assert await packed_and_not(valkey) == (MANY, 0)
    assert await all_visits(desk) == before
    assert None not in before
    assert await packer(desk, valkey).look() == 0, "this minute is another worker's"


async def test_r39_nothing_is_packed_while_a_server_reports_that_cannot_read_packed_visits(
    desk: Clinic, valkey: Redis
) -> None:
    await report(valkey, store_version.VERSION)
    await report(valkey, 0)
    assert await packer(desk, valkey).look() == 0
    assert await store_version.of(valkey) == store_version.FIRST
    await valkey.delete(keys.REPORTS())
    assert await next_look(desk, valkey) == 0
    assert await store_version.of(valkey) == store_version.VERSION
    # This is the report of a worker of the earlier release. It has started just before the store's version was raised,
    # and cannot read packed (compressed) visits.
    await report(valkey, 0)
    assert await next_look(desk, valkey) == 0
    assert await packed_and_not(valkey) == (0, MANY)


@pytest.mark.parametrize(("method", "calls"), [("enqueue", 1), ("pack", 1), ("pack", 7)])
async def test_r39_a_packing_that_was_killed_leaves_each_visit_whole_and_the_next_one_goes_on(
    desk: Clinic, valkey: Redis, monkeypatch: pytest.MonkeyPatch, method: str, calls: int
) -> None:
    before, left, real = await all_visits(desk), [None] * (calls - 1), getattr(PackedVisits, method)

    async def until_killed(*args: Any) -> Any:
        if not left:
            raise asyncio.CancelledError
        left.pop()
        return await real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(PackedVisits, method, until_killed)
        with pytest.raises(asyncio.CancelledError):
            await two_looks(desk, valkey)
    done = calls - 1 if method == "pack" else 0
    assert await packed_and_not(valkey) == (done, MANY - done)
    assert await all_visits(desk) == before
    assert await two_looks(desk, valkey) == MANY - done
    assert await packed_and_not(valkey) == (MANY, 0)
    assert await all_visits(desk) == before


async def test_r39_a_running_server_packs_visits_by_itself(
    valkey: Redis, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.server.packing.LOOK_S", 0.01)
    site = Site(settings_for(valkey_url, tmp_path))
    visit = ended_visit("demo", 0, round(time.time() * 1000) - DAY_MS)
    await write_ended(valkey, site.app[SEAL], [visit])
    async with site:
        await until(lambda: valkey.exists(keys.PAST("demo", visit.id)))
        assert await site.app[SERVICE].visit("demo", visit.id) == visit
