"""Erases an ended visit with all its keys in one step of the store, so that a visit that is reopened loses nothing.

This module defines which keys hold data of a visit. The caller reads the visit, decides whether it may be erased, and
erases it as it was read. If the visit has changed since it was read, nothing is erased, and the caller reads it again.
All methods raise `UnavailableError` if the store does not answer.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.guarded import Check, Command, Guarded
from signalling.store.records import Store
from signalling.store.unavailable import answering
from signalling.visit.record import Visit

OF_A_VISIT = (
    keys.VISIT,
    keys.HISTORY,
    keys.CHAT,
    keys.PHOTOS,
    keys.CALLS,
    keys.PAST,
    keys.VISIT_DEVICES,
)
INDEXES_OF_ENDED = (keys.ENDED, keys.UNPACKED)
INDEXES = (*INDEXES_OF_ENDED, keys.OPEN, keys.DEADLINES)


class StoredVisit(NamedTuple):
    """A visit as it was read from the store.

    `visit`: its record; None if it does not exist or cannot be read. `lines`: the ids of its chat messages; () for a
    packed visit, whose one value contains them. `checks`: commands to the store (Valkey) that read the visit's keys,
    each with the reply that it returns if the visit has not changed since it was read.
    """

    organisation: str
    id: str
    visit: Visit | None
    lines: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def is_open(self) -> bool:
        """Return True if the visit exists, can be read, and has not ended."""
        return self.visit is not None and self.visit.is_open


class VisitErasure:
    """Reads and erases the visits of all organisations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guarded = Guarded(store.redis)

    async def read(self, organisation: str, visit_id: str) -> StoredVisit:
        """Return a visit as the store has it now."""
        visit, past, chat = (kind(organisation, visit_id) for kind in (keys.VISIT, keys.PAST, keys.CHAT))
        async with answering():
            pipe = self._store.redis.pipeline(transaction=False)
            pipe.hget(visit, "record").get(past).zrange(chat, 0, -1)
            record, packed, lines = await pipe.execute()
        checks: tuple[Check, ...] = (
            (("HGET", visit, "record"), record or "false"),
            (("GET", past), packed or "false"),
            (("ZCARD", chat), len(lines)),
        )
        found = self._opened(organisation, visit_id, record, packed)
        return StoredVisit(organisation, visit_id, found, tuple(line.decode() for line in lines), checks)

    def _opened(
        self, organisation: str, visit_id: str, record: bytes | None, packed: bytes | None
    ) -> Visit | None:
        try:
            if record is not None:
                visit: Visit = self._store.unseal(organisation, "visit", visit_id, record)
                return visit
            return None if packed is None else self._store.packed.record(organisation, visit_id, packed)
        except (SealError, msgspec.DecodeError):
            return None

    async def erase(self, found: StoredVisit, *more: Check) -> bool:
        """Erase all data of a visit, and return True; do nothing, and return False, if it has changed since it was
        read.

        `more`: checks of other values of the organisation. If one of them fails, nothing is erased, and the result is
        False.
        """
        names = [
            *(kind(found.organisation, found.id) for kind in OF_A_VISIT),
            *(keys.LINE(found.organisation, line) for line in found.lines),
        ]
        commands: list[Command] = [("DEL", name) for name in names]
        commands += [("ZREM", index(found.organisation), found.id) for index in INDEXES]
        return await self._guarded.run([*found.checks, *more], commands)

    async def unlist(self, found: StoredVisit) -> bool:
        """Remove a reopened visit from the indexes of ended visits, and return True.

        If the visit has changed since it was read (it may have ended again), remove nothing, and return False.
        """
        commands: list[Command] = [
            ("ZREM", index(found.organisation), found.id) for index in INDEXES_OF_ENDED
        ]
        return await self._guarded.run(found.checks, commands)
