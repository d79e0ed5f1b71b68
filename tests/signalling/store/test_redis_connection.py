"""Tests the shared connection to the store: order, errors, time-outs and lost connections, on a real Valkey.

Every test runs twice: with redis-py's socket itself, and with redis-py's public methods only.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import Context
from functools import partial
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from signalling.store import redis_connection
from signalling.store.redis_connection import SharedConnection, SharedRedis, connected
from signalling.ticks import tick, tick_or
from tests.limits import WAIT_S
from tests.signalling.waits import stopped_clock, until
from web.server.valkey import EmbeddedStore

PATIENCE_S = 0.3  # the time-out in s of a client that waits for a store which does not answer

pytestmark = pytest.mark.usefixtures("both_transports")


@pytest.fixture
async def shared(own: EmbeddedStore) -> AsyncIterator[Redis]:
    """A client on a shared connection, with time-outs that are never reached."""
    client = SharedRedis.from_url(own.url, socket_timeout=WAIT_S, socket_connect_timeout=WAIT_S)
    yield client
    await client.aclose()


@pytest.fixture
async def hurried(own: EmbeddedStore) -> AsyncIterator[Redis]:
    """A client with short time-outs on a shared connection, which is open."""
    client = SharedRedis.from_url(own.url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
    await until(partial(answers, client))
    yield client
    await client.aclose()


async def answers(client: Redis) -> bool:
    """Return True if the store answers a client before its time-out."""
    try:
        return bool(await client.ping())
    except (ConnectionError, TimeoutError):
        return False


def writes_of(client: Redis, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the list of what the client's connection writes from now on. Nothing of this reaches the store."""
    sent: list[bytes] = []
    monkeypatch.setattr(client.shared, "_transport", SimpleNamespace(write=sent.append, abort=lambda: None))  # type: ignore[attr-defined]
    return sent


async def test_many_who_ask_at_once_each_get_their_own_answer_on_one_connection(shared: Redis) -> None:
    answers = await asyncio.gather(*(shared.echo(str(number)) for number in range(500)))
    assert answers == [str(number).encode() for number in range(500)]
    assert len(await shared.client_list()) == 1


async def test_the_first_question_of_a_turn_goes_out_at_once_and_all_others_together(
    shared: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared.ping()
    sent = writes_of(shared, monkeypatch)
    asked = [asyncio.ensure_future(shared.echo(str(number))) for number in range(50)]
    await asyncio.sleep(0)
    assert [written.count(b"ECHO") for written in sent] == [1]
    await asyncio.sleep(0)
    assert [written.count(b"ECHO") for written in sent] == [1, 49]
    for task in asked:
        task.cancel()


async def test_what_the_tasks_of_a_tick_ask_goes_out_in_one_write_and_other_questions_do_not_wait_for_it(
    shared: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared.ping()
    sent = writes_of(shared, monkeypatch)
    never = asyncio.Event()

    async def look(wait: Callable[[], Awaitable[None]]) -> None:
        await wait()
        await shared.echo("tick")

    async def claim() -> None:
        await shared.echo("claim")

    waits = [lambda: tick(0.1), lambda: tick_or(never, 0.1), lambda: tick(0.1), lambda: tick_or(never, 0.1)]
    with stopped_clock() as clock:
        asked = [asyncio.ensure_future(look(wait)) for wait in waits]
        await clock.passes(0.0)
        await clock.passes(0.1)
        assert [written.count(b"tick") for written in sent] == [4]

        sent.clear()
        asked.append(asyncio.ensure_future(look(waits[0])))
        asyncio.get_running_loop().call_soon(clock.move, 0.1)
        await tick(0.1)
    asked.append(asyncio.get_running_loop().create_task(claim(), context=Context()))
    await asyncio.sleep(0)
    assert b"claim" in sent[0]
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
    own: EmbeddedStore, hurried: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection: SharedConnection = hurried.shared  # type: ignore[attr-defined]
    lose, losses = connection._lose, list[RedisError]()

    def lost(problem: RedisError) -> None:
        losses.append(problem)
        lose(problem)

    monkeypatch.setattr(connection, "_lose", lost)
    assert own.pid is not None
    os.kill(own.pid, signal.SIGSTOP)
    found = await asyncio.gather(*(hurried.get("word") for _ in range(50)), return_exceptions=True)
    assert found == losses * 50
    assert [type(problem) for problem in losses] == [TimeoutError]
    with pytest.raises(TimeoutError):
        await hurried.get("word")
    os.kill(own.pid, signal.SIGCONT)
    await until(partial(answers, hurried))


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


async def test_a_caller_that_no_longer_waits_leaves_the_others_their_answers(shared: Redis) -> None:
    await shared.set("word", "x")
    asked = [asyncio.ensure_future(shared.echo(str(number))) for number in range(20)]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert found[1::2] == [str(number).encode() for number in range(1, 20, 2)]
    assert await shared.get("word") == b"x"


@pytest.mark.parametrize("problem", [OSError(), None], ids=["refused", "no answer in time"])
async def test_what_a_failed_attempt_to_connect_has_opened_is_closed(problem: OSError | None) -> None:
    told: list[str] = []

    async def connect() -> None:
        if problem is not None:
            raise problem
        await asyncio.Event().wait()

    async def disconnect(*, nowait: bool) -> None:
        told.append(f"disconnect, nowait={nowait}")

    attempt = SimpleNamespace(connect=connect, disconnect=disconnect)
    with pytest.raises(OSError if problem is not None else TimeoutError):
        await connected(SimpleNamespace(make_connection=lambda: attempt), 0.01)
    assert told == ["disconnect, nowait=True"]


async def test_an_answer_is_late_when_its_own_time_is_over_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = SharedConnection(SimpleNamespace(connection_kwargs={"socket_timeout": 5.0}))
    looks: list[tuple[float, Callable[[], None]]] = []

    def call_later(in_s: float, look: Callable[[], None]) -> str:
        looks.append((in_s, look))
        return "a timer"

    loop = SimpleNamespace(call_soon=lambda _: None, call_later=call_later)
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(connection, "_loop", loop)
    monkeypatch.setattr(connection, "_transport", SimpleNamespace(write=len, abort=lambda: None))
    monkeypatch.setattr(redis_connection, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    first, second, third = (asyncio.get_running_loop().create_future() for _ in range(3))
    connection.send(("PING",), first)
    clock.now_s = 103.0
    connection.reply_received(b"PONG")
    connection.send(("PING",), second)
    clock.now_s = 105.0
    looks[0][1]()
    assert (first.result(), second.done()) == ([b"PONG"], False)
    connection.reply_received(b"PONG")
    clock.now_s = 108.0
    looks[1][1]()
    connection.send(("PING",), third)
    assert [in_s for in_s, _ in looks] == [5.0, 3.0, 5.0], "each is looked after, also behind a pause"
    clock.now_s = 113.0
    looks[2][1]()
    assert isinstance(third.exception(), TimeoutError)


async def test_a_closed_connection_looks_for_late_answers_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = SharedConnection(SimpleNamespace(connection_kwargs={"socket_timeout": 5.0}))
    await connection.close()  # this connection was never used
    ended: list[str] = []
    timer = SimpleNamespace(cancel=lambda: ended.append("timer"))
    loop = SimpleNamespace(call_soon=lambda _: None, call_later=lambda *_: timer)
    monkeypatch.setattr(connection, "_loop", loop)
    transport = SimpleNamespace(write=len, abort=lambda: ended.append("transport"))
    monkeypatch.setattr(connection, "_transport", transport)
    answer = asyncio.get_running_loop().create_future()
    connection.send(("PING",), answer)
    await connection.close()
    assert ended == ["timer", "transport"]
    with pytest.raises(ConnectionError):
        answer.result()
    await connection.close()
    assert ended == ["timer", "transport"]
