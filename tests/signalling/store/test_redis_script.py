"""Tests our class for Lua scripts, which is called in the same way as redis-py's own class, on a real Valkey."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from signalling.store.redis_script import Script


async def test_a_script_gets_its_keys_and_arguments_also_after_the_store_has_forgotten_it(
    valkey: Redis,
) -> None:
    redis: Any = valkey
    script = redis.register_script("return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV}")
    assert isinstance(script, Script)
    for _ in range(2):
        assert await script(keys=["a", "b"], args=[7]) == [b"a", b"b", b"7", 2, 1]
        await redis.script_flush()
    assert await redis.register_script("return 'no keys'")() == b"no keys"


async def test_a_script_in_a_pipeline_is_carried_out_with_it(valkey: Redis) -> None:
    redis: Any = valkey
    script, pipe = redis.register_script("return ARGV[1]"), redis.pipeline(transaction=False)
    await script(args=["x"], client=pipe)
    pipe.ping()
    assert await pipe.execute() == [b"x", True]


async def test_an_error_of_a_script_is_raised(valkey: Redis) -> None:
    redis: Any = valkey
    with pytest.raises(ResponseError, match="no such"):
        await redis.register_script("return redis.error_reply('ERR no such visit')")()
