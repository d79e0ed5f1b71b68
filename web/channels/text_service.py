"""A clinic's service for text messages: one URL of apprise, which holds its secrets and is kept encrypted.

`{phone}` in the URL stands for the number. Knows a record in the store. All methods raise `UnavailableError` if the
store does not answer.
"""

from typing import Any

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering

KIND = "text"
PHONE = "{phone}"
MOST = 1000


class Service(msgspec.Struct, frozen=True, array_like=True):
    """The URL, and who set it when."""

    url: str
    by: str
    at_ms: int

    @property
    def kind(self) -> str:
        """The beginning of the URL, which names the service and holds no secret."""
        return self.url.partition("://")[0]

    def to(self, phone: str) -> str:
        """Return the URL for a number."""
        return self.url.replace(PHONE, phone)


class TextServices:
    """The services of all organisations."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self._redis: Any = redis
        self._seal = seal

    async def get(self, organisation: str) -> Service | None:
        """Return the organisation's service, None if it has none."""
        async with answering():
            sealed = await self._redis.get(keys.TEXT_SERVICE(organisation))
        if sealed is None:
            return None
        return msgspec.msgpack.decode(self._seal.open(sealed, _place(organisation)), type=Service)

    async def put(self, organisation: str, service: Service) -> None:
        """Keep a service in place of the one before, whose failures are forgotten."""
        sealed = self._seal.close(msgspec.msgpack.encode(service), _place(organisation))
        async with answering():
            await self._redis.set(keys.TEXT_SERVICE(organisation), sealed)
            await self._redis.delete(keys.BREAKER(organisation, KIND))

    async def drop(self, organisation: str) -> None:
        """Forget the service."""
        async with answering():
            await self._redis.delete(keys.TEXT_SERVICE(organisation), keys.BREAKER(organisation, KIND))


def _place(organisation: str) -> str:
    return f"{organisation}/text-service"
