"""The records of visits and staff in the store, and the indexes of them.

Every write is one call of `commit.lua`: atomic, and refused unless the record still has the version on which the
decision was based. This module handles keys and bytes; `rules.py` defines which changes are allowed. All methods raise
`UnavailableError` if the store does not answer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from redis.asyncio import Redis

from signalling.errors import SupersededError, UnavailableError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.event_stream import (
    STREAM_LENGTH,
    CommitTrace,
    EventStream,
    StreamEntry,
    StreamHead,
    new_epoch,
)
from signalling.store.kinds import KINDS, RECORDS, index_of
from signalling.store.packing import PackedVisits
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out
from signalling.visit import audit_entries as audit
from signalling.visit.queue_state import Watch
from signalling.visit.record import ChatMessage, Mark, Notice, Record, Staff, Visit
from signalling.visit.relations import Event
from signalling.visit.rules import QUIET
from signalling.visit.setup_guide import Guide
from signalling.visit.waiting import Paced, paced

_SCRIPT = (Path(__file__).parent / "commit.lua").read_text()
_DEADLINE = (Path(__file__).parent / "deadline.lua").read_text()
_RECORD: dict[str, Any] = {name: msgspec.msgpack.Decoder(kind) for kind, name in KINDS.items()}
_encode = msgspec.msgpack.Encoder().encode

R = TypeVar("R", Visit, Staff, Mark, Watch)
# (key, score, member): a member to add to a sorted set in the same commit
Extra = tuple[str, int, bytes]
# The place of a visit in the order of ended visits: (the time in ms of its end, its id). No two places are equal.
Place = tuple[int, str]
SNAPSHOT_TRIES = 3
OLDEST: Place = (0, "")
NEWEST: Place = (2**53, "")


class Origin(msgspec.Struct, frozen=True):
    """The connection from which a request came. `key`: the store's key of its resume token.

    `generation`: the number of the connection's socket, from 1. A request with a lower number comes from an older
    socket. `trace`: the trace of the request, or None.
    """

    key: str
    generation: int
    trace: CommitTrace | None = None


class Committed(msgspec.Struct, frozen=True):
    """The result of a commit: the position of its event in the organisation's stream, and the stored entry."""

    seq: int
    epoch: str
    entry: StreamEntry


class Snapshot(msgspec.Struct, frozen=True):
    """All open records of an organisation, at the moment when `head` was the end of its event stream."""

    head: StreamHead
    visits: dict[str, Visit]
    staff: dict[str, Staff]
    watch: Watch
    claims: list[Paced]


def newest(at_ms: int) -> str:
    """Return the score that puts a new member at the end of a sorted set, even if the clock (`at_ms`) was set back."""
    return f">{at_ms}"


class Store:
    """Reads and writes the records. `clock_ms()` is this machine's estimate of the store's clock."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self.redis: Any = redis  # the type stubs of redis-py do not know that replies are bytes
        self.seal = seal
        self._commit: Any = redis.register_script(_SCRIPT)
        self._deadline: Any = redis.register_script(_DEADLINE)
        self.stream = EventStream(redis, self._read_clock)
        self.packed = PackedVisits(redis, seal)
        self._offset_ms: float | None = None
        self.on_audited: Callable[[str], None] = lambda organisation: None

    def clock_ms(self) -> int:
        """Return the store's time in ms since 1970, from its last reply and this machine's monotonic clock."""
        if self._offset_ms is None:
            return round(time.time() * 1000)
        return round(time.monotonic() * 1000 + self._offset_ms)

    def _read_clock(self, answer: tuple[int, int]) -> int:
        seconds, micros = answer
        now_ms = seconds * 1000 + micros // 1000
        self._offset_ms = now_ms - time.monotonic() * 1000
        return now_ms

    async def load(self, organisation: str, what: type[R], member: str) -> tuple[R | None, int]:
        """Return (the record of type `what` and id `member`, None if there is none; the store's time in ms)."""
        kind = KINDS[what]
        async with answering():
            pipe = self.redis.pipeline(transaction=False)
            pipe.time()
            pipe.hget(RECORDS[kind](organisation, member), "record")
            now, sealed = await pipe.execute()
        now_ms = self._read_clock(now)
        if sealed is None and what is Visit:
            sealed, past = await self.packed.beside(
                organisation, member, lambda pipe: pipe.hget(keys.VISIT(organisation, member), "record")
            )
            if past is not None:
                return cast(Any, past.visit), now_ms
        return None if sealed is None else self.unseal(organisation, kind, member, sealed), now_ms

    def unseal(self, organisation: str, what: str, member: str, sealed: bytes) -> Any:
        """Return the decrypted record in the bytes `sealed`.

        `what`: the name of the record's kind. `member`: its id. Raises `SealError` if the bytes are not of this record.
        """
        return _RECORD[what].decode(self.seal.open(sealed, f"{organisation}/{what}/{member}"))

    async def commit(
        self,
        organisation: str,
        record: Record,
        event: Event,
        *,
        index_score: int | str | None,
        deadline_ms: int | None = None,
        notices: Iterable[tuple[str, Notice]] = (),
        extras: Iterable[Extra] = (),
        origin: Origin | None = None,
        mark: bytes = b"",
    ) -> Committed | None:
        """Write a record, its event and everything that follows from it; return None if another commit came first.

        The record's `version` is one above the version on which the decision was based. `index_score`: the record's
        score in the sorted set that lists it; None: remove it there. `deadline_ms`: None for no deadline. `notices`:
        (person, notification) to store. `mark`: the mark (`mark_of`) of the record on which the decision was based, b""
        if this record was just read from the store. `extras`: members to add to other sorted sets. Raises
        `SupersededError` if a newer socket uses the connection `origin`.
        """
        what, head = KINDS[type(record)], keys.HEAD(organisation)
        trace = None if origin is None else origin.trace
        context = None if trace is None else trace.decided()
        sealed = self.seal.close(_encode(record), f"{organisation}/{what}/{record.id}")
        stream = keys.EVENTS(organisation)
        bells = tuple(
            (person, self.seal.close(_encode(notice), f"{organisation}/bell/{person}"))
            for person, notice in notices
        )
        entry = StreamEntry(what, record.id, record.version, event.kind, event.at_ms, sealed, bells, context)
        put: list[tuple[str, int | str, bytes]] = [
            (keys.BELL(organisation, person), newest(event.at_ms), notice) for person, notice in bells
        ]
        put += extras
        if isinstance(record, Visit) and not record.is_open:
            put.append((keys.ENDED(organisation), record.ended_ms or event.at_ms, record.id.encode()))
            put.append((keys.UNPACKED(organisation), event.at_ms, record.id.encode()))
        history = b""
        if what == "visit" and event.kind not in QUIET:
            history = self.seal.close(_encode(event), f"{organisation}/history/{record.id}")
        act = audit.act_of(record, event)
        async with answering():
            answer: list[Any] = await self._commit(
                keys=[
                    RECORDS[what](organisation, record.id),
                    index_of(organisation, record),
                    keys.DEADLINES(organisation),
                    head,
                    stream,
                    keys.HISTORY(organisation, record.id),
                    keys.AUDIT_QUEUE(organisation),
                    head if origin is None else origin.key,
                    *(key for key, _, _ in put),
                ],
                args=[
                    record.version - 1,
                    record.version,
                    sealed,
                    _encode(entry),
                    stream,
                    record.id,
                    "" if index_score is None else index_score,
                    "" if deadline_ms is None else deadline_ms,
                    STREAM_LENGTH,
                    new_epoch(),
                    history,
                    b"" if act is None else self.sealed_act(organisation, act),
                    "" if origin is None else origin.generation,
                    mark,
                    *(part for _, score, member in put for part in (score, member)),
                ],
            )
        if trace is not None:
            trace.committed(answer[0] > 0)
        if answer[0] < 0:
            raise SupersededError
        if act is not None and answer[0]:
            self.on_audited(organisation)
        if what == "visit" and answer == [0, b"0"]:  # there is no such record: the visit may be packed
            await self.packed.unpack(organisation, record.id, self.clock_ms())
        return Committed(int(answer[1]), answer[2].decode(), entry) if answer[0] else None

    def sealed_act(self, organisation: str, act: audit.Act) -> bytes:
        """Return an act (an entry of the audit log) as encrypted bytes for the log's queue (`audit_log.py`)."""
        return self.seal.close(audit.encode(act), f"{organisation}/audit")

    async def snapshot(self, organisation: str) -> Snapshot:
        """Return all open records of an organisation.

        Raises `UnavailableError` if the store does not answer, or if its stream is trimmed during each try to read.
        """
        for _ in range(SNAPSHOT_TRIES):
            head = await self.stream.head(organisation)
            async with answering():
                pipe = self.redis.pipeline(transaction=False)
                for index in (keys.OPEN, keys.STAFF, keys.WATCHES):
                    pipe.zrange(index(organisation), 0, -1)
                found = zip(("visit", "staff", "watch"), await pipe.execute(), strict=True)
            # A record that is read now may be newer than `head`. So the stream's end is read afterwards, and the
            # snapshot gets all events up to this end. Otherwise this worker would ignore those events later, and its
            # clients would never receive them.
            records = {what: await self._many(organisation, what, members) for what, members in found}
            end = await self.stream.end(organisation, head.seq)
            # After a loss in the store, the stream may have events above its head (`epoch.lua`). These are left out.
            numbers = [seq for seq, _ in end.events if seq <= end.head.seq]
            if end.head.epoch == head.epoch and numbers == list(range(head.seq + 1, end.head.seq + 1)):
                for _, entry in end.events[: len(numbers)]:
                    self._apply(organisation, entry, records)
                visits = {name: visit for name, visit in records["visit"].items() if visit.is_open}
                on_call = sum(one.on_call for one in records["staff"].values())
                claims = paced(((entry.kind, entry.at_ms) for entry in end.newest), on_call)
                watch = records["watch"].get(Watch().id, Watch())
                return Snapshot(end.head, visits, records["staff"], watch, claims)
        raise UnavailableError("the stream of events was cut")

    def _apply(self, organisation: str, entry: StreamEntry, records: dict[str, dict[str, Any]]) -> None:
        """Put the record that the event `entry` contains into `records` (kind -> id -> record), unless `records` has a
        newer version of it.
        """
        found = records.get(entry.what, {}).get(entry.member)
        if entry.what not in records or (found is not None and found.version >= entry.version):
            return
        with leaving_out(organisation, entry.what):
            records[entry.what][entry.member] = self.unseal(
                organisation, entry.what, entry.member, entry.record
            )

    async def _many(self, organisation: str, what: str, members: Iterable[bytes]) -> dict[str, Any]:
        names = [m.decode() for m in members]
        found: dict[str, Any] = {}
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            async with answering():
                pipe = self.redis.pipeline(transaction=False)
                for name in part:
                    pipe.hget(RECORDS[what](organisation, name), "record")
                sealed = await pipe.execute()
            for name, data in zip(part, sealed, strict=True):
                # One record that cannot be read must not make the whole organisation unavailable.
                if data is not None:
                    with leaving_out(organisation, what):
                        found[name] = self.unseal(organisation, what, name, data)
        return found

    async def move_deadline(
        self, organisation: str, visit_id: str, read_ms: int, deadline_ms: int | None
    ) -> None:
        """Set a visit's deadline (None: no deadline), but only if the stored deadline is still `read_ms`."""
        async with answering():
            await self._deadline(
                keys=[keys.DEADLINES(organisation)],
                args=[visit_id, read_ms, "" if deadline_ms is None else deadline_ms],
            )

    async def lines(self, organisation: str, visit_id: str, limit: int = 500) -> list[ChatMessage]:
        """Return the newest chat messages of a visit, at most `limit`, the oldest of these first."""
        chat, lines = keys.CHAT(organisation, visit_id), dict[str, ChatMessage]()
        for _ in range(2):  # read again: the visit may have been packed between `beside` and `_many`
            found, past = await self.packed.beside(
                organisation, visit_id, lambda pipe: pipe.zrange(chat, -limit, -1)
            )
            if past is not None:
                return list(past.messages[-limit:])
            lines = await self._many(organisation, "line", found)
            if len(lines) == len(found):
                break
        return list(lines.values())

    async def count_lines(self, organisation: str, visit_id: str) -> int:
        """Return the number of chat messages of a visit."""
        async with answering():
            return int(await self.redis.zcard(keys.CHAT(organisation, visit_id)))

    async def count_ended(self, organisation: str, before: Place) -> int:
        """Return how many visits of an organisation ended at or before the time of the place `before`."""
        async with answering():
            return int(await self.redis.zcount(keys.ENDED(organisation), "-inf", before[0]))

    async def ended(
        self,
        organisation: str,
        since_ms: int | None,
        before: Place,
        limit: int,
        *,
        oldest_first: bool = False,
    ) -> list[Place]:
        """Return at most `limit` places (time of the end, id) of visits before the place `before`, the newest first.

        `since_ms`: only visits that ended then or later; None: all. If `oldest_first`, return the places after
        `before`, the oldest first. Reopened visits are included. Return [] if there are no more.
        """
        key, at = keys.ENDED(organisation), before[0]
        lowest = "-inf" if since_ms is None else since_ms
        # how many visits that ended in the same millisecond as `before` were skipped, because an earlier page has them
        passed = 0
        while True:
            async with answering():
                if oldest_first:
                    found = await self.redis.zrange(
                        key,
                        max(at, since_ms or 0),
                        "+inf",
                        byscore=True,
                        offset=passed,
                        num=limit,
                        withscores=True,
                    )
                else:
                    found = await self.redis.zrange(
                        key, at, lowest, byscore=True, desc=True, offset=passed, num=limit, withscores=True
                    )
            places = [(int(ended_ms), member.decode()) for member, ended_ms in found]
            further = [place for place in places if (place > before if oldest_first else place < before)]
            if further or len(found) < limit:
                return further
            passed += len(found)

    async def visits(self, organisation: str, places: Sequence[Place]) -> list[Visit | None]:
        """Return the ended visits at these places, in the same order.

        The result has None for a visit that was erased, is open again, or has ended a second time since.
        """
        names, found = [name for _, name in places], dict[str, Visit]()
        # Most ended visits are packed. A visit that is packed between the first two reads is found by the third.
        for read in (self.packed.visits, self._unpacked, self.packed.visits):
            found |= await read(organisation, [name for name in names if name not in found])
        return [
            visit if (visit := found.get(name)) is not None and visit.ended_ms == ended_ms else None
            for ended_ms, name in places
        ]

    async def _unpacked(self, organisation: str, names: Sequence[str]) -> dict[str, Visit]:
        return await self._many(organisation, "visit", map(str.encode, names))

    async def keep_guide(self, organisation: str, guide: Guide) -> None:
        """Store a version of the setup guide, for the visits that begin with it. A stored version never changes."""
        async with answering():
            await self.redis.setnx(keys.GUIDE(organisation, str(guide.version)), _encode(guide))

    async def guide(self, organisation: str, version: int) -> Guide | None:
        """Return a stored version of the setup guide, None if it is not stored."""
        async with answering():
            data = await self.redis.get(keys.GUIDE(organisation, str(version)))
        return None if data is None else msgspec.msgpack.decode(data, type=Guide)

    async def history(
        self, organisation: str, visit_id: str, missed: Counter[str] | None = None
    ) -> list[Event]:
        """Return the events of a visit that can be read, the oldest first. `missed`: counts the others."""
        name = keys.HISTORY(organisation, visit_id)
        found, past = await self.packed.beside(organisation, visit_id, lambda pipe: pipe.lrange(name, 0, -1))
        if past is not None:
            return list(past.events)
        place, events = f"{organisation}/history/{visit_id}", list[Event]()
        for data in found:
            with leaving_out(organisation, "history", missed):
                events.append(msgspec.msgpack.decode(self.seal.open(data, place), type=Event))
        return events
