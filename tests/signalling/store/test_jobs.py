"""Tests jobs on a real Valkey: kept until done, leased to one worker, repeated at growing intervals, and finally given
up.
"""

import asyncio
import os
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.store import jobs as module
from signalling.store.encryption import Seal
from signalling.store.jobs import DEAD_KEPT_MS, Jobs, Taken, new_job, next_try_ms, pause_ms

KEY = os.urandom(32)


@pytest.fixture
def jobs(valkey: Redis) -> Jobs:
    """The job queues of an empty store."""
    return Jobs(valkey, Seal({b"k": KEY}))


async def test_many_workers_take_each_job_once(jobs: Jobs) -> None:
    for number in range(20):
        await jobs.add("demo", new_job("mail", {"number": number}, 1))
    taken = await asyncio.gather(*(jobs.take("demo", 4) for _ in range(10)))
    numbers = [one.job.payload["number"] for some in taken for one in some]
    assert sorted(numbers) == list(range(20))


async def test_a_job_comes_when_it_is_due_and_not_before(jobs: Jobs) -> None:
    now = await _now(jobs)
    await jobs.add("demo", new_job("mail", {"which": "reminder"}, now), now + 60_000)
    await jobs.add("demo", new_job("mail", {"which": "booked"}, now))
    assert [one.job.payload["which"] for one in await jobs.take("demo", 10)] == ["booked"]


async def test_one_request_says_which_organisations_have_a_job_to_take(jobs: Jobs) -> None:
    now = await _now(jobs)
    await jobs.add("later", new_job("mail", {}, now), now + 60_000)
    await jobs.add("now", new_job("mail", {}, now))
    assert await jobs.due(["later", "none", "now"]) == ["later", "now"], (
        "the clock may have been set back before"
    )
    assert await jobs.due(["later", "none", "now"]) == ["now"]
    jobs._looked_ms += 60_000  # as if the store's clock was set back by a minute
    assert await jobs.due(["later", "now"]) == ["later", "now"]


async def test_the_job_of_a_worker_that_died_comes_again_when_its_lease_is_over(jobs: Jobs) -> None:
    await jobs.add("demo", new_job("mail", {}, 1))
    [first] = await jobs.take("demo", 10, lease_ms=1)
    second: list[Taken] = []
    while not second:
        second = await jobs.take("demo", 10)
    assert second[0].job == first.job
    assert (first.attempt, second[0].attempt) == (1, 2)
    assert second[0].first_ms == first.first_ms


async def test_a_job_that_is_done_does_not_return_even_if_another_worker_postpones_it_late(
    jobs: Jobs,
) -> None:
    await jobs.add("demo", new_job("mail", {}, 1))
    [taken] = await jobs.take("demo", 10)
    await jobs.done("demo", taken)
    await jobs.later("demo", taken, 0)
    assert await jobs.take("demo", 10) == []
    assert await jobs.waiting("demo") == []


async def test_a_job_that_is_put_off_waits(jobs: Jobs) -> None:
    await jobs.add("demo", new_job("mail", {}, 1))
    [taken] = await jobs.take("demo", 10)
    await jobs.later("demo", taken, taken.now_ms + pause_ms(1))
    assert await jobs.take("demo", 10) == []
    await jobs.later("demo", taken, 0)
    assert [one.attempt for one in await jobs.take("demo", 10)] == [2]


async def test_a_job_that_is_given_up_is_kept_for_display(jobs: Jobs) -> None:
    job = new_job("mail", {}, 1)
    await jobs.add("demo", job)
    [taken] = await jobs.take("demo", 10)
    await jobs.give_up("demo", taken)
    assert await jobs.take("demo", 10) == []
    assert [dead for _, dead in await jobs.dead("demo")] == [replace(job, attempts=1)]


async def test_jobs_that_were_given_up_long_ago_are_erased(jobs: Jobs, valkey: Redis) -> None:
    for _ in range(2):
        await jobs.add("demo", new_job("mail", {}, 1))
    old, new = await jobs.take("demo", 10)
    await jobs.give_up("demo", old)
    await valkey.zincrby(
        "{demo}:jobs:dead", -DEAD_KEPT_MS - 1, *await valkey.zrange("{demo}:jobs:dead", 0, -1)
    )
    await jobs.give_up("demo", new)
    assert [job.id for _, job in await jobs.dead("demo")] == [new.job.id]


async def test_a_jobs_contents_are_not_readable_in_the_store(jobs: Jobs, valkey: Redis) -> None:
    await jobs.add("demo", new_job("mail", {"to": "ana@example.org"}, 1))
    for member in await valkey.zrange("{demo}:jobs", 0, -1):
        assert b"ana@example.org" not in member


async def test_a_job_moved_to_another_organisation_is_not_run(jobs: Jobs, valkey: Redis) -> None:
    _, _, member = jobs.entry("demo", new_job("mail", {}, 1))
    await valkey.zadd("{other}:jobs", {member: 1})
    assert await jobs.take("other", 10) == []
    assert await valkey.zcard("{other}:jobs") == 0
    assert await valkey.zcard("{other}:jobs:dead") == 1
    assert await jobs.dead("other") == [], "the list of the others can be read"


async def test_nothing_is_left_of_a_job_that_is_done(jobs: Jobs, valkey: Redis) -> None:
    await jobs.add("demo", new_job("mail", {}, 1))
    [taken] = await jobs.take("demo", 10)
    await jobs.done("demo", taken)
    left: list[Any] = await valkey.keys("{demo}:jobs*")
    assert left == []


async def test_f42_a_queue_of_its_own_keeps_its_jobs_apart_from_those_of_others(
    valkey: Redis, jobs: Jobs
) -> None:
    others = Jobs(valkey, Seal({b"k": KEY}), "webhook")
    await jobs.add("demo", new_job("mail", {}, 0))
    await others.add("demo", new_job("webhook", {}, 0))
    for queue, kind in ((jobs, "mail"), (others, "webhook")):
        [taken] = await queue.take("demo", 10)
        assert taken.job.kind == kind
        assert [job.kind for _, job in await queue.waiting("demo")] == [kind]
        await queue.give_up("demo", taken)
    assert sorted(job.kind for _, job in await jobs.dead("demo")) == [
        "mail",
        "webhook",
    ]  # sorted, because both jobs may be given up in the same millisecond
    assert not [key for key in await valkey.keys("*") if b"dead" not in key]


async def test_f42_a_job_that_is_put_off_without_an_attempt_does_not_count_one(jobs: Jobs) -> None:
    await jobs.add("demo", new_job("webhook", {}, 0))
    for _ in range(3):
        [taken] = await jobs.take("demo", 10)
        assert taken.attempt == 1
        await jobs.put_off("demo", taken, 0)
    [taken] = await jobs.take("demo", 10)
    await jobs.done("demo", taken)
    await jobs.put_off("demo", taken, 0)
    assert await jobs.waiting("demo") == []


async def test_a_job_that_was_given_up_is_tried_again_once_for_each_order_as_if_it_were_new(
    jobs: Jobs, valkey: Redis
) -> None:
    await jobs.add("demo", new_job("mail", {}, 1, expires_ms=2))
    [taken] = await jobs.take("demo", 10)
    await jobs.give_up("demo", taken, "not taken")
    [(_, dead)] = await jobs.dead("demo")
    assert (dead.attempts, dead.reason) == (1, "not taken")
    assert await jobs.again("demo", {"j_other"}) == 0
    assert sum(await asyncio.gather(*(jobs.again("demo", {dead.id}) for _ in range(3)))) == 1
    [again] = await jobs.take("demo", 10)
    assert again.job == replace(taken.job, expires_ms=None)
    assert again.attempt == 1
    await jobs.done("demo", again)
    assert not await valkey.keys("{demo}:jobs*")


async def test_a_list_of_waiting_jobs_has_their_first_attempt_their_attempts_and_the_last_reason(
    jobs: Jobs, valkey: Redis
) -> None:
    now_ms = await _now(jobs)
    await jobs.add("demo", new_job("mail", {"which": "reminder"}, now_ms), now_ms + 600_000)
    await jobs.add("demo", new_job("mail", {"which": "failed"}, 1))
    [taken] = await jobs.take("demo", 10)
    await jobs.later("demo", taken, taken.now_ms + 500_000, "not taken")
    await valkey.zadd("{demo}:jobs", {b"cannot be decrypted": 1})
    failed, reminder = await jobs.listed("demo", 10)
    assert (failed.begins_ms, failed.attempts, failed.reason) == (taken.first_ms, 1, "not taken")
    assert (reminder.begins_ms, reminder.attempts, reminder.reason) == (now_ms + 600_000, 0, "")
    assert len(await jobs.listed("demo", 2)) == 1, "the list is bounded"
    _, _, other = jobs.entry("demo", failed.job)
    assert await jobs.reseal("demo", failed.member, other)
    assert (await jobs.listed("demo", 10))[0] == replace(failed, member=other), "under a new key, too"


async def test_waiting_jobs_are_brought_forward_but_never_one_that_is_running(jobs: Jobs) -> None:
    await jobs.add("demo", new_job("mail", {"which": "running"}, 1))
    [running] = await jobs.take("demo", 10)
    await jobs.add("demo", new_job("mail", {"which": "failed"}, 2))
    [failed] = await jobs.take("demo", 10)
    await jobs.later("demo", failed, failed.now_ms + 600_000)
    assert await jobs.soon("demo", [running.member, failed.member, b"done meanwhile"]) == 1
    assert [one.job for one in await jobs.take("demo", 10)] == [failed.job]


def test_a_failing_job_is_tried_again_after_5_s_then_with_longer_pauses_for_about_a_day() -> None:
    job, now = new_job("mail", {}, 0), 0
    pauses: list[int] = []
    while True:
        taken = Taken(job, b"", len(pauses) + 1, 0, now)
        due = next_try_ms(taken, now)
        if due is None:
            break
        pauses.append(due - now)
        now = due
    assert pauses[:3] == [5_000, 10_000, 20_000]
    assert max(pauses) == 3_600_000
    assert 22 * 3_600_000 < now <= 24 * 3_600_000


def test_a_job_is_tried_for_a_day_and_kept_for_thirty_more() -> None:
    day_ms = 24 * 3_600_000
    assert (day_ms, 1_000, 30 * day_ms) == (module.GIVE_UP_MS, module.DEAD_KEPT, DEAD_KEPT_MS)
    assert (module.LEASE_MS, module.FIRST_PAUSE_MS, module.LONGEST_PAUSE_MS) == (120_000, 5_000, 3_600_000)


def test_a_job_that_expires_is_not_tried_after_that() -> None:
    taken = Taken(new_job("mail", {}, 0, expires_ms=4_000), b"", 1, 0, 0)
    assert next_try_ms(taken, 0) is None


async def _now(jobs: Jobs) -> int:
    await jobs.add("elsewhere", new_job("none", {}, 1))
    [taken] = await jobs.take("elsewhere", 1)
    return taken.now_ms
