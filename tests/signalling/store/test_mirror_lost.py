"""Tests that a worker reports an event as lost if the store now has another event under the same number."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling import counts
from signalling.store.event_stream import StreamEntry, StreamHead
from signalling.store.mirror import Change, Reset
from tests.signalling.clinic import ORG, clinic
from tests.signalling.store.test_mirror import alone
from tests.signalling.waits import until


@pytest.mark.parametrize("replaced", [False, True])
async def test_an_event_that_was_replaced_in_the_store_is_reported_as_lost(
    valkey: Redis, replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
    # The clinic's worker has stopped, because its own mirror would count the lost event, too.
    mirror = await alone(valkey, [])
    stream = mirror._store.stream
    (_, entry), *_ = await stream.after(ORG, mirror.seq - 1)
    other = replace(entry, record=entry.record[::-1])

    async def at(*_: object) -> StreamEntry:
        return other if replaced else entry

    monkeypatch.setattr(stream, "at", at)
    monkeypatch.setattr(counts, "REPAIRS", Counter[str]())
    with capture_logs() as logs:
        mirror._take(mirror.seq, mirror.epoch, other)
        await until(lambda: mirror._repairing is None)
    assert counts.REPAIRS == {"epoch": 1, "reloaded": 1}
    lost = [line["count"] for line in logs if line["event"] == "store.events_lost"]
    assert lost == ([1] if replaced else [])


async def test_an_event_after_a_replaced_one_is_not_shown_and_does_not_hide_the_loss(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        seen: list[Change | Reset] = []
        mirror = await alone(valkey, seen)
        await one.arrive()
        number, stream, waits = mirror.seq, mirror._store.stream, asyncio.Event()
        (_, entry), (_, after), *_ = await stream.after(ORG, number - 1)
        other, read_head, read_event = replace(entry, record=entry.record[::-1]), stream.head, stream.at

        async def head(organisation: str) -> StreamHead:
            await waits.wait()
            return await read_head(organisation)

        async def at(organisation: str, seq: int) -> StreamEntry | None:
            return other if seq == number else await read_event(organisation, seq)

        monkeypatch.setattr(stream, "head", head)
        monkeypatch.setattr(stream, "at", at)
        with capture_logs() as logs:
            mirror._take(number, mirror.epoch, other)
            mirror._take(number + 1, mirror.epoch, after)
            await until(lambda: mirror._gap is None)
            assert seen == []
            waits.set()
            await until(lambda: mirror._repairing is None)
        assert [line["count"] for line in logs if line["event"] == "store.events_lost"] == [1]
