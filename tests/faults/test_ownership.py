"""Tests that a connection, a room and a visit have at most one owner each, while processes freeze and links break.

Workers run in processes of their own, with a real store and real sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import pytest
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.protocol.client_messages import ClientMessage
from signalling.service import Accepted
from signalling.store import keys
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role, Visit
from tests.faults.caller import Caller, call, once_back, p95, until_received
from tests.faults.conftest import ALL, Measured, Rounds
from tests.faults.link import link_to
from tests.limits import WAIT_S
from tests.signalling.clinic import ORG, Clinic, clinic, headers
from tests.signalling.waits import until
from tests.signalling.worker_process import Process, worker_process
from web.server.valkey import EmbeddedStore

GAP_S = 1.0 if ALL else 4.0
"""A call is touched if no packet arrives for this time in s. It is shorter than the outage of the store."""


@pytest.fixture
async def one(valkey: Redis) -> AsyncIterator[Clinic]:
    """A clinic with one worker in this process. A test may start others on the same store."""
    async with clinic(valkey, workers=1) as opened:
        yield opened


async def owner_of(one: Clinic, visit_id: str) -> str | None:
    """Return the id of the worker that has the lease of a visit's room (carries its media); None if none has
    it.

    `one`: the clinic.
    """
    lease = await one.workers[0].rooms._leases.holder(ORG, visit_id)
    return None if lease is None else lease.owner


async def rooms_of(process: Process) -> list[str]:
    """Return the visits whose rooms a worker's process currently carries."""
    return list((await process.ask())["rooms"])


async def record_of(one: Clinic, visit_id: str) -> Visit:
    visit, _ = await one.workers[0].service.store.load(ORG, Visit, visit_id)
    assert visit is not None
    return visit


async def test_r27_a_late_message_of_a_superseded_connection_does_not_undo_later_changes(
    one: Clinic, valkey_url: str
) -> None:
    patient = await one.arrive()
    assert patient.visit is not None

    def save(text: str) -> dict[str, Any]:
        return {"visit": patient.visit, "step": "allergies", "answer": text, "left": False}

    async with worker_process(valkey_url) as other:
        older = await one.connect(patient, other.url)
        other.freeze()
        await older.send({"type": "visit.save", "id": 50, **save("penicil")})
        newer = await one.connect(patient, 0, resume=older.welcome["resume"])
        await newer.request("visit.save", **save("penicillin and nuts"))
        other.thaw()
        assert await older.wait_closed() == 4203
        answers = (await record_of(one, patient.visit)).answers
        assert answers["allergies"] == "penicillin and nuts"


class Case(NamedTuple):
    """How to send one kind of message.

    `who`: the role of its sender. `before`: what happens to the visit before the message, such as "claim". `fields`:
    the fields of the message except the visit.
    """

    who: str
    before: tuple[str, ...] = ()
    fields: Mapping[str, Any] = MappingProxyType({})


FILLED_IN: dict[str, Any] = {
    "allergies": "none",
    "fever": False,
    "consent": {"agreed": True, "signature": "Ana Ruiz"},
}
CLAIMED, LIVE = ("claim",), ("claim", "start", "start too")
WRITES = {
    "visit.save": Case("patient", (), {"step": "allergies", "answer": "old", "left": False}),
    "visit.finish": Case("patient", ("fill in",)),
    "visit.withdraw": Case("patient"),
    "visit.enter": Case("patient"),
    "visit.leave": Case("patient", ("page",)),
    "visit.hang_up": Case("patient", (*LIVE, "page")),
    "visit.start": Case("patient", CLAIMED),
    "chat.send": Case("patient", CLAIMED, {"text": "old"}),
    "media.join": Case("patient", CLAIMED),
    "visit.claim": Case("provider"),
    "visit.move": Case("admin", (), {"area": "mind"}),
    "visit.urgency": Case("provider", (), {"level": "urgent"}),
    "visit.release": Case("provider", CLAIMED),
    "visit.end": Case("provider", CLAIMED),
    "visit.transfer": Case("provider", CLAIMED, {"to": "u_lin"}),
    "visit.invite": Case("provider", CLAIMED, {"name": "Rosa", "relation": "interpreter"}),
    "visit.dismiss": Case("provider", (*CLAIMED, "invite"), {"guest": "guest-1"}),
    "visit.reopen": Case("provider", (*LIVE, "end")),
    "visit.tag": Case("provider", CLAIMED, {"tags": ["Follow-up"]}),
    "visit.survey": Case("patient", (*LIVE, "end"), {"choice": 1}),
    "visit.assign": Case("admin", (), {"to": "u_lin"}),
    "visit.unassign": Case("admin", ("assign",)),
    "visit.decline": Case("admin"),
    "visit.close": Case("admin"),
    "on_call": Case("provider", (), {"on": False}),
    "bell.mark": Case("provider", ("assign",), {"until_ms": 2**52}),
}
"""Each message that changes something in the store -> how to send it."""
READS = {"ping", "media.probe", "media.probed", "subscribe", "unsubscribe", "visit.history", "sessions.past"}
OF_A_MEMBERSHIP = {"media.answer", "media.restart", "media.mute", "media.share"}
"""Messages about the media of a connection. The worker that owns the room refuses them if the connection has
resumed
at another worker; test_rooms.py tests this."""


def test_r27_every_message_that_changes_something_is_in_the_test() -> None:
    known = {kind.__struct_config__.tag for kind in get_args(ClientMessage)}
    assert known == {*WRITES, *READS, *OF_A_MEMBERSHIP, "hello", "bye"}


class Asked(NamedTuple):
    """A case that has been prepared on a visit.

    `older`: the person's client at the frozen worker. `newer`: the client that has resumed the same connection at
    another worker.
    """

    message: dict[str, Any]
    visit: str
    person: Actor
    older: SignallingClient
    newer: SignallingClient


async def prepared(
    one: Clinic, kind: str, case: Case, url: str
) -> tuple[dict[str, Any], Actor, SignallingClient, str]:
    """Bring a new visit into the state that the case needs; return (message, sender, the sender's client at `url`,
    visit).

    `kind`: the type of the message.
    """
    service = one.workers[0].service
    patient = await one.arrive()
    assert patient.visit is not None
    visit = patient.visit
    provider = one.provider(f"Dr {kind.title().replace('.', '').replace('_', '')}")
    people = {"patient": patient, "provider": provider, "admin": one.provider(f"Ad {kind}", Role.ADMIN)}
    await service.set_on_call(provider, True)
    commands: dict[str, tuple[Actor, c.Command]] = {
        "claim": (provider, c.Claim()),
        "start": (provider, c.Start()),
        "start too": (patient, c.Start()),
        "end": (provider, c.End()),
        "assign": (people["admin"], c.Assign(provider.id)),
        "invite": (provider, c.Invite("guest-1", "Rosa", "interpreter")),
    }
    asker = people[case.who]
    client = await one.connect(asker, url)
    for step in case.before:
        if step == "fill in":
            for name, answer in FILLED_IN.items():
                accepted(await service.command(patient, visit, c.Save(name, answer, True)))
        elif step == "page":
            await client.request("visit.enter", visit=visit)
        else:
            actor, command = commands[step]
            accepted(await service.command(actor, visit, command))
    about = {} if kind in {"on_call", "bell.mark"} else {"visit": visit}
    return {"type": kind, **about, **case.fields}, asker, client, visit


def accepted(outcome: object) -> None:
    assert isinstance(outcome, Accepted), outcome


async def written(one: Clinic, asked: Asked) -> list[Any]:
    """Return the content of those parts of the store that the message of `asked` can change.

    `one`: the clinic.
    """
    redis = one.workers[0].service.store.redis
    return [
        await redis.hget(keys.VISIT(ORG, asked.visit), "version"),
        await redis.hget(keys.STAFF_MEMBER(ORG, asked.person.id), "version"),
        await redis.hget(keys.MARK(ORG, asked.person.id), "version"),
        await redis.zcard(keys.CHAT(ORG, asked.visit)),
        await redis.exists(keys.LEASE(ORG, asked.visit)),
    ]


async def entered(one: Clinic, visit: str) -> bool:
    """Return True if the client whose page shows a visit has entered the visit again, at the clinic's own worker."""
    parties = (await record_of(one, visit)).parties.values()
    return {worker for party in parties for worker in party.connections.values()} == {one.workers[0].id}


async def test_r27_no_message_of_a_superseded_connection_changes_anything(
    one: Clinic, valkey_url: str
) -> None:
    await one.workers[0].service.set_on_call(one.provider("Dr Lin"), True)
    async with worker_process(valkey_url) as other:
        made = [await prepared(one, kind, case, other.url) for kind, case in WRITES.items()]
        other.freeze()
        for message, _, older, _ in made:
            await older.send({"id": 50, **message})
        asked = [
            Asked(message, visit, person, older, await one.connect(person, 0, resume=older.welcome["resume"]))
            for message, person, older, visit in made
        ]
        await asyncio.sleep(0.3)
        for case in asked:
            if "page" in WRITES[case.message["type"]].before:
                await until(partial(entered, one, case.visit))
        before = [await written(one, case) for case in asked]
        other.thaw()
        for case, were in zip(asked, before, strict=True):
            kind = case.message["type"]
            assert await case.older.wait_closed() == 4203, kind
            assert [m for m in case.older.backlog if m.get("reply_to") == 50] == [], kind
            assert await written(one, case) == were, kind
        # Now each message is sent again, on the person's newer connection, and changes the store. So the messages above
        # had no effect because their connection was superseded, not because they were wrong.
        for case in asked:
            message = dict(case.message)
            await case.newer.request(message.pop("type"), **message)
        changed = [
            case.message["type"]
            for case, were in zip(asked, before, strict=True)
            if await written(one, case) == were
        ]
        assert changed == []


# --- rooms: which worker carries the media of a visit


async def carriers(one: Clinic, other: Process) -> int:
    """Return how often a room is carried by the clinic's own worker and by `other`.

    Except in `make faults`, wait until it is once, because other tests keep the machine busy.
    """
    ends_s = time.monotonic() + (0 if ALL else WAIT_S)
    while True:
        found = len(await rooms_of(other)) + len(one.workers[0].rooms._rooms)
        if found == 1 or time.monotonic() >= ends_s:
            return found
        await asyncio.sleep(0.1)


async def test_r22_a_room_whose_owner_stood_still_has_one_owner_and_both_hear_each_other_again(
    one: Clinic, valkey_url: str, rounds: Rounds, measured: Measured
) -> None:
    again_s, two_owners = [], 0
    for number in range(rounds(1, 20)):
        async with worker_process(valkey_url) as other:
            await until(lambda: time.monotonic() > one.workers[0].liveness._distrusted_until)
            person = await one.arrive()
            assert person.visit is not None
            here = one.url(0)
            patient = Caller(one.http, "patient", headers(person), person.visit, [here])
            provider = Caller(one.http, "staff", headers(one.provider()), person.visit, [other.url, here])
            async with call(patient, provider):
                assert await owner_of(one, person.visit) == other.id
                other.freeze()
                await asyncio.sleep((4, 2)[number % 2])
                other.thaw()
                thawed_s = time.monotonic()
                again_s.append(await until_received((patient, provider), thawed_s, WAIT_S))
                await asyncio.sleep(0.5)
                two_owners += await carriers(one, other) != 1
                assert (await record_of(one, person.visit)).status == "live"
                await provider.client.request("visit.end", visit=person.visit)
    measured("R22", "two owners after the owner stood still for 2 or 4 s", two_owners, at_most=0)
    measured("R22", "picture and sound on both sides again, p95", p95(again_s), "s", at_most=3)


async def test_r23_a_call_is_not_touched_when_its_owner_loses_the_store_for_five_seconds(
    one: Clinic, embedded_store: EmbeddedStore, rounds: Rounds, measured: Measured
) -> None:
    touched, two_owners, gaps_s = 0, 0, []
    for number in range(rounds(1, 20)):
        async with link_to(embedded_store.url) as link, worker_process(link.url) as other:
            await until(lambda: time.monotonic() > one.workers[0].liveness._distrusted_until)
            person = await one.arrive()
            assert person.visit is not None
            here = one.url(0)
            patient = Caller(one.http, "patient", headers(person), person.visit, [here])
            provider = Caller(one.http, "staff", headers(one.provider()), person.visit, [other.url, here])
            async with call(patient, provider):
                began_s = time.monotonic()
                (link.stall, link.cut)[number % 2]()
                await asyncio.sleep(5)
                link.heal()
                await asyncio.sleep(2)
                gap_s = max(patient.longest_gap_s(began_s), provider.longest_gap_s(began_s))
                gaps_s.append(gap_s)
                moved = (patient.rooms, provider.rooms, provider.closed_with) != (1, 1, [])
                touched += moved or gap_s > GAP_S
                two_owners += await carriers(one, other) != 1
                assert (await record_of(one, person.visit)).status == "live"
                await once_back(provider.client, "visit.end", visit=person.visit)
    measured("R23", "calls touched by 5 s without the store", touched, at_most=0)
    measured("R23", "two owners after 5 s without the store", two_owners, at_most=0)
    measured("R23", "longest time without a packet", max(gaps_s), "s", at_most=1)
