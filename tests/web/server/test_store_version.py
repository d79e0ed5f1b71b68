"""Tests the version of a store's content: a new store is marked with it, and a store of a later version is refused."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from tests.conftest import StartServer
from web.config import EXIT_CODE
from web.server import store_version


async def test_a_store_without_a_version_gets_the_first_one_and_keeps_a_later_one(valkey: Redis) -> None:
    assert await store_version.of(valkey) == 0
    await store_version.check(valkey)
    assert await store_version.of(valkey) == store_version.FIRST
    await valkey.set("greenroom:version", store_version.VERSION)
    await store_version.check(valkey)
    assert await store_version.of(valkey) == store_version.VERSION


async def test_a_server_does_not_start_on_a_store_of_a_later_version(
    valkey: Redis, valkey_url: str, start_server: StartServer
) -> None:
    later = store_version.VERSION + 1
    await valkey.set("greenroom:version", later)
    server = start_server({"redis": {"url": valkey_url}})
    assert await asyncio.to_thread(server.process.wait, 60) == EXIT_CODE
    assert f"its records have version {later}, this one reads" in server.log
    assert await valkey.get("greenroom:version") == b"%d" % later
    assert not await valkey.exists("organisations"), "nothing was written to it"
