"""Who sits in a visit's room, and on which worker: seats, take-over, offers and answers, the gate.

One worker owns a room (`lease.py` says which); the others pass their parties' requests on to it. The gate
follows the visit's record and nothing else. Knows no packet: what it needs of a relay stands in `occupants.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog

from signalling import messages as m
from signalling import wire
from signalling.calls import CallWatch
from signalling.hub import Hub, frame
from signalling.lease import Leases
from signalling.liveness import Liveness
from signalling.mirror import Change, Reset
from signalling.occupants import MediaRelay, Occupant, Room
from signalling.record import Status, Visit
from signalling.service import Service
from signalling.store import Unavailable
from signalling.visit import GUEST_PREFIX, PATIENT, PROVIDER
from signalling.wire import Seat

__all__ = ["WITH_MEDIA", "MediaRelay", "Room", "Rooms"]
log = structlog.get_logger()
_OPPOSITE = {PATIENT: PROVIDER}  # whom a party hears on the m-lines it sends on; everybody else: the patient
WITH_MEDIA = frozenset({Status.CLAIMED, Status.LIVE})


class Rooms:
    """The rooms of this worker, and the seats that its connections have in rooms of others."""

    def __init__(
        self,
        service: Service,
        hub: Hub,
        relay: MediaRelay,
        liveness: Liveness,
        worker: str,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._service = service
        self._hub = hub
        self._relay = relay
        self._liveness = liveness
        self._worker = worker
        self._spawn = spawn
        self._draining = False
        self._rooms: dict[str, Room] = {}
        self._seats: dict[str, tuple[Seat, str]] = {}  # connection -> its seat, the worker that owns the room
        self._moving: set[str] = set()  # connections that are joining anew, because their room's worker died
        self._leases = Leases(service.store, liveness, worker)
        self.calls = CallWatch(self._rooms, service.store, spawn)
        service.mirrors.observers.append(self.news)

    # --- this worker's connections ask

    async def join(self, seat: Seat, request_id: int | None) -> None:
        """Let a connection of this worker join; an offer follows. Raises `Unavailable`."""
        if self._draining:
            raise Unavailable("draining")  # the client comes back to another worker in a moment
        owner = await self._leases.take(seat.organisation, seat.visit)
        self._seats[seat.connection] = (seat, owner)
        await self._pass_on(owner, wire.Join(seat, request_id))

    def ask(self, connection: str, visit: str, make: Callable[[Seat], wire.Request]) -> bool:
        """Pass a request on to the room's worker, which answers; False where this connection has not joined.

        Raises `Unavailable`.
        """
        held = self._seats.get(connection)
        if held is None or held[0].visit != visit:
            return False
        seat, owner = held
        request = make(seat)
        if owner == self._worker:
            self._room_message(request)
        else:
            self._service.bus.post(
                wire.channel(owner),
                wire.encode(request),
                lambda: self._hand(connection, m.error(request.id, "unavailable")),
            )
        return True

    async def leave(self, connection: str) -> None:
        """A connection of this worker is gone. Raises `Unavailable`."""
        held = self._seats.pop(connection, None)
        if held is not None:
            await self._pass_on(held[1], wire.Leave(held[0]))

    async def settle(self, seat: Seat) -> None:
        """A connection that was resumed here sits where it sat. Raises `Unavailable`."""
        owner = await self._leases.holder(seat.organisation, seat.visit)
        if owner is None:
            return
        if await self._liveness.is_dead(owner):
            await self.join(seat, None)
            return
        self._seats[seat.connection] = (seat, owner)
        await self._pass_on(owner, wire.Settle(seat))

    def superseded(self, connection: str) -> None:
        """A connection of this worker is held by another one now, which has its seat; or somebody else has taken it.

        It must not take the seat back by itself.
        """
        self._seats.pop(connection, None)

    async def _pass_on(self, owner: str, message: wire.RoomMessage) -> None:
        if owner == self._worker:
            join = self._room_message(message)
            if join is not None:
                await self._join(join)
        else:
            await self._service.bus.publish(wire.channel(owner), wire.encode(message))

    def owners(self) -> Iterator[str]:
        """Yield the workers whose death would matter to this one's connections."""
        yield from (owner for _, owner in self._seats.values())

    def buried(self, dead: frozenset[str]) -> None:
        """Rooms of dead workers move: their parties here join anew, and the first to do so decides where."""
        for seat, owner in list(self._seats.values()):
            if owner in dead and seat.connection not in self._moving:
                self._moving.add(seat.connection)
                log.info("room.moving", visit=seat.visit, worker=owner)
                self._spawn(self._move(seat))

    async def _move(self, seat: Seat) -> None:
        try:
            await self.join(seat, None)
        except Unavailable:
            self._seats.pop(seat.connection, None)
            self._tell(seat, m.MediaGone(visit=seat.visit))  # the client joins again, with its own patience
        finally:
            self._moving.discard(seat.connection)

    # --- this worker's rooms answer

    def heard(self, message: wire.RoomMessage) -> None:
        """Take a request that another worker passed on."""
        join = self._room_message(message)
        if join is not None:
            self._spawn(self._join_or_say(join))

    async def _join_or_say(self, message: wire.Join) -> None:
        try:
            await self._join(message)
        except Unavailable:
            if message.id is not None:
                self._tell(message.seat, m.error(message.id, "unavailable"))

    def _room_message(self, message: wire.RoomMessage) -> wire.Join | None:
        """Do what a message asks for, at once; return the Join that it asks for, which takes a look at the store."""
        if isinstance(message, wire.Join):
            return message
        room = self._rooms.get(message.seat.visit)
        occupant = room.occupants.get(message.seat.party) if room is not None else None
        if isinstance(message, wire.Settle) and occupant is None:
            # The room moved here while its connection was away: it joins without having to ask.
            return wire.Join(message.seat, None)
        if room is None or occupant is None or not occupant.heeds(message):
            if not isinstance(message, wire.Leave | wire.Settle):
                self._tell(message.seat, m.error(message.id, "no_room"))
            return None
        if isinstance(message, wire.Leave):
            self._part(room, message.seat)
        elif isinstance(message, wire.Settle):
            occupant.seat = message.seat
        elif isinstance(message, wire.Answer):
            self._answer(occupant, message)
        elif isinstance(message, wire.Restart):
            self._offer(occupant, fresh=False, sdp=occupant.leg.restart_ice())
            self._tell(message.seat, m.Done(reply_to=message.id, version=0))
        else:
            occupant.muted[message.kind] = message.muted
            occupant.leg.set_receiving(message.kind, not message.muted)
            for other in room.occupants.values():
                if other is not occupant:
                    self._tell_muted(other.seat, message.seat.party, message.kind, message.muted)
            self._tell(message.seat, m.Done(reply_to=message.id, version=0))
        return None

    async def _join(self, message: wire.Join) -> None:
        seat = message.seat
        visit = await self._service.visit(seat.organisation, seat.visit)
        if visit is None or visit.status not in WITH_MEDIA:
            visit = await self._service.visit_now(seat.organisation, seat.visit)
        if visit is None or visit.status not in WITH_MEDIA:
            self._refuse(message, "wrong_status")
            return
        if seat.party not in visit.parties:
            visit = await self._service.visit_now(seat.organisation, seat.visit)
        if visit is None or visit.status not in WITH_MEDIA or seat.party not in visit.parties:
            self._refuse(message, "not_allowed")  # a guest who was dismissed meanwhile
            return
        room = self._rooms.get(seat.visit)
        if room is None:
            room = self._rooms[seat.visit] = Room(seat.organisation, self._relay.room(seat.visit))
        self._set_gate(room, visit)
        before = room.occupants.get(seat.party)
        try:
            leg = room.media.join(
                seat.party,
                lambda event: self._media_news(room, seat.party, event),
                opposite=_OPPOSITE.get(seat.party, PATIENT),
                admitted=_admitted(visit, seat.party),
            )
        except RuntimeError:
            self._refuse(message, "room_full")
            return
        if before is not None and before.seat.connection != seat.connection:
            self._tell(before.seat, m.MediaTakenOver(visit=seat.visit))
        occupant = Occupant(seat, leg, before.offer if before is not None else 0, {})
        room.occupants[seat.party] = occupant
        if message.id is not None:
            self._tell(seat, m.Done(reply_to=message.id, version=0))
        self._offer(occupant, fresh=True, sdp=leg.offer())
        for party, other in room.occupants.items():
            for kind, muted in other.muted.items():
                if other is not occupant and muted:
                    self._tell_muted(seat, party, kind, muted)

    def _media_news(self, room: Room, party: str, event: object) -> None:
        log.debug("media.event", event_type=type(event).__name__)
        self.calls.heard(room, party, event)
        occupant = room.occupants.get(party)
        if occupant is not None and getattr(event, "needs_offer", False):
            self._offer(occupant, fresh=False, sdp=occupant.leg.offer())

    def _refuse(self, message: wire.Join, code: str) -> None:
        if message.id is not None:
            self._tell(message.seat, m.error(message.id, code))
        else:
            self._tell(
                message.seat, m.MediaGone(visit=message.seat.visit)
            )  # it may have been too early: join again

    def _offer(self, occupant: Occupant, *, fresh: bool, sdp: str) -> None:
        occupant.offer += 1
        seat = occupant.seat
        self._tell(seat, m.MediaOffer(visit=seat.visit, offer=occupant.offer, fresh=fresh, sdp=sdp))

    def _answer(self, occupant: Occupant, message: wire.Answer) -> None:
        if message.offer != occupant.offer:
            # The answer to an offer that a newer one has overtaken; the newer one's is on its way.
            self._tell(message.seat, m.Done(reply_to=message.id, version=0))
            return
        try:
            occupant.leg.accept(message.sdp)
        except ValueError as problem:
            details = {"problem": getattr(problem, "code", "unusable")}
            self._tell(message.seat, m.error(message.id, "bad_sdp", details))
        else:
            self._tell(message.seat, m.Done(reply_to=message.id, version=0))

    def _tell_muted(self, seat: Seat, party: str, kind: m.MediaKind, muted: bool) -> None:
        self._tell(seat, m.MediaMuted(visit=seat.visit, party=party, kind=kind, muted=muted))

    def _tell(self, seat: Seat, message: m.Message) -> None:
        if seat.worker == self._worker:
            self._hand(seat.connection, message)
            return
        data = m.CODECS[seat.codec].encode(message)
        word = wire.Deliver(seat.connection, seat.codec, data, isinstance(message, m.MediaTakenOver))
        try:
            self._service.bus.post(wire.channel(seat.worker), wire.encode(word))
        except Unavailable:
            log.warning("room.not_delivered", visit=seat.visit)

    def delivered(self, word: wire.Deliver) -> None:
        """Hand a room's word to the connection that it is for. Raises `msgspec.DecodeError`."""
        if word.unseats:
            self.superseded(word.connection)
        socket = self._hub.sockets.get(word.connection)
        if socket is None:
            return
        if socket.codec.subprotocol == word.codec:
            socket.write(frame(word.data, socket.codec.opcode))
        else:  # it has come back meanwhile, and speaks the other one
            socket.send(m.CODECS[word.codec].decode_server(word.data))

    def _hand(self, connection: str, message: m.Message) -> None:
        if isinstance(message, m.MediaTakenOver):
            self.superseded(connection)
        socket = self._hub.sockets.get(connection)
        if socket is not None:
            socket.send(message)

    # --- the gate follows the record

    def news(self, news: Change | Reset) -> None:
        """Open and close gates as the visits' records say. Called by the mirrors, in order."""
        if isinstance(news, Change):
            if isinstance(news.after, Visit):
                self._follow(news.after.id, news.after)
                if isinstance(news.before, Visit) and news.before.parties.keys() > news.after.parties.keys():
                    self._unseat(news.after)
            return
        mirror = self._service.mirrors.known(news.organisation)
        for visit_id, room in list(self._rooms.items()):
            if room.organisation == news.organisation and mirror is not None:
                self._follow(visit_id, mirror.visits.get(visit_id))

    def _follow(self, visit_id: str, visit: Visit | None) -> None:
        room = self._rooms.get(visit_id)
        if room is None:
            return
        if visit is not None and visit.status in WITH_MEDIA:
            for party, occupant in list(room.occupants.items()):
                if party in visit.parties:
                    occupant.leg.set_admitted(_admitted(visit, party))
                else:  # a guest was dismissed; they see it in the visit's topic
                    self._part(room, occupant.seat)
            self._set_gate(room, visit)
            return
        del self._rooms[visit_id]
        self.calls.talking(room, {})
        self.calls.keep(visit_id, room)
        room.media.close()
        self._spawn(self._give_up(room.organisation, visit_id))

    def _set_gate(self, room: Room, visit: Visit) -> None:
        live = visit.status is Status.LIVE
        talking = {key: party.name for key, party in visit.parties.items() if _admitted(visit, key)}
        self.calls.talking(room, talking if live else {})
        room.media.set_gate(live)

    def _part(self, room: Room, seat: Seat) -> None:
        """Somebody leaves the room."""
        self.calls.look(room)
        self.calls.keep(seat.visit, room)
        room.occupants.pop(seat.party).leg.leave()

    def _unseat(self, visit: Visit) -> None:
        """Forget the seats of this worker's connections whose party is none any more."""
        for connection, (seat, _) in list(self._seats.items()):
            if seat.visit == visit.id and seat.party not in visit.parties:
                del self._seats[connection]

    async def _give_up(self, organisation: str, visit_id: str) -> None:
        """The room is closed; whoever joins first next time owns it."""
        for connection, (seat, _) in list(self._seats.items()):
            if seat.visit == visit_id:
                del self._seats[connection]
        if visit_id in self._rooms:
            return  # taken up again already, and here
        try:
            await self._leases.give_back(organisation, visit_id)
        except Unavailable:
            log.info("room.lease_left", visit=visit_id)  # it points at a living worker, which owns it again

    async def drain(self) -> None:
        """Give all rooms up to other workers: their parties are told to join again. Raises `Unavailable`."""
        self._draining = True
        for visit_id, room in list(self._rooms.items()):
            await self.calls.finish(visit_id, room)
            await self._leases.give_back(room.organisation, visit_id)
            for occupant in room.occupants.values():
                self._tell(occupant.seat, m.MediaGone(visit=visit_id))


def _admitted(visit: Visit, party: str) -> bool:
    """Return whether a party's picture and sound may take part: a guest's only after their own Start."""
    return not party.startswith(GUEST_PREFIX) or visit.parties[party].started_ms is not None
