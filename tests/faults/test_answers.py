"""Tests requests that are sent to one worker and answered by another, which owns the room.

Each request gets exactly one reply, even if a reply on the way is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from signalling.clients.client import SignallingClient
from signalling.errors import RequestError, UnavailableError
from signalling.store.redis_connection import SharedRedis
from signalling.visit.commands import Claim, Release
from signalling.visit.record import Status, Visit
from signalling.visit.relations import Refusal
from signalling.worker import Limits
from tests.faults.caller import once_back
from tests.faults.link import Link, link_to
from tests.limits import WAIT_S
from tests.signalling.clinic import ORG, Clinic, open_worker
from tests.signalling.waits import until
from web.server.valkey import EmbeddedStore


@pytest.fixture
async def two(embedded_store: EmbeddedStore, valkey_url: str) -> AsyncIterator[tuple[Clinic, list[Link]]]:
    """A clinic that two workers serve, and the network link by which each worker reaches the store."""
    async with AsyncExitStack() as stack:
        links, opened = [], []
        for index in range(2):
            link = await stack.enter_async_context(link_to(embedded_store.url))
            redis = SharedRedis.from_url(link.url, socket_timeout=10.0)
            stack.push_async_callback(redis.aclose)
            opened.append(await stack.enter_async_context(open_worker(redis, index)))
            links.append(link)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Clinic([worker for worker, _ in opened], [server for _, server in opened], http), links


async def in_a_room_of_the_first(clinic: Clinic) -> tuple[str, SignallingClient, list[dict[str, Any]]]:
    """Make a claimed visit whose room the first worker owns. Return (the visit, the client of its provider at the
    second worker, a list that gets unexpected replies).
    """
    ana = await clinic.arrive(0)
    assert ana.visit is not None
    patient = await clinic.connect(ana, 0)
    await patient.request("visit.enter", visit=ana.visit)
    odd: list[dict[str, Any]] = []
    provider = await clinic.connect(clinic.provider(), 1, listener=_answers(odd))
    await provider.request("on_call", on=True)
    await provider.request("visit.claim", visit=ana.visit)
    await provider.request("visit.enter", visit=ana.visit)
    await patient.request("media.join", visit=ana.visit)
    await provider.request("media.join", visit=ana.visit)
    return ana.visit, provider, odd


def _answers(odd: list[dict[str, Any]]) -> Any:
    return lambda message: odd.append(message) if "reply_to" in message else None


async def test_a_command_whose_answer_from_the_store_was_lost_is_not_refused(
    two: tuple[Clinic, list[Link]],
) -> None:
    clinic, links = two
    visit, _, _ = await in_a_room_of_the_first(clinic)
    service, actor = clinic.workers[0].service, clinic.provider()
    for worker in clinic.workers:
        # The periodic work (sweep) is stopped, because it changes the visit as well: it records that the provider is on
        # the page.
        await worker.supervisor.stop("sweep")
    told: list[str] = []
    # In most of these tries the lost reply is that to the commit, in all others that to another query.
    while len(told) < 6 or ("unavailable" not in told and len(told) < 60):
        before, _ = await service.store.load(ORG, Visit, visit)
        assert before is not None
        command = Release() if before.status is Status.CLAIMED else Claim()
        links[0].lose_an_answer(after=0)
        try:
            outcome = await service.command(actor, visit, command)
        except UnavailableError:
            told.append("unavailable")
        else:
            told.append(outcome.code if isinstance(outcome, Refusal) else "done")
        after, _ = await service.store.load(ORG, Visit, visit)
        assert after is not None
        assert after.version <= before.version + 1, "carried out once"
    assert set(told) <= {"unavailable", "done"}, "what was carried out was refused"
    assert "unavailable" in told


async def test_a_request_that_could_not_be_passed_on_is_answered_once(two: tuple[Clinic, list[Link]]) -> None:
    clinic, links = two
    visit, provider, odd = await in_a_room_of_the_first(clinic)
    links[1].cut()
    await asyncio.sleep(0.1)
    with pytest.raises(RequestError) as refused:
        await provider.request("media.mute", visit=visit, kind="audio", muted=True)
    assert refused.value.code == "unavailable"
    links[1].heal()
    await asyncio.sleep(0.3)
    await once_back(provider, "visit.leave", visit=visit)
    await provider.request("ping")
    assert odd == []


async def test_a_request_of_a_lost_socket_is_not_answered_on_the_next_one(
    two: tuple[Clinic, list[Link]],
) -> None:
    clinic, links = two
    visit, provider, _ = await in_a_room_of_the_first(clinic)
    links[0].stall()
    await provider.ask("media.mute", visit=visit, kind="audio", muted=True)
    await asyncio.sleep(0.05)
    provider.vanish()
    odd: list[dict[str, Any]] = []
    back = await clinic.connect(
        clinic.provider(), 1, resume=provider.welcome["resume"], listener=_answers(odd)
    )
    await asyncio.sleep(0.3)
    links[0].heal()
    await once_back(back, "visit.leave", visit=visit)
    await asyncio.sleep(0.3)
    assert odd == []


async def test_r23_a_request_to_a_worker_that_is_cut_off_from_the_store_is_answered(
    two: tuple[Clinic, list[Link]],
) -> None:
    clinic, links = two
    visit, provider, odd = await in_a_room_of_the_first(clinic)
    links[0].cut()
    await asyncio.sleep(0.2)
    for request in ({"kind": "audio", "muted": True}, {}):
        with pytest.raises(RequestError) as refused:
            await provider.request("media.mute" if request else "media.join", visit=visit, **request)
        assert refused.value.code == "unavailable"
    assert odd == []


@pytest.mark.parametrize("worker", [0, 1])
async def test_a_request_of_a_party_whose_media_connection_has_failed_is_answered(
    two: tuple[Clinic, list[Link]], worker: int
) -> None:
    clinic, _ = two
    ana = await clinic.arrive(0)
    provider = await clinic.on_call(clinic.provider(), worker)
    await provider.request("visit.claim", visit=ana.visit)
    await provider.request("visit.enter", visit=ana.visit)
    patient = await clinic.connect(ana, 0)
    await patient.request("visit.enter", visit=ana.visit)
    await patient.request("media.join", visit=ana.visit)
    await provider.request("media.join", visit=ana.visit)
    participant = clinic.workers[0].rooms._rooms[f"{ana.visit}"].participants["provider"]
    leg: Any = participant.media
    leg._party._fail("wrong fingerprint")
    with pytest.raises(RequestError) as refused:
        await provider.request("media.restart", visit=ana.visit)
    assert refused.value.code == "no_room"
    with pytest.raises(RequestError) as refused:
        await provider.request("media.answer", visit=ana.visit, offer=participant.offer, sdp="v=0")
    assert refused.value.code == "no_room"
    await provider.request("media.join", visit=ana.visit)
    await provider.expect("media.offer")


async def test_a_client_that_has_sent_hello_is_not_closed_while_the_store_is_slow(
    embedded_store: EmbeddedStore, valkey_url: str
) -> None:
    async with link_to(embedded_store.url) as link, aiohttp.ClientSession() as http:
        redis = SharedRedis.from_url(link.url, socket_timeout=WAIT_S)
        async with open_worker(redis, 0, Limits(hello_s=1.5)) as (worker, server):
            clinic = Clinic([worker], [server], http)
            await (await clinic.connect(clinic.provider(), 0)).close()
            link.stall()
            asked = asyncio.ensure_future(clinic.connect(clinic.provider("Dr B. Lin"), 0))
            await asyncio.sleep(2.0)
            assert not asked.done()
            link.heal()
            client = await asked
            assert client.welcome["type"] == "welcome"
            await client.close()
        await redis.aclose()


async def test_a_join_whose_membership_is_given_up_while_the_store_is_silent_is_answered_once(
    two: tuple[Clinic, list[Link]],
) -> None:
    clinic, links = two
    visit, provider, odd = await in_a_room_of_the_first(clinic)
    worker = clinic.workers[1]
    member = worker.memberships._memberships[provider.welcome["connection"]].member
    links[1].delay_s = 0.3
    asked = asyncio.create_task(worker.memberships.join(member, 99))
    await until(lambda: 99 in worker.memberships._memberships[member.connection].unanswered)
    worker.memberships.superseded(member.connection)
    links[1].cut()
    await (
        asked
        # After the wait for the store, the worker checks again whether it still has the membership. Without
        # that check, `join` would raise UnavailableError here and cause a second reply.
    )
    links[1].delay_s = 0.0
    links[1].heal()
    await until(lambda: [answer["reply_to"] for answer in odd] == [99])
    assert visit
