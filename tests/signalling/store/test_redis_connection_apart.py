"""Tests when the shared connection to the store sends, refuses and repeats commands, without a store."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import hiredis
import pytest
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError, TimeoutError

from signalling.store import redis_connection as module
from signalling.store import redis_transport
from signalling.store.redis_connection import MOST_WAITING, LostError, SharedConnection, SharedRedis
from tests.signalling.waits import until

PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"PONG"


class Transport:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.write = self.written.append
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def pool(**settings: Any) -> Any:
    """Return a pool of redis-py with these settings of its connections."""
    return SimpleNamespace(connection_kwargs=settings)


@pytest.fixture
async def transport(monkeypatch: pytest.MonkeyPatch) -> Transport:
    """The transport of each connection that is opened."""
    opened = Transport()

    async def fastest() -> Any:
        return lambda connection, shared: opened

    async def disconnect(*, nowait: bool) -> None:
        assert nowait

    async def connected(pool: Any, patience_s: float) -> Any:
        return SimpleNamespace(disconnect=disconnect)

    monkeypatch.setattr(redis_transport, "fastest", fastest)
    monkeypatch.setattr(module, "connected", connected)
    return opened


class Pushed(SharedConnection):
    """A connection that subscribes first, and keeps the push messages that it receives."""

    def __init__(self) -> None:
        super().__init__(pool())
        self.pushed: list[Any] = []
        self.lost = 0

    def first_commands(self) -> list[tuple[str, bytes]]:
        return [("SUBSCRIBE", b"one"), ("SUBSCRIBE", b"two")]

    def on_push(self, words: list[Any]) -> None:
        self.pushed.append(words)

    def on_lost(self) -> None:
        self.lost += 1


async def test_a_new_connection_subscribes_before_the_first_command(transport: Transport) -> None:
    shared = Pushed()
    asked = asyncio.create_task(shared.call([("PING",)]))
    await until(lambda: len(transport.written) == 2)
    subscribed = b"*2\r\n$9\r\nSUBSCRIBE\r\n$3\r\n"
    assert transport.written == [subscribed + b"one\r\n" + subscribed + b"two\r\n", PING]
    shared.reply_received(hiredis.PushNotification([b"message", b"one", b"data"]))
    assert (shared.pushed, asked.done()) == ([[b"message", b"one", b"data"]], False)
    shared.reply_received(PONG)
    assert (await asked, shared.opened, shared.lost) == ([PONG], 1, 0)
    shared.reply_received(PONG)
    assert (transport.aborted, shared.lost) == (True, 1), "a reply to no command ends the connection"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_the_first_command_of_a_turn_is_written_alone_and_all_others_together(
    number: int, transport: Transport
) -> None:
    shared = SharedConnection(pool())
    await shared._connected()
    replies = [asyncio.get_running_loop().create_future() for _ in range(number)]
    for reply in replies:
        shared.send(("PING",), reply)
    assert transport.written == [PING]
    await asyncio.sleep(0)
    assert transport.written == [PING, PING * (number - 1)][: min(number, 2)]
    for reply in replies:
        shared.reply_received(PONG)
        assert reply.result() == [PONG]
    await shared.close()


async def test_without_a_connection_or_with_4096_late_replies_no_command_is_sent(
    transport: Transport,
) -> None:
    shared = SharedConnection(pool())
    reply = asyncio.get_running_loop().create_future()
    with pytest.raises(ConnectionError):
        shared.send(("PING",), reply)
    await shared._connected()
    for _ in range(MOST_WAITING):
        shared.send(("PING",), reply)
    with pytest.raises(ConnectionError):
        shared.send(("PING",), reply)
    assert len(shared._waiting) == 4_096
    await shared.close()
    assert isinstance(reply.exception(), ConnectionError)


@pytest.mark.parametrize(
    ("problem", "once", "tries"),
    [
        (LostError(), False, 2),
        (ConnectionError(), False, 2),
        (ConnectionError(), True, 2),
        (LostError(), True, 1),
        (TimeoutError(), False, 1),
        (None, False, 1),
    ],
)
async def test_a_command_is_sent_again_after_50_ms_unless_a_script_may_have_run(
    problem: Exception | None, once: bool, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, tried, pauses = SharedConnection(pool()), 0, list[float]()

    async def call(packed: list[bytes], wanted: int) -> list[Any]:
        nonlocal tried
        tried += 1
        assert (packed, wanted) == ([PING], 1)
        if tried == 1 and problem is not None:
            raise problem
        return [PONG]

    async def sleep(delay_s: float) -> None:
        pauses.append(delay_s)

    monkeypatch.setattr(shared, "_call", call)
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    found: Any = (await asyncio.gather(shared.call([("PING",)], once=once), return_exceptions=True))[0]
    assert found == ([PONG] if problem is None or tries == 2 else problem)
    assert (tried, pauses) == (tries, [0.05] * (tries - 1))


@pytest.mark.parametrize(("settings", "patience_s"), [({}, 5.0), ({"socket_timeout": 2}, 2.0)])
def test_a_reply_may_take_five_seconds_or_the_time_of_the_address(
    settings: dict[str, int], patience_s: float
) -> None:
    assert SharedConnection(pool(**settings)).patience_s == patience_s


async def test_scripts_are_sent_once_and_pools_and_messages_use_the_one_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = SharedRedis()
    sent: list[Any] = []

    async def call(commands: list[Any], answers: int | None = None, *, once: bool = False) -> list[Any]:
        sent.append((*commands, once))
        return [b"1"] * len(commands)

    monkeypatch.setattr(client.shared, "call", call)
    for name in ("EVAL", "EVALSHA", "EVALX", "ECHO"):
        await client.execute_command(name, "x")
    assert [once for _, once in sent] == [True, True, False, False]
    monkeypatch.setattr(client.shared, "send", lambda *args: sent.append(args))
    client.send_message("news", b"data", "receiver")  # type: ignore[arg-type]
    assert sent[-1] == (("PUBLISH", "news", b"data"), "receiver")
    assert await client.pool_of("news") is client.connection_pool
    assert await client.connection_of("news") is client.shared
    client.shared.opened = 7
    assert client.opened == 7


async def test_only_pipelines_without_transactions_and_scripts_share_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, plain = SharedRedis(), list[bool]()

    async def execute(pipeline: Pipeline, raise_on_error: bool = True) -> list[Any]:
        plain.append(raise_on_error)
        return []

    async def call(commands: list[Any]) -> list[Any]:
        return [commands]

    monkeypatch.setattr(Pipeline, "execute", execute)
    monkeypatch.setattr(client.shared, "call", call)
    assert type(client.pipeline()) is type(client.pipeline(True)) is Pipeline
    for attribute, value in (("scripts", {"x"}), ("watching", True), ("explicit_transaction", True)):
        pipe = client.pipeline(transaction=False)
        setattr(pipe, attribute, value)
        await pipe.execute(False)
    assert plain == [False] * 3
    pipe = client.pipeline(transaction=False)
    assert await pipe.execute() == []
    pipe.echo("a")
    assert await pipe.execute() == [[("ECHO", "a")]]
    assert await pipe.execute() == []
    assert plain == [False] * 3


async def test_closing_the_client_closes_the_shared_connection_and_redis_pys_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, closed = SharedRedis(), list[str]()

    async def close() -> None:
        closed.append("shared")

    async def disconnect(inuse_connections: bool = True) -> None:
        closed.append("pool")

    monkeypatch.setattr(client.shared, "close", close)
    monkeypatch.setattr(client.connection_pool, "disconnect", disconnect)
    await client.aclose(close_connection_pool=True)
    assert closed == ["shared", "pool"]
