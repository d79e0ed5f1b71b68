"""Stores who has emergency access to which visit, why, and until when.

A grant is one encrypted member of a sorted set; the member's score is the time at which the access began. The reason
in a grant may name the patient. So the grant is erased with the visit, or when the organisation's days of retention
are over. All methods raise `UnavailableError` if the store does not answer.
"""

import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out

MINUTE_MS = 60_000
LONGEST_MIN = 240
"""The longest time in minutes that an organisation may set for one emergency access."""
_REPLACE = "if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then return redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3]) end"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The emergency access of one person to one visit.

    `person` and `name`: the account's id, and its name when the access began. `reason`: what the person wrote.
    `ended_by`: the name of the person who ended the access early, "" if nobody did; `ended_ms`: the time of this early
    end, 0 if there was no early end.
    """

    id: str
    visit: str
    person: str
    name: str
    reason: str
    since_ms: int
    until_ms: int
    ended_by: str = ""
    ended_ms: int = 0

    def holds(self, now_ms: int) -> bool:
        """Return whether the access still lasts at the time `now_ms`: its time is not over, and nobody has ended
        it."""
        return now_ms < self.until_ms and not self.ended_ms


def new_grant(visit: str, person: str, name: str, reason: str, now_ms: int, minutes: int) -> Grant:
    """Return a grant that begins now and lasts for this number of minutes."""
    return Grant(
        id=f"e_{secrets.token_urlsafe(9)}",
        visit=visit,
        person=person,
        name=name,
        reason=reason,
        since_ms=now_ms,
        until_ms=now_ms + minutes * MINUTE_MS,
    )


class Grants:
    """Reads and writes the grants of emergency access of all organisations."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._swap: Any = redis.register_script(_REPLACE)

    async def add(self, organisation: str, grant: Grant) -> None:
        """Store a grant of emergency access. From now on, its person may read its visit."""
        async with answering():
            await self._redis.zadd(
                keys.EMERGENCIES(organisation), {self._sealed(organisation, grant): grant.since_ms}
            )

    async def of(self, organisation: str, person: str, visit: str, now_ms: int) -> Grant | None:
        """Return the grant of emergency access by which a person may read a visit now; None if there is none."""
        found = await self.holding(organisation, now_ms)
        return next((one for one in found if one.person == person and one.visit == visit), None)

    async def holding(self, organisation: str, now_ms: int) -> list[Grant]:
        """Return the grants that give access now, the newest first."""
        found = await self._read(organisation, now_ms - LONGEST_MIN * MINUTE_MS)
        return [one for _, one in found if one.holds(now_ms)]

    async def newest(self, organisation: str, most: int, skip: int = 0) -> list[Grant]:
        """Return at most `most` grants of an organisation, the newest first, without the `skip` newest grants."""
        async with answering():
            found = await self._redis.zrange(keys.EMERGENCIES(organisation), skip, skip + most - 1, desc=True)
        return [one for _, one in self._opened(organisation, found)]

    async def between(self, organisation: str, since_ms: int, until_ms: int) -> list[Grant]:
        """Return the grants that began between these two times, the newest first."""
        return [one for _, one in await self._read(organisation, since_ms, until_ms)]

    async def count(self, organisation: str) -> int:
        """Return the number of all grants of an organisation."""
        async with answering():
            return int(await self._redis.zcard(keys.EMERGENCIES(organisation)))

    async def without_visit(self, organisation: str) -> list[tuple[bytes, Grant]]:
        """Return the grants for visits that do not exist any more, each with its stored bytes."""
        found = await self._read(organisation, 0)
        visits = sorted({one.visit for _, one in found})
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            for visit in visits:
                pipe.exists(keys.VISIT(organisation, visit), keys.PAST(organisation, visit))
            kept = await pipe.execute() if visits else []
        gone = {visit for visit, exists in zip(visits, kept, strict=True) if not exists}
        return [(sealed, one) for sealed, one in found if one.visit in gone]

    async def erase(self, organisation: str, stored: Iterable[bytes]) -> None:
        """Erase grants. `stored`: the bytes of each grant in the store."""
        async with answering():
            await self._redis.zrem(keys.EMERGENCIES(organisation), *stored)

    async def end(self, organisation: str, grant_id: str, by: str, now_ms: int) -> Grant | None:
        """End the grant with this id, and return it; return None if there is no such grant or it has ended already.

        `by`: the name of the person who ends the grant. Two requests at the same time may have begun two grants. So all
        other grants of the same person for the same visit end, too.
        """
        found = await self._read(organisation, now_ms - LONGEST_MIN * MINUTE_MS)
        holding = [(sealed, one) for sealed, one in found if one.holds(now_ms)]
        wanted = next((one for _, one in holding if one.id == grant_id), None)
        ended = None
        for sealed, one in holding:
            if wanted is None or (one.person, one.visit) != (wanted.person, wanted.visit):
                continue
            over = msgspec.structs.replace(one, ended_by=by, ended_ms=now_ms)
            args = [sealed, one.since_ms, self._sealed(organisation, over)]
            async with answering():
                done = await self._swap(keys=[keys.EMERGENCIES(organisation)], args=args)
            if done and one.id == grant_id:
                ended = over
        return ended

    async def _read(
        self, organisation: str, since_ms: int, until_ms: int | None = None
    ) -> list[tuple[bytes, Grant]]:
        """Return the grants that began at `since_ms` or later, each with its stored bytes, the newest first.

        `until_ms`: only grants that began at this time or earlier; None for all.
        """
        last = "+inf" if until_ms is None else until_ms
        async with answering():
            found = await self._redis.zrange(
                keys.EMERGENCIES(organisation), last, since_ms, byscore=True, desc=True
            )
        return self._opened(organisation, found)

    def _opened(self, organisation: str, found: Iterable[bytes]) -> list[tuple[bytes, Grant]]:
        """Return decrypted grants, each with its stored bytes.

        A grant that cannot be read is left out, so that the pages still show the other grants. It gives no access.
        """
        place, opened = _place(organisation), list[tuple[bytes, Grant]]()
        for sealed in found:
            with leaving_out(organisation, "emergency"):
                opened.append((sealed, _DECODER.decode(self._seal.open(sealed, place))))
        return opened

    def _sealed(self, organisation: str, grant: Grant) -> bytes:
        return self._seal.close(msgspec.msgpack.encode(grant), _place(organisation))


_DECODER = msgspec.msgpack.Decoder(Grant)


def _place(organisation: str) -> str:
    return f"{organisation}/emergency"
