"""Packs (compresses) ended visits an hour after their last change, so that the store needs less memory for them.

`signalling/store/packing.py` packs one visit. Only one worker packs at a time. Nothing is packed while a server
reports that it cannot read packed visits. The store has a version number for the format of its contents. Before the
first visit is packed, this number is raised to the version that allows packed visits.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import structlog
from aiohttp import web
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.service import Organisations, Service
from signalling.store import keys
from signalling.store.records import OLDEST
from signalling.store.unavailable import answering
from web.keys import ORGANISATIONS, REDIS, SERVICE, SUPERVISOR
from web.metrics.report import reports
from web.server import store_version

LOOK_S = 60.0
TURN_MS = 120_000
AT_ONCE = 50
REST = 4
"""After a group of visits is packed, the worker pauses for REST times the time that the packing took.

In the pause, it answers requests without delay.
"""
TASK = "web.server.packing"
log = structlog.get_logger(TASK)


class Packer:
    """Packs (compresses) ended visits of all organisations.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis, service: Service, organisations: Organisations) -> None:
        self._redis: Any = redis
        self._service = service
        self._store = service.store
        self._organisations = organisations

    async def run(self) -> None:
        """Pack (compress) the ended visits whose last change was an hour ago, every LOOK_S seconds, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            # After an error of the store, the compression of ended visits is tried again in a minute.
            with contextlib.suppress(UnavailableError):
                await self.look()

    async def look(self) -> int:
        """Pack (compress) the ended visits whose last change was an hour ago, unless another worker does it; return
        their number.
        """
        async with answering():
            if not await self._redis.set(keys.PACKING(), b"1", nx=True, px=TURN_MS):
                return 0
        if not await self._raised():
            return 0
        done = 0
        for organisation in await self._organisations.list():
            done += await self._pack(organisation)
        if done:
            log.info("packing.done", count=done)
        return done

    async def _pack(self, organisation: str) -> int:
        packed, loop = self._store.packed, asyncio.get_running_loop()
        done, began_s = 0, loop.time()
        while found := await packed.due(organisation, self._service.clock_ms(), AT_ONCE):
            left = sum([await packed.pack(organisation, queued) for queued in found])
            done += left
            if not left:
                # No visit in `found` was packed, because each was changed during the packing. A later call of `look`
                # packs them.
                break
            await asyncio.sleep(REST * (loop.time() - began_s))
            async with answering():
                await self._redis.set(keys.PACKING(), b"1", px=TURN_MS)
            began_s = loop.time()
        return done

    async def _raised(self) -> bool:
        """Return whether ended visits may be packed (compressed): all servers can read packed visits, and the store's
        version allows them.

        If the store has an earlier version, record that all ended visits wait to be packed, raise the version, and
        return False. The visits are packed only after the next call, so that a server of an earlier release that has
        just started has time to report that it runs. If this worker dies before it has raised the version,
        another worker does all of this again.
        """
        async with answering():
            if any(one.reads < store_version.VERSION for one in await reports(self._redis)):
                return False
            if await store_version.of(self._redis) >= store_version.VERSION:
                return True
        for organisation in await self._organisations.list():
            place = OLDEST
            while places := await self._store.ended(organisation, None, place, 500, oldest_first=True):
                await self._store.packed.enqueue(organisation, places)
                place = places[-1]
        async with answering():
            await self._redis.set(keys.STORE_VERSION(), store_version.VERSION)
            await self._redis.delete(keys.PACKING())
        return False


async def running(app: web.Application) -> AsyncIterator[None]:
    """Pack (compress) ended visits as long as the app runs.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    app[SUPERVISOR].keep(TASK, Packer(app[REDIS], app[SERVICE], app[ORGANISATIONS]).run)
    yield
    await app[SUPERVISOR].stop(TASK)
