"""Breakers: after several failures in a row, nothing is sent to a receiver for a while; then it is tried once.

A receiver is a server of another company, which the caller names. Failures and pauses are kept in the store, by the
store's clock, for all workers together.
"""

from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering

OPENS_AFTER = 5
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 30_000, 900_000
TRIAL_MS = 15_000
"""After a pause, one attempt is made. For this time in ms, all others wait for its result."""

_SCRIPT = (Path(__file__).parent / "breaker.lua").read_text()


class Paused(NamedTuple):
    """The pause of a receiver: nothing is sent to it until `until_ms`, after this number of failures in a row."""

    failures: int
    until_ms: int


class Breakers:
    """The breakers of all receivers. All methods raise `UnavailableError` if the store does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._step: Any = redis.register_script(_SCRIPT)

    async def wait_until_ms(self, organisation: str, receiver: str) -> int:
        """Return 0 if the receiver may be called now, otherwise the time in ms since the epoch at which to ask again.

        After a pause only the first caller gets 0; the others wait for the result of its call.
        """
        return await self._do(organisation, receiver, "ask", OPENS_AFTER, TRIAL_MS, LONGEST_PAUSE_MS)

    async def succeeded(self, organisation: str, receiver: str) -> None:
        """Forget the failures of a receiver after a success."""
        async with answering():
            await self._redis.delete(keys.BREAKER(organisation, receiver))

    async def failed(self, organisation: str, receiver: str, began_ms: int) -> None:
        """Count a failure of a receiver.

        `began_ms`: the time at which the attempt began. An attempt that began before the last pause is not counted.
        """
        pauses = (OPENS_AFTER, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, began_ms)
        await self._do(organisation, receiver, "failed", *pauses)

    async def paused(self, organisation: str, receiver: str, now_ms: int) -> Paused | None:
        """Return the pause of a receiver; None if it may be called."""
        async with answering():
            found = await self._redis.hmget(keys.BREAKER(organisation, receiver), "failures", "until")
        failures, until_ms = (int(value or 0) for value in found)
        return Paused(failures, max(until_ms, now_ms)) if failures >= OPENS_AFTER else None

    async def _do(self, organisation: str, receiver: str, *args: str | int) -> int:
        async with answering():
            return int(await self._step(keys=[keys.BREAKER(organisation, receiver)], args=args))
