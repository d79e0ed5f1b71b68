"""Leases: entries in the store that name the worker which carries the media of a visit.

A worker takes a visit's lease for itself or for another worker. If the owner of the lease is dead, the lease is taken
from it; a living owner gives the lease back at the end of the call. The fencing number (`fence`) of a lease grows each
time that the lease passes to another worker. If two workers both act as the owner of a room, the worker whose lease has
the lower number is no longer the owner. The lease's key also stores the kinds of media that parties have muted, for the
next owner. The store has one key per visit, which three small scripts change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from signalling import counts
from signalling.errors import SupersededError
from signalling.rooms.liveness import Liveness
from signalling.rooms.worker_messages import Member
from signalling.store import keys
from signalling.store.records import Origin, Store
from signalling.store.unavailable import answering
from signalling.visit.call_quality import MediaKind

_LEASE_S = 86_400
# The script that takes a lease. KEYS: the lease; the resume token of the connection that requests it (any key if no
# connection does). ARGV: the present owner ('' if none), the new owner ('' to change no owner), the seconds until the
# lease expires, the generation (socket number) of the connection or '', and the number that the new fence must exceed.
# If the lease's owner is not the first ARGV, owner and fence do not change. Returns {owner, fence, 1 if the owner is
# new}, or {} if a newer socket uses the connection. The fence stays in the store when the lease is given back.
_TAKE = """if ARGV[4] ~= '' then
  local generation = redis.call('HGET', KEYS[2], 'generation')
  if generation and tonumber(generation) > tonumber(ARGV[4]) then return {} end
end
local held, taken = redis.call('HGET', KEYS[1], 'owner') or '', 0
if held == ARGV[1] and held ~= ARGV[2] then
  redis.call('HSET', KEYS[1], 'owner', ARGV[2])
  local fence = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
  redis.call('HSET', KEYS[1], 'fence', math.max(fence, tonumber(ARGV[5])) + 1)
  held, taken = ARGV[2], 1
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {held, redis.call('HGET', KEYS[1], 'fence') or '0', taken}"""
# The script that gives a lease back. KEYS: the lease. ARGV: its owner, the fence of that owner.
_GIVE_BACK = """local owner, fence = unpack(redis.call('HMGET', KEYS[1], 'owner', 'fence'))
if owner ~= ARGV[1] or fence ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], 'owner')"""
# The script that stores a muted kind of media. KEYS: the lease. ARGV: the fence of the owner, a field of the lease, the
# field's value ('' removes the field).
_SET = """if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then return redis.call('HDEL', KEYS[1], ARGV[2]) end
return redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])"""
_MUTED = "muted"

Muted = dict[tuple[str, str], frozenset[MediaKind]]
"""(key of the party in `Visit.parties`, id of its person) -> the kinds of media that this person has muted.

The person is included because another provider of the same visit begins unmuted.
"""


class Lease(msgspec.Struct, frozen=True):
    """The lease of a visit's media: the worker that owns it, and its fencing number `fence`.

    `taken_from`: the owner before, if that worker was dead and this lease was taken from it; otherwise None.
    """

    owner: str
    fence: int
    taken_from: str | None = None


class Leases:
    """Takes and gives back leases for one worker.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, store: Store, liveness: Liveness, worker: str) -> None:
        self._redis = store.redis
        self._liveness = liveness
        self._worker = worker
        self._take: Any = self._redis.register_script(_TAKE)
        self._give_back: Any = self._redis.register_script(_GIVE_BACK)
        self._set: Any = self._redis.register_script(_SET)

    async def take(
        self,
        organisation: str,
        visit: str,
        origin: Origin | None = None,
        known: int = 0,
        choose: Callable[[], Awaitable[str]] | None = None,
    ) -> Lease:
        """Take the lease of the visit's media, unless a living worker has it; return the lease, which names its owner.

        `known`: the highest fence that this worker has seen; a new owner's fence is higher, even if the store has lost
        the lease. `origin`: the connection that requests the media, None if no connection does. `choose`: a
        function that returns the id of the new owner; None: this worker is the new owner. Raises `SupersededError` if
        a newer socket uses `origin`.
        """
        owner = self._worker if choose is None else ""
        lease = await self._ask(organisation, visit, "", owner, origin, known)
        if lease.owner == self._worker or (lease.owner and not await self._liveness.is_dead(lease.owner)):
            return lease
        owner = self._worker if choose is None else await choose()
        return await self._ask(organisation, visit, lease.owner, owner, origin, max(known, lease.fence))

    async def _ask(
        self, organisation: str, visit: str, taken_from: str, owner: str, origin: Origin | None, known: int
    ) -> Lease:
        """Take the lease of a visit's media for the worker `owner`, if the worker `taken_from` has this lease now.

        Both are ids of workers: `owner` is "" to change no owner, `taken_from` is "" if no worker has the lease.
        `origin`: the connection that requests the media, None if no connection does. `known`: the highest fence that
        is known. Return the lease as it is after the call, even if a third worker has it.
        """
        lease = keys.LEASE(organisation, visit)
        generation = "" if origin is None else origin.generation
        async with answering():
            answer = await self._take(
                keys=[lease, lease if origin is None else origin.key],
                args=[taken_from, owner, _LEASE_S, generation, known],
            )
        if not answer:
            raise SupersededError
        held, fence, taken = answer
        taken_over = bool(taken and taken_from)
        if taken_over:
            counts.TAKEOVERS[""] += 1
        return Lease(held.decode(), int(fence), taken_from if taken_over else None)

    async def holder(self, organisation: str, visit: str) -> Lease | None:
        """Return the lease of a visit's media, None if no worker has this lease.

        The lease names the worker that has it. This worker may be dead.
        """
        (lease,) = await self.holders([(organisation, visit)])
        return lease

    async def holders(self, rooms: Iterable[tuple[str, str]]) -> list[Lease | None]:
        """Return the leases of many rooms, in the same order, in one request to the store; None for a room without a
        lease.

        `rooms`: (organisation, visit) of each room.
        """
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            for organisation, visit in rooms:
                pipe.hmget(keys.LEASE(organisation, visit), "owner", "fence")
            answers = await pipe.execute()
        return [None if owner is None else Lease(owner.decode(), int(fence)) for owner, fence in answers]

    async def muted(self, organisation: str, visit: str) -> Muted:
        """Return the kinds of media that parties of a visit have muted, as the owners of its lease have stored them."""
        async with answering():
            fields = await self._redis.hgetall(keys.LEASE(organisation, visit))
        muted: Muted = {}
        for field, value in fields.items():
            name, *key = field.decode().split(":", 2)
            if name == _MUTED:
                kinds: tuple[MediaKind, ...] = ("audio", "video")
                muted[key[0], key[1]] = frozenset(kind for kind in kinds if kind in value.decode().split())
        return muted

    async def keep_muted(self, member: Member, fence: int, kinds: frozenset[MediaKind]) -> None:
        """Store the kinds of media that the party `member` has muted, for the next worker that owns the visit's room.

        `fence`: the fence of this worker's lease. Nothing is stored if the lease in the store has another fence.
        """
        async with answering():
            await self._set(
                keys=[keys.LEASE(member.organisation, member.visit)],
                args=[fence, f"{_MUTED}:{member.party}:{member.person}", " ".join(sorted(kinds))],
            )

    async def give_back(self, organisation: str, visit: str, fence: int) -> None:
        """Give back the lease of a visit's media, if this worker still has it with the number `fence`."""
        async with answering():
            await self._give_back(keys=[keys.LEASE(organisation, visit)], args=[self._worker, fence])
