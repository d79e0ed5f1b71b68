"""Tests that updates which wait to be sent are cancelled when their worker ends."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from tests.signalling.clinic import clinic


def waiting_updates() -> int:
    """Return how many updates wait to be sent."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return names.count("Debouncer._run")


async def test_updates_that_wait_to_be_sent_are_cancelled_at_the_end(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.topics.queue.PLACE_TICK_S", 3600.0)
    async with clinic(valkey, 1) as one:
        await one.arrive()
        assert waiting_updates() == 1
        await one.workers[0].topics.close()
        assert waiting_updates() == 0
