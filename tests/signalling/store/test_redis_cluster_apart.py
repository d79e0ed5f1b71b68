"""Tests to which node a command is sent and when it is sent again, with the nodes of a cluster in memory."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import ConnectionPool
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as LateAnswer

from signalling.store import redis_cluster as module
from signalling.store.redis_cluster import ClusterRedis, slot_of
from signalling.store.redis_connection import LostError

ONE, TWO, THREE = ("one", 1), ("two", 2), ("three", 3)
SLOTS = [[0, 16_383, [b"one", 1, b"id"]]]
HALVES = [[0, 8_191, [b"one", 1, b"id"]], [8_192, 16_383, [b"two", 2, b"id"]]]
LOW, HIGH = "{b}", "{high}"  # a key in the first half of the cluster's slots, and a key in the second half


class Node:
    """Replaces the connection to a node. `replies`: the result or error of each of the next calls.

    When there are no replies left, the node answers every command with "OK".
    """

    def __init__(self, slots: Any = SLOTS) -> None:
        self.slots = slots
        self.calls: list[list[tuple[Any, ...]]] = []
        self.once: list[bool] = []
        self.replies: list[Any] = []
        self.pool = SimpleNamespace(disconnect=self._closed)
        self.closed = 0

    async def call(self, commands: Any, *, once: bool = False) -> list[Any]:
        if commands == [("CLUSTER", "SLOTS")]:
            if isinstance(self.slots, Exception):
                raise self.slots
            return [self.slots]
        self.calls.append(list(commands))
        self.once.append(once)
        await asyncio.sleep(0)
        found = self.replies.pop(0) if self.replies else ["OK"] * len(commands)
        if isinstance(found, Exception):
            raise found
        return list(found)

    async def close(self) -> None:
        self.closed += 1

    async def _closed(self) -> None:
        self.closed += 1


class ClusterApart(ClusterRedis):
    """A client of a cluster of three nodes, each of which is a `Node` in memory."""

    def __init__(self, slots: Any = SLOTS) -> None:
        self.nodes = {ONE: Node(slots), TWO: Node(slots), THREE: Node(slots)}
        super().__init__([ONE, TWO], lambda node: ConnectionPool(host=node[0], port=node[1]))
        self.patience_s = 5.0

    def _to(self, node: Any) -> Any:
        return self.nodes[node]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A list that gets the length of each pause that the client makes. The pauses take no time."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    names = {name: getattr(asyncio, name) for name in ("create_task", "shield", "timeout", "gather")}
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep, **names))
    return pauses


def test_the_keys_are_in_both_halves() -> None:
    assert slot_of(LOW) < 8_192 <= slot_of(HIGH)
    assert slot_of(LOW.encode()) == slot_of(LOW)
    assert (module.TOPOLOGY_S, module.PAUSE_S) == (0.5, 0.05)
    assert {"TIME", "INFO", "PING", "ECHO", "BGREWRITEAOF"} == module.KEYLESS


@pytest.mark.parametrize("name", sorted(module.KEYLESS))
def test_a_command_without_a_key_can_go_to_any_node(name: str) -> None:
    assert module.key_of((name, "argument")) is None
    assert module.key_of(("DBSIZE",)) is None
    assert module.key_of(("GET", "key")) == "key"


# --- finding the node


async def test_the_nodes_are_asked_once_until_there_is_a_doubt() -> None:
    cluster = ClusterApart(HALVES)
    found = await asyncio.gather(*(cluster.node_of(key) for key in (LOW, HIGH, None)))
    assert found == [ONE, TWO, ONE]
    cluster.nodes[ONE].slots = [[0, 16_383, [b"three", 3, b"id"]]]
    cluster.nodes[TWO].slots = cluster.nodes[ONE].slots
    assert await cluster.node_of(LOW) == ONE
    cluster.doubt()
    assert await cluster.node_of(LOW) == THREE
    assert cluster._loading is None
    assert await cluster.pool_of(LOW) is cluster.nodes[THREE].pool


@pytest.mark.parametrize("away", [ConnectionError(), OSError(), TimeoutError(), [], ResponseError("no")])
async def test_another_node_is_asked_if_one_does_not_know(away: Any) -> None:
    cluster = ClusterApart()
    cluster.nodes[ONE].slots = away
    assert await cluster.node_of(LOW) == ONE
    cluster.nodes[TWO].slots = ConnectionError()
    cluster._owners = []
    cluster.doubt()
    with pytest.raises(ConnectionError, match="no node of the cluster answers"):
        await cluster.node_of(LOW)
    await asyncio.sleep(0)
    assert (cluster._loading, cluster._doubted) == (None, True)


async def test_a_slot_without_a_node_is_an_error_and_a_doubt() -> None:
    cluster = ClusterApart([HALVES[0]])
    assert await cluster.node_of(None) == ONE
    with pytest.raises(ConnectionError, match="no node of the cluster has this slot"):
        await cluster.node_of(HIGH)
    assert cluster._doubted


# --- commands


async def test_a_command_is_sent_to_the_node_of_its_key_and_a_script_at_most_once() -> None:
    cluster = ClusterApart(HALVES)
    assert await cluster.execute_command("ECHO", "x") == "OK"
    await cluster.execute_command("EVALSHA", "sha", 1, HIGH)
    await cluster.carried_out([("PUBLISH", HIGH, b"x"), ("TIME",)])
    assert cluster.nodes[ONE].calls == [[("ECHO", "x")]]
    assert cluster.nodes[TWO].calls == [[("EVALSHA", "sha", 1, HIGH)], [("SPUBLISH", HIGH, b"x"), ("TIME",)]]
    assert (cluster.nodes[ONE].once, cluster.nodes[TWO].once) == ([False], [True, False])


MOVED, ASKED = MovedError(f"{slot_of(LOW)} two:2"), AskError(f"{slot_of(LOW)} two:2")


@pytest.mark.parametrize(
    ("refusal", "second", "sent", "pauses"),
    [
        (MOVED, ONE, [("GET", LOW)], [0]),
        (ASKED, TWO, [("ASKING",), ("GET", LOW)], []),
        (AskError(f"{slot_of(LOW)} :1"), ONE, [("ASKING",), ("GET", LOW)], []),
        (TryAgainError("again"), ONE, [("GET", LOW)], [0.05]),
        (ClusterDownError("down"), ONE, [("GET", LOW)], [0.05]),
    ],
)
async def test_a_command_that_was_refused_is_sent_again_where_the_slot_is(
    refusal: Any, second: Any, sent: list[Any], pauses: list[float], slept: list[float]
) -> None:
    cluster = ClusterApart()
    cluster.nodes[ONE].replies = [[refusal]]
    cluster.nodes[second].replies += [["x", "x"][: len(sent)]]
    assert await cluster.carried_out([("GET", LOW)]) == ["x"]
    assert cluster.nodes[second].calls[-1] == sent
    assert slept == pauses


async def test_after_a_refusal_the_owners_are_asked_again(slept: list[float]) -> None:
    cluster = ClusterApart()
    await cluster.node_of(LOW)
    for node in cluster.nodes.values():
        node.slots = [[0, 16_383, [b"two", 2, b"id"]]]
    cluster.nodes[ONE].replies = [[MOVED]]
    await cluster.carried_out([("GET", LOW)])
    assert cluster.nodes[TWO].calls == [[("GET", LOW)]]


@pytest.mark.parametrize(
    ("problem", "once", "tries"),
    [
        (ConnectionError(), False, 2),
        (OSError(), False, 2),
        (ConnectionError(), True, 2),
        (LostError(), True, 1),
        (LostError(), False, 2),
        (LateAnswer(), False, 1),
    ],
)
async def test_a_command_whose_connection_failed_is_sent_again_unless_it_may_have_run(
    problem: Exception, once: bool, tries: int, slept: list[float]
) -> None:
    cluster = ClusterApart()
    await cluster.node_of(LOW)
    cluster.nodes[ONE].replies = [problem]
    if tries == 1:
        with pytest.raises(type(problem)):
            await cluster.carried_out([("GET", LOW)], once=once)
        assert cluster._doubted
    else:
        assert await cluster.carried_out([("GET", LOW)], once=once) == ["OK"]
    assert (len(cluster.nodes[ONE].calls), slept) == (tries, [0.05] * (tries - 1))


@pytest.mark.parametrize("problem", [ConnectionError(), [TryAgainError("again")]])
async def test_a_command_is_sent_again_only_as_long_as_the_patience_lasts(
    problem: Any, slept: list[float]
) -> None:
    cluster = ClusterApart()
    cluster.patience_s = -1.0
    cluster._owners, cluster._doubted = [ONE] * 16_384, False
    cluster.nodes[ONE].replies = [problem]
    if isinstance(problem, Exception):
        with pytest.raises(ConnectionError):
            await cluster.carried_out([("GET", LOW)])
    else:
        assert await cluster.carried_out([("GET", LOW)]) == problem
    assert (len(cluster.nodes[ONE].calls), slept) == (1, [])


async def test_an_ask_reply_applies_to_one_try_only(slept: list[float]) -> None:
    cluster = ClusterApart()
    cluster.nodes[ONE].replies = [[ASKED]]
    cluster.nodes[TWO].replies = [ConnectionError()]
    await cluster.carried_out([("GET", LOW)])
    assert [len(node.calls) for node in cluster.nodes.values()] == [2, 1, 0]


# --- scripts, messages and information


async def test_a_script_is_loaded_by_every_master_and_one_reply_is_enough() -> None:
    cluster = ClusterApart([*HALVES, [16_383, 16_383, [b"two", 2, b"id"]]])
    cluster.nodes[ONE].replies = [ConnectionError()]
    cluster.nodes[TWO].replies = [["sha"]]
    assert await cluster.execute_command("SCRIPT LOAD", "text") == "sha"
    assert [len(node.calls) for node in cluster.nodes.values()] == [1, 1, 0]
    assert not cluster._doubted
    for node in (ONE, TWO):
        cluster.nodes[node].replies = [ConnectionError()]
    with pytest.raises(ConnectionError):
        await cluster.execute_command("SCRIPT LOAD", "text")
    assert cluster._doubted


def test_a_script_publishes_to_its_own_slot() -> None:
    script = ClusterApart().register_script("redis.call('PUBLISH', KEYS[1], 'PUBLISHED')")
    assert script.script == "redis.call('SPUBLISH', KEYS[1], 'PUBLISHED')"


async def test_the_information_is_that_of_the_node_of_the_key() -> None:
    cluster = ClusterApart(HALVES)
    cluster.nodes[TWO].replies = [[b"# Server\r\nrun_id:abc\r\n"]]
    assert (await cluster.info_of(HIGH, "server"))["run_id"] == "abc"
    assert cluster.nodes[TWO].calls == [[("INFO", "server")]]


@pytest.mark.parametrize("problem", [None, RedisError(), OSError()])
async def test_a_message_is_sent_in_the_background(
    problem: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = ClusterApart()
    got: list[Any] = []
    receiver: Any = SimpleNamespace(set_result=got.append, set_exception=got.append)
    if problem is not None:

        async def fails(commands: Any, **how: Any) -> Any:
            raise problem

        monkeypatch.setattr(cluster, "carried_out", fails)
    cluster.send_message(LOW, b"x", receiver)
    (task,) = cluster._publishing
    await task
    await asyncio.sleep(0)
    assert got == ([["OK"]] if problem is None else [problem])
    assert cluster._publishing == set()
    assert len(cluster.nodes[ONE].calls) == (problem is None)
    if problem is None:
        assert cluster.nodes[ONE].calls == [[("SPUBLISH", LOW, b"x")]]
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    with pytest.raises(ConnectionError, match="keep up"):
        cluster.send_message(LOW, b"x", receiver)


@pytest.mark.parametrize(("problem", "tries"), [(ConnectionError(), 2), (LostError(), 1)])
async def test_a_message_that_may_have_been_published_is_not_sent_again(
    problem: Exception, tries: int, slept: list[float]
) -> None:
    cluster = ClusterApart()
    cluster.nodes[ONE].replies = [problem]
    got: list[Any] = []
    receiver: Any = SimpleNamespace(set_result=got.append, set_exception=got.append)
    cluster.send_message(LOW, b"x", receiver)
    await asyncio.gather(*cluster._publishing)
    assert got == [["OK"] if tries == 2 else problem]
    assert cluster.nodes[ONE].once == [True] * tries


# --- pipelines


async def test_a_pipeline_is_sent_in_one_group_for_each_slot_and_answered_in_order() -> None:
    cluster = ClusterApart(HALVES)
    pipe = cluster.pipeline(transaction=False)
    assert await pipe.execute() == []
    for command in (("ECHO", "first"), ("ECHO", HIGH), ("APPEND", HIGH, 1), ("APPEND", LOW, 2)):
        pipe.execute_command(*command)
    cluster.nodes[TWO].replies = [["first", "second", 3]]
    cluster.nodes[ONE].replies = [[4]]
    assert await pipe.execute() == ["first", "second", 3, 4]
    assert cluster.nodes[ONE].calls == [[("APPEND", LOW, 2)]]
    assert len(cluster.nodes[TWO].calls[0]) == 3
    pipe.execute_command("ECHO", "alone")
    await pipe.execute()
    assert cluster.nodes[ONE].calls[-1] == [("ECHO", "alone")]


@pytest.mark.parametrize("refusal", [MOVED, ConnectionError()])
async def test_only_the_commands_of_a_pipeline_that_were_refused_are_sent_again(refusal: Any) -> None:
    cluster = ClusterApart()
    pipe = cluster.pipeline(transaction=False)
    pipe.execute_command("APPEND", LOW, 1)
    pipe.execute_command("APPEND", LOW, 2)
    cluster.nodes[ONE].replies = [[1, refusal], [2]]
    assert await pipe.execute() == [1, 2]
    assert cluster.nodes[ONE].calls[1:] == [[("APPEND", LOW, 2)]]


async def test_a_pipeline_whose_connection_failed_is_sent_again_command_by_command() -> None:
    cluster = ClusterApart()
    cluster.nodes[ONE].replies = [ConnectionError(), [1], [2]]
    pipe = cluster.pipeline(transaction=False)
    pipe.execute_command("APPEND", LOW, 1)
    pipe.execute_command("APPEND", LOW, 2)
    assert await pipe.execute() == [1, 2]
    assert [len(call) for call in cluster.nodes[ONE].calls] == [2, 1, 1]


async def test_a_transaction_is_sent_whole_and_once() -> None:
    cluster = ClusterApart(HALVES)
    pipe = cluster.pipeline()
    pipe.execute_command("APPEND", HIGH, 1)
    pipe.execute_command("ECHO", "x")
    cluster.nodes[TWO].replies = [["OK", "QUEUED", "QUEUED", [1, "x"]]]
    assert await pipe.execute() == [1, "x"]
    assert cluster.nodes[TWO].calls == [[("MULTI",), ("APPEND", HIGH, 1), ("ECHO", "x"), ("EXEC",)]]
    assert cluster.nodes[TWO].once == [True]
    wrong, aborted = ResponseError("wrong"), ResponseError("EXECABORT")
    for replies, raised in (
        ([["OK", wrong, "QUEUED", aborted]], wrong),
        ([["OK", "QUEUED", "QUEUED", aborted]], aborted),
    ):
        pipe.execute_command("APPEND", HIGH, 1)
        pipe.execute_command("ECHO", "x")
        cluster.nodes[TWO].replies = list(replies)
        with pytest.raises(ResponseError) as refused:
            await pipe.execute()
        assert refused.value is raised


async def test_a_client_that_closes_ends_its_messages_and_connections() -> None:
    cluster = ClusterApart()
    cluster._connections = {ONE: cluster.nodes[ONE]}  # type: ignore[dict-item]
    receiver: Any = SimpleNamespace(set_result=lambda found: None, set_exception=lambda problem: None)
    cluster.send_message(LOW, b"x", receiver)
    (task,) = cluster._publishing
    await cluster.aclose()
    await asyncio.gather(task, return_exceptions=True)
    assert (task.cancelled(), cluster.nodes[ONE].closed) == (True, 2)
