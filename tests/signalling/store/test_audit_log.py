"""Tests the audit log on a real Valkey: many writers make one chain, and a log that was cut or restored is detected."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from signalling.errors import RequestError, UnavailableError
from signalling.store import audit_log as audit_logs
from signalling.store import audit_reader, keys
from signalling.store.audit_log import AuditLog, key_of
from signalling.store.audit_reader import Verdict
from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit.audit_entries import Act, Entry
from signalling.visit.record import Role
from tests.signalling.clinic import ANA, ORG, clinic
from tests.signalling.store.test_records import commit, visit
from tests.signalling.waits import until

KEYS = {b"1": b"k" * 32}
CANARIES = [part.encode() for part in (ANA.name, "Ruiz", ANA.phone, ANA.email, ANA.birth_date, ANA.reason)]


class Names:
    """A list of organisations that contains only one."""

    async def list(self) -> list[str]:
        return [ORG]


class Memory:
    """The newest entry that was seen of each organisation's log, kept in memory."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[int, bytes]] = {}

    def get(self, organisation: str) -> tuple[int, bytes] | None:
        """Return (number, bytes) of the newest entry that was seen; None if none was."""
        return self.seen.get(organisation)

    def put(self, organisation: str, number: int, last: bytes) -> None:
        """Keep the number of an organisation's newest entry, and its bytes (`last`)."""
        self.seen[organisation] = (number, last)


def audit_log_of(redis: Redis, seen_entries: Memory | None = None) -> AuditLog:
    """Return an audit log as a worker has it, but without the task that writes.

    `seen_entries`: the newest entries that were seen before.
    """
    return AuditLog(Store(redis, Seal(KEYS)), key_of(b"k" * 32), Names(), seen_entries)


async def written(audit_log: AuditLog, count: int, what: str = "case.read") -> AuditLog:
    """Write `count` entries named `what`, and chain them to the log; return the audit log."""
    for number in range(count):
        audit_log.note(ORG, "u_osei", what, f"v_{number}")
    await audit_log.flush()
    await audit_log.bind_all(ORG)
    return audit_log


async def entries(audit_log: AuditLog) -> list[Entry]:
    """Return all entries of the audit log, the oldest first."""
    return [entry async for entry in audit_log.entries(ORG)]


async def problem(redis: Redis, seen_entries: Memory | None = None) -> str:
    """Return the problem that a new reader finds in the audit log; "" if there is none.

    `seen_entries`: the newest entries that were seen before.
    """
    return (await audit_log_of(redis, seen_entries).verify(ORG)).problem


async def test_a_commit_writes_its_audit_entry_in_the_same_step(valkey: Redis) -> None:
    audit_log = audit_log_of(valkey)
    await commit(audit_log._store, visit())
    # This version of the visit was committed already, so this commit changes nothing and leaves no entry.
    await commit(audit_log._store, visit())
    await audit_log.bind_all(ORG)
    assert [entry.act.what for entry in await entries(audit_log)] == ["visit.opened"]


async def test_workers_that_append_at_once_keep_one_chain(valkey: Redis) -> None:
    workers = [audit_log_of(valkey) for _ in range(3)]

    async def works(number: int, audit_log: AuditLog) -> None:
        for turn in range(40):
            audit_log.note(ORG, f"u_{number}", "case.read", f"v_{turn}")
            await audit_log.flush()
            await audit_log.bind(ORG)

    await asyncio.gather(*(works(number, audit_log) for number, audit_log in enumerate(workers)))
    await workers[0].bind_all(ORG)
    found = await entries(workers[0])
    assert [entry.number for entry in found] == list(range(1, 121))
    for number in range(3):  # all entries are in the log, and those of each writer are in their order
        assert [e.act.about for e in found if e.act.who == f"u_{number}"] == [
            f"v_{turn}" for turn in range(40)
        ]
    verdict = await audit_log_of(valkey).verify(ORG)
    assert (verdict.good, verdict.waiting, verdict.problem) == (120, 0, "")


async def test_changes_of_the_stored_log_are_reported(valkey: Redis) -> None:
    redis = valkey
    client: Any = redis
    await written(audit_log_of(redis), 6)
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
    assert "the end of the log is not recorded" in await problem(redis)
    assert (await audit_log_of(redis).verify(ORG)).good == 0
    await put_back(whole, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert "was changed" in await problem(redis)
    await put_back(whole)
    assert await problem(redis) == ""


async def test_a_restored_or_emptied_store_is_detected_by_the_last_entry_seen_by_the_machine(
    valkey: Redis,
) -> None:
    client, seen_entries = valkey, Memory()
    audit_log = await written(audit_log_of(valkey, seen_entries), 3)
    before: dict[str, Any] = {key: await client.dump(key) for key in (keys.AUDIT(ORG), keys.AUDIT_HEAD(ORG))}
    await written(audit_log, 2)
    await audit_log.close()
    assert seen_entries.seen[ORG][0] == 5
    for key, dumped in before.items():
        await client.restore(key, 0, dumped, replace=True)
    assert await problem(valkey) == ""  # the store alone does not show that the end of the log was cut off
    assert await problem(valkey, seen_entries) == "entries 4 to 5 were cut from the end"
    # New entries do not hide that the end was cut off, because `seen_entries` keeps the last entry that it has seen.
    again = await written(audit_log_of(valkey, seen_entries), 4)
    await again.close()
    assert seen_entries.seen[ORG][0] == 5
    assert "is not the one that this server has seen" in await problem(valkey, seen_entries)
    await client.delete(*before)
    assert "not recorded" in await problem(valkey, seen_entries)


async def test_a_log_that_lost_its_end_continues_and_has_an_entry_about_it(valkey: Redis) -> None:
    await written(audit_log_of(valkey), 3)
    await valkey.delete(keys.AUDIT_HEAD(ORG))
    audit_log = await written(audit_log_of(valkey), 1)
    assert [(e.number, e.act.what) for e in await entries(audit_log)][3:] == [
        (4, "trail.broken"),
        (5, "case.read"),
    ]
    assert await problem(valkey)


async def test_a_forged_entry_in_the_queue_is_not_bound_to_the_log(valkey: Redis) -> None:
    client: Any = valkey
    store = Store(valkey, Seal({b"2": b"x" * 32}))
    forged = store.sealed_act(ORG, Act(1, "staff", "u_lind", "case.read", "v_1"))
    await client.rpush(keys.AUDIT_QUEUE(ORG), forged)
    audit_log = await written(audit_log_of(valkey), 1)
    assert [e.act.what for e in await entries(audit_log)] == ["trail.forged", "case.read"]
    assert (await problem(valkey)).startswith("entry 1 stands in the place of something")


async def test_old_entries_are_trimmed_and_the_rest_stays_verifiable(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (audit_logs, audit_reader):
        monkeypatch.setattr(module, "READ", 4)
    audit_log, client = audit_log_of(valkey), cast(Any, valkey)
    now_ms = audit_log._store.clock_ms()
    monkeypatch.setattr(audit_log._store, "clock_ms", lambda: now_ms - 10_000)
    await written(audit_log, 10)
    monkeypatch.setattr(audit_log._store, "clock_ms", lambda: now_ms)
    await written(audit_log, 3)
    assert await audit_log.trim(ORG, now_ms - 20_000) == 0
    assert await audit_log.trim(ORG, now_ms - 5_000) == 10
    assert await audit_log.verify(ORG) == Verdict(3, now_ms, 0, "")
    assert [entry.number for entry in await entries(audit_log)] == [11, 12, 13]
    await client.lpop(keys.AUDIT(ORG))
    assert await problem(valkey) == "entry 11 was cut from the beginning"
    # No entries are removed from a damaged log, so that the damage stays visible.
    assert await audit_log.trim(ORG, now_ms + 1) == 0


async def test_entries_that_the_store_did_not_take_wait_and_a_loss_is_reported(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audit_log = audit_log_of(valkey)
    away = audit_log._redis

    class Away:
        """Replaces the store, and does not answer."""

        async def rpush(self, *_: Any) -> None:
            """Raise ConnectionError, as if the store did not answer."""
            raise ConnectionError

        pipeline = rpush

    audit_log._redis = Away()
    with pytest.raises(UnavailableError):
        await written(audit_log, 2)
    monkeypatch.setattr(audit_logs, "MOST", 2)
    with pytest.raises(UnavailableError):
        # From now on, a person who opens patient data gets the error that the store is unavailable.
        audit_log.ready()
    await audit_log.close()
    assert "audit.entries_lost" in capsys.readouterr().out
    audit_log._redis = away
    await audit_log.close()
    assert len(await entries(audit_log)) == 2
    audit_log.ready()


async def test_the_log_names_who_read_and_who_acted_but_no_patient(valkey: Redis) -> None:
    async with clinic(valkey) as place:
        osei, zoe = place.provider(), place.provider("Zoe Admin", Role.ADMIN)
        ana = await place.arrive()
        one, admin = await place.on_call(osei), await place.connect(zoe)
        patient = await place.connect(ana, 1)
        visit_id = ana.visit
        for topic in ("queue", "sessions", "bell"):
            await one.request("subscribe", topic=topic)
        # Reading the list of notifications leaves an entry; reading only their number does not.
        await one.request("bell.mark", until_ms=1)
        await admin.request("subscribe", topic=f"case/{visit_id}")
        await admin.request("visit.assign", visit=visit_id, to=osei.id)
        await one.request("visit.claim", visit=visit_id)
        # A patient's own visit causes only one entry, even if the patient opens it often.
        for _ in range(5):
            await patient.request("subscribe", topic=f"visit/{visit_id}")
        await patient.request("visit.enter", visit=visit_id)
        await one.request("chat.send", visit=visit_id, text="Hello Ana Ruiz")
        await admin.request("sessions.past", text="Ruiz")
        await one.request("visit.history", visit=visit_id)
        with pytest.raises(RequestError):
            await one.request("subscribe", topic="case/v_nobody")
        for client in (one, admin, patient):
            await client.close()
    audit_log = audit_log_of(valkey)
    await audit_log.bind_all(ORG)
    everything = await entries(audit_log)
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
    assert (await audit_log.verify(ORG)).problem == ""
    kept = b"".join(await audit_log.read(ORG, 0, 1000))
    assert not [canary for canary in CANARIES if canary in kept]


async def test_entries_that_arrive_during_binding_wait_for_the_next_round(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit_log, rounds = audit_log_of(valkey), 0

    async def bind(_: str) -> bool:
        nonlocal rounds
        rounds += 1
        audit_log._touch(ORG)  # this simulates another commit that adds an entry during the round
        return False

    monkeypatch.setattr(audit_log, "bind", bind)
    audit_log._touch(ORG)
    await audit_log._bind_touched()
    assert rounds == 1
    assert audit_log._touched == {ORG}


class Both(Names):
    """A list of two organisations, whose keys are at different nodes of a cluster."""

    async def list(self) -> list[str]:
        return [ORG, "hillside"]


async def test_entries_that_an_ended_worker_left_are_chained_without_a_transaction_over_organisations(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLUSH_S", "BIND_S", "LEFT_S"):
        monkeypatch.setattr(audit_logs, name, 0.0)
    ended = audit_log_of(valkey)
    for organisation in (ORG, "hillside"):
        ended.note(organisation, "u_osei", "case.read", "v_1")
    await ended.flush()
    transactions, pipeline = set[bool](), valkey.pipeline

    def recorded(transaction: bool = True) -> Any:
        transactions.add(transaction)
        return pipeline(transaction)

    monkeypatch.setattr(valkey, "pipeline", recorded)
    audit_log = AuditLog(Store(valkey, Seal(KEYS)), key_of(b"k" * 32), Both(), None)
    running = asyncio.create_task(audit_log.run())

    async def chained() -> bool:
        return all([(await audit_log.verify(name)).good for name in (ORG, "hillside")])

    await until(chained)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert transactions == {False}
