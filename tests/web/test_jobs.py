"""Tests the runner of jobs: it runs due jobs, a few at a time, and neither hangs nor stops if one of them fails."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from redis.asyncio import Redis

from signalling.store import jobs as queues
from signalling.store.encryption import Seal
from signalling.store.jobs import Jobs, Taken, new_job
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.web.site import Site, settings_for
from web import jobs
from web.errors import PermanentJobError
from web.jobs import Handler, Runner
from web.keys import CONSEQUENCES
from web.organisations.documents import Organisations

NOW = 1


@asynccontextmanager
async def running(valkey: Redis, queue: Jobs, handlers: dict[str, Handler]) -> AsyncIterator[Runner]:
    """Yield a runner of jobs for the organisations "one" and "two". `handlers`: kind of job -> its function."""
    await valkey.sadd("organisations", "one", "two")
    runner = Runner(queue, Organisations(valkey), handlers)
    task = asyncio.create_task(runner.run())
    yield runner
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await runner.close()


@pytest.fixture
def queue(valkey: Redis, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """The job queues of an empty store, which the runner checks often."""
    monkeypatch.setattr(jobs, "PERIOD_S", 0.02)
    monkeypatch.setattr(jobs, "FINISH_S", 0.05)
    monkeypatch.setattr(queues, "FIRST_PAUSE_MS", 10)
    return Jobs(valkey, Seal({b"k": os.urandom(32)}))


async def test_jobs_of_all_organisations_are_done_a_few_at_a_time(valkey: Redis, queue: Jobs) -> None:
    done: list[str] = []
    now, most = 0, 0

    async def handler(organisation: str, taken: Taken) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005)
        now -= 1
        done.append(organisation)

    for number in range(40):
        await queue.add(("one", "two")[number % 2], new_job("test", {}, NOW))
    async with running(valkey, queue, {"test": handler}):
        await until(lambda: len(done) == 40)
    assert done.count("one") == 20
    assert 1 < most <= jobs.AT_ONCE


async def test_a_job_that_hangs_is_ended_and_tried_again_while_others_are_done(
    valkey: Redis, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "EACH_S", 0.05)
    attempts: list[int] = []

    async def handler(_: str, taken: Taken) -> None:
        if taken.job.payload.get("hangs"):
            attempts.append(taken.attempt)
            await asyncio.Event().wait()

    await queue.add("one", new_job("test", {"hangs": True}, NOW))
    await queue.add("one", new_job("test", {}, NOW))
    async with running(valkey, queue, {"test": handler}):
        await until(lambda: len(attempts) >= 2)

        async def one_is_left() -> bool:
            return len(await queue.waiting("one")) == 1

        await until(one_is_left)
    assert attempts[:2] == [1, 2]


async def test_a_permanently_failed_job_is_given_up_and_logged_without_its_contents(
    valkey: Redis, queue: Jobs
) -> None:
    async def hopeless(_: str, __: Taken) -> None:
        raise PermanentJobError("there is nobody at home")

    async def fails(_: str, taken: Taken) -> None:
        raise ValueError(taken.job.payload["name"])

    await queue.add("one", new_job("hopeless", {"name": "Ana Ruiz"}, NOW))
    await queue.add("one", new_job("unheard of", {"name": "Ana Ruiz"}, NOW))
    await queue.add("one", new_job("fails", {"name": "Ana Ruiz"}, NOW, expires_ms=NOW))

    async def three_dead() -> bool:
        return len(await queue.dead("one")) == 3

    with structlog.testing.capture_logs() as logs:
        async with running(valkey, queue, {"hopeless": hopeless, "fails": fails}):
            await until(three_dead)
    assert {entry["reason"] for entry in logs} == {
        "there is nobody at home",
        "there is no handler for this kind",
        "it failed for too long",
    }
    assert "Ana" not in str(logs)


async def test_a_runner_that_stops_returns_its_running_jobs_to_the_queue(
    valkey: Redis, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "LEASE_MS", 200)
    begun = asyncio.Event()

    async def hangs(_: str, __: Taken) -> None:
        begun.set()
        await asyncio.Event().wait()

    finished: list[int] = []

    async def works(_: str, taken: Taken) -> None:
        finished.append(taken.attempt)

    await queue.add("one", new_job("test", {}, NOW))
    async with running(valkey, queue, {"test": hangs}):
        await begun.wait()
    async with running(valkey, queue, {"test": works}):
        await until(lambda: bool(finished))
    assert finished[0] > 1, "the first runner has taken it too"


@pytest.mark.parametrize("turns", range(4))
async def test_a_runner_that_is_stopped_as_a_job_ends_stops(valkey: Redis, queue: Jobs, turns: int) -> None:
    await valkey.sadd("organisations", "one")
    runner = Runner(queue, Organisations(valkey), {})
    task = asyncio.create_task(runner.run())
    await asyncio.sleep(0.01)
    runner._awake.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=WAIT_S)
    assert task.cancelled()


async def test_every_registered_function_adds_jobs_to_an_event(valkey_url: str, tmp_path: Path) -> None:
    async with Site(settings_for(valkey_url, tmp_path)) as site:
        seen: list[str] = []

        def follow(*about: object) -> list[tuple[str, int, bytes]]:
            seen.append(getattr(about[3], "kind", ""))
            return []

        site.app[CONSEQUENCES] += [follow, follow]
        await site.person().ask_for_a_visit()
        assert len(seen) == 2
        assert seen[0] == seen[1] != ""


async def test_an_organisation_with_more_than_can_be_done_does_not_keep_others_waiting(
    valkey: Redis, queue: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 1)
    done: list[str] = []

    async def slow(organisation: str, _: Taken) -> None:
        await asyncio.sleep(0.005)
        done.append(organisation)

    for _ in range(60):
        await queue.add("one", new_job("test", {}, NOW))
    for _ in range(5):
        await queue.add("two", new_job("test", {}, NOW))
    async with running(valkey, queue, {"test": slow}):
        await until(lambda: done.count("two") == 5)
        assert done.count("one") < 30
