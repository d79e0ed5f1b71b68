"""Tests which commands the job queues send to the store and how they read its replies, with prepared replies."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import pytest

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.jobs import Job, Jobs, Taken, next_try_ms, pause_ms

SEAL = Seal({b"k": b"k" * 32})
JOB = Job(id="j_1", kind="mail", payload={"number": 1}, made_ms=7)
LEASE_MS, DAY_MS = 120_000, 86_400_000
INF = float("inf")


class Prepared:
    """A store that gives `replies` one after another. `sent`: what was sent to it."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.sent: list[tuple[Any, ...]] = []

    def register_script(self, text: str) -> Any:
        async def step(*, keys: list[str], args: list[Any]) -> Any:
            self.sent.append((*keys, *args))
            return self.replies.pop(0) if self.replies else 1

        return step

    def pipeline(self, *, transaction: bool) -> Any:
        assert not transaction, "the queues may be at several nodes"
        return Pipeline(self)

    def __getattr__(self, name: str) -> Any:
        async def run(*args: Any, **how: Any) -> Any:
            self.sent.append((name, *args, *how.items()))
            return self.replies.pop(0) if self.replies else 1

        return run


class Pipeline:
    """Replaces a pipeline: commands whose replies are returned together."""

    def __init__(self, store: Prepared) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **how: self._store.sent.append((name, *args, *how.items()))

    async def execute(self) -> Any:
        return self._store.replies.pop(0)


def jobs(store: Prepared, queue: str = "") -> Jobs:
    """Return the queues of all organisations in this store."""
    return Jobs(cast(Any, store), SEAL, queue)


def member(job: Job = JOB) -> bytes:
    """Return the bytes of a job in the store."""
    return jobs(Prepared()).entry("demo", job)[2]


def of(queue: str = "") -> tuple[str, ...]:
    """Return the store's keys of the queue `queue`. Each script of the queue gets them."""
    if queue:
        own = keys.QUEUE("demo", queue), keys.QUEUE_CLOCK("demo", queue)
    else:
        own = keys.JOBS("demo"), keys.JOB_CLOCK("demo")
    return own[0], keys.JOB_TRIES("demo"), keys.DEAD_JOBS("demo"), own[1]


@pytest.mark.parametrize(
    ("looked_ms", "scores", "due"),
    [
        (0, [4_999.0, 5_000.0, None], ["a", "b"]),
        (1, [4_999.0, 5_000.0, None], ["a"]),
        (4_999, [4_999.0, 4_998.0, 5_000.0], ["a", "b"]),
        (5_000, [9_000.0, None, 1.0], ["a", "c"]),
    ],
)
async def test_a_queue_is_due_from_the_millisecond_of_its_first_job_or_after_a_clock_was_set_back(
    looked_ms: int, scores: list[float | None], due: list[str]
) -> None:
    store = Prepared([(4, 999_000), *([] if score is None else [(b"job", score)] for score in scores)])
    found = jobs(store)
    found._looked_ms = looked_ms
    assert await found.due(["a", "b", "c"]) == due
    assert found._looked_ms == 4_999
    assert store.sent == [
        ("time",),
        *(("zrange", keys.JOBS(one), 0, 0, ("withscores", True)) for one in ("a", "b", "c")),
    ]


@pytest.mark.parametrize(("due_ms", "score"), [(None, 7), (0, 0), (9, 9)])
async def test_a_job_is_stored_at_the_time_at_which_it_is_due(due_ms: int | None, score: int) -> None:
    store = Prepared()
    await jobs(store).add("demo", JOB, due_ms)
    ((name, key, members),) = store.sent
    assert (name, key, list(members.values())) == ("zadd", keys.JOBS("demo"), [score])


@pytest.mark.parametrize(
    "unreadable", [b"unreadable", SEAL.close(b"\xc1", "demo/job")], ids=["not_decrypted", "not_decoded"]
)
@pytest.mark.parametrize(("asked_ms", "lease_ms"), [(None, LEASE_MS), (5, 5)])
async def test_jobs_are_leased_and_one_that_cannot_be_read_is_given_up(
    asked_ms: int | None, lease_ms: int, unreadable: bytes
) -> None:
    stored = member()
    store = Prepared([b"900", [(stored, b"2", b"800"), (unreadable, b"1", b"900")]])
    assert await jobs(store, "webhook").take("demo", 4, asked_ms) == [Taken(JOB, stored, 2, 800, 900)]
    taken, dead = store.sent
    assert taken == (*of("webhook"), "take", 4, lease_ms)
    assert dead == (*of("webhook"), "dead", unreadable, 1_000, 30 * DAY_MS, unreadable)


async def test_each_step_of_a_job_names_its_bytes() -> None:
    store = Prepared()
    queue, taken = jobs(store), Taken(JOB, b"bytes", 3, 800, 900)
    await queue.done("demo", taken)
    await queue.later("demo", taken, 55, "refused")
    await queue.put_off("demo", taken, 66)
    assert await queue.soon("demo", [b"one", b"two"]) == 1
    assert await queue.reseal("demo", b"one", b"two") is True
    assert store.sent == [
        (*of(), "done", b"bytes"),
        (*of(), "later", b"bytes", 55, "refused"),
        (*of(), "off", b"bytes", 66),
        (*of(), "soon", LEASE_MS, b"one", b"two"),
        (*of(), "reseal", b"one", b"two", LEASE_MS),
    ]


async def test_a_list_of_jobs_has_what_the_store_counted_of_each() -> None:
    first, second = member(), member()
    store = Prepared([(first, 40.0), (second, 50.0)], [b"2", b"30", b"refused", None, None, None])
    found = await jobs(store).listed("demo", 9)
    assert [(one.begun, one.begins_ms, one.attempts, one.reason) for one in found] == [
        (True, 30, 2, "refused"),
        (False, 50, 0, ""),
    ]
    listed, tries = store.sent
    assert listed == ("zrange", keys.JOBS("demo"), 0, 8, ("withscores", True))
    names = [hashlib.sha1(one, usedforsecurity=False).hexdigest() for one in (first, second)]
    assert tries == (
        "hmget", keys.JOB_TRIES("demo"), [f"{name}:{part}" for name in names for part in ("n", "at", "why")]
    )  # fmt: skip
    assert await jobs(Prepared([])).listed("demo", 9) == []


@pytest.mark.parametrize(
    ("expires_ms", "attempt", "now_ms", "due_ms"),
    [
        (None, 1, DAY_MS - 5_000 + 100, DAY_MS + 100),
        (None, 1, DAY_MS - 5_000 + 101, None),
        (9_000, 1, 4_000, 9_000),
        (9_000, 1, 4_001, None),
        (None, 4, 1_000, 41_000),
    ],
)
def test_a_failed_job_is_tried_until_its_time_has_passed(
    expires_ms: int | None, attempt: int, now_ms: int, due_ms: int | None
) -> None:
    job = Job(id="j_1", kind="mail", payload={}, made_ms=0, expires_ms=expires_ms)
    assert next_try_ms(Taken(job, b"", attempt, 100, 0), now_ms) == due_ms


def test_pauses_grow_to_an_hour() -> None:
    assert [pause_ms(attempt) for attempt in (1, 2, 10, 11, 999)] == [
        5_000, 10_000, 2_560_000, 3_600_000, 3_600_000
    ]  # fmt: skip
