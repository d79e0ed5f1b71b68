"""Finds out which workers are alive.

Each worker regularly writes a sign of life to the store: a key with the worker's name, which expires soon. Each worker
also checks the keys of the other workers.

A worker whose key has expired counts as dead only if its relay does not answer either, at the addresses to which
browsers send media: a worker that is only disconnected from the store still carries its calls. A store that has
restarted has lost all keys, so no worker is declared dead until the store has been back for a while. If a worker's
process ends, or the worker leaves, its death is announced, and the other workers accept it at once.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog

from signalling.errors import UnavailableError
from signalling.rooms.ports import MediaRelay
from signalling.store import keys
from signalling.store.records import Store
from signalling.store.unavailable import answering
from signalling.store.unkept import unkept
from signalling.ticks import tick

PERIOD_S = 0.5
# If a worker has given no sign of life for this time in ms, a request is sent to its relay directly. If the relay
# does not answer either, the worker is dead.
SIGN_MS = 1200
# A worker's sign of life is written to the store's disk once in this time in s. The store keeps
# the other signs of life only in memory. Without any write to the disk, no worker would notice that the disk is full.
KEPT_S = 5.0
# the time in s after the store's return in which no worker is declared dead
DISTRUST_S = 3.0
# The store keeps a worker's addresses for this time in s. The worker writes them again after each tenth of this time.
ADDRESSES_S = 86_400
ENDED = ""  # the value in place of the addresses of a worker whose death was announced
ANNOUNCED = 256  # the number of announced deaths that a worker remembers; the oldest is forgotten first
log = structlog.get_logger()
_ADDRESSES = msgspec.msgpack.Decoder(list[tuple[str, int]])


def death_of(worker: str) -> list[tuple[str, ...]]:
    """Return the store commands that announce a worker's death to all workers, even to workers that start later.

    An empty value replaces the dead worker's addresses in the store, and is kept for a day.
    """
    return [
        ("DEL", keys.WORKER(worker)),
        ("SET", keys.WORKER_ADDRESSES(worker), ENDED, "EX", str(ADDRESSES_S)),
        ("PUBLISH", keys.DEATHS_CHANNEL, worker),
    ]


class Liveness:
    """Writes one worker's sign of life to the store, and checks the signs of life of other workers.

    `watched` returns the names of the workers to check. `secret`: signs the direct requests to workers; it is the same
    for all workers.
    """

    def __init__(
        self,
        store: Store,
        worker: str,
        watched: Callable[[], Iterable[str]],
        relay: MediaRelay,
        secret: bytes,
    ) -> None:
        self._store = store
        self._worker = worker
        self._watched = watched
        self._relay = relay
        self._secret = secret
        # the watched workers that are dead: no sign of life is in the store, and they did not answer a direct request
        self._unanswering: frozenset[str] = frozenset()
        self._announced: OrderedDict[str, None] = OrderedDict()
        self._distrusted_until = time.monotonic() + DISTRUST_S
        self._written_s = -float(ADDRESSES_S)
        self._kept_s = -KEPT_S
        self.healthy = False
        # the reason why this worker's last sign of life could not be written; None if it was written
        self.problem: UnavailableError | None = None
        self._resigned = False
        self._changed: Callable[[frozenset[str]], None] = lambda dead: None
        self._returned: Callable[[], None] = lambda: None
        relay.answer_probes(worker, self._password(worker))

    def _password(self, worker: str) -> str:
        return hmac.digest(self._secret, b"reach" + worker.encode(), "sha256").hex()[:32]

    @property
    def dead(self) -> frozenset[str]:
        """Return the watched workers that are dead.

        For DISTRUST_S after the store's return, only workers whose death was announced are returned.
        """
        announced = self._announced.keys() & self._watched() if self._announced else ()
        if time.monotonic() < self._distrusted_until:
            return frozenset(announced)
        return self._unanswering.union(announced)

    def announced(self, data: bytes) -> None:
        """Handle the announcement that a worker is dead.

        `data`: the message from pub/sub, which is the worker's name.
        """
        worker = data.decode()
        self._remember(worker)
        if worker in self._watched():
            self._changed(frozenset((worker,)))

    async def is_dead(self, worker: str) -> bool:
        """Return True if a worker is dead now. Raises `UnavailableError` if the store does not answer."""
        if worker in self._announced:
            return True
        async with answering():
            sign, addresses = await self._all([keys.WORKER(worker), keys.WORKER_ADDRESSES(worker)])
        if addresses == ENDED.encode():
            self._remember(worker)
            return True
        if sign is not None or time.monotonic() < self._distrusted_until:
            return False
        return not await self._answers(worker, addresses)

    def _remember(self, worker: str) -> None:
        """Remember that a worker's death was announced; forget the oldest if there are too many."""
        self._announced[worker] = None
        if len(self._announced) > ANNOUNCED:
            self._announced.popitem(last=False)

    async def _answers(self, worker: str, addresses: bytes | None) -> bool:
        """Return True if a worker without a sign of life answers a direct request to its relay.

        `addresses`: the newest addresses of the relay that the store has, None if it has none.
        """
        if not addresses:
            return False
        return await self._relay.reaches(_ADDRESSES.decode(addresses), worker, self._password(worker))

    async def run(
        self,
        changed: Callable[[frozenset[str]], None],
        returned: Callable[[], None] = lambda: None,
    ) -> None:
        """Write signs of life until cancelled. Call `changed` with the dead workers, every PERIOD_S while there are
        any.

        `returned` is called if this worker's own sign of life had expired, because other workers may have
        treated this worker as dead.
        """
        self._changed, self._returned = changed, returned
        while True:
            try:
                await self._once()
            except UnavailableError as problem:
                self.healthy, self.problem = False, problem
                self._distrusted_until = time.monotonic() + DISTRUST_S
            if self.dead:
                changed(self.dead)
            await tick(PERIOD_S)

    async def _once(self) -> None:
        watched = sorted({*self._watched()} - {self._worker})
        async with answering():
            pipe = self._store.redis.pipeline(transaction=False)
            if self._resigned:
                pipe.get(keys.WORKER(self._worker))
            else:
                pipe.execute_command(*self._sign())
            for worker in watched:
                pipe.get(keys.WORKER(worker))
            keeps = not self._resigned and time.monotonic() - self._kept_s >= KEPT_S
            if keeps:
                pipe.set(keys.WORKER(self._worker), b"1", px=SIGN_MS)
            mine, *signs = await pipe.execute()
        if keeps:
            self._kept_s = time.monotonic()
            signs.pop()
        if not mine:
            # This worker or the store was away for longer than a sign of life lasts, so missing signs prove nothing
            # yet.
            self._distrusted_until = time.monotonic() + DISTRUST_S
            self._written_s = -float(ADDRESSES_S)
            self._returned()
        if not self._resigned and time.monotonic() - self._written_s > ADDRESSES_S / 10:
            await self._write_addresses()
        silent = [worker for worker, sign in zip(watched, signs, strict=True) if sign is None]
        addresses: list[bytes | None] = []
        if silent:
            async with answering():
                addresses = await self._all([keys.WORKER_ADDRESSES(worker) for worker in silent])
        answers = await asyncio.gather(*map(self._answers, silent, addresses))
        if silent and not self._resigned:
            # The direct requests may have taken half the time for which a sign of life is valid. So this worker writes
            # a new sign of life.
            async with answering():
                await self._store.redis.execute_command(*self._sign())
        self._unanswering = frozenset(w for w, answers in zip(silent, answers, strict=True) if not answers)
        if not self.healthy:
            log.info("store.available")
        self.healthy, self.problem = True, None

    def _sign(self) -> tuple[Any, ...]:
        """Return the command that writes this worker's sign of life.

        The reply to this command is the sign of life that was stored before, None if that has expired.
        """
        name = keys.WORKER(self._worker)
        return unkept(name, ("SET", name, b"1", "PX", SIGN_MS, "GET"))

    async def _all(self, names: list[str]) -> list[bytes | None]:
        """Return the store's values of the keys `names`, in the same order; None for a missing key.

        The keys may be at several nodes of a cluster, so each key is read by a command of its own.
        """
        pipe = self._store.redis.pipeline(transaction=False)
        for name in names:
            pipe.get(name)
        return list(await pipe.execute())

    async def _write_addresses(self) -> None:
        data = msgspec.msgpack.encode(self._relay.addresses())
        async with answering():
            await self._store.redis.set(keys.WORKER_ADDRESSES(self._worker), data, ex=ADDRESSES_S)
        self._written_s = time.monotonic()

    async def resign(self) -> None:
        """Announce that this worker leaves, so that other workers need not wait until its sign of life expires.

        Raises `UnavailableError` if the store does not answer.
        """
        self._resigned = True
        async with answering():
            pipe = self._store.redis.pipeline(transaction=False)
            for command in death_of(self._worker):
                pipe.execute_command(*command)
            await pipe.execute()
