"""The shared connection to the store: order, errors, time-outs and cuts, against a real Valkey, on both transports."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from signalling.store.redis_connection import SharedRedis
from web.server.valkey import EmbeddedStore

PATIENCE_S = 0.3

pytestmark = pytest.mark.usefixtures("both_transports")


@pytest.fixture
async def shared(own: EmbeddedStore) -> AsyncIterator[Redis]:
    """An impatient client on a shared connection."""
    client = SharedRedis.from_url(own.url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
    yield client
    await client.aclose()


async def test_many_who_ask_at_once_each_get_their_own_answer_on_one_connection(shared: Redis) -> None:
    answers = await asyncio.gather(*(shared.echo(str(number)) for number in range(500)))
    assert answers == [str(number).encode() for number in range(500)]
    assert len(await shared.client_list()) == 1


async def test_the_first_question_of_a_turn_goes_out_at_once_and_all_others_together(
    shared: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared.ping()
    sent: list[bytes] = []
    monkeypatch.setattr(shared.shared, "_transport", SimpleNamespace(write=sent.append, abort=lambda: None))  # type: ignore[attr-defined]
    asked = [asyncio.ensure_future(shared.echo(str(number))) for number in range(50)]
    await asyncio.sleep(0)
    assert [written.count(b"ECHO") for written in sent] == [1]
    await asyncio.sleep(0)
    assert [written.count(b"ECHO") for written in sent] == [1, 49]
    for task in asked:
        task.cancel()


async def test_answers_are_understood_as_redis_py_does(shared: Redis) -> None:
    await shared.zadd("z", {"a": 1, "b": 2})
    await shared.sadd("s", "x", "y")
    await shared.hset("h", mapping={"k": "v"})
    await shared.xadd("e", {"f": "1"}, id="1-0")
    plain = Redis(connection_pool=shared.connection_pool)

    async def ask(client: Redis) -> list[object]:
        pipe = client.pipeline(transaction=False)
        pipe.zrange("z", 0, -1, withscores=True)
        pipe.smembers("s")
        pipe.hgetall("h")
        pipe.xrange("e")
        pipe.time()
        *found, _ = await pipe.execute()
        return [
            *found,
            await client.zscore("z", "a"),
            await client.hmget("h", ["k", "no"]),
            await client.get("no"),
        ]

    assert await ask(shared) == await ask(plain)


async def test_an_error_of_one_command_is_its_own(shared: Redis) -> None:
    await shared.set("word", "x")
    pipe = shared.pipeline(transaction=False)
    pipe.get("word")
    pipe.lpush("word", "y")
    pipe.get("word")
    first, wrong, last = await pipe.execute(raise_on_error=False)
    assert (first, last) == (b"x", b"x")
    assert isinstance(wrong, ResponseError)
    with pytest.raises(ResponseError):
        await shared.incr("word")
    assert await shared.get("word") == b"x"


async def test_transactions_and_scripts_work_beside_it(shared: Redis) -> None:
    add = shared.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert await add(keys=["n"], args=[2]) == 2
    await shared.script_flush()
    assert await add(keys=["n"], args=[2]) == 4
    pipe = shared.pipeline(transaction=False)
    await add(keys=["n"], args=[1], client=pipe)
    pipe.get("n")
    assert await pipe.execute() == [5, b"5"]
    async with shared.pipeline(transaction=True) as together:
        together.incr("n")
        together.incr("n")
        assert await together.execute() == [6, 7]


async def test_a_frozen_store_costs_everybody_one_time_out_and_is_found_again(
    own: EmbeddedStore, shared: Redis
) -> None:
    await shared.set("word", "x")
    assert own.pid is not None
    os.kill(own.pid, signal.SIGSTOP)
    began = time.monotonic()
    found = await asyncio.gather(*(shared.get("word") for _ in range(50)), return_exceptions=True)
    assert all(isinstance(problem, TimeoutError) for problem in found)
    with pytest.raises(TimeoutError):
        await shared.get("word")
    assert time.monotonic() - began < 4 * PATIENCE_S
    os.kill(own.pid, signal.SIGCONT)
    assert await shared.get("word") == b"x"


async def test_a_connection_that_was_cut_is_made_again(own: EmbeddedStore, shared: Redis) -> None:
    await shared.set("word", "x")
    async with Redis.from_url(own.url) as other:
        await other.client_kill_filter(_type="normal", skipme=True)
    assert await shared.get("word") == b"x"
    own.stop()
    with pytest.raises(ConnectionError):
        await shared.get("word")
    own.start()
    assert await shared.get("word") == b"x"


async def test_who_no_longer_waits_leaves_the_others_their_answers(shared: Redis) -> None:
    await shared.set("word", "x")
    asked = [asyncio.ensure_future(shared.echo(str(number))) for number in range(20)]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert found[1::2] == [str(number).encode() for number in range(1, 20, 2)]
    assert await shared.get("word") == b"x"
