"""Tests guests in a visit's media: a guest is forwarded after the guest's own Start Session, and removed when
dismissed.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.rooms.participants import Room
from signalling.rooms.ports import Speaking
from signalling.visit.record import Actor, Role
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.rooms.calls import both, join, start
from tests.signalling.test_clinic_side import refused
from tests.signalling.waits import until


async def guest(
    open_: Clinic, provider: SignallingClient, patient: Actor, name: str = "Rosa Diaz"
) -> tuple[str, SignallingClient]:
    """Let the provider invite a guest named `name`, who enters the patient's visit; return (the guest's key, the
    guest's client).
    """
    invited = await provider.request("visit.invite", visit=patient.visit, name=name, relation="interpreter")
    actor = Actor(organisation=ORG, id=invited["guest"], name=name, role=Role.GUEST, visit=patient.visit)
    client = await open_.connect(actor, 1)
    await client.request("subscribe", topic=f"visit/{patient.visit}")
    await client.request("subscribe", topic=f"chat/{patient.visit}")
    await client.request("visit.enter", visit=patient.visit)
    return invited["guest"], client


def room_of(open_: Clinic, patient: Actor) -> Room:
    """Return the room of the patient's visit. Raises ValueError if there is none, or more than one."""
    (room,) = [
        w.rooms._rooms[f"{patient.visit}"] for w in open_.workers if f"{patient.visit}" in w.rooms._rooms
    ]
    return room


def admitted(open_: Clinic, patient: Actor, party: str) -> bool:
    """Return True if the relay forwards the media of this party."""
    found: Any = room_of(open_, patient).participants[party].media
    return bool(found._party.admitted)


async def test_a_guest_takes_part_from_their_own_start_on(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two)
        key, rosa = await guest(two, provider, patient)
        for client in (their, provider, rosa):
            await join(client, patient)
        await start(patient, their, provider)
        await until(lambda: bool(getattr(room_of(two, patient).media, "gate", False)))
        assert not admitted(two, patient, key)
        assert admitted(two, patient, "patient")
        await rosa.request("visit.start", visit=patient.visit)
        await until(lambda: admitted(two, patient, key))


async def test_everybody_who_was_there_is_offered_the_newcomer_over_the_same_connection(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two)
        await join(their, patient)
        await join(provider, patient)
        key, rosa = await guest(two, provider, patient)
        offer = await join(rosa, patient)
        assert offer["fresh"]
        for party in ("patient", "provider"):
            assert offer["sdp"].count(f"a=msid:{party} ") == 2
        for client, other in ((their, "provider"), (provider, "patient")):
            again = await client.expect("media.offer")
            assert not again["fresh"]
            assert again["offer"] == 2
            assert again["sdp"].count(f"a=msid:{other} ") == 2
            assert again["sdp"].count(f"a=msid:{key} ") == 2


async def test_a_dismissed_guest_loses_the_media_and_all_subscriptions(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two)
        key, rosa = await guest(two, provider, patient)
        await join(their, patient)
        await join(rosa, patient)
        room = room_of(two, patient)
        leg: Any = room.participants[key].media
        await provider.request("visit.dismiss", visit=patient.visit, guest=key)
        await rosa.expect("visit.state", lambda m: key not in m["visit"]["parties"])
        await until(lambda: key not in room.participants)
        assert leg._party.gone
        for request in ("media.join", "media.restart", "visit.enter", "visit.start"):
            assert await refused(rosa, request, visit=patient.visit) == "not_allowed"
        for topic in ("visit", "chat"):
            assert await refused(rosa, "subscribe", topic=f"{topic}/{patient.visit}") == "not_found"
            for worker in two.workers:
                heard = worker.hub.subscribers(f"{ORG}/{topic}/{patient.visit}")
                assert not any(socket.actor.id == key for socket in heard)


async def test_each_party_is_sent_who_speaks_and_a_resumed_connection_again(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two)
        for client in (their, provider):
            await join(client, patient)
        (rooms,) = [worker.rooms for worker in two.workers if patient.visit in worker.rooms._rooms]
        room = room_of(two, patient)
        for party, client in (("patient", their), ("provider", provider)):
            for speaker in ("provider", None, "provider"):
                rooms._media_news(room, party, Speaking(speaker))
                assert (await client.expect("media.speaker"))["party"] == speaker
        rooms._media_news(room, "guest-who-left", Speaking("provider"))
        await provider.close()
        back = await two.connect(two.provider(), 1, resume=provider.welcome["resume"])
        assert (await back.expect("media.speaker"))["party"] == "provider"
