"""Stores the bookings, and ensures that a time is never given to more visits than there are free providers.

Every change is one call of the Lua script `book.lua`, which the store runs atomically. A visitor can hold a
time for ten minutes while filling in a form. Records are encrypted. All methods raise `UnavailableError` if
the store does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from signalling.errors import SealError, UnavailableError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering
from web.appointments.appointment import Appointment
from web.appointments.slots import LONGEST_MS, MINUTE_MS, Slot, Taken
from web.errors import StaleAppointmentError, TimeTakenError, TooManyHoldsError

HOLD_MS = 10 * MINUTE_MS
"""How long, in ms, a bookable time is held for a visitor who fills in the form."""
HOLDS_AT_MOST = 8
"""The greatest number of bookable times that the visitors from one IP address may hold at the same time. The number is
above 1, because many patients may share an address.
"""

ATTEMPTS = 20
AT_ONCE = 250
"""The number of records that are read and decrypted in one turn of the event loop."""
SCRIPT = (Path(__file__).parent / "book.lua").read_text()
log = structlog.get_logger("web.appointments")
_decoder = msgspec.msgpack.Decoder(Appointment)

JobEntry = tuple[int, bytes]
"""A job as the store keeps it: its due time (ms) and its encrypted bytes (signalling.store.jobs)."""


class Book:
    """Reads and changes the bookings of all organisations in the store."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._change: Any = redis.register_script(SCRIPT)

    async def taken(self, organisation: str, since_ms: int, until_ms: int, *, but: str = "") -> list[Taken]:
        """Return the booked or held periods that overlap the time from `since_ms` to `until_ms` (ms since the epoch).

        The result may contain earlier periods, too. A held time is kept for a visitor for ten minutes. `but`: the id of
        a booking or hold that the result leaves out; "" to leave out none.
        """
        async with answering():
            seconds, micros = await self._redis.time()
            near = await self._redis.zrangebyscore(
                keys.SLOTS(organisation), since_ms - LONGEST_MS, until_ms, withscores=True
            )
            names = [name for name, _ in near]
            spans = await self._redis.hmget(keys.SLOT_SPANS(organisation), names) if names else []
        now_ms = seconds * 1000 + micros // 1000
        found = []
        for (name, starts_ms), span in zip(near, spans, strict=True):
            ends_ms, expires_ms = (int(part) for part in (span or b"0 1").split())
            if name.decode() != but and (expires_ms == 0 or expires_ms > now_ms):
                found.append(Taken(int(starts_ms), ends_ms))
        return found

    async def hold(self, organisation: str, slot: Slot, capacity: int, hold: str, holder: str) -> int:
        """Keep a bookable time for a visitor until ten minutes from now; return the end of this hold in ms since the
        epoch.

        `slot`: the time; `capacity`: how many visits may have it; `hold`: the id of the hold; `holder`: the address of
        the visitor. Raises TimeTakenError if the time is not free, and TooManyHoldsError if this address already has
        HOLDS_AT_MOST holds.
        """
        return await self._run(
            organisation, slot=slot, capacity=capacity, member=hold, holder=holder, hold_ms=HOLD_MS
        )

    async def book(
        self,
        appointment: Appointment,
        capacity: int,
        *,
        hold: str = "",
        holder: str = "",
        jobs: Sequence[JobEntry] = (),
    ) -> None:
        """Write a new appointment, or the next version of an appointment.

        `capacity`: how many visits may have this time. `hold` and `holder`: the id of the visitor's hold and the
        visitor's address, "" if there is no hold; the hold ends, because the appointment now occupies the held time.
        `jobs`: the jobs that send mails about the appointment, stored in the same commit. Raises TimeTakenError if the
        time is not free, and StaleAppointmentError if another change was stored first.
        """
        taken = appointment.taken
        slot = None if taken is None else Slot(taken.starts_ms, taken.ends_ms, 1)
        await self._run(
            appointment.organisation,
            slot=slot,
            capacity=capacity,
            member=appointment.id,
            hold=hold,
            holder=holder,
            record=appointment,
            jobs=jobs,
        )

    async def change(
        self,
        organisation: str,
        appointment_id: str,
        how: Callable[[Appointment], Appointment],
        capacity: int,
        jobs: Callable[[Appointment, Appointment], Sequence[JobEntry]] = lambda *_: (),
    ) -> Appointment:
        """Change an appointment and return it.

        `how` returns the changed record; it is called again if another change was stored first. `capacity`: how many
        visits may have the new time. `jobs` gets the record before and after the change, and returns the jobs that
        send mails about it. Raises LookupError if there is no such appointment, TimeTakenError if its new time is not
        free, and the errors of `how`.
        """
        for _ in range(ATTEMPTS):
            before = await self.get(organisation, appointment_id)
            if before is None:
                raise LookupError(appointment_id)
            after = how(before)
            if after == before:
                return before
            try:
                # If the appointment keeps its time, the capacity is not checked: it may have become lower since the
                # visit was booked.
                room = capacity if after.taken != before.taken else 1_000_000
                await self.book(after, room, jobs=jobs(before, after))
                return after
            except StaleAppointmentError:
                continue
        raise UnavailableError("overtaken too often")

    async def get(self, organisation: str, appointment_id: str) -> Appointment | None:
        """Return the appointment with this id; None if there is none."""
        async with answering():
            sealed = await self._redis.hget(keys.APPOINTMENT(organisation, appointment_id), "record")
        return None if sealed is None else self._open(organisation, appointment_id, sealed)

    async def between(self, organisation: str, since_ms: int, until_ms: int) -> list[Appointment]:
        """Return all appointments, cancelled or not, that begin at `since_ms` or later and before `until_ms`, the
        earliest first.
        """
        async with answering():
            found = await self._redis.zrangebyscore(keys.APPOINTMENTS(organisation), since_ms, f"({until_ms}")
        return await self._read(organisation, found)

    async def nearest(
        self, organisation: str, since_ms: int, now_ms: int, until_ms: int, most: int
    ) -> list[Appointment]:
        """Return at most `most` appointments that begin at `since_ms` or later and before `until_ms`, the earliest
        first.

        If there are more, the result contains the earliest appointments from `now_ms` on. If fewer than `most` begin at
        `now_ms` or later, the latest appointments before `now_ms` are added.
        """
        index = keys.APPOINTMENTS(organisation)
        async with answering():
            found = await self._redis.zrangebyscore(index, now_ms, f"({until_ms}", start=0, num=most)
            found += await self._redis.zrevrangebyscore(
                index, f"({now_ms}", since_ms, start=0, num=most - len(found)
            )
        return await self._read(organisation, found)

    async def _read(self, organisation: str, found: Sequence[bytes]) -> list[Appointment]:
        appointments = []
        for first in range(0, len(found), AT_ONCE):
            some = found[first : first + AT_ONCE]
            async with answering():
                pipe = self._redis.pipeline(transaction=False)
                for name in some:
                    pipe.hget(keys.APPOINTMENT(organisation, name.decode()), "record")
                records = await pipe.execute()
            for name, sealed in zip(some, records, strict=True):
                try:
                    if sealed is not None:
                        appointments.append(self._open(organisation, name.decode(), sealed))
                except (SealError, msgspec.DecodeError):
                    # A record that cannot be read is left out, so that the other appointments of the day are
                    # still shown.
                    log.error("appointment.unreadable", organisation=organisation)
        return sorted(appointments, key=lambda one: (one.starts_ms, one.booked_ms, one.id))

    def _open(self, organisation: str, appointment_id: str, sealed: bytes) -> Appointment:
        return _decoder.decode(self._seal.open(sealed, f"{organisation}/appointment/{appointment_id}"))

    async def _run(
        self,
        organisation: str,
        *,
        slot: Slot | None,
        capacity: int,
        member: str,
        hold: str = "",
        holder: str = "",
        hold_ms: int = 0,
        record: Appointment | None = None,
        jobs: Sequence[JobEntry] = (),
    ) -> int:
        args: list[Any] = [
            member,
            hold,
            "" if slot is None else slot.starts_ms,
            "" if slot is None else slot.ends_ms,
            capacity,
            hold_ms,
            LONGEST_MS,
            HOLDS_AT_MOST,
        ]
        if record is None:
            args.append("")
        else:
            place = f"{organisation}/appointment/{record.id}"
            sealed = self._seal.close(msgspec.msgpack.encode(record), place)
            args += [record.version - 1, record.version, sealed, record.starts_ms]
            args += [part for job in jobs for part in job]
        async with answering():
            outcome, *more = await self._change(
                keys=[
                    keys.SLOTS(organisation),
                    keys.SLOT_SPANS(organisation),
                    keys.APPOINTMENT(organisation, member),
                    keys.APPOINTMENTS(organisation),
                    keys.JOBS(organisation),
                    keys.HOLDS(organisation, keys.hashed(holder)[:16]),
                ],
                args=args,
            )
        if outcome in _REFUSALS:
            raise _REFUSALS[outcome]
        return int(more[0])


_REFUSALS = {b"full": TimeTakenError, b"many": TooManyHoldsError, b"overtaken": StaleAppointmentError}
