"""Messages between workers, over Redis pub/sub. A message may be lost: receivers must be able to detect a missing one.

One connection serves all channels of this worker. If it is lost, it is opened again with all channels subscribed; then
`on_reconnected` is called, because messages sent during the interruption are lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError

from signalling import counts
from signalling.errors import UnavailableError
from signalling.store.redis_connection import Arguments, SharedConnection
from signalling.store.unavailable import answering, log_unavailable, reason_of

LOOK_S = 1.0  # the time in s between two checks that the connection to the store still works
Handler = Callable[[bytes], None]
log = structlog.get_logger()


class _Subscriber(SharedConnection):
    """The connection that receives messages.

    It calls the handlers directly in the callback of the socket. A task in between would cost more than most handlers.
    """

    pushes = True

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.handlers: dict[bytes, Handler] = {}
        self.lost = asyncio.Event()
        self.missed = False  # True if messages may have been lost

    def first_commands(self) -> Iterable[Arguments]:
        """Return the SUBSCRIBE commands of all channels; they are sent first on each new connection."""
        return [("SUBSCRIBE", *self.handlers)] if self.handlers else []

    async def send_and_ping(self, *unanswered: Arguments) -> None:
        """Send commands that have no reply, then PING; return when the PING is answered.

        Raises redis-py's errors, also if the store refuses one of the commands.
        """
        (answer,) = await self.call([*unanswered, ("PING",)], answers=1)
        if isinstance(answer, Exception):
            raise answer

    def on_push(self, parts: list[Any]) -> None:
        """Call the handler of a message. `parts` is ("message", channel, data), or the confirmation of a channel."""
        if parts[0] != b"message":
            return
        handler = self.handlers.get(parts[1])
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
        self.missed = True
        self.lost.set()


class _PublishReply:
    """Receives the reply to a PUBLISH and calls `failed` if it failed.

    A future would cost as much as the PUBLISH itself.
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
            # No worker is subscribed to the channel: the receiving worker is disconnected or dead.
            asyncio.get_running_loop().call_soon(self._failed)

    def set_exception(self, problem: Exception) -> None:
        log_unavailable(problem)
        if self._failed is not None:
            asyncio.get_running_loop().call_soon(self._failed)


class Bus:
    """Calls the handler of a subscribed channel for each message, in order. Handlers are quick, plain functions."""

    def __init__(self, redis: Redis, on_reconnected: Callable[[], None] = lambda: None) -> None:
        self._redis = redis
        self._shared: SharedConnection = redis.shared  # type: ignore[attr-defined]  # a SharedRedis
        self._subscriber = _Subscriber(redis.connection_pool)
        self._wanted = asyncio.Event()
        self.on_reconnected = on_reconnected

    async def subscribe(self, channel: str, handler: Handler) -> None:
        """Subscribe to a channel.

        Raises `UnavailableError`; the channel is then subscribed as soon as the store is back.
        """
        name = channel.encode()
        self._subscriber.handlers[name] = handler
        try:
            async with answering():
                await self._subscriber.send_and_ping(("SUBSCRIBE", name))
        except UnavailableError:
            self._subscriber.missed = True
            raise
        finally:
            self._wanted.set()

    async def publish(self, channel: str, data: bytes) -> int:
        """Publish a message; return how many workers received it. Raises `UnavailableError`."""
        async with answering():
            receivers: int = await self._redis.publish(channel, data)
        return receivers

    def publish_nowait(self, channel: str, data: bytes, failed: Callable[[], None] | None = None) -> None:
        """Publish a message without waiting. Raises `UnavailableError` if there is no connection now.

        `failed` is called later if the store refused the message, or if no worker is subscribed.
        """
        try:
            self._shared.send(("PUBLISH", channel, data), _PublishReply(failed))
        except ConnectionError as problem:
            raise UnavailableError(reason_of(problem)) from problem

    async def run(self) -> None:
        """Receive until cancelled. A lost connection is opened again after a pause of 50 ms, doubling to 1 s."""
        await self._wanted.wait()
        subscriber, pause = self._subscriber, 0.05
        while True:
            subscriber.lost.clear()
            try:
                await subscriber.send_and_ping()
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            if subscriber.missed:
                self.on_reconnected()
                subscriber.missed = False
            pause = 0.05
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await subscriber.lost.wait()

    async def close(self) -> None:
        """Close the receiving connection."""
        self._subscriber.missed = True  # the connection was closed on purpose, so no loss is logged
        await self._subscriber.close()
