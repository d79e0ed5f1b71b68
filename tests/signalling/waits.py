"""Waits for a condition, and stops the clock of the event loop for tests of timers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from tests.limits import WAIT_S


async def until(condition: Callable[[], object | Awaitable[object]], within_s: float = WAIT_S) -> float:
    """Return the time in s until the condition held. Raises AssertionError if it does not hold after `within_s`."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    name = getattr(condition, "func", condition).__name__
    while True:
        held = condition()
        if inspect.isawaitable(held):
            held = await held
        if held:
            return loop.time() - start
        assert loop.time() - start < within_s, f"not within {within_s} s: {name}"
        await asyncio.sleep(0.01)


class Clock:
    """The time in s of an event loop. It changes only when a test calls `move` or `passes`."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s

    def time(self) -> float:
        """Return the time in s."""
        return self._now_s

    def move(self, seconds: float) -> None:
        """Let time pass. The loop runs the timers that are due in its next turn."""
        self._now_s += seconds

    async def passes(self, seconds: float) -> None:
        """Let time pass, and return when the tasks that it has woken have run."""
        self.move(seconds)
        for _ in range(10):
            await asyncio.sleep(0)


@contextmanager
def stopped_clock() -> Iterator[Clock]:
    """Stop the clock of the running event loop, so that its timers run only when the test moves the clock."""
    loop = asyncio.get_running_loop()
    clock = Clock(loop.time())
    attributes = vars(loop)
    attributes["time"] = clock.time
    try:
        yield clock
    finally:
        del attributes["time"]
