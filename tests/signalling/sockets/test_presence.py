"""Tests that a visit's record names the people on its page, after all failures of sockets, workers and the store."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from redis.asyncio import Redis

from signalling.store import keys
from signalling.sweep import system
from signalling.visit import commands as c
from signalling.visit.record import Actor, Visit
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.waits import until
from tests.signalling.worker_process import worker_process


async def record(open_: Clinic, patient: Actor) -> Visit:
    """Return the stored record of a patient's visit."""
    assert patient.visit is not None
    found, _ = await open_.workers[0].service.store.load(ORG, Visit, patient.visit)
    assert found is not None
    return found


async def present(open_: Clinic, patient: Actor) -> dict[str, str]:
    """Return connection -> worker, for the patient's connections in the record."""
    return (await record(open_, patient)).parties["patient"].connections


async def on_page(open_: Clinic, patient: Actor, worker: int | str, **how: Any) -> Any:
    """Connect a patient to a worker, and enter the visit's page; return the client. `how`: arguments of `connect`."""
    client = await open_.connect(patient, worker, **how)
    await client.request("visit.enter", visit=patient.visit)
    return client


async def test_a_killed_workers_patients_are_shown_offline_soon_and_come_back_elsewhere(
    valkey: Redis, valkey_url: str
) -> None:
    async with clinic(valkey, 1) as one, worker_process(valkey_url) as other:
        patient = await one.arrive()
        client = await on_page(one, patient, other.url)
        assert list((await present(one, patient)).values()) == [other.id]
        other.kill()
        await client.wait_closed()
        # A worker that has just started declares no silent worker dead for 3 s. Then it waits 2.5 s for a resume.
        await until(lambda: absent(one, patient))
        back = await one.connect(patient, 0, resume=client.welcome["resume"])
        assert back.welcome["resumed"]
        await until(lambda: held_by(one, patient, 0))


async def absent(open_: Clinic, patient: Actor) -> bool:
    """Return True if the record has no connection of the patient."""
    return not await present(open_, patient)


async def test_a_resumed_connection_is_on_the_visits_page_without_entering_again(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient = await two.arrive()
        first = await on_page(two, patient, 0)
        connection = first.welcome["connection"]
        for worker in (1, 1, 0):
            first.vanish()
            await first.wait_closed()
            first = await two.connect(patient, worker, resume=first.welcome["resume"])
            assert first.welcome["connection"] == connection
            await until(partial(held_by, two, patient, worker))
        await first.send({"type": "bye", "id": 99})
        await until(lambda: absent(two, patient))


async def held_by(open_: Clinic, patient: Actor, worker: int) -> bool:
    """Return True if the visit's record has exactly one connection of the patient, at this worker."""
    return list((await present(open_, patient)).values()) == [open_.workers[worker].id]


async def test_a_departure_that_the_store_missed_is_written_again(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient = await one.arrive()
        assert patient.visit is not None
        ghost = c.Enter("c_ghost", one.workers[0].id)
        await one.workers[0].service.command(patient, patient.visit, ghost)
        await until(lambda: absent(one, patient))


async def test_a_worker_that_was_taken_for_dead_makes_its_people_present_again(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient = await two.arrive()
        assert patient.visit is not None
        client = await on_page(two, patient, 0)
        leave = c.Leave(client.welcome["connection"], two.workers[0].id)
        await two.workers[1].service.command(system(ORG), patient.visit, leave)
        await until(lambda: held_by(two, patient, 0))


async def test_a_store_that_restarts_makes_nobody_leave(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patients = [await two.arrive(i % 2) for i in range(4)]
        clients = [await on_page(two, p, i % 2) for i, p in enumerate(patients)]
        versions = [(await record(two, p)).version for p in patients]
        # After an outage that is longer than a sign of life is valid, the store has no sign of any worker.
        await asyncio.sleep(3.2)
        for _ in range(4):
            for worker in two.workers:
                await valkey.delete(keys.WORKER(worker.id))
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)
        assert [(await record(two, p)).version for p in patients] == versions
        assert all(client.closed_with is None for client in clients)


async def test_one_record_that_cannot_be_read_does_not_stop_the_deadlines_of_others(valkey: Redis) -> None:
    async with clinic(valkey, 1, away_expiry_ms=300) as one:
        spoilt, fine = await one.arrive(), await one.arrive()
        await valkey.hset(keys.VISIT(ORG, spoilt.visit or ""), "record", b"spoilt")
        await until(lambda: is_ended(one, fine))


async def is_ended(open_: Clinic, patient: Actor) -> bool:
    return not (await record(open_, patient)).is_open
