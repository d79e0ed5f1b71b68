"""Reads from the store which workers there are, with their load, and places new rooms on them.

A worker that has not reported for FRESH_MS gets no room. Without any report (no page is served, as in some tests) a
worker carries its rooms itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from signalling.rooms.liveness import Liveness
from signalling.rooms.placement import Place, ranked
from signalling.store import keys
from signalling.store.records import Store
from signalling.store.unavailable import answering

FRESH_MS = 6000
_PLACE = msgspec.msgpack.Decoder(Place)


class Registry:
    """The workers of all machines, as one worker sees them."""

    def __init__(self, store: Store, liveness: Liveness, worker: str) -> None:
        self._store = store
        self._liveness = liveness
        self._worker = worker
        # the rooms that this worker has placed: (time in ms, worker), because reports are a moment old
        self._placed: deque[tuple[int, str]] = deque()

    async def places(self) -> list[Place]:
        """Return the place of each worker that reports. Raises `UnavailableError` if the store does not answer."""
        since_ms = self._store.clock_ms() - FRESH_MS
        async with answering():
            found = await self._store.redis.zrangebyscore(keys.REPORTS(), since_ms, "+inf")
        newest = {place.worker: place for place in map(_PLACE.decode, found)}
        while self._placed and self._placed[0][0] < since_ms:
            self._placed.popleft()
        return [replace(place, rooms=place.rooms + self._placed_since(place)) for place in newest.values()]

    def _placed_since(self, place: Place) -> int:
        """Return the number of rooms that this worker has placed there since that report."""
        return sum(at_ms > place.at_ms and worker == place.worker for at_ms, worker in self._placed)

    async def choose(self, near: Iterable[str]) -> str:
        """Return the worker that shall carry a new room. `near`: the workers to which its people are connected.

        Raises `UnavailableError` if the store does not answer.
        """
        chosen = self._worker
        for worker in ranked(await self.places(), self._worker, near):
            if worker == self._worker or not await self._liveness.is_dead(worker):
                chosen = worker
                break
        self._placed.append((self._store.clock_ms(), chosen))
        return chosen
