"""Checks the version of the store's contents, which shows whether this server can read and write them.

A server that finds contents of a later version does not start. It would read records wrongly, or write records that
the later version cannot read.
"""

from redis.asyncio import Redis

from signalling.store import keys
from web.errors import ConfigError

VERSION = 1
"""The version of the store's contents. A release that writes records that older releases cannot read increases it.

Every release reads version 1."""


async def check(redis: Redis) -> None:
    """Check that this server can read the store; write this version into a store that has none.

    Raises ConfigError if the store has a later version.
    """
    name = keys.STORE_VERSION()
    await redis.set(name, VERSION, nx=True)
    found = int(await redis.get(name) or 0)
    if found > VERSION:
        raise ConfigError(
            f"the store was used by a newer Greenroom (its records have version {found}, this one reads {VERSION}): "
            "install that release again, or restore a backup from before the upgrade"
        )
