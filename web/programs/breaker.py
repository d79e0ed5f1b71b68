"""Pauses deliveries to a receiver that has failed several times in a row.

The failures and the pause of one receiver are called a breaker. After the pause, one delivery is tried, and all other
deliveries wait for its result. A receiver is another server, such as a webhook's or the mail server; each has a name.
The store counts the failures and measures the pauses with its own clock, for all workers together.
"""

from pathlib import Path
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering
from web.errors import PutOffError

OPENS_AFTER = 5
FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 30_000, 900_000
TRIAL_MS = 15_000
"""After a pause, one delivery is tried; all other deliveries wait at most this time in ms for its result."""

log = structlog.get_logger("web.breakers")

_SCRIPT = (Path(__file__).parent / "breaker.lua").read_text()


class Paused(NamedTuple):
    """The pause of a receiver: nothing is sent to the receiver until `until_ms`.

    `failures`: how many deliveries in a row have failed.
    """

    failures: int
    until_ms: int


class Breakers:
    """Counts the failures of all receivers, and decides when each receiver has a pause.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._step: Any = redis.register_script(_SCRIPT)

    async def wait_until_ms(self, organisation: str, receiver: str) -> int:
        """Return 0 if the receiver may be called now, otherwise the time in ms since 1970 at which to try again.

        After a pause, only the first caller of this method gets 0. The others get a time, until the first caller has
        reported the result of its delivery.
        """
        return await self._do(organisation, receiver, "ask", OPENS_AFTER, TRIAL_MS, LONGEST_PAUSE_MS)

    async def require(self, organisation: str, receiver: str) -> None:
        """Raise `PutOffError` if the receiver may not be called now; the caller's job is then tried later.

        Call this method only if something will certainly be sent: after a pause, the first caller alone may send, and
        all others wait for its result.
        """
        wait_ms = await self.wait_until_ms(organisation, receiver)
        if wait_ms:
            raise PutOffError(wait_ms)

    async def succeeded(self, organisation: str, receiver: str) -> None:
        """Set the number of a receiver's failures to 0, because a delivery to it has succeeded; its pause ends."""
        failures = await self._do(organisation, receiver, "succeeded", OPENS_AFTER, receiver)
        if failures >= OPENS_AFTER:
            log.info("receiver.resumed", organisation=organisation, kind=_kind(receiver), failures=failures)

    async def failed(
        self, organisation: str, receiver: str, began_ms: int, longest_ms: int | None = None
    ) -> None:
        """Count a failure of a receiver.

        `began_ms`: the time at which the attempt began. An attempt that began before the receiver's newest pause is not
        counted. `longest_ms`: the longest pause, None for LONGEST_PAUSE_MS.
        """
        pauses = (receiver, FIRST_PAUSE_MS, longest_ms or LONGEST_PAUSE_MS, began_ms)
        failures = await self._do(organisation, receiver, "failed", OPENS_AFTER, *pauses)
        if failures == OPENS_AFTER:
            log.warning("receiver.paused", organisation=organisation, kind=_kind(receiver), failures=failures)

    async def probe(self, organisation: str, receiver: str) -> None:
        """Let the next delivery to a paused receiver be tried at once; all other deliveries wait for its result."""
        await self._do(organisation, receiver, "probe", OPENS_AFTER, receiver)

    async def all_paused(self, organisation: str, now_ms: int) -> dict[str, Paused]:
        """Return the organisation's receivers that have a pause now: name of a receiver -> its pause."""
        async with answering():
            found = await self._redis.smembers(keys.PAUSED(organisation))
        pauses = {
            name: await self.paused(organisation, name, now_ms)
            for name in sorted(member.decode() for member in found)
        }
        return {name: pause for name, pause in pauses.items() if pause is not None}

    async def paused(self, organisation: str, receiver: str, now_ms: int) -> Paused | None:
        """Return the pause that a receiver has at the time `now_ms`; None if it may be called."""
        async with answering():
            found = await self._redis.hmget(keys.BREAKER(organisation, receiver), "failures", "until")
        failures, until_ms = (int(value or 0) for value in found)
        return Paused(failures, max(until_ms, now_ms)) if failures >= OPENS_AFTER else None

    async def _do(self, organisation: str, receiver: str, *args: str | int) -> int:
        async with answering():
            names = [keys.BREAKER(organisation, receiver), keys.PAUSED(organisation)]
            return int(await self._step(keys=names, args=args))


def _kind(receiver: str) -> str:
    """Return the name of a receiver for the log; for a push service, which a browser has chosen, only its kind."""
    return receiver.partition(" ")[0]
