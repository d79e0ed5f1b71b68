"""How many sockets each worker of this machine holds, and how many of its own a worker asks to move.

All workers accept from one listener, and the kernel does not share evenly: after a restart of one worker after another
the last one is left with hardly any. So a worker that clearly holds more than its share closes a few sockets as it does
when it stops (1001): they come back at once, to whichever worker is free first. It does so for two minutes after one
was missing, and not while one is: who is moved in the middle of a restart is soon moved again. At other times nobody is
moved. Knows numbers in memory that the workers share, and no client; between machines the balancer shares out.
"""

from __future__ import annotations

import asyncio
import mmap
import struct
import time
from collections.abc import Callable, Sequence

_SLOT = struct.Struct("<dq")  # when it was written (monotonic, s), and the sockets; of a worker's index
LOOK_S = 1.0
FRESH_S = 3.0  # a worker that has not written for so long stands still, or is gone
NONE = -1  # a worker that stops
MARGIN, SPARE = 1.2, 4  # up to a fifth above the fair share, and a few, is even enough
MOST = 0.1  # of its sockets a worker asks to move at a time
SETTLED_S, WINDOW_S = 3.0, 120.0  # from when on, and until when, sockets move after a worker was missing


class Shares:
    """Made by the master before it forks; one slot for each index that a worker may have."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._slots = 2 * workers  # a worker that stops has a successor already
        self._memory = mmap.mmap(-1, self._slots * _SLOT.size)

    def tell(self, index: int, sockets: int, now_s: float) -> None:
        """Say how many sockets the worker with this index holds."""
        if index < self._slots:
            _SLOT.pack_into(self._memory, index * _SLOT.size, now_s, sockets)

    def others(self, index: int, now_s: float) -> list[int]:
        """Return how many sockets each of the other workers holds that serve now."""
        found = (
            _SLOT.unpack_from(self._memory, slot * _SLOT.size) for slot in range(self._slots) if slot != index
        )
        return [sockets for told_s, sockets in found if sockets != NONE and told_s > now_s - FRESH_S]


def surplus(mine: int, others: Sequence[int]) -> int:
    """Return how many sockets a worker with so many asks to move now. Pure."""
    fair = (mine + sum(others)) / (1 + len(others))
    if not others or mine <= fair * MARGIN + SPARE:
        return 0
    return min(round(mine - fair), max(1, round(mine * MOST)))


class Balance:
    """One worker's: `count` returns its sockets, NONE while it stops; `move` asks so many to move."""

    def __init__(
        self, shares: Shares, index: int, count: Callable[[], int], move: Callable[[int], None]
    ) -> None:
        self._shares, self._index = shares, index
        self._count, self._move = count, move
        self._missing_s = float("-inf")  # when a worker was missing last
        self._complete = False  # all workers have served at once; the first start is no restart

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_S)

    def look(self, now_s: float) -> None:
        """Tell the others what is here, and ask a few to move if that is more than this worker's share."""
        mine = self._count()
        self._shares.tell(self._index, mine, now_s)
        others = self._shares.others(self._index, now_s)
        if mine == NONE:
            return
        if 1 + len(others) < self._shares.workers:
            if self._complete:
                self._missing_s = now_s
            return
        self._complete = True
        number = surplus(mine, others)
        if number and SETTLED_S <= now_s - self._missing_s <= WINDOW_S:
            self._move(number)
