"""Makes one worker's commands on the same visit run one after another, so that several commands can use a record of
the visit that one of them has read from the store.
"""

from __future__ import annotations

import asyncio

from signalling.visit.record import Visit

# A command waits at most this time in s for other commands of this worker on the same visit.
TURN_S = 0.25


class Turn:
    """Makes this worker's commands on one visit take turns.

    Without turns, only one of fifty claims at the same time could be committed; the other claims would be tried again
    and fail again, up to fifty times each. Turns only avoid this work, and the commit alone decides which claim
    succeeds. So a command that has waited for TURN_S continues without its turn. A loaded record is used by all
    commands that arrived before the load: of fifty commands, one reads the store.
    """

    __slots__ = ("__weakref__", "_taken", "_timer", "_waiting", "seen", "seen_s")

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[asyncio.Future[bool]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.seen: Visit | None = None
        self.seen_s = 0.0

    def take(self) -> bool:
        """Take the turn if it is free; return True if the caller has it now. The caller must call `release` later."""
        free, self._taken = not self._taken, True
        return free

    async def wait(self) -> bool:
        """Wait until the turn is released, and return True; return False if that takes longer than TURN_S."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(done)
        if self._timer is None:
            self._timer = loop.call_later(TURN_S, self._wake, False)
        return await done

    def release(self) -> None:
        """End the caller's turn, and wake all commands that wait for a turn."""
        self._taken = False
        self._wake(True)

    def _wake(self, done: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(done)

    def saw(self, visit: Visit | None, asked_s: float) -> None:
        """Keep a record for the commands that wait. The caller has just loaded it from the store, or written it to
        the store.

        `visit`: the record, None if there is no such visit. `asked_s`: the time in s at which the request to the
        store began; the record is not older than this time.
        """
        if asked_s >= self.seen_s:
            self.seen, self.seen_s = visit, asked_s

    def forget(self) -> None:
        """Remove the record that `saw` has stored, because a command may have changed the visit."""
        self.seen, self.seen_s = None, 0.0
