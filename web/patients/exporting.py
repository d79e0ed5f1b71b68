"""Writes the records of a patient, or of all patients, into a new folder: JSON lines, and photos as files.

This module defines which records belong to a visit. The files are not encrypted.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from signalling.rooms.quality_watch import calls_of
from signalling.store.photos import Photos
from signalling.store.records import Store
from signalling.visit.record import Visit
from web.appointments.appointment import Appointment
from web.errors import CommandError

VISITS, BOOKED, PHOTOS = "visits.jsonl", "booked.jsonl", "photos"
LINES = 2**31
"""More messages than any visit has, so that all of them are read."""


class Written(NamedTuple):
    """The number of visits, booked visits and photos that were written."""

    visits: int
    booked: int
    photos: int


class Export:
    """Writes one export into a folder that only its owner may open.

    Raises CommandError if the folder cannot be made.
    """

    def __init__(self, folder: Path, store: Store, organisation: str) -> None:
        self._folder = folder
        self._store = store
        self._organisation = organisation
        self._photos = 0
        try:
            folder.mkdir(mode=0o700)
            (folder / PHOTOS).mkdir(mode=0o700)
        except OSError as error:
            raise CommandError(f"{folder} cannot be made ({error.strerror}); name a new folder") from None

    async def write(self, visits: AsyncIterator[Visit], booked: Sequence[Appointment]) -> Written:
        """Write these visits and booked visits into the folder; return how many were written.

        Raises CommandError if the folder cannot be written, and `UnavailableError` if the store does not answer.
        """
        count = 0
        try:
            with (self._folder / VISITS).open("wb") as file:
                async for visit in visits:
                    file.write(_line(await self._of(visit)))
                    count += 1
            with (self._folder / BOOKED).open("wb") as file:
                file.writelines(map(_line, booked))
        except OSError as error:
            raise CommandError(f"{self._folder} cannot be written ({error.strerror})") from None
        return Written(count, len(booked), self._photos)

    async def _of(self, visit: Visit) -> dict[str, Any]:
        """Return a visit with its events, messages and calls as a map for JSON, and write its photos."""
        for photo in visit.photos:
            data = await Photos(self._store).get(self._organisation, visit.id, photo.id)
            if data is not None:
                (self._folder / PHOTOS / f"{visit.id}-{photo.id}.jpg").write_bytes(data)
                self._photos += 1
        return {
            "visit": visit,
            "events": await self._store.history(self._organisation, visit.id),
            "messages": await self._store.lines(self._organisation, visit.id, LINES),
            "calls": await calls_of(self._store, self._organisation, visit.id),
        }


def _line(record: Any) -> bytes:
    return msgspec.json.encode(record) + b"\n"
