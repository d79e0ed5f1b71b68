"""A patient's one-time link: a secret that puts one visit into one browser, once, for a day."""

import hashlib
import secrets
from typing import Any, NamedTuple

from redis.asyncio import Redis

from signalling.store.records import Keys, answering

FOR_MS = 24 * 3_600_000
USED = b""
"""What is kept of a link that was redeemed, until it would have expired: who tries it again guesses at nothing."""


class Made(NamedTuple):
    """A link's token, and how long it opens."""

    token: str
    for_ms: int


class PatientLinks:
    """Issues and redeems. All methods raise `Unavailable` where the store does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    async def issue(self, organisation: str, visit_id: str) -> Made:
        """Return a fresh link to a visit."""
        token = secrets.token_urlsafe(24)
        async with answering():
            await self._redis.set(_key(organisation, token), visit_id, px=FOR_MS)
        return Made(token, FOR_MS)

    async def peek(self, organisation: str, token: str) -> str | None:
        """Return the id of the visit that a link opens, and leave it; None where it opens nothing (any more)."""
        async with answering():
            found = await self._redis.get(_key(organisation, token))
        return found.decode() if found else None

    async def was_used(self, organisation: str, token: str) -> bool:
        """Return whether the link was genuine, and is used up."""
        async with answering():
            return bool(await self._redis.get(_key(organisation, token)) == USED)

    async def redeem(self, organisation: str, token: str) -> str | None:
        """Return the id of the visit that a link opens, and void it. Of two who redeem at once, one wins."""
        async with answering():
            found = await self._redis.set(_key(organisation, token), USED, xx=True, get=True, keepttl=True)
        return found.decode() if found else None


def _key(organisation: str, token: str) -> str:
    return Keys(organisation).record("patient-link", hashlib.sha256(token.encode()).hexdigest())
