"""The bus: what other workers say, over Redis pub/sub. A hint, never the truth: whoever listens must notice
what is missing.

Knows channels and bytes. One connection for all channels of this worker; when it is lost it comes back with all
its channels, and then calls `on_reconnected`, because what was said meanwhile is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError

from signalling.store.redis_connection import Arguments, Line
from signalling.store.unavailable import Unavailable, answering, reason_of, tell

LOOK_S = 5.0  # so often the store is asked whether the connection still stands
Handler = Callable[[bytes], None]
log = structlog.get_logger()


class _Ear(Line):
    """The line that hears. Messages go from the socket to their handler at once: a task between the two would cost more
    than most handlers do.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        self.handlers: dict[bytes, Handler] = {}
        self.lost = asyncio.Event()
        self.deaf = False  # something may have been said that was not heard

    def greeting(self) -> Iterable[Arguments]:
        """Each connection hears all channels."""
        return [("SUBSCRIBE", *self.handlers)] if self.handlers else []

    async def taken(self, *unanswered: Arguments) -> None:
        """Return when the store has taken these: the answer to what is asked after them says so, and that it is there.

        Raises redis-py's errors, the store's refusal of one of them included.
        """
        (answer,) = await self.ask([*unanswered, ("PING",)], answers=1)
        if isinstance(answer, Exception):
            raise answer

    def pushed(self, words: list[Any]) -> None:
        """redis-py's names for it: ("message", channel, data), or the confirmation of a channel."""
        if words[0] != b"message":
            return
        handler = self.handlers.get(words[1])
        if handler is None:
            return
        try:
            handler(words[2])
        except Exception:
            # One message that a handler cannot read must not make the worker deaf to all others.
            log.exception("bus.handler_failed")

    def gone(self) -> None:
        """What is said until there is another connection is not heard."""
        if not self.deaf:
            log.warning("bus.lost")
        self.deaf = True
        self.lost.set()


class _Post:
    """Who hears that something could not be said. A future would cost as much as to say it."""

    __slots__ = ("_failed",)

    def __init__(self, failed: Callable[[], None] | None) -> None:
        self._failed = failed

    def done(self) -> bool:
        return False

    def set_result(self, answers: list[Any]) -> None:
        if isinstance(answers[0], Exception):
            self.set_exception(answers[0])
        elif not answers[0] and self._failed is not None:
            # No worker listens on the channel: the one that it belongs to is cut off, or gone.
            asyncio.get_running_loop().call_soon(self._failed)

    def set_exception(self, problem: Exception) -> None:
        tell(problem)
        if self._failed is not None:
            asyncio.get_running_loop().call_soon(self._failed)


class Bus:
    """Hands each message of a subscribed channel to its handler, in order. Handlers are plain functions and quick."""

    def __init__(self, redis: Redis, on_reconnected: Callable[[], None] = lambda: None) -> None:
        self._redis = redis
        self._line: Line = redis.line  # type: ignore[attr-defined]  # a LineRedis, as everything here is made for
        self._ear = _Ear(redis.connection_pool)
        self._wanted = asyncio.Event()
        self.on_reconnected = on_reconnected

    async def subscribe(self, channel: str, handler: Handler) -> None:
        """Hear a channel from now on. Raises `Unavailable`; the channel is then heard as soon as the store is back."""
        name = channel.encode()
        self._ear.handlers[name] = handler
        try:
            async with answering():
                await self._ear.taken(("SUBSCRIBE", name))
        except Unavailable:
            self._ear.deaf = True
            raise
        finally:
            self._wanted.set()

    async def publish(self, channel: str, data: bytes) -> int:
        """Say something on a channel; return how many workers heard it. Raises `Unavailable`."""
        async with answering():
            heard: int = await self._redis.publish(channel, data)
        return heard

    def post(self, channel: str, data: bytes, failed: Callable[[], None] | None = None) -> None:
        """Say something without waiting. Raises `Unavailable` where there is no connection now.

        `failed` is called when it turns out later that the store did not take it, or that nobody listens.
        """
        try:
            self._line.say(("PUBLISH", channel, data), _Post(failed))
        except ConnectionError as problem:
            raise Unavailable(reason_of(problem)) from problem

    async def run(self) -> None:
        """Keep hearing until cancelled; a lost connection is mended with a pause of 50 ms to 1 s."""
        await self._wanted.wait()
        ear, pause = self._ear, 0.05
        while True:
            ear.lost.clear()
            try:
                await ear.taken()
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            if ear.deaf:
                self.on_reconnected()
                ear.deaf = False
            pause = 0.05
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await ear.lost.wait()

    async def close(self) -> None:
        """Stop hearing."""
        self._ear.deaf = True  # on purpose
        await self._ear.close()
