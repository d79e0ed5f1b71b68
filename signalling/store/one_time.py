"""Values behind one-time links: a value can be looked at, and taken once.

After a value was taken, a mark is kept until the link would have expired, so that a second use does not count as a
guess.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from signalling.store.unavailable import answering

_USED = b""


class OneTime:
    """Stores the values behind one-time links. All methods take the key of a link and raise `UnavailableError`."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis  # redis-py's type stubs do not know that answers are bytes

    async def keep(self, key: str, value: bytes, for_ms: int) -> None:
        """Store a value, which must not be empty, for this number of ms."""
        async with answering():
            await self._redis.set(key, value, px=for_ms)

    async def look(self, key: str) -> bytes | None:
        """Return the value without taking it; None if there is no value, or no longer."""
        async with answering():
            return await self._redis.get(key) or None

    async def was_used(self, key: str) -> bool:
        """Return True if there was a value that has been taken."""
        async with answering():
            return bool(await self._redis.get(key) == _USED)

    async def take(self, key: str) -> bytes | None:
        """Return the value and remove it; of two calls at once, only one receives it."""
        async with answering():
            return await self._redis.set(key, _USED, xx=True, get=True, keepttl=True) or None
