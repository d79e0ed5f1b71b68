"""Counts the sockets of each worker of this machine, and decides how many sockets a worker with too many closes.

All workers accept from one listener, and the kernel does not distribute connections evenly: if workers restart one
after another, the last worker has hardly any sockets. So a worker that has clearly more sockets than the average
closes a few of them with close code 1001, as it does when it stops. The clients reconnect at once, to any worker that
is free. Workers do this only in the two minutes after a worker was missing. They do not do it while a worker is
missing, because the clients would soon have to reconnect again. The workers share memory with the numbers of sockets.
Between machines, the load balancer distributes the sockets.
"""

from __future__ import annotations

import asyncio
import mmap
import struct
import time
from collections.abc import Callable, Sequence

# A worker's entry in the shared memory: the monotonic time in s of its last `write`, and the number of its sockets.
_SLOT = struct.Struct("<dq")
LOOK_S = 1.0
# If a worker has not written its number of sockets for this time in s, the other workers do not count it as running.
FRESH_S = 3.0
# The number that a stopping worker writes in place of its number of sockets.
NONE = -1
# A worker makes no client reconnect to another worker while it has at most MARGIN times the average number of
# sockets, plus SPARE.
MARGIN, SPARE = 1.2, 4
# At each check, a worker closes at most this part (0 to 1) of its sockets, so that clients reconnect to other workers.
MOST = 0.1
# A worker closes sockets only in this period: from SETTLED_S to WINDOW_S seconds after a worker was last missing.
SETTLED_S, WINDOW_S = 3.0, 120.0


class Shares:
    """The number of sockets of each worker, in memory that the master creates before it forks."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        # The memory has a place (slot) for each index of a worker. There are twice as many places as workers, because
        # a worker that stops and its successor run at the same time.
        self._slots = 2 * workers
        self._memory = mmap.mmap(-1, self._slots * _SLOT.size)

    def write(self, index: int, sockets: int, now_s: float) -> None:
        """Write the number of sockets of the worker with this index. `now_s`: the present monotonic time in s."""
        if index < self._slots:
            _SLOT.pack_into(self._memory, index * _SLOT.size, now_s, sockets)

    def others(self, index: int, now_s: float) -> list[int]:
        """Return the number of sockets of each running worker except the one with this index.

        `now_s`: the present monotonic time in s.
        """
        found = (
            _SLOT.unpack_from(self._memory, slot * _SLOT.size) for slot in range(self._slots) if slot != index
        )
        return [sockets for written_s, sockets in found if sockets != NONE and written_s > now_s - FRESH_S]


def surplus(mine: int, others: Sequence[int]) -> int:
    """Return how many of a worker's clients should now be made to reconnect to other workers.

    `mine`: the worker's number of sockets; `others`: the numbers of sockets of the other workers.
    """
    fair = (mine + sum(others)) / (1 + len(others))
    if not others or mine <= fair * MARGIN + SPARE:
        return 0
    return min(round(mine - fair), max(1, round(mine * MOST)))


class Balance:
    """Makes some clients of a worker reconnect to other workers if it has clearly more sockets than the average.

    `count`: returns the worker's number of sockets, NONE if the worker is stopping. `move`: is called with the number
    of clients that must reconnect to other workers, and closes their sockets.
    """

    def __init__(
        self, shares: Shares, index: int, count: Callable[[], int], move: Callable[[int], None]
    ) -> None:
        self._shares, self._index = shares, index
        self._count, self._move = count, move
        # The monotonic time in s of the last moment at which a worker was missing.
        self._missing_s = float("-inf")
        # Whether all workers have run at the same time since the start. Until then, no worker counts as missing.
        self._complete = False

    async def run(self) -> None:
        """Every LOOK_S seconds, until cancelled, compare the workers' numbers of sockets (`look`)."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_S)

    def look(self, now_s: float) -> None:
        """Write this worker's number of sockets; if it is clearly above the average, make a few clients reconnect."""
        mine = self._count()
        self._shares.write(self._index, mine, now_s)
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
