"""Turns every error of redis-py into `UnavailableError` with a reason, and logs it as `store.unavailable`.

All code that uses the store calls this module, so that each reason has one name.
"""

from __future__ import annotations

from types import TracebackType

import structlog
from redis.exceptions import RedisError, ResponseError

from signalling import counts
from signalling.errors import UnavailableError
from signalling.repeated import due

# the system's text for a full disk, which Redis includes in its MISCONF error
FULL_DISK = "No space left on device"
# The store's error text if a script calls a command that the store's user may not use. Outside of a script,
# such a command gets the error NOPERM.
NO_RIGHT = "ACL failure in script"

log = structlog.get_logger()


def reason_of(problem: BaseException) -> str:
    """Return a short name for the reason of an error of redis-py, or of any other error."""
    if isinstance(problem, UnavailableError):
        return problem.reason
    if not isinstance(problem, RedisError):
        return type(problem).__name__
    text = str(problem)
    if FULL_DISK in text:
        return "ENOSPC"
    if NO_RIGHT in text:
        return "NOPERM"
    # The text of an error has no code if redis-py knows the code: redis-py keeps it as an attribute.
    code = getattr(problem, "status_code", None) or text.partition(" ")[0]
    return code if code.isalpha() and code.isupper() and code != "ERR" else type(problem).__name__


def log_unavailable(problem: BaseException) -> None:
    """Log why the store cannot be used: the name that `reason_of` gives to `problem`.

    Each such name is logged at most once a minute.
    """
    reason = reason_of(problem)
    counts.STORE_ERRORS[reason] += 1
    count = due(f"store.unavailable {reason}")
    if not count:
        return
    if isinstance(problem, ResponseError):
        log.error("store.unavailable", reason=reason, count=count)
    else:
        log.warning("store.unavailable", reason=reason, count=count)


class answering:
    """Turns each error of the store inside the `async with` block into `UnavailableError`, and logs the reason.

    It is a class, because a context manager made from a generator would cost three times as much, at each command.
    """

    __slots__ = ()

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(problem, (RedisError, OSError, TimeoutError)):
            log_unavailable(problem)
            raise UnavailableError(
                reason_of(problem), refused=isinstance(problem, ResponseError)
            ) from problem
