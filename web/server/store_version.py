"""Checks the version of the store's contents: whether this server can read and write them.

A server that finds contents of a later version does not start. It would read records wrongly, or write records that
the later version cannot read.
"""

from redis.asyncio import Redis

from signalling.store import keys
from web.errors import ConfigError

FIRST, VERSION = 1, keys.CONTENTS
"""FIRST: the version of a new store. VERSION: the latest version that this release reads.

A release has a higher VERSION than the one before if it writes records that older releases cannot read. Before it
writes the first such record, it writes VERSION into the store. In version 2, visits may be packed
(`web/server/packing.py`). Every release reads version 1.
"""


async def of(redis: Redis) -> int:
    """Return the version of the store's contents, 0 for a store without a version. Raises redis-py's errors if the
    store fails.
    """
    return int(await redis.get(keys.STORE_VERSION()) or 0)


async def check(redis: Redis) -> None:
    """Check that this server can read the store; write the first version into a store that has none.

    Raises ConfigError if the store has a later version than VERSION.
    """
    await redis.set(keys.STORE_VERSION(), FIRST, nx=True)
    judge(await of(redis))


def judge(found: int) -> None:
    """Raise ConfigError if contents of the version `found` cannot be read by this release."""
    if found > VERSION:
        raise ConfigError(
            "the store in redis.url, or in data.folder if that is empty, was used by a newer Greenroom (its records "
            f"have version {found}, this one reads {VERSION}): install that release again, or restore a backup from "
            "before the upgrade"
        )
