"""The store: records of visits and staff, their indexes and the organisation's event stream, on Redis or Valkey.

Every write is one call of `commit.lua`, which takes effect whole or not at all, and only on the version it was
decided on. Knows keys and bytes; what may be written is decided in `visit.py`. All methods raise `Unavailable`
where the store does not answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalling.guide import Guide
from signalling.record import Staff, Visit
from signalling.seal import Seal
from signalling.visit import QUIET, Event

STREAM_LENGTH = 4096  # events kept for those who missed some; whoever missed more takes a snapshot
_SCRIPT = (Path(__file__).parent / "commit.lua").read_text()
_RECORD: dict[str, Any] = {"visit": msgspec.msgpack.Decoder(Visit), "staff": msgspec.msgpack.Decoder(Staff)}
_encode = msgspec.msgpack.Encoder().encode

R = TypeVar("R", Visit, Staff)


class Unavailable(Exception):
    """The store did not answer in time; whether a write took effect is not known."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An event as it stands in the stream and goes over the bus. `what` is "visit" or "staff"; `record` is sealed."""

    what: str
    member: str
    version: int
    kind: str
    at_ms: int
    record: bytes


class Committed(msgspec.Struct, frozen=True):
    """Where in the organisation's stream a commit stands."""

    seq: int
    epoch: str
    entry: Entry


class Snapshot(msgspec.Struct, frozen=True):
    """All that is open in an organisation, at least as new as `seq`."""

    epoch: str
    seq: int
    visits: dict[str, Visit]
    staff: dict[str, Staff]
    claims_ms: list[int]


_ENTRY = msgspec.msgpack.Decoder(Entry)


def decode_entry(data: bytes) -> Entry:
    """Return an event from its bytes."""
    return _ENTRY.decode(data)


class Keys:
    """The names of an organisation's keys. The hash tag keeps one organisation in one slot of a cluster."""

    def __init__(self, organisation: str) -> None:
        self.prefix = prefix = f"{{{organisation}}}:"
        self.visits, self.staff = f"{prefix}open", f"{prefix}staff"
        self.deadlines, self.head, self.stream = f"{prefix}deadlines", f"{prefix}head", f"{prefix}events"

    def record(self, what: str, member: str) -> str:
        """Return the key of a record."""
        return f"{self.prefix}{what}:{member}"

    def history(self, member: str) -> str:
        """Return the key of a visit's history."""
        return f"{self.prefix}history:{member}"


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turn every way in which the store does not answer into `Unavailable`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as problem:
        raise Unavailable(type(problem).__name__) from problem


class Store:
    """Reads and commits records. `clock_ms()` is the store's clock, as well as this machine can tell it."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self.redis: Any = redis  # its stubs do not know that answers are bytes
        self._seal = seal
        self._commit: Any = redis.register_script(_SCRIPT)
        self._offset_ms: float | None = None

    def clock_ms(self) -> int:
        """Return the store's time in ms since the epoch, from its last answer and this machine's monotonic clock."""
        if self._offset_ms is None:
            return round(time.time() * 1000)
        return round(time.monotonic() * 1000 + self._offset_ms)

    def _heard(self, answer: tuple[int, int]) -> int:
        seconds, micros = answer
        now_ms = seconds * 1000 + micros // 1000
        self._offset_ms = now_ms - time.monotonic() * 1000
        return now_ms

    async def load(self, organisation: str, what: type[R], member: str) -> tuple[R | None, int]:
        """Return (record or None, the store's time in ms)."""
        kind = what.__name__.lower()
        async with answering():
            pipe = self.redis.pipeline(transaction=False)
            pipe.time()
            pipe.hget(Keys(organisation).record(kind, member), "record")
            now, sealed = await pipe.execute()
        return (None if sealed is None else self.unseal(organisation, kind, member, sealed)), self._heard(now)

    def unseal(self, organisation: str, what: str, member: str, sealed: bytes) -> Any:
        """Return the record; raise `SealError` where it does not belong to this place."""
        return _RECORD[what].decode(self._seal.open(sealed, f"{organisation}/{what}/{member}"))

    async def commit(
        self,
        organisation: str,
        record: Visit | Staff,
        event: Event,
        *,
        index_score: int | None,
        deadline_ms: int | None = None,
    ) -> Committed | None:
        """Write the record whose `version` is one above the one it was decided on; None where somebody was faster."""
        what, keys = type(record).__name__.lower(), Keys(organisation)
        sealed = self._seal.close(_encode(record), f"{organisation}/{what}/{record.id}")
        entry = Entry(what, record.id, record.version, event.kind, event.at_ms, sealed)
        history = b""
        if what == "visit" and event.kind not in QUIET:
            history = self._seal.close(_encode(event), f"{organisation}/history/{record.id}")
        async with answering():
            answer: list[Any] = await self._commit(
                keys=[
                    keys.record(what, record.id),
                    keys.visits if what == "visit" else keys.staff,
                    keys.deadlines,
                    keys.head,
                    keys.stream,
                    keys.history(record.id),
                ],
                args=[
                    record.version - 1,
                    record.version,
                    sealed,
                    _encode(entry),
                    keys.stream,
                    record.id,
                    "" if index_score is None else index_score,
                    "" if deadline_ms is None else deadline_ms,
                    STREAM_LENGTH,
                    "e_" + secrets.token_hex(6),
                    history,
                ],
            )
        return Committed(int(answer[1]), answer[2].decode(), entry) if answer[0] else None

    async def head(self, organisation: str) -> tuple[str, int]:
        """Return (epoch, seq) of the organisation's stream; ("", 0) where nothing ever happened."""
        async with answering():
            epoch, seq = await self.redis.hmget(Keys(organisation).head, ["epoch", "seq"])
        return (epoch or b"").decode(), int(seq or 0)

    async def events(self, organisation: str, after: int) -> list[tuple[int, Entry]]:
        """Return the events above `after` that the stream still has, oldest first, as (seq, entry)."""
        async with answering():
            found = await self.redis.xrange(Keys(organisation).stream, min=f"{after + 1}-0")
        return [(int(i.split(b"-")[0]), decode_entry(fields[b"e"])) for i, fields in found]

    async def snapshot(self, organisation: str) -> Snapshot:
        """Return everything open. The head is read first, so later events can only repeat what is already in it."""
        keys = Keys(organisation)
        epoch, seq = await self.head(organisation)
        async with answering():
            pipe = self.redis.pipeline(transaction=False)
            pipe.zrange(keys.visits, 0, -1)
            pipe.zrange(keys.staff, 0, -1)
            pipe.xrevrange(keys.stream, count=500)
            visit_ids, staff_ids, recent = await pipe.execute()
        visits: dict[str, Visit] = await self._many(organisation, "visit", visit_ids)
        staff: dict[str, Staff] = await self._many(organisation, "staff", staff_ids)
        entries = [decode_entry(fields[b"e"]) for _, fields in recent]
        claims = sorted(e.at_ms for e in entries if e.kind == "claimed")
        return Snapshot(epoch, seq, visits, staff, claims)

    async def _many(self, organisation: str, what: str, members: Iterable[bytes]) -> dict[str, Any]:
        names = [m.decode() for m in members]
        found: dict[str, Any] = {}
        for start in range(0, len(names), 500):
            part = names[start : start + 500]
            async with answering():
                pipe = self.redis.pipeline(transaction=False)
                for name in part:
                    pipe.hget(Keys(organisation).record(what, name), "record")
                sealed = await pipe.execute()
            found |= {
                name: self.unseal(organisation, what, name, data)
                for name, data in zip(part, sealed, strict=True)
                if data is not None
            }
        return found

    async def due(self, organisation: str, limit: int = 200) -> list[str]:
        """Return the ids of visits with a deadline that has passed."""
        async with answering():
            found = await self.redis.zrangebyscore(
                Keys(organisation).deadlines, "-inf", self.clock_ms(), start=0, num=limit
            )
        return [member.decode() for member in found]

    async def keep_guide(self, organisation: str, guide: Guide) -> None:
        """Keep a version of the setup guide for the visits that begin with it; a version never changes."""
        async with answering():
            await self.redis.setnx(Keys(organisation).record("guide", str(guide.version)), _encode(guide))

    async def guide(self, organisation: str, version: int) -> Guide | None:
        """Return a version of the setup guide with which a visit began."""
        async with answering():
            data = await self.redis.get(Keys(organisation).record("guide", str(version)))
        return None if data is None else msgspec.msgpack.decode(data, type=Guide)

    async def history(self, organisation: str, visit_id: str) -> list[Event]:
        """Return what happened to a visit, oldest first."""
        async with answering():
            found = await self.redis.lrange(Keys(organisation).history(visit_id), 0, -1)
        place = f"{organisation}/history/{visit_id}"
        return [msgspec.msgpack.decode(self._seal.open(data, place), type=Event) for data in found]
