"""A patient's one-time link: a secret that gives one browser access to one visit, once, within a day."""

import hashlib
import secrets
from typing import Any, NamedTuple

from redis.asyncio import Redis

from signalling.store.records import Keys, answering

FOR_MS = 24 * 3_600_000
USED = b""
"""The stored value of a redeemed link until it would have expired, so that using it again does not count as a guess."""


class Made(NamedTuple):
    """A link's token, and the time in ms for which it is valid."""

    token: str
    for_ms: int


class PatientLinks:
    """Issues and redeems links. All methods raise `Unavailable` if the store does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis

    async def issue(self, organisation: str, visit_id: str) -> Made:
        """Return a new link to a visit."""
        token = secrets.token_urlsafe(24)
        async with answering():
            await self._redis.set(_key(organisation, token), visit_id, px=FOR_MS)
        return Made(token, FOR_MS)

    async def peek(self, organisation: str, token: str) -> str | None:
        """Return the id of the link's visit without using the link up; None if it is not valid (any more)."""
        async with answering():
            found = await self._redis.get(_key(organisation, token))
        return found.decode() if found else None

    async def was_used(self, organisation: str, token: str) -> bool:
        """Return whether the link was real but is used up."""
        async with answering():
            return bool(await self._redis.get(_key(organisation, token)) == USED)

    async def redeem(self, organisation: str, token: str) -> str | None:
        """Return the id of the link's visit and use the link up, or None. If two calls come at once, only one gets the
        id.
        """
        async with answering():
            found = await self._redis.set(_key(organisation, token), USED, xx=True, get=True, keepttl=True)
        return found.decode() if found else None


def _key(organisation: str, token: str) -> str:
    return Keys(organisation).record("patient-link", hashlib.sha256(token.encode()).hexdigest())
