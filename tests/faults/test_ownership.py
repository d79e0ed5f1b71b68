"""Who owns a connection, a room and a visit while processes freeze and links break: one, at any time.

Workers in processes of their own, a real store, real sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import pytest
from redis.asyncio import Redis

from signalling import commands as c
from signalling.client import SignallingClient
from signalling.record import Actor, Role, Visit
from signalling.requests import ClientMessage
from signalling.service import Accepted
from signalling.store import Keys
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.worker_process import worker_process


@pytest.fixture
async def one(valkey: Redis) -> AsyncIterator[Clinic]:
    """A clinic of one worker in this process; a test starts others beside it."""
    async with clinic(valkey, workers=1) as opened:
        yield opened


async def record_of(one: Clinic, visit_id: str) -> Visit:
    visit, _ = await one.workers[0].service.store.load(ORG, Visit, visit_id)
    assert visit is not None
    return visit


async def test_r27_what_a_superseded_connection_had_said_does_not_undo_what_was_said_since(
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
    """Who asks, what the visit went through before, and the message's fields beside the visit."""

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
    "visit.release": Case("provider", CLAIMED),
    "visit.end": Case("provider", CLAIMED),
    "visit.transfer": Case("provider", CLAIMED, {"to": "u_lin"}),
    "visit.invite": Case("provider", CLAIMED, {"name": "Rosa", "relation": "interpreter"}),
    "visit.dismiss": Case("provider", (*CLAIMED, "invite"), {"guest": "guest-1"}),
    "visit.reopen": Case("provider", (*LIVE, "end")),
    "visit.assign": Case("admin", (), {"to": "u_lin"}),
    "visit.unassign": Case("admin", ("assign",)),
    "visit.decline": Case("admin"),
    "on_call": Case("provider", (), {"on": False}),
    "bell.mark": Case("provider", (), {"until_ms": 1}),
}
"""Every message that changes something in the store."""
READS = {"ping", "subscribe", "unsubscribe", "visit.history", "sessions.past"}
OF_A_SEAT = {"media.answer", "media.restart", "media.mute"}
"""Messages that the room's owner refuses, because the seat is another worker's (test_rooms.py)."""


def test_r27_every_message_that_changes_something_is_tried() -> None:
    known = {kind.__struct_config__.tag for kind in get_args(ClientMessage)}
    assert known == {*WRITES, *READS, *OF_A_SEAT, "hello", "bye"}


class Asked(NamedTuple):
    """A case with its people: `older` is the connection at the frozen worker, `newer` the resumed one."""

    message: dict[str, Any]
    visit: str
    person: Actor
    older: SignallingClient
    newer: SignallingClient


async def prepared(
    one: Clinic, kind: str, case: Case, url: str
) -> tuple[dict[str, Any], Actor, SignallingClient, str]:
    """Bring a new visit to where the case needs it; return (message, asker, connection, visit)."""
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
    """What the store holds of a case: everything that its message could change."""
    keys = Keys(ORG)
    redis = one.workers[0].service.store.redis
    return [
        await redis.hget(keys.record("visit", asked.visit), "version"),
        await redis.hget(keys.record("staff", asked.person.id), "version"),
        await redis.hget(keys.record("mark", asked.person.id), "version"),
        await redis.zcard(f"{keys.prefix}chat:{asked.visit}"),
        await redis.exists(keys.record("lease", asked.visit)),
    ]


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
        await asyncio.sleep(0.3)  # those who were on a visit's page enter it again by themselves
        before = [await written(one, case) for case in asked]
        other.thaw()
        for case, were in zip(asked, before, strict=True):
            kind = case.message["type"]
            assert await case.older.wait_closed() == 4203, kind
            assert [m for m in case.older.backlog if m.get("reply_to") == 50] == [], kind
            assert await written(one, case) == were, kind
        for case in asked:  # the same, said by who may say it, is carried out: so each case could have failed
            message = dict(case.message)
            await case.newer.request(message.pop("type"), **message)
        changed = [
            case.message["type"]
            for case, were in zip(asked, before, strict=True)
            if await written(one, case) == were
        ]
        assert changed == []
