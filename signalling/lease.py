"""Which worker carries a visit's media: a key in the store, taken, taken over from the dead, and given back.

Knows one key of each visit and two small scripts. Knows no room.
"""

from __future__ import annotations

from typing import Any

from signalling.liveness import Liveness
from signalling.store import Keys, Store, answering

_LEASE_S = 86_400
# KEYS: lease; ARGV: the holder it is taken from ('' = none), the new one, seconds. Returns who holds it now.
_TAKE = """local held = redis.call('GET', KEYS[1]) or ''
if held == ARGV[1] or held == ARGV[2] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) return ARGV[2] end
return held"""
# KEYS: lease; ARGV: the holder that gives it back.
_GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Leases:
    """One worker's leases. All methods raise `Unavailable`."""

    def __init__(self, store: Store, liveness: Liveness, worker: str) -> None:
        self._redis = store.redis
        self._liveness = liveness
        self._worker = worker
        self._take: Any = self._redis.register_script(_TAKE)
        self._give_back: Any = self._redis.register_script(_GIVE_BACK)

    async def take(self, organisation: str, visit: str) -> str:
        """Return who carries the visit's media: this worker, unless a living one does."""
        key = _key(organisation, visit)
        async with answering():
            owner = (await self._take(keys=[key], args=["", self._worker, _LEASE_S])).decode()
            if owner != self._worker and await self._liveness.is_dead(owner):
                owner = (await self._take(keys=[key], args=[owner, self._worker, _LEASE_S])).decode()
        return str(owner)

    async def holder(self, organisation: str, visit: str) -> str | None:
        """Return who carries the visit's media, alive or not; None where nobody does."""
        async with answering():
            held = await self._redis.get(_key(organisation, visit))
        return None if held is None else str(held.decode())

    async def give_back(self, organisation: str, visit: str) -> None:
        """Let go of what this worker holds; nothing happens where it does not."""
        async with answering():
            await self._give_back(keys=[_key(organisation, visit)], args=[self._worker])


def _key(organisation: str, visit: str) -> str:
    return Keys(organisation).record("room", visit)
