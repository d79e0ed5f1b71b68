"""Writes a report about each worker of each machine to the store every two seconds, for `greenroom status`.

The reports of the last ten seconds are kept. If a worker has no report, it has ended or does not reach the
store.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiohttp import web

from signalling import counts
from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.store.unavailable import answering
from web.keys import DRAINING, REDIS, RELAY, SEAL, SERVICE, SIGNALLING, SUPERVISOR
from web.metrics.table import STARTED_S, VERSION, memory_bytes

EVERY_S = 2.0
KEPT_MS = 10_000
TASK = "report"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one worker at one moment.

    `cpu`: the share of one core that it has used since the last report; `lag_ms`: the longest delay of its
    event loop since then. `memory_bytes`: its memory, 0 if the system does not report it.
    """

    worker: str
    machine: str
    pid: int
    version: str
    up_s: float
    at_ms: int
    sockets: int
    rooms: int
    parties: int
    cpu: float
    lag_ms: float
    memory_bytes: int
    draining: bool
    keys: tuple[str, ...] = ()
    """The ids of the data keys that the worker has; it encrypts with the last one. Empty for a version with
    only one key."""


_DECODER = msgspec.msgpack.Decoder(Report)


async def reports(redis: Any) -> list[Report]:
    """Return the newest report of each worker, sorted by machine and name.

    Raises redis-py's errors if the store fails.
    """
    found = [_DECODER.decode(data) for data in await redis.zrange(keys.REPORTS(), 0, -1)]
    newest = {report.worker: report for report in found}
    return sorted(newest.values(), key=lambda report: (report.machine, report.worker))


class Reporter:
    """Writes the reports about one worker."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._cpu_s, self._at_s = time.process_time(), time.monotonic()
        self._lag_s, self._looks = _lag()

    def report(self) -> Report:
        """Return a report about the worker's present state."""
        cpu_s, at_s = time.process_time(), time.monotonic()
        lag_s, looks = _lag()
        relay, worker = self._app[RELAY], self._app[SIGNALLING]
        found = Report(
            worker=worker.id,
            machine=socket.gethostname(),
            pid=os.getpid(),
            version=VERSION,
            up_s=round(time.time() - STARTED_S),
            at_ms=self._app[SERVICE].clock_ms(),
            sockets=len(worker.connections),
            rooms=relay.rooms,
            parties=relay.parties,
            cpu=round((cpu_s - self._cpu_s) / max(0.001, at_s - self._at_s), 3),
            lag_ms=round(1000 * (lag_s - self._lag_s) / max(1, looks - self._looks), 1),
            memory_bytes=memory_bytes(),
            draining=self._app[DRAINING].is_set(),
            keys=tuple(name.decode() for name in self._app[SEAL].ids),
        )
        self._cpu_s, self._at_s, self._lag_s, self._looks = cpu_s, at_s, lag_s, looks
        return found

    async def run(self) -> None:
        """Write a report every EVERY_S seconds until cancelled."""
        while True:
            # The error is already in the log, and the loop goes on.
            with contextlib.suppress(UnavailableError):
                await self._write(self.report())
            await asyncio.sleep(EVERY_S)

    async def _write(self, report: Report) -> None:
        async with answering():
            pipe = self._app[REDIS].pipeline(transaction=False)
            pipe.zadd(keys.REPORTS(), {msgspec.msgpack.encode(report): report.at_ms})
            pipe.zremrangebyscore(keys.REPORTS(), "-inf", report.at_ms - KEPT_MS)
            pipe.pexpire(keys.REPORTS(), KEPT_MS)
            await pipe.execute()


def _lag() -> tuple[float, int]:
    """Return the sum of the event loop's delays in s, and the number of measurements."""
    return counts.LOOP_LAG_S.total, sum(counts.LOOP_LAG_S.numbers)


async def running(app: web.Application) -> AsyncIterator[None]:
    """Write reports from the start of the app to its end."""
    app[SUPERVISOR].keep(TASK, Reporter(app).run)
    yield
    await app[SUPERVISOR].stop(TASK)
