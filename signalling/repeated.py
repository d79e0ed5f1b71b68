"""Counts the events that a client can cause at will, so that a worker logs each at most once a minute."""

from __future__ import annotations

import time

EVERY_S = 60.0
"""The time in s in which a worker logs an event at most once."""


class Repeated:
    """Counts events, so that each is logged rarely.

    For each event it keeps the time in s from which the event may be logged again, and the number of times
    that it was counted since it was last logged.

    `now_s` in its methods: the monotonic time in s.
    """

    def __init__(self) -> None:
        self._until_s: dict[str, float] = {}
        self._count: dict[str, int] = {}

    def count(self, event: str, now_s: float) -> int:
        """Count an event; return how often it was counted since it was last logged, 0 if it must not be logged now.

        If the result is not 0, the caller logs the event; then the result is 0 for EVERY_S seconds. `event` must be
        from a fixed set of names, because each name is kept in memory. `now_s`: the monotonic time in s.
        """
        self._count[event] = self._count.get(event, 0) + 1
        if now_s < self._until_s.get(event, now_s):
            return 0
        self._until_s[event] = now_s + EVERY_S
        return self._count.pop(event)


_repeated = Repeated()


def due(event: str) -> int:
    """Count an event; return how often it occurred since it was last logged, 0 if it must not be logged again yet."""
    return _repeated.count(event, time.monotonic())
