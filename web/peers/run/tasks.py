"""Several things at once, and how each ends: all together, to its end in any case, or within a time.

Knows asyncio's tasks. Knows nothing of what they do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def everything(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Everything at once; what goes wrong first is raised once all is over."""
    found = await asyncio.gather(*work, return_exceptions=True)
    for problem in found:
        if isinstance(problem, BaseException):
            raise problem


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; cancelled, it is finished first: a patient half in line could not leave it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


async def over(tasks: Iterable[asyncio.Task[None]], within_s: float) -> None:
    """Wait until all have ended; what has not within the time is cancelled."""
    waiting = [task for task in tasks if not task.done()]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=within_s)
        for task in late:
            task.cancel()
