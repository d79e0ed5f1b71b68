"""Makes live calls for the tests of rooms.

The functions claim a visit, join its media and press Start Session for both people. A worker of this process
owns the visit's room, or a worker in another process does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.store import keys
from signalling.visit.record import Actor, Status
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.waits import until
from tests.signalling.worker_process import Process, worker_process


async def both(
    open_: Clinic, provider_worker: int | str = 0, patient_worker: int = 0
) -> tuple[Actor, SignallingClient, SignallingClient]:
    """Make a claimed visit with both people on its page; return (the patient, the patient's client, the provider's
    client).

    `provider_worker` and `patient_worker`: the worker to which each connects.
    """
    patient = await open_.arrive()
    their = await open_.connect(patient, patient_worker)
    await their.request("visit.enter", visit=patient.visit)
    provider = await open_.on_call(open_.provider(), provider_worker)
    await provider.request("visit.claim", visit=patient.visit)
    await provider.request("visit.enter", visit=patient.visit)
    return patient, their, provider


async def join(client: SignallingClient, patient: Actor) -> dict[str, Any]:
    """Join the media of the patient's visit; return the message with the offer."""
    await client.request("media.join", visit=patient.visit)
    return await client.expect("media.offer")


def gates(open_: Clinic, patient: Actor) -> list[bool]:
    """Return one value for each worker that has a room of the visit: True if its gate is open (media may pass)."""
    found = [worker.rooms._rooms.get(f"{patient.visit}") for worker in open_.workers]
    return [room.media.gate for room in found if room is not None]


async def owner_of(valkey: Redis, patient: Actor) -> str | None:
    """Return the id of the worker that owns the visit's room, as the store says; None if none does."""
    store: Any = valkey
    owner = await store.hget(keys.LEASE(ORG, f"{patient.visit}"), "owner")
    return None if owner is None else str(owner.decode())


async def start(patient: Actor, *clients: SignallingClient) -> None:
    """Press Start Session for each of these clients of the patient's visit."""
    for client in clients:
        await client.request("visit.start", visit=patient.visit)


@asynccontextmanager
async def call_owned_elsewhere(
    valkey: Redis, valkey_url: str
) -> AsyncIterator[tuple[Clinic, Process, Actor, SignallingClient, SignallingClient]]:
    """Make a live visit whose room another process owns.

    The patient is connected to the clinic's only worker, the provider to the worker in the other process. Yield (the
    clinic, that other worker, the patient, the patient's client, the provider's client).
    """
    async with clinic(valkey, 1) as one, worker_process(valkey_url) as other:
        patient, their, provider = await both(one, other.url, 0)
        await join(provider, patient)
        assert await owner_of(valkey, patient) == other.id
        await join(their, patient)
        # The provider presses last: the other worker's copy has the live visit then. This worker's copy has it a moment
        # later. Until then, a worker refuses requests about the call.
        await start(patient, their, provider)
        mirror = await one.workers[0].service.mirrors.get(ORG)
        await until(lambda: mirror.visits[f"{patient.visit}"].status is Status.LIVE)
        yield one, other, patient, their, provider
