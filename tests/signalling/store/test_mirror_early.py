"""Tests what a worker's copy does with events that come while it reads the store, or in the wrong order."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from signalling.store.mirror import Reset
from tests.signalling.store.apart import EPOCH
from tests.signalling.store.test_mirror_apart import ORG, VISIT, by_pubsub, opened, settled


async def test_an_event_that_comes_while_those_before_it_are_fetched_is_shown_right_after_them() -> None:
    mirror, store, news = await opened(VISIT)
    for version in (2, 3):
        store.add(replace(VISIT, version=version))
    after = store.stream.after

    async def late(organisation: str, seq: int) -> Any:
        found = await after(organisation, seq)
        store.add(replace(VISIT, version=4))
        by_pubsub(store, mirror)
        return found

    store.stream.after = late
    await mirror._fill(3)
    assert [change.seq for change in news] == [2, 3, 4]
    await mirror.close()


async def test_an_event_that_comes_while_a_new_epoch_begins_is_not_shown() -> None:
    mirror, store, news = await opened(VISIT, replace(VISIT, version=2))
    del store.events[1]
    begin = store.stream.begin_epoch

    async def late(*how: Any) -> None:
        mirror._take(3, EPOCH, store.entry(replace(VISIT, version=3)))
        await begin(*how)

    store.stream.begin_epoch = late
    mirror.repair()
    await settled(mirror)
    assert news == [Reset(ORG)]


async def test_at_most_512_events_wait_for_those_before_them() -> None:
    mirror, store, news = await opened(VISIT)
    for version in range(2, 516):
        store.add(replace(VISIT, version=version))
    for number, entry in store.events[2:]:
        assert mirror._repairing is None
        mirror._take(number, EPOCH, entry)
    assert (len(mirror._early), mirror._repairing is not None) == (512, True)
    await settled(mirror)
    assert [change.seq for change in news] == list(range(2, 516))
