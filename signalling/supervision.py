"""Supervises tasks that must never end: restarts each task that ends, counts failures, and reports tasks that keep
failing.

A task that hangs is not detected, so every wait needs a time-out.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable

import structlog

MOST = 5  # a task that failed this number of times within WINDOW_S counts as failing
WINDOW_S = 60.0
# Pause in s before a restart. Each failure doubles it, until the task has run for WINDOW_S without a failure.
PAUSE_S, LONGEST_S = 0.1, 5.0
log = structlog.get_logger()

Run = Callable[[], Awaitable[None]]
Failed = Callable[[str, BaseException | None], None]
"""Called with the name of a failed task, and its error (None if it ended without an error)."""


class Supervisor:
    """Supervises the tasks of one worker.

    `failures`: name -> the number of failures, without names that never failed.
    """

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self.failures: Counter[str] = Counter()
        self.kept: dict[str, Run] = {}
        self._pause_s = pause_s
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._recent: dict[str, deque[float]] = {}

    def keep(self, name: str, run: Run) -> None:
        """Run a task in the background until `stop` or `close`, and restart it whenever it ends.

        `name`: its name in logs. `run` makes the coroutine. Raises ValueError if the name is in use.
        """
        if name in self.kept:
            raise ValueError(name)
        self.kept[name] = run
        self._tasks[name] = asyncio.get_running_loop().create_task(self._keep(name, run), name=name)

    async def _keep(self, name: str, run: Run) -> None:
        task, pause_s = asyncio.current_task(), self._pause_s
        assert task is not None, "a coroutine of asyncio runs in a task"
        while True:
            began_s = time.monotonic()
            problem: BaseException | None = None
            try:
                await run()
            except asyncio.CancelledError as cancelled:
                if task.cancelling():
                    raise
                # The supervised task waited for another task, and only that other task was cancelled.
                problem = cancelled
            except Exception as error:  # noqa: BLE001 - logged and counted by `failed`
                problem = error
            if task.cancelling():
                # The task was cancelled, although `run` raised no CancelledError: `asyncio.wait_for` (Python 3.11) may
                # lose this error.
                return
            self.failed(name, problem)
            if time.monotonic() - began_s >= WINDOW_S:
                pause_s = self._pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_S)

    def failed(self, name: str, problem: BaseException | None) -> None:
        """Count and log a failure of the task `name`. `problem`: its error, None if it ended without an error.

        Tasks that are created on demand report their failures by this method, too.
        """
        self.failures[name] += 1
        self._recent.setdefault(name, deque(maxlen=MOST)).append(time.monotonic())
        log.error("task.failed", task=name, failures=self.failures[name], exc_info=problem)

    @property
    def failing(self) -> list[str]:
        """Return the names of the tasks that failed MOST times or more in the last WINDOW_S seconds."""
        since_s = time.monotonic() - WINDOW_S
        return [name for name, at_s in self._recent.items() if len(at_s) == MOST and at_s[0] >= since_s]

    async def stop(self, name: str) -> None:
        """End one task, if there is one with this name, and wait until it has ended."""
        self.kept.pop(name, None)
        task = self._tasks.pop(name, None)
        while task is not None and not task.done():
            # The cancellation is repeated until the task ends: on Python 3.11, an `asyncio.wait_for` in a library may
            # swallow a cancellation.
            task.cancel()
            await asyncio.wait({task}, timeout=0.5)

    async def close(self) -> None:
        """End all supervised tasks, and wait until they have ended."""
        await asyncio.gather(*map(self.stop, list(self._tasks)))


def unsupervised(name: str, problem: BaseException | None) -> None:
    """Log the failure of the task `name`, in a worker that runs without a supervisor. `problem`: its error, or None."""
    log.error("task.failed", task=name, exc_info=problem)
