"""Tests that several requests for the same work run it once, and that failed work is repeated until it succeeds."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from signalling.errors import UnavailableError
from signalling.supervision import Supervisor
from signalling.topics import debounce
from signalling.topics.debounce import Debouncer
from tests.signalling.waits import until


@pytest.mark.parametrize(("problem", "counted"), [(UnavailableError("store"), 0), (RuntimeError("fault"), 2)])
async def test_r28_work_that_failed_is_tried_again_until_it_succeeds(
    problem: Exception, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debounce, "RETRY_S", 0.001)
    supervisor, done = Supervisor(), list[str]()

    async def work() -> None:
        done.append("tried")
        if len(done) < 3:
            raise problem

    debouncer = Debouncer(supervisor.failed)
    debouncer.run("riverside/reset", work, 0)
    await until(lambda: len(done) == 3)
    await until(lambda: not debouncer._tasks)
    assert len(done) == 3
    assert supervisor.failures["topics.reset"] == counted
    await debouncer.close()


async def test_merged_requests_run_the_work_once_and_once_more_for_requests_during_the_run() -> None:
    done = list[str]()

    async def work() -> None:
        done.append("done")
        await asyncio.sleep(0.01)

    debouncer = Debouncer()
    for _ in range(10):
        debouncer.run("riverside/places", work, 0)
    await until(lambda: len(done) == 1)
    for _ in range(10):
        debouncer.run("riverside/places", work, 0)
    await until(lambda: not debouncer._tasks)
    assert len(done) == 2
    await debouncer.close()


async def test_r28_work_that_failed_waits_for_its_own_pause_only(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def work() -> None:
        if len(slept) == 1:
            raise UnavailableError("store")

    monkeypatch.setattr(
        debounce, "asyncio", SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop)
    )
    debouncer = Debouncer(Supervisor().failed)
    debouncer.run("riverside/reset", work, 0.5)
    await until(lambda: not debouncer._tasks)
    assert slept[:4] == [0.5, 0.1, 0.0, 0.5]


@pytest.mark.parametrize(("took_s", "rests_s"), [(0.01, 0.09), (0.1, 0.9), (0.5, 1.0)])
async def test_work_takes_a_tenth_of_the_time_and_rests_for_a_second_at_most(
    took_s: float, rests_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept, times_s = list[float](), iter((5.0, 5.0 + took_s))

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def work() -> None:
        pass

    monkeypatch.setattr(debounce, "time", SimpleNamespace(monotonic=lambda: next(times_s)))
    monkeypatch.setattr(
        debounce, "asyncio", SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop)
    )
    debouncer = Debouncer()
    debouncer.run("riverside/places", work, 0.5)
    await until(lambda: not debouncer._tasks)
    assert slept == [0.5, pytest.approx(rests_s)]


async def test_r28_the_pauses_between_failures_grow_to_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def work() -> None:
        if len(slept) < 24:
            raise UnavailableError("store")

    monkeypatch.setattr(
        debounce, "asyncio", SimpleNamespace(sleep=sleep, get_running_loop=asyncio.get_running_loop)
    )
    debouncer = Debouncer(Supervisor().failed)
    debouncer.run("riverside/reset", work, 0.0)
    await until(lambda: not debouncer._tasks)
    assert [pause_s for pause_s in slept if pause_s][:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


async def test_work_that_is_cancelled_at_the_end_does_not_run_and_is_forgotten() -> None:
    done = list[str]()

    async def work() -> None:
        done.append("done")

    debouncer = Debouncer()
    for _ in range(2):
        debouncer.run("riverside/places", work, 3600.0)
    await asyncio.sleep(0)
    await debouncer.close()
    assert (done, debouncer._tasks, debouncer._again) == ([], {}, set())
