"""Waits for a condition: checks it again and again, until it holds or the time is over."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], object | Awaitable[object]], within_s: float = 5.0) -> float:
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
