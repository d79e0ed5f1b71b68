"""A Redis client whose commands share one connection: each is sent at once, and replies arrive in order.

redis-py connects (address, TLS, user) and builds the commands. This module only sends a command and reads its reply,
over a transport of `redis_transport.py`. redis-py alone takes a connection from a pool, starts timers and wakes a
reader for each command, which costs seven times the CPU if fifty commands are sent at once (docs/ARCHITECTURE.md).
Pub/sub has a separate connection (`pubsub.py`). Transactions and scripts in pipelines use redis-py's connections.
Commands that block in the store (BLPOP) are not used, because they would delay all other commands.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from inspect import isawaitable
from typing import Any, Protocol

import hiredis
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError, RedisError
from redis.exceptions import TimeoutError as LateAnswer

from signalling import counts, ticks
from signalling.store import redis_transport
from signalling.store.redis_script import Script
from signalling.store.redis_transport import Transport

PATIENCE_S = 5.0  # the time-out in s if the settings of a client contain none
PAUSE_S = 0.05
SCRIPTS = frozenset({"EVAL", "EVALSHA"})
# The greatest number of commands that may wait for a reply. It is rarely reached: a connection whose replies
# are late is closed first (`_look`).
MOST_WAITING = 4_096

Arguments = Sequence[Any]


async def connected(pool: Any, patience_s: float) -> Any:
    """Return a new, open redis-py connection with the settings of redis-py's `pool`.

    Raises redis-py's errors or OSError if it cannot be opened within `patience_s`.
    """
    connection = pool.make_connection()
    try:
        async with asyncio.timeout(patience_s):
            await connection.connect()
    except BaseException as problem:
        # With `nowait` the connection is closed even if the store does not answer.
        await connection.disconnect(nowait=True)
        if isinstance(problem, TimeoutError):
            raise LateAnswer("Timeout connecting to the store") from None
        raise
    return connection


class ReplyReceiver(Protocol):
    """The methods of an object that receives the reply of a command, or an error.

    `done` returns True if the reply is no longer wanted. `asyncio.Future` has these methods; lighter objects avoid the
    cost of a future.
    """

    def done(self) -> bool: ...
    def set_result(self, answers: list[Any], /) -> None: ...
    def set_exception(self, problem: Exception, /) -> None: ...


class _Sent:
    """Commands that were sent together, and the replies received so far.

    `wanted`: the number of replies that are expected in all.
    """

    __slots__ = ("answers", "done", "sent_s", "wanted")

    def __init__(self, wanted: int, now_s: float, done: ReplyReceiver) -> None:
        self.wanted = wanted
        self.sent_s = now_s
        self.done = done
        self.answers: list[Any] = []


class LostError(ConnectionError):
    """The connection was lost after a command was sent, so the store may have carried it out."""


class SharedConnection:
    """The connection that all commands share. It is opened at the first command, and again after a loss.

    A subclass that receives push messages sets `pushes` to True, and overrides `first_commands`, `on_push` and
    `on_lost`.
    """

    pushes = False

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.patience_s = float(pool.connection_kwargs.get("socket_timeout") or PATIENCE_S)
        self._connection: Any = None  # redis-py's connection, which owns the socket
        self._transport: Transport | None = None
        self.opened = 0  # how often this shared connection was opened, reconnections included
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: deque[_Sent] = deque()
        self._unsent: list[bytes] = []
        # True from the first command of a turn of the event loop until the other commands of that turn are sent
        self._holding = False
        self._watch: asyncio.TimerHandle | None = None
        # The event loop is kept here, because `get_running_loop` makes a system call on Python 3.11.
        self._loop: Any = None

    @property
    def server(self) -> tuple[Any, Any]:
        """The host and port of the server: (None, None) if there is no connection, or if it is a Unix socket."""
        return getattr(self._connection, "host", None), getattr(self._connection, "port", None)

    def first_commands(self) -> Iterable[Arguments]:
        """Return the commands to send first on each new connection: commands without a reply, such as SUBSCRIBE."""
        return ()

    def on_push(self, words: list[Any]) -> None:
        """Handle a push message of the store (RESP3). Must not raise."""

    def on_lost(self) -> None:
        """Handle the loss or the end of the connection."""

    async def call(
        self, commands: Iterable[Arguments], answers: int | None = None, *, once: bool = False
    ) -> list[Any]:
        """Send commands; return their replies in order. A reply that is an error is returned as an exception.

        `answers`: the number of replies, None if each command has one. If the connection was lost, the commands are
        sent once more, because the store may have closed an idle connection. `once`: True if commands that were sent
        already must not be sent again. Raises redis-py's ConnectionError if the connection fails, TimeoutError if a
        reply is late.
        """
        packed = [hiredis.pack_command(_words(command)) for command in commands]
        wanted = len(packed) if answers is None else answers
        try:
            return await self._call(packed, wanted)
        except ConnectionError as problem:
            if once and isinstance(problem, LostError):
                raise
            await asyncio.sleep(PAUSE_S)
            return await self._call(packed, wanted)

    async def _call(self, packed: list[bytes], wanted: int) -> list[Any]:
        if self._transport is None:
            await self._connected()
        answers: asyncio.Future[list[Any]] = self._loop.create_future()
        self._send(packed, wanted, answers)
        return await answers

    def send(self, command: Arguments, receiver: ReplyReceiver) -> None:
        """Send a command without waiting; `receiver` gets the reply.

        Raises ConnectionError if there is no connection now, or if too many commands wait for a reply.
        """
        self._send([hiredis.pack_command(_words(command))], 1, receiver)

    def _send(self, packed: list[bytes], wanted: int, receiver: ReplyReceiver) -> None:
        if self._transport is None or len(self._waiting) >= MOST_WAITING:
            raise ConnectionError("the store does not keep up")
        self._waiting.append(_Sent(wanted, time.monotonic(), receiver))
        if self._watch is None:
            self._watch = self._loop.call_later(self.patience_s, self._look)
        self._unsent += packed
        if self._holding or ticks.at_end(self._flush):
            return
        self._holding = True
        self._loop.call_soon(self._release)
        self._flush()

    def _release(self) -> None:
        """Send the commands that were held back since the first command in this turn of the event loop."""
        self._holding = False
        self._flush()

    def _flush(self) -> None:
        """Write the unsent commands to the socket.

        The first command of a turn of the event loop is written at once. All other commands of that turn are written
        together, because each write is costly. The commands of periodic tasks that one tick has woken (`ticks.py`)
        are written together as well, when all these tasks have run. If another task sends a command before, they are
        written with that command.
        """
        unsent, self._unsent = self._unsent, []
        if self._transport is not None and unsent:
            self._transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))

    # --- opening and losing the connection

    async def _connected(self) -> None:
        """Open the connection, once for all callers that wait for it. Raises the error of the attempt if it fails."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._has_connected)
        await asyncio.shield(self._connecting)

    def _has_connected(self, task: asyncio.Task[None]) -> None:
        self._connecting = None
        if not task.cancelled():
            # Read the exception, because asyncio logs an exception that nobody has read. Callers that wait receive it,
            # but it may be that no caller waits.
            task.exception()

    async def _connect(self) -> None:
        kind = await redis_transport.fastest()
        connection = await connected(self.pool, self.patience_s)
        self._loop = asyncio.get_running_loop()
        self._connection, self._transport = connection, kind(connection, self)
        self.opened += 1
        self._unsent += [hiredis.pack_command(_words(command)) for command in self.first_commands()]
        self._flush()

    def connection_lost(self, reason: str) -> None:
        """Give an error to all commands that wait for a reply: the connection is lost. Called by the transport."""
        self._lose(LostError(reason))

    def _look(self) -> None:
        """Treat the connection as lost if the oldest expected reply is late, because all later replies come
        after it.
        """
        self._watch = None
        if not self._waiting:
            return
        left_s = self._waiting[0].sent_s + self.patience_s - time.monotonic()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look)
        else:
            self._lose(LateAnswer("Timeout reading from the store"))

    def _lose(self, problem: RedisError) -> None:
        transport, self._transport, self._connection = self._transport, None, None
        self._unsent = []  # the callers that wait for these commands receive the error below
        if transport is not None:
            transport.abort()
            self.on_lost()
        waiting, self._waiting = self._waiting, deque()
        for question in waiting:
            if not question.done.done():
                question.done.set_exception(problem)

    # --- the replies of the store

    def reply_received(self, reply: Any) -> None:
        """Give a reply to the command that waits for it. Called by the transport."""
        if isinstance(reply, hiredis.PushNotification):
            self.on_push(reply)
            return
        if not self._waiting:
            self.connection_lost("the store sent a reply to no command")
            return
        question = self._waiting[0]
        question.answers.append(reply)
        if len(question.answers) == question.wanted:
            self._waiting.popleft()
            counts.STORE_S.observe(time.monotonic() - question.sent_s)
            if not question.done.done():  # the task that waits for the reply may have been cancelled
                question.done.set_result(question.answers)

    async def close(self) -> None:
        """Close the connection to the store. The next command opens a new one."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        connection = self._connection
        self._lose(ConnectionError("closed"))
        if connection is not None:
            await connection.disconnect(nowait=True)


class SharedRedis(Redis):
    """redis-py's client; all commands outside of transactions are sent on one shared connection.

    `redis_cluster.py` defines the client for a cluster.
    """

    subscribe_command = "SUBSCRIBE"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.shared = SharedConnection(self.connection_pool)

    def register_script(self, script: Any) -> Any:
        """Return an object that runs a Lua script. It is called in the same way as redis-py's `Script`."""
        return Script(self, script)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; return its reply as redis-py would. Raises redis-py's errors if it fails."""
        # A script that the store may have run already is not sent again. The second run would find the change that the
        # first run has made, and refuse its own change.
        (answer,) = await self.shared.call([args], once=args[0] in SCRIPTS)
        return await converted(self, args, options, answer)

    def send_message(self, channel: str, data: bytes, receiver: ReplyReceiver) -> None:
        """Publish a message on a channel without waiting. `data`: the message.

        `receiver` gets the number of subscribers that received it. Raises ConnectionError if the command cannot be sent
        now.
        """
        self.shared.send(("PUBLISH", channel, data), receiver)

    async def connection_of(self, key: str) -> SharedConnection:
        """Return the connection to the server that has a key or a channel."""
        return self.shared

    async def pool_of(self, key: str) -> Any:
        """Return the pool of connections to the server that has a key or a channel.

        Raises ConnectionError if no server has it.
        """
        return (await self.connection_of(key)).pool

    @property
    def opened(self) -> int:
        """Return how often the connection for commands was opened.

        If the number has grown, another server may answer now.
        """
        return self.shared.opened

    async def info_of(self, key: str, *sections: str) -> Any:
        """Return the reply to INFO from the server that has a key. Raises redis-py's errors if it does not answer."""
        return await self.info(*sections)

    def doubt(self) -> None:
        """Do nothing: this class uses only one server. `ClusterRedis` records that slots may have moved."""

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return redis-py's pipeline. If it is no transaction, its commands use the shared connection."""
        if transaction:
            return super().pipeline(transaction, shard_hint)
        return _SharedPipeline(self.shared, self.connection_pool, self.response_callbacks, False, shard_hint)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the shared connection and redis-py's pool."""
        await self.shared.close()
        await super().aclose(close_connection_pool)


class _SharedPipeline(Pipeline):
    def __init__(self, shared: SharedConnection, *args: Any) -> None:
        super().__init__(*args)
        self._shared = shared

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        if self.scripts or self.watching or self.explicit_transaction:
            return await super().execute(raise_on_error)
        stack = self.command_stack
        if not stack:
            return []
        self.command_stack = []
        answers = await self._shared.call([args for args, _ in stack])
        return await all_converted(self, stack, answers, raise_on_error)


async def all_converted(
    client: Redis, stack: Sequence[Any], answers: Sequence[Any], raise_on_error: bool
) -> list[Any]:
    """Return the replies to a pipeline's commands as redis-py's methods return them.

    `stack`: (args, options) of each command. `answers`: the replies as they came. A reply that is an error is raised,
    or returned in its place if `raise_on_error` is False.
    """
    found: list[Any] = []
    for (args, options), answer in zip(stack, answers, strict=True):
        try:
            found.append(await converted(client, args, options, answer))
        except RedisError as problem:
            if raise_on_error:
                raise
            found.append(problem)
    return found


async def converted(client: Redis, args: Arguments, options: Mapping[str, Any], answer: Any) -> Any:
    """Return the reply `answer` to a command in the form in which redis-py's method for this command returns it.

    If `answer` is an error, raise it. `client`: has redis-py's functions that convert replies (`response_callbacks`).
    `args` and `options`: the arguments and options of the command.
    """
    if isinstance(answer, Exception):
        raise answer
    convert = client.response_callbacks.get(args[0])
    if convert is None:
        return answer
    found = convert(answer, **{name: value for name, value in options.items() if name != "keys"})
    return await found if isawaitable(found) else found


def _words(command: Arguments) -> tuple[Any, ...]:
    """Return the words of a command. redis-py writes some commands of two words, such as CONFIG GET, as one string."""
    name = command[0]
    return (*name.split(), *command[1:]) if " " in name else tuple(command)
