"""Tests when pub/sub subscribes, reports a gap, and calls back, with the store's servers in memory."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError, ResponseError
from structlog.testing import capture_logs

from signalling import counts
from signalling.errors import UnavailableError
from signalling.store import pubsub as module
from signalling.store.pubsub import Bus, _PublishReply, _Subscriber
from signalling.store.redis_connection import Arguments


class Pool:
    """The pool of redis-py for one server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection_kwargs: dict[str, Any] = {}


class Servers:
    """Servers in memory. `at`: channel -> its server, "a" without one. `refused`: the error of every command, or None.

    `calls`: the commands that each server got. `server`: the host and port to which commands are sent.
    """

    subscribe_command = "SSUBSCRIBE"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at: dict[bytes, str] = {}
        self.refused: Exception | None = None
        self.calls: list[tuple[str, list[Arguments]]] = []
        self.doubts = self.gaps = 0
        self.server: tuple[Any, Any] = (None, None)
        self._pools = {name: Pool(name) for name in "ab"}
        self.bus = Bus(cast(Any, self), self._reconnected)

        async def call(subscriber: _Subscriber, commands: list[Arguments], answers: int) -> list[Any]:
            assert answers == 1
            self.calls.append((subscriber.pool.name, commands))
            return [self.refused or b"PONG"]

        monkeypatch.setattr(_Subscriber, "call", call)

    async def pool_of(self, channel: bytes) -> Any:
        return self._pools[self.at.get(channel, "a")]

    async def connection_of(self, channel: bytes) -> Any:
        return SimpleNamespace(server=self.server)

    def doubt(self) -> None:
        self.doubts += 1

    def _reconnected(self) -> None:
        self.gaps += 1

    def subscriber(self, name: str) -> _Subscriber:
        return self.bus._subscribers[self._pools[name]]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    """Two servers, "a" and "b"."""
    return Servers(monkeypatch)


def ignored(data: bytes) -> None:
    """Do nothing with a message."""


SUBSCRIBED = [("SSUBSCRIBE", b"one"), ("PING",)]


async def test_a_connection_on_which_messages_come_is_not_pinged(servers: Servers) -> None:
    await servers.bus.subscribe("one", ignored)
    assert servers.calls == [("a", SUBSCRIBED)]
    for silent in (True, False, True):
        servers.calls.clear()
        if not silent:
            servers.subscriber("a").on_push([b"message", b"one", b"data"])
        await servers.bus._look()
        assert servers.calls == ([("a", [("PING",)])] if silent else [])
    assert servers.gaps == 0
    assert list(servers.subscriber("a").first_commands()) == SUBSCRIBED[:1]


async def test_a_channel_whose_slot_has_moved_is_subscribed_at_its_new_server_with_one_gap(
    servers: Servers,
) -> None:
    for channel in ("one", "two"):
        await servers.bus.subscribe(channel, ignored)
    servers.calls.clear()
    servers.at[b"one"] = "b"
    await servers.bus._look()
    assert servers.calls == [("b", SUBSCRIBED), ("a", [("PING",)])]
    assert (servers.subscriber("a").channels, servers.subscriber("b").channels) == ({b"two"}, {b"one"})
    await servers.bus._look()
    assert servers.gaps == 1
    servers.at[b"two"] = "b"
    with capture_logs() as logs:
        await servers.bus._look()
    assert set(servers.bus._subscribers.values()) == {servers.subscriber("b")}
    assert (servers.gaps, logs) == (2, []), "a connection that is closed on purpose is not lost"
    await servers.bus.close()
    assert servers.bus._subscribers == {}


async def test_a_subscription_that_failed_is_a_gap_as_soon_as_it_succeeds(servers: Servers) -> None:
    servers.refused = ResponseError("NOPERM")
    with pytest.raises(UnavailableError):
        await servers.bus.subscribe("one", ignored)
    assert servers.bus._wanted.is_set()
    with pytest.raises(ResponseError):
        await servers.bus._look()
    assert servers.gaps == 0
    servers.refused = None
    await servers.bus._look()
    assert servers.gaps == 1


async def test_messages_are_received_from_the_server_to_which_commands_go(servers: Servers) -> None:
    await servers.bus.subscribe("one", ignored)
    subscriber = servers.subscriber("a")
    for commands, messages, gaps in (
        ("new", "old", 1),
        ("new", "new", 1),
        (None, "new", 1),
        ("new", None, 1),
        ("old", "new", 2),
    ):
        servers.server = commands, commands and 6379
        subscriber._connection = messages and SimpleNamespace(host=messages, port=6379)
        subscriber._transport = cast(Any, SimpleNamespace(abort=lambda: None))
        await servers.bus._look()
        assert servers.gaps == gaps, (commands, messages)


async def test_a_lost_connection_is_counted_once_and_is_a_gap(servers: Servers) -> None:
    await servers.bus.subscribe("one", ignored)
    before = counts.BUS_LOST[""]
    servers.bus._woken.clear()
    with capture_logs() as logs:
        servers.subscriber("a").on_lost()
        servers.subscriber("a").on_lost()
    assert [line["event"] for line in logs] == ["bus.lost"]
    assert (counts.BUS_LOST[""], servers.bus._woken.is_set()) == (before + 1, True)
    for _ in range(2):
        await servers.bus._look()
    assert servers.gaps == 1


@pytest.mark.parametrize(
    ("parts", "called"),
    [
        ([b"message", b"one", b"data"], True),
        ([b"smessage", b"one", b"data"], True),
        ([b"message", b"two", b"data"], False),
        ([b"subscribe", b"one", 1], False),
    ],
)
async def test_only_messages_of_a_subscribed_channel_are_handled(
    servers: Servers, parts: list[Any], called: bool
) -> None:
    found: list[bytes] = []
    await servers.bus.subscribe("one", found.append)
    servers.subscriber("a").on_push(parts)
    assert found == [b"data"] * called
    assert servers.subscriber("a").silent is (parts[0] == b"subscribe")


async def test_a_server_that_ends_a_subscription_leaves_its_channel(servers: Servers) -> None:
    await servers.bus.subscribe("one", ignored)
    servers.subscriber("a").on_push([b"sunsubscribe", b"one", 0])
    assert servers.subscriber("a").channels == set()
    assert servers.bus._woken.is_set()
    servers.calls.clear()
    await servers.bus._look()
    assert (servers.calls, servers.gaps) == ([("a", SUBSCRIBED)], 1)


@pytest.mark.parametrize(
    ("answer", "failed"), [(1, False), (0, True), (ResponseError("NOPERM"), True), (ConnectionError(), True)]
)
@pytest.mark.parametrize("asked", [True, False])
async def test_a_publisher_is_called_back_later_if_nobody_got_the_message(
    answer: Any, failed: bool, asked: bool
) -> None:
    called_back: list[bool] = []
    reply = _PublishReply((lambda: called_back.append(True)) if asked else None)
    assert not reply.done()
    before = counts.STORE_ERRORS.copy()
    if isinstance(answer, ConnectionError):
        reply.set_exception(answer)
    else:
        reply.set_result([answer])
    assert called_back == []
    await asyncio.sleep(0)
    assert called_back == [True] * (asked and failed)
    if isinstance(answer, Exception):
        assert before != counts.STORE_ERRORS


async def test_the_connections_are_checked_every_second_and_after_a_loss(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    periods: list[float] = []
    looks = 0

    async def tick_or(woken: asyncio.Event, period_s: float) -> None:
        periods.append(period_s)
        await woken.wait()

    async def look() -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(module, "tick_or", tick_or)
    monkeypatch.setattr(servers.bus, "_look", look)
    running = asyncio.create_task(servers.bus.run())
    for _ in range(9):
        await asyncio.sleep(0)
    assert looks == 0, "nothing is subscribed yet"
    servers.bus._wanted.set()
    for turn in (1, 2):
        for _ in range(9):
            await asyncio.sleep(0)
        assert (looks, servers.doubts, periods) == (turn, turn - 1, [1.0] * turn)
        servers.bus._woken.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_store_that_is_gone_is_looked_for_with_pauses_up_to_a_second(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    outcomes = iter([OSError()] * 7 + [None, TimeoutError(), ConnectionError()])

    async def sleep(delay_s: float) -> None:
        pauses.append(delay_s)

    async def look() -> None:
        problem = next(outcomes, asyncio.CancelledError())
        if problem is not None:
            raise problem
        servers.bus._woken.set()

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    monkeypatch.setattr(servers.bus, "_look", look)
    servers.bus._wanted.set()
    with pytest.raises(asyncio.CancelledError):
        await servers.bus.run()
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 0.05, 0.1]
    assert servers.doubts == 10
