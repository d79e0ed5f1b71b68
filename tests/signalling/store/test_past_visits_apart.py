"""Tests the search index of ended visits, with a store in memory."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.errors import UnavailableError
from signalling.store import past_visits as module
from signalling.store.mirror import Change, Reset
from signalling.store.past_visits import IDLE_S, Index, PastVisits, Query
from signalling.store.records import NEWEST, Place
from signalling.visit.record import Visit
from tests.signalling import visits
from tests.signalling.waits import until

ORG = visits.ORG


def ended(number: int, name: str = "Ana Ruiz", **more: Any) -> Visit:
    """Return a visit that ended at the time `number`, of a patient with this name."""
    visit = visits.ended()
    patient = replace(visit.patient, name=name)
    return replace(visit, id=f"v_{number}", ended_ms=number, patient=patient, **more)


class Past:
    """The ended visits of one organisation. `batches`: how many reads were made. `away`: how many of the next
    reads fail.
    """

    def __init__(self, *found: Visit) -> None:
        self.found = {visit.id: visit for visit in found}
        self.places: list[Place] = sorted((visit.ended_ms or 0, visit.id) for visit in found)
        self.batches = 0
        self.away = 0
        self.held: asyncio.Event | None = None

    async def count_ended(self, organisation: str, before: Place) -> int:
        return sum(place <= before for place in self.places)

    async def ended(self, organisation: str, since_ms: int | None, before: Place, limit: int) -> list[Place]:
        self.batches += 1
        if self.held is not None and self.batches > 1:
            await self.held.wait()
        if self.away:
            self.away -= 1
            raise UnavailableError("store")
        newest_first = [
            place for place in reversed(self.places) if place < before and place[0] >= (since_ms or 0)
        ]
        return newest_first[:limit]

    async def visits(self, organisation: str, places: list[Place]) -> list[Visit | None]:
        return [self.found.get(name) for _, name in places]


def past(store: Past) -> tuple[PastVisits, list[str]]:
    """Return (the search of ended visits, a list of organisations).

    The list gets each organisation whose mirror (this worker's copy of the open records) was loaded.
    """
    loaded: list[str] = []

    async def get(organisation: str) -> None:
        loaded.append(organisation)

    mirrors: Any = SimpleNamespace(observers=[], get=get)
    made: Any = store
    return PastVisits(made, mirrors), loaded


async def names(search: PastVisits, text: str = "", limit: int = 99, **how: Any) -> list[str]:
    """Return the ids of the first `limit` visits that contain `text`. `how`: further fields of the query."""
    found = await search.find(ORG, Query(text=text, **how), limit)
    return [visit.id for visit in found.visits]


def test_the_times_and_sizes_of_the_index_are_these() -> None:
    assert (module.PATIENCE_S, module.SLICE) == (0.15, 4000)
    assert module.Found([]).unread == 0


@pytest.mark.parametrize(
    ("query", "needs"),
    [
        ({}, False),
        ({"text": "  "}, False),
        ({"text": "ana"}, True),
        ({"provider": "osei"}, True),
        ({"outcome": "seen"}, True),
        ({"tag": ""}, True),
        ({"since_ms": 3}, False),
    ],
)
def test_only_a_search_by_what_the_store_does_not_sort_needs_the_index(query: Any, needs: bool) -> None:
    assert Query(**{"text": "", **query}).needs_index is needs


async def test_a_search_finds_by_name_provider_outcome_tag_and_time_the_newest_first() -> None:
    store = Past(
        ended(10),
        ended(20, "Lin Chu", tags=("Follow-up",)),
        ended(30, "Ana Ber", claimant=None),
        ended(40, "Äna Cé"),
    )
    search, loaded = past(store)
    assert await names(search) == ["v_40", "v_30", "v_20", "v_10"]
    assert (loaded, len(search._indexes)) == ([], 0), "the store itself has this order"
    assert await names(search, "ANA") == ["v_40", "v_30", "v_10"]
    assert await names(search, "ana", 2) == ["v_40", "v_30"]
    assert await names(search, "ana", since_ms=30) == ["v_40", "v_30"]
    assert await names(search, "ana", before=(40, "v_40")) == ["v_30", "v_10"]
    assert await names(search, provider="osei") == ["v_40", "v_20", "v_10"]
    assert await names(search, tag="Follow-up") == ["v_20"]
    assert await names(search, outcome=str(visits.ended().outcome)) == ["v_40", "v_30", "v_20", "v_10"]
    assert await names(search, outcome="another") == []
    assert await names(search, "v_20") == ["v_20"]
    assert set(loaded) == {ORG}
    await search.close()


async def test_a_search_in_many_slices_lets_other_work_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    store = Past(*(ended(number) for number in range(10, 20)))
    search, _ = past(store)
    await names(search, "nobody")
    index = search._indexes[ORG]
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with monkeypatch.context() as patch:
        patch.setattr("signalling.store.past_visits.asyncio.sleep", sleep)
        assert len(await index.search(Query(text="ana"), 99)) == 10
        assert pauses == [0] * 5
        assert await index.search(Query(text="ana", since_ms=18), 99) == [(19, "v_19"), (18, "v_18")]
        assert len(pauses) == 6
    await search.close()


async def test_a_found_visit_that_no_longer_exists_is_dropped_and_the_page_is_filled() -> None:
    store = Past(ended(10), ended(20), ended(30))
    search, _ = past(store)
    await names(search, "ana")
    del store.found["v_20"]
    assert await names(search, "ana", 2) == ["v_30", "v_10"]
    assert len(search._indexes[ORG]) == 2
    assert await names(search, limit=2) == ["v_30", "v_10"]
    await search.close()


# --- reading of the index from the store


async def test_the_index_is_read_in_the_background_and_says_what_it_has_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    store = Past(*(ended(number) for number in range(10, 15)))
    store.held = asyncio.Event()
    search, _ = past(store)
    found = await search.find(ORG, Query(text="ana"), 99)
    assert ([visit.id for visit in found.visits], found.unread) == (["v_14", "v_13"], 3)
    assert (await search.find(ORG, Query(text="ana"), 2)).unread == 0, "the page is full"
    assert (await search.find(ORG, Query(text="ana", since_ms=14), 99)).unread == 0
    assert (await search.find(ORG, Query(text="ana", since_ms=13), 99)).unread == 3
    store.held.set()
    await until(lambda: not search._indexes[ORG].unread)
    assert len(await names(search, "ana")) == 5
    batches = store.batches
    await names(search, "ana")
    assert store.batches == batches, "it is read once"
    await search.close()


async def test_a_read_that_failed_goes_on_where_it_stopped_at_the_next_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 1)
    store = Past(ended(10), ended(20))
    search, _ = past(store)
    store.away = 1
    with pytest.raises(UnavailableError):
        await names(search, "ana")
    assert await names(search, "ana") == ["v_20", "v_10"]
    await search.close()


async def test_visits_that_end_while_older_ones_are_read_come_to_their_place() -> None:
    made: Any = Past()
    index = Index(ORG, made)
    assert (len(index), index.unread, index._frontier) == (0, 1, NEWEST)
    rows = {number: module._row(ended(number), number) for number in (10, 20, 30, 40)}
    index._prepend([rows[20]])
    index._prepend([rows[10]])
    assert [row.ended_ms for row in index._rows] == [10, 20]
    index._prepend([rows[40], rows[30]])
    assert [row.ended_ms for row in index._rows] == [10, 20, 30, 40]
    index._prepend([])
    index._prepend([rows[10]])
    assert len(index) == 4


async def test_a_row_is_replaced_only_by_a_newer_record() -> None:
    made: Any = Past()
    index = Index(ORG, made)
    old, new = (module._row(ended(10, name), 10) for name in ("Old", "New"))
    index.add(old)
    index.add(new)
    assert index._rows == [old]
    index.add(new, newest=True)
    assert index._rows == [new]
    index.drop((10, "v_11"))
    index.drop((11, "v_10"))
    assert len(index) == 1
    index.drop((10, "v_10"))
    index.drop((10, "v_10"))
    assert len(index) == 0


# --- updates of the index by events, and the removal of an index


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (ended(20, "Ana New"), ["v_20", "v_10"]),
        (ended(10, "Lin Chu"), []),
        (replace(visits.queued(), id="v_20"), ["v_10"]),
        (replace(ended(20), ended_ms=None), ["v_10"]),
    ],
)
async def test_a_visit_that_ends_is_found_at_once(after: Visit, found: list[str]) -> None:
    store = Past(ended(10))
    search, _ = past(store)
    change = Change(ORG, 5, "ended", None, after)
    search.news(change)
    assert search._indexes == {}, "nobody has searched"
    await names(search, "ana")
    store.found[after.id] = after
    search.news(change)
    assert await names(search, "ana") == found
    await search.close()


async def test_after_lost_events_the_index_is_built_anew() -> None:
    search, _ = past(Past(ended(10)))
    await names(search, "ana")
    index = search._indexes[ORG]
    search.news(Reset("elsewhere"))
    assert search._indexes == {ORG: index}
    search.news(Reset(ORG))
    assert search._indexes == {}
    await search.close()
    assert await names(search, "ana") == ["v_10"]
    await search.close()


@pytest.mark.parametrize(("idle_s", "stays"), [(-1.0, True), (1.0, False)])
async def test_erased_visits_leave_the_index_and_an_index_that_nobody_uses_is_dropped(
    idle_s: float, stays: bool
) -> None:
    search, _ = past(Past(ended(10), ended(20)))
    search.erase(ORG, 20)
    await names(search, "ana")
    index = search._indexes[ORG]
    index.used_s = time.monotonic() - IDLE_S - idle_s
    search.erase(ORG, 20)
    assert (len(index), ORG in search._indexes) == (1, stays)
    await search.close()
    assert search._closing == set()


async def test_a_close_ends_the_reading_of_all_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 1)
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    store = Past(ended(10), ended(20))
    store.held = asyncio.Event()
    search, _ = past(store)
    await names(search, "ana")
    reading = search._indexes[ORG]._reading
    await search.close()
    assert reading is not None
    assert (reading.cancelled(), search._indexes) == (True, {})
    made: Any = Past()
    await Index(ORG, made).close()
