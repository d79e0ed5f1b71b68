"""Checks the store: whether it answers, whether it loses data, its clock, and the demo in it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.store import keys
from web.config import Settings
from web.doctor.findings import Finding, doubtful, good, wrong
from web.errors import ConfigError
from web.organisations import demo as demonstration
from web.organisations.documents import Organisations
from web.server.own_store import weaknesses
from web.server.redis_client import connect
from web.server.store_contents import check_contents
from web.server.valkey import find_binary

Answer = TypeVar("Answer")
NOT_RUNNING = "the embedded store starts with the server, which does not run"
NOT_ASKED = doubtful("the store could not be asked", "See the check of the store.")


async def asked(settings: Settings, question: Callable[[Redis], Awaitable[Answer]]) -> Answer | None:
    """Call `question` with a client of the store; return its result, or None if the store does not answer."""
    async with connect(settings) as client:
        try:
            return await question(client)
        except (redis.RedisError, OSError, UnavailableError):
            return None


async def organisations(settings: Settings) -> list[str] | None:
    """Return the ids of the organisations in the store.

    Returns None if the store does not answer, and [] if `redis.url` is empty: then the embedded store does not run.
    """
    if not settings.redis.url:
        return []
    return await asked(settings, lambda client: Organisations(client).list())


async def answers(settings: Settings) -> Finding:
    """Check whether the store answers, and how fast."""
    if not settings.redis.url:
        return good(f"{NOT_RUNNING}; its program is {find_binary().name}")
    begun = time.perf_counter()
    try:
        await asyncio.to_thread(weaknesses, settings.redis)
    except ConfigError as problem:
        return wrong(str(problem), "Mend that before the server starts.")
    return good(
        f"it answers ({(time.perf_counter() - begun) * 1000:.0f} ms for all questions), and its user may do "
        "what is needed"
    )


async def keeps(settings: Settings) -> Finding:
    """Check whether the store may lose data that it has confirmed, because of its settings."""
    if not settings.redis.url:
        return good(NOT_RUNNING)
    try:
        found = await asyncio.to_thread(weaknesses, settings.redis)
    except ConfigError:
        return doubtful("the store could not be asked", "See the check before.")
    if reasons := ", ".join(filter(None, (found.evicts, found.keeps_nothing, found.loses_tail))):
        return doubtful(reasons, "See The store in docs/OPERATIONS.md: visits or sign-ins would be lost.")
    return good("what it acknowledged is kept on its disk")


async def clock(settings: Settings) -> Finding:
    """Compare this machine's clock with that of the store. Sign-ins, links and waits use both clocks."""
    if not settings.redis.url:
        return good(NOT_RUNNING)
    try:
        found = await asyncio.to_thread(weaknesses, settings.redis)
    except ConfigError:
        return NOT_ASKED
    if found.clock:
        return wrong(f"this machine and the store have {found.clock}", "Let NTP set both.")
    return good("this machine's clock and the store's agree")


async def contents(settings: Settings) -> Finding:
    """Check whether a server can read what is in the store: the data key, the version, an unfinished restore."""
    if not settings.redis.url:
        return good(NOT_RUNNING)
    if await asked(settings, lambda client: client.exists(keys.DATA_KEY())) is None:
        return NOT_ASKED
    try:
        await asyncio.to_thread(check_contents, settings)
    except ConfigError as problem:
        return wrong(str(problem), "Mend that before the server starts.")
    return good("the data key and this version can read what is in it")


async def demo(settings: Settings) -> Finding:
    """Check whether a server that other machines can reach contains the demo organisation."""
    if not settings.public:
        return good("pages are served on this machine alone")
    slugs = [demonstration.ID] if settings.server.demo == "yes" else await organisations(settings)
    if slugs is None:
        return NOT_ASKED
    if demonstration.ID in slugs:
        return doubtful(
            "the demo organisation is served to others",
            "Close its accounts, or begin with another data folder.",
        )
    return good("there is none")
