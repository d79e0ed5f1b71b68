"""Wakes the periodic tasks of a process together, so that their requests to the store leave in one write.

An idle server has nothing to do but these tasks. Each separate request wakes the store, which costs more CPU than the
request itself. Processes tick at different moments.
"""

from __future__ import annotations

import asyncio
import math
import random
from weakref import WeakKeyDictionary


class _Ticks:
    """The ticks of one event loop: multiples of a period, counted from a random moment `begun_s`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The module's own generator would give all processes the same number, because they are forked from one process.
        self._begun_s = loop.time() - random.SystemRandom().random()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    def next(self, period_s: float) -> asyncio.Future[None]:
        now_s = self._loop.time() - self._begun_s
        at_s = (math.floor(now_s / period_s) + 1) * period_s
        # the time in ms, so that equal ticks of different periods are one timer
        number = round(at_s * 1000)
        if number not in self._waiting:
            self._waiting[number] = []
            self._loop.call_at(self._begun_s + at_s, self._wake, number)
        woken: asyncio.Future[None] = self._loop.create_future()
        self._waiting[number].append(woken)
        return woken

    def _wake(self, number: int) -> None:
        for woken in self._waiting.pop(number):
            if not woken.done():
                woken.set_result(None)


_ticks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Ticks] = WeakKeyDictionary()


async def tick(period_s: float) -> None:
    """Wait until the next tick of the period `period_s`, so at most for one period.

    All tasks of this event loop that wait for a tick at the same time are woken in one turn of the loop.
    """
    loop = asyncio.get_running_loop()
    if loop not in _ticks:
        _ticks[loop] = _Ticks(loop)
    await _ticks[loop].next(period_s)
