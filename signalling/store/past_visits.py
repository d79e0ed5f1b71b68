"""Ended visits: read in pages from the store, and searched with an index in this worker's memory.

Records in the store are encrypted and cannot be searched there. An organisation's index is built from the store at
its first search, the newest visit first, and updated by the mirror's events. A search in the index returns only the
ids of visits and the times at which they ended. The data that is shown is always read from the store.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from bisect import bisect_left
from collections.abc import Callable

import msgspec
import structlog

from signalling.errors import UnavailableError
from signalling.store.mirror import Change, Mirrors, Reset
from signalling.store.records import NEWEST, Place, Store
from signalling.visit.record import Visit

# A search waits for its index at most this time in s. Then it searches the part of the index that has been read.
PATIENCE_S = 0.15
BATCH = 250  # the number of visits that are read and decrypted in one turn of the event loop
SLICE = 4000  # the number of rows that are compared in one turn of the event loop
IDLE_S = 3600.0  # the time in s without a search after which an index is dropped

log = structlog.get_logger()


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A search for ended visits. A field that is None or "" sets no condition.

    `since_ms`: only visits that ended at this time or later. `before`: the place (position in the order of ended
    visits) of the last row of the previous page.
    """

    text: str = ""
    provider: str | None = None
    outcome: str | None = None
    tag: str | None = None
    since_ms: int | None = None
    before: Place = NEWEST

    @property
    def needs_index(self) -> bool:
        """Return True if the conditions of this search are about the contents of records, so that it must use the
        index.
        """
        filters = (self.provider, self.outcome, self.tag)
        return bool(self.text.strip()) or any(one is not None for one in filters)


class Found(msgspec.Struct, frozen=True):
    """A page of results, the newest first.

    `unread`: the number of older visits that are not in the index yet; matches among them are missing in the page.
    """

    visits: list[Visit]
    unread: int = 0


class _Row(msgspec.Struct, frozen=True, gc=False):
    """The values of one visit that a search compares. A row takes about 300 bytes of memory."""

    ended_ms: int
    id: str
    text: str
    provider: str | None
    outcome: str | None
    tags: tuple[str, ...]


def _place(row: _Row) -> Place:
    return row.ended_ms, row.id


def folded(text: str) -> str:
    """Return a text in the form that searches compare: without case, accents and spaces at its ends."""
    plain = text if text.isascii() else unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).casefold().strip()


def _row(visit: Visit, ended_ms: int) -> _Row:
    provider = None if visit.claimant is None else visit.claimant.id
    text = f"{folded(visit.patient.name)}\n{visit.id.casefold()}"
    outcome = None if visit.outcome is None else visit.outcome.value
    return _Row(ended_ms, visit.id, text, provider, outcome, visit.tags)


class Index:
    """The search index of one organisation, the oldest visit first.

    `unread`: the number of visits that are not read yet. While it is not 0, the oldest visits are missing.
    """

    def __init__(self, organisation: str, store: Store) -> None:
        self.organisation = organisation
        self.unread = 1
        self.used_s = time.monotonic()
        self._store = store
        self._rows: list[_Row] = []
        # the place (time of the end, id) of the oldest visit that has been read; all visits that ended later have
        # been read too
        self._frontier = NEWEST
        self._began = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._problem: UnavailableError | None = None

    def __len__(self) -> int:
        return len(self._rows)

    async def ready(self) -> None:
        """Wait until some visits are read, and then at most PATIENCE_S until all visits are read.

        Raises `UnavailableError` if the store does not answer.
        """
        if not self.unread:
            return
        if self._reading is None or self._reading.done():
            self._began.clear()
            self._problem = None
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(_ended)
        reading = self._reading
        await self._began.wait()
        await asyncio.wait({reading}, timeout=PATIENCE_S)
        if self._problem is not None:
            raise self._problem

    def unread_for(self, since_ms: int | None) -> int:
        """Return an upper limit for the number of visits since `since_ms` that are not read into the index yet.

        `since_ms`: only visits that ended at this time in ms or later are counted; None: all.
        """
        return 0 if since_ms is not None and self._frontier[0] < since_ms else self.unread

    async def _read(self) -> None:
        """Read the ended visits that are not in the index yet, and add them to it.

        If an earlier attempt failed, continue at the first visit that it has not read.
        """
        try:
            left = await self._store.count_ended(self.organisation, self._frontier)
            while places := await self._store.ended(self.organisation, None, self._frontier, BATCH):
                visits = await self._store.visits(self.organisation, places)
                pairs = zip(places, visits, strict=True)
                self._prepend([_row(visit, place[0]) for place, visit in pairs if visit is not None])
                self._frontier = places[-1]
                left -= len(places)
                self.unread = max(1, left)
                self._began.set()
            self.unread = 0
        except UnavailableError as problem:  # the next search continues at the visit that could not be read
            self._problem = problem
        finally:
            self._began.set()

    def _prepend(self, newest_first: list[_Row]) -> None:
        newest_first.reverse()
        if newest_first and self._rows and _place(newest_first[-1]) >= _place(self._rows[0]):
            # An event has already added a visit that ended before one of these visits. So each row is inserted at its
            # own place.
            for row in newest_first:
                self.add(row)
        else:
            self._rows[:0] = newest_first

    def add(self, row: _Row, *, newest: bool = False) -> None:
        """Insert the row of a visit at its place (the time at which the visit ended, and its id).

        If the index already has a row with this place, replace that row only if `newest` is True. `newest`: True if
        `row` comes from an event, False if it was read from the store.
        """
        at = bisect_left(self._rows, _place(row), key=_place)
        if at == len(self._rows) or _place(self._rows[at]) != _place(row):
            self._rows.insert(at, row)
        elif newest:
            self._rows[at] = row

    def drop(self, place: Place) -> None:
        """Remove the row at a place (time of the end, id), because its visit was erased, was reopened, or ended again
        later.
        """
        at = bisect_left(self._rows, place, key=_place)
        if at < len(self._rows) and _place(self._rows[at]) == place:
            del self._rows[at]

    def erase(self, before_ms: int) -> None:
        """Remove from this index the rows of visits that ended before the time `before_ms`."""
        del self._rows[: bisect_left(self._rows, (before_ms, ""), key=_place)]

    async def search(self, query: Query, limit: int) -> list[Place]:
        """Return the places (time of the end, id) of at most `limit` visits that match the search `query`, the newest
        first.
        """
        self.used_s = time.monotonic()
        fits, found, before = self._filter(query), list[Place](), query.before
        while (end := bisect_left(self._rows, before, key=_place)) and len(found) < limit:
            rows = self._rows[max(0, end - SLICE) : end]
            for row in reversed(rows):
                if fits(row):
                    found.append(_place(row))
                    if len(found) == limit:
                        break
            if query.since_ms is not None and rows[0].ended_ms < query.since_ms:
                break
            before = _place(rows[0])
            await asyncio.sleep(0)
        return found

    @staticmethod
    def _filter(query: Query) -> Callable[[_Row], bool]:
        wanted, provider, outcome, tag = folded(query.text), query.provider, query.outcome, query.tag
        since_ms = query.since_ms if query.since_ms is not None else 0
        return lambda row: (
            wanted in row.text
            and (provider is None or row.provider == provider)
            and (outcome is None or row.outcome == outcome)
            and (tag is None or tag in row.tags)
            and row.ended_ms >= since_ms
        )

    async def close(self) -> None:
        """Stop the task that reads visits from the store for this index."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


class PastVisits:
    """Searches the ended visits of all organisations."""

    def __init__(self, store: Store, mirrors: Mirrors) -> None:
        self._store = store
        self._mirrors = mirrors
        self._indexes: dict[str, Index] = {}
        self._closing: set[asyncio.Task[None]] = set()
        mirrors.observers.append(self.news)

    async def find(self, organisation: str, query: Query, limit: int) -> Found:
        """Search an organisation's ended visits; return at most `limit` that match `query`, the newest first.

        Raises `UnavailableError` if the store does not answer.
        """
        index = await self._index(organisation) if query.needs_index else None
        # The number is read before the search. If more visits are read during the search, the number is too large; it
        # is never too small.
        unread = 0 if index is None else index.unread_for(query.since_ms)
        found: list[Visit] = []
        while len(found) < limit:
            wanted = limit - len(found)
            if index is None:
                places = await self._store.ended(organisation, query.since_ms, query.before, wanted)
            else:
                places = await index.search(query, wanted)
            if not places:
                break
            for place, visit in zip(places, await self._store.visits(organisation, places), strict=True):
                if visit is not None:
                    found.append(visit)
                elif index is not None:
                    index.drop(place)
            query = msgspec.structs.replace(query, before=places[-1])
        return Found(found, unread if len(found) < limit else 0)

    async def _index(self, organisation: str) -> Index:
        # `get` subscribes to the organisation's events before the index is built, so that the index misses no visit.
        await self._mirrors.get(organisation)
        index = self._indexes.get(organisation)
        if index is None:
            index = self._indexes[organisation] = Index(organisation, self._store)
        index.used_s = time.monotonic()
        await index.ready()
        return index

    def news(self, news: Change | Reset) -> None:
        """Apply an event to the organisation's index, if it has one. The mirror calls this for each event, in order."""
        index = self._indexes.get(news.organisation)
        if index is None:
            return
        if isinstance(news, Reset):
            # events are lost, so the next search builds a new index
            self._give_up(news.organisation)
        elif isinstance(news.after, Visit) and not news.after.is_open and news.after.ended_ms is not None:
            index.add(_row(news.after, news.after.ended_ms), newest=True)

    def erase(self, organisation: str, before_ms: int) -> None:
        """Remove the visits that ended before the time `before_ms` from the organisation's search index.

        The store no longer keeps these visits. If nobody has searched for IDLE_S, drop the organisation's
        whole index.
        """
        index = self._indexes.get(organisation)
        if index is not None:
            index.erase(before_ms)
            if time.monotonic() - index.used_s > IDLE_S:
                self._give_up(organisation)

    def _give_up(self, organisation: str) -> None:
        task = asyncio.create_task(self._indexes.pop(organisation).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Stop the tasks that read visits from the store, and drop all indexes."""
        for organisation in list(self._indexes):
            self._give_up(organisation)
        await asyncio.gather(*self._closing, return_exceptions=True)


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (problem := task.exception()) is not None:
        log.error("past.reading_failed", problem=type(problem).__name__)
