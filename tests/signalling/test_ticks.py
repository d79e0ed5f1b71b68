"""Tests that all tasks that wait for the same moment are woken together."""

from __future__ import annotations

import asyncio

from signalling.ticks import tick, tick_or
from tests.limits import WAIT_S
from tests.signalling.waits import Clock, stopped_clock


async def begun(clock: Clock, period_s: float) -> None:
    """Move the clock to the first hundredth of a second of a period."""
    first = asyncio.create_task(tick(period_s))
    while not first.done():
        await clock.passes(0.01)


async def test_tasks_with_the_same_period_are_woken_in_one_turn_of_the_loop() -> None:
    loop, woken, turns = asyncio.get_running_loop(), list[int](), 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        if len(woken) < 5:
            loop.call_soon(turn)

    async def wait() -> None:
        await tick(0.2)
        woken.append(turns)

    with stopped_clock() as clock:
        await begun(clock, 0.2)
        waits = list[asyncio.Task[None]]()
        for _ in range(5):
            waits.append(asyncio.create_task(wait()))
            await clock.passes(0.02)
        assert woken == []
        turn()
        clock.move(0.2)
        await asyncio.gather(*waits)
    assert len(set(woken)) == 1


async def test_a_tick_comes_after_one_period_at_most_and_a_cancelled_task_hinders_no_other() -> None:
    gone = asyncio.create_task(tick(0.05))
    await asyncio.sleep(0)
    gone.cancel()
    with stopped_clock() as clock:
        for _ in range(2):
            ticked = asyncio.create_task(tick(0.05))
            await clock.passes(0)
            await clock.passes(0.05)
            assert ticked.done()
    assert gone.cancelled()


async def test_between_two_ticks_is_a_whole_period() -> None:
    with stopped_clock() as clock:
        await begun(clock, 0.05)
        ticked = asyncio.create_task(tick(0.05))
        await clock.passes(0)
        await clock.passes(0.039)
        assert not ticked.done()
        await clock.passes(0.011)
        assert ticked.done()


async def test_a_task_waits_for_a_tick_or_an_event_whichever_comes_first() -> None:
    event = asyncio.Event()
    async with asyncio.timeout(WAIT_S):
        await tick_or(event, 0.05)
        event.set()
        await tick_or(event, 3600.0)
