"""Sends messages to the sockets of this worker, according to the topics to which they are subscribed.

A message is encoded once per codec, and every socket receives the same bytes. Sending never waits for a client: a
socket with too much unsent data is closed. At most 64 sockets are written in one turn of the event loop. Updates of the
queue that come within 10 ms of each other are sent in one write; the first update is sent at once. The reasons for
these rules are in docs/ARCHITECTURE.md#decisions, the measurements in tests/benchmarks/results.md.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable

import structlog

from signalling import counts
from signalling.protocol.codec import CODECS, Codec
from signalling.protocol.server_messages import Message
from signalling.supervision import Failed, unsupervised
from signalling.visit.record import Actor

TICK_S = 0.010
SOCKETS_PER_TURN = 64
RING = 512  # the number of newest queue updates that are kept, for clients that resume and lack some of them

log = structlog.get_logger()


CLOSE, PING, PONG = 0x8, 0x9, 0xA
"""The opcodes of the control frames (RFC 6455 §5.5)."""


def frame(payload: bytes, opcode: int) -> bytes:
    """Return `payload` as one unmasked, unfragmented WebSocket frame with this opcode (RFC 6455 §5.2)."""
    first, size = 0x80 | opcode, len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


class Encoded:
    """A message, with its WebSocket frame for each codec. A frame is built when the first socket needs it."""

    __slots__ = ("_frames", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self._frames: dict[str, bytes] = {}

    def frame(self, codec: Codec) -> bytes:
        """Return the WebSocket frame of the message in this codec.

        If the message cannot be encoded, log the error and return b"", so that no frame is sent.
        """
        found = self._frames.get(codec.subprotocol)
        if found is None:
            try:
                found = frame(codec.encode(self.message), codec.opcode)
            except Exception:
                # An error in one message must not prevent the other messages of this write from being sent.
                log.exception("hub.not_encoded", kind=type(self.message).__name__)
                found = b""
            self._frames[codec.subprotocol] = found
        return found


class Socket:
    """The sending side of one client's socket. `cut` is called once, with a close code, if the client reads too slowly.

    `limit`: the greatest number of unsent bytes. The methods catch and log errors of the transport, because callers
    write to many sockets in a loop, and one broken client must not end the loop.
    """

    __slots__ = (
        "_cut",
        "_spare",
        "_transport",
        "actor",
        "codec",
        "connection",
        "limit",
        "open",
        "received_s",
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
        self._cut: Callable[[int], None] | None = cut
        self.codec = codec
        self.actor = actor
        self.connection = connection
        self.limit = limit
        self.topics: frozenset[str] = frozenset()  # an empty set that all new sockets share
        self.open = True
        # True if the connection was aborted because the client had sent nothing for a long time.
        self.silent = False
        self.received_s = time.monotonic()  # the time in s at which the client last sent anything
        self._spare = 0

    def write(self, data: bytes) -> None:
        """Write bytes to the socket without waiting; close the socket instead if too much of its data is still unsent.

        Does nothing if the socket is closed, because writing to a closed transport may raise. A single message can be
        larger than `limit`, such as a snapshot of a very long queue. While such a message is sent, its bytes do not
        count as unsent data.
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
        except Exception as problem:  # noqa: BLE001 - one client's error must not reach the caller
            self._died(problem)

    def _died(self, problem: Exception) -> None:
        self.open = False
        log.debug("hub.socket_died", connection=self.connection, problem=type(problem).__name__)

    def send(self, message: Message) -> None:
        """Send a message to this one socket's client, whatever topics it is subscribed to."""
        self.write(frame(self.codec.encode(message), self.codec.opcode))

    def abort(self) -> None:
        """Abort the connection of a client that does not read its data. A close frame would never reach the client."""
        self.open = False
        try:
            self._transport.abort()
        except Exception as problem:  # noqa: BLE001 - one client's error must not reach the caller
            self._died(problem)

    def give_up(self) -> None:
        """Abort a socket whose client has sent nothing for so long that the connection cannot be resumed."""
        self.silent = True
        counts.SOCKETS_CLOSED["silent"] += 1
        self.abort()

    def close(self, code: int) -> None:
        """Close the socket with a close code. Only the first call has an effect."""
        if self.open and self._cut is not None:
            self.open = False
            try:
                self._cut(code)
            except Exception as problem:  # noqa: BLE001 - one client's error must not reach the caller
                self._died(problem)

    def end(self) -> None:
        """Record that the connection has ended, and forget the function `cut`.

        The connection and its socket refer to each other. Without this method, their memory would be freed only by a
        garbage collection, which comes after some ten thousand connections.
        """
        self.open = False
        self._cut = None


class Topic:
    """The state of one topic in the hub: its subscribers, its unsent updates, and the newest updates for clients that
    resume.
    """

    __slots__ = ("floor", "pending", "ring", "sending", "sent", "sockets")

    def __init__(self, floor: int) -> None:
        # Each subscribed socket -> the version of the whole state (snapshot) that was sent to it.
        self.sockets: dict[Socket, int] = {}
        self.pending: list[tuple[int, Encoded]] = []
        self.ring: deque[tuple[int, Encoded]] = deque(maxlen=RING)
        # `ring` (the list of kept updates) has every update of the topic whose version is above this number
        self.floor = floor
        self.sending: asyncio.Task[None] | None = None
        self.sent = 0  # the number of messages that `Hub.send` has sent to this topic


class Hub:
    """Holds all sockets of a worker, by the id of their connection, and the topics to which they are subscribed."""

    def __init__(self, failed: Failed = unsupervised) -> None:
        self.sockets: dict[str, Socket] = {}
        self._failed = failed
        self._topics: dict[str, Topic] = {}
        self._last_tick: dict[str, float] = {}

    def add(self, socket: Socket) -> None:
        """Add a socket. If the connection has an older socket, close the older socket with code 4203 (replaced)."""
        older = self.sockets.get(socket.connection)
        self.sockets[socket.connection] = socket
        if older is not None:
            older.close(4203)

    def remove(self, socket: Socket) -> None:
        """Remove a socket from the hub, and end its subscriptions to topics."""
        socket.end()
        for topic in list(socket.topics):
            self.unsubscribe(socket, topic)
        if self.sockets.get(socket.connection) is socket:
            del self.sockets[socket.connection]

    def of_person(self, organisation: str, person: str) -> list[Socket]:
        """Return the sockets of all tabs and devices of a person.

        This reads all sockets, because an index would cost memory for each idle socket.
        """
        return [
            socket
            for socket in self.sockets.values()
            if socket.actor.id == person and socket.actor.organisation == organisation
        ]

    def has(self, topic: str) -> bool:
        """Return True if the topic has a subscriber on this worker, or updates that are not sent yet."""
        return topic in self._topics

    def names(self, organisation: str) -> list[str]:
        """Return the names of an organisation's topics that have a subscriber or unsent updates on this worker."""
        return [name for name in self._topics if name.startswith(f"{organisation}/")]

    def sent(self, topic: str) -> int:
        """Return the number of messages that `send` has sent to a topic.

        A caller can compare the numbers before and after a wait, to notice new messages.
        """
        found = self._topics.get(topic)
        return 0 if found is None else found.sent

    def subscribers(self, topic: str) -> Iterable[Socket]:
        """Return the sockets that are subscribed to a topic."""
        found = self._topics.get(topic)
        return () if found is None else tuple(found.sockets)

    def subscribe(self, socket: Socket, topic: str, version: int) -> None:
        """Subscribe a socket to a topic. `version`: the version of the topic that the socket's client knows."""
        self._topics.setdefault(topic, Topic(version)).sockets[socket] = version
        socket.topics |= {topic}

    def unsubscribe(self, socket: Socket, topic: str) -> None:
        """End the subscription of a socket to a topic."""
        socket.topics -= {topic}
        found = self._topics.get(topic)
        if found is not None:
            found.sockets.pop(socket, None)
            # The kept updates of the queue stay even without a subscriber, for clients that resume. Other topics are
            # removed.
            if not found.sockets and not found.ring and not found.pending:
                del self._topics[topic]
                self._last_tick.pop(topic, None)

    def since(self, topic: str, version: int) -> list[Encoded] | None:
        """Return the updates of a topic with a version above `version`, the oldest first; None if the hub no longer
        has all of these updates.
        """
        found = self._topics.get(topic)
        if found is None or version < found.floor:
            return None
        return [encoded for at, encoded in found.ring if at > version]

    def send(self, topic: str, message: Message) -> None:
        """Send a message to all subscribers of a topic at once.

        This is for topics with few subscribers, such as the parties of one visit.
        """
        found = self._topics.get(topic)
        if found is not None:
            encoded = Encoded(message)
            found.sent += 1
            for socket in tuple(found.sockets):
                socket.write(encoded.frame(socket.codec))

    def publish(self, topic: str, version: int, message: Message) -> None:
        """Send a message to all subscribers of a topic within TICK_S. This is for topics with many subscribers (the
        queue).

        `version`: the version of the topic after the message. Messages stay in order. All messages of one TICK_S are
        sent in one write, to SOCKETS_PER_TURN sockets per turn of the event loop.
        """
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
        """Drop the kept and the unsent updates of a topic, whose version is now `version`.

        Clients that resume then receive the whole state (a snapshot) instead of the updates that they lack.
        """
        found = self._topics.get(topic)
        if found is not None:
            found.ring.clear()
            found.floor = version
            found.sockets = dict.fromkeys(found.sockets, version)
            # The unsent updates are older than the snapshot that was just sent. They may also belong to an older epoch,
            # whose versions cannot be compared with the present versions.
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
                        # The snapshot (whole state) that this socket received may contain some of these
                        # updates already: only updates above its version `since` are sent.
                        if since >= first:
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
