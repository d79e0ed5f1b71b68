"""Breakers: a receiver that failed several times in a row is left alone for a while, then tried once.

A receiver is somebody else's server, named by the caller. Knows failures in a row and pauses, by the store's clock, for
all workers together. Knows no kind of receiver.
"""

from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering

OPENS_AFTER = 5
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 30_000, 900_000
TRIAL_MS = 15_000
"""For how long others wait for the result of the one attempt after a pause."""

_SCRIPT = (Path(__file__).parent / "breaker.lua").read_text()


class Paused(NamedTuple):
    """A receiver to which nothing is sent until `until_ms`, after this number of failures in a row."""

    failures: int
    until_ms: int


class Breakers:
    """The breakers of all receivers. All methods raise `UnavailableError` if the store does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._step: Any = redis.register_script(_SCRIPT)

    async def wait_until_ms(self, organisation: str, receiver: str) -> int:
        """Return 0 if the receiver may be called now, otherwise when to ask again, in ms.

        After a pause only the first caller gets 0; the others wait for what comes of it.
        """
        return await self._do(organisation, receiver, "ask", OPENS_AFTER, TRIAL_MS, LONGEST_PAUSE_MS)

    async def succeeded(self, organisation: str, receiver: str) -> None:
        """Forget the receiver's failures."""
        async with answering():
            await self._redis.delete(keys.BREAKER(organisation, receiver))

    async def failed(self, organisation: str, receiver: str, began_ms: int) -> None:
        """Count a failure. `began_ms`: when the attempt began; one from before the pause counts no more."""
        pauses = (OPENS_AFTER, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, began_ms)
        await self._do(organisation, receiver, "failed", *pauses)

    async def paused(self, organisation: str, receiver: str, now_ms: int) -> Paused | None:
        """Return the receiver's pause, None if it is called as usual."""
        async with answering():
            found = await self._redis.hmget(keys.BREAKER(organisation, receiver), "failures", "until")
        failures, until_ms = (int(value or 0) for value in found)
        return Paused(failures, max(until_ms, now_ms)) if failures >= OPENS_AFTER else None

    async def _do(self, organisation: str, receiver: str, *args: str | int) -> int:
        async with answering():
            return int(await self._step(keys=[keys.BREAKER(organisation, receiver)], args=args))
