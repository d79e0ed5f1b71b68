"""Writes the records of a patient, or of all patients: JSON lines, and photos as files.

This module defines which records belong to a visit. The records are written into a new folder, or into a zip file
that is sent while it is made. Neither the folder nor the zip file is encrypted.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import msgspec

from signalling.rooms.quality_watch import calls_of
from signalling.store.photos import Photos
from signalling.store.records import Store
from signalling.store.unreadable import leaving_out
from signalling.visit.record import Visit
from web.appointments.appointment import Appointment
from web.errors import CommandError

VISITS, BOOKED, PHOTOS = "visits.jsonl", "booked.jsonl", "photos"
LINES = 2**31
"""The greatest number of chat messages that is read of a visit; no visit has more, so all are read."""
Item = TypeVar("Item")


class Written(NamedTuple):
    """The number of visits, booked visits and photos that were written.

    `unreadable`: the number of events and photos that were left out, because they cannot be read.
    """

    visits: int
    booked: int
    photos: int
    unreadable: int


class Target(Protocol):
    """Receives the files of an export, one after another."""

    async def lines(self, name: str, lines: AsyncIterator[bytes]) -> int:
        """Write all of `lines`, one after another, to the file `name`; return how many lines were written."""

    async def photo(self, name: str, data: bytes) -> None:
        """Write a photo as the file `name` into the folder of the photos."""

    async def end(self) -> None:
        """Complete the export; called once, after its last file."""


class Folder:
    """Writes an export into a new folder that only its owner may open.

    Raises CommandError if the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700)
            (folder / PHOTOS).mkdir(mode=0o700)
        except OSError as error:
            raise CommandError(f"{folder} cannot be made ({error.strerror}); name a new folder") from None

    async def lines(self, name: str, lines: AsyncIterator[bytes]) -> int:
        """Write all of `lines`, one after another, to the file `name`; return how many lines were written."""
        count = 0
        try:
            with (self._folder / name).open("wb") as file:
                async for line in lines:
                    file.write(line)
                    count += 1
        except OSError as error:
            raise self._unwritten(error) from None
        return count

    async def photo(self, name: str, data: bytes) -> None:
        """Write a photo as the file `name` into the folder of the photos."""
        try:
            (self._folder / PHOTOS / name).write_bytes(data)
        except OSError as error:
            raise self._unwritten(error) from None

    async def end(self) -> None:
        """Do nothing, because every file is complete already."""

    def _unwritten(self, error: OSError) -> CommandError:
        return CommandError(f"{self._folder} cannot be written ({error.strerror})")


class Archive:
    """Writes an export as a zip file. `send`: sends the next bytes of the file to its receiver.

    The file is never whole in memory: each line and each photo is sent before the next line or photo is read. Raises
    the errors of `send`.
    """

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._pieces = _Pieces()
        self._zip = ZipFile(cast(Any, self._pieces), "w", ZIP_DEFLATED)

    async def lines(self, name: str, lines: AsyncIterator[bytes]) -> int:
        """Write all of `lines`, one after another, to the file `name`; return how many lines were written."""
        count = 0
        with self._zip.open(name, "w") as file:
            async for line in lines:
                file.write(line)
                count += 1
                await self._pass_on()
        await self._pass_on()
        return count

    async def photo(self, name: str, data: bytes) -> None:
        """Write a photo as the file `name` into the folder of the photos. A JPEG file is compressed already, so it
        is stored as it is.
        """
        self._zip.writestr(f"{PHOTOS}/{name}", data, ZIP_STORED)
        await self._pass_on()

    async def end(self) -> None:
        """Write the table of contents, which ends a zip file."""
        self._zip.close()
        await self._pass_on()

    async def _pass_on(self) -> None:
        if piece := self._pieces.take():
            await self._send(piece)


class _Pieces:
    """A file in memory that can only be written to. `take` removes the written bytes from it and returns them."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def write(self, data: bytes) -> int:
        self._kept += data
        return len(data)

    def flush(self) -> None:
        """Do nothing. `ZipFile` calls this method, but `take` returns all written bytes without it."""

    def take(self) -> bytes:
        taken, self._kept = bytes(self._kept), bytearray()
        return taken


class Export:
    """Writes one export of an organisation's records to a target. Raises the errors of the target."""

    def __init__(self, target: Target, store: Store, organisation: str) -> None:
        self._target = target
        self._store = store
        self._organisation = organisation
        self._photos: list[tuple[str, str]] = []
        self._missed = Counter[str]()

    async def write(self, visits: AsyncIterator[Visit], booked: Sequence[Appointment]) -> Written:
        """Write these visits and booked visits; return how many were written.

        Raises the errors of the target, and `UnavailableError` if the store does not answer.
        """
        count, photos = await self._target.lines(VISITS, self._lines_of(visits)), 0
        await self._target.lines(BOOKED, each(map(_line, booked)))
        for visit, photo in self._photos:
            data = None
            with leaving_out(self._organisation, "photo", self._missed):
                data = await Photos(self._store).get(self._organisation, visit, photo)
            if data is not None:
                await self._target.photo(f"{visit}-{photo}.jpg", data)
                photos += 1
        await self._target.end()
        return Written(count, len(booked), photos, self._missed.total())

    async def _lines_of(self, visits: AsyncIterator[Visit]) -> AsyncIterator[bytes]:
        """Yield a line of JSON for each visit, with its events, messages and calls; collect the ids of its photos.

        `unreadable_events`: the number of events that are left out, because they cannot be read.
        """
        organisation = self._organisation
        async for visit in visits:
            self._photos += ((visit.id, photo.id) for photo in visit.photos)
            missed = Counter[str]()
            events = await self._store.history(organisation, visit.id, missed)
            self._missed += missed
            yield _line(
                {
                    "visit": visit,
                    "events": events,
                    "unreadable_events": missed.total(),
                    "messages": await self._store.lines(organisation, visit.id, LINES),
                    "calls": await calls_of(self._store, organisation, visit.id),
                }
            )


async def each(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items of a list, so that the list can be passed to a function that takes an asynchronous iterator."""
    for item in items:
        yield item


def _line(record: Any) -> bytes:
    return msgspec.json.encode(record) + b"\n"
