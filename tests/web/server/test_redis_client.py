"""Tests that the client of the store limits the time of a write without a task."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from redis.exceptions import TimeoutError

from web.config import Settings
from web.server.redis_client import connect
from web.server.valkey import EmbeddedStore, LockedFolder

PATIENCE_S = 0.3
MUCH = bytes(32 << 20)  # more than the kernel's buffers take


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A Valkey that the test may freeze."""
    folder = LockedFolder(tmp_path)
    store = EmbeddedStore(folder)
    store.start()
    yield store
    if store.pid is not None:
        os.kill(store.pid, signal.SIGCONT)
    store.stop()
    folder.close()


async def test_a_write_to_a_frozen_store_ends_in_time_and_makes_no_task(store: EmbeddedStore) -> None:
    settings = Settings()
    settings = replace(settings, redis=replace(settings.redis, url=store.url, socket_timeout_s=PATIENCE_S))
    client = connect(settings)
    pool: Any = client.connection_pool
    connection = pool.make_connection()
    await connection.connect()
    assert store.pid is not None
    os.kill(store.pid, signal.SIGSTOP)
    before, began = asyncio.all_tasks(), time.monotonic()
    writing = asyncio.create_task(connection.send_packed_command([MUCH]))
    await asyncio.sleep(PATIENCE_S / 3)
    assert asyncio.all_tasks() - before == {writing}
    with pytest.raises(TimeoutError, match="writing"):
        await writing
    assert PATIENCE_S <= time.monotonic() - began < 10 * PATIENCE_S
    assert not connection.is_connected, "half a command was sent"
    os.kill(store.pid, signal.SIGCONT)
    await connection.connect()
    assert connection.socket_timeout == PATIENCE_S, "reads are limited as before"
    await connection.disconnect()
    await client.aclose()
