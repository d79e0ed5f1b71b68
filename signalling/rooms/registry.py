"""Reads the load of all workers from the store, and chooses a worker for each new room.

It also calculates how many visits can be claimed before all workers are full.

A worker that has not reported for FRESH_MS gets no new room. If no worker reports, as in tests without web pages, this
worker carries each new room itself.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from signalling.errors import UnavailableError
from signalling.rooms.liveness import Liveness
from signalling.rooms.placement import Place, capacity, ranked
from signalling.service import Service
from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.ticks import tick

EVERY_S = 1.0
FRESH_MS = 6000
_PLACE = msgspec.msgpack.Decoder(Place)


class Registry:
    """The workers of all machines, as their reports in the store describe them. `service` has the open visits of all
    organisations.
    """

    def __init__(self, service: Service, liveness: Liveness, worker: str) -> None:
        self._store = service.store
        self._mirrors = service.mirrors
        self._liveness = liveness
        self._worker = worker
        # For each new room: (time in ms at which this worker has chosen a worker for the room, the chosen worker). The
        # newest of these rooms are missing in the reports of the chosen workers.
        self._placed: deque[tuple[int, str]] = deque()
        self._most: int | None = None

    async def run(self) -> None:
        """Read how many rooms all workers together can carry (the sum of their `rooms_max`), every EVERY_S until
        cancelled.

        If the store does not answer, the number that was read before is kept. It is also kept if no worker that
        accepts rooms has reported, for example because the store was unavailable until now.
        """
        while True:
            with contextlib.suppress(UnavailableError):
                if taking := [place for place in await self.places() if not place.draining]:
                    self._most = capacity(taking)
            await tick(EVERY_S)

    def left(self) -> int | None:
        """Return how many more visits can be claimed before all workers are full; None if there is no limit.

        A claimed visit counts from the claim on, before its people join. Until `run` has read the load of the
        workers, the result is None.
        """
        if self._most is None:
            return None
        return self._most - sum(len(mirror.visits.taken) for mirror in self._mirrors)

    async def places(self) -> list[Place]:
        """Return the `Place` of each worker that reports.

        Its `rooms` is the reported number, plus the number of rooms that `choose` has placed there since the report.
        Raises `UnavailableError` if the store does not answer.
        """
        since_ms = self._store.clock_ms() - FRESH_MS
        async with answering():
            found = await self._store.redis.zrangebyscore(keys.REPORTS(), since_ms, "+inf")
        newest = {place.worker: place for place in map(_PLACE.decode, found)}
        while self._placed and self._placed[0][0] < since_ms:
            self._placed.popleft()
        return [replace(place, rooms=place.rooms + self._placed_since(place)) for place in newest.values()]

    def _placed_since(self, place: Place) -> int:
        """Return the number of rooms that this worker has placed on the worker of `place` since that
        worker's report.
        """
        return sum(at_ms > place.at_ms and worker == place.worker for at_ms, worker in self._placed)

    async def choose(self, near: Iterable[str]) -> str:
        """Return the worker that shall carry a new room. `near`: the workers to which the room's people are connected.

        Raises `UnavailableError` if the store does not answer.
        """
        chosen = self._worker
        for worker in ranked(await self.places(), self._worker, near):
            if worker == self._worker or not await self._liveness.is_dead(worker):
                chosen = worker
                break
        self._placed.append((self._store.clock_ms(), chosen))
        return chosen
