"""The audit trail on a real Valkey: many writers and one chain, what is cut or put back is told."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from signalling.errors import RequestError, UnavailableError
from signalling.store import audit_log as trails
from signalling.store import keys
from signalling.store.audit_log import Trail, Verdict, key_of
from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit.audit_entries import Act, Entry
from signalling.visit.record import Role
from tests.signalling.clinic import ANA, ORG, clinic
from tests.signalling.store.test_records import commit, visit

KEYS = {b"1": b"k" * 32}
CANARIES = [part.encode() for part in (ANA.name, "Ruiz", ANA.phone, ANA.email, ANA.birth_date, ANA.reason)]


class Names:
    """One organisation."""

    async def list(self) -> list[str]:
        """Return its name."""
        return [ORG]


class Memory:
    """A witness that remembers as long as the test."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[int, bytes]] = {}

    def get(self, organisation: str) -> tuple[int, bytes] | None:
        """Return what was seen."""
        return self.seen.get(organisation)

    def put(self, organisation: str, number: int, last: bytes) -> None:
        """Keep it."""
        self.seen[organisation] = (number, last)


def trail_of(redis: Redis, witness: Memory | None = None) -> Trail:
    """Return a trail as a worker has one, its task not running."""
    return Trail(Store(redis, Seal(KEYS)), key_of(KEYS), Names(), witness)


async def written(trail: Trail, count: int, what: str = "case.read") -> Trail:
    """Leave so many entries, bound."""
    for number in range(count):
        trail.note(ORG, "u_osei", what, f"v_{number}")
    await trail.flush()
    await trail.settle(ORG)
    return trail


async def entries(trail: Trail) -> list[Entry]:
    """Return all entries."""
    return [entry async for entry in trail.entries(ORG)]


async def problem(redis: Redis, witness: Memory | None = None) -> str:
    """Return what somebody finds who looks afresh."""
    return (await trail_of(redis, witness).verify(ORG)).problem


async def test_a_commit_leaves_its_entry_in_the_same_step(valkey: Redis) -> None:
    trail = trail_of(valkey)
    await commit(trail._store, visit())
    await commit(trail._store, visit())  # overtaken: nothing happened, so nothing is said of it
    await trail.settle(ORG)
    assert [entry.act.what for entry in await entries(trail)] == ["visit.opened"]


async def test_workers_that_append_at_once_keep_one_chain(valkey: Redis) -> None:
    workers = [trail_of(valkey) for _ in range(3)]

    async def works(number: int, trail: Trail) -> None:
        for turn in range(40):
            trail.note(ORG, f"u_{number}", "case.read", f"v_{turn}")
            await trail.flush()
            await trail.bind(ORG)

    await asyncio.gather(*(works(number, trail) for number, trail in enumerate(workers)))
    await workers[0].settle(ORG)
    found = await entries(workers[0])
    assert [entry.number for entry in found] == list(range(1, 121))
    for number in range(3):  # nobody's are lost, and each one's stand in their order
        assert [e.act.about for e in found if e.act.who == f"u_{number}"] == [
            f"v_{turn}" for turn in range(40)
        ]
    verdict = await trail_of(valkey).verify(ORG)
    assert (verdict.good, verdict.waiting, verdict.problem) == (120, 0, "")


async def test_what_happens_to_the_store_is_told(valkey: Redis) -> None:
    redis = valkey
    client: Any = redis
    await written(trail_of(redis), 6)
    whole = await client.lrange(keys.AUDIT(ORG), 0, -1)
    sealed = await client.get(keys.AUDIT_HEAD(ORG))

    async def put_back(kept: list[bytes], head: bytes | None = sealed) -> None:
        await client.delete(keys.AUDIT(ORG), keys.AUDIT_HEAD(ORG))
        if kept:
            await client.rpush(keys.AUDIT(ORG), *kept)
        if head is not None:
            await client.set(keys.AUDIT_HEAD(ORG), head)

    assert await problem(redis) == ""
    for kept, said in (
        ([*whole[:2], whole[2].replace(b"v_2", b"v_9"), *whole[3:]], "entry 3 was changed"),
        (whole[:2] + whole[3:], "entry 3 was removed"),
        (whole[1:], "entry 1 was cut from the beginning"),
        (whole[:-2], "entries 5 to 6 were cut from the end"),
        ([], "entries 1 to 6 were cut from the end"),
        ([*whole[:3], whole[4], whole[3], whole[5]], "entry 4 was removed or moved"),
        ([*whole, whole[-1]], "entry 7 was added after the end"),
    ):
        await put_back(kept)
        assert (await problem(redis)).startswith(said), said
    await put_back(whole, None)
    assert "the end of the trail is not recorded" in await problem(redis)
    await put_back(whole, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert "was changed" in await problem(redis)
    await put_back(whole)
    assert await problem(redis) == ""


async def test_a_store_that_is_put_back_or_emptied_is_noticed_by_what_the_machine_has_seen(
    valkey: Redis,
) -> None:
    client, witness = valkey, Memory()
    trail = await written(trail_of(valkey, witness), 3)
    before: dict[str, Any] = {key: await client.dump(key) for key in (keys.AUDIT(ORG), keys.AUDIT_HEAD(ORG))}
    await written(trail, 2)
    await trail.close()
    assert witness.seen[ORG][0] == 5
    for key, dumped in before.items():
        await client.restore(key, 0, dumped, replace=True)
    assert await problem(valkey) == ""  # by the store alone nobody can tell
    assert await problem(valkey, witness) == "entries 4 to 5 were cut from the end"
    # What is written on top does not cover it, and the witness keeps to what it saw.
    again = await written(trail_of(valkey, witness), 4)
    await again.close()
    assert witness.seen[ORG][0] == 5
    assert "is not the one that this server has seen" in await problem(valkey, witness)
    await client.delete(*before)
    assert "not recorded" in await problem(valkey, witness)


async def test_a_trail_without_its_end_goes_on_and_says_so(valkey: Redis) -> None:
    await written(trail_of(valkey), 3)
    await valkey.delete(keys.AUDIT_HEAD(ORG))
    trail = await written(trail_of(valkey), 1)
    assert [(e.number, e.act.what) for e in await entries(trail)][3:] == [
        (4, "trail.broken"),
        (5, "case.read"),
    ]
    assert await problem(valkey)


async def test_what_is_put_into_the_queue_by_a_stranger_gets_no_seal(valkey: Redis) -> None:
    client: Any = valkey
    store = Store(valkey, Seal({b"2": b"x" * 32}))
    forged = store.sealed_act(ORG, Act(1, "staff", "u_lind", "case.read", "v_1"))
    await client.rpush(keys.AUDIT_QUEUE(ORG), forged)
    trail = await written(trail_of(valkey), 1)
    assert [e.act.what for e in await entries(trail)] == ["trail.forged", "case.read"]
    assert (await problem(valkey)).startswith("entry 1 stands in the place of something")


async def test_old_entries_go_and_the_rest_stays_verifiable(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "READ", 4)
    trail, client = trail_of(valkey), cast(Any, valkey)
    now_ms = trail._store.clock_ms()
    monkeypatch.setattr(trail._store, "clock_ms", lambda: now_ms - 10_000)
    await written(trail, 10)
    monkeypatch.setattr(trail._store, "clock_ms", lambda: now_ms)
    await written(trail, 3)
    assert await trail.trim(ORG, now_ms - 20_000) == 0
    assert await trail.trim(ORG, now_ms - 5_000) == 10
    assert await trail.verify(ORG) == Verdict(3, now_ms, 0, "")
    assert [entry.number for entry in await entries(trail)] == [11, 12, 13]
    await client.lpop(keys.AUDIT(ORG))
    assert await problem(valkey) == "entry 11 was cut from the beginning"
    assert await trail.trim(ORG, now_ms + 1) == 0  # evidence stays


async def test_what_the_store_could_not_take_waits_and_is_never_lost_silently(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trail = trail_of(valkey)
    away = trail._redis

    class Away:
        """A store that does not answer."""

        async def rpush(self, *_: Any) -> None:
            """Answer nothing."""
            raise ConnectionError

        pipeline = rpush

    trail._redis = Away()
    with pytest.raises(UnavailableError):
        await written(trail, 2)
    monkeypatch.setattr(trails, "MOST", 2)
    with pytest.raises(UnavailableError):
        trail.ready()  # who would read patient data now is told that the store is away
    await trail.close()
    assert "audit entries are lost" in capsys.readouterr().out
    trail._redis = away
    await trail.close()
    assert len(await entries(trail)) == 2
    trail.ready()


async def test_who_reads_and_who_acts_stands_in_the_trail_and_no_patient_does(valkey: Redis) -> None:
    async with clinic(valkey) as place:
        osei, zoe = place.provider(), place.provider("Zoe Admin", Role.ADMIN)
        ana = await place.arrive()
        one, admin = await place.on_call(osei), await place.connect(zoe)
        patient = await place.connect(ana, 1)
        visit_id = ana.visit
        for topic in ("queue", "sessions", "bell"):
            await one.request("subscribe", topic=topic)
        await admin.request("subscribe", topic=f"case/{visit_id}")
        await admin.request("visit.assign", visit=visit_id, to=osei.id)
        await one.request("visit.claim", visit=visit_id)
        for _ in range(5):  # a patient's own visit leaves one entry, however often they ask
            await patient.request("subscribe", topic=f"visit/{visit_id}")
        await patient.request("visit.enter", visit=visit_id)
        await one.request("chat.send", visit=visit_id, text="Hello Ana Ruiz")
        await admin.request("sessions.past", text="Ruiz")
        await one.request("visit.history", visit=visit_id)
        with pytest.raises(RequestError):
            await one.request("subscribe", topic="case/v_nobody")
        for client in (one, admin, patient):
            await client.close()
    trail = trail_of(valkey)
    await trail.settle(ORG)
    everything = await entries(trail)
    assert len([e for e in everything if e.act.who == ana.id and e.act.what == "visit.read"]) == 1
    found = {(e.act.kind, e.act.who, e.act.what, e.act.about, e.act.to) for e in everything}
    assert found >= {
        ("patient", ana.id, "visit.opened", visit_id, ""),
        ("staff", osei.id, "staff.on_call", osei.id, ""),
        *(("staff", osei.id, f"{topic}.read", "", "") for topic in ("queue", "sessions", "bell")),
        ("staff", zoe.id, "case.read", visit_id, ""),
        ("staff", zoe.id, "visit.assigned", visit_id, osei.id),
        ("staff", osei.id, "visit.claimed", visit_id, ""),
        ("patient", ana.id, "visit.read", visit_id, ""),
        ("staff", osei.id, "chat.written", visit_id, ""),
        ("staff", zoe.id, "past.searched", "", ""),
        ("staff", osei.id, "history.read", visit_id, ""),
    }
    assert not [act for act in found if "v_nobody" in act]
    assert (await trail.verify(ORG)).problem == ""
    kept = b"".join(await trail.read(ORG, 0, 1000))
    assert not [canary for canary in CANARIES if canary in kept]


async def test_what_comes_while_entries_are_bound_waits_for_the_next_round(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail, rounds = trail_of(valkey), 0

    async def bind(_: str) -> bool:
        nonlocal rounds
        rounds += 1
        trail._touch(ORG)  # a commit beside
        return False

    monkeypatch.setattr(trail, "bind", bind)
    trail._touch(ORG)
    await trail._bind_touched()
    assert rounds == 1
    assert trail._touched == {ORG}
