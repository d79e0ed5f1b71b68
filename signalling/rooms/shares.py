"""Divides the periodic work (the sweep) for organisations among all workers: for each organisation, a few workers do
it in each of their rounds, and all others less often.

Each worker calculates alone which workers do it, from the workers that report (`registry.py`). For some seconds after
a worker has joined or died, the workers may get different results. So only work that several workers may do at the
same time is divided.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from zlib import crc32

from signalling.errors import UnavailableError
from signalling.rooms.liveness import Liveness
from signalling.rooms.placement import Place
from signalling.ticks import tick

EACH = 3
"""The number of workers that do the periodic work for one organisation in each round: if one of them does not run, the
other two do it.
"""
LOOK_S = 2.0
# 2**64 divided by the golden ratio. After a multiplication by this number, each lower bit has an effect on the upper
# bits, so that similar numbers have very different hashes.
_MIXER = 0x9E3779B97F4A7C15
_BITS = (1 << 64) - 1


def chosen(organisation: str, machines: Mapping[str, str]) -> list[str]:
    """Return the EACH workers that do the periodic work for an organisation in each round; all if there are fewer.

    Each worker has a hash of its id and the organisation's id. The workers with the highest hashes are chosen
    (rendezvous hashing). If a worker starts or stops, only the organisations for which it was or is chosen get other
    workers. A second worker of the same machine is chosen only after one worker of each machine, so that the death of
    a machine does not end all chosen workers. `machines`: worker -> its machine. Does no I/O.
    """
    salt = crc32(organisation.encode())
    ordered = sorted(
        machines, key=lambda worker: (_mixed(salt ^ crc32(worker.encode()) << 32), worker), reverse=True
    )
    before = Counter[str]()
    places = []
    for place, worker in enumerate(ordered):
        places.append((before[machines[worker]], place, worker))
        before[machines[worker]] += 1
    return [worker for *_, worker in sorted(places)[:EACH]]


def _mixed(number: int) -> int:
    for _ in range(2):
        number = (number ^ number >> 32) * _MIXER & _BITS
    return number


class Shares:
    """The organisations for which this worker does the periodic work (the sweep) in each of its rounds.

    For all other organisations it does the work less often (`signalling/sweep.py`).
    `places`: a function that reads the load and the addresses of all workers from the store (`Registry.places`).
    """

    def __init__(self, places: Callable[[], Awaitable[list[Place]]], liveness: Liveness, worker: str) -> None:
        self._places = places
        self._liveness = liveness
        self._worker = worker
        # id of each running worker -> the address of its machine, by which workers of one machine are recognised
        self._machines = {worker: ""}
        self._mine: dict[str, bool] = {}

    async def run(self) -> None:
        """Read which workers run, every LOOK_S until cancelled. If the store does not answer, the workers that were
        read before are used.
        """
        while True:
            with contextlib.suppress(UnavailableError):
                await self.look()
            await tick(LOOK_S)

    async def look(self) -> None:
        """Read from the reports in the store which workers run. Raises `UnavailableError` if the store does not
        answer.
        """
        machines = {self._worker: ""}
        for place in await self._places():
            if place.worker == self._worker or not (place.draining or place.worker in self._liveness.dead):
                machines[place.worker] = place.addresses[0][0] if place.addresses else ""
        if machines != self._machines:
            self._machines, self._mine = machines, {}

    def has(self, organisation: str) -> bool:
        """Return True if this worker does the periodic work for an organisation in each round.

        If no other worker reports, the result is True for all organisations.
        """
        if organisation not in self._mine:
            self._mine[organisation] = self._worker in chosen(organisation, self._machines)
        return self._mine[organisation]
