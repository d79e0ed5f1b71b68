"""Erases visits and booked visits, and everything else that names them: messages, notifications, jobs, events, mails.

This module defines which keys of the store hold such data; `signalling/store/visit_erasure.py` defines the keys of a
visit. Entries of the audit log are kept; they contain ids, but nothing that a patient wrote.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from signalling.errors import SealError, UnavailableError
from signalling.store import keys, notices
from signalling.store.event_stream import StreamEntry, decode_entry
from signalling.store.guarded import Command, Guarded
from signalling.store.jobs import Job, Jobs, Taken
from signalling.store.records import Store
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out
from signalling.store.visit_erasure import StoredVisit, VisitErasure
from signalling.visit.record import Visit
from web.appointments.appointment import Appointment
from web.errors import CommandError
from web.mail import outbox
from web.patients.exporting import LINES
from web.patients.naming import Names
from web.server.store_rewriting import erasing

EVENTS_AT_ONCE = 200
AT_ONCE = 100
"""The number of notifications or jobs that are decrypted in one turn of the event loop."""
ROUNDS = 20
"""The greatest number of times that an erasure is tried; it is tried again if a record was changed meanwhile."""


class Erasure:
    """Erases records of one organisation. All methods raise `UnavailableError` if the store does not answer."""

    def __init__(self, store: Store, organisation: str, data: Path) -> None:
        self._store = store
        self._redis: Any = store.redis
        self._organisation = organisation
        self._data = data
        self._visit_erasure = VisitErasure(store)
        self._guarded = Guarded(store.redis)

    async def erase(self, visits: Sequence[Visit], booked: Sequence[Appointment]) -> None:
        """Erase these visits and booked visits, and all other data that name them.

        Raises CommandError if one of the visits is open, perhaps because it was reopened in the meantime.
        """
        organisation, names = self._organisation, Names(visits, booked)
        left, left_booked = [visit.id for visit in visits], [one.id for one in booked]
        for _ in range(ROUNDS):
            found = [await self._visit_erasure.read(organisation, visit) for visit in left]
            require_ended(found)
            records = {one: await self._record(one) for one in left_booked}
            async with answering(), erasing(self._redis):
                # The emergency accesses are erased first. An access is stored after all notifications about it, so
                # the notifications about each access that is found here exist already, and are erased below.
                grants = await self._grants(names)
                await self._events({*left, *await self._lines(found)}, names)
                await self._notifications(names)
                await self._jobs(names)
            await asyncio.to_thread(_erase_mails, self._data, organisation, names)
            # The records are erased last, because the other data of the patient is found by them. So an erasure that
            # was interrupted can be repeated from its beginning.
            async with answering(), erasing(self._redis):
                left = await self._visits(found, grants)
                left_booked = [one for one, record in records.items() if not await self._booked(one, record)]
            if not left and not left_booked:
                return
            # Some records were changed after they were read. A change may have added other data that name its record,
            # so the erasure is repeated.
        raise UnavailableError("overtaken too often")

    async def _lines(self, found: Iterable[StoredVisit]) -> list[str]:
        """Return the ids of the chat messages of these visits, so that the events of the messages can be erased."""
        ids = list[str]()
        for one in found:
            packed = [] if one.lines else await self._store.lines(self._organisation, one.id, LINES)
            ids += (*one.lines, *(line.id for line in packed))
        return ids

    async def _visits(self, found: Iterable[StoredVisit], grants: int) -> list[str]:
        """Erase visits with their chat messages; return the ids of the visits that were not erased.

        A visit that was changed since it was read is not erased. `grants`: the number of emergency accesses that
        `_grants` has left in the store. If this number has changed, no visit is erased, because a new access and its
        notifications may name one of the visits.
        """
        same = ("ZCARD", keys.EMERGENCIES(self._organisation)), grants
        return [one.id for one in found if not await self._visit_erasure.erase(one, same)]

    async def _record(self, booked: str) -> bytes | None:
        """Return the encrypted record of a booked visit; None if there is none."""
        async with answering():
            found: bytes | None = await self._redis.hget(
                keys.APPOINTMENT(self._organisation, booked), "record"
            )
        return found

    async def _booked(self, booked: str, record: bytes | None) -> bool:
        """Erase a booked visit and return True.

        If its record has changed since it was read, erase nothing and return False.
        """
        organisation = self._organisation
        key = keys.APPOINTMENT(organisation, booked)
        commands: list[Command] = [
            ("DEL", key),
            ("ZREM", keys.APPOINTMENTS(organisation), booked),
            ("ZREM", keys.SLOTS(organisation), booked),
            ("HDEL", keys.SLOT_SPANS(organisation), booked),
        ]
        return await self._guarded.run([(("HGET", key, "record"), record or "false")], commands)

    async def _grants(self, names: Names) -> int:
        """Erase the emergency accesses that contain one of the names; return how many accesses are left."""
        organisation = self._organisation
        key = keys.EMERGENCIES(organisation)
        members, gone = await self._redis.zrange(key, 0, -1), list[bytes]()
        for member in members:
            with contextlib.suppress(SealError):
                if names.in_packed(self._store.seal.open(member, f"{organisation}/emergency")):
                    gone.append(member)
        if gone:
            await self._redis.zrem(key, *gone)
        return len(members) - len(gone)

    async def _events(self, members: Collection[str], names: Names) -> None:
        """Delete events from the organisation's stream: those of `members`, and those that notify of one of `names`.

        `members`: ids of visits and chat messages. An event contains a copy of its record. An event of another record,
        such as a member of staff, may contain a notification about a visit, so all notifications are searched.
        """
        stream, start = keys.EVENTS(self._organisation), "-"
        while found := await self._redis.xrange(stream, min=start, count=EVENTS_AT_ONCE):
            gone = [name for name, fields in found if self._concerns(fields.get(b"e", b""), members, names)]
            if gone:
                await self._redis.xdel(stream, *gone)
            start = b"(" + found[-1][0]

    def _concerns(self, data: bytes, members: Collection[str], names: Names) -> bool:
        """Return whether an event must be deleted. An event that cannot be decoded must: it may name the patient."""
        with leaving_out(self._organisation, "event"):
            event = decode_entry(data)
            return event.member in members or self._notifies(event, names)
        return True

    def _notifies(self, event: StreamEntry, names: Names) -> bool:
        """Return whether the event has a notification that contains one of the names."""
        for person, sealed in event.notices:
            with contextlib.suppress(SealError):
                if names.in_packed(self._store.seal.open(sealed, f"{self._organisation}/bell/{person}")):
                    return True
        return False

    async def _notifications(self, names: Names) -> None:
        organisation = self._organisation
        for person in await notices.people(self._redis, organisation):
            key = keys.BELL(organisation, person)
            async for member in self._naming(key, f"{organisation}/bell/{person}", names):
                await self._redis.zrem(key, member)

    async def _jobs(self, names: Names) -> None:
        """Remove the jobs that contain one of the names, such as mails and deliveries to webhooks: jobs that wait, and
        jobs that were given up.
        """
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
        """Yield the members of the sorted set at `key` that contain one of the names; the caller must remove each.

        `place`: the text with which the members were sealed (encrypted); decryption needs the same text. A member
        that cannot be decrypted is left out.
        """
        found = True
        # The set is read again until no member contains one of the names. In the meantime, a rotation of the keys may
        # have encrypted a member again. Its bytes are then no longer those that were read, so the caller could not
        # remove it.
        while found:
            found = False
            for number, member in enumerate(await self._redis.zrange(key, 0, -1)):
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
                with contextlib.suppress(SealError):
                    if names.in_packed(self._store.seal.open(member, place)):
                        found = True
                        yield member


def require_ended(found: Iterable[StoredVisit | Visit]) -> None:
    """Raise CommandError if one of these visits is open."""
    if still := [one.id for one in found if one.is_open]:
        raise CommandError(f"{', '.join(still)} has not ended: end it first, then erase it")


def _erase_mails(data: Path, organisation: str, names: Names) -> None:
    """Erase the mails in the data folder that name one of the erased records."""
    for path in (data / outbox.OUTBOX).glob(f"*.{organisation}.eml"):
        with contextlib.suppress(FileNotFoundError):
            if names.in_text(path.read_bytes()):
                path.unlink()
