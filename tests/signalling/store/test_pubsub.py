"""Tests that pub/sub works again by itself: after a cut connection, a missing store, or an invalid message."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.store.pubsub import Bus
from signalling.store.redis_connection import SharedRedis
from tests.limits import WAIT_S
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
    redis = SharedRedis.from_url(store.url, socket_timeout=WAIT_S, socket_connect_timeout=WAIT_S)
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
        try:
            return [await bus.publish(channel, channel.encode()) for channel in ("one", "two")] == [1, 1]
        except UnavailableError:
            return False

    await until(both_heard)
    await until(lambda: {b"one", b"two"} <= set(heard))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()
    await redis.aclose()
    store.stop()
    folder.close()


async def connections(owner: Redis) -> int:
    """Return how many connections a store has accepted since its start."""
    accepted: int = (await owner.info("stats"))["total_connections_received"]
    return accepted


async def are_more(owner: Redis, before: int) -> bool:
    """Return True if a store has accepted more connections than `before`."""
    return await connections(owner) > before


async def test_a_store_that_refuses_subscriptions_is_tried_again_with_pauses(
    own: EmbeddedStore,
) -> None:
    async with SharedRedis.from_url(own.url) as owner:
        deaf = ("deaf", "on", "nopass", "~*", "+@all", "resetchannels")
        await owner.execute_command("ACL", "SETUSER", *deaf)  # type: ignore[no-untyped-call]
        redis = SharedRedis.from_url(own.url, username="deaf", password="x", socket_timeout=WAIT_S)
        back: list[int] = []
        bus = Bus(redis, lambda: back.append(1))
        running = asyncio.create_task(bus.run())
        with pytest.raises(UnavailableError):
            await bus.subscribe("news", lambda data: None)
        before, began_s = await connections(owner), time.monotonic()
        await until(partial(are_more, owner, before))
        await asyncio.sleep(1.0)
        tried, passed_s = await connections(owner) - before, time.monotonic() - began_s
        assert not back, "it never heard again"
        # The pauses grow to 1 s. Each try may open two connections, because the store refuses on the first one.
        assert tried <= 2 * (6 + passed_s)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()
        await redis.aclose()
