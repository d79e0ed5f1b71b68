"""What is known of a store that does not answer, or refuses: the error, its reason, and the one log event about it.

Knows redis-py's errors. Everything that speaks with the store maps them here, so that each reason has one name.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.exceptions import RedisError, ResponseError

EVERY_S = 60.0
"""A reason is logged this often at most, by each worker."""
FULL_DISK = "No space left on device"  # in the text of MISCONF, as errno's words

log = structlog.get_logger()


class Unavailable(Exception):
    """The store did not answer in time, or refused. Unless it refused, it is not known whether a write took effect.

    `reason` is the code of the store's answer ("OOM", "READONLY", "MISCONF", "NOPERM", …), "ENOSPC" if its disk is
    full, or else the type of what went wrong. `refused`: the store answered.
    """

    def __init__(self, reason: str = "", *, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


def reason_of(problem: BaseException) -> str:
    """Return the reason of one of redis-py's errors, or of any other."""
    if isinstance(problem, Unavailable):
        return problem.reason
    if not isinstance(problem, RedisError):
        return type(problem).__name__
    text = str(problem)
    if FULL_DISK in text:
        return "ENOSPC"
    # redis-py takes the codes that it knows out of the text, and keeps them beside it.
    code = getattr(problem, "status_code", None) or text.partition(" ")[0]
    return code if code.isalpha() and code.isupper() and code != "ERR" else type(problem).__name__


class Told:
    """Which reasons were logged when. `now_s` is monotonic."""

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}

    def is_due(self, reason: str, now_s: float) -> bool:
        """Return whether a reason is to be logged now; it counts as logged then."""
        due = now_s >= self._until_s.get(reason, now_s)
        if due:
            self._until_s[reason] = now_s + EVERY_S
        return due


_told = Told()


def tell(problem: BaseException) -> None:
    """Log why the store cannot be used, once a minute for each reason."""
    reason = reason_of(problem)
    if not _told.is_due(reason, time.monotonic()):
        return
    if isinstance(problem, ResponseError):
        log.error("store.unavailable", reason=reason)
    else:
        log.warning("store.unavailable", reason=reason)


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turn every way in which the store does not answer, or refuses, into `Unavailable`, and log the reason."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as problem:
        tell(problem)
        raise Unavailable(reason_of(problem), refused=isinstance(problem, ResponseError)) from problem
