"""What is erased leaves the disk: the store's append-only file is written anew after an erasure, and once a day.

The file holds every command since it was written last, so also what was deleted, replaced or has expired since. Knows
the store's command for that and how often it may be given; what is erased is known in `retention.py`. All workers look;
the store says whose turn it is.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from signalling.store.records import Unavailable, answering
from web.keys import REDIS, SUPERVISOR

LOOK_S = 60.0
PAUSE_S = 300
"""Two rewritings have at least this between them: each costs the disk as much as the whole store."""
DAILY_S = 86_400
REWRITES_S = 600.0
POLL_S = 0.2

ERASED = "greenroom:erased"
"""Is in the store from an erasure until a rewriting that began after it; its value names the erasure."""
TURN = "greenroom:rewriting"
REWRITTEN = "greenroom:rewritten"
UNMARK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
log = structlog.get_logger("web.rewriting")


async def mark(redis: Redis) -> None:
    """Note that something was erased."""
    await redis.set(ERASED, secrets.token_hex(8))


@asynccontextmanager
async def erasing(redis: Redis) -> AsyncIterator[None]:
    """Erase something inside: noted before, in case this worker dies meanwhile, and after, for those who were quick."""
    await mark(redis)
    yield
    await mark(redis)


class Rewriting:
    """Rewrites the append-only file of the store when something was erased."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._unmark = redis.register_script(UNMARK)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(Unavailable):  # the next minute comes
                await self.look()

    async def look(self) -> bool:
        """Rewrite the file if that is due; return whether it was. Raises `Unavailable`."""
        async with answering():
            erased = await self._redis.get(ERASED)
            if erased is None and await self._redis.exists(REWRITTEN):
                return False
            if not await self._redis.set(TURN, b"1", nx=True, ex=PAUSE_S):
                return False
            reason = await self._rewrite()
            if reason == "busy":
                return False  # what is written now was begun before: again after the pause
            await self._redis.set(REWRITTEN, b"1", ex=DAILY_S)
            if erased is not None:
                await self._unmark(keys=[ERASED], args=[erased])
            if reason:
                log.warning("erasure.log_not_rewritten", reason=reason)
            else:
                log.info("erasure.log_rewritten")
            return not reason

    async def _rewrite(self) -> str:
        """Return why the file was not rewritten; an empty text when it was."""
        try:
            if not (await self._redis.info("persistence")).get("aof_enabled"):
                return "the store keeps no append-only file; its snapshots hold what was erased until they are replaced"
            await self._redis.execute_command("BGREWRITEAOF")
            for _ in range(round(REWRITES_S / POLL_S)):
                now = await self._redis.info("persistence")
                if not (now.get("aof_rewrite_in_progress") or now.get("aof_rewrite_scheduled")):
                    return "" if now.get("aof_last_bgrewrite_status") == "ok" else "busy"
                await asyncio.sleep(POLL_S)
        except ResponseError as refused:
            if "in progress" not in str(refused):
                return f"the store refuses INFO or BGREWRITEAOF: {type(refused).__name__}"
        return "busy"


async def running(app: web.Application) -> AsyncIterator[None]:
    """A clean-up context, after that of signalling: looks as long as the app lives."""
    app[SUPERVISOR].keep("web.server.store_rewriting", Rewriting(app[REDIS]).run)
    yield
    await app[SUPERVISOR].stop("web.server.store_rewriting")
