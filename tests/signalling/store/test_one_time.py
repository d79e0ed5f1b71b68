"""Tests one-time links: the value of a link can be taken once.

The store remembers that a link was used until the time at which the link would have expired unused.
"""

from __future__ import annotations

from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.one_time import OneTime
from tests.signalling.clinic import ORG

KEY = keys.INVITE(ORG, "hash")


async def test_a_value_is_read_several_times_and_taken_once(valkey: Redis) -> None:
    links = OneTime(valkey)
    assert (await links.look(KEY), await links.take(KEY), await links.was_used(KEY)) == (None, None, False)
    await links.keep(KEY, b"value", 3_600_000)
    assert [await links.look(KEY) for _ in range(2)] == [b"value"] * 2
    assert not await links.was_used(KEY)
    assert [await links.take(KEY) for _ in range(2)] == [b"value", None]
    assert (await links.look(KEY), await links.was_used(KEY)) == (None, True)
    assert 3_500_000 < await valkey.pttl(KEY) <= 3_600_000, (
        "the mark is kept as long as the link would have been"
    )
