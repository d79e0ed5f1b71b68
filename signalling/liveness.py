"""Which workers live: each keeps a key of its own fresh and looks at those of the others it depends on.

A store that was away has forgotten everybody's sign of life; nobody is called dead until it has been back for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import structlog

from signalling.store import Store, Unavailable, answering

PERIOD_S = 0.25
SIGN_MS = 1500  # so long after its last sign a worker is dead
DISTRUST_S = 3.0  # so long after the store's return nobody is called dead
log = structlog.get_logger()


class Liveness:
    """One worker's signs of life, and what it knows of the others."""

    def __init__(self, store: Store, worker: str, watched: Callable[[], Iterable[str]]) -> None:
        self._store = store
        self._worker = worker
        self._watched = watched
        self._silent: frozenset[str] = frozenset()
        self._distrusted_until = time.monotonic() + DISTRUST_S
        self.healthy = False
        self._resigned = False
        self._returned: Callable[[], None] = lambda: None

    @property
    def dead(self) -> frozenset[str]:
        """The watched workers that are dead; empty while that cannot be told."""
        return frozenset() if time.monotonic() < self._distrusted_until else self._silent

    async def is_dead(self, worker: str) -> bool:
        """Ask about one worker now. Raises `Unavailable`."""
        async with answering():
            sign = await self._store.redis.exists(_key(worker))
        return not sign and time.monotonic() >= self._distrusted_until

    async def run(
        self, changed: Callable[[frozenset[str]], None], returned: Callable[[], None] = lambda: None
    ) -> None:
        """Keep fresh until cancelled; `changed` is called with the dead, again and again while there are any.

        `returned` is called when this worker's own sign had run out: others may have taken it for dead.
        """
        self._returned = returned
        while True:
            try:
                await self._once()
            except Unavailable:
                if self.healthy:
                    log.warning("store.unavailable")
                self.healthy = False
                self._distrusted_until = time.monotonic() + DISTRUST_S
            if self.dead:
                changed(self.dead)
            await asyncio.sleep(PERIOD_S)

    async def _once(self) -> None:
        watched = sorted({*self._watched()} - {self._worker})
        async with answering():
            pipe = self._store.redis.pipeline(transaction=False)
            pipe.exists(_key(self._worker))
            if not self._resigned:
                pipe.set(_key(self._worker), b"1", px=SIGN_MS)
            pipe.mget([_key(worker) for worker in watched] or [_key(self._worker)])
            mine, *_, signs = await pipe.execute()
        if not mine:
            # This worker or the store was away for longer than a sign lasts, so the others' signs prove nothing yet.
            self._distrusted_until = time.monotonic() + DISTRUST_S
            self._returned()
        self._silent = frozenset(w for w, sign in zip(watched, signs, strict=False) if sign is None)
        if not self.healthy:
            log.info("store.available")
        self.healthy = True

    async def resign(self) -> None:
        """Say that this worker goes, so that nobody waits for its sign to run out."""
        self._resigned = True
        async with answering():
            await self._store.redis.delete(_key(self._worker))


def _key(worker: str) -> str:
    return f"worker:{worker}"
