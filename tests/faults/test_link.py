"""Tests the link with which fault tests cut a server off from its store, so that those tests can rely on it."""

import asyncio

import pytest
import redis
from redis.asyncio import Redis

from tests.faults.link import link_to
from tests.limits import WAIT_S
from web.server.valkey import EmbeddedStore


async def test_a_link_passes_commands_stalls_them_and_passes_them_again(
    embedded_store: EmbeddedStore,
) -> None:
    async with link_to(embedded_store.url) as link:
        client = Redis.from_url(link.url, socket_timeout=WAIT_S)
        assert await client.ping()
        link.stall()
        asked = asyncio.ensure_future(client.ping())
        await asyncio.sleep(0.2)
        assert not asked.done()
        link.heal()
        assert await asked
        await client.aclose()


async def test_a_cut_link_resets_connections_until_it_is_healed(embedded_store: EmbeddedStore) -> None:
    async with link_to(embedded_store.url) as link:
        client = Redis.from_url(link.url, socket_timeout=WAIT_S, retry=None)
        assert await client.ping()
        link.cut()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        link.heal()
        assert await client.ping()
        await client.aclose()
