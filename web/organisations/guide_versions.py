"""The versions of an organisation's setup guide: who made each, and when.

Knows the store. What a version says is kept by signalling, which needs it for the visits that began with it; here
stands only what an administrator is shown of it.
"""

from typing import cast

import msgspec
from redis.asyncio import Redis

from signalling.store.records import answering


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the guide: by whom (a name), when, and with how many steps."""

    version: int
    by: str
    at_ms: int
    steps: int


class Versions:
    """The versions of all organisations. All methods raise `Unavailable` where the store does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, organisation: str, version: Version) -> None:
        """Remembers who made a version; the first to say so is believed."""
        async with answering():
            await self._redis.hsetnx(
                _key(organisation), str(version.version), msgspec.json.encode(version).decode()
            )

    async def list(self, organisation: str) -> list[Version]:
        """All versions that were made in the set-up, the newest first."""
        async with answering():
            kept = cast(list[bytes], await self._redis.hvals(_key(organisation)))
        found = [msgspec.json.decode(record, type=Version) for record in kept]
        return sorted(found, key=lambda version: -version.version)


def _key(organisation: str) -> str:
    return f"{{{organisation}}}:guides"
