"""Tests screen sharing: who may begin it and when, which messages all receive, and what ends it."""

from __future__ import annotations

import time

import pytest
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.errors import RequestError
from signalling.protocol.client_messages import ScreenAct
from signalling.rooms.participants import NO_SCREEN, Screen
from signalling.rooms.screen import after
from signalling.visit.record import Actor
from tests.signalling.clinic import Clinic, clinic
from tests.signalling.rooms.calls import both, call_owned_elsewhere, gates, join, start
from tests.signalling.rooms.test_guests import guest
from tests.signalling.rooms.test_mute import forwards, mute
from tests.signalling.waits import until

ASKED, BY_PROVIDER, BY_PATIENT = Screen(asked=True), Screen("provider"), Screen("patient")
GUEST = "guest-rosa"
# Reviewed by people: (state before, party, act, state after). The state after is None if the act is not allowed.
REVIEWED: tuple[tuple[Screen, str, ScreenAct, Screen | None], ...] = (
    (NO_SCREEN, "provider", "share", BY_PROVIDER),
    (NO_SCREEN, "patient", "share", None),
    (NO_SCREEN, GUEST, "share", None),
    (ASKED, "patient", "share", BY_PATIENT),
    (ASKED, GUEST, "share", None),
    (ASKED, "provider", "share", Screen("provider", asked=True)),
    (BY_PATIENT, "provider", "share", BY_PROVIDER),
    (BY_PROVIDER, "patient", "share", None),
    (Screen("provider", asked=True), "patient", "share", BY_PATIENT),
    (BY_PROVIDER, "provider", "share", BY_PROVIDER),
    (BY_PATIENT, "patient", "share", BY_PATIENT),
    (BY_PROVIDER, "provider", "end", NO_SCREEN),
    (BY_PATIENT, "patient", "end", NO_SCREEN),
    (BY_PATIENT, "provider", "end", BY_PATIENT),
    (BY_PROVIDER, GUEST, "end", BY_PROVIDER),
    (Screen("provider", asked=True), "provider", "end", ASKED),
    (NO_SCREEN, "provider", "ask", ASKED),
    (BY_PATIENT, "provider", "ask", BY_PATIENT),
    (NO_SCREEN, "patient", "ask", None),
    (NO_SCREEN, GUEST, "ask", None),
    (ASKED, "patient", "decline", NO_SCREEN),
    (ASKED, "provider", "decline", None),
    (ASKED, GUEST, "decline", None),
)


@pytest.mark.parametrize(("before", "party", "act", "expected"), REVIEWED)
def test_s50_who_may_share_when(before: Screen, party: str, act: ScreenAct, expected: Screen | None) -> None:
    assert after(before, party, act) == expected


async def share(client: SignallingClient, patient: Actor, act: str = "share") -> None:
    """Send a request about screen sharing in the patient's visit. `act`: the requested act, such as "share"."""
    await client.request("media.share", visit=patient.visit, act=act)


async def shared(client: SignallingClient) -> tuple[str | None, bool]:
    """Return (the party that shares its screen or None, whether the patient is asked to share) of the next
    `media.shared`.
    """
    message = await client.expect("media.shared")
    return message["sharing"], message["asked"]


async def live(open_: Clinic) -> tuple[Actor, SignallingClient, SignallingClient]:
    """Make a live visit whose people have joined the media; return (the patient, the patient's client, the provider's
    client).
    """
    patient, their, provider = await both(open_)
    for client in (their, provider):
        await join(client, patient)
    await start(patient, their, provider)
    await until(lambda: gates(open_, patient) == [True])
    return patient, their, provider


async def test_s50_no_screen_is_shared_before_both_have_pressed_and_none_after_the_call(
    valkey: Redis,
) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await both(one)
        for client in (their, provider):
            await join(client, patient)
        await start(patient, provider)
        for act in ("share", "ask"):
            with pytest.raises(RequestError) as refused:
                await share(provider, patient, act)
            assert refused.value.code == "wrong_status"
        await start(patient, their)
        await until(lambda: gates(one, patient) == [True])
        await share(provider, patient)
        assert await shared(their) == ("provider", False)
        await their.request("visit.hang_up", visit=patient.visit)
        assert await shared(their) == (None, False), "and that it has ended is said"
        await start(patient, their)
        await until(lambda: gates(one, patient) == [True])
        assert one.workers[0].rooms._rooms[str(patient.visit)].screen == NO_SCREEN, "never by itself again"


async def test_s50_the_patient_shares_only_when_asked_and_may_decline(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        patient, their, provider = await live(one)
        with pytest.raises(RequestError) as refused:
            await share(their, patient)
        assert refused.value.code == "not_allowed"
        await share(provider, patient, "ask")
        assert [await shared(client) for client in (their, provider)] == [(None, True)] * 2
        await share(their, patient, "decline")
        assert await shared(provider) == (None, False)
        with pytest.raises(RequestError):
            await share(their, patient)
        await share(provider, patient, "ask")
        await share(their, patient)
        assert [await shared(provider) for _ in range(2)] == [(None, True), ("patient", False)]
        await share(their, patient, "end")
        assert await shared(provider) == (None, False)


async def test_a_screen_is_forwarded_also_when_the_camera_is_off_and_the_camera_stays_off(
    valkey: Redis,
) -> None:
    async with clinic(valkey, 1) as one:
        patient, _, provider = await live(one)
        await mute(provider, patient, "video")
        assert forwards(one, patient, "provider") == {"audio"}
        await share(provider, patient)
        assert forwards(one, patient, "provider") == {"audio", "video"}
        await mute(provider, patient, "video")
        assert forwards(one, patient, "provider") == {"audio", "video"}
        await share(provider, patient, "end")
        assert forwards(one, patient, "provider") == {"audio"}


async def test_a_guest_learns_who_shares_even_if_they_come_later_and_may_not_share(valkey: Redis) -> None:
    async with clinic(valkey) as one:
        patient, _, provider = await live(one)
        await share(provider, patient)
        _, rosa = await guest(one, provider, patient)
        await join(rosa, patient)
        assert await shared(rosa) == ("provider", False)
        for act in ("share", "ask", "decline"):
            with pytest.raises(RequestError) as refused:
                await share(rosa, patient, act)
            assert refused.value.code == "not_allowed"


async def test_r37_sharing_ends_with_the_page_that_shares_and_is_said(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await live(two)
        await share(provider, patient)
        assert await shared(their) == ("provider", False)
        second = await two.connect(two.provider(), 1)
        await second.request("visit.enter", visit=patient.visit)
        await join(second, patient)
        assert await shared(their) == (None, False), "another tab took the media over"
        await share(second, patient)
        assert await shared(their) == ("provider", False)
        await second.close()
        assert await shared(their) == (None, False), "the page was closed"


async def test_r37_a_connection_that_moved_learns_who_shares_and_continues_to_share(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        patient, their, provider = await live(two)
        await share(provider, patient)
        for client in (their, provider):
            assert await shared(client) == ("provider", False)
        provider.vanish()
        await provider.wait_closed()
        back = await two.connect(two.provider(), 1, resume=provider.welcome["resume"])
        assert await shared(back) == ("provider", False)


async def test_r37_nothing_is_shared_when_another_worker_takes_the_room_over(
    valkey: Redis, valkey_url: str
) -> None:
    async with call_owned_elsewhere(valkey, valkey_url) as (one, other, patient, their, provider):
        await share(provider, patient)
        assert await shared(their) == ("provider", False)
        await until(lambda: time.monotonic() > one.workers[0].liveness._distrusted_until)
        other.kill()
        assert (await their.expect("media.offer"))["fresh"], "which resets what a client knows"
        assert one.workers[0].rooms._rooms[str(patient.visit)].screen == NO_SCREEN
