"""Finds visits and booked visits: by id, or by what a patient wrote into the form.

Records are encrypted, so a search reads all records of an organisation. The search can be done in parts.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import date
from typing import NamedTuple

import phonenumbers

from signalling.store.past_visits import folded
from signalling.store.records import OLDEST, Place, Store
from signalling.visit.record import PatientInformation, Visit
from web.appointments.appointment import Appointment
from web.appointments.book import Book

AT_ONCE = 250
EVER_MS = 2**52


class Wanted(NamedTuple):
    """Describes which records are wanted: those with one of `ids` and those of `patient`; all records without both.

    `patient`: a name, an email address or a phone number, "" for no patient; `born`: the date of birth that the
    patient must have in addition, "" for any.
    """

    ids: Sequence[str] = ()
    patient: str = ""
    born: str = ""

    @property
    def everything(self) -> bool:
        """Whether all records of the organisation are wanted."""
        return not self.ids and not self.patient

    def fits(self, id_: str, patient: PatientInformation) -> bool:
        """Return whether a record with this id and patient information is wanted."""
        if self.everything or id_ in self.ids:
            return True
        # `phone_shown` is the number without the country code, as people of its country type it. So a search finds the
        # number in both forms.
        numbers = {digits(patient.phone), digits(patient.phone_shown)}
        written = {folded(patient.name), folded(patient.email), *numbers} - {""}
        same = bool(self.patient) and bool({folded(self.patient), digits(self.patient)} & written)
        return same and self.born in ("", patient.birth_date)


def born_of(text: str) -> str:
    """Return a typed date of birth in the form 1990-04-02; "" for "".

    Raises ValueError for a text that is no date.
    """
    return date.fromisoformat(text.strip()).isoformat() if text.strip() else ""


def digits(phone: str) -> str:
    """Return the digits of a phone number; "" for a text that has none or has letters."""
    return "" if any(sign.isalpha() for sign in phone) else phonenumbers.normalize_digits_only(phone)


class Part(NamedTuple):
    """The result of reading one part of the ended visits.

    `place`: the place of the part's last visit in the order in which visits ended; the next part begins after it.
    `read`: the number of visits in this part. `found`: the visits of this part that are wanted.
    """

    place: Place
    read: int
    found: list[Visit]


async def ended(
    store: Store, organisation: str, wanted: Wanted, after: Place = OLDEST
) -> AsyncIterator[Part]:
    """Yield the ended visits in parts, the oldest first.

    `after`: a place in the order in which visits ended; only visits after this place are read. Raises
    `UnavailableError` if the store does not answer.
    """
    while places := await store.ended(organisation, None, after, AT_ONCE, oldest_first=True):
        visits_there, after = await store.visits(organisation, places), places[-1]
        found = [one for one in visits_there if one is not None and wanted.fits(one.id, one.patient)]
        yield Part(after, len(places), found)


async def still_open(store: Store, organisation: str, wanted: Wanted) -> list[Visit]:
    """Return the visits that `wanted` chooses and that have not ended.

    Raises `UnavailableError` if the store does not answer.
    """
    visits = (await store.snapshot(organisation)).visits.values()
    return [visit for visit in visits if wanted.fits(visit.id, visit.patient)]


async def visits(store: Store, organisation: str, wanted: Wanted) -> AsyncIterator[Visit]:
    """Yield each visit that `wanted` chooses once: first the ended visits, the oldest first, then the open visits,
    then the visits that have ended meanwhile.

    Raises `UnavailableError` if the store does not answer.
    """
    known, place = set[str](), OLDEST
    async for part in ended(store, organisation, wanted):
        place = part.place
        for visit in part.found:
            known.add(visit.id)
            yield visit
    for visit in [
        *await still_open(store, organisation, wanted),
        *await ended_since(store, organisation, wanted, place),
    ]:
        if visit.id not in known:
            known.add(visit.id)
            yield visit


async def ended_since(store: Store, organisation: str, wanted: Wanted, after: Place) -> list[Visit]:
    """Return the visits that `wanted` chooses and whose place in the order of ended visits is after `after`.

    Must be called after `still_open`: if a visit ends after the ended visits were searched and before `still_open` is
    called, only this function finds it. Raises `UnavailableError` if the store does not answer.
    """
    return [visit async for part in ended(store, organisation, wanted, after) for visit in part.found]


async def with_ids(
    store: Store, book: Book, organisation: str, visit_ids: Iterable[str], booked_ids: Iterable[str]
) -> tuple[list[Visit], list[Appointment]]:
    """Return the visits and the booked visits with these ids, without those that do not exist.

    Raises `UnavailableError` if the store does not answer.
    """
    opened = [(await store.load(organisation, Visit, id_))[0] for id_ in dict.fromkeys(visit_ids)]
    found = [await book.get(organisation, id_) for id_ in dict.fromkeys(booked_ids)]
    return [one for one in opened if one is not None], [one for one in found if one is not None]


async def booked(book: Book, organisation: str, wanted: Wanted, ids: Collection[str]) -> list[Appointment]:
    """Return the booked visits that `wanted` chooses, and those whose check-in has opened one of the visits in
    `ids`.

    `ids`: ids of visits. Raises `UnavailableError` if the store does not answer.
    """
    found, chosen = await book.between(organisation, 0, EVER_MS), list[Appointment]()
    for first in range(0, len(found), AT_ONCE):
        some = found[first : first + AT_ONCE]
        chosen += [one for one in some if one.visit in ids or wanted.fits(one.id, one.patient)]
        await asyncio.sleep(0)
    return chosen


class Patient(NamedTuple):
    """The records of one patient: those with the same name and the same date of birth."""

    name: str
    birth_date: str
    visits: list[Visit]
    booked: list[Appointment]

    @property
    def open_visits(self) -> list[Visit]:
        """Those of the patient's visits that have not ended."""
        return [visit for visit in self.visits if visit.is_open]


def by_patient(visits: Iterable[Visit], booked: Iterable[Appointment]) -> list[Patient]:
    """Return the records grouped by patient, sorted by the patients' names.

    A booked visit whose check-in has opened one of the visits belongs to the patient of that visit.
    """
    found: dict[tuple[str, str], Patient] = {}
    patients: dict[str | None, Patient] = {}
    for visit in visits:
        patients[visit.id] = one = _patient(found, visit.patient)
        one.visits.append(visit)
    for appointment in booked:
        (patients.get(appointment.visit) or _patient(found, appointment.patient)).booked.append(appointment)
    return [found[who] for who in sorted(found)]


def _patient(found: dict[tuple[str, str], Patient], written: PatientInformation) -> Patient:
    who = (folded(written.name), written.birth_date)
    return found.setdefault(who, Patient(written.name, written.birth_date, [], []))
