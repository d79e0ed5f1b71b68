"""Plays the patients and providers of one process of a run, and records what they observe.

This module defines the base class of the drivers, which makes patients arrive as the plan says, ends a run
early, and records observations. `load.py` plays whole visits on a Greenroom server; `calls.py` plays calls on
another server, by an adapter. After `stop`, patients leave and running calls are ended.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from random import Random
from typing import Any

from web.peers.errors import EntryError, RefusedError, VisitEndedError
from web.peers.media.flow import Flow
from web.peers.run.arrivals import Visitor
from web.peers.run.observations import Observations
from web.peers.run.plan import Share
from web.peers.run.server import Watch
from web.peers.run.tasks import over

GOODBYE_S = 15.0
GAUGE_S = 0.5


class Driver(ABC):
    """Plays one share of a run: the patients and providers of one process.

    Call `open`, then `play`, and `close` in any case. `stop` may be called at any time.
    """

    def __init__(self, share: Share) -> None:
        self.share, self.plan = share, share.plan
        self.seen = Observations()
        self.waiting = self.in_call = 0
        self.random = Random(f"{share.plan.seed}/{share.index}")  # noqa: S311 - the same seed must give the same values
        self._stopped = asyncio.Event()

    @abstractmethod
    async def open(self) -> None:
        """Make the providers ready for patients.

        Raises EntryError if one of them cannot enter, and RefusedError if the server refuses something.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close the connections of all providers."""

    @abstractmethod
    def staff_work(self) -> list[asyncio.Task[None]]:
        """Start and return a task for each provider. The tasks end after a call of `closed`, when no patient waits."""

    @abstractmethod
    async def patient(self, visitor: Visitor) -> None:
        """Play one patient, from the arrival to the end of the call or visit."""

    @abstractmethod
    def closed(self) -> None:
        """Record that no further patient arrives: each provider's task ends as soon as no patient waits."""

    @abstractmethod
    def finished(self) -> None:
        """Record what the providers have noticed, such as lost sockets. The driver calls this at the end of the run."""

    async def play(self, seen: Observations, *, began: float | None = None) -> None:
        """Play the share, and record the observations in `seen`.

        Return when all patients have ended, or soon after a call of `stop`. `began`: the time (of time.monotonic, in s)
        at which the run began; None if it begins now.
        """
        self.seen = seen
        zero = time.monotonic() if began is None else began
        gauges = asyncio.create_task(self._gauges())
        staff = self.staff_work()
        patients: set[asyncio.Task[None]] = set()
        try:
            for visitor in self.share.visitors:
                if await self._stopped_within(zero + visitor.arrives_s - time.monotonic()):
                    break
                task = asyncio.create_task(self.patient(visitor))
                patients.add(task)
                task.add_done_callback(patients.discard)
            first: list[asyncio.Future[Any]] = [
                asyncio.gather(*patients, return_exceptions=True),
                asyncio.create_task(self._stopped.wait()),
            ]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            first[1].cancel()
        finally:
            self.closed()
            if self._stopped.is_set():
                for task in staff:
                    task.cancel()
                await over(staff, 2 * GOODBYE_S)
                for task in list(patients):
                    task.cancel()
            await over([*staff, *patients], 2 * GOODBYE_S)
            gauges.cancel()
            self._gauge()
            self.finished()

    async def _stopped_within(self, seconds: float) -> bool:
        if seconds <= 0:
            await asyncio.sleep(0)
            return self._stopped.is_set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        return self._stopped.is_set()

    def stop(self) -> None:
        """Make `play` return early: no further patient arrives, and running visits and calls are ended."""
        self._stopped.set()

    # --- methods that record observations

    def step(self, name: str, begin: float, end: float | None) -> None:
        """Record the duration of a step; record nothing if `end` is None.

        `begin` and `end`: the times of the step, of time.monotonic in s.
        """
        if end is not None:
            self.seen.step(name, max(0.0, end - begin))

    def seen_of(self, flow: Flow, ended_at: float) -> None:
        """Record what one side of a call (patient or provider) has received, such as the freezes of the picture.

        `flow`: the counts of this side; `ended_at`: the end of the call, of time.monotonic in s.
        """
        flow.over(ended_at)
        if flow.first_at is not None:
            self.seen.step("longest_gap", flow.longest_gap_s)
        self.count("freezes", flow.freezes)
        self.count("packets", flow.packets)
        self.count("frames", flow.frames)

    def count(self, name: str, number: int) -> None:
        """Add `number` to the count with this `name` in the run's observations."""
        if number:
            self.seen.count(name, number)

    def wrong(self, problem: Exception) -> None:
        """Record an error. Its code in the observations is derived from the type of `problem`."""
        codes = {EntryError: "no_answer", TimeoutError: "too_late"}
        if isinstance(problem, RefusedError):
            code = problem.code
        elif isinstance(problem, VisitEndedError):
            code = f"visit_{problem.outcome}"
        else:
            code = codes.get(type(problem), "driver_" + type(problem).__name__.lower())
        self.seen.error(code, str(problem))

    async def _gauges(self) -> None:
        watch = Watch(self.seen)
        while True:
            at = time.monotonic()
            await asyncio.sleep(GAUGE_S)
            self.seen.gauge("driver_lag", max(0.0, time.monotonic() - at - GAUGE_S))
            watch.tick()
            self._gauge()

    def _gauge(self) -> None:
        self.seen.gauge("waiting", self.waiting)
        self.seen.gauge("in_call", self.in_call)
