"""The seats of this worker's connections in visits' rooms, whichever worker owns the room.

Passes requests on to the owner, and the owner's replies and offers back. Each request receives one reply, also if the
owner dies. A seat knows the lease by which its room is owned; messages of an owner with an older lease are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

import structlog

from signalling.errors import SupersededError, UnavailableError
from signalling.hub import Hub, Socket, frame
from signalling.protocol import server_messages as server
from signalling.protocol.codec import CODECS
from signalling.protocol.errors import error
from signalling.rooms import worker_messages as wire
from signalling.rooms.lease import Lease, Leases
from signalling.rooms.liveness import Liveness
from signalling.rooms.worker_messages import Seat
from signalling.service import Service
from signalling.store import keys
from signalling.store.mirror import Change, Reset
from signalling.store.records import Origin
from signalling.visit.record import Visit

log = structlog.get_logger()
Ask = Callable[[Seat, int], wire.Request]
"""Makes a request from a seat and the number of its lease."""


class OwnRooms(Protocol):
    """The rooms that this worker owns."""

    def receive(self, message: wire.RoomMessage) -> wire.Join | None: ...
    async def join(self, message: wire.Join) -> None: ...


class Held:
    """One connection's seat, the lease of its room, and its unanswered requests with the sockets they came from."""

    __slots__ = ("lease", "moving", "origin", "seat", "unanswered")

    def __init__(self, seat: Seat, lease: Lease, origin: Origin | None) -> None:
        self.seat = seat
        self.lease = lease
        self.origin = origin
        self.unanswered: dict[int, Socket | None] = {}
        self.moving = False


class Seats:
    """The seats of one worker. `rooms` is set once, before the first request."""

    rooms: OwnRooms

    def __init__(
        self,
        service: Service,
        hub: Hub,
        liveness: Liveness,
        leases: Leases,
        worker: str,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._service = service
        self._hub = hub
        self._liveness = liveness
        self._leases = leases
        self._worker = worker
        self._spawn = spawn
        self._held: dict[str, Held] = {}
        self.draining = False
        service.mirrors.observers.append(self.news)

    # --- requests of connections

    async def join(
        self,
        seat: Seat,
        request_id: int | None,
        origin: Origin | None = None,
        moving: Held | None = None,
    ) -> None:
        """Join a connection of this worker to its room; an offer follows.

        `moving` is the seat that moves, if one does: nothing happens if it was given up while the lease was taken.

        Raises `UnavailableError`, and `SupersededError` if the connection has been resumed elsewhere.
        """
        if self.draining:
            raise UnavailableError("draining")  # the client soon reconnects to another worker
        lease = await self._leases.take(seat.organisation, seat.visit, origin)
        if moving is not None and self._held.get(seat.connection) is not moving:
            return
        held = self._sit(seat, lease, origin)
        if lease.taken_from is not None:
            log.info("room.taken_over", visit=seat.visit, worker=lease.taken_from, fence=lease.fence)
            self._post(lease.taken_from, wire.Lost(seat.visit, lease.fence))
        join = wire.Join(seat, lease.fence, request_id)
        if lease.owner == self._worker:
            await self.rooms.join(join)
        else:
            if request_id is not None:
                held.unanswered[request_id] = self._hub.sockets.get(seat.connection)
            try:
                if not await self._service.bus.publish(keys.worker_channel(lease.owner), wire.encode(join)):
                    raise UnavailableError("the room's worker is cut off")
            except UnavailableError:
                if request_id is not None:
                    if request_id not in held.unanswered:
                        return  # the seat was given up meanwhile, and the request answered
                    del held.unanswered[request_id]  # the error is the reply
                raise

    def ask(self, connection: str, visit: str, make: Ask) -> bool:
        """Pass a request on to the room's owner, which replies; return False if this connection has not joined.

        Raises `UnavailableError`.
        """
        held = self._held.get(connection)
        if held is None or held.seat.visit != visit:
            return False
        request = make(held.seat, held.lease.fence)
        if held.lease.owner == self._worker:
            self.rooms.receive(request)
        else:
            held.unanswered[request.id] = self._hub.sockets.get(connection)
            try:
                self._post(held.lease.owner, request, lambda: self._refuse(held, request.id))
            except UnavailableError:
                held.unanswered.pop(request.id, None)  # the error is the reply
                raise
        return True

    async def leave(self, connection: str) -> None:
        """Give up the seat of a closed connection. Raises `UnavailableError`."""
        held = self._forget(connection)
        if held is not None:
            await self._pass_on(held.lease, wire.Leave(held.seat, held.lease.fence))

    async def settle(self, seat: Seat, origin: Origin) -> None:
        """Put a connection that was resumed here back into its seat.

        Raises `UnavailableError` and `SupersededError`.
        """
        lease = await self._leases.holder(seat.organisation, seat.visit)
        if lease is None:
            return
        if await self._liveness.is_dead(lease.owner):
            await self.join(seat, None, origin)
            return
        self._sit(seat, lease, origin)
        await self._pass_on(lease, wire.Settle(seat, lease.fence))

    def holds(self, connection: str) -> bool:
        """Return True if a connection has a seat in a room."""
        return connection in self._held

    def superseded(self, connection: str) -> None:
        """Forget the seat of a connection that was resumed on another worker, or whose seat was taken.

        It must not take the seat back without a request of its client.
        """
        self._forget(connection)

    def _sit(self, seat: Seat, lease: Lease, origin: Origin | None) -> Held:
        self._forget(seat.connection)
        held = self._held[seat.connection] = Held(seat, lease, origin)
        return held

    def _forget(self, connection: str) -> Held | None:
        held = self._held.pop(connection, None)
        if held is not None:
            for request_id in list(held.unanswered):
                self._refuse(held, request_id)
        return held

    def _refuse(self, held: Held, request_id: int) -> None:
        """Send the error reply to a request that its room will not answer.

        Does nothing if it was answered, or if its socket is gone.

        A resumed connection has a new socket, with new request numbers.
        """
        if request_id in held.unanswered:
            socket = held.unanswered.pop(request_id)
            if socket is not None and self._hub.sockets.get(held.seat.connection) is socket:
                socket.send(error(request_id, "unavailable"))

    async def _pass_on(self, lease: Lease, message: wire.RoomMessage) -> None:
        if lease.owner == self._worker:
            join = self.rooms.receive(message)
            if join is not None:
                await self.rooms.join(join)
        elif not await self._service.bus.publish(keys.worker_channel(lease.owner), wire.encode(message)):
            raise UnavailableError("the room's worker is cut off")

    def _post(self, worker: str, message: wire.AnyMessage, failed: Callable[[], None] | None = None) -> None:
        self._service.bus.publish_nowait(keys.worker_channel(worker), wire.encode(message), failed)

    # --- rooms move

    def owners(self) -> Iterator[str]:
        """Yield the workers whose death matters to this worker's connections."""
        yield from (held.lease.owner for held in self._held.values())

    def bury(self, dead: frozenset[str]) -> None:
        """Move the seats whose room's owner is dead. The first seat to join decides which worker owns the room."""
        for held in list(self._held.values()):
            if held.lease.owner in dead:
                self._move(held)

    def lost(self, visit: str, fence: int) -> None:
        """Move the seats of a visit whose room has a newer lease than they know."""
        for held in list(self._held.values()):
            if held.seat.visit == visit and held.lease.fence < fence:
                self._move(held)

    def _move(self, held: Held) -> None:
        if not held.moving:
            held.moving = True
            log.info("room.moving", visit=held.seat.visit, worker=held.lease.owner)
            self._spawn(self._join_anew(held))

    async def _join_anew(self, held: Held) -> None:
        seat = held.seat
        if self._held.get(seat.connection) is not held:
            return  # its client has joined again meanwhile
        try:
            await self.join(seat, None, held.origin, moving=held)
        except SupersededError:
            if self._held.get(seat.connection) is held:
                self._forget(seat.connection)  # the connection lives on another worker, with its seat
        except UnavailableError:
            if self._held.get(seat.connection) is held:
                self._forget(seat.connection)
            self._hand(
                seat.connection, server.MediaGone(visit=seat.visit)
            )  # its client joins again, with its own pauses
        finally:
            held.moving = False

    def news(self, news: Change | Reset) -> None:
        """Forget the seats whose person is not that party any more. Called by the mirrors, in order."""
        if isinstance(news, Reset):
            mirror = self._service.mirrors.known(news.organisation)
            if mirror is not None:
                self._forget_former(mirror.visits.get)
        elif isinstance(news.after, Visit) and _people(news.before) != _people(news.after):
            self._forget_former({news.after.id: news.after}.get)

    def _forget_former(self, visit_of: Callable[[str], Visit | None]) -> None:
        for connection, held in list(self._held.items()):
            visit = visit_of(held.seat.visit)
            if visit is not None and not held.seat.is_in(visit):
                self._forget(connection)

    def close_room(self, visit: str) -> None:
        """Forget all seats of a visit whose room this worker closed at the end of the call."""
        for connection, held in list(self._held.items()):
            if held.seat.visit == visit:
                self._forget(connection)

    # --- messages of rooms' owners

    def tell(self, seat: Seat, fence: int, message: server.Message) -> None:
        """Send a message to the connection that has the seat, from a room that this worker owns by this lease."""
        if seat.worker == self._worker:
            self._hand(seat.connection, message)
            return
        data = CODECS[seat.codec].encode(message)
        reply_to = message.reply_to if isinstance(message, server.Done | server.Error) else None
        unseats = isinstance(message, server.MediaTakenOver)
        word = wire.Deliver(seat.connection, fence, seat.codec, data, reply_to, unseats)
        try:
            self._post(seat.worker, word)
        except UnavailableError:
            log.warning("room.not_delivered", visit=seat.visit)

    def tell_lost(self, worker: str, visit: str, fence: int) -> None:
        """Report to another worker that a room has a newer lease."""
        try:
            self._post(worker, wire.Lost(visit, fence))
        except UnavailableError:
            log.warning("room.not_delivered", visit=visit)

    def delivered(self, word: wire.Deliver) -> None:
        """Send the message of a room's owner to its connection. Raises `msgspec.DecodeError`."""
        held = self._held.get(word.connection)
        if word.reply_to is not None:
            if held is None or word.reply_to not in held.unanswered:
                return  # it was answered already
            asked = held.unanswered.pop(word.reply_to)
            if self._hub.sockets.get(word.connection) is not asked:
                return  # the connection was resumed on another socket, with new request numbers
        elif held is not None and word.fence < held.lease.fence:
            return  # the owner has lost the room and does not know it yet
        if word.unseats:
            self.superseded(word.connection)
        socket = self._hub.sockets.get(word.connection)
        if socket is None:
            return
        if socket.codec.subprotocol == word.codec:
            socket.write(frame(word.data, socket.codec.opcode))
        else:  # it was resumed meanwhile, with the other codec
            socket.send(CODECS[word.codec].decode_server(word.data))

    def _hand(self, connection: str, message: server.Message) -> None:
        if isinstance(message, server.MediaTakenOver):
            self.superseded(connection)
        socket = self._hub.sockets.get(connection)
        if socket is not None:
            socket.send(message)


def _people(record: object) -> dict[str, str]:
    """Return who each party of a visit is."""
    return {key: party.id for key, party in record.parties.items()} if isinstance(record, Visit) else {}
