"""Tests that pub/sub works again by itself: after a cut connection, a missing store, or an invalid message."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.store.pubsub import Bus
from signalling.store.redis_connection import SharedRedis
from tests.signalling.waits import until
from web.server.valkey import EmbeddedStore, LockedFolder

pytestmark = pytest.mark.usefixtures("both_transports")


def counted(calls: list[int], fewest: int) -> bool:
    """Return True if a function has been called at least `fewest` times by now. `calls`: has one item for each call."""
    return len(calls) >= fewest


async def test_a_bus_whose_connection_is_cut_subscribes_again_and_reports_a_possible_gap(
    valkey: Redis,
) -> None:
    heard: list[bytes] = []
    back: list[int] = []
    bus = Bus(valkey, lambda: back.append(1))
    await bus.subscribe("news", heard.append)
    await bus.subscribe("others", heard.append)
    running = asyncio.create_task(bus.run())
    for cut in range(1, 4):
        await valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]
        await until(partial(counted, back, cut))
        heard.clear()
        for channel in ("news", "others"):
            assert await bus.publish(channel, channel.encode()) == 1
        await until(lambda: heard == [b"news", b"others"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()


async def test_a_message_that_cannot_be_read_does_not_stop_the_bus(valkey: Redis) -> None:
    heard: list[bytes] = []

    def touchy(data: bytes) -> None:
        if data == b"bad":
            raise ValueError(data)
        heard.append(data)

    bus = Bus(valkey)
    await bus.subscribe("news", touchy)
    running = asyncio.create_task(bus.run())
    for word in (b"one", b"bad", b"two"):
        await bus.publish("news", word)
    await until(lambda: heard == [b"one", b"two"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()


async def test_a_worker_that_starts_before_its_store_receives_everything_once_it_answers(
    tmp_path: Path,
) -> None:
    folder = LockedFolder(tmp_path)
    store = EmbeddedStore(folder)
    redis = SharedRedis.from_url(store.url, socket_timeout=1, socket_connect_timeout=1)
    bus = Bus(redis)
    heard: list[bytes] = []
    running = asyncio.create_task(bus.run())
    for channel in ("one", "two"):
        try:
            await bus.subscribe(channel, heard.append)
        except UnavailableError:
            continue
        raise AssertionError("there is no store yet")
    store.start()

    async def both_heard() -> bool:
        return [await bus.publish(channel, channel.encode()) for channel in ("one", "two")] == [1, 1]

    await until(both_heard)
    await until(lambda: {b"one", b"two"} <= set(heard))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()
    await redis.aclose()
    store.stop()
    folder.close()


async def test_a_store_that_refuses_subscriptions_is_tried_again_with_pauses(
    own: EmbeddedStore,
) -> None:
    async with SharedRedis.from_url(own.url) as owner:
        deaf = ("deaf", "on", "nopass", "~*", "+@all", "resetchannels")
        await owner.execute_command("ACL", "SETUSER", *deaf)  # type: ignore[no-untyped-call]
        redis = SharedRedis.from_url(own.url, username="deaf", password="x", socket_timeout=5)
        back: list[int] = []
        bus = Bus(redis, lambda: back.append(1))
        running = asyncio.create_task(bus.run())
        with pytest.raises(UnavailableError):
            await bus.subscribe("news", lambda data: None)
        before = (await owner.info("stats"))["total_connections_received"]
        await asyncio.sleep(1.0)
        tried = (await owner.info("stats"))["total_connections_received"] - before
        assert not back, "it never heard again"
        assert 1 <= tried < 10
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()
        await redis.aclose()
