"""Sends a file that is made while it is sent, so that it is never whole in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from signalling.errors import UnavailableError

WRITE_S = 60.0
"""If a browser does not receive one part of a file within this time in s, the download ends."""
Send = Callable[[bytes], Awaitable[None]]
log = structlog.get_logger("web.downloads")


@asynccontextmanager
async def sending(
    request: web.Request, response: web.StreamResponse, name: str, content_type: str
) -> AsyncIterator[Send]:
    """Begin the answer `response`, a file to save, and yield a function that sends the next bytes of the file.

    `name`: the file's name, which must not contain patient data. If the store or the browser fails during the context,
    the file is not completed, so that the browser reports a failed download instead of saving a shorter file.
    """
    response.content_type = content_type
    if content_type.startswith("text/"):
        response.charset = "utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    await response.prepare(request)

    async def send(data: bytes) -> None:
        async with asyncio.timeout(WRITE_S):
            await response.write(data)

    try:
        yield send
        await response.write_eof()
    except Exception as problem:
        # The TCP connection is aborted. Otherwise the browser would wait for the rest until its own time limit.
        if request.transport is not None:
            request.transport.abort()
        if not isinstance(problem, (UnavailableError, OSError, TimeoutError)):
            raise
        log.warning("download.failed", problem=type(problem).__name__)
