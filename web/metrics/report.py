"""Registers this worker in the store: writes a report about it every two seconds, and soon after a change.

`greenroom status` shows the reports, and `signalling/rooms/placement.py` uses them to choose the worker that
carries a new call. The store keeps a report for ten seconds: a worker without a report has ended, or does
not reach the store.
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
from signalling.rooms.placement import Place
from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.store.unkept import unkept
from signalling.ticks import tick_or
from web.keys import DRAINING, REDIS, RELAY, SEAL, SERVICE, SETTINGS, SIGNALLING, SUPERVISOR
from web.metrics.table import STARTED_S, VERSION, memory_bytes

EVERY_S = 2.0
GAP_S = 0.1
"""The shortest time in s between two reports."""
KEPT_MS = 10_000
TASK = "report"


class Report(Place, frozen=True, kw_only=True):
    """The state of one worker at one moment. The base class `Place` has the values by which the worker
    of a new call is chosen.

    `cpu`: the share of one core that the worker has used since its last report; `lag_ms`: the mean
    delay of its event loop since then. `memory_bytes`: its memory, 0 if the system does not report it.
    """

    machine: str
    pid: int
    version: str
    up_s: float
    sockets: int
    parties: int
    cpu: float
    lag_ms: float
    memory_bytes: int
    reads: int = 0
    """The newest format of the store's contents that the worker can read (`keys.CONTENTS`); 0 if its release does not
    report it."""
    keys: tuple[str, ...] = ()
    """The ids of the data keys that the worker has; it encrypts with the last key. Empty if the worker
    runs an older release, which has only one key."""


_DECODER = msgspec.msgpack.Decoder(Report)


async def reports(redis: Any) -> list[Report]:
    """Return the newest report of each worker, sorted by machine and name.

    Raises redis-py's errors if the store fails.
    """
    found = [_DECODER.decode(data) for data in await redis.zrange(keys.REPORTS(), 0, -1)]
    newest = {report.worker: report for report in found}
    return sorted(newest.values(), key=lambda report: (report.machine, report.worker))


class Reporter:
    """Writes the reports about the state of one worker to the store."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._cpu_s, self._at_s = time.process_time(), time.monotonic()
        self._lag_s, self._looks = _lag()
        self._written = b""

    def report(self) -> Report:
        """Return a report about the worker's state now; figures such as the CPU's use are for the time since the last
        report.
        """
        cpu_s, at_s = time.process_time(), time.monotonic()
        lag_s, looks = _lag()
        relay, worker, settings = self._app[RELAY], self._app[SIGNALLING], self._app[SETTINGS]
        found = Report(
            worker=worker.id,
            machine=socket.gethostname(),
            pid=os.getpid(),
            version=VERSION,
            reads=keys.CONTENTS,
            up_s=round(time.time() - STARTED_S),
            at_ms=self._app[SERVICE].clock_ms(),
            sockets=len(worker.connections),
            rooms=relay.rooms,
            rooms_max=settings.media.rooms_max,
            region=settings.cluster.region,
            addresses=tuple((one.host, one.port) for one in relay.candidates() if one.transport == "udp"),
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
        """Report every EVERY_S seconds, and soon after `changed` is set, until cancelled."""
        changed = self._app[SIGNALLING].changed
        while True:
            changed.clear()
            # An error of the store is in the log already; the next report is tried as usual.
            with contextlib.suppress(UnavailableError):
                await self._write(self.report())
            await asyncio.sleep(GAP_S)
            await tick_or(changed, EVERY_S)

    async def _write(self, report: Report) -> None:
        data, name = msgspec.msgpack.encode(report), keys.REPORTS()
        async with answering():
            redis: Any = self._app[REDIS]
            await redis.execute_command(
                *unkept(
                    name,
                    # removes this worker's previous report, because the store keeps only the newest
                    ("ZREM", name, self._written),
                    ("ZADD", name, report.at_ms, data),
                    ("ZREMRANGEBYSCORE", name, "-inf", report.at_ms - KEPT_MS),
                    ("PEXPIRE", name, KEPT_MS),
                )
            )
        self._written = data


def _lag() -> tuple[float, int]:
    """Return the sum of the event loop's measured delays in s since this worker started, and the number of
    measurements.
    """
    return counts.LOOP_LAG_S.total, sum(counts.LOOP_LAG_S.numbers)


async def running(app: web.Application) -> AsyncIterator[None]:
    """Write this worker's reports to the store, from the start of the app to its end."""
    app[SUPERVISOR].keep(TASK, Reporter(app).run)
    yield
    await app[SUPERVISOR].stop(TASK)
