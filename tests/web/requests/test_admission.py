"""Tests the decision which newcomers a worker admits while it has more work than it can do."""

import asyncio
import hashlib

from tests.limits import WAIT_S
from web.requests.admission import (
    AGAIN_S,
    FALL,
    LATE_S,
    LEAST,
    LOOK_S,
    LOOKS,
    MOST_AT_ONCE,
    ONE_LOOKS,
    OWN_CPU,
    RISE,
    Admission,
    Look,
    again_s,
    has_too_much,
    next_share,
    watch,
)

BUSY = Look(LATE_S * 2, 0.9)


def test_a_loop_that_is_late_at_most_looks_has_too_much_work() -> None:
    assert has_too_much((BUSY,) * LOOKS)
    for other in (Look(LATE_S, 0.9), Look(0.0, 0.9)):
        assert has_too_much((BUSY, other, *(BUSY,) * (LOOKS - 2)))
        assert not has_too_much((BUSY, *(other,) * (LOOKS - 1))), "one long task is no queue of work"
    assert not has_too_much((BUSY,) * (LOOKS - 1)), "a worker that has just begun is late for a moment"


def test_a_worker_that_is_late_because_of_others_on_the_machine_admits_everybody() -> None:
    assert not has_too_much((Look(LATE_S * 50, OWN_CPU),) * LOOKS)


def test_the_share_of_newcomers_falls_fast_rises_slowly_and_never_ends() -> None:
    busy, quiet = (BUSY,) * LOOKS, (Look(0.0, 0.9),) * LOOKS
    assert next_share(1.0, busy) == FALL
    assert next_share(0.5, quiet) == 0.5 + RISE
    assert next_share(1.0, quiet) == 1.0
    assert next_share(LEAST, busy) == LEAST
    gate = Admission()
    for _ in range(100):
        gate.look(*BUSY)
    assert gate.share == LEAST
    with gate.entering():
        pass
    assert gate.admits(LEAST / 2)
    assert not gate.admits(LEAST)
    for _ in range(200):
        gate.look(0.0, 0.1)
    assert gate.admits(0.999)


def test_a_single_newcomer_is_admitted_by_a_busy_worker_and_further_ones_wait() -> None:
    gate = Admission()
    for _ in range(100):
        gate.look(*BUSY)
    assert gate.admits(0.999)
    with gate.entering():
        assert not gate.admits(0.999)
    for _ in range(ONE_LOOKS - 1):
        gate.look(*BUSY)
        assert not gate.admits(0.999)
    gate.look(*BUSY)
    assert gate.admits(0.999)


def test_a_crowd_that_comes_within_a_moment_waits_for_those_whose_page_is_made() -> None:
    gate = Admission()
    entered = [gate.entering() for _ in range(MOST_AT_ONCE)]
    for one in entered:
        assert gate.admits(0.0)
        one.__enter__()
    assert not gate.admits(0.0)
    entered[0].__exit__(None, None, None)
    assert gate.admits(0.0)


def test_those_who_wait_try_again_at_different_times() -> None:
    assert {again_s(draw / 100) for draw in range(100)} == set(range(AGAIN_S[0], AGAIN_S[1] + 1))


async def test_a_worker_looks_at_its_event_loop_again_and_again() -> None:
    gate = Admission()
    gate.share = 0.5
    watching = asyncio.create_task(watch(gate))
    async with asyncio.timeout(WAIT_S):
        while gate.share == 0.5:  # noqa: ASYNC110 (a gate has no event for it)
            await asyncio.sleep(LOOK_S / 5)
    watching.cancel()
    assert gate.share > 0.5


async def test_work_of_other_threads_is_not_counted_as_work_of_the_event_loop() -> None:
    looks: list[Look] = []
    gate = Admission()
    gate.look = lambda late_s, cpu: looks.append(Look(late_s, cpu))  # type: ignore[method-assign]
    watching = asyncio.create_task(watch(gate))
    async with asyncio.timeout(WAIT_S):
        while len(looks) < 3:
            await asyncio.to_thread(hashlib.pbkdf2_hmac, "sha256", b"", b"", 100_000)
    watching.cancel()
    assert max(look.cpu for look in looks) < OWN_CPU
