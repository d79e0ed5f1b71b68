"""Tests to which node of a real cluster of three a command is sent, and what happens while a slot (group of keys)
moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.exceptions import ClusterCrossSlotError, ConnectionError, NoScriptError, RedisError

from signalling.rooms.liveness import death_of
from signalling.store import keys
from signalling.store.pubsub import Bus
from signalling.store.redis_cluster import key_of, owners, slot_of
from tests.faults.nodes import Cluster, ask, cluster
from tests.signalling.waits import until
from web.config import parse
from web.server.redis_client import connect, connect_now


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of three masters without replicas."""
    with cluster(tmp_path_factory.mktemp("nodes"), copies=False) as started:
        yield started


@pytest.fixture
async def client(nodes: Cluster) -> AsyncIterator[Any]:
    """A client of the cluster, which is empty."""
    for node in nodes.masters:
        ask(node, "FLUSHALL")
    async with connect(parse({"redis": {"url": nodes.url}}, "test")) as opened:
        yield opened


def test_the_key_of_a_command_is_found() -> None:
    assert key_of(("GET", "a")) == "a"
    assert key_of(("EVALSHA", "sha", 2, "a", "b", "x")) == "a"
    assert key_of(("EVAL", "return 1", 0)) is None
    assert key_of(("SCAN", 0, b"MATCH", "{o}:*", b"COUNT", 9)) == "{o}:*"
    assert key_of(("TIME",)) is None
    assert key_of(("CONFIG GET", "save")) is None


def test_all_keys_of_an_organisation_have_one_slot() -> None:
    tagged = [key for key in keys.ALL if key.pattern.startswith("{<organisation>}")]
    parts = [["lakeside", *(f"x{n}" for n in range(key.pattern.count("<") - 1))] for key in tagged]
    slots = {slot_of(key(*names)) for key, names in zip(tagged, parts, strict=True)}
    assert len(tagged) > 60
    assert slots == {slot_of("{lakeside}")}


def test_the_owners_of_slots_are_read_and_an_empty_host_is_that_of_the_node_that_was_asked() -> None:
    found = owners(
        [[0, 1, [b"10.0.0.1", 7, b"id"]], [3, 3, [None, 8, b"id"], [b"copy", 9, b"id"]]], ("here", 1)
    )
    assert found[:5] == [("10.0.0.1", 7), ("10.0.0.1", 7), None, ("here", 8), None]
    assert len(found) == 16_384


async def test_commands_pipelines_transactions_and_scripts_reach_the_nodes_of_their_keys(client: Any) -> None:
    names = [f"key{number}" for number in range(50)]
    pipe = client.pipeline(transaction=False)
    pipe.time()
    for name in names:
        pipe.set(name, name)
    assert len(await pipe.execute()) == 51
    assert [await client.get(name) for name in names] == [name.encode() for name in names]
    pipe = client.pipeline(transaction=True)
    pipe.hset("{o}:a", "field", 1)
    pipe.hgetall("{o}:a")
    assert await pipe.execute() == [1, {b"field": b"1"}]
    assert [name async for name in client.scan_iter(match="{o}:*", count=100)] == [b"{o}:a"]
    pipe = client.pipeline(transaction=True)
    pipe.set("key1", 1)
    pipe.set("key2", 1)
    with pytest.raises(ClusterCrossSlotError):
        await pipe.execute()
    script = client.register_script("return {KEYS[1], redis.call('PUBLISH', KEYS[1], ARGV[1])}")
    assert await script(keys=["{o}:a"], args=["x"]) == [b"{o}:a", 0]
    assert await script(keys=["key1"], args=["x"]) == [b"key1", 0], "every node knows the script"
    with pytest.raises(NoScriptError):
        await client.evalsha("0" * 40, 1, "key2")


async def test_commands_and_messages_follow_a_slot_that_moves(client: Any, nodes: Cluster) -> None:
    heard: list[bytes] = []
    back: list[int] = []
    bus = Bus(client, lambda: back.append(1))
    await bus.subscribe("{moving}", heard.append)
    running = asyncio.create_task(bus.run())
    for number in range(30):
        await client.set(f"{{moving}}:{number}", number)
    written: list[int] = []

    async def write() -> None:
        while True:
            number = len(written)
            name = f"{{moving}}:new{number % 20}"
            await client.set(name, number)
            pipe = client.pipeline(transaction=False)
            pipe.get(f"{{moving}}:{number % 30}")
            pipe.get(name)
            assert await pipe.execute() == [str(number % 30).encode(), str(number).encode()]
            written.append(number)

    writing = asyncio.create_task(write())
    slot = slot_of("{moving}")
    for move in (nodes.move, nodes.move_at_once, nodes.move):
        target = next(node for node in nodes.masters if node is not nodes.owner(slot))
        before = len(written)
        await asyncio.to_thread(move, slot, target)
        await until(lambda before=before: len(written) > before + 20)  # type: ignore[misc]

        async def received() -> bool:
            return await bus.publish("{moving}", b"news") == 1 and heard[-1:] == [b"news"]

        await until(received)
        heard.clear()
    # After each move, `back` gets a report that pub/sub is subscribed again and that messages may have been lost.
    await until(lambda: len(back) >= 3)
    for task in (writing, running):
        task.cancel()
    await asyncio.gather(writing, running, return_exceptions=True)
    assert writing.cancelled()
    await bus.close()


async def test_a_death_that_is_announced_without_a_loop_is_received(client: Any, nodes: Cluster) -> None:
    heard: list[bytes] = []
    bus = Bus(client)
    await bus.subscribe(keys.DEATHS_CHANNEL, heard.append)
    with connect_now(parse({"redis": {"url": nodes.url}}, "test").redis, 5) as store:
        for command in death_of("w0-gone"):
            store.execute_command(*command)
    await until(lambda: heard == [b"w0-gone"])
    await bus.close()


async def test_a_node_that_is_away_keeps_no_script_from_the_others(client: Any, nodes: Cluster) -> None:
    dead = nodes.masters[0]
    names = {nodes.owner(slot_of(name)) is dead: name for name in map(str, range(99))}
    away, here = names[True], names[False]
    script = client.register_script("return redis.call('INCR', KEYS[1])")
    assert await client.get(away) is None
    dead.end()
    assert await script(keys=[here]) == 1
    with pytest.raises(RedisError):
        await script(keys=[away])
    dead.start()

    async def returned() -> bool:
        try:
            return bool(await script(keys=[away]))
        except (RedisError, OSError):
            return False

    await until(returned)


async def test_a_cluster_of_which_no_node_answers_is_an_error_in_time() -> None:
    url = "redis+cluster://127.0.0.1:1,127.0.0.1:2"
    async with connect(parse({"redis": {"url": url, "socket_timeout_s": 0.2}}, "test")) as client:
        with pytest.raises(ConnectionError, match="no node of the cluster answers"):
            await client.get("key")
