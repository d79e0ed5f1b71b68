"""Tests that all tasks that wait for the same moment are woken together."""

from __future__ import annotations

import asyncio

from signalling.ticks import tick, tick_or


async def test_tasks_with_the_same_period_are_woken_in_one_turn_of_the_loop() -> None:
    loop, woken = asyncio.get_running_loop(), list[float]()
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_later(0.001, turn)

    async def wait(after_s: float) -> None:
        await asyncio.sleep(after_s)
        await tick(0.2)
        woken.append(turns)

    await tick(0.2)
    turn()
    await asyncio.gather(*(wait(part * 0.02) for part in range(5)))
    assert len(set(woken)) == 1


async def test_a_tick_comes_after_one_period_at_most_and_a_cancelled_task_hinders_no_other() -> None:
    loop = asyncio.get_running_loop()
    gone = asyncio.create_task(tick(0.05))
    await asyncio.sleep(0)
    gone.cancel()
    begun_s = loop.time()
    await tick(0.05)
    await tick(0.05)
    assert loop.time() - begun_s + 0.002 >= 0.05
    assert gone.cancelled()


async def test_a_task_waits_for_a_tick_or_an_event_whichever_comes_first() -> None:
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    begun_s = loop.time()
    await tick_or(event, 0.05)
    assert loop.time() - begun_s < 1.0
    event.set()
    begun_s = loop.time()
    await tick_or(event, 60.0)
    assert loop.time() - begun_s < 1.0
