"""Carries out the actions on booked visits for pages and API: hold a time, book, change the time, cancel, check in.

Each change is stored together with the jobs that send the mails about it. All methods raise `UnavailableError` if the
store does not answer, and the errors that the modules `book` and `appointment` raise if the action is not possible.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from signalling.service import Service
from signalling.visit.record import PatientInformation, Status, Visit
from web.appointments import appointment as rules
from web.appointments.appointment import Appointment
from web.appointments.book import Book, JobEntry
from web.appointments.links import Links
from web.appointments.slots import DAY_MS, Slot, slot_at, wall_time
from web.errors import StaleAppointmentError, TimeTakenError, TooLateError
from web.identity.visitors import patient as patient_of
from web.intake.ids import derived_id
from web.intake.opening import open_once
from web.organisations.settings import Organisation

AHEAD_MS = 400 * DAY_MS
"""The longest time in ms between now and a booked time."""
ANY_NUMBER = 1_000_000
FEED_SINCE_MS, FEED_AHEAD_MS, FEED_MOST = 7 * DAY_MS, 180 * DAY_MS, 500
"""How far a provider's calendar feed reaches before and after now, in ms, and the greatest number of its entries."""
AGAIN = frozenset({"withdrawn", "expired", "closed"})
"""Outcomes of a visit after which the patient of a booked time may check in again."""


class Letters(Protocol):
    """Makes the jobs that send mails about appointments."""

    def about(self, before: Appointment | None, after: Appointment, now_ms: int) -> Sequence[JobEntry]:
        """Return the jobs that send the mails about a change; they are stored together with the change.

        `before`: the appointment before the change, None if it is new; `after`: the changed appointment.
        """


class Desk:
    """Carries out the actions on booked visits: hold or change a time, book, cancel, check in. Each worker has one
    `Desk`.
    """

    def __init__(self, book: Book, links: Links, service: Service, letters: Letters) -> None:
        self.book = book
        self.links = links
        self._service = service
        self._letters = letters

    def now_ms(self) -> int:
        """Return the store's time in ms."""
        return self._service.clock_ms()

    async def hold(self, organisation: Organisation, starts_ms: int, hold: str, holder: str) -> int:
        """Keep a bookable time for a visitor until ten minutes from now; return the end of this hold in ms since the
        epoch.

        `starts_ms`: the time; `hold`: the id of the hold; `holder`: the visitor's address. Raises TimeTakenError if the
        time is not free, and TooManyHoldsError if this address already has the greatest allowed number of holds.
        """
        slot = self._slot(organisation, starts_ms)
        return await self.book.hold(organisation.id, slot, organisation.booking.capacity, hold, holder)

    async def made(self, organisation: Organisation, hold: str) -> Appointment | None:
        """Return the appointment that was booked with the hold of this id; None if there is none.

        A hold keeps a time for a visitor for ten minutes. If the visitor's form was sent twice, the first request has
        booked the appointment.
        """
        return await self.book.get(organisation.id, _appointment_id(organisation.id, hold))

    async def make(
        self,
        organisation: Organisation,
        starts_ms: int,
        patient: PatientInformation,
        *,
        hold: str,
        holder: str,
        language: str,
        zone: str,
        area: str = "",
    ) -> Appointment:
        """Book a time and return the appointment. One hold books only one visit, however often the form is sent.

        A hold keeps a time for a visitor for ten minutes. `organisation`: the settings that apply in the waiting area
        `area`; `starts_ms`: the time; `hold` and `holder`: the id of the hold and the visitor's address; `language` and
        `zone`: those of the patient. Raises TimeTakenError if the time is not free.
        """
        appointment_id = _appointment_id(organisation.id, hold)
        kept = await self.book.get(organisation.id, appointment_id)
        if kept is not None:
            return kept
        slot = self._slot(organisation, starts_ms)
        now_ms = self.now_ms()
        made = Appointment(
            id=appointment_id,
            organisation=organisation.id,
            starts_ms=slot.starts_ms,
            ends_ms=slot.ends_ms,
            patient=patient,
            language=language,
            zone=zone,
            booked_ms=now_ms,
            wall=wall_time(slot.starts_ms, organisation.timezone),
            wall_zone=organisation.timezone,
            uid=f"{appointment_id}@greenroom",
            area=area,
        )
        jobs = self._letters.about(None, made, now_ms)
        try:
            await self.book.book(made, organisation.booking.capacity, hold=hold, holder=holder, jobs=jobs)
        # The visitor's form was sent twice: the first request has stored the appointment a moment ago.
        except StaleAppointmentError:
            kept = await self.book.get(organisation.id, appointment_id)
            assert kept is not None, "what overtook it is there"
            return kept
        return made

    async def move(self, organisation: Organisation, appointment_id: str, starts_ms: int) -> Appointment:
        """Change the time of the appointment to `starts_ms`, and return it.

        Raises TimeTakenError if that time is not free, TooLateError if the time can no longer be changed, and
        LookupError if there is no such appointment.
        """

        def how(before: Appointment) -> Appointment:
            slot = self._slot(organisation.within(before.area), starts_ms)
            if before.starts_ms == slot.starts_ms and before.status is rules.Status.BOOKED:
                return before
            return rules.moved(before, slot, organisation.timezone, self.now_ms())

        return await self._change(organisation, appointment_id, how)

    async def follow_rules(self, organisation: str) -> int:
        """Change the start of future bookings whose time zone has new rules; return the number of changed bookings.

        A booking keeps the time that clocks in its time zone show, but this time is now another moment. So the patient
        receives the calendar entry again.
        """
        now_ms, count = self.now_ms(), 0
        for found in await self.book.between(organisation, now_ms, now_ms + AHEAD_MS):
            if rules.by_current_rules(found, now_ms) == found:
                continue
            # Another worker may have erased the appointment since it was read. Then nothing is changed.
            with contextlib.suppress(LookupError):
                await self.book.change(
                    organisation,
                    found.id,
                    lambda before: rules.by_current_rules(before, now_ms),
                    # The number of visits at this time has no limit here: the patient has agreed on the time and keeps
                    # it.
                    ANY_NUMBER,
                    lambda before, after: self._letters.about(before, after, now_ms),
                )
                count += 1
        return count

    async def cancel(
        self, organisation: Organisation, appointment_id: str, by: str | None = None, reason: str = ""
    ) -> Appointment:
        """Cancel the appointment and return it.

        `by`: the name of the member of staff who cancels, None for the patient; `reason`: a text for the patient, ""
        for none. Raises TooLateError if the visit can no longer be cancelled, and LookupError if there is no such
        appointment.
        """

        def how(before: Appointment) -> Appointment:
            if before.status is rules.Status.CANCELLED:
                return before
            return rules.cancelled(before, by, reason, self.now_ms())

        return await self._change(organisation, appointment_id, how)

    async def check_in(self, organisation: Organisation, appointment_id: str) -> Visit:
        """Return the open visit of a booking; if there is none, open a visit in the queue, marked as booked, and return
        it.

        Raises TooLateError if the patient may not check in now, and LookupError if there is no such appointment.
        """
        kept = await self.book.get(organisation.id, appointment_id)
        if kept is None:
            raise LookupError(appointment_id)
        visit = await self.visit(kept)
        if visit is not None and visit.is_open:
            return visit
        if visit is not None and visit.outcome not in AGAIN:
            raise TooLateError
        last = kept.visit
        if last is None or visit is not None:

            def how(before: Appointment) -> Appointment:
                # If another request has checked the patient in since the record was read, the visit of that
                # request is used.
                return before if before.visit != last else rules.checked_in(before, self.now_ms())

            kept = await self.book.change(organisation.id, appointment_id, how, 0)
        elif not rules.may_check_in(kept, self.now_ms()):
            raise TooLateError
        assert kept.visit is not None, "checked in"
        actor = patient_of(organisation.id, kept.visit, kept.patient.name)
        # The waiting area may have been removed since the booking; then the visit has none.
        area = kept.area if kept.area in organisation.area_names else ""
        return await open_once(
            self._service, actor, kept.patient, kept.visit, booked_ms=kept.starts_ms, area=area
        )

    async def visit(self, appointment: Appointment) -> Visit | None:
        """Return the visit that the last check-in opened; None if there was no check-in or the visit was erased."""
        if appointment.visit is None:
            return None
        return await self._service.visit(appointment.organisation, appointment.visit)

    async def of_provider(self, organisation: str, person: str) -> list[Appointment]:
        """Return the booked visits for the calendar of a member of staff, cancelled or not, in the order of their
        times.

        Future visits are included for every provider, because any provider may claim them. A visit that a colleague
        has claimed is left out.
        """
        now_ms = self.now_ms()
        found = await self.book.nearest(
            organisation, now_ms - FEED_SINCE_MS, now_ms, now_ms + FEED_AHEAD_MS, FEED_MOST
        )
        visits = await asyncio.gather(*map(self.visit, found))
        return [
            one
            for one, visit in zip(found, visits, strict=True)
            if visit is None or visit.claimant is None or visit.claimant.id == person
        ]

    async def may_check_in(self, appointment: Appointment) -> bool:
        """Return whether the patient of a booked visit may press Check In now."""
        visit = await self.visit(appointment)
        over = visit is not None and visit.status is Status.ENDED and visit.outcome not in AGAIN
        return rules.may_check_in(appointment, self.now_ms()) and not over

    async def _change(
        self,
        organisation: Organisation,
        appointment_id: str,
        how: Callable[[Appointment], Appointment],
    ) -> Appointment:
        return await self.book.change(
            organisation.id,
            appointment_id,
            how,
            organisation.booking.capacity,
            lambda before, after: self._letters.about(before, after, self.now_ms()),
        )

    def _slot(self, organisation: Organisation, starts_ms: int) -> Slot:
        slot = slot_at(organisation, self.now_ms(), starts_ms)
        if slot is None:
            raise TimeTakenError
        return slot


def _appointment_id(organisation: str, hold: str) -> str:
    return derived_id("a", organisation, hold)
