"""Tests that the workers' signs of life and reports are in the store's memory only, and not in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from signalling.store.redis_connection import SharedRedis
from signalling.store.unkept import unkept
from web.server.valkey import EmbeddedStore, LockedFolder


def contents(folder: Path) -> bytes:
    """Return what a store has written to its files in a folder."""
    return b"".join(file.read_bytes() for file in folder.rglob("*.aof"))


async def test_unkept_commands_are_carried_out_and_the_first_reply_is_returned(valkey: Redis) -> None:
    redis: Any = valkey
    for before in (None, b"a"):
        command = unkept(
            "worker:w", ("SET", "worker:w", b"a", "PX", 500_000, "GET"), ("PEXPIRE", "worker:w", 400_000)
        )
        assert await redis.execute_command(*command) == before
    assert 0 < await redis.pttl("worker:w") <= 400_000


async def test_an_unkept_value_is_not_written_to_the_disk(tmp_path: Path) -> None:
    store = EmbeddedStore(LockedFolder(tmp_path))
    store.start()
    try:
        redis: Any = SharedRedis.from_url(store.url, protocol=3)
        await redis.set("kept", b"yes")
        await redis.execute_command(*unkept("gone", ("SET", "gone", b"secret of a second")))
        assert await redis.get("gone") == b"secret of a second"
        await redis.aclose()
        written = contents(tmp_path)
        assert b"kept" in written
        assert b"gone" not in written
    finally:
        store.stop()
