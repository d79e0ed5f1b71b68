"""Stores which service sends a clinic's text messages: one apprise URL, which contains its secrets and is encrypted.

`{phone}` in the URL is replaced by the number. All methods raise `UnavailableError` if the store does not
answer.
"""

import time
from typing import Any

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering
from web.programs.breaker import Breakers

KEEP_S = 2.0
"""The time in s for which a worker remembers whether an organisation has a service."""
KIND = "text"
PHONE = "{phone}"
MOST = 1000


class Service(msgspec.Struct, frozen=True, array_like=True):
    """A clinic's service for text messages: the URL, the person who set it, and the time."""

    url: str
    by: str
    at_ms: int

    @property
    def kind(self) -> str:
        """The beginning of the URL, which names the service and holds no secret."""
        return self.url.partition("://")[0]

    def to(self, phone: str) -> str:
        """Return the URL with which apprise sends to this phone number."""
        return self.url.replace(PHONE, phone)


class TextServices:
    """Reads and changes, for all organisations, which service sends their text messages."""

    def __init__(self, redis: Redis, seal: Seal, breakers: Breakers) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._breakers = breakers
        self._known: dict[
            str, tuple[float, bool]
        ] = {}  # organisation -> (time of the last query in s, True if it has a text-message service)

    async def get(self, organisation: str) -> Service | None:
        """Return the organisation's service, None if it has none."""
        async with answering():
            sealed = await self._redis.get(keys.TEXT_SERVICE(organisation))
        if sealed is None:
            return None
        return msgspec.msgpack.decode(self._seal.open(sealed, _place(organisation)), type=Service)

    async def has(self, organisation: str) -> bool:
        """Return whether the organisation has a service; the answer may be up to KEEP_S seconds old."""
        asked_s, found = self._known.get(organisation, (float("-inf"), False))
        if time.monotonic() - asked_s > KEEP_S:
            async with answering():
                found = bool(await self._redis.exists(keys.TEXT_SERVICE(organisation)))
            self._known[organisation] = (time.monotonic(), found)
        return found

    async def put(self, organisation: str, service: Service) -> None:
        """Store a service in place of the previous service. The failures of the previous service no longer count."""
        sealed = self._seal.close(msgspec.msgpack.encode(service), _place(organisation))
        async with answering():
            await self._redis.set(keys.TEXT_SERVICE(organisation), sealed)
        await self._changed(organisation)

    async def drop(self, organisation: str) -> None:
        """Remove the organisation's service for text messages."""
        async with answering():
            await self._redis.delete(keys.TEXT_SERVICE(organisation))
        await self._changed(organisation)

    async def _changed(self, organisation: str) -> None:
        self._known.pop(organisation, None)
        await self._breakers.succeeded(organisation, KIND)


def _place(organisation: str) -> str:
    return f"{organisation}/text-service"
