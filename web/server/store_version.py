"""The version of the store's contents: which servers can read and write them.

Knows one key. A server that finds contents of a later version does not start: it would read records wrongly, or write
some that the later version cannot read.
"""

from redis.asyncio import Redis

from signalling.store import keys
from web.errors import ConfigError

VERSION = 1
"""Raised by a release whose records an older one cannot read. Records of version 1 are read since the first release."""


async def check(redis: Redis) -> None:
    """Mark a store that has no version with this one. Raises ConfigError for a store of a later version."""
    name = keys.STORE_VERSION()
    await redis.set(name, VERSION, nx=True)
    found = int(await redis.get(name) or 0)
    if found > VERSION:
        raise ConfigError(
            f"the store was used by a newer Greenroom (its records have version {found}, this one reads {VERSION}): "
            "install that release again, or restore a backup from before the upgrade"
        )
