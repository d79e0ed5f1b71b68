"""Tests that records of all kinds are encrypted again with a new key, and that no write at the same time is lost."""

from __future__ import annotations

from typing import Any, cast

import pytest
import redis
from redis.asyncio import Redis

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.event_stream import STREAM_LENGTH
from signalling.store.jobs import Jobs, new_job
from signalling.store.resealing import PLACES, Kept, Resealing, kept

OLD, NEW = {b"old": b"o" * 32}, {b"new": b"n" * 32}
BOTH = Seal({**OLD, **NEW})
BEFORE, AFTER = Seal(OLD), Seal(NEW)


def put(store: Any, kind: keys.Key, value: bytes) -> str:
    """Write `value` under a key of the pattern and type `kind`; return the key's name."""
    name = kind(*("demo", "x")[: kind.pattern.count("<")])
    match kind.type:
        case "string":
            store.set(name, value)
        case "list":
            store.rpush(name, b"another", value)
        case "hash":
            store.hset(name, mapping={"f": value, "version": "1"})
        case "zset":
            store.zadd(name, {value: 2.0**41 + 1, b"another": 1})
    if kind.erasure is keys.Erasure.EXPIRY:
        store.pexpire(name, 60_000)
    return name


def values(store: Any, kind: keys.Key, name: str) -> list[bytes]:
    """Return the values under the key `name`, in the way in which its `kind` stores them."""
    match kind.type:
        case "string":
            return [store.get(name)]
        case "list":
            return list(store.lrange(name, 0, -1))
        case "hash":
            return list(store.hvals(name))
    assert store.zscore(name, b"another") == 1
    found: list[tuple[bytes, float]] = store.zrange(name, 0, -1, withscores=True)
    assert found[-1][1] == 2.0**41 + 1
    return [member for member, _ in found]


def place(kind: keys.Key) -> str:
    """Return the place, such as `demo/visit/x`, to which the encryption of a value of this kind is bound."""
    return PLACES[kind].format("demo", "x", at="f")


def quiet(done: int, whole: int) -> None:
    """Do nothing when the progress is reported."""


async def test_each_kind_of_record_opens_with_the_new_key_alone_and_keeps_its_place_and_its_expiry(
    valkey: Redis, valkey_url: str
) -> None:
    with redis.Redis.from_url(valkey_url) as store:
        for kind in PLACES:
            name = put(store, kind, BEFORE.close(kind.pattern.encode(), place(kind)))
            assert kept(name) == Kept(name, kind, ("demo", "x")[: kind.pattern.count("<")])
        shown: list[tuple[int, int]] = []
        passed = await Resealing(valkey, BOTH, b"old").look(lambda done, whole: shown.append((done, whole)))
        assert passed == (len(PLACES), len(PLACES))
        assert shown[-1] == (len(PLACES), len(PLACES))
        for kind in PLACES:
            name = kind(*("demo", "x")[: kind.pattern.count("<")])
            (sealed,) = (value for value in values(store, kind, name) if value.startswith(b"\x03"))
            assert AFTER.open(sealed, place(kind)) == kind.pattern.encode()
    assert await Resealing(valkey, BOTH, b"old").look(quiet) == (0, 0)


async def test_a_write_between_the_reading_and_the_replacing_is_kept(
    valkey: Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = (keys.VISIT, keys.TEXT_SERVICE, keys.HISTORY)
    resealing, other = Resealing(valkey, BOTH, b"old"), Resealing._other
    with redis.Redis.from_url(valkey_url) as client:
        store: Any = client

        def meanwhile(one: Kept, at: bytes, old: bytes) -> bytes:
            value = AFTER.close(b"newer", place(one.kind))
            match one.kind.type:
                case "hash":
                    store.hset(one.name, at, value)
                case "string":
                    store.set(one.name, value)
                case "list":
                    store.lpop(one.name)  # the entry that was read is at another position of the list now
            return other(resealing, one, at, old)

        for kind in kinds:
            put(store, kind, BEFORE.close(b"older", place(kind)))
        with monkeypatch.context() as patched:
            patched.setattr(resealing, "_other", meanwhile)
            assert await resealing.look(quiet) == (3, 0)
        assert await resealing.look(quiet) == (1, 1), "the entry of the list"
        for kind, text in zip(kinds, (b"newer", b"newer", b"older"), strict=True):
            found = values(store, kind, kind(*("demo", "x")[: kind.pattern.count("<")]))
            assert [AFTER.open(one, place(kind)) for one in found if one.startswith(b"\x03")] == [text]


async def test_a_job_that_a_worker_has_keeps_its_bytes_until_it_is_free_and_its_attempts_after_that(
    valkey: Redis,
) -> None:
    before, resealing = Jobs(valkey, BEFORE), Resealing(valkey, BOTH, b"old")
    await before.add("demo", new_job("mail", {"number": 1}, 1))
    await before.add("demo", new_job("mail", {"number": 2}, 2))
    first, second = await before.take("demo", 2)
    assert await resealing.look(quiet) == (2, 0)
    await before.done("demo", first)
    await before.later("demo", second, second.now_ms + 3_600_000)
    assert await resealing.look(quiet) == (1, 1)
    after = Jobs(valkey, AFTER)
    ((due_ms, job),) = await after.waiting("demo")
    assert (due_ms, job) == (second.now_ms + 3_600_000, second.job)
    (member,) = cast(list[bytes], await valkey.zrange(keys.JOBS("demo"), 0, -1))
    await valkey.zadd(keys.JOBS("demo"), {member: 1})
    (again,) = await after.take("demo", 2)
    assert (again.attempt, again.first_ms) == (2, second.first_ms)
    await after.done("demo", again)
    assert await valkey.keys("*") == []


async def test_events_up_to_the_last_one_with_the_old_key_leave_the_stream(valkey: Redis) -> None:
    stream = keys.EVENTS("demo")
    for number in range(1, 450):
        seal = BEFORE if number in (1, 300) else AFTER
        await valkey.xadd(stream, {"e": b"event " + seal.close(b"record", "x")}, f"{number}-0")
    assert STREAM_LENGTH > 450
    assert await Resealing(valkey, BOTH, b"old").look(quiet) == (300, 300)
    left: Any = await valkey.xrange(stream)
    assert [name for name, _ in left] == [b"%d-0" % number for number in range(301, 450)]


async def test_a_value_that_cannot_be_decrypted_is_named(valkey: Redis) -> None:
    name = keys.VISIT("demo", "v_1")
    await valkey.hset(name, "record", BEFORE.close(b"moved", "demo/visit/v_2"))
    with pytest.raises(SealError, match="visit:v_1"):
        await Resealing(valkey, BOTH, b"old").look(quiet)
