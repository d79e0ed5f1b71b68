"""Answers whether this worker is alive and whether a proxy should send requests to it.

GET /healthz answers 200 as long as the event loop runs. GET /readyz sends the store a request, and answers 503 if the
store does not answer in time or accepts no writes, if the worker is stopping, or if a task that must not end keeps
failing. Neither answer contains personal data.
"""

import asyncio

from aiohttp import web
from redis.exceptions import RedisError

from web.keys import DRAINING, LIVENESS, REDIS, SUPERVISOR

PING_S = 1.0


async def healthz(request: web.Request) -> web.Response:
    """Answer GET /healthz with 200: the event loop runs."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """Answer GET /readyz with 200 if requests may be sent to this worker, otherwise with 503.

    The field `failures` of the answer contains the number of failures of each task since the worker started.
    """
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
    """Return the reasons why this worker should receive no requests; an empty list if it is ready for requests.

    The first reason is the `status` in the answer of /readyz.
    """
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
