"""An organisation's events in the store: a stream that keeps the newest events, and the stream's head.

The head is a separate key with the number and the epoch of the stream's last event. A worker that missed
events compares the last event that it has with the head, and reads the missing events from the stream. This
module handles keys and bytes; `rules.py` defines the meaning of events. All methods raise `UnavailableError`
if the store does not answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out

# The stream keeps at least this number of the newest events. A worker that missed more loads all records again.
STREAM_LENGTH = 4_096
_EPOCH = (Path(__file__).parent / "epoch.lua").read_text()
_FIELDS = ("epoch", "seq", "mark", "store")
log = structlog.get_logger()


class StreamEntry(msgspec.Struct, frozen=True, array_like=True):
    """An event, as stored in the stream and sent by pub/sub.

    `what`: the kind of record that it changed, such as "visit" or "staff". `member`: the record's id. `record`: the
    whole record, encrypted. `trace`: `Span.context` of `tracing.py` if the change is traced.

    Fields are only added at the end, with a default: older workers ignore them, and older entries lack them.
    """

    what: str
    member: str
    version: int
    kind: str
    at_ms: int
    record: bytes
    notices: tuple[tuple[str, bytes], ...] = ()
    trace: bytes | None = None


class CommitTrace(Protocol):
    """The trace (time measurement) of a request that leads to a commit, or to several attempts if another commit comes
    first.
    """

    def decided(self) -> bytes:
        """Add the time of the decision to the trace; return the trace's context, which is stored with the event in the
        stream.
        """

    def committed(self, done: bool) -> None:
        """Add to the trace the time at which an attempt to commit ended.

        `done`: False if nothing was written, because another commit came first.
        """


class StreamHead(msgspec.Struct, frozen=True):
    """The head of a stream: its epoch, and the number of the last event; "" and 0 if there was no event.

    `mark`: bytes that distinguish the newest event from any other (`mark_of`), b"" if unknown. `store`: the identity of
    the store to which the epoch belongs (`EventStream.identities`), "" if not recorded yet.
    """

    epoch: str
    seq: int
    mark: bytes = b""
    store: str = ""


class StreamEnd(msgspec.Struct, frozen=True):
    """The end of an organisation's event stream; all three parts were read at the same moment.

    `head`: the stream's head. `events`: (number, event) above a given number, the oldest first. `newest`: the newest
    events, the newest first.
    """

    head: StreamHead
    events: list[tuple[int, StreamEntry]]
    newest: list[StreamEntry]


class Pulse(msgspec.Struct, frozen=True):
    """What the sweep reads of an organisation: the head of its stream, and (visit, deadline in ms) of the visits whose
    deadline has passed.
    """

    head: StreamHead
    due: list[tuple[str, int]]


_ENTRY = msgspec.msgpack.Decoder(StreamEntry)


def decode_entry(data: bytes) -> StreamEntry:
    """Return the event in bytes of the stream. Raises `msgspec.DecodeError` if the bytes are no event."""
    return _ENTRY.decode(data)


def mark_of(entry: StreamEntry) -> bytes:
    """Return bytes that distinguish an event from any other with the same number.

    `commit.lua` stores the mark of the newest event. The mark is the beginning of the encrypted record, which contains
    the nonce, and a nonce is never used twice (`encryption.py`).
    """
    return entry.record[:32]


def new_epoch() -> str:
    """Return a random name for a new epoch of an organisation's event stream."""
    return "e_" + secrets.token_hex(6)


def _head(answer: Sequence[bytes | None]) -> StreamHead:
    epoch, seq, mark, store = answer
    return StreamHead((epoch or b"").decode(), int(seq or 0), mark or b"", (store or b"").decode())


def _events(
    organisation: str, found: Iterable[tuple[bytes, dict[bytes, bytes]]]
) -> list[tuple[int, StreamEntry]]:
    """Return (number, event) of the stream's entries that can be decoded."""
    events = []
    for name, fields in found:
        with leaving_out(organisation, "event"):
            events.append((int(name.split(b"-")[0]), decode_entry(fields.get(b"e", b""))))
    return events


class EventStream:
    """Reads the event streams of all organisations, and begins their epochs.

    An epoch is one unbroken sequence of event numbers: numbers of two epochs cannot be compared. A new epoch begins
    when the store may have lost events.
    """

    def __init__(
        self, redis: Redis, read_clock: Callable[[tuple[int, int]], object] = lambda answer: None
    ) -> None:
        """Use the client `redis`. `read_clock` is called with (s, µs) whenever the store's clock was read."""
        self._redis: Any = redis  # the type stubs of redis-py do not know that replies are bytes
        self._read_clock = read_clock
        self._epoch: Any = redis.register_script(_EPOCH)
        # Connection to a server -> (`connection.opened` when the identity was requested, the identity of the Redis
        # process at the server). After another opening of the connection, the identity is requested again.
        self._asked: dict[Any, tuple[int, str]] = {}

    async def head(self, organisation: str) -> StreamHead:
        """Return the head of an organisation's stream: its epoch and the number of the last event."""
        async with answering():
            return _head(await self._redis.hmget(keys.HEAD(organisation), _FIELDS))

    async def after(self, organisation: str, seq: int) -> list[tuple[int, StreamEntry]]:
        """Return (number, event) of the events above the number `seq` that the stream still has, the oldest first."""
        async with answering():
            return _events(
                organisation, await self._redis.xrange(keys.EVENTS(organisation), min=f"{seq + 1}-0")
            )

    async def at(self, organisation: str, seq: int) -> StreamEntry | None:
        """Return the event with the number `seq` of an organisation; None if the stream has no such event, or no longer
        has it.
        """
        async with answering():
            found = _events(
                organisation, await self._redis.xrange(keys.EVENTS(organisation), f"{seq}-0", f"{seq}-0")
            )
        return found[0][1] if found else None

    async def end(self, organisation: str, seq: int, newest: int = 500) -> StreamEnd:
        """Return the end of an organisation's stream, with all parts read at the same moment.

        The end consists of the head, the events with a number above `seq`, and the newest events, at most `newest` of
        them.
        """
        stream = keys.EVENTS(organisation)
        async with answering():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hmget(keys.HEAD(organisation), _FIELDS)
            pipe.xrange(stream, min=f"{seq + 1}-0")
            pipe.xrevrange(stream, count=newest)
            head, events, last = await pipe.execute()
        events, last = (_events(organisation, each) for each in (events, last))
        return StreamEnd(_head(head), events, [entry for _, entry in last])

    async def pulses(self, organisations: Sequence[str], now_ms: int, limit: int = 200) -> list[Pulse]:
        """Return what the sweep reads of each organisation (a `Pulse`), in the order of `organisations`.

        A pulse has at most `limit` visits whose deadline has passed. One request reads all pulses. `now_ms`: the
        present time.
        """
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.time()
            for organisation in organisations:
                pipe.hmget(keys.HEAD(organisation), _FIELDS)
                pipe.zrangebyscore(
                    keys.DEADLINES(organisation), "-inf", now_ms, start=0, num=limit, withscores=True
                )
            now, *found = await pipe.execute()
        self._read_clock(now)
        answers = iter(found)
        return [
            Pulse(_head(head), [(member.decode(), int(score)) for member, score in due])
            for head, due in zip(answers, answers, strict=True)
        ]

    async def identities(self, organisations: Sequence[str]) -> list[str]:
        """Return, for each organisation, the identity of the Redis process that has the organisation's keys.

        The identity changes with a restart, a failover or a restored copy, and in a cluster when the
        organisation moves to another node. It is Redis's `run_id`. Redis's replication id is not used: it
        changes whenever a backup is taken, because the backup is a replica for a moment. The identity
        is requested once after each opening of a connection.
        """
        found = []
        async with answering():
            for organisation in organisations:
                head = keys.HEAD(organisation)
                connection = await self._redis.connection_of(head)
                opened, identity = self._asked.get(connection, (-1, ""))
                if opened != connection.opened:
                    opened = connection.opened
                    identity = str((await self._redis.info_of(head, "server")).get("run_id", ""))
                    if opened == connection.opened:
                        self._asked[connection] = opened, identity
                found.append(identity)
        return found

    async def begin_epoch(self, organisation: str, field: str, held: str, identity: str = "") -> bool:
        """Begin a new epoch of an organisation's stream, because the store may have lost events; return True if it has
        begun.

        Numbers of events from two epochs cannot be compared. If `field` of the stream's head ("epoch" or "store") no
        longer has the value `held`, another worker has begun an epoch: then no epoch begins, and the result is False.
        `identity`: the identity of the store, "" if not known.
        """
        async with answering():
            begun = await self._epoch(
                keys=[keys.HEAD(organisation), keys.EVENTS(organisation)],
                args=[field, held, new_epoch(), identity],
            )
        if begun:
            log.warning(
                "store.new_epoch",
                organisation=organisation,
                reason="events were lost"
                if field == "epoch"
                else "another store, or the same after a restart",
            )
        return bool(begun)

    async def adopt(self, organisation: str, identity: str) -> None:
        """Record the identity of the store to which an organisation's epoch belongs, unless one is recorded already."""
        async with answering():
            await self._redis.hsetnx(keys.HEAD(organisation), "store", identity)
