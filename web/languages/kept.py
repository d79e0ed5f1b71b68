"""Keeps what a function has returned for equal arguments in the same language, in this worker's memory.

Many visitors get the same calendar and the same empty form. This content is made once, not for each visitor: to make a
page takes milliseconds, and to compare the arguments takes microseconds.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import msgspec

from web.languages import i18n

P = ParamSpec("P")
T = TypeVar("T")


def kept(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator for a function that uses only its arguments and the current language.

    `most`: the greatest number of results that are kept; a further result replaces the oldest result. Arguments are
    equal if msgspec encodes them alike, so only types that msgspec encodes are allowed. Callers share a result and must
    not change it.
    """

    def decorator(function: Callable[P, T]) -> Callable[P, T]:
        results: dict[bytes, T] = {}

        @wraps(function)
        def call(*args: P.args, **named: P.kwargs) -> T:
            key = msgspec.msgpack.encode((i18n.current(), args, named))
            if key in results:
                return results[key]
            result = function(*args, **named)
            if len(results) >= most:
                del results[next(iter(results))]
            results[key] = result
            return result

        return call

    return decorator
