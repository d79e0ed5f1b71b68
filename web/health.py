"""Whether this worker lives, and whether it should be sent people.

GET /healthz answers 200 as long as the loop turns. GET /readyz asks the store, and answers 503 when it does not answer
in time or the worker drains, so that a proxy sends people elsewhere. Neither says anything about anybody.
"""

import asyncio

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

REDIS = web.AppKey("redis", Redis)
DRAINING = web.AppKey("draining", asyncio.Event)
PING_S = 1.0


async def healthz(request: web.Request) -> web.Response:
    """The process lives."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """The store answers, and the worker takes work."""
    if request.app[DRAINING].is_set():
        return web.json_response({"status": "draining"}, status=503)
    try:
        async with asyncio.timeout(PING_S):
            await request.app[REDIS].execute_command("PING")  # type: ignore[no-untyped-call]
    except (RedisError, OSError, TimeoutError):
        return web.json_response({"status": "store unavailable"}, status=503, headers={"Retry-After": "2"})
    return web.json_response({"status": "ready"})
