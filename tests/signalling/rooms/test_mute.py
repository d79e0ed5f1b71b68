"""Tests that muting is kept after a reload, in a second tab and after a move to another worker, and that the relay
enforces it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.visit.record import Actor, Role
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.rooms.calls import both, call_owned_elsewhere, join
from tests.signalling.rooms.test_guests import guest
from tests.signalling.waits import until


async def mute(client: SignallingClient, patient: Actor, kind: str = "audio", muted: bool = True) -> None:
    """Turn the microphone ("audio") or camera ("video") of the client off in the patient's visit, or on if
    not `muted`.
    """
    await client.request("media.mute", visit=patient.visit, kind=kind, muted=muted)


async def muted(client: SignallingClient) -> tuple[str, str, bool]:
    """Return (party, kind, whether muted) of the next `media.muted` that a client receives."""
    message = await client.expect("media.muted")
    return message["party"], message["kind"], message["muted"]


def forwards(open_: Clinic, patient: Actor, party: str, worker: int = 0) -> set[str]:
    """Return the kinds of media of a party that the relay of this worker would forward in the patient's visit."""
    participant: Any = open_.workers[worker].rooms._rooms[str(patient.visit)].participants[party]
    return set(participant.media._party.endpoint.allowed)


async def kept_muted(open_: Clinic, patient: Actor) -> bool:
    """Return True if the store has any muted kind of media for the visit's room."""
    return bool(await open_.workers[0].rooms._leases.muted(ORG, str(patient.visit)))


async def test_a_party_that_reloads_stays_muted_and_is_sent_its_own_state(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        await join(provider, patient)
        await join(their, patient)
        await mute(their, patient)
        assert await muted(provider) == ("patient", "audio", True)
        await their.close()  # a reload of the page: the connection ends, and another connection begins
        await until(lambda: "patient" not in one.workers[0].rooms._rooms[str(patient.visit)].participants)
        back = await one.connect(patient)
        await join(back, patient)
        assert await muted(back) == ("patient", "audio", True)
        assert forwards(one, patient, "patient") == {"video"}
        await mute(back, patient, muted=False)
        assert await muted(provider) == ("patient", "audio", False)
        assert forwards(one, patient, "patient") == {"audio", "video"}


async def test_a_second_tab_that_takes_the_media_over_stays_muted(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, first, provider = await both(two)
        await join(first, patient)
        await mute(first, patient, "video")
        second = await two.connect(patient, 1)
        await join(second, patient)
        assert await muted(second) == ("patient", "video", True)
        assert forwards(two, patient, "patient") == {"audio"}
        await join(provider, patient)
        assert await muted(provider) == ("patient", "video", True)


async def test_a_muted_party_stays_muted_when_another_worker_takes_the_room_over(
    valkey: Redis, valkey_url: str
) -> None:
    async with call_owned_elsewhere(valkey, valkey_url) as (one, other, patient, their, provider):
        await mute(their, patient)
        # The answer to `mute` may come before the muted kind is in the store, so the test waits for it.
        await until(partial(kept_muted, one, patient))
        await until(lambda: time.monotonic() > one.workers[0].liveness._distrusted_until)
        other.kill()
        await their.expect("media.offer")
        assert await muted(their) == ("patient", "audio", True)
        assert forwards(one, patient, "patient") == {"video"}
        await provider.wait_closed()
        back = await one.connect(one.provider(), 0, resume=provider.welcome["resume"])
        assert await muted(back) == ("patient", "audio", True)


async def test_a_guest_who_reloads_stays_muted(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two)
        await join(their, patient)
        key, rosa = await guest(two, provider, patient)
        await join(rosa, patient)
        await mute(rosa, patient)
        await until(lambda: forwards(two, patient, key) == {"video"})
        actor = Actor(organisation=ORG, id=key, name="Rosa Diaz", role=Role.GUEST, visit=patient.visit)
        await rosa.close()
        back = await two.connect(actor, 0)
        await join(back, patient)
        assert await muted(back) == (key, "audio", True)
        assert forwards(two, patient, key) == {"video"}


async def test_another_provider_of_the_visit_does_not_begin_muted(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        await join(their, patient)
        await join(provider, patient)
        await mute(provider, patient)
        await provider.request("visit.release", visit=patient.visit)
        successor = await one.on_call(one.provider("Dr A. Lee"))
        await successor.request("visit.claim", visit=patient.visit)
        await join(successor, patient)
        assert forwards(one, patient, "provider") == {"audio", "video"}


async def test_a_resumed_connection_is_sent_what_was_switched_meanwhile(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two)
        await join(provider, patient)
        await join(their, patient)
        await mute(their, patient, "video")
        assert await muted(provider) == ("patient", "video", True)
        await provider.close()
        await mute(their, patient, "video", muted=False)
        await mute(their, patient, "audio")
        back = await two.connect(two.provider(), 1, resume=provider.welcome["resume"])
        assert {await muted(back), await muted(back)} == {
            ("patient", "audio", True),
            ("patient", "video", False),
        }


async def test_f14_a_device_that_a_party_does_not_have_is_not_like_one_that_is_off(
    valkey: Redis,
) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        await join(provider, patient)
        await join(their, patient)

        async def has(client: SignallingClient, *, missing: bool) -> None:
            await client.request("media.mute", visit=patient.visit, kind="video", muted=True, missing=missing)

        async def missing_of(client: SignallingClient) -> tuple[str, bool, bool]:
            message = await client.expect("media.muted")
            return message["party"], message["muted"], message["missing"]

        await has(their, missing=True)
        assert await missing_of(provider) == ("patient", False, True)
        assert forwards(one, patient, "patient") == {"audio", "video"}, "nothing is switched off"
        await their.close()
        await until(lambda: "patient" not in one.workers[0].rooms._rooms[str(patient.visit)].participants)
        back = await one.connect(patient)
        await join(back, patient)
        assert await missing_of(back) == ("patient", False, True), "the next page corrects it"
        await has(back, missing=False)
        assert await missing_of(provider) == ("patient", False, False)
