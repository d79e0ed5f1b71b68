"""Tests that a worker's mirror (copy of the open records) shows events in order, even if they come in another order.

The mirror reads the store only for lost events.
"""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from signalling import counts
from signalling.store.encryption import Seal
from signalling.store.event_stream import StreamEntry, StreamHead
from signalling.store.mirror import Change, Mirror, Reset
from signalling.store.records import Store
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.waits import until


class Copy:
    """A mirror that gets its events from a test, not by pub/sub.

    `shown`: the numbers of the events that the mirror has reported, in that order.
    """

    def __init__(self, redis: Redis) -> None:
        self.shown: list[int] = []
        self.store = Store(redis, Seal({b"1": b"k" * 32}))
        self.mirror = Mirror(ORG, self.store, [self._show])

    def _show(self, news: Change | Reset) -> None:
        assert isinstance(news, Change)
        self.shown.append(news.seq)

    async def events(self, one: Clinic, number: int) -> list[tuple[int, StreamEntry]]:
        """Load the copy, make `number` patients arrive, and return the events, which the copy has not received."""
        await self.mirror.open()
        for _ in range(number):
            await one.arrive()
        return await self.store.stream.after(ORG, self.mirror.seq)

    def take(self, event: tuple[int, StreamEntry]) -> None:
        """Let the mirror receive an event."""
        self.mirror._take(event[0], self.mirror.epoch, event[1])


async def test_events_in_the_wrong_order_are_shown_in_order_without_asking_the_store(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        copy = Copy(valkey)
        first, second, third, fourth = await copy.events(one, 4)
        for event in (second, fourth, first, third):
            copy.take(event)
        assert copy.shown == [first[0], second[0], third[0], fourth[0]]
        repaired = counts.REPAIRS.copy()
        await until(lambda: copy.mirror._gap is None)
        assert copy.mirror._repairing is None
        assert repaired == counts.REPAIRS


async def test_a_lost_event_is_fetched_before_those_after_it_are_shown(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        copy = Copy(valkey)
        first, second, third = await copy.events(one, 3)
        copy.take(third)
        copy.take(second)
        assert copy.shown == []
        await until(lambda: copy.shown == [first[0], second[0], third[0]])


async def test_an_event_that_comes_while_a_repair_reads_the_store_is_shown_at_once(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        copy = Copy(valkey)
        first, second = await copy.events(one, 2)
        epoch, read = copy.mirror.epoch, copy.store.stream.head

        async def head(organisation: str) -> StreamHead:
            found = await read(organisation)
            copy.take(first)
            copy.take(second)
            assert copy.shown == [first[0], second[0]]
            # a head of the stream that is older than both events
            return StreamHead(found.epoch, first[0] - 1, b"")

        monkeypatch.setattr(copy.store.stream, "head", head)
        copy.mirror.repair()
        await until(lambda: copy.mirror._repairing is None)
        assert copy.mirror.epoch == epoch, "the head is older than the copy, nothing is lost"
        assert copy.shown == [first[0], second[0]]


async def test_a_copy_that_ends_waits_for_no_event(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        copy = Copy(valkey)
        _, second = await copy.events(one, 2)
        copy.take(second)
        await copy.mirror.close()
        assert copy.mirror._gap is None
