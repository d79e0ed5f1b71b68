"""Messages between workers, over Redis pub/sub. Some may be lost, so receivers must be able to detect a missing
message.

This worker has one connection to each Redis server, for all its channels on that server. There is one server,
or in a cluster the nodes that have the slots of the channels. If a connection is lost or a slot moves, the
channels are subscribed again. Then `on_reconnected` is called, because messages sent during the interruption
are lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError

from signalling import counts
from signalling.errors import UnavailableError
from signalling.store.redis_connection import Arguments, SharedConnection
from signalling.store.unavailable import answering, log_unavailable, reason_of
from signalling.ticks import tick_or

LOOK_S = 1.0  # the time in s between two checks that the connections to the store still work
MESSAGES = frozenset({b"message", b"smessage"})
Handler = Callable[[bytes], None]
log = structlog.get_logger()


class _Subscriber(SharedConnection):
    """The connection that receives the messages of one Redis server.

    The handlers are called directly in the callback of the socket, because a task for each message would cost more
    CPU than most handlers. `handlers`: channel -> its handler, for the channels of all servers. `channels`: the
    channels on this server. `woken`: an event that is set when the connection is lost, or when a channel has left
    this server.
    """

    pushes = True

    def __init__(self, pool: Any, command: str, handlers: dict[bytes, Handler], woken: asyncio.Event) -> None:
        super().__init__(pool)
        self._command = command
        self._handlers = handlers
        self._woken = woken
        self.channels: set[bytes] = set()
        self.missed = False  # True if messages may have been lost since `on_reconnected` was last called
        self.silent = True  # True if no message has come since `Bus` last checked this connection

    def first_commands(self) -> Iterable[Arguments]:
        """Return the commands that subscribe to all `channels` of this server.

        They are sent first on each new connection to the server.
        """
        return [(self._command, channel) for channel in self.channels]

    async def subscribe(self, *channels: bytes) -> None:
        """Subscribe to these channels, and wait until this is done. Raises redis-py's errors if it fails."""
        self.channels.update(channels)
        await self.send_and_ping(*((self._command, channel) for channel in channels))

    async def send_and_ping(self, *unanswered: Arguments) -> None:
        """Send commands that have no reply, then PING, and wait until the PING is answered.

        Raises redis-py's errors if the connection fails or the store refuses one of the commands.
        """
        (answer,) = await self.call([*unanswered, ("PING",)], answers=1)
        if isinstance(answer, Exception):
            raise answer

    def on_push(self, parts: list[Any]) -> None:
        """Handle a push of the store: call the handler of a message. `parts`: its type, the channel, and the data."""
        if parts[0] == b"sunsubscribe":  # the channel's slot has moved to another node of a cluster
            self.channels.discard(parts[1])
            self._lose_messages()
        if parts[0] not in MESSAGES:
            return
        self.silent = False
        handler = self._handlers.get(parts[1])
        if handler is None:
            return
        try:
            handler(parts[2])
        except Exception:
            # A message that a handler cannot read must not end the reception of later messages.
            log.exception("bus.handler_failed")

    def on_lost(self) -> None:
        """Log the loss of the connection, and wake `Bus.run`."""
        if not self.missed:
            counts.BUS_LOST[""] += 1
            log.warning("bus.lost")
        self._lose_messages()

    def _lose_messages(self) -> None:
        self.missed = True
        self._woken.set()


class _PublishReply:
    """Receives the reply to a PUBLISH command, and calls `failed` if no worker received the message or the command
    failed.

    It is not an asyncio.Future, because a future would cost as much as the PUBLISH itself.
    """

    __slots__ = ("_failed",)

    def __init__(self, failed: Callable[[], None] | None) -> None:
        self._failed = failed

    def done(self) -> bool:
        return False

    def set_result(self, answers: list[Any]) -> None:
        if isinstance(answers[0], Exception):
            self.set_exception(answers[0])
        elif not answers[0] and self._failed is not None:
            # The receiving worker is not subscribed to its channel, so it is disconnected or dead.
            asyncio.get_running_loop().call_soon(self._failed)

    def set_exception(self, problem: Exception) -> None:
        log_unavailable(problem)
        if self._failed is not None:
            asyncio.get_running_loop().call_soon(self._failed)


class Bus:
    """Publishes messages on channels, and calls the handler of a subscribed channel for each message, in order.

    A handler must be quick, and must not be a coroutine function.
    """

    def __init__(self, redis: Redis, on_reconnected: Callable[[], None] = lambda: None) -> None:
        self._redis: Any = redis  # a `SharedRedis`; its methods are not in the types of redis-py
        self._handlers: dict[bytes, Handler] = {}
        self._subscribers: dict[Any, _Subscriber] = {}
        """Pool of connections to a server -> its subscriber.

        There is one subscriber; in a cluster, one for each node that has a channel.
        """
        self._wanted = asyncio.Event()
        self._woken = asyncio.Event()
        self._missed = False
        self.on_reconnected = on_reconnected

    async def subscribe(self, channel: str, handler: Handler) -> None:
        """Subscribe to a channel: call `handler` with each message on it.

        Raises `UnavailableError` if the store does not answer; the channel is then subscribed as soon as the store is
        back.
        """
        name = channel.encode()
        self._handlers[name] = handler
        try:
            async with answering():
                await (await self._subscriber_of(name)).subscribe(name)
        except UnavailableError:
            self._missed = True
            raise
        finally:
            self._wanted.set()

    async def _subscriber_of(self, channel: bytes) -> _Subscriber:
        pool = await self._redis.pool_of(channel)
        if pool not in self._subscribers:
            command = self._redis.subscribe_command
            self._subscribers[pool] = _Subscriber(pool, command, self._handlers, self._woken)
        return self._subscribers[pool]

    async def publish(self, channel: str, data: bytes) -> int:
        """Publish a message on a channel; return how many workers received it. `data`: the message.

        Raises `UnavailableError` if the store does not answer.
        """
        async with answering():
            receivers: int = await self._redis.publish(channel, data)
        return receivers

    def publish_nowait(self, channel: str, data: bytes, failed: Callable[[], None] | None = None) -> None:
        """Publish a message on a channel without waiting. Raises `UnavailableError` if the message cannot be sent now.

        `data`: the message. `failed` is called later if the store has refused the message, or if no worker is
        subscribed.
        """
        try:
            self._redis.send_message(channel, data, _PublishReply(failed))
        except ConnectionError as problem:
            raise UnavailableError(reason_of(problem)) from problem

    async def run(self) -> None:
        """Receive the messages of all subscribed channels until cancelled.

        A lost connection is opened again after a pause of 50 ms, which doubles up to 1 s.
        """
        await self._wanted.wait()
        pause = 0.05
        while True:
            self._woken.clear()
            try:
                await self._look()
            except (RedisError, OSError, TimeoutError):
                self._redis.doubt()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            pause = 0.05
            await tick_or(self._woken, LOOK_S)
            if self._woken.is_set():
                self._redis.doubt()

    async def _look(self) -> None:
        """Subscribe each channel at the server that has it now, and check each connection.

        Raises redis-py's errors if that fails.
        """
        here: dict[_Subscriber, set[bytes]] = {}
        for channel in list(self._handlers):
            here.setdefault(await self._subscriber_of(channel), set()).add(channel)
        for subscriber in list(self._subscribers.values()):
            if subscriber not in here:
                await self._end(subscriber)
        for subscriber, channels in here.items():
            commands = await self._redis.connection_of(min(channels))
            if None not in (*commands.server, *subscriber.server) and commands.server != subscriber.server:
                # After a failover, this connection may still lead to the former master, which receives no more
                # messages.
                subscriber.connection_lost("commands go to another server")
            added = channels - subscriber.channels
            self._missed |= bool(added)
            subscriber.channels &= channels
            # A connection on which messages have come since the last check needs no PING.
            if added or subscriber.missed or subscriber.silent:
                await subscriber.subscribe(*added)
            subscriber.silent = True
            self._missed |= subscriber.missed
            subscriber.missed = False
        if self._missed:
            self._missed = False
            self.on_reconnected()

    async def _end(self, subscriber: _Subscriber) -> None:
        """Close the connection to a server that no longer has any of the subscribed channels."""
        self._subscribers = {pool: each for pool, each in self._subscribers.items() if each is not subscriber}
        # The connection is closed on purpose: with `missed`, its loss is not logged.
        subscriber.missed = True
        await subscriber.close()

    async def close(self) -> None:
        """Close the connections on which this worker receives messages."""
        for subscriber in list(self._subscribers.values()):
            await self._end(subscriber)
