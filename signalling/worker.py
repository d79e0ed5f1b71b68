"""Connects all parts of one worker's signalling: creates them, starts them, and stops them.

The parts are the store, pub/sub, mirrors (copies of the open records), hub, topics, rooms and sweep. `web` passes the
Redis client, the keys, the organisations and the media relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Coroutine, Iterable
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.hub import Hub
from signalling.rooms import worker_messages as wire
from signalling.rooms.lease import Leases
from signalling.rooms.liveness import Liveness
from signalling.rooms.memberships import Memberships
from signalling.rooms.ports import MediaRelay
from signalling.rooms.registry import Registry
from signalling.rooms.rooms import Rooms
from signalling.rooms.shares import Shares
from signalling.service import Organisations, Service
from signalling.sockets.clean_up import left_behind
from signalling.sockets.connection import Connection
from signalling.sockets.heartbeat import Heartbeat
from signalling.sockets.services import Services
from signalling.sockets.socket_limits import SocketCounts
from signalling.sockets.websocket import WebSocket, fastest
from signalling.store import keys
from signalling.store.audit_log import AuditLog, key_of
from signalling.store.audit_reader import SeenEntries
from signalling.store.encryption import Seal
from signalling.store.guest_links import GuestLinks
from signalling.store.pubsub import Bus
from signalling.store.records import Store
from signalling.store.resume_tokens import Tokens
from signalling.supervision import Supervisor
from signalling.sweep import Sweep
from signalling.topics.topics import Topics
from signalling.tracing import ClaimTraces, Tracer

log = structlog.get_logger()
DRAIN_JITTER_S = 2.0
MOVED_S = 3.0
"""The longest time in s that a draining worker waits until its clients are on other workers.

A client waits up to 2 s after the close code 1001 before it connects again.
"""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits for one client or one IP address, and for the rooms of this worker.

    The fields `sockets_…` and `rooms_max` (the greatest number of rooms) may be 0, which means no limit.
    """

    message_bytes: int = 65_536
    unsent_bytes: int = 1 << 20
    hello_s: float = 5.0
    sockets_before_hello: int = 0
    sockets_per_address: int = 0
    sockets_per_person: int = 0
    rooms_max: int = 0


class Worker:
    """The signalling of one worker process.

    `id` is new at every start, so that connections and leases of a dead worker are not confused with those of the
    worker that replaces it. `root`: 32 bytes that never change, from which tokens and the audit log's hashes are
    derived. `seal` encrypts records. `worker_id`: the id of this worker, chosen by the process that started it
    and announces its death (`liveness.death_of`); None: make a new id. `tracer`: None if tracing is off.
    """

    def __init__(
        self,
        redis: Redis,
        seal: Seal,
        root: bytes,
        organisations: Organisations,
        relay: MediaRelay,
        limits: Limits,
        index: int,
        seen_entries: SeenEntries | None = None,
        worker_id: str | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.id = worker_id or f"w{index}-{secrets.token_hex(4)}"
        self.limits = limits
        self.socket_counts = SocketCounts(limits)
        self.connections: dict[str, Connection] = {}
        # The connections whose socket was lost a moment ago, and which may be resumed soon.
        self.lingering: set[str] = set()
        # The time-outs of the sockets that have not sent `hello` yet.
        self.hellos: set[asyncio.Timeout] = set()
        # The class for new sockets; `start` chooses a faster class if it works.
        self.websocket: type[WebSocket] = WebSocket
        self._stopping = asyncio.Event()
        # set if the number of rooms has changed, or this worker begins to stop; `web/metrics/report.py` clears it
        self.changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.supervisor = Supervisor()
        store = Store(redis, seal)
        self.bus = Bus(redis)
        self.service = Service(store, self.bus, organisations)
        self.service.mirrors.failed = self.supervisor.failed
        self.audit_log = AuditLog(store, key_of(root), organisations, seen_entries)
        self.hub = Hub(self.supervisor.failed)
        self.heartbeat = Heartbeat()
        self.topics = Topics(self.hub, self.service, self.supervisor.failed)
        self.liveness = Liveness(
            store, self.id, self._watched, relay, sha256(b"greenroom workers" + root).digest()
        )
        leases = Leases(store, self.liveness, self.id)
        registry = self._registry = Registry(self.service, self.liveness, self.id)
        self.service.rooms_left = registry.left
        self.memberships = Memberships(
            self.service, self.hub, self.liveness, leases, registry, self.id, self.spawn
        )
        self.rooms = self.memberships.rooms = Rooms(
            self.service, relay, leases, self.id, self.spawn, self.memberships, self.changed.set
        )
        self.shares = Shares(registry.places, self.liveness, self.id)
        self.sweep = Sweep(self.service, self.liveness, self, self.shares)
        self.guest_links = GuestLinks(store)
        self.tokens = Tokens(store, sha256(b"greenroom resume" + root).digest(), self.id)
        self.services = Services(
            worker=self.id,
            service=self.service,
            topics=self.topics,
            memberships=self.memberships,
            relay=relay,
            audit_log=self.audit_log,
            guest_links=self.guest_links,
            tokens=self.tokens,
            spawn=self.spawn,
            superseded=self.superseded,
            traces=None if tracer is None else ClaimTraces(tracer, self.hub, self.service.mirrors.observers),
        )

    def _watched(self) -> set[str]:
        return {*self.memberships.owners(), *self.sweep.holders()}

    def present(self) -> Iterable[Connection]:
        """Return the connections whose clients have an open socket on this worker now."""
        return self.connections.values()

    def holds(self, connection: str) -> bool:
        """Return True if this worker has a connection, or lost it a moment ago."""
        return connection in self.connections or connection in self.lingering

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine that ends by itself, as a task of this worker; return the task. A failure is logged.

        A task that must never end is started by the supervisor instead (`supervision.py`).
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("worker.task_failed", exc_info=task.exception())

    async def start(self) -> None:
        """Start all tasks, and receive the messages of other workers from now on.

        If the store does not answer, the tasks wait for it in the background.
        """
        self.websocket = await fastest()
        for channel, handler in (
            (keys.worker_channel(self.id), self._receive),
            (keys.DEATHS_CHANNEL, self.liveness.announced),
        ):
            try:
                await self.bus.subscribe(channel, handler)
            except UnavailableError:
                log.debug("worker.store_unavailable")
        keep = self.supervisor.keep
        keep("bus", self.bus.run)
        keep("liveness", partial(self.liveness.run, self.memberships.move_from, self.rooms.doubt))
        keep("rooms", self.rooms.run)
        keep("shares", self.shares.run)
        keep("sweep", self.sweep.run)
        keep("heartbeat", self.heartbeat.run)
        keep("audit_log", self.audit_log.run)
        if self.limits.rooms_max:
            keep("registry", self._registry.run)

    @property
    def draining(self) -> bool:
        """Return True while this worker stops and sends its clients to other workers."""
        return self._stopping.is_set()

    async def lingered(self, seconds: float) -> None:
        """Wait for `seconds`, or until this worker begins to stop if that is earlier."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _receive(self, data: bytes) -> None:
        message = wire.decode(data)
        if isinstance(message, wire.Deliver):
            self.memberships.delivered(message)
        elif isinstance(message, wire.Lost):
            self.rooms.lost(message.visit, message.fence)
        elif isinstance(message, wire.Supersede):
            self.spawn(self.superseded(message.connection))
        else:
            self.rooms.receive_from_worker(message)

    async def superseded(self, connection: str) -> None:
        """Close the socket of a connection that was resumed on another worker.

        Do nothing if the connection was then resumed on this worker again.
        """
        held = self.connections.get(connection)
        if held is None:
            self.memberships.superseded(connection)
            return
        try:
            if await self.tokens.holder(held.origin) == self.id:
                return
        except UnavailableError:
            # It is not known whether this worker's socket is the connection's newest socket, so it stays open: closing
            # the newest socket would end the connection. Commands of an older socket are refused when they are
            # committed.
            log.info("connection.holder_unknown")
            return
        if self.connections.get(connection) is held:
            del self.connections[connection]
            self.memberships.superseded(connection)
            held.socket.close(4203)
            self.spawn(left_behind(self, held))

    async def until_store_is_back(self, seconds: float) -> None:
        """Wait until the store answers or this worker begins to stop, but at most for `seconds`."""
        end_s = time.monotonic() + seconds
        while not self.liveness.healthy and time.monotonic() < end_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._stopping.wait()
                    return

    async def supersede(self, worker: str, connection: str) -> None:
        """Report to `worker`, which had a connection, that the connection was resumed on this worker.

        `worker`: the worker's id. `connection`: the connection's id. Raises `UnavailableError` if the store
        does not answer.
        """
        await self.bus.publish(keys.worker_channel(worker), wire.encode(wire.Supersede(connection)))

    async def drain(self) -> None:
        """Send all clients to other workers, at random times within DRAIN_JITTER_S; then give up all rooms.

        A call goes on while its people connect to other workers. The call is interrupted only when another worker takes
        over its room.
        """
        self._stopping.set()
        self.changed.set()
        self.memberships.draining = True
        for awaited in self.hellos:
            if not awaited.expired():
                awaited.reschedule(0)
        for connection in list(self.connections.values()):
            delay = random.uniform(0, DRAIN_JITTER_S)  # noqa: S311
            asyncio.get_running_loop().call_later(delay, connection.socket.close, 1001)
        while self.connections:  # noqa: ASYNC110 (the connections end one after another, at random times)
            await asyncio.sleep(0.05)
        await self.rooms.drain(MOVED_S)
        try:
            await self.liveness.resign()
        except UnavailableError:
            log.warning("worker.drained_without_store")

    def move(self, number: int) -> None:
        """Move at most `number` connections to other workers, the oldest first. Connections in a call are not moved."""
        quiet = (held for held in self.connections.values() if not self.memberships.holds(held.id))
        for connection in list(islice(quiet, number)):
            connection.socket.close(1001)

    async def close(self) -> None:
        """Stop all tasks and close everything. Call `drain` first if clients are connected."""
        self._stopping.set()
        for connection in list(self.connections.values()):
            connection.socket.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        await self.supervisor.close()
        while self._tasks:
            # Each task is cancelled again and again until it ends: on Python 3.11, an `asyncio.wait_for` in a library
            # may lose a cancellation.
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=0.5)
        self.rooms.close()
        await self.audit_log.close()
        await self.topics.close()
        await self.service.past.close()
        await self.service.mirrors.close()
        await self.bus.close()
