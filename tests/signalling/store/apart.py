"""Replaces the store by records in memory: commits, the event stream, and its head (epoch, newest number)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from signalling.errors import SealError, UnavailableError
from signalling.store.event_stream import StreamEntry, StreamHead
from signalling.store.records import Committed, Snapshot
from signalling.visit.queue_state import Watch
from signalling.visit.record import Staff, Visit
from tests.signalling import visits

EPOCH = "e_1"


class FakeStore:
    """The records of one organisation in memory. `events`: (number, event) of each event, the oldest first.

    `before_commit`: functions; before each commit, the next function is called, for instance to make another commit
    first.
    `away`: how many of the next reads of the stream's head fail.
    """

    def __init__(self, *records: Visit | Staff | Watch) -> None:
        self.records: dict[tuple[str, str], Any] = {}
        self.bytes: dict[bytes, Any] = {}
        self.events: list[tuple[int, StreamEntry]] = []
        self.epoch = EPOCH
        self.commits: list[dict[str, Any]] = []
        self.before_commit: list[Callable[[], None]] = []
        self.guides: list[Any] = []
        self.loads = 0
        self.heads = 0
        self.away = 0
        self.begun: list[tuple[Any, ...]] = []
        self.mark: bytes | None = None
        for record in records:
            self.records[kind_of(record), record.id] = record
        self.stream: Any = SimpleNamespace(
            head=self._head, after=self._after, at=self._at, begin_epoch=self._begin_epoch
        )

    def clock_ms(self) -> int:
        return visits.T0

    def entry(self, record: Any, kind: str = "changed", **more: Any) -> StreamEntry:
        """Return an event that changes the store's record to `record`.

        `record`: None for an event whose record cannot be read.
        """
        data = b"record %d" % len(self.bytes)
        self.bytes[data] = record
        what, member = (kind_of(record), record.id) if record is not None else ("visit", "v_x")
        return StreamEntry(what, member, getattr(record, "version", 0), kind, visits.T0, data, **more)

    def add(self, record: Any, kind: str = "changed") -> StreamEntry:
        """Add an event to the stream, as another worker does; return it."""
        entry = self.entry(record, kind)
        self.events.append((self.seq + 1, entry))
        if record is not None:
            self.records[kind_of(record), record.id] = record
        return entry

    @property
    def seq(self) -> int:
        """Return the number of the newest event."""
        return self.events[-1][0] if self.events else 0

    async def _head(self, organisation: str) -> StreamHead:
        self.heads += 1
        if self.away:
            self.away -= 1
            raise UnavailableError("store")
        mark = self.events[-1][1].record if self.events else b""
        return StreamHead(
            self.epoch if self.events else "", self.seq, mark if self.mark is None else self.mark
        )

    async def _after(self, organisation: str, seq: int) -> list[tuple[int, StreamEntry]]:
        return [(number, entry) for number, entry in self.events if number > seq]

    async def _at(self, organisation: str, seq: int) -> StreamEntry | None:
        return dict(self.events).get(seq)

    async def _begin_epoch(self, *how: Any) -> None:
        self.begun.append(how)
        self.epoch = "e_2"

    async def snapshot(self, organisation: str) -> Snapshot:
        head = await self._head(organisation)
        of = {kind: {id: one for (what, id), one in self.records.items() if what == kind} for kind in KINDS}
        open_ = {id: one for id, one in of["visit"].items() if one.is_open}
        return Snapshot(head, open_, of["staff"], of["watch"].get("queue", Watch()), [])

    def unseal(self, organisation: str, what: str, member: str, data: bytes) -> Any:
        if self.bytes[data] is None:
            raise SealError
        return self.bytes[data]

    async def load(self, organisation: str, what: Any, member: str) -> tuple[Any, int]:
        self.loads += 1
        await asyncio.sleep(0)
        return self.records.get((KIND_OF[what], member)), visits.T0

    async def commit(self, organisation: str, record: Any, event: Any, **how: Any) -> Committed | None:
        if self.before_commit:
            self.before_commit.pop(0)()
        key = kind_of(record), record.id
        held = self.records.get(key)
        if hasattr(record, "version") and record.version != (0 if held is None else held.version) + 1:
            return None
        if not hasattr(record, "version") and held is not None:
            return None
        self.commits.append({"record": record, "event": event, **how})
        entry = self.add(record, event.kind)
        self.records[key] = record
        return Committed(self.seq, self.epoch, entry)

    async def keep_guide(self, organisation: str, guide: Any) -> None:
        self.guides.append(guide)

    async def guide(self, organisation: str, version: int) -> Any:
        self.guides.append(version)
        return visits.GUIDE if version == 1 else None


KINDS = ("visit", "staff", "watch")
KIND_OF: dict[type, str] = {Visit: "visit", Staff: "staff", Watch: "watch"}


def kind_of(record: Any) -> str:
    """Return the name of a record's kind, such as "visit"."""
    return KIND_OF.get(type(record), "line")
