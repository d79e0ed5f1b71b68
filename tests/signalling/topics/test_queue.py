"""Tests the queue for staff who work in some waiting areas only, and for pages that only count its rows."""

from __future__ import annotations

from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.visit.record import Role, Staff
from signalling.visit.relations import Event
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.test_clinic_side import HALE, OSEI, me, refused, staff, waiting
from tests.signalling.waits import until


async def narrow(two: Clinic, client: SignallingClient, *areas: str) -> None:
    """Limit this client's member of staff to these waiting areas; return when both workers have the change."""
    store, who = two.workers[0].service.store, me(client)
    held, now_ms = await store.load(ORG, Staff, who)
    assert held is not None
    after = replace(held, version=held.version + 1, areas=areas)
    assert await store.commit(ORG, after, Event("enrolled", now_ms), index_score=0)
    mirrors = [await worker.service.mirrors.get(ORG) for worker in two.workers]
    await until(lambda: all(mirror.staff[who].areas == areas for mirror in mirrors))


async def test_f39_a_provider_sees_the_areas_they_work_in_and_a_move_takes_a_row_along(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        admin, provider = await staff(two, HALE, 0, Role.ADMIN), await staff(two, OSEI, 1)
        await narrow(two, provider, "mind")
        assert (await provider.expect("queue.snapshot"))["rows"] == []
        assert (await provider.expect("queue.snapshot"))["rows"] == [], "anew, when the areas were set"
        visit, patient = await waiting(two)
        row = await provider.expect("queue.row", lambda m: m["row"]["visit"] == visit)
        assert row["row"]["area"] is None, "of no area: everybody's"
        await provider.request("visit.move", visit=visit, area="walk-in")
        gone = await provider.expect("queue.gone")
        assert (gone["visit"], gone["why"], gone["by"]) == (visit, "moved", None)
        moved = await patient.expect("visit.state", lambda m: m["visit"]["area"] is not None)
        assert moved["visit"]["area"] == {"id": "walk-in", "name": "Walk-in"}
        for request, fields in (("visit.claim", {}), ("visit.move", {"area": "mind"})):
            assert await refused(provider, request, visit=visit, **fields) == "other_area"
        assert await refused(provider, "subscribe", topic=f"case/{visit}") == "not_found"
        await admin.request("visit.move", visit=visit, area="mind")
        back = await provider.expect("queue.row")
        assert (back["fresh"], back["row"]["area"]["id"]) == (True, "mind")
        assert back["row"]["arrived_ms"] == row["row"]["arrived_ms"]
        await narrow(two, provider)
        whole = await provider.expect("queue.snapshot")
        assert [shown["visit"] for shown in whole["rows"]] == [visit]
        await provider.request("visit.claim", visit=visit)


async def test_a_page_that_counts_the_queue_gets_every_arrival_and_nothing_about_a_patient(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        provider = await staff(two, OSEI, 1)
        await provider.expect("queue.snapshot")
        await provider.request("subscribe", topic="queue", counted=True)
        assert (await provider.expect("queue.snapshot"))["rows"] == []
        visit, patient = await waiting(two)
        row = (await provider.expect("queue.row"))["row"]
        assert (row["visit"], row["name"], row["reason"], row["phone"]) == (visit, "", "", "")
        await narrow(two, provider, "mind")
        again = await provider.expect("queue.snapshot")
        assert [(shown["visit"], shown["name"]) for shown in again["rows"]] == [(visit, "")]
        await provider.request("subscribe", topic="queue")
        whole = await provider.expect("queue.snapshot")
        assert whole["rows"][0]["name"], "the list itself has the names"
        await patient.request("visit.withdraw", visit=visit)
        assert (await provider.expect("queue.gone"))["visit"] == visit
