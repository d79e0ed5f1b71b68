"""Whether this worker lives, and whether it should be sent people.

GET /healthz answers 200 as long as the loop turns. GET /readyz asks the store, and answers 503 when it does not answer
in time or takes no writes, the worker drains, or a task that must not end keeps failing, so that a proxy sends people
elsewhere. Neither says anything about anybody.
"""

import asyncio

from aiohttp import web
from redis.exceptions import RedisError

from web.keys import DRAINING, LIVENESS, REDIS, SUPERVISOR

PING_S = 1.0


async def healthz(request: web.Request) -> web.Response:
    """The process lives."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """The store answers, and the worker takes work. `failures` counts those of each task since the worker started."""
    reasons = await why_not_ready(request.app)
    body = {
        "status": reasons[0] if reasons else "ready",
        "reasons": reasons,
        "failures": request.app[SUPERVISOR].failures,
    }
    if not reasons:
        return web.json_response(body)
    return web.json_response(body, status=503, headers={"Retry-After": "2"})


async def why_not_ready(app: web.Application) -> list[str]:
    """Return why this worker should not be sent people; the first reason is the one that is shown."""
    if app[DRAINING].is_set():
        return ["draining"]
    reasons = [f"task failing: {name}" for name in app[SUPERVISOR].failing]
    try:
        async with asyncio.timeout(PING_S):
            await app[REDIS].execute_command("PING")  # type: ignore[no-untyped-call]
    except (RedisError, OSError, TimeoutError):
        return ["store unavailable", *reasons]
    problem = app[LIVENESS].problem
    if problem is not None:
        what = f"store refuses writes: {problem.reason}" if problem.refused else "store unavailable"
        reasons.insert(0, what)
    return reasons
