"""Tests the client of the store: a write has a time-out and makes no task, the client signs in, and TLS is checked."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace
from redis.exceptions import ConnectionError, TimeoutError

from web.config import Settings, parse
from web.server import tls
from web.server.redis_client import connect
from web.server.valkey import EmbeddedStore, LockedFolder

PATIENCE_S = 2.0
# more bytes than the kernel's buffers can take
MUCH = bytes(32 << 20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A running store for this test, which the test may freeze."""
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
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() - before == {writing}
    with pytest.raises(TimeoutError, match="writing"):
        await writing
    assert time.monotonic() - began >= PATIENCE_S
    assert not connection.is_connected, "half a command was sent"
    os.kill(store.pid, signal.SIGCONT)
    await connection.connect()
    assert connection.socket_timeout == PATIENCE_S, "reads are limited as before"
    await connection.disconnect()
    await client.aclose()


async def test_tls_is_checked_with_the_authority_of_the_settings_and_the_user_signs_in(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    certificate, key = tls.self_signed(tmp_path, datetime.now(UTC))

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(store.url.removeprefix("unix://"))
        with contextlib.suppress(OSError):
            await asyncio.gather(copied(reader, far_writer), copied(far_reader, writer))

    async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()

    context = tls.server_context(str(certificate), str(key))
    server = await asyncio.start_server(passed, "127.0.0.1", 0, ssl=context)
    url = f"rediss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")
    with redis.Redis.from_url(store.url) as operator:
        operator.execute_command("ACL", "SETUSER", "clinic", "on", ">swordfish", "~*", "&*", "+@all")
    access = {"url": url, "username": "clinic", "password_file": str(secret)}
    async with connect(parse({"redis": {**access, "ca": str(certificate)}}, "test")) as client:
        assert await client.acl_whoami() == b"clinic"
    async with connect(parse({"redis": access}, "test")) as client:
        with pytest.raises(ConnectionError, match="certificate verify failed"):
            await client.get("key")
    server.close()
