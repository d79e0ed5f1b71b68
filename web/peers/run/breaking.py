"""Causes the planned faults of a server on this machine: kills workers, and stops workers or the store for a time.

A process of the server counts as a worker if it has a UDP socket, because only workers use UDP (for media).
"""

from __future__ import annotations

import heapq
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Self

from web.peers.errors import PlanError
from web.peers.run.faults import CUT, KILLED, Fault
from web.peers.run.observations import Observations
from web.peers.run.server import is_store, processes
from web.server.subprocesses import udp_ports


class Breaker:
    """A context manager that causes the planned faults, in a thread of its own.

    `begins_at`: the time (of time.monotonic, in s) at which the run begins; the times of the faults count from it.
    `pids`: the ids of the server's processes; their descendants belong to the server too. At the end of the context,
    all stopped processes continue. `done`: kind of fault -> the number of faults of this kind that were caused.
    """

    def __init__(self, faults: Iterator[Fault], pids: Sequence[int], begins_at: float) -> None:
        self.done: Counter[str] = Counter()
        self._faults, self._pids, self._begins_at = faults, pids, begins_at
        self._events: deque[tuple[float, str]] = deque()
        self._stopped: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def tell(self, seen: Observations) -> None:
        """Record in `seen` the faults that were caused since the previous call, each with its time."""
        while self._events:
            at_s, kind = self._events.popleft()
            seen.count(kind, at_s=at_s)

    def _run(self) -> None:
        try:
            for fault in self._faults:
                if self._waited_until(self._begins_at + fault.at_s):
                    return
                self._do(fault)
            while self._stopped and not self._waited_until(self._stopped[0][0]):
                pass
        finally:
            for _, pid in self._stopped:
                _signal(pid, signal.SIGCONT)

    def _waited_until(self, moment: float) -> bool:
        """Wait until `moment` or the end of the run; return True if the run has ended.

        Meanwhile, let each stopped process continue when its time is over.
        """
        while True:
            now = time.monotonic()
            while self._stopped and self._stopped[0][0] <= now:
                _signal(heapq.heappop(self._stopped)[1], signal.SIGCONT)
            if now >= moment:
                return False
            if self._over.wait(min(moment, self._stopped[0][0] if self._stopped else moment) - now):
                return True

    def _do(self, fault: Fault) -> None:
        stopped = {pid for _, pid in self._stopped} if fault.kind != KILLED else set()
        found = [pid for pid in targets(fault.kind, self._pids) if pid not in stopped]
        if not found:
            return
        pid = found[int(fault.draw * len(found))]
        if not _signal(pid, signal.SIGKILL if fault.kind == KILLED else signal.SIGSTOP):
            return
        self.done[fault.kind] += 1
        self._events.append((time.monotonic() - self._begins_at, fault.kind))
        if fault.kind != KILLED:
            heapq.heappush(self._stopped, (time.monotonic() + fault.for_s, pid))


def targets(kind: str, pids: Sequence[int]) -> list[int]:
    """Return the processes of a server that a fault of this kind may hit: the store for CUT, otherwise the workers."""
    chosen = is_store if kind == CUT else lambda pid: bool(udp_ports(pid))
    return sorted(pid for pid in processes(*pids) if chosen(pid))


def check(pids: Sequence[int], kinds: Sequence[str]) -> None:
    """Check that faults of these kinds are possible: raise PlanError if the server lacks a process for one of them."""
    for kind in kinds:
        if not targets(kind, pids):
            what = "store" if kind == CUT else "worker"
            raise PlanError(
                f"expected a {what} to be {kind} on this machine, with --local or --server-pid; found none"
            )


def _signal(pid: int, number: signal.Signals) -> bool:
    """Send a signal to a process; return False if it has ended, or if this user may not send it signals."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
        return True
    return False
