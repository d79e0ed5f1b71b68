"""Wakes the periodic tasks of a process together, so that their requests to the store leave in one write.

An idle server has nothing to do but these tasks. Each separate request wakes the store, which costs more CPU than the
request itself. Processes tick at different moments. The connections to the store hold back what these tasks send, until
all woken tasks have run (`at_end`).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextvars import ContextVar
from weakref import WeakKeyDictionary

TURNS = 4
"""For this number of turns of the event loop after a tick, the requests of the woken tasks to the store are held back.

A task that waits by `tick_or` runs two turns later than one that waits by `tick`; its requests leave with the others.
"""


class _Ticks:
    """The ticks of one event loop: the moments at multiples of a period, counted from a random moment."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The functions of `random` itself would give all processes the same number, because they are forked from one
        # process.
        self._begun_s = loop.time() - random.SystemRandom().random()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        # the number of the newest tick
        self.number = 0
        # While this number is above 0, the tasks that the newest tick woke may send requests to the store. Each turn of
        # the event loop lowers it by 1.
        self._left = 0
        self._ends: dict[Callable[[], None], None] = {}

    def next(self, period_s: float) -> asyncio.Future[None]:
        now_s = self._loop.time() - self._begun_s
        at_s = (math.floor(now_s / period_s) + 1) * period_s
        # the time in ms, so that ticks of different periods at the same moment share one timer
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
        if not self._left:
            self.number += 1
            self._loop.call_soon(self._turn)
        self._left = TURNS

    def _turn(self) -> None:
        self._left -= 1
        if self._left:
            self._loop.call_soon(self._turn)
            return
        ends, self._ends = self._ends, {}
        for end in ends:
            end()

    def at_end(self, number: int, end: Callable[[], None]) -> bool:
        if self._left and self.number == number:
            self._ends[end] = None
            return True
        return False


_ticks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Ticks] = WeakKeyDictionary()
# The tick that last woke this task: the ticks of its event loop, and the number of the tick.
_woken_by: ContextVar[tuple[_Ticks, int] | None] = ContextVar("woken_by", default=None)


def _woken() -> None:
    ticks = _ticks[asyncio.get_running_loop()]
    _woken_by.set((ticks, ticks.number))


async def tick(period_s: float) -> None:
    """Wait until the next tick of the period `period_s`, at most for one period.

    All tasks of this event loop that wait for a tick at the same time are woken in one turn of the loop.
    """
    loop = asyncio.get_running_loop()
    if loop not in _ticks:
        _ticks[loop] = _Ticks(loop)
    await _ticks[loop].next(period_s)
    _woken()


async def tick_or(event: asyncio.Event, period_s: float) -> None:
    """Wait until the next tick of the period `period_s`, or until `event` is set."""
    waits = asyncio.ensure_future(event.wait()), asyncio.ensure_future(tick(period_s))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if waits[1].done() and not waits[1].cancelled():
        _woken()


def at_end(end: Callable[[], None]) -> bool:
    """Return True if a tick has just woken this task. Then `end` is called once, when all tasks that the tick woke have
    run. Otherwise return False; `end` is not called.
    """
    woken_by = _woken_by.get()
    return woken_by is not None and woken_by[0].at_end(woken_by[1], end)
