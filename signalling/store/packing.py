"""Packs ended visits in the store, an hour after their last change, and unpacks a visit that changes again.

A visit that has ended is read rarely, and kept for months. Its record, history, chat messages and calls have a key each
in the store. They are replaced by one compressed value (`packed.py`), which takes a sixth of the memory. Each step is
one script that does nothing if the visit has changed meanwhile: a visit is always either packed or not. All methods
raise `UnavailableError` if the store does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.guarded import Check, Command, Guarded
from signalling.store.packed import PackedVisit, packed, record_of, unpacked
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out
from signalling.visit.call_quality import Tally, merged
from signalling.visit.record import ChatMessage, Visit
from signalling.visit.relations import Event

AFTER_MS = 3_600_000
"""A visit is packed this time in ms after its last change, because later changes (tags, survey, reopening) are rare."""
MOST_PARTS = 200
"""A visit with more chat messages, or more events, than this number is not packed: while such a visit is read and
written, all other visits of this worker and of the store would wait.
"""
_encode = msgspec.msgpack.Encoder().encode
_VISIT = msgspec.msgpack.Decoder(Visit)
_EVENT = msgspec.msgpack.Decoder(Event)
_MESSAGE = msgspec.msgpack.Decoder(ChatMessage)
_TALLY = msgspec.msgpack.Decoder(Tally)


class Queued(NamedTuple):
    """An ended visit that is not packed yet. `changed_ms`: the time of its last change."""

    visit: str
    changed_ms: int


class PackedVisits:
    """Reads, packs and unpacks the ended visits of all organisations."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._guarded = Guarded(redis)

    # --- reading

    async def visits(self, organisation: str, ids: Sequence[str]) -> dict[str, Visit]:
        """Return the packed visits among `ids`, as a map from id to visit.

        Visits that cannot be read are logged and left out.
        """
        # One command reads all visits. With one command per visit, these commands would take most of the time of a
        # report.
        async with answering():
            names = [keys.PAST(organisation, visit_id) for visit_id in ids]
            values = await self._redis.mget(names) if names else []
        found = {}
        for visit_id, sealed in zip(ids, values, strict=True):
            if sealed is None:
                continue
            with leaving_out(organisation, "past"):
                found[visit_id] = self.record(organisation, visit_id, sealed)
        return found

    async def beside(
        self, organisation: str, visit_id: str, ask: Callable[[Any], object]
    ) -> tuple[Any, PackedVisit | None]:
        """Return (the reply to the command that `ask` adds, the packed visit or None), read in one request.

        `ask` receives a pipeline and adds one command, which reads a value of the unpacked visit. If the
        visit is packed, the reply to this command is of no use. Raises `SealError` if the packed visit cannot
        be read.
        """
        past = keys.PAST(organisation, visit_id)
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(past)
            ask(pipe)
            pipe.get(past)  # read again: the visit may have been packed between the first two commands
            before, reply, after = await pipe.execute()
        sealed = before if before is not None else after
        return reply, None if sealed is None else self._opened(organisation, visit_id, sealed)

    async def add_beside(
        self, organisation: str, visit_id: str, kind: keys.Key, fields: Mapping[str, bytes]
    ) -> bool:
        """Set fields of an unpacked visit's hash `kind`, such as its photos, and return True.

        If the visit has been packed or erased meanwhile, set nothing, and return False: no later erasure would find
        these fields.
        """
        exists: Check = (("HEXISTS", keys.VISIT(organisation, visit_id), "record"), 1)
        words = (word for field in fields.items() for word in field)
        return await self._guarded.run([exists], [("HSET", kind(organisation, visit_id), *words)])

    def record(self, organisation: str, visit_id: str, sealed: bytes) -> Visit:
        """Return the record of the packed visit in the encrypted bytes `sealed`.

        Raises `SealError` or msgspec's `DecodeError` if it cannot be read.
        """
        return record_of(self._seal.open(sealed, _place(organisation, visit_id)))

    def _opened(self, organisation: str, visit_id: str, sealed: bytes) -> PackedVisit:
        return unpacked(self._seal.open(sealed, _place(organisation, visit_id)))

    # --- packing

    async def enqueue(self, organisation: str, places: Iterable[tuple[int, str]]) -> None:
        """Add ended visits to the queue of the visits that will be packed (compressed into one value). A visit that
        is already in the queue is not changed.

        `places`: (the time in ms of its end, its id) of each visit.
        """
        async with answering():
            await self._redis.zadd(
                keys.UNPACKED(organisation), {visit_id: ended_ms for ended_ms, visit_id in places}, nx=True
            )

    async def due(self, organisation: str, now_ms: int, limit: int) -> list[Queued]:
        """Return at most `limit` of the visits that wait to be packed: those last changed AFTER_MS before `now_ms` or
        earlier.
        """
        async with answering():
            found = await self._redis.zrange(
                keys.UNPACKED(organisation), "-inf", now_ms - AFTER_MS, byscore=True, offset=0, num=limit,
                withscores=True,
            )  # fmt: skip
        return [Queued(name.decode(), int(changed_ms)) for name, changed_ms in found]

    async def pack(self, organisation: str, queued: Queued) -> bool:
        """Pack a visit, and remove it from the queue; return False, and do nothing, if the visit changes meanwhile.

        Some visits are only removed from the queue: visits that are open again, were erased, cannot be read, or have
        more than MOST_PARTS chat messages or events. The next change of such a visit adds it to the queue again.
        """
        visit_id, queue = queued.visit, keys.UNPACKED(organisation)
        visit, history, chat, calls = names = _keys(organisation, visit_id)
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(visit, "record").lrange(history, 0, MOST_PARTS).zrange(chat, 0, MOST_PARTS).hgetall(
                calls
            )
            record, events, ids, parts = await pipe.execute()
        if max(len(events), len(ids)) > MOST_PARTS:
            return await self._run([_unchanged(queue, queued)], [("ZREM", queue, visit_id)])
        async with answering():
            lines = [keys.LINE(organisation, line.decode()) for line in ids]
            pipe = self._redis.pipeline(transaction=False)
            for line in lines:
                pipe.hget(line, "record")
            messages = await pipe.execute() if lines else []
        whole = self._whole(
            organisation, visit_id, record, events, dict(zip(ids, messages, strict=True)), parts
        )
        checks: list[Check] = [
            _unchanged(queue, queued),
            (("HGET", visit, "record"), record or "false"),
            (("ZCARD", chat), len(ids)),
            (("HLEN", calls), len(parts)),
            *((("HGET", calls, part), value) for part, value in parts.items()),
        ]
        past, commands = keys.PAST(organisation, visit_id), list[Command]()
        if whole is not None:
            commands += [("SET", past, self._seal.close(packed(whole), _place(organisation, visit_id)))]
            commands += [("DEL", name) for name in (*names, *lines)]
        commands.append(("ZREM", queue, visit_id))
        return await self._run(checks, commands)

    def _whole(
        self,
        organisation: str,
        visit_id: str,
        record: bytes | None,
        events: list[bytes],
        messages: dict[bytes, bytes | None],
        parts: dict[bytes, bytes],
    ) -> PackedVisit | None:
        """Return a visit from its encrypted values; None if it does not exist, is open, or cannot be read.

        `record`: None if the store has none. `events`: its history. `messages`: id -> chat message. `parts`: party ->
        the quality of its calls.
        """

        def opened(value: bytes | None, kind: str, name: str = visit_id) -> bytes:
            if value is None:
                raise SealError("lost")
            return self._seal.open(value, f"{organisation}/{kind}/{name}")

        if record is None:
            return None
        with leaving_out(organisation, "visit"):
            visit = _VISIT.decode(opened(record, "visit"))
            if visit.is_open:
                return None
            return PackedVisit(
                visit,
                tuple(_EVENT.decode(opened(value, "history")) for value in events),
                tuple(
                    _MESSAGE.decode(opened(value, "line", id_.decode())) for id_, value in messages.items()
                ),
                tuple(merged(_TALLY.decode(opened(value, "calls")) for value in parts.values())),
            )
        return None

    async def unpack(self, organisation: str, visit_id: str, now_ms: int) -> None:
        """Replace a packed visit by its keys, so that a command can change it. Do nothing if the visit is not packed.

        Raises `SealError` if the packed visit cannot be read.
        """
        past, queue = keys.PAST(organisation, visit_id), keys.UNPACKED(organisation)
        async with answering():
            sealed = await self._redis.get(past)
        if sealed is None:
            return
        whole = self._opened(organisation, visit_id, sealed)
        visit, history, chat, calls = _keys(organisation, visit_id)

        def closed(value: object, kind: str, name: str = visit_id) -> bytes:
            return self._seal.close(_encode(value), f"{organisation}/{kind}/{name}")

        commands: list[Command] = [
            ("HSET", visit, "version", whole.visit.version, "record", closed(whole.visit, "visit")),
            *(("RPUSH", history, closed(event, "history")) for event in whole.events),
            *(
                ("HSET", calls, f"past/{number}", closed(tally, "calls"))
                for number, tally in enumerate(whole.calls)
            ),
        ]
        score = 0
        for message in whole.messages:
            score = max(score + 1, message.at_ms)
            line = keys.LINE(organisation, message.id)
            commands.append(("ZADD", chat, score, message.id))
            commands.append(
                ("HSET", line, "version", message.version, "record", closed(message, "line", message.id))
            )
        commands += [("DEL", past), ("ZADD", queue, now_ms, visit_id)]
        await self._run([(("GET", past), sealed)], commands)

    async def _run(self, checks: list[Check], commands: list[Command]) -> bool:
        return await self._guarded.run(checks, commands)


def _unchanged(queue: str, queued: Queued) -> Check:
    return ("ZSCORE", queue, queued.visit), queued.changed_ms


def _keys(organisation: str, visit_id: str) -> tuple[str, str, str, str]:
    """Return the keys of the store that a packed visit replaces, except those of its chat messages."""
    visit, history, chat, calls = (
        kind(organisation, visit_id) for kind in (keys.VISIT, keys.HISTORY, keys.CHAT, keys.CALLS)
    )
    return visit, history, chat, calls


def _place(organisation: str, visit_id: str) -> str:
    return f"{organisation}/past/{visit_id}"
