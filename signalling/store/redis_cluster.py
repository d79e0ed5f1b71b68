"""The client of a Redis cluster: each command goes to the node that has the slot of its key, over one connection per
node.

All keys of an organisation are in one slot (`keys.py`), so a script, a transaction and a channel each have one node.
Slots may move (MOVED, ASK) and nodes may fail over while commands are on their way. Then the commands are sent again to
the slot's new node, except a script that may have run.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from redis.asyncio.client import Pipeline
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import (
    AskError,
    ClusterCrossSlotError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as LateAnswer

from signalling.store.redis_connection import (
    MOST_WAITING,
    SCRIPTS,
    Arguments,
    LostError,
    ReplyReceiver,
    SharedConnection,
    SharedRedis,
    all_converted,
    converted,
)

Node = tuple[str, int]
"""Host and port of a node."""

KEYLESS = frozenset({"TIME", "INFO", "PING", "ECHO", "BGREWRITEAOF"})
ELSEWHERE = (MovedError, AskError, TryAgainError, ClusterDownError, MasterDownError, ReadOnlyError)
"""After these error replies a command is sent again, because its slot moves or its node has just failed over."""
TOPOLOGY_S = 0.5
PAUSE_S = 0.05


def key_of(command: Arguments) -> Any:
    """Return the key by which a command is sent to a node; None for a command that any node can carry out."""
    name = command[0]
    if name in SCRIPTS:
        return command[3] if int(command[2]) else None
    # SCAN has no key, but its pattern begins with the hash tag of an organisation, which names the slot.
    if name == "SCAN":
        return next(pattern for word, pattern in pairwise(command) if word in ("MATCH", b"MATCH"))
    if name in KEYLESS or " " in name or len(command) < 2:
        return None
    return command[1]


def slot_of(key: Any) -> int:
    """Return the number of the cluster's slot to which a key or a channel belongs."""
    return int(key_slot(key if isinstance(key, bytes) else str(key).encode()))


class ClusterRedis(SharedRedis):
    """A client for a Redis cluster, whose commands share one connection per node.

    `seeds`: the nodes from which the addresses of all nodes are first read. `pool_to` returns redis-py's pool of
    connections to a node.
    """

    subscribe_command = "SSUBSCRIBE"

    def __init__(self, seeds: Sequence[Node], pool_to: Callable[[Node], Any]) -> None:
        self._seeds = list(seeds)
        self._pool_to = pool_to
        self._connections: dict[Node, SharedConnection] = {}
        self._owners: list[Node | None] = []
        self._doubted = True
        self._loads = 0
        self._loading: asyncio.Task[None] | None = None
        self._publishing: set[asyncio.Task[None]] = set()
        super().__init__(connection_pool=pool_to(self._seeds[0]))
        self.patience_s = self.shared.patience_s

    # --- finding the node of a key

    def doubt(self) -> None:
        """Record that slots may have moved, so that the map from slots to nodes is read before the next command."""
        self._doubted = True

    def _to(self, node: Node) -> SharedConnection:
        if node not in self._connections:
            self._connections[node] = SharedConnection(self._pool_to(node))
        return self._connections[node]

    async def node_of(self, key: Any) -> Node:
        """Return the node that has the slot of a key; if the key is None, any node.

        Raises ConnectionError if no node answers or has the slot.
        """
        return await self._node_at(None if key is None else slot_of(key))

    async def _node_at(self, slot: int | None) -> Node:
        if self._doubted:
            if self._loading is None:
                self._loading = asyncio.create_task(self._load())
                self._loading.add_done_callback(self._has_loaded)
            await asyncio.shield(self._loading)
        owner = next(filter(None, self._owners)) if slot is None else self._owners[slot]
        if owner is None:
            self.doubt()
            raise ConnectionError("no node of the cluster has this slot")
        return owner

    def _has_loaded(self, task: asyncio.Task[None]) -> None:
        self._loading = None
        if not task.cancelled():
            # Read the exception, because asyncio logs an exception that nobody has read. Callers that wait receive it,
            # but it may be that no caller waits.
            task.exception()

    async def connection_of(self, key: str) -> SharedConnection:
        """Return the connection to the node that has a key's slot. Raises ConnectionError if no node has it."""
        return self._to(await self.node_of(key))

    @property
    def opened(self) -> int:
        """Return the sum of two numbers: how often connections to nodes were opened, and how often the map from slots
        to nodes was read from the cluster. If the sum has grown, another server may answer now.
        """
        return self._loads + sum(connection.opened for connection in self._connections.values())

    async def _load(self) -> None:
        known = list(dict.fromkeys(filter(None, self._owners)))
        for node in [*random.sample(known, len(known)), *self._seeds]:
            try:
                async with asyncio.timeout(min(TOPOLOGY_S, self.patience_s)):
                    (found,) = await self._to(node).call([("CLUSTER", "SLOTS")])
            except (RedisError, OSError, TimeoutError):
                continue
            if found and not isinstance(found, Exception):
                self._owners = owners(found, node)
                self._loads += 1
                self._doubted = False
                return
        raise ConnectionError("no node of the cluster answers")

    # --- sending the commands

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to the node of its key; return its reply as redis-py would.

        Raises redis-py's errors if it fails.
        """
        if args[0] == "SCRIPT LOAD":
            answer = await self._everywhere(args)
        else:
            (answer,) = await self.carried_out([args], once=args[0] in SCRIPTS)
        return await converted(self, args, options, answer)

    async def _everywhere(self, command: Arguments) -> Any:
        """Send a command to all masters; return the reply of the first that has replied. Raises redis-py's errors if no
        master has replied.
        """
        await self.node_of(None)
        nodes = dict.fromkeys(filter(None, self._owners))
        sent = (self._to(node).call([command]) for node in nodes)
        replies = await asyncio.gather(*sent, return_exceptions=True)
        for reply in replies:
            if not isinstance(reply, BaseException):
                return reply[0]
        self.doubt()
        raise next(reply for reply in replies if isinstance(reply, BaseException))

    async def carried_out(self, commands: Sequence[Arguments], *, once: bool = False) -> list[Any]:
        """Send the commands for one slot together; return their replies, in order. If the slot has moved, send the
        commands again.

        `once`: True if commands that may have been carried out must not be sent again. Raises redis-py's errors if no
        node carries them out in time.
        """
        commands = [self._sharded(command) for command in commands]
        key = next((key for key in map(key_of, commands) if key is not None), None)
        end_s = time.monotonic() + self.patience_s
        asked: Node | None = None
        while True:
            try:
                node = asked or await self.node_of(key)
                asking = [("ASKING",)] if asked else []
                answers = (await self._to(node).call([*asking, *commands], once=once))[len(asking) :]
            except (ConnectionError, LateAnswer, OSError) as problem:
                self.doubt()
                over = time.monotonic() > end_s or isinstance(problem, LateAnswer)
                if over or (once and isinstance(problem, LostError)):
                    raise
                asked = None
                await asyncio.sleep(PAUSE_S)
                continue
            refused = next((answer for answer in answers if isinstance(answer, ELSEWHERE)), None)
            if refused is None or time.monotonic() > end_s:
                return answers
            asked = (refused.host or node[0], refused.port) if type(refused) is AskError else None
            if asked is None:
                self.doubt()
                await asyncio.sleep(0 if type(refused) is MovedError else PAUSE_S)

    async def sent(self, slot: int, commands: Sequence[Arguments]) -> list[Any]:
        """Send commands once to the node of a slot; return their replies.

        If the connection fails, its error is returned as the reply to each command.
        """
        try:
            node = await self._node_at(slot)
            return await self._to(node).call([self._sharded(command) for command in commands])
        except (ConnectionError, LateAnswer) as problem:
            self.doubt()
            return [problem] * len(commands)

    def _sharded(self, command: Arguments) -> Arguments:
        """Return the command; PUBLISH becomes SPUBLISH, which sends a message only to the nodes that have the slot of
        its channel.
        """
        return ("SPUBLISH", *command[1:]) if command[0] == "PUBLISH" else command

    def register_script(self, script: Any) -> Any:
        """Return an object that runs a Lua script, in which PUBLISH is replaced by SPUBLISH."""
        return super().register_script(script.replace("'PUBLISH'", "'SPUBLISH'"))

    async def info_of(self, key: str, *sections: str) -> Any:
        """Return the reply to INFO from the node that has a key's slot.

        Raises redis-py's errors if it does not answer.
        """
        (answer,) = await self._to(await self.node_of(key)).call([("INFO", *sections)])
        return await converted(self, ("INFO",), {}, answer)

    def send_message(self, channel: str, data: bytes, receiver: ReplyReceiver) -> None:
        """Publish a message on a channel without waiting; `receiver` gets the reply. `data`: the message.

        Raises ConnectionError if too many messages wait to be published.
        """
        if len(self._publishing) >= MOST_WAITING:
            raise ConnectionError("the store does not keep up")
        task = asyncio.create_task(self._publish(("SPUBLISH", channel, data), receiver))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish(self, command: Arguments, receiver: ReplyReceiver) -> None:
        try:
            # A message that a receiver gets twice, such as an SDP answer, would be carried out twice.
            receiver.set_result(await self.carried_out([command], once=True))
        except (RedisError, OSError) as problem:
            receiver.set_exception(problem)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return redis-py's pipeline. If it is a transaction, all its keys must be in one slot."""
        return _ClusterPipeline(self, transaction, shard_hint)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections to the nodes."""
        for task in (*self._publishing, *filter(None, [self._loading])):
            task.cancel()
        for connection in self._connections.values():
            await connection.close()
            await connection.pool.disconnect()
        await super().aclose(close_connection_pool)


class _ClusterPipeline(Pipeline):
    def __init__(self, cluster: ClusterRedis, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, transaction, shard_hint)
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack, self.command_stack = self.command_stack, []
        commands: list[Arguments] = [args for args, _ in stack]
        if not stack:
            return []
        answers = await (self._together(commands) if self.is_transaction else self._by_node(commands))
        return await all_converted(self, stack, answers, raise_on_error)

    async def _together(self, commands: list[Arguments]) -> list[Any]:
        if len({slot_of(key) for key in map(key_of, commands) if key is not None}) > 1:
            raise ClusterCrossSlotError("a transaction has keys of one slot")
        *queued, answers = await self._cluster.carried_out([("MULTI",), *commands, ("EXEC",)], once=True)
        if isinstance(answers, Exception):
            raise next((each for each in queued if isinstance(each, Exception)), answers)
        return list(answers)

    async def _by_node(self, commands: list[Arguments]) -> list[Any]:
        """Send the commands of a pipeline in one group per slot; return their replies, in order.

        Commands without a key are sent with the first group.
        """
        groups: dict[int, list[int]] = {}
        keyed = [key_of(command) for command in commands]
        first = next((slot_of(key) for key in keyed if key is not None), 0)
        for number, key in enumerate(keyed):
            groups.setdefault(first if key is None else slot_of(key), []).append(number)
        answers: list[Any] = [None] * len(commands)

        async def send(slot: int, numbers: list[int]) -> None:
            for number, reply in zip(
                numbers, await self._cluster.sent(slot, [commands[n] for n in numbers]), strict=True
            ):
                # Some of the keys may have moved, so only the commands that were refused are sent again.
                again = isinstance(reply, (*ELSEWHERE, ConnectionError))
                answers[number] = (await self._cluster.carried_out([commands[number]]))[0] if again else reply

        await asyncio.gather(*(send(slot, numbers) for slot, numbers in groups.items()))
        return answers


def owners(found: Iterable[Any], asked: Node) -> list[Node | None]:
    """Return the master of each slot, None for a slot that no master has. `found`: the reply of the node `asked` to
    CLUSTER SLOTS.
    """
    by_slot: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
    for first, last, (host, port, *_), *_ in found:
        owner = ((host or b"").decode() or asked[0], int(port))
        by_slot[first : last + 1] = [owner] * (last + 1 - first)
    return by_slot
