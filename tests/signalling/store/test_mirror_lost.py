"""Tests that a worker reports events that the store has lost, by the event which has the same number there now."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling import counts
from signalling.store.event_stream import StreamEntry
from tests.signalling.clinic import ORG, clinic
from tests.signalling.store.test_mirror import alone
from tests.signalling.waits import until


@pytest.mark.parametrize("replaced", [False, True])
async def test_an_event_that_was_replaced_in_the_store_is_reported_as_lost(
    valkey: Redis, replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
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
