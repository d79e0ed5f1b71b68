"""Tests that a worker's copy is whole again after an event that the stream no longer has, or that cannot be read."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling.store import keys
from signalling.store.mirror import Change, Reset
from tests.signalling.clinic import ORG, clinic
from tests.signalling.store.test_mirror import alone, settled


@pytest.mark.parametrize("missed", [0, 2, 4])
@pytest.mark.parametrize("fields", [None, {"e": b"cut"}, {"other": b"field"}])
async def test_a_copy_that_missed_an_event_that_cannot_be_read_loads_everything_again(
    valkey: Redis, missed: int, fields: Any
) -> None:
    client, stream = cast(Any, valkey), keys.EVENTS(ORG)
    async with clinic(valkey, 1) as one:
        await one.arrive()
        news: list[Change | Reset] = []
        mirror = await alone(valkey, news)
        for _ in range(5):
            await one.arrive()
        events = [
            (name, content) for name, content in await client.xrange(stream, min=f"{mirror.seq + 1}-0")
        ][:5]
        head = await mirror._store.stream.head(ORG)
        await client.delete(stream)
        for number, (name, content) in enumerate(events):
            if number != missed:
                await client.xadd(stream, content, id=name)
            elif fields is not None:
                await client.xadd(stream, fields, id=name)
        await settled(mirror)
        assert (mirror.seq, mirror.epoch, news[-1]) == (head.seq, head.epoch, Reset(ORG))
        assert len(mirror.visits) == 6
        with capture_logs() as logs:
            assert len((await alone(valkey, [])).visits) == 6
    lines = [(line["event"], line["what"]) for line in logs if line["log_level"] == "error"]
    assert lines == [("store.unreadable_record", "event")] * (fields is not None)
