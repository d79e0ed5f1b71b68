"""Tests that every ordered list keeps its order of arrival when the store's clock is set back by an hour.

The replies to TIME are changed on their way from a real store to real workers. This is row 34 of docs/RELIABILITY.md.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from signalling.service import Accepted
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.jobs import Jobs, new_job
from signalling.store.notices import Notices
from signalling.store.records import Store
from signalling.store.redis_connection import SharedRedis
from signalling.visit import commands as c
from signalling.visit.record import Mark, Notice, Role, Staff, Visit
from signalling.visit.relations import Event
from tests.faults.link import Link, link_to
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.screen import screen
from tests.signalling.waits import until

HOUR_MS = 3_600_000
TIME = re.compile(rb"\*2\r\n\$10\r\n(\d{10})\r\n(?=\$\d\r\n\d{1,6}\r\n)")


def an_hour_back(data: bytes) -> bytes:
    """Return the store's reply `data`, with the time of an hour ago if it is a reply to TIME."""
    return TIME.sub(lambda found: b"*2\r\n$10\r\n%d\r\n" % (int(found[1]) - 3600), data)


@asynccontextmanager
async def with_a_clock(url: str) -> AsyncIterator[tuple[Clinic, Link]]:
    """Yield a clinic that two workers serve, and the link by which a test can set back the clock of their store."""
    async with link_to(url) as link:
        redis = SharedRedis.from_url(link.url, socket_timeout=30)
        try:
            async with clinic(redis) as at:
                yield at, link
        finally:
            await redis.aclose()


async def test_r34_newcomers_stand_behind_those_who_came_before_the_clock_went_back(valkey_url: str) -> None:
    async with with_a_clock(valkey_url) as (at, link):
        provider = await at.connect(at.provider(), 1)
        shown = await screen(provider)
        before = [await at.arrive(worker) for worker in (0, 1, 0)]
        link.answered = an_hour_back
        after = [await at.arrive(worker) for worker in (1, 0, 1)]
        arrived = [f"{patient.visit}" for patient in (*before, *after)]
        await until(lambda: len(shown.drained().rows) == 6)
        rows = shown.rows.values()
        assert (
            max(row["arrived_ms"] for row in rows) - min(row["arrived_ms"] for row in rows) > HOUR_MS - 60_000
        )
        in_line = sorted(rows, key=lambda row: (row["number"], row["arrived_ms"], row["visit"]))
        assert [row["visit"] for row in in_line] == arrived
        places = []
        for patient in (*before, *after):
            async with await at.connect(patient) as client:
                await client.request("subscribe", topic=f"place/{patient.visit}")
                places.append((await client.expect("place.state"))["place"])
        assert places == [1, 2, 3, 4, 5, 6]
        # A released visit keeps its place, also on another worker that loads the queue from the store.
        service = at.workers[0].service
        await service.set_on_call(at.provider(), on=True)
        for command in (c.Claim(), c.Release()):
            assert isinstance(await service.command(at.provider(), arrived[1], command), Accepted)
        async with clinic(at.workers[0].service.store.redis, 1) as another:
            mirror = await another.workers[0].service.mirrors.get(ORG)
            assert [visit.id for visit in mirror.visits.queue(urgent_first=False)] == arrived


async def test_r34_records_from_before_numbers_stand_first_in_the_order_of_their_times(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        store = one.workers[0].service.store
        old: list[str] = []
        for _ in range(3):
            patient = await one.arrive()
            visit, _ = await store.load(ORG, Visit, f"{patient.visit}")
            assert visit is not None
            # Write each record as an earlier version of the server did, without numbers of arrival: the newest record
            # may have the smallest id.
            at_ms = visit.arrived_ms + 1000 * len(old)
            kept = visit.__class__(
                **{
                    name: getattr(visit, name)
                    for name in visit.__struct_fields__
                    if name not in ("number", "version")
                }
                | {"arrived_ms": at_ms, "version": visit.version + 1}
            )
            await store.commit(ORG, kept, Event("saved", at_ms), index_score=at_ms)
            old.append(visit.id)
        new = [f"{(await one.arrive()).visit}" for _ in range(2)]
        snapshot = await store.snapshot(ORG)
        assert [snapshot.visits[name].number > 0 for name in (*old, *new)] == [False] * 3 + [True] * 2
        async with clinic(valkey, 1) as another:
            mirror = await another.workers[0].service.mirrors.get(ORG)
            assert [visit.id for visit in mirror.visits.queue(urgent_first=False)] == old + new


async def test_r34_lines_and_notifications_stay_in_the_order_in_which_they_came(valkey_url: str) -> None:
    async with with_a_clock(valkey_url) as (at, link):
        patient, osei = await at.arrive(), at.provider()
        provider = await at.on_call(osei, 0)
        topic = f"chat/{patient.visit}"
        await provider.request("subscribe", topic="bell")
        service = at.workers[0].service
        for number, text in enumerate(("one", "two", "three", "four")):
            if number == 2:
                link.answered = an_hour_back
                # this call makes the worker read the store's clock
                await service.store.load(ORG, Staff, osei.id)
            await provider.request("chat.send", visit=patient.visit, text=text)
            held, now_ms = await service.store.load(ORG, Staff, osei.id)
            assert held is not None
            notice = Notice(id=f"n_{number}", kind="assigned", at_ms=now_ms, name=text)
            staff = Staff(
                id=held.id, name=held.name, role=Role.PROVIDER, version=held.version + 1, on_call=True
            )
            committed = await service.store.commit(
                ORG, staff, Event("on_call", now_ms), index_score=0, notices=[(osei.id, notice)]
            )
            assert committed is not None
        async with await at.connect(osei, 1) as reader:
            await reader.request("subscribe", topic=topic)
            lines = (await reader.expect("chat.snapshot"))["lines"]
            assert [line["text"] for line in lines] == ["one", "two", "three", "four"]
            assert lines[3]["at_ms"] < lines[0]["at_ms"]
            await reader.request("subscribe", topic="bell")
            bell = await reader.expect("bell.snapshot")
            assert [item["name"] for item in bell["items"]] == ["four", "three", "two", "one"]
            assert bell["unread"] == 4

            async def unread_after(item: dict[str, Any]) -> tuple[int, int]:
                await reader.request("bell.mark", until_ms=item["at_ms"])
                heard = await reader.expect("bell.marked")
                _, kept = await Notices(service.store).newest(ORG, osei.id)
                return heard["unread"], kept

            newest, _, _, oldest = bell["items"]
            assert await unread_after(oldest) == (3, 3)
            assert await unread_after(newest) == (0, 0)


async def test_r34_a_mark_from_before_places_still_holds(valkey: Redis) -> None:
    store = Store(valkey, Seal({b"1": b"k" * 32}))
    _, now_ms = await store.load(ORG, Staff, "u_1")
    for number in (1, 2, 3):
        staff = Staff(id="u_1", name="Dr", role=Role.PROVIDER, version=number)
        notice = Notice(id=f"n_{number}", kind="assigned", at_ms=now_ms + number)
        event = Event("on_call", now_ms + number)
        await store.commit(ORG, staff, event, index_score=0, notices=[("u_1", notice)])
    mark = Mark(id="u_1", version=1, until_ms=now_ms + 2)
    await store.commit(ORG, mark, Event("bell_marked", now_ms), index_score=0)
    assert (await Notices(store).newest(ORG, "u_1"))[1] == 1


async def test_r34_jobs_do_not_wait_an_hour_longer_and_later_ones_keep_their_time(valkey: Redis) -> None:
    jobs = Jobs(valkey, Seal({b"1": b"k" * 32}))
    store = Store(valkey, Seal({b"1": b"k" * 32}))
    now_ms = store.clock_ms()
    # The job was added while the store's clock was an hour ahead.
    await jobs.add(ORG, new_job("due", {}, now_ms + HOUR_MS), now_ms + HOUR_MS - 1000)
    await jobs.add(ORG, new_job("leased", {}, now_ms), now_ms + HOUR_MS + 60_000)
    await jobs.add(ORG, new_job("later", {}, now_ms), now_ms + 2 * HOUR_MS)
    await valkey.set(keys.JOB_CLOCK(ORG), now_ms + HOUR_MS)
    assert [taken.job.kind for taken in await jobs.take(ORG, 10)] == ["due"]
    due_ms = {job.kind: at_ms for at_ms, job in await jobs.waiting(ORG)}
    assert -5_000 < due_ms["leased"] - now_ms - 60_000 < store.clock_ms() - now_ms + 5_000
    assert due_ms["later"] == now_ms + 2 * HOUR_MS
    assert await jobs.take(ORG, 10) == []
