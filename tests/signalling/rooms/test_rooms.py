"""Tests a room when a worker dies, a person opens a second tab, or the visit's record changes.

Media passes only in live visits.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling.errors import UnavailableError
from signalling.rooms.liveness import death_of
from signalling.service import Accepted
from signalling.store import keys
from signalling.store.mirror import Change
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role, Visit
from signalling.visit.relations import Decided, Event
from signalling.visit.rules import decide
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.rooms.calls import both, call_owned_elsewhere, gates, join, owner_of, start
from tests.signalling.sockets.test_presence import record
from tests.signalling.visits import context
from tests.signalling.waits import until


async def test_the_gate_is_open_while_the_visit_is_live_and_at_no_other_time(valkey: Redis) -> None:
    async with clinic(valkey, grace_ms=300) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(their, patient)
        await join(provider, patient)
        assert gates(two, patient) == [False]
        await start(patient, provider)
        assert gates(two, patient) == [False], "one press opens nothing"
        await start(patient, their)
        await until(lambda: gates(two, patient) == [True])
        await their.request("visit.hang_up", visit=patient.visit)
        await until(lambda: gates(two, patient) == [False])
        await start(patient, their)
        await until(lambda: gates(two, patient) == [True])
        await their.request("visit.leave", visit=patient.visit)
        await until(lambda: gates(two, patient) == [False])
        await their.request("visit.enter", visit=patient.visit)
        assert gates(two, patient) == [False], "back after the grace: press again"


def holders(open_: Clinic, patient: Actor) -> list[str]:
    """Return the id of the worker to which each member of the visit's room is connected."""
    found = [worker.rooms._rooms.get(f"{patient.visit}") for worker in open_.workers]
    return [held.member.worker for room in found if room is not None for held in room.participants.values()]


async def test_a_client_that_joins_without_entering_leaves_the_room_with_its_connection(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        patient, _, _ = await both(two)
        tab = await two.connect(patient, 0)
        await join(tab, patient)
        tab.vanish()
        await tab.wait_closed()
        tab = await two.connect(patient, 1, resume=tab.welcome["resume"])
        await until(lambda: holders(two, patient) == [two.workers[1].id])
        await tab.send({"type": "bye", "id": 99})
        await until(lambda: holders(two, patient) == [])


@pytest.mark.parametrize("how", ["visit.end", "visit.release"])
async def test_after_the_end_and_after_a_return_to_the_queue_there_is_no_room(
    valkey: Redis, how: str
) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(their, patient)
        await start(patient, provider, their)
        await until(lambda: gates(two, patient) == [True])
        (room,) = [w.rooms._rooms[f"{patient.visit}"].media for w in two.workers if w.rooms._rooms]
        await provider.request(how, visit=patient.visit)
        await until(lambda: gates(two, patient) == [])
        assert not room.gate

        async def lease_given_back() -> bool:
            return await owner_of(valkey, patient) is None

        await until(lease_given_back)


async def test_a_killed_workers_calls_get_fresh_offers_from_another_without_asking(
    valkey: Redis, valkey_url: str
) -> None:
    async with call_owned_elsewhere(valkey, valkey_url) as (one, other, patient, their, provider):
        # A worker that has just started does not declare other workers dead yet, so the test waits.
        await until(lambda: time.monotonic() > one.workers[0].liveness._distrusted_until)
        other.kill()
        offer = await their.expect("media.offer")
        assert offer["fresh"]
        await provider.wait_closed()
        back = await one.connect(one.provider(), 0, resume=provider.welcome["resume"])
        offer = await back.expect("media.offer")
        assert offer["fresh"]
        assert (await record(one, patient)).status == "live", "nobody presses anything again"
        assert gates(one, patient) == [True]


async def test_a_connection_resumed_on_another_worker_keeps_its_membership_and_gets_its_offer_there(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 0, 0)
        await join(their, patient)
        await join(provider, patient)
        their.vanish()
        await their.wait_closed()
        back = await two.connect(patient, 1, resume=their.welcome["resume"])
        owner = two.workers[0].rooms._rooms[f"{patient.visit}"]
        await until(lambda: owner.participants["patient"].member.worker == two.workers[1].id)
        await provider.request("media.mute", visit=patient.visit, kind="video", muted=True)
        assert (await back.expect("media.muted"))["party"] == "provider"
        await back.request("media.restart", visit=patient.visit)
        assert not (await back.expect("media.offer"))["fresh"]
        # The first worker stops waiting for the old socket. Its report about the socket's end is late, and must remove
        # nobody from the room.
        await until(lambda: not two.workers[0].lingering)
        await provider.request("media.mute", visit=patient.visit, kind="video", muted=False)
        assert not (await back.expect("media.muted"))["muted"]
        assert "patient" in owner.participants


async def test_a_second_tab_takes_the_media_over_and_the_first_may_take_it_back(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, first, _ = await both(two)
        await join(first, patient)
        second = await two.connect(patient, 1)
        assert (await join(second, patient))["fresh"]
        await first.expect("media.taken_over")
        with pytest.raises(Exception, match="no_room"):
            await first.request("media.restart", visit=patient.visit)
        assert (await join(first, patient))["fresh"]
        await second.expect("media.taken_over")


async def test_r36_a_draining_workers_call_goes_on_until_its_people_are_on_another_worker(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(their, patient)
        await join(provider, patient)
        owner, other = two.workers
        drained = asyncio.create_task(owner.drain())
        assert await their.wait_closed() == 1001
        assert [room.participants.keys() for room in owner.rooms._rooms.values()] == [{"provider", "patient"}]
        assert await owner_of(valkey, patient) == owner.id
        back = await two.connect(patient, 1, resume=their.welcome["resume"])
        for client in (back, provider):
            assert (await client.expect("media.offer"))["fresh"], "the client had no need to ask"
        assert await owner_of(valkey, patient) == other.id
        await drained


async def test_a_claim_whose_worker_died_before_it_sent_a_message_pulls_the_patient_in_all_the_same(
    valkey: Redis,
) -> None:
    async with clinic(valkey, 1) as one:
        patient = await one.arrive()
        their = await one.connect(patient)
        await their.request("subscribe", topic=f"visit/{patient.visit}")
        worker = one.workers[0]
        worker.bus._handlers.pop(
            keys.EVENTS(ORG).encode()
        )  # from now on this worker does not receive the messages of the dying worker
        visit, now_ms = await worker.service.store.load(ORG, Visit, f"{patient.visit}")
        provider = one.provider(role=Role.ADMIN)
        decided = decide(visit, c.Claim(), provider, context(now_ms))
        assert isinstance(decided, Decided)
        assert isinstance(decided.event, Event)
        committed = await worker.service.store.commit(
            ORG, decided.visit, decided.event, index_score=decided.visit.arrived_ms
        )
        assert committed is not None
        pulled = await their.expect("visit.state", lambda m: m["visit"]["status"] == "claimed")
        assert pulled["visit"]["claimant"]["name"] == provider.name


async def test_a_room_whose_lease_was_given_back_late_is_one_room(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(their, patient)
        for _ in range(5):
            await provider.request("visit.release", visit=patient.visit)
            await provider.request("visit.claim", visit=patient.visit)
            await join(their, patient)
            await join(provider, patient)
            assert len(gates(two, patient)) == 1, "both sit in the same room"


async def test_r30_a_worker_that_starts_after_a_death_was_announced_believes_it_at_once(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.rooms.liveness.DISTRUST_S", 3600.0)
    async with clinic(valkey, 1) as one:
        worker = one.workers[0]
        assert not await worker.liveness.is_dead("w9-dead0001"), (
            "a worker that has just started trusts no silence"
        )
        store: Any = valkey
        for command in death_of("w9-dead0001"):
            await store.execute_command(*command)
    async with clinic(valkey, 1) as later:
        assert await later.workers[0].liveness.is_dead("w9-dead0001")
        assert not await later.workers[0].liveness.is_dead("w9-dead0002")


async def test_news_of_a_lost_room_that_comes_twice_moves_its_members_once(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(provider, patient)
        await join(their, patient)
        memberships, owner = two.workers[0].memberships, two.workers[1]
        fence = owner.rooms._rooms[f"{patient.visit}"].fence
        with capture_logs() as logs:
            memberships.lost(f"{patient.visit}", fence)
            assert logs == [], "the lease is no newer than theirs"
            for _ in range(2):
                memberships.move_from(frozenset({owner.id}))
        assert [line["event"] for line in logs] == ["room.moving"]
        assert (await their.expect("media.offer"))["fresh"]


async def test_a_room_that_is_lost_moves_the_members_of_its_own_worker_too(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, _ = await both(one)
        await join(their, patient)
        rooms = one.workers[0].rooms
        fence = rooms._rooms[f"{patient.visit}"].fence
        with capture_logs() as logs:
            rooms.lost(f"{patient.visit}", fence)
            assert logs == [], "the lease is no newer than its own"
            rooms.lost(f"{patient.visit}", fence + 1)
        assert [line["event"] for line in logs] == ["room.lost", "room.moving"]
        assert (await their.expect("media.offer"))["fresh"]


async def test_a_person_who_is_no_longer_the_party_has_no_membership(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(their, patient)
        await join(provider, patient)
        memberships = two.workers[1].memberships
        before = await record(two, patient)
        after = replace(before, parties={"patient": before.parties["patient"]}, version=before.version + 1)
        memberships.news(Change(ORG, 99, "released", before, before))
        assert memberships.holds(provider.welcome["connection"])
        memberships.news(Change(ORG, 99, "released", before, after))
        assert not memberships.holds(provider.welcome["connection"])


async def test_a_lease_that_the_store_has_lost_is_taken_again(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, _ = await both(one)
        await join(their, patient)
        worker = one.workers[0]
        await valkey.delete(keys.LEASE(ORG, f"{patient.visit}"))
        worker.rooms.doubt()

        async def taken() -> bool:
            return await owner_of(valkey, patient) == worker.id

        await until(taken)


async def test_the_end_of_a_room_ends_the_memberships_of_its_visit_alone(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, _ = await both(one)
        await join(their, patient)
        memberships, connection = one.workers[0].memberships, their.welcome["connection"]
        memberships.close_room("v_other")
        assert memberships.holds(connection)
        memberships.close_room(f"{patient.visit}")
        assert not memberships.holds(connection)


async def test_after_an_outage_of_the_store_a_worker_without_a_sign_is_not_called_dead(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        liveness = one.workers[0].liveness
        await until(lambda: liveness._written_s > 0)
        liveness._distrusted_until = 0.0  # as if the worker had started long ago
        assert await liveness.is_dead("w9-silent")

        async def fail() -> None:
            raise UnavailableError("store")

        with capture_logs() as logs:
            with monkeypatch.context() as patch:
                patch.setattr(liveness, "_once", fail)
                await until(lambda: not liveness.healthy)
            assert not await liveness.is_dead("w9-silent")
            await until(lambda: liveness.healthy)
            for _ in range(2):
                await liveness._once()
        assert [line["event"] for line in logs if line["event"].startswith("store.")] == ["store.available"]


async def test_a_connection_moved_by_a_drain_keeps_its_media_in_another_workers_room(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(provider, patient)
        await join(their, patient)
        assert await owner_of(valkey, patient) == two.workers[1].id
        room = two.workers[1].rooms._rooms[f"{patient.visit}"]
        leg = room.participants["patient"].media
        await two.workers[0].drain()
        assert await their.wait_closed() == 1001
        back = await two.connect(patient, 1, resume=their.welcome["resume"])
        await until(lambda: room.participants["patient"].member.worker == two.workers[1].id)
        assert room.participants["patient"].media is leg
        await back.request("media.mute", visit=patient.visit, kind="video", muted=True)


async def test_a_tab_whose_media_another_has_taken_does_not_take_it_back_when_it_is_resumed(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        patient, first, _ = await both(two, 1, 0)
        await join(first, patient)
        second = await two.connect(patient, 1)
        await join(second, patient)
        await first.expect("media.taken_over")
        first.vanish()
        await first.wait_closed()
        again = await two.connect(patient, 0, resume=first.welcome["resume"])
        await again.expect("media.taken_over")
        assert not any(worker.memberships.holds(again.welcome["connection"]) for worker in two.workers)


@pytest.mark.parametrize("worker", [0, 1], ids=["on the room's worker", "on another"])
async def test_a_former_provider_leaves_the_room_when_release_and_claim_are_seen_as_one_change(
    valkey: Redis, worker: int
) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, worker, 0)
        await join(their, patient)
        await join(provider, patient)
        await start(patient, their, provider)
        await provider.request("media.mute", visit=patient.visit, kind="audio", muted=True)
        colleague = await two.on_call(two.provider("Dr B. Lin"), 1)
        mirrors = [await w.service.mirrors.get(ORG) for w in two.workers]
        await until(lambda: all(len(mirror.staff) == 2 for mirror in mirrors))
        room = two.workers[0].rooms._rooms[f"{patient.visit}"]
        assert set(room.participants) == {"patient", "provider"}
        with pytest.MonkeyPatch.context() as patch:
            for mirror in mirrors:
                patch.setattr(mirror, "_take", lambda *_: None)
                patch.setattr(mirror, "repair", lambda *_: None)
            service = two.workers[1].service
            for who, command in ((two.provider(), c.Release()), (two.provider("Dr B. Lin"), c.Claim())):
                assert isinstance(await service.command(who, f"{patient.visit}", command), Accepted)
            for mirror in mirrors:
                await mirror._reload()
        assert set(room.participants) == {"patient"}, "nobody receives the patient any more"
        assert not two.workers[worker].memberships.holds(provider.welcome["connection"])
        with pytest.raises(Exception, match=r"no_room|not_allowed"):
            await provider.request("media.restart", visit=patient.visit)
        assert [(await their.expect("media.muted"))["muted"] for _ in range(2)] == [True, False]
        assert (await join(colleague, patient))["fresh"]
