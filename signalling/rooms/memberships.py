"""Records which connections of this worker are in rooms (the calls of visits), no matter which worker owns the room.

Requests are passed on to the worker that owns the room, and its replies and offers are passed back. Each request
receives one reply, even if the owner dies. A membership keeps the lease by which its room is owned; messages of an
owner with an older lease are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
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
from signalling.rooms.registry import Registry
from signalling.rooms.worker_messages import Member
from signalling.service import Service
from signalling.store import keys
from signalling.store.mirror import Change, Reset
from signalling.store.records import Origin
from signalling.visit.record import Visit

log = structlog.get_logger()
Ask = Callable[[Member, int], wire.Request]
"""Creates, but does not send, a request to a room. Arguments: the member that asks, the fence of the room's lease."""


class OwnRooms(Protocol):
    """The rooms that this worker owns, as far as this module uses them."""

    def receive(self, message: wire.RoomMessage) -> wire.Join | None: ...
    async def join(self, message: wire.Join) -> None: ...


class Membership:
    """The membership of one connection in a room. `lease`: the lease of the room, which names its owner.

    `unanswered`: the number of each unanswered request -> the socket that sent it. `moving`: True while the member
    joins the room of a new owner. `joining`: True until the room has answered the join.
    """

    __slots__ = ("joining", "lease", "member", "moving", "origin", "unanswered")

    def __init__(self, member: Member, lease: Lease, origin: Origin | None) -> None:
        self.member = member
        self.lease = lease
        self.origin = origin
        self.unanswered: dict[int, Socket | None] = {}
        self.moving = self.joining = False


class Memberships:
    """Holds the memberships of the connections of one worker.

    `rooms`: the rooms that this worker owns. It is set once, before the first request.
    """

    rooms: OwnRooms

    def __init__(
        self,
        service: Service,
        hub: Hub,
        liveness: Liveness,
        leases: Leases,
        registry: Registry,
        worker: str,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._service = service
        self._hub = hub
        self._liveness = liveness
        self._leases = leases
        self._registry = registry
        self._worker = worker
        self._spawn = spawn
        self._memberships: dict[str, Membership] = {}
        self.draining = False
        service.mirrors.observers.append(self.news)

    # --- the requests of clients

    async def join(
        self,
        member: Member,
        request_id: int | None,
        origin: Origin | None = None,
        moving: Membership | None = None,
    ) -> None:
        """Join the connection `member` of this worker to the room of its visit; the room then sends an offer.

        A connection that was in the room of another visit leaves that room.

        `request_id`: the client's request that is answered, None if no client has sent one. `origin`: the connection's
        resume token and socket number, None to take the lease without a check of the connection. `moving`: the
        membership that moves to a new owner, None for a new membership. If `moving` is removed while the lease
        is taken, nothing more happens. Raises `UnavailableError` if the store or the room's worker cannot be reached,
        `SupersededError` if a newer socket uses the connection.
        """
        if self.draining:
            # This worker stops, so its clients reconnect to another worker soon.
            raise UnavailableError("draining")
        former = self._memberships.get(member.connection)
        if former is not None and former.member.visit != member.visit:
            await self.leave(member.connection, former.member.visit)
        lease = await self._leases.take(
            member.organisation,
            member.visit,
            origin,
            choose=partial(self._registry.choose, self._near(member)),
        )
        if moving is not None and self._memberships.get(member.connection) is not moving:
            return
        membership = self._add(member, lease, origin)
        if lease.taken_from is not None:
            log.info("room.taken_over", visit=member.visit, worker=lease.taken_from, fence=lease.fence)
            self._post(lease.taken_from, wire.Lost(member.visit, lease.fence))
        join = wire.Join(member, lease.fence, request_id)
        if lease.owner == self._worker:
            membership.joining = True
            try:
                await self.rooms.join(join)
            finally:
                membership.joining = False
        else:
            if request_id is not None:
                membership.joining = True
                membership.unanswered[request_id] = self._hub.sockets.get(member.connection)
            try:
                if not await self._service.bus.publish(keys.worker_channel(lease.owner), wire.encode(join)):
                    raise UnavailableError("the room's worker is cut off")
            except UnavailableError:
                membership.joining = False
                if request_id is not None:
                    if request_id not in membership.unanswered:
                        return  # The membership was removed meanwhile, and the client has received an error.
                    # The error is raised again below, and the caller answers the request with it.
                    del membership.unanswered[request_id]
                raise

    def _near(self, member: Member) -> list[str]:
        """Return the workers to which the people of a member's visit are connected, as far as this worker knows."""
        mirror = self._service.mirrors.known(member.organisation)
        visit = mirror.visits.get(member.visit) if mirror is not None else None
        parties = [] if visit is None else visit.parties.values()
        return [self._worker, *(worker for party in parties for worker in party.connections.values())]

    def ask(self, connection: str, visit: str, make: Ask) -> bool:
        """Pass a request on to the room's owner, which replies; return False if this connection has not joined the
        visit's room.

        `make`: a function that makes the request. Raises `UnavailableError` if the request cannot be sent.
        """
        membership = self._memberships.get(connection)
        if membership is None or membership.member.visit != visit:
            return False
        request = make(membership.member, membership.lease.fence)
        if membership.lease.owner == self._worker:
            self.rooms.receive(request)
        else:
            membership.unanswered[request.id] = self._hub.sockets.get(connection)
            try:
                self._post(membership.lease.owner, request, lambda: self._refuse(membership, request.id))
            except UnavailableError:
                # The error is raised again below, and the caller answers the request with it.
                membership.unanswered.pop(request.id, None)
                raise
        return True

    async def leave(self, connection: str, visit: str) -> None:
        """Remove the membership of a connection in a visit's room, and report to the room's owner that its party has
        left.

        Do nothing if the connection is in no room, or in another visit's room. Raises `UnavailableError` if the room's
        owner cannot be reached.
        """
        membership = self._memberships.get(connection)
        if membership is not None and membership.member.visit == visit:
            self._forget(connection)
            await self._pass_on(membership.lease, wire.Left(membership.member, membership.lease.fence))

    async def rejoin(self, member: Member, origin: Origin) -> None:
        """Put `member`, a connection that was resumed on this worker, back into the call of its visit.

        `origin`: the connection's resume token and socket number. Do nothing if no worker carries that call. Raises
        `UnavailableError` if the store or the room's owner cannot be reached, `SupersededError` if a newer socket uses
        the connection.
        """
        lease = await self._leases.holder(member.organisation, member.visit)
        if lease is None:
            return
        if await self._liveness.is_dead(lease.owner):
            await self.join(member, None, origin)
            return
        self._add(member, lease, origin)
        await self._pass_on(lease, wire.Moved(member, lease.fence))

    def holds(self, connection: str) -> bool:
        """Return True if a connection of this worker has a membership in any room."""
        return connection in self._memberships

    def superseded(self, connection: str) -> None:
        """Remove the membership of a connection that was resumed on another worker or replaced by another connection.

        The connection gets no membership again unless its client sends a request.
        """
        self._forget(connection)

    def _add(self, member: Member, lease: Lease, origin: Origin | None) -> Membership:
        self._forget(member.connection)
        membership = self._memberships[member.connection] = Membership(member, lease, origin)
        return membership

    def _forget(self, connection: str) -> Membership | None:
        membership = self._memberships.pop(connection, None)
        if membership is not None:
            for request_id in list(membership.unanswered):
                self._refuse(membership, request_id)
        return membership

    def _refuse(self, membership: Membership, request_id: int) -> None:
        """Answer the request `request_id` of a member with an error, because the member's room will never answer it.

        Do nothing if the request was answered, or if the socket of the request is closed: a resumed connection has a
        new socket, with new request numbers.
        """
        if request_id in membership.unanswered:
            socket = membership.unanswered.pop(request_id)
            if socket is not None and self._hub.sockets.get(membership.member.connection) is socket:
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

    # --- moving to another owner of the room

    def owners(self) -> Iterator[str]:
        """Yield the workers that own the rooms of this worker's connections. The caller watches whether these workers
        are alive.
        """
        yield from (membership.lease.owner for membership in self._memberships.values())

    def move_from(self, dead: frozenset[str]) -> None:
        """Move the memberships of rooms whose owner is among the `dead` workers to a new owner.

        The worker whose member joins first becomes the new owner.
        """
        for membership in list(self._memberships.values()):
            if membership.lease.owner in dead:
                self._move(membership)

    def lost(self, visit: str, fence: int) -> None:
        """Move the memberships of a visit to the owner of its newest lease, if they belong to an older lease.

        `fence`: the number of the newest lease.
        """
        for membership in list(self._memberships.values()):
            if membership.member.visit == visit and membership.lease.fence < fence:
                self._move(membership)

    def _move(self, membership: Membership) -> None:
        if not membership.moving:
            membership.moving = True
            log.info("room.moving", visit=membership.member.visit, worker=membership.lease.owner)
            self._spawn(self._join_anew(membership))

    async def _join_anew(self, membership: Membership) -> None:
        member = membership.member
        if self._memberships.get(member.connection) is not membership:
            return  # while this task waited to start, the client left the call or joined it again
        try:
            await self.join(member, None, membership.origin, moving=membership)
        except SupersededError:
            if self._memberships.get(member.connection) is membership:
                # Another worker has the connection and its membership now.
                self._forget(member.connection)
        except UnavailableError:
            if self._memberships.get(member.connection) is membership:
                self._forget(member.connection)
            # The client receives `media.gone`, and joins again after pauses that the client chooses.
            self._deliver(member.connection, server.MediaGone(visit=member.visit))
        finally:
            membership.moving = False

    def news(self, news: Change | Reset) -> None:
        """Remove the memberships of persons who are no longer a party of their visit.

        The mirror (this worker's copy of the open visits) calls this for each event, in order.
        """
        if isinstance(news, Reset):
            mirror = self._service.mirrors.known(news.organisation)
            if mirror is not None:
                self._forget_former(mirror.visits.get)
        elif isinstance(news.after, Visit) and _people(news.before) != _people(news.after):
            self._forget_former({news.after.id: news.after}.get)

    def _forget_former(self, visit_of: Callable[[str], Visit | None]) -> None:
        for connection, membership in list(self._memberships.items()):
            visit = visit_of(membership.member.visit)
            if visit is not None and not membership.member.is_in(visit):
                self._forget(connection)

    def close_room(self, visit: str) -> None:
        """Remove all memberships in a visit's room, which this worker has closed at the end of the call."""
        for connection, membership in list(self._memberships.items()):
            if membership.member.visit == visit:
                self._forget(connection)

    # --- the messages of the owners of rooms

    def send(self, member: Member, fence: int, message: server.Message) -> None:
        """Send a message to the connection of a member, from a room that this worker owns.

        `fence`: the number of the room's lease.
        """
        if member.worker == self._worker:
            self._deliver(member.connection, message)
            return
        data = CODECS[member.codec].encode(message)
        reply_to = message.reply_to if isinstance(message, server.Done | server.Error) else None
        replaced = isinstance(message, server.MediaTakenOver)
        delivery = wire.Deliver(member.connection, fence, member.codec, data, reply_to, replaced)
        try:
            self._post(member.worker, delivery)
        except UnavailableError:
            log.warning("room.not_delivered", visit=member.visit)

    def send_lost(self, worker: str, visit: str, fence: int) -> None:
        """Report to another worker that the room of a visit has a newer lease. `fence`: the number of that lease."""
        try:
            self._post(worker, wire.Lost(visit, fence))
        except UnavailableError:
            log.warning("room.not_delivered", visit=visit)

    def delivered(self, delivery: wire.Deliver) -> None:
        """Pass a message of a room's owner on to the client's connection on this worker.

        Raises `msgspec.DecodeError` if the message is malformed.
        """
        membership = self._memberships.get(delivery.connection)
        if delivery.reply_to is not None:
            if membership is None or delivery.reply_to not in membership.unanswered:
                return  # the request was answered already
            asked = membership.unanswered.pop(delivery.reply_to)
            membership.joining = False  # the join is the first request of a membership
            if self._hub.sockets.get(delivery.connection) is not asked:
                return  # the connection was resumed on another socket, which numbers its requests anew
        elif membership is not None and delivery.fence < membership.lease.fence:
            return  # the sender is no longer the owner of the room, but has not learned that yet
        if delivery.replaced and not self._taken_over(delivery.connection):
            return
        socket = self._hub.sockets.get(delivery.connection)
        if socket is None:
            return
        if socket.codec.subprotocol == delivery.codec:
            socket.write(frame(delivery.data, socket.codec.opcode))
        else:
            # The client has resumed on a socket with the other codec (JSON or MessagePack), so the message is encoded
            # anew.
            socket.send(CODECS[delivery.codec].decode_server(delivery.data))

    def _taken_over(self, connection: str) -> bool:
        """Remove the membership of a connection whose place in the room another connection has taken.

        Return False, and keep it, if the connection joins the room again: then it gets its place back.
        """
        membership = self._memberships.get(connection)
        if membership is not None and membership.joining:
            return False
        self._forget(connection)
        return True

    def _deliver(self, connection: str, message: server.Message) -> None:
        if isinstance(message, server.MediaTakenOver) and not self._taken_over(connection):
            return
        socket = self._hub.sockets.get(connection)
        if socket is not None:
            socket.send(message)


def _people(record: object) -> dict[str, str]:
    """Return a map: key of each party in `Visit.parties` -> id of its person; {} if `record` is no visit."""
    return {key: party.id for key, party in record.parties.items()} if isinstance(record, Visit) else {}
