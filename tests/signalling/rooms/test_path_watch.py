"""Tests that all parties of a room are informed of each party's network path: found, lost, or not found within
15 s of joining.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.rooms.participants import Participant
from signalling.rooms.path_watch import NO_PATH_S
from signalling.rooms.ports import PicturePaused
from signalling.sockets import clean_up
from signalling.visit.record import Actor
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, clinic
from tests.signalling.rooms.calls import both, join, owner_of
from tests.signalling.rooms.test_guests import guest, room_of
from tests.signalling.waits import until
from tests.signalling.worker_process import worker_process
from web.peers.media.light import LightMedia

SOON_S = 0.3


def soon(open_: Clinic) -> None:
    """Shorten the time after which the workers report that a party has no path.

    A party whose media connects must join before: on a busy machine, its connection takes longer.
    """
    for worker in open_.workers:
        worker.rooms.paths.no_path_s = SOON_S


def participant_of(open_: Clinic, patient: Actor, party: str) -> Participant:
    """Return a participant in the room of the patient's visit. `party`: the party's key."""
    return room_of(open_, patient).participants[party]


def time_is_over(open_: Clinic, patient: Actor, party: str) -> None:
    """End the time within which a party of the patient's visit must find a path."""
    timer = participant_of(open_, patient, party).overdue
    assert timer is not None, "the party has a path, or is known to have none"
    timer._run()


async def path(client: SignallingClient) -> tuple[str, str]:
    """Return (party, state of its path) of the next `media.path` that a client receives."""
    message = await client.expect("media.path")
    return message["party"], message["path"]


@asynccontextmanager
async def connected(client: SignallingClient, patient: Actor) -> AsyncIterator[LightMedia]:
    """Join the patient's call with real sockets; yield the media connection when SRTP flows, and close it
    at the end.
    """
    media = LightMedia(lambda: None)
    try:
        await answer(client, patient, media, await join(client, patient))
        yield media
    finally:
        await media.close()


async def answer(client: SignallingClient, patient: Actor, media: LightMedia, offer: dict[str, Any]) -> None:
    """Answer the SDP `offer`, and return when the media is connected. Raises TimeoutError after WAIT_S."""
    sdp = await media.take_offer(offer["sdp"], fresh=offer["fresh"])
    await client.request("media.answer", visit=patient.visit, offer=offer["offer"], sdp=sdp)
    await media.wait_connected(WAIT_S)


def timers(open_: Clinic) -> int:
    """Return the number of participants, on all workers, whose media has not found a network path yet."""
    rooms = [room for worker in open_.workers for room in worker.rooms._rooms.values()]
    return sum(each.overdue is not None for room in rooms for each in room.participants.values())


def test_a_party_without_a_media_path_is_reported_after_15_s() -> None:
    assert NO_PATH_S == 15.0


async def test_a_missing_path_is_reported_to_the_party_itself_and_to_the_others(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        async with connected(provider, patient):
            soon(two)
            began_s = time.monotonic()
            await join(their, patient)
            assert await path(their) == ("patient", "none")
            assert time.monotonic() - began_s >= SOON_S
            assert await path(provider) == ("patient", "none")
            assert timers(two) == 0


async def test_over_real_sockets_others_receive_open_and_lost_and_the_party_itself_only_none(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await both(two, 1, 0)
        await join(provider, patient)
        async with connected(their, patient):
            assert await path(provider) == ("patient", "open")
            time_is_over(two, patient, "provider")
            assert await path(their) == ("provider", "none")
            assert await path(provider) == ("provider", "none"), "its own"
            second = await two.connect(patient, 1)
            await join(second, patient)  # the connection of the first tab ends, because the second tab joins
            assert await path(provider) == ("patient", "lost")
            assert await path(second) == ("provider", "none"), "a joiner is told what is not open"
            time_is_over(two, patient, "patient")
            assert await path(second) == ("patient", "none")
            assert await path(provider) == ("patient", "none")


async def test_a_path_found_late_is_reported_to_the_party_itself_too(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        async with connected(provider, patient):
            offer = await join(their, patient)
            time_is_over(one, patient, "patient")
            assert await path(their) == ("patient", "none")
            assert await path(provider) == ("patient", "none")
            media = LightMedia(lambda: None)
            await answer(their, patient, media, offer)
            assert await path(their) == ("patient", "open")
            assert await path(provider) == ("patient", "open")
            await media.close()


async def test_a_page_that_joins_repeatedly_is_notified_15_s_after_its_first_join(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, _ = await both(one)
        running = []
        for _ in range(4):
            await join(their, patient)
            running.append(participant_of(one, patient, "patient").overdue)
        assert running == [running[0]] * 4, "one timer, which began at the first join"
        time_is_over(one, patient, "patient")
        assert await path(their) == ("patient", "none")
        await join(their, patient)
        assert await path(their) == ("patient", "none"), "what is known is told after the fresh offer"
        assert timers(one) == 0


async def test_no_path_is_awaited_after_a_party_has_left_or_its_visit_has_ended(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        await join(provider, patient)
        await join(their, patient)
        room = one.workers[0].rooms._rooms[str(patient.visit)]
        waiting = [participant.overdue for participant in room.participants.values()]
        await their.close()
        await until(lambda: "patient" not in room.participants)
        await provider.request("visit.end", visit=patient.visit)
        await until(lambda: not one.workers[0].rooms._rooms)
        assert [timer is not None and timer.cancelled() for timer in waiting] == [True, True]


async def test_leaving_the_page_loses_the_path_and_a_reload_opens_it_again(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        async with connected(provider, patient):
            async with connected(their, patient):
                assert await path(provider) == ("patient", "open")
                await their.close()
                assert await path(provider) == ("patient", "lost")
            back = await one.connect(patient)
            async with connected(back, patient):
                assert await path(provider) == ("patient", "open")


async def test_a_guest_receives_the_lost_paths_of_others_and_the_others_those_of_the_guest(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        soon(two)
        patient, their, provider = await both(two)
        await join(their, patient)
        assert await path(their) == ("patient", "none")
        key, rosa = await guest(two, provider, patient)
        await join(rosa, patient)
        assert await path(rosa) == ("patient", "none")
        assert await path(rosa) == (key, "none")
        assert await path(their) == (key, "none")


async def test_a_resumed_connection_receives_the_paths_that_it_missed(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean_up, "LINGER_S", WAIT_S)
    async with clinic(valkey) as two:
        patient, their, provider = await both(two)
        await join(provider, patient)
        time_is_over(two, patient, "provider")
        assert await path(provider) == ("provider", "none")
        await provider.close()
        async with connected(their, patient):
            back = await two.connect(two.provider(), 1, resume=provider.welcome["resume"])
            told = {await path(back), await path(back)}
            assert told == {("provider", "none"), ("patient", "open")}


async def test_a_client_that_cannot_hold_a_call_is_reported_at_once_and_with_the_reason(
    valkey: Redis,
) -> None:
    async with clinic(valkey) as two:
        soon(two)
        patient, their, provider = await both(two, 1, 0)
        await join(provider, patient)
        said = await provider.expect("media.path")
        assert (said["party"], said["path"], said["reason"]) == ("provider", "none", None)
        await their.request("media.join", visit=patient.visit, able=False)
        said = await provider.expect("media.path")
        assert (said["party"], said["path"], said["reason"]) == ("patient", "none", "browser")
        assert timers(two) == 0, "nothing is waited for"
        _, rosa = await guest(two, provider, patient)
        await join(rosa, patient)
        told = [await rosa.expect("media.path") for _ in range(2)]
        assert {said["party"]: said["reason"] for said in told} == {"patient": "browser", "provider": None}


async def test_a_party_whose_picture_is_paused_alone_gets_a_message_and_again_after_it_was_away(
    valkey: Redis,
) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        await join(their, patient)
        await join(provider, patient)
        watch, room = one.workers[0].rooms.paths, next(iter(one.workers[0].rooms._rooms.values()))
        watch.follow(room, "provider", PicturePaused(True))
        assert (await provider.expect("media.paused"))["paused"]
        await provider.close()
        back = await one.connect(one.provider(), 0, resume=provider.welcome["resume"])
        assert (await back.expect("media.paused"))["paused"]
        watch.follow(room, "provider", PicturePaused(False))
        assert not (await back.expect("media.paused"))["paused"]
        watch.follow(room, "nobody", PicturePaused(True))
        watch.follow(room, "patient", PicturePaused(True))
        assert (await their.expect("media.paused"))["paused"], "the first that the patient is told"
        await join(their, patient)
        assert not room.participants["patient"].paused, "a fresh offer begins with pictures"


async def test_after_another_worker_took_the_room_over_all_paths_are_sent_again(
    valkey: Redis, valkey_url: str
) -> None:
    async with clinic(valkey, 1) as one, worker_process(valkey_url) as other:
        patient, their, provider = await both(one, other.url, 0)
        await join(provider, patient)
        assert await owner_of(valkey, patient) == other.id
        async with connected(their, patient) as media:
            assert await path(provider) == ("patient", "open")
            await until(lambda: time.monotonic() > one.workers[0].liveness._distrusted_until)
            other.kill()
            await answer(their, patient, media, await their.expect("media.offer"))
            await provider.wait_closed()
            back = await one.connect(one.provider(), 0, resume=provider.welcome["resume"])
            assert (await back.expect("media.offer"))["fresh"]
            time_is_over(one, patient, "provider")
            assert await path(back) == ("provider", "none"), "the patient's is open, which a fresh offer says"
            assert await path(their) == ("provider", "none")
