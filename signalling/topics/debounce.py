"""Debouncer: merges requests for the same work, and runs the work once after a delay, never twice at a time.

The work takes at most a share of this worker's time (`SHARE`), and is repeated until it succeeds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from signalling.errors import UnavailableError
from signalling.supervision import Failed, unsupervised

SHARE = 0.1
# the longest pause in s after a run of a piece of work, before the same work runs again
REST_S = 1.0
# the first and the longest pause in s before failed work is tried again; each pause is twice as long as the pause
# before
RETRY_S, LONGEST_S = 0.1, 5.0
log = structlog.get_logger()

Work = Callable[[], Awaitable[None]]


class Debouncer:
    """Runs work once after a delay, even if it was requested several times meanwhile. Each piece of work has a name."""

    def __init__(self, failed: Failed = unsupervised) -> None:
        self._failed = failed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    def run(self, name: str, work: Work, delay_s: float) -> None:
        """Run the work named `name` after `delay_s` seconds.

        If work with this name already waits, it is not run twice. If it is running, it is run once more afterwards.
        """
        if name in self._tasks:
            self._again.add(name)
            return
        self._tasks[name] = asyncio.get_running_loop().create_task(self._run(name, work, delay_s))

    async def _run(self, name: str, work: Work, delay_s: float) -> None:
        what, pause_s = name.rpartition("/")[2], RETRY_S
        try:
            while True:
                await asyncio.sleep(delay_s)
                self._again.discard(name)
                began_s, rest_s = time.monotonic(), 0.0
                try:
                    await work()
                except LookupError:
                    # The organisation or the visit no longer exists, so nothing is left to show.
                    log.warning("topics.not_shown", what=what, problem="LookupError")
                except Exception as problem:  # noqa: BLE001 - logged here or by `_failed`
                    if isinstance(problem, UnavailableError):
                        log.warning("topics.not_shown", what=what, problem=type(problem).__name__)
                    else:
                        self._failed(f"topics.{what}", problem)
                    self._again.add(name)
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, LONGEST_S)
                else:
                    # The pause after a run limits the work to the share SHARE of this worker's time. It is never longer
                    # than REST_S, because most of a long run is a wait for the store, which needs no CPU time.
                    pause_s = RETRY_S
                    rest_s = min((time.monotonic() - began_s) * (1 / SHARE - 1), REST_S)
                await asyncio.sleep(rest_s)
                if name not in self._again:
                    return
        finally:
            self._again.discard(name)
            del self._tasks[name]

    async def close(self) -> None:
        """Cancel all work that still waits for its delay, and all work that runs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
