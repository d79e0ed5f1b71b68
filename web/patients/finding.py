"""Finds visits and booked visits: by id, or by what a patient wrote into the form.

Records are encrypted, so a search reads all records of an organisation.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import NamedTuple

import phonenumbers

from signalling.store.past_visits import folded
from signalling.store.records import OLDEST, Store
from signalling.visit.record import PatientInformation, Visit
from web.appointments.appointment import Appointment
from web.appointments.book import Book

AT_ONCE = 250
EVER_MS = 2**52


class Wanted(NamedTuple):
    """Describes which records are wanted: those with these ids, and those of one patient.

    `patient`: a name, an email address or a phone number; `born`: also the date of birth, "" for any.
    """

    ids: Sequence[str] = ()
    patient: str = ""
    born: str = ""

    @property
    def everything(self) -> bool:
        """Whether all records are wanted."""
        return not self.ids and not self.patient

    def fits(self, id_: str, patient: PatientInformation) -> bool:
        """Return whether a record with this id and patient information is wanted."""
        if self.everything or id_ in self.ids:
            return True
        written = {folded(patient.name), folded(patient.email), digits(patient.phone)} - {""}
        same = bool(self.patient) and bool({folded(self.patient), digits(self.patient)} & written)
        return same and self.born in ("", patient.birth_date)


def digits(phone: str) -> str:
    """Return the digits of a phone number; "" for a text that has none or has letters."""
    return "" if any(sign.isalpha() for sign in phone) else phonenumbers.normalize_digits_only(phone)


async def visits(store: Store, organisation: str, wanted: Wanted) -> AsyncIterator[Visit]:
    """Yield the wanted visits: first ended ones, the oldest first, then open ones.

    Raises `UnavailableError` if the store does not answer.
    """
    place = OLDEST
    while places := await store.ended(organisation, None, place, AT_ONCE, oldest_first=True):
        for visit in await store.visits(organisation, places):
            if visit is not None and wanted.fits(visit.id, visit.patient):
                yield visit
        place = places[-1]
    for visit in (await store.snapshot(organisation)).visits.values():
        if wanted.fits(visit.id, visit.patient):
            yield visit


async def booked(book: Book, organisation: str, wanted: Wanted, ids: Collection[str]) -> list[Appointment]:
    """Return the wanted booked visits, and those whose check-in opened one of the visits with these ids.

    `wanted`: the records that are wanted. Raises `UnavailableError` if the store does not answer.
    """
    found = await book.between(organisation, 0, EVER_MS)
    return [one for one in found if one.visit in ids or wanted.fits(one.id, one.patient)]
