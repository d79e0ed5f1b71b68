"""The bus: what other workers say, over Redis pub/sub. A hint, never the truth: whoever listens must notice
what is missing.

Knows channels and bytes. One connection for all channels of this worker; when it is lost it comes back with all
its channels, and then calls `on_reconnected`, because what was said meanwhile is gone (redis-py says nothing of
it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalling.store import Unavailable, answering

Handler = Callable[[bytes], None]
log = structlog.get_logger()


class Bus:
    """Hands each message of a subscribed channel to its handler, in order. Handlers are plain functions and quick."""

    def __init__(self, redis: Redis, on_reconnected: Callable[[], None] = lambda: None) -> None:
        self._redis = redis
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)
        self._handlers: dict[bytes, Handler] = {}
        self._listening = asyncio.Event()
        self._lost = False
        self.on_reconnected = on_reconnected

    async def subscribe(self, channel: str, handler: Handler) -> None:
        """Hear a channel from now on. Raises `Unavailable`; the channel is then heard as soon as the store is back."""
        self._handlers[channel.encode()] = handler
        try:
            async with answering():
                await self._pubsub.subscribe(channel)
        except Unavailable:
            self._lost = True  # the next round subscribes to everything anew
            raise
        finally:
            self._listening.set()

    async def publish(self, channel: str, data: bytes) -> int:
        """Say something on a channel; return how many workers heard it. Raises `Unavailable`."""
        async with answering():
            heard: int = await self._redis.publish(channel, data)
        return heard

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is mended with a pause of 50 ms to 1 s."""
        await self._listening.wait()
        pause = 0.05
        while True:
            try:
                if self._lost:
                    await self._pubsub.aclose()  # type: ignore[no-untyped-call]
                    self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
                    await self._pubsub.subscribe(*self._handlers)
                    self._lost, pause = False, 0.05
                    self.on_reconnected()
                message = await self._pubsub.get_message(timeout=5)
            except (RedisError, OSError, TimeoutError) as problem:
                if not self._lost:
                    log.warning("bus.lost", problem=type(problem).__name__)
                self._lost = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            if message is not None:
                self._hand(message["channel"], message["data"])

    def _hand(self, channel: bytes, data: bytes) -> None:
        handler = self._handlers.get(channel)
        if handler is None:
            return
        try:
            handler(data)
        except Exception:
            # One message that a handler cannot read must not make the worker deaf to all others.
            log.exception("bus.handler_failed")

    async def close(self) -> None:
        """Stop hearing."""
        try:
            await asyncio.wait_for(self._pubsub.aclose(), 2)  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError):
            log.info("bus.close_unanswered")
