"""Erases visits and booked visits, and everything else that names them: messages, notifications, jobs, events, mails.

This module defines which keys of the store hold such data. Entries of the audit log are kept; they contain ids, but
nothing that a patient wrote.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.event_stream import StreamEntry, decode_entry
from signalling.store.jobs import Job, Jobs, Taken
from signalling.store.records import Store
from signalling.store.unavailable import answering
from signalling.visit.record import Visit
from web.appointments.appointment import Appointment
from web.errors import CommandError
from web.mail import outbox
from web.patients.exporting import LINES
from web.patients.naming import Names
from web.retention import erase_visit
from web.server.store_rewriting import erasing

EVENTS_AT_ONCE = 200


class Erasure:
    """Erases records of one organisation. All methods raise `UnavailableError` if the store does not answer."""

    def __init__(self, store: Store, organisation: str, data: Path) -> None:
        self._store = store
        self._redis: Any = store.redis
        self._organisation = organisation
        self._data = data

    async def erase(self, visits: Sequence[Visit], booked: Sequence[Appointment]) -> None:
        """Erase these visits and booked visits, and all other data that name them.

        Raises CommandError if a visit has not ended, also if it was reopened in the meantime.
        """
        _all_ended(visits)
        organisation, names = self._organisation, Names(visits, booked)
        async with answering(), erasing(self._redis):
            await self._events({*(visit.id for visit in visits), *await self._lines(visits)}, names)
            await self._notifications(names)
            await self._jobs(names)
            key = keys.EMERGENCIES(organisation)
            async for member in self._naming(key, f"{organisation}/emergency", names):
                await self._redis.zrem(key, member)
        await asyncio.to_thread(_erase_mails, self._data, organisation, names)
        # The records are erased last. After an interrupted erasure the records can still be found, so the erasure
        # can be repeated with everything that names them.
        # A visit may have been reopened while the other data was erased, so the visits are read again.
        now = [(await self._store.load(organisation, Visit, visit.id))[0] for visit in visits]
        _all_ended([visit for visit in now if visit is not None])
        async with answering(), erasing(self._redis):
            await self._visits(visits)
            for one in booked:
                await self._redis.delete(keys.APPOINTMENT(organisation, one.id))
                await self._redis.zrem(keys.APPOINTMENTS(organisation), one.id)
                await self._redis.zrem(keys.SLOTS(organisation), one.id)
                await self._redis.hdel(keys.SLOT_SPANS(organisation), one.id)

    async def _lines(self, visits: Iterable[Visit]) -> list[str]:
        """Return the ids of the chat messages of these visits."""
        ids = list[str]()
        for visit in visits:
            found = await self._redis.zrange(keys.CHAT(self._organisation, visit.id), 0, -1)
            ids += [line.decode() for line in found]
            ids += [line.id for line in await self._store.lines(self._organisation, visit.id, LINES)]
        return ids

    async def _visits(self, visits: Iterable[Visit]) -> None:
        """Erase visits with their chat messages."""
        for visit in visits:
            await erase_visit(self._redis, self._organisation, visit.id)
            for index in (keys.ENDED, keys.UNPACKED, keys.OPEN, keys.DEADLINES):
                await self._redis.zrem(index(self._organisation), visit.id)

    async def _events(self, members: Collection[str], names: Names) -> None:
        """Delete from the stream the events of these records, and those whose notifications contain one of `names`.

        `members`: the ids of the records; an event has a copy of its record. An event of another record, such as
        that of a member of staff, may have a notification about a visit.
        """
        stream, start = keys.EVENTS(self._organisation), "-"
        while found := await self._redis.xrange(stream, min=start, count=EVENTS_AT_ONCE):
            entries = [(name, decode_entry(fields[b"e"])) for name, fields in found]
            gone = [name for name, one in entries if one.member in members or self._notifies(one, names)]
            if gone:
                await self._redis.xdel(stream, *gone)
            start = b"(" + found[-1][0]

    def _notifies(self, event: StreamEntry, names: Names) -> bool:
        """Return whether the event has a notification that contains one of the names."""
        for person, sealed in event.notices:
            with contextlib.suppress(SealError):
                if names.in_packed(self._store.seal.open(sealed, f"{self._organisation}/bell/{person}")):
                    return True
        return False

    async def _notifications(self, names: Names) -> None:
        organisation = self._organisation
        people = {
            *await self._redis.zrange(keys.STAFF(organisation), 0, -1),
            *await self._redis.hkeys(keys.ACCOUNTS(organisation)),
        }
        for person in (name.decode() for name in people):
            key = keys.BELL(organisation, person)
            async for member in self._naming(key, f"{organisation}/bell/{person}", names):
                await self._redis.zrem(key, member)

    async def _jobs(self, names: Names) -> None:
        """Remove the mails, webhooks and short messages, queued or given up, that contain one of the names."""
        organisation, place = self._organisation, f"{self._organisation}/job"
        prefix = keys.QUEUE(organisation, "")
        queues = [name.decode() async for name in self._redis.scan_iter(match=f"{prefix}*", count=1000)]
        for kind in ("", *(name.removeprefix(prefix) for name in queues)):
            key = keys.QUEUE(organisation, kind) if kind else keys.JOBS(organisation)
            jobs = Jobs(self._redis, self._store.seal, kind)
            async for member in self._naming(key, place, names):
                job = Job(id="", kind="", payload={}, made_ms=0)
                await jobs.done(organisation, Taken(job, member, 0, 0, 0))
        dead = keys.DEAD_JOBS(organisation)
        async for member in self._naming(dead, place, names):
            await self._redis.zrem(dead, member)

    async def _naming(self, key: str, place: str, names: Names) -> AsyncIterator[bytes]:
        """Yield the members of the sorted set at `key` that contain one of the names, so that they can be removed.

        `place`: the text that was given to the seal when the members were encrypted. A member that cannot be
        decrypted is left out.
        """
        found = True
        # The set is read again until no member contains one of the names. A rotation of the keys encrypts members
        # again. A member that was encrypted again since it was read has other bytes, so removing it has had no
        # effect.
        while found:
            found = False
            for member in await self._redis.zrange(key, 0, -1):
                with contextlib.suppress(SealError):
                    if names.in_packed(self._store.seal.open(member, place)):
                        found = True
                        yield member


def _all_ended(visits: Iterable[Visit]) -> None:
    if still := [visit.id for visit in visits if visit.is_open]:
        raise CommandError(f"{', '.join(still)} has not ended: end it first, then erase it")


def _erase_mails(data: Path, organisation: str, names: Names) -> None:
    """Erase the mails in the data folder that name one of the erased records."""
    for path in (data / outbox.OUTBOX).glob(f"*.{organisation}.eml"):
        with contextlib.suppress(FileNotFoundError):
            if names.in_text(path.read_bytes()):
                path.unlink()
