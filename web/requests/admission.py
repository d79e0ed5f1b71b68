"""Decides how many newcomers a worker admits while it has more work than it can do in time.

A newcomer is a person without a session who opens a calendar or the patient information form. All people at a
worker share one event loop, so each further visit delays the claims and calls of all. While the loop is late
for longer than a moment, some of the newcomers are asked to wait. Patients who wait in the queue or are in a
visit, and staff, are always served. While the loop is late, the share of admitted newcomers is multiplied by
a factor below 1 again and again; at other times the share rises by small steps, like TCP's rate (AIMD).

`Admission` has the state of one worker. Only `watch` reads a clock: it measures how late the event loop is.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from aiohttp import web

from web.keys import ADMISSION, SUPERVISOR

LOOK_S = 0.05
LATE_S = 0.010
"""A worker has too much work if the median of the newest LOOKS delays of its event loop is more than this time in s.

The median is used and not the mean, because a single long task makes only one measurement late, while too much work
makes all of them late. A timer becomes due at any moment of a turn of the loop, so on average it is late by half a
turn. So a worker has too much work if the turns of its loop are longer than twice LATE_S.
"""
OWN_CPU = 0.5
"""If the event loop is late but uses less than this share of a core, too many newcomers are not the reason: other
processes, or other threads of the worker, keep the processor. Those threads compress pages and check passwords."""
LOOKS = 10
"""The number of measurements of the event loop's delay that are used, the newest. One is made every LOOK_S seconds."""
FALL, RISE, LEAST = 0.7, 0.005, 0.02
"""How the share of admitted newcomers (0 to 1) changes at each measurement.

While there is too much work, the share is multiplied by FALL; otherwise RISE is added to it. The share is never below
LEAST: the worker needs some newcomers to notice when it can admit more.
"""
ONE_LOOKS = 20
"""If a worker has admitted no newcomer during this number of measurements (one second), it admits the next newcomer.

So if newcomers are rare, none of them must wait only because the worker has just started, or is busy with other work.
"""
MOST_AT_ONCE = 64
"""The greatest number of newcomers whose page a worker makes at the same time.

It limits newcomers who come at once, before a measurement shows the delay.
"""
TASK = "admission"
AGAIN_S = 5, 10
"""The least and the greatest time in s after which a newcomer who was asked to wait tries again."""


class Look(NamedTuple):
    """A measurement: how late in s a timer of the event loop ran, and the share of a core that the loop's thread
    used since the previous measurement.
    """

    late_s: float
    cpu: float


def has_too_much(looks: tuple[Look, ...]) -> bool:
    """Return whether a worker has more work than it can do in time. `looks`: the newest measurements."""
    if len(looks) < LOOKS:
        return False
    late_s = statistics.median(look.late_s for look in looks)
    cpu = statistics.fmean(look.cpu for look in looks)
    return late_s > LATE_S and cpu > OWN_CPU


def next_share(share: float, looks: tuple[Look, ...]) -> float:
    """Return the share of newcomers (0 to 1) to admit until the next measurement.

    `share`: the share until now. `looks`: the newest measurements.
    """
    return max(LEAST, share * FALL) if has_too_much(looks) else min(1.0, share + RISE)


class Admission:
    """Decides for one worker which newcomers (people without a session) get the calendar or the form now.

    `share`: the share of them (0 to 1) that gets it. The others get a page that asks them to wait, and that tries again
    by itself.
    """

    def __init__(self) -> None:
        self.share = 1.0
        self._looks: deque[Look] = deque(maxlen=LOOKS)
        self._entering = 0
        # The number of measurements since the last newcomer was admitted.
        self._looks_alone = 0

    def look(self, late_s: float, cpu: float) -> None:
        """Add a measurement (`Look`), and calculate again which share of the newcomers is admitted."""
        self._looks.append(Look(late_s, cpu))
        self._looks_alone += 1
        self.share = next_share(self.share, tuple(self._looks))

    def admits(self, draw: float) -> bool:
        """Return whether a newcomer gets the page now. `draw`: a random number, at least 0 and less than 1."""
        chosen = draw < self.share or self._looks_alone >= ONE_LOOKS
        return chosen and self._entering < MOST_AT_ONCE

    @contextmanager
    def entering(self) -> Iterator[None]:
        """Count a newcomer as being served while this context is open. Make the newcomer's page inside the context."""
        self._entering += 1
        self._looks_alone = 0
        try:
            yield
        finally:
            self._entering -= 1


async def watch(gate: Admission) -> None:
    """Measure every LOOK_S seconds how late the event loop is and how much CPU its thread uses, until cancelled.

    `gate`: the `Admission` that gets the measurements.
    """
    while True:
        began_s, cpu_s = time.monotonic(), time.thread_time()
        await asyncio.sleep(LOOK_S)
        took_s = time.monotonic() - began_s
        gate.look(max(0.0, took_s - LOOK_S), (time.thread_time() - cpu_s) / took_s)


async def running(app: web.Application) -> AsyncIterator[None]:
    """Watch this worker's event loop as long as the app runs."""
    app[SUPERVISOR].keep(TASK, partial(watch, app[ADMISSION]))
    yield
    await app[SUPERVISOR].stop(TASK)


def again_s(draw: float) -> int:
    """Return the time in s after which a newcomer tries again; it is random, so that not all come at once.

    `draw`: a random number, at least 0 and less than 1.
    """
    least, most = AGAIN_S
    return least + int(draw * (most - least + 1))
