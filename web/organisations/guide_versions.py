"""Stores the history of an organisation's setup guide: the author and the time of each version.

Signalling keeps the content of the versions, which older visits need; this module keeps only what the
administrator sees about a version.
"""

from typing import cast

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the setup guide: the name of its author, the time at which it was saved, and its number of steps."""

    version: int
    by: str
    at_ms: int
    steps: int


class Versions:
    """Reads and writes the versions of the guides of all organisations.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, organisation: str, version: Version) -> None:
        """Record the author and the time of a version of the setup guide.

        A second call for the same version changes nothing.
        """
        async with answering():
            await self._redis.hsetnx(
                keys.GUIDE_VERSIONS(organisation), str(version.version), msgspec.json.encode(version).decode()
            )

    async def list(self, organisation: str) -> list[Version]:
        """Return all versions that were made in the set-up, the newest first."""
        async with answering():
            kept = cast(list[bytes], await self._redis.hvals(keys.GUIDE_VERSIONS(organisation)))
        found = [msgspec.json.decode(record, type=Version) for record in kept]
        return sorted(found, key=lambda version: -version.version)
