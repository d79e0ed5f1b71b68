"""Values behind one-time links: a value can be read several times, and is removed by the first call of `take`.

After the removal, an entry in the store records that the link was used, until the link would have expired. So a
second use of a link can be distinguished from a guessed link.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from signalling.store.unavailable import answering

_USED = b""


class OneTime:
    """Stores the values behind one-time links. The `key` in its methods is the store's key that belongs to a link.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        # the type stubs of redis-py do not know that replies are bytes
        self._redis: Any = redis

    async def keep(self, key: str, value: bytes, for_ms: int) -> None:
        """Store a value, which must not be empty, under a key for `for_ms` milliseconds."""
        async with answering():
            await self._redis.set(key, value, px=for_ms)

    async def look(self, key: str) -> bytes | None:
        """Return the value of a key, and leave it there; None if the key has no value, or no longer has one."""
        async with answering():
            return await self._redis.get(key) or None

    async def was_used(self, key: str) -> bool:
        """Return True if the key had a value that `take` has removed."""
        async with answering():
            return bool(await self._redis.get(key) == _USED)

    async def take(self, key: str) -> bytes | None:
        """Return the value of a key and remove it; None if there is none.

        Of two calls at the same time, only one receives the value.
        """
        async with answering():
            return await self._redis.set(key, _USED, xx=True, get=True, keepttl=True) or None
