"""Contains functions for asyncio's tasks: run several at once, finish one in spite of a cancellation, end several."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def everything(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all coroutines at the same time; after all have ended, raise the first exception."""
    found = await asyncio.gather(*work, return_exceptions=True)
    for problem in found:
        if isinstance(problem, BaseException):
            raise problem


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, and finish it even if this call is cancelled.

    Otherwise a visit could remain half opened, and nobody could end it.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


async def over(tasks: Iterable[asyncio.Task[None]], within_s: float) -> None:
    """Wait until all tasks have ended; cancel those that are still running after `within_s` seconds."""
    waiting = [task for task in tasks if not task.done()]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=within_s)
        for task in late:
            task.cancel()
