"""Work that many ask for and that is done once for all of them: after a moment, never twice at a time, and never for
more than a share of this worker's time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from signalling.store import Unavailable

SHARE = 0.1
log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]


class Soon:
    """Work by name."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    def do(self, name: str, work: Work, delay_s: float) -> None:
        """Do it after a delay, unless it is about to be done anyway; what is under way already is done once more."""
        if name in self._tasks:
            self._again.add(name)
            return
        self._tasks[name] = task = asyncio.get_running_loop().create_task(self._run(name, work, delay_s))
        task.add_done_callback(_done)

    async def _run(self, name: str, work: Work, delay_s: float) -> None:
        try:
            while True:
                await asyncio.sleep(delay_s)
                self._again.discard(name)
                began_s = time.monotonic()
                try:
                    await work()
                except (Unavailable, LookupError) as problem:
                    log.warning(
                        "topics.not_shown", what=name.rpartition("/")[2], problem=type(problem).__name__
                    )
                await asyncio.sleep((time.monotonic() - began_s) * (1 / SHARE - 1))
                if name not in self._again:
                    return
        finally:
            self._again.discard(name)
            del self._tasks[name]

    async def close(self) -> None:
        """Stop what is about to be done."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _done(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("topics.failed", exc_info=task.exception())
