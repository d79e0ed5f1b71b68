"""The stored notifications of a person: the newest notifications, and the position up to which they were read.

The commit of an event writes the notifications that the event causes (`records.py`). `web/retention.py` erases
notifications.
"""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.records import Store
from signalling.store.unavailable import answering
from signalling.store.unreadable import readable
from signalling.visit.record import Mark, Notice

# the time in ms for which a notification is kept
KEPT_MS = 90 * 86_400_000
# the number of notifications that a bell shows, the newest first
SHOWN = 100
_decoder = msgspec.msgpack.Decoder(Notice)


def read_until(mark: Mark | None) -> int:
    """Return the position of the newest notification that a person has read; 0 if none. `mark`: the person's read mark.

    Marks of older releases contain a time instead of a position. This time is returned: it can be compared
    with positions, because the position of a notification is normally its time in ms.
    """
    return 0 if mark is None else mark.place or mark.until_ms


async def people(redis: Redis, organisation: str) -> list[str]:
    """Return the ids of all persons who may have notifications: the known staff, and all accounts.

    Raises `UnavailableError` if the store does not answer.
    """
    async with answering():
        pipe: Any = redis.pipeline(transaction=False)
        pipe.zrange(keys.STAFF(organisation), 0, -1).hkeys(keys.ACCOUNTS(organisation))
        staff, accounts = await pipe.execute()
    return [name.decode() for name in {*staff, *accounts}]


class Notices:
    """Reads the stored notifications of persons.

    All methods except `opened` raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def opened(self, organisation: str, person: str, sealed: bytes) -> Notice:
        """Return the notification in the encrypted bytes `sealed`. Raises `SealError` if it belongs to another
        person.
        """
        return _decoder.decode(self._store.seal.open(sealed, f"{organisation}/bell/{person}"))

    async def newest(self, organisation: str, person: str) -> tuple[list[Notice], int]:
        """Return (a person's newest notifications, the newest first; the number of unread notifications).

        Notifications that cannot be read are left out, and not counted if they are among the newest.
        """
        key = keys.BELL(organisation, person)
        mark, now_ms = await self._store.load(organisation, Mark, person)
        async with answering():
            pipe = self._store.redis.pipeline(transaction=False)
            pipe.zremrangebyscore(key, "-inf", now_ms - KEPT_MS)
            pipe.zrange(key, 0, SHOWN - 1, desc=True)
            pipe.zcount(key, f"({read_until(mark)}", "+inf")
            _, sealed, unread = await pipe.execute()
        found = [self._readable(organisation, person, data) for data in sealed]
        return [notice for notice in found if notice is not None], unread - found[:unread].count(None)

    def _readable(self, organisation: str, person: str, sealed: bytes) -> Notice | None:
        return readable(organisation, "notice", sealed, lambda data: self.opened(organisation, person, data))

    async def place(self, organisation: str, person: str, until_ms: int) -> int:
        """Return the position of a person's notification with the time `until_ms`, or of the newest notification before
        it; 0 if there is none.

        A notification's position is its score in the sorted set. The position grows with each notification, even if the
        clock is set back.
        """
        async with answering():
            found = await self._store.redis.zrange(
                keys.BELL(organisation, person), 0, SHOWN - 1, desc=True, withscores=True
            )
        opened = ((self._readable(organisation, person, sealed), int(score)) for sealed, score in found)
        kept = [(notice.at_ms, score) for notice, score in opened if notice is not None]
        exact = [place for at_ms, place in kept if at_ms == until_ms]
        before = [place for at_ms, place in kept if at_ms <= until_ms]
        return max(exact or before, default=0)
