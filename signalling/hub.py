"""This worker's connections and their topics: a message is written once, and the same bytes go to every socket.

Fan-out never awaits a client. A socket with too much unsent is cut off; at most 64 sockets are written per turn
of the loop; queue news of 10 ms go out in one write, the first at once. Why: docs/ARCHITECTURE.md#decisions;
figures: tests/benchmarks/results.md.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable

import structlog

from signalling.protocol.messages import CODECS, Codec, Message
from signalling.supervision import Failed, unsupervised
from signalling.visit.record import Actor

TICK_S = 0.010
SOCKETS_PER_TURN = 64
RING = 512  # queue news kept for those who come back

log = structlog.get_logger()


PING, PONG = 0x9, 0xA
"""Opcodes of control frames (RFC 6455 §5.5)."""


def frame(payload: bytes, opcode: int) -> bytes:
    """Return one unmasked, unfragmented WebSocket frame (RFC 6455 §5.2)."""
    first, size = 0x80 | opcode, len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


class Encoded:
    """A message and its frames, each built when the first socket needs it."""

    __slots__ = ("_frames", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._frames: dict[str, bytes] = {}

    def frame(self, codec: Codec) -> bytes:
        """Return the frame for a codec; nothing where the message cannot be encoded, which is logged."""
        found = self._frames.get(codec.subprotocol)
        if found is None:
            try:
                found = frame(codec.encode(self.message), codec.opcode)
            except Exception:
                # The news that are joined with it must still go out.
                log.exception("hub.not_encoded", kind=type(self.message).__name__)
                found = b""
            self._frames[codec.subprotocol] = found
        return found


class Socket:
    """One client's way out. `cut` is called once with a close code when it cannot keep up.

    Nothing here raises because of the client's transport, however it ended: whoever writes to one writes to many.
    """

    __slots__ = (
        "_cut",
        "_spare",
        "_transport",
        "actor",
        "codec",
        "connection",
        "heard_s",
        "limit",
        "open",
        "silent",
        "topics",
    )

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        codec: Codec,
        actor: Actor,
        connection: str,
        limit: int,
        cut: Callable[[int], None],
    ) -> None:
        self._transport = transport
        self._cut = cut
        self.codec = codec
        self.actor = actor
        self.connection = connection
        self.limit = limit
        self.topics: frozenset[str] = frozenset()  # one empty set serves all quiet sockets
        self.open = True
        self.silent = False  # it was given up
        self.heard_s = time.monotonic()  # when the client last said anything
        self._spare = 0

    def write(self, data: bytes) -> None:
        """Queue bytes for sending, or cut the client off where too much is unsent already. Nothing happens where the
        transport has closed: uvloop's raises then, and its owner may still be waiting for the store.

        One message that is larger than the limit (a very long queue) does not count against who is about to read it.
        """
        if not self.open:
            return
        try:
            unsent = self._transport.get_write_buffer_size()
            if unsent > self.limit:
                if unsent > self.limit + self._spare:
                    self.close(4002)
                    return
            elif self._spare:
                self._spare = 0
            if len(data) > self.limit:
                self._spare = len(data)
            self._transport.write(data)
        except Exception as problem:  # noqa: BLE001 - it concerns this client alone
            self._died(problem)

    def _died(self, problem: Exception) -> None:
        self.open = False
        log.debug("hub.socket_died", connection=self.connection, problem=type(problem).__name__)

    def send(self, message: Message) -> None:
        """Send one message to this client alone."""
        self.write(frame(self.codec.encode(message), self.codec.opcode))

    def abort(self) -> None:
        """Let go of a client that does not answer: a close frame would wait for it as well."""
        self.open = False
        try:
            self._transport.abort()
        except Exception as problem:  # noqa: BLE001 - as in `write`
            self._died(problem)

    def give_up(self) -> None:
        """Let go of a client that has said nothing for so long that nobody need wait for its return."""
        self.silent = True
        self.abort()

    def close(self, code: int) -> None:
        """Close, once."""
        if self.open:
            self.open = False
            try:
                self._cut(code)
            except Exception as problem:  # noqa: BLE001 - as in `write`
                self._died(problem)


class Topic:
    """Who hears a topic, what is waiting to go out, and the newest news for those who come back."""

    __slots__ = ("floor", "pending", "ring", "sending", "sockets", "told")

    def __init__(self, floor: int) -> None:
        self.sockets: dict[Socket, int] = {}  # and the version that each has had from its snapshot
        self.pending: list[tuple[int, Encoded]] = []
        self.ring: deque[tuple[int, Encoded]] = deque(maxlen=RING)
        self.floor = floor  # the ring has everything above this version
        self.sending: asyncio.Task[None] | None = None
        self.told = 0  # messages sent by `Hub.tell`


class Hub:
    """Sockets by connection, person and topic."""

    def __init__(self, failed: Failed = unsupervised) -> None:
        self.sockets: dict[str, Socket] = {}
        self._failed = failed
        self._topics: dict[str, Topic] = {}
        self._last_tick: dict[str, float] = {}

    def add(self, socket: Socket) -> None:
        """Take a socket in, in the place of an older one of the same connection, which is closed with 4203."""
        older = self.sockets.get(socket.connection)
        self.sockets[socket.connection] = socket
        if older is not None:
            older.close(4203)

    def remove(self, socket: Socket) -> None:
        """Forget a socket."""
        socket.open = False
        for topic in list(socket.topics):
            self.unsubscribe(socket, topic)
        if self.sockets.get(socket.connection) is socket:
            del self.sockets[socket.connection]

    def of_person(self, organisation: str, person: str) -> list[Socket]:
        """Return somebody's sockets, by reading all: an index would cost each quiet socket more."""
        return [
            socket
            for socket in self.sockets.values()
            if socket.actor.id == person and socket.actor.organisation == organisation
        ]

    def has(self, topic: str) -> bool:
        """Return whether anybody here hears a topic."""
        return topic in self._topics

    def names(self, organisation: str) -> list[str]:
        """Return the names of an organisation's topics that somebody here hears or may come back to."""
        return [name for name in self._topics if name.startswith(f"{organisation}/")]

    def told(self, topic: str) -> int:
        """Return how many messages were sent by `tell`: whether there was news while something else was waited for."""
        found = self._topics.get(topic)
        return 0 if found is None else found.told

    def subscribers(self, topic: str) -> Iterable[Socket]:
        """Return who hears a topic."""
        found = self._topics.get(topic)
        return () if found is None else tuple(found.sockets)

    def subscribe(self, socket: Socket, topic: str, version: int) -> None:
        """Let a socket hear a topic that stands at `version`."""
        self._topics.setdefault(topic, Topic(version)).sockets[socket] = version
        socket.topics |= {topic}

    def unsubscribe(self, socket: Socket, topic: str) -> None:
        """Let a socket no longer hear a topic."""
        socket.topics -= {topic}
        found = self._topics.get(topic)
        if found is not None:
            found.sockets.pop(socket, None)
            # The queue's ring outlives its listeners for those who come back; nothing else has one.
            if not found.sockets and not found.ring and not found.pending:
                del self._topics[topic]
                self._last_tick.pop(topic, None)

    def since(self, topic: str, version: int) -> list[Encoded] | None:
        """Return the news above a version, or None where some are no longer kept."""
        found = self._topics.get(topic)
        if found is None or version < found.floor:
            return None
        return [encoded for at, encoded in found.ring if at > version]

    def tell(self, topic: str, message: Message) -> None:
        """Send at once to the few who hear a topic (a visit's parties)."""
        found = self._topics.get(topic)
        if found is not None:
            encoded = Encoded(message)
            found.told += 1
            for socket in tuple(found.sockets):
                socket.write(encoded.frame(socket.codec))

    def publish(self, topic: str, version: int, message: Message) -> None:
        """Send to the many who hear a topic (the queue): in order, joined per tick, a few sockets per turn."""
        found = self._topics.get(topic)
        if found is None:
            return
        encoded = Encoded(message)
        if len(found.ring) == RING:
            found.floor = found.ring[0][0]
        found.ring.append((version, encoded))
        found.pending.append((version, encoded))
        if found.sending is None:
            found.sending = asyncio.get_running_loop().create_task(self._send(topic, found))
            found.sending.add_done_callback(self._sent)

    def forget(self, topic: str, version: int) -> None:
        """Drop what was kept for those who come back; they take a snapshot."""
        found = self._topics.get(topic)
        if found is not None:
            found.ring.clear()
            found.floor = version
            found.sockets = dict.fromkeys(found.sockets, version)
            # What has not gone out yet is older than the snapshot, and may be of another epoch.
            found.pending.clear()
            if found.sending is not None:
                found.sending.cancel()
                found.sending = None

    async def _send(self, name: str, topic: Topic) -> None:
        loop = asyncio.get_running_loop()
        try:
            while topic.pending:
                wait = self._last_tick.get(name, 0.0) + TICK_S - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                self._last_tick[name] = loop.time()
                batch, topic.pending = topic.pending, []
                joined = {
                    codec: b"".join(encoded.frame(codec) for _, encoded in batch)
                    for codec in CODECS.values()
                    if any(socket.codec is codec for socket in topic.sockets)
                }
                sockets, first = tuple(topic.sockets.items()), batch[0][0]
                for start in range(0, len(sockets), SOCKETS_PER_TURN):
                    if start:
                        await asyncio.sleep(0)
                    for socket, since in sockets[start : start + SOCKETS_PER_TURN]:
                        if since >= first:  # it came while these waited: its snapshot has the oldest of them
                            for version, encoded in batch:
                                if version > since:
                                    socket.write(encoded.frame(socket.codec))
                            continue
                        data = joined.get(socket.codec)
                        if data is not None:
                            socket.write(data)
        finally:
            if topic.sending is asyncio.current_task():
                topic.sending = None

    def _sent(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._failed("hub.fan-out", problem)
