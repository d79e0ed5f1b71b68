"""Leaves out stored values that cannot be decrypted or decoded, so that all other values are still read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import msgspec
import structlog

from signalling.errors import SealError

T = TypeVar("T")
log = structlog.get_logger()


def readable(organisation: str, what: str, stored: bytes | None, read: Callable[[bytes], T]) -> T | None:
    """Return the value that `read` returns for stored bytes; None if there are none, or if they cannot be read."""
    if stored is not None:
        with leaving_out(organisation, what):
            return read(stored)
    return None


class leaving_out:
    """Ends its `with` block, without an error, at a value that cannot be read, and logs `store.unreadable_record`.

    `what`: the kind of the value. `missed`: counts the values that were left out, by kind.
    """

    __slots__ = ("_missed", "_organisation", "_what")

    def __init__(self, organisation: str, what: str, missed: Counter[str] | None = None) -> None:
        self._organisation, self._what, self._missed = organisation, what, missed

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(problem, (SealError, msgspec.DecodeError)):
            return False
        log.error("store.unreadable_record", organisation=self._organisation, what=self._what)
        if self._missed is not None:
            self._missed[self._what] += 1
        return True
