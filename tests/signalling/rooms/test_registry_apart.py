"""Tests how a worker counts rooms and chooses a worker for a new room, by the reports of all workers, in memory."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from signalling.errors import UnavailableError
from signalling.rooms import registry as module
from signalling.rooms.placement import Place
from signalling.rooms.registry import Registry
from signalling.store import keys

T0 = 1_790_000_000_000


class Apart:
    """The registry of all workers, as the worker `own` reads it. `reports`: the workers' reports in the store.
    `now_ms`: the store's time.
    """

    def __init__(self, *reports: Place, taken: tuple[int, ...] = ()) -> None:
        self.reports, self.now_ms = list(reports), T0
        self.dead: set[str] = set()
        self.away = False
        self.asked: list[str] = []
        service: Any = SimpleNamespace(
            store=SimpleNamespace(redis=self, clock_ms=lambda: self.now_ms),
            mirrors=[SimpleNamespace(visits=SimpleNamespace(taken=range(number))) for number in taken],
        )
        liveness: Any = SimpleNamespace(is_dead=self._is_dead)
        self.registry = Registry(service, liveness, "own")

    async def _is_dead(self, worker: str) -> bool:
        self.asked.append(worker)
        return worker in self.dead

    async def zrangebyscore(self, name: str, least: int, most: str) -> list[bytes]:
        if self.away:
            raise UnavailableError("store")
        assert (name, most) == (keys.REPORTS(), "+inf")
        return [msgspec.msgpack.encode(place) for place in self.reports if place.at_ms >= least]


def place(worker: str, rooms: int, at_ms: int = T0, **more: Any) -> Place:
    """Return a report of a worker."""
    return Place(worker=worker, at_ms=at_ms, rooms=rooms, **more)


async def test_reports_of_the_last_six_seconds_count_and_of_each_worker_the_newest() -> None:
    apart = Apart(place("a", 1, T0 - 6000), place("b", 2, T0 - 6001), place("c", 3, T0 - 500), place("c", 4))
    assert {one.worker: one.rooms for one in await apart.registry.places()} == {"a": 1, "c": 4}


async def test_rooms_that_were_placed_after_a_report_are_added_to_it_and_forgotten_with_it() -> None:
    apart = Apart(place("other", 0))
    for rooms in (1, 2):
        assert await apart.registry.choose([]) == "other"
        assert [one.rooms for one in await apart.registry.places()] == [0]
        apart.now_ms += 1
        apart.reports = [place("other", 0, T0 - 1)]
        assert [one.rooms for one in await apart.registry.places()] == [rooms]
        apart.reports, apart.now_ms = [place("other", 0)], T0
    apart.now_ms = T0 + 6000
    await apart.registry.places()
    assert len(apart.registry._placed) == 2
    apart.now_ms += 1
    await apart.registry.places()
    assert len(apart.registry._placed) == 0


async def test_a_dead_worker_is_not_chosen_and_the_own_one_is_not_asked() -> None:
    apart = Apart(place("a", 0), place("own", 1), place("b", 2))
    assert await apart.registry.choose([]) == "a"
    apart.dead = {"a"}
    assert await apart.registry.choose([]) == "own"
    assert apart.asked == ["a", "a"]
    apart.reports, apart.dead = [place("a", 0), place("b", 1)], {"a", "b"}
    assert await apart.registry.choose([]) == "own", "if all others are dead"


async def test_more_visits_can_be_claimed_until_all_workers_are_full() -> None:
    apart = Apart(taken=(2, 3))
    assert apart.registry.left() is None
    apart.registry._most = 7
    assert apart.registry.left() == 2


@pytest.mark.parametrize(
    ("reports", "most"),
    [
        ([], 9),
        ([place("a", 0, rooms_max=3), place("b", 0, rooms_max=4)], 7),
        ([place("a", 0, rooms_max=3), place("b", 0, rooms_max=4, draining=True)], 3),
        ([place("a", 0, rooms_max=3, draining=True)], 9),
        ([place("a", 0, rooms_max=3), place("b", 0)], None),
    ],
)
async def test_the_bound_of_all_workers_is_read_every_second_and_kept_without_reports(
    reports: list[Place], most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart, ticks = Apart(*reports), list[float]()

    async def tick(period_s: float) -> None:
        ticks.append(period_s)
        apart.away = True
        if len(ticks) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(module, "tick", tick)
    apart.registry._most = 9
    with pytest.raises(asyncio.CancelledError):
        await apart.registry.run()
    assert (apart.registry._most, ticks) == (most, [1.0, 1.0])
