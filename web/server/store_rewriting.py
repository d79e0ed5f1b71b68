"""Removes erased data from the disk: rewrites the store's append-only file after an erasure, and once a day.

The file contains every command since it was last rewritten. So it also contains data that was deleted or replaced, or
that has expired. `retention.py` decides which data is erased. All workers check; a key in the store decides which one
rewrites.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.store.unavailable import answering
from web.keys import REDIS, SETTINGS, SUPERVISOR
from web.server.redis_client import servers

LOOK_S = 60.0
PAUSE_S = 300
"""The shortest time in s between two rewritings, because each writes the whole store to the disk."""
DAILY_S = 86_400
REWRITES_S = 600.0
POLL_S = 0.2

UNMARK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
BUSY, FAILED = "busy", "the store could not write the file anew"
log = structlog.get_logger("web.rewriting")


async def mark(redis: Redis) -> None:
    """Record in the store that data was erased, so that the append-only file will be rewritten."""
    await redis.set(keys.ERASED(), secrets.token_hex(8))


@asynccontextmanager
async def erasing(redis: Redis) -> AsyncIterator[None]:
    """Record an erasure that happens inside this context, so that the append-only file will be rewritten.

    The erasure is recorded twice: before it begins, because this worker may die, and when it has ended, because a
    rewriting may have begun meanwhile. The second record is made even if the erasure fails, because a part of the data
    may have been erased.
    """
    await mark(redis)
    try:
        yield
    finally:
        await mark(redis)


class Rewriting:
    """Rewrites the append-only file of each server of the store, replicas included, after an erasure and once a day.

    `servers`: a function that yields a client of each server; None if the store is the one server of `redis`.
    """

    def __init__(self, redis: Redis, servers: Callable[[], AsyncIterator[Redis]] | None = None) -> None:
        self._redis: Any = redis
        self._servers = servers
        self._unmark = redis.register_script(UNMARK)

    async def run(self) -> None:
        """Check every LOOK_S seconds, until cancelled, whether the append-only file must be rewritten."""
        while True:
            await asyncio.sleep(LOOK_S)
            # After an error of the store, the check is repeated in a minute.
            with contextlib.suppress(UnavailableError):
                await self.look()

    async def look(self) -> bool:
        """Rewrite the append-only file if that is due; return whether it was rewritten.

        Raises `UnavailableError` if the store does not answer.
        """
        async with answering():
            erased = await self._redis.get(keys.ERASED())
            if erased is None and await self._redis.exists(keys.REWRITTEN()):
                return False
            if not await self._redis.set(keys.REWRITING(), b"1", nx=True, ex=PAUSE_S):
                return False
            reason = await self._rewrite()
            if reason in (BUSY, FAILED):
                if reason == FAILED:
                    log.warning("erasure.log_not_rewritten", reason=reason)
                # Erased data may still be in the file: another rewriting had begun earlier, or this rewriting has
                # failed. A call of `look` after PAUSE_S seconds tries again.
                return False
            await self._redis.set(keys.REWRITTEN(), b"1", ex=DAILY_S)
            if erased is not None:
                await self._unmark(keys=[keys.ERASED()], args=[erased])
            if reason:
                log.warning("erasure.log_not_rewritten", reason=reason)
            else:
                log.info("erasure.log_rewritten")
            return not reason

    async def now(self) -> str:
        """Rewrite the append-only file at once; return "" if it contains no erased data now, otherwise the reason.

        Raises `UnavailableError` if the store does not answer.
        """
        async with answering():
            erased = await self._redis.get(keys.ERASED())
            reason = BUSY
            for _ in range(round(REWRITES_S / POLL_S)):
                reason = await self._rewrite()
                if reason != BUSY:
                    break
                # Another rewriting is running. It may have begun before the erasure, so wait until it has ended.
                await asyncio.sleep(POLL_S)
            if not reason and erased is not None:
                await self._unmark(keys=[keys.ERASED()], args=[erased])
            return reason

    async def _rewrite(self) -> str:
        """Rewrite the append-only file of each server of the store.

        Return a sentence that says why a file was not rewritten; "" if all were rewritten.
        """
        reasons = [await self._rewrite_at(server) async for server in self._each()]
        return next((each for each in (FAILED, BUSY) if each in reasons), next(filter(None, reasons), ""))

    async def _each(self) -> AsyncIterator[Any]:
        if self._servers is None:
            yield self._redis
            return
        async for server in self._servers():
            yield server

    async def _rewrite_at(self, server: Any) -> str:
        """Rewrite the append-only file of one server of the store.

        Return a sentence that says why the file was not rewritten; "" if it was.
        """
        try:
            if not (await server.info("persistence")).get("aof_enabled"):
                return "the store keeps no append-only file; its snapshots hold what was erased until they are replaced"
            await server.execute_command("BGREWRITEAOF")
            for _ in range(round(REWRITES_S / POLL_S)):
                now = await server.info("persistence")
                if not (now.get("aof_rewrite_in_progress") or now.get("aof_rewrite_scheduled")):
                    return "" if now.get("aof_last_bgrewrite_status") == "ok" else FAILED
                await asyncio.sleep(POLL_S)
            return FAILED
        except ResponseError as refused:
            if "in progress" not in str(refused):
                return f"the store refuses INFO or BGREWRITEAOF: {type(refused).__name__}"
        return BUSY


async def running(app: web.Application) -> AsyncIterator[None]:
    """Rewrite the append-only file when that is due, from the start of the app to its end.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    app[SUPERVISOR].keep(
        "web.server.store_rewriting", Rewriting(app[REDIS], partial(servers, app[SETTINGS])).run
    )
    yield
    await app[SUPERVISOR].stop("web.server.store_rewriting")
