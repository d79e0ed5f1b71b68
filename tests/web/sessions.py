"""Changes the times of browser sessions in the store, so that no test has to wait."""

from typing import Any

from redis.asyncio import Redis

from web.identity.sessions import Session

TIMES = ("at", "seen", "hold")


async def passes(redis: Redis, cookie: str, seconds: float) -> None:
    """Make the session with this cookie older by `seconds`: set its times in the store back."""
    store: Any = redis
    key = Session(cookie, {}).key
    for field, value in zip(TIMES, await store.hmget(key, TIMES), strict=True):
        if value is not None:
            await store.hset(key, field, int(value) - round(seconds * 1000))


async def is_held(redis: Redis, cookie: str) -> bool:
    """Return whether a live visit keeps the sign-in of this cookie's session from ending."""
    store: Any = redis
    return bool(await store.hexists(Session(cookie, {}).key, "hold"))
