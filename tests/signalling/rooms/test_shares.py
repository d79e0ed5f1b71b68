"""Tests that a few workers do the periodic work for each organisation, while workers join and leave."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.rooms.placement import Place
from signalling.rooms.shares import EACH, Shares, chosen
from tests.signalling.clinic import ORG, clinic
from tests.signalling.rooms.test_registry import register
from tests.signalling.test_sweep import away_too_long, ended_by_sweep
from tests.signalling.waits import until

ORGANISATIONS = [f"clinic{number}" for number in range(20)]
WORKERS = st.sets(st.sampled_from([f"w{number}" for number in range(12)]), min_size=1)


def share_of(worker: str, there: dict[str, bool], dead: set[str]) -> Shares:
    """Return the object that decides for which organisations `worker` does the periodic work.

    `there`: each worker that reports -> True if it drains (takes no new rooms). `dead`: the workers that count as dead.
    """

    async def places() -> list[Place]:
        return [Place(worker=one, at_ms=0, rooms=0, draining=drains) for one, drains in there.items()]

    liveness: Any = SimpleNamespace(dead=dead)
    return Shares(places, liveness, worker)


def on_one_machine(workers: Iterable[str]) -> dict[str, str]:
    """Return worker -> machine for workers of one machine."""
    return dict.fromkeys(workers, "10.0.0.1")


@given(
    st.dictionaries(st.text(min_size=1, max_size=4), st.sampled_from("abcd"), min_size=1),
    st.sampled_from(ORGANISATIONS),
    st.text(min_size=1, max_size=4),
    st.sampled_from("abcd"),
)
def test_a_worker_that_joins_or_leaves_changes_only_its_own_organisations(
    machines: dict[str, str], organisation: str, other: str, machine: str
) -> None:
    before = chosen(organisation, machines)
    after = chosen(organisation, {**machines, other: machines.get(other, machine)})
    assert len(set(before)) == len(before) == min(EACH, len(machines))
    assert set(after) <= {*before, other}
    assert set(before) <= machines.keys()
    assert set(after) == set(before) or other in after


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.sampled_from("abcd"), min_size=1))
def test_as_many_machines_as_can_be_look_after_an_organisation(machines: dict[str, str]) -> None:
    looking = {machines[worker] for worker in chosen("clinic", machines)}
    assert len(looking) == min(EACH, len(set(machines.values())))


@settings(max_examples=50)
@given(st.lists(st.tuples(WORKERS, WORKERS), min_size=1, max_size=6))
async def test_each_organisation_has_a_worker_while_workers_join_and_die_at_random(
    steps: list[tuple[set[str], set[str]]],
) -> None:
    shares, there, dead = dict[str, Shares](), dict[str, bool](), set[str]()
    for living, draining in steps:
        there.clear()
        there.update({worker: worker in draining for worker in living})
        dead.clear()
        dead.update(shares.keys() - living)
        there.update(
            dict.fromkeys(dead, False)
        )  # the store still has the report of a dead worker for some seconds
        for worker in living:
            await shares.setdefault(worker, share_of(worker, there, dead)).look()
        for organisation in ORGANISATIONS:
            looking = [worker for worker in living if shares[worker].has(organisation)]
            staying = living - draining
            assert len([worker for worker in looking if worker in staying]) == min(EACH, len(staying))
            assert looking, "those that stop look on while nobody else is there"


def test_the_organisations_are_spread_evenly_over_the_workers() -> None:
    workers = [f"w{index}-{index * 7919 % 1000:08x}" for index in range(20)]
    count = Counter(
        worker for number in range(400) for worker in chosen(f"c{number}", on_one_machine(workers))
    )
    fair = 400 * EACH / 20
    assert min(count[worker] for worker in workers) > fair / 2
    assert max(count.values()) < fair * 1.7


@pytest.mark.parametrize(
    ("organisation", "machines", "workers"),
    [
        ("riverside", 1, "w0-000000 w5-009aab w4-007bbc"),
        ("clinic", 1, "w5-009aab w1-001eef w0-000000"),
        ("demo", 1, "w6-00b99a w4-007bbc w7-00d889"),
        ("demo", 2, "w6-00b99a w3-005ccd w4-007bbc"),
    ],
)
def test_workers_of_this_release_and_of_earlier_ones_choose_the_same_during_an_upgrade(
    organisation: str, machines: int, workers: str
) -> None:
    there = {f"w{number}-{number * 7919:06x}": str(number * machines // 8) for number in range(8)}
    assert chosen(organisation, there) == workers.split()


async def test_the_machine_of_a_worker_is_known_by_the_address_of_its_media() -> None:
    async def places() -> list[Place]:
        return [
            Place(worker=name, at_ms=0, rooms=0, addresses=((host, 7), ("fe80::1", 7)) if host else ())
            for name, host in (("w1", "10.0.0.1"), ("w2", "10.0.0.2"), ("w3", ""))
        ]

    share = Shares(places, cast(Any, SimpleNamespace(dead=set())), "w1")
    assert share.has("clinic"), "alone"
    await share.look()
    assert share._machines == {"w1": "10.0.0.1", "w2": "10.0.0.2", "w3": ""}
    assert share.has("clinic") is ("w1" in chosen("clinic", share._machines))
    known = share._mine
    await share.look()
    assert share._mine is known, "nothing has changed, so that nothing is calculated again"


async def test_the_other_workers_are_looked_for_every_two_seconds_also_while_the_store_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, waits = list[str](), list[float]()

    async def places() -> list[Place]:
        looks.append("look")
        raise UnavailableError("store")

    async def tick(period_s: float) -> None:
        waits.append(period_s)
        if len(waits) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr("signalling.rooms.shares.tick", tick)
    with pytest.raises(asyncio.CancelledError):
        await Shares(places, cast(Any, SimpleNamespace(dead=set())), "w1").run()
    assert (looks, waits) == (["look"] * 2, [2.0] * 2)


@pytest.mark.parametrize("frozen", [EACH - 1, EACH])
async def test_a_deadline_is_executed_although_the_workers_that_look_after_it_stand_still(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch, frozen: int
) -> None:
    monkeypatch.setattr("signalling.sweep.ELSEWHERE_S", 0.5)
    async with clinic(valkey, workers=5, away_expiry_ms=3_600_000) as five:
        for worker in five.workers:
            await register(valkey, worker, rooms=0)
        for worker in five.workers:
            await worker.shares.look()
        sweepers = chosen(ORG, on_one_machine(worker.id for worker in five.workers))
        assert {worker.id for worker in five.workers if worker.shares.has(ORG)} == set(sweepers)
        for worker in five.workers:
            if worker.id in sweepers[:frozen]:
                await worker.supervisor.stop("sweep")
        late = await away_too_long(five)
        await until(lambda: ended_by_sweep(five, late))
