"""The rooms whose media this worker carries: their participants, offers and answers, and the gate.

The gate decides whether media is forwarded; it depends only on the visit's record. One worker owns a room, by a lease
with a fencing number (`lease.py`). Requests from other workers are passed on to this owner (`memberships.py`). If an
owner receives a fencing number above its own, it has lost the room, and closes it. `ports.py` has the interfaces of the
relay and of the parties.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from signalling.errors import BadSdpError, PartyGoneError, RoomFullError, UnavailableError
from signalling.protocol import server_messages as server
from signalling.protocol.errors import error
from signalling.rooms import worker_messages as wire
from signalling.rooms.lease import Leases, Muted
from signalling.rooms.mute_store import MuteStore
from signalling.rooms.participants import Participant, Room, admitted, opposite
from signalling.rooms.path_watch import PathWatch
from signalling.rooms.ports import MediaEvent, MediaRelay, OfferNeeded, Parties
from signalling.rooms.quality_watch import CallWatch
from signalling.rooms.screen import Screens
from signalling.rooms.worker_messages import Member
from signalling.service import Service
from signalling.store.mirror import Change, Reset
from signalling.visit.call_quality import MediaKind
from signalling.visit.record import Status, Visit

log = structlog.get_logger()
CHECK_S = 2.0  # time in s between two checks of all leases; `doubt` causes a check at once
WITH_MEDIA = frozenset({Status.CLAIMED, Status.LIVE})


class Rooms:
    """Holds the rooms (calls of visits) that this worker owns. `changed`: called when their number changes."""

    def __init__(
        self,
        service: Service,
        relay: MediaRelay,
        leases: Leases,
        worker: str,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        parties: Parties,
        changed: Callable[[], None],
    ) -> None:
        self._service = service
        self._relay = relay
        self._leases = leases
        self._worker = worker
        self._spawn = spawn
        self._parties = parties
        self._changed = changed
        self._rooms: dict[str, Room] = {}
        self._joining: dict[str, list[wire.RoomMessage]] = {}  # connection that joins -> its later messages
        self._doubt = asyncio.Event()
        self.calls = CallWatch(self._rooms, service.store, spawn)
        self.paths = PathWatch(self._send)
        self.screens = Screens(self._send)
        self._mutes = MuteStore(leases, spawn)
        service.mirrors.observers.append(self.news)

    # --- the lease: one worker owns a room

    async def run(self) -> None:
        """Check that this worker still has its rooms' leases: every CHECK_S and after `doubt`, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._doubt.wait()
            self._doubt.clear()
            try:
                await self._check()
            except UnavailableError:
                # Media needs no store: the worker keeps its rooms, and checks their leases when the store is back.
                log.debug("room.leases_unknown")

    def doubt(self) -> None:
        """Check all leases soon. Called when other workers may have taken leases that this worker had."""
        self._doubt.set()

    async def _check(self) -> None:
        rooms = list(self._rooms.items())
        if not rooms:
            return
        leases = await self._leases.holders((room.organisation, visit) for visit, room in rooms)
        for (visit, room), lease in zip(rooms, leases, strict=True):
            if self._rooms.get(visit) is not room:
                continue
            if lease is None:  # the store has lost the lease, so no worker owns the room
                lease = await self._leases.take(room.organisation, visit, known=room.fence)
                if lease.owner == self._worker:
                    room.fence = lease.fence
            if lease.owner != self._worker:
                self.lost(visit, max(lease.fence, room.fence + 1))

    def lost(self, visit: str, fence: int) -> None:
        """Close the visit's room if its lease is older than `fence`; then its parties join at the newest owner."""
        room = self._rooms.get(visit)
        if room is not None and room.fence < fence:
            log.warning("room.lost", visit=visit, fence=room.fence, newer=fence)
            self._close(visit, room)
            for worker in room.workers - {self._worker}:
                self._parties.send_lost(worker, visit, fence)
        self._parties.lost(visit, fence)

    def _close(self, visit: str, room: Room) -> None:
        """Close a room, so that no media is forwarded from now on."""
        del self._rooms[visit]
        self._changed()
        self.paths.close(room)
        self.calls.talking(room, {})
        self.calls.keep(visit, room)
        room.media.close()

    # --- the requests of parties

    def receive(self, message: wire.RoomMessage) -> wire.Join | None:
        """Carry out a party's message. A `Join` is only returned; the caller must then await `join(message)`.

        Every request receives a reply, even after an error.
        """
        try:
            return self._receive(message)
        except PartyGoneError:
            # The party's connection to the relay has failed. This error makes its client join again.
            self._refuse(message, "no_room")
        except Exception:
            log.exception("room.request_failed", request=type(message).__name__)
            self._refuse(message, "unavailable")
        return None

    def receive_from_worker(self, message: wire.RoomMessage) -> None:
        """Handle a party's message that another worker has passed on, after the connection's earlier messages."""
        later = self._joining.get(message.member.connection)
        if later is not None:
            later.append(message)
        elif (join := self.receive(message)) is not None:
            self._joining[join.member.connection] = []
            self._spawn(self._join_or_refuse(join))

    async def _join_or_refuse(self, message: wire.Join) -> None:
        try:
            await self.join(message)
        except Exception as problem:
            if not isinstance(problem, UnavailableError):
                log.exception("room.request_failed", request=type(message).__name__)
            self._refuse(message, "unavailable")
        finally:
            for later in self._joining.pop(message.member.connection):
                self.receive_from_worker(later)

    def _receive(self, message: wire.RoomMessage) -> wire.Join | None:
        member = message.member
        room = self._rooms.get(member.visit)
        if room is not None and message.fence > room.fence:
            self.lost(member.visit, message.fence)
            room = None
        if isinstance(message, wire.Join):
            return message
        participant = room.participants.get(member.party) if room is not None else None
        if isinstance(message, wire.Moved) and participant is None:
            # The room moved to this worker while the client was away. The party joins without its client's request.
            return wire.Join(member, message.fence, None)
        if room is None or participant is None or not participant.sent(message):
            if isinstance(message, wire.Moved) and room is not None:
                # Another connection of this party is in the room now, so this connection must not join again.
                self._send(room, member, server.MediaTakenOver(visit=member.visit))
            elif not isinstance(message, wire.Left | wire.Moved):
                self._refuse(message, "no_room")
        elif isinstance(message, wire.Left):
            self._remove(room, member)
        elif isinstance(message, wire.Moved):
            participant.member = member
            # The states of the paths may have changed while the connection moved.
            self.paths.send(room, member, "open", "lost", "none")
            self.screens.send(room, member)
            for switch in room.switches(besides=member.party):
                self._send_muted(room, member, *switch)
        elif isinstance(message, wire.Answer):
            self._answer(room, participant, message)
        elif isinstance(message, wire.Restart):
            self._offer(room, participant, fresh=False, sdp=participant.media.restart_ice())
            self._done(room, message)
        elif isinstance(message, wire.Mute):
            self._mute(room, participant, message)
        elif refused := self.screens.act(room, participant, message.act):
            self._refuse(message, *refused)
        else:
            self._done(room, message)
        return None

    async def join(self, message: wire.Join) -> None:
        """Add a party to its room; send it an offer or a refusal. Raises `UnavailableError` if the store is down."""
        member = message.member
        # The lease is read before the visit: the gate must not follow a visit that has changed during this read.
        lease = None if member.visit in self._rooms else await self._own_lease(message)
        visit = await self._service.visit(member.organisation, member.visit)
        if visit is None or visit.status not in WITH_MEDIA:
            visit = await self._service.visit_now(member.organisation, member.visit)
        if visit is None or visit.status not in WITH_MEDIA:
            self._refuse(message, "wrong_status")
            return
        if not member.is_in(visit):
            visit = await self._service.visit_now(member.organisation, member.visit)
        if visit is None or visit.status not in WITH_MEDIA or not member.is_in(visit):
            # The person is no longer a party: the guest was removed, or another provider has claimed the visit.
            self._refuse(message, "not_allowed")
            return
        room = self._rooms.get(member.visit)
        if room is None and lease is not None:
            room = Room(member.organisation, self._relay.room(member.visit), *lease)
            self._rooms[member.visit] = room
            self._changed()
        if room is None:
            self._refuse(message, "unavailable")
            return
        self._set_gate(room, visit)
        before = room.participants.get(member.party)
        try:
            party_media = room.media.join(
                member.party,
                lambda event: self._media_news(room, member.party, event),
                opposite=opposite(member.party),
                admitted=admitted(visit, member.party),
            )
        except RoomFullError:
            self._refuse(message, "room_full")
            return
        if before is not None and before.member.connection != member.connection:
            self._send(room, before.member, server.MediaTakenOver(visit=member.visit))
        participant = Participant(member, party_media, before.offer if before is not None else 0)
        room.participants[member.party] = participant
        self.paths.joined(room, participant, before)
        self._done(room, message)
        self._offer(room, participant, fresh=True, sdp=party_media.offer())
        self.screens.joined(room, participant)
        # The party that joined gets its own state, too: after a reload, its page does not know what is muted.
        for party, other in room.participants.items():
            for kind in sorted(room.muted_by(other.member) | room.missing_by(other.member)):
                self._send_muted(room, member, party, kind, kind in room.muted_by(other.member))
        self.paths.send(room, member, "lost", "none")

    async def _own_lease(self, message: wire.Join) -> tuple[int, Muted] | None:
        """Return (fence, muted kinds of media) of the lease of the room to join; None if another worker has it by now.

        Raises `UnavailableError` if the store does not answer.
        """
        organisation, visit = message.member.organisation, message.member.visit
        muted = await self._leases.muted(organisation, visit)
        lease = await self._leases.holder(organisation, visit)
        if lease is None or lease.owner != self._worker or lease.fence < message.fence:
            return None
        return lease.fence, muted

    def _media_news(self, room: Room, party: str, event: MediaEvent) -> None:
        log.debug("media.event", event_type=type(event).__name__, reason=getattr(event, "reason", None))
        self.calls.follow(room, party, event)
        self.paths.follow(room, party, event)
        participant = room.participants.get(party)
        if participant is not None and isinstance(event, OfferNeeded):
            self._offer(room, participant, fresh=False, sdp=participant.media.offer())

    # --- replies and offers to parties

    def _send(self, room: Room, member: Member, message: server.Message) -> None:
        self._parties.send(member, room.fence, message)

    def _done(self, room: Room, message: wire.Request | wire.Join) -> None:
        if message.id is not None:
            self._send(room, message.member, server.Done(reply_to=message.id, version=0))

    def _refuse(self, message: wire.RoomMessage, code: str, details: dict[str, Any] | None = None) -> None:
        if isinstance(message, wire.Left | wire.Moved):
            return
        # A `Join` whose `id` is None answers no request: `media.gone` makes the client join again.
        reply: server.Message = server.MediaGone(visit=message.member.visit)
        if message.id is not None:
            reply = error(message.id, code, details or {})
        self._parties.send(message.member, message.fence, reply)

    def _offer(self, room: Room, participant: Participant, *, fresh: bool, sdp: str) -> None:
        participant.offer += 1
        member, servers = participant.member, self._relay.ice_servers()
        offer = server.MediaOffer(
            visit=member.visit, offer=participant.offer, fresh=fresh, sdp=sdp, ice_servers=servers
        )
        self._send(room, member, offer)

    def _answer(self, room: Room, participant: Participant, message: wire.Answer) -> None:
        # The answer to an older offer is dropped, because the answer to the newer offer will follow.
        if message.offer == participant.offer:
            try:
                participant.media.accept(message.sdp)
            except BadSdpError as bad:
                self._refuse(message, "bad_sdp", {"problem": bad.problem})
                return
        self._done(room, message)

    def _mute(self, room: Room, participant: Participant, message: wire.Mute) -> None:
        member, kind = participant.member, message.kind
        participant.switch(room, message)
        for other in room.participants.values():
            if other is not participant:
                self._send_muted(room, other.member, member.party, kind, kind in room.muted_by(member))
        if message.missing is None:
            self._mutes.keep(room, member)
        self._done(room, message)

    def _send_muted(self, room: Room, member: Member, party: str, kind: MediaKind, muted: bool) -> None:
        missing = room.lacks(party, kind)
        update = server.MediaMuted(visit=member.visit, party=party, kind=kind, muted=muted, missing=missing)
        self._send(room, member, update)

    # --- the gate (whether media is forwarded) follows the visit's record

    def news(self, news: Change | Reset) -> None:
        """Open and close the gates of rooms after a change of a visit. Called for each event, in order."""
        if isinstance(news, Change):
            if isinstance(news.after, Visit):
                self._follow(news.after.id, news.after)
            return
        mirror = self._service.mirrors.known(news.organisation)
        for visit_id, room in list(self._rooms.items()):
            if room.organisation == news.organisation and mirror is not None:
                try:
                    self._follow(visit_id, mirror.visits.get(visit_id))
                except Exception:
                    # A room that cannot be updated must not prevent the updates of the other rooms.
                    log.exception("room.not_followed", visit=visit_id)

    def _follow(self, visit_id: str, visit: Visit | None) -> None:
        room = self._rooms.get(visit_id)
        if room is None:
            return
        if visit is not None and visit.status in WITH_MEDIA:
            for party, participant in list(room.participants.items()):
                if participant.member.is_in(visit):
                    participant.media.set_admitted(admitted(visit, party))
                else:  # the person has lost this role: the next person in this role begins unmuted
                    self._remove(room, participant.member)
                    for kind in room.muted_by(participant.member) | room.missing_by(participant.member):
                        for other in room.participants.values():
                            self._send_muted(room, other.member, party, kind, False)
            self._set_gate(room, visit)
            return
        self._close(visit_id, room)
        self._parties.close_room(visit_id)
        self._spawn(self._give_back(visit_id, room))

    def _set_gate(self, room: Room, visit: Visit) -> None:
        live = visit.status is Status.LIVE
        talking = {key: party.name for key, party in visit.parties.items() if admitted(visit, key)}
        self.calls.talking(room, talking if live else {})
        room.media.set_gate(live)
        self.screens.follow(room, live)

    def _remove(self, room: Room, member: Member) -> None:
        """Remove a party from the room; report to the other parties that its network path, if it was open, is lost."""
        self.calls.look(room)
        self.calls.keep(member.visit, room)
        participant = room.participants.pop(member.party)
        participant.media.leave()
        self.paths.left(room, participant)
        self.screens.left(room, member.party)

    async def _give_back(self, visit_id: str, room: Room) -> None:
        """Give back the lease of a closed room. The next party that joins then decides which worker owns the room."""
        if visit_id in self._rooms:
            return  # the room was opened again on this worker meanwhile, so its lease is needed
        try:
            await self._leases.give_back(room.organisation, visit_id, room.fence)
        except UnavailableError:
            # The lease stays: it names this worker, which is alive and owns the room again if a party joins.
            log.info("room.lease_left", visit=visit_id)

    async def drain(self, within_s: float) -> None:
        """Wait until no party has its socket on this worker, at most `within_s` seconds; then store the calls' quality.

        The media goes on until this worker's end is announced. Then other workers take the rooms over.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                # No asyncio.Event reports a change of `room.workers`, so this loop polls.
                while any(self._worker in room.workers for room in self._rooms.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        for visit_id, room in list(self._rooms.items()):
            await self.calls.finish(visit_id, room)

    def close(self) -> None:
        """Cancel the timers of all rooms, because this worker stops. Their media ends with the relay."""
        self.calls.close()
        for room in self._rooms.values():
            self.paths.close(room)
