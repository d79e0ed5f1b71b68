"""What the topics of PROTOCOL.md show: changes of the mirror on the one side, messages to the hub on the other.

Knows which topic a change concerns and who may hear it; what a state looks like stands in `views.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import structlog

from signalling import messages as m
from signalling import views, waiting
from signalling.bell import Bell
from signalling.chat import READS, Chat
from signalling.guide import Guide
from signalling.hub import Hub, Socket
from signalling.mirror import Change, Mirror, Reset
from signalling.record import Policy, Role, Staff, Status, Visit
from signalling.service import Service
from signalling.sessions import Sessions
from signalling.soon import Soon
from signalling.visit import ADMIN, ASSIGNEE, CLAIMANT, GUEST, ON_CALL, PATIENT, relations

PLACE_TICK_S = 0.25  # patients' places are counted again at most this often
PLACES_PER_TURN = 64
log = structlog.get_logger()
# Who may hear what about one visit (PROTOCOL.md#topics), by what they are to it.
VISIT_TOPICS: dict[str, frozenset[str]] = {
    "visit": frozenset({PATIENT, CLAIMANT, GUEST, ON_CALL, ASSIGNEE, ADMIN}),
    "case": frozenset({PATIENT, CLAIMANT, ON_CALL, ASSIGNEE, ADMIN}),
    "place": frozenset({PATIENT}),
}


def queue_topic(organisation: str) -> str:
    """Return the hub's name for an organisation's queue."""
    return f"{organisation}/queue"


class Topics:
    """Subscriptions of this worker's sockets, and the news they get."""

    def __init__(self, hub: Hub, service: Service) -> None:
        self._hub = hub
        self._service = service
        self._soon = Soon()
        self.bell = Bell(hub, service)
        self.chat = Chat(hub, service)
        self.sessions = Sessions(hub, service)
        service.mirrors.observers.append(self.news)

    # --- subscribing

    async def subscribe(self, socket: Socket, request: m.Subscribe) -> m.Subscribed | m.Error:
        """Subscribe a socket, send it what it lacks, and return the answer. Raises `Unavailable`."""
        mirror = await self._service.mirrors.get(socket.actor.organisation)
        staffs = {
            "queue": self._subscribe_queue,
            "sessions": self.sessions.subscribe,
            "bell": self.bell.subscribe,
        }.get(request.topic)
        if staffs is not None:
            return await staffs(socket, request, mirror)
        room, _, visit_id = request.topic.partition("/")
        known = room in VISIT_TOPICS or room == "chat"
        visit = await self._service.visit(mirror.organisation, visit_id) if known else None
        if room == "chat":
            return await self.chat.subscribe(socket, request, mirror, visit)
        if visit is None or VISIT_TOPICS[room].isdisjoint(relations(visit, socket.actor, mirror.staff)):
            return m.error(request.id, "not_found")  # what one may not see does not exist
        message = await self._state(room, mirror, visit)
        self._hub.subscribe(socket, self._name(mirror, request.topic), message.version)
        socket.send(message)
        return m.Subscribed(
            reply_to=request.id, topic=request.topic, epoch=mirror.epoch, version=message.version
        )

    async def _subscribe_queue(
        self, socket: Socket, request: m.Subscribe, mirror: Mirror
    ) -> m.Subscribed | m.Error:
        if not socket.actor.is_staff:
            return m.error(request.id, "not_allowed")
        policy = (await self._service.organisation(mirror.organisation)).policy
        # From here on without an await: the snapshot, the subscription and the news after it fit together.
        topic = queue_topic(mirror.organisation)
        self._hub.subscribe(socket, topic, mirror.version)
        missing = None
        if request.epoch == mirror.epoch and request.version is not None:
            missing = self._hub.since(topic, request.version)
        if missing is None:
            socket.send(self._queue(mirror, policy))
        else:
            for encoded in missing:
                socket.write(encoded.frame(socket.codec))
        return m.Subscribed(reply_to=request.id, topic="queue", epoch=mirror.epoch, version=mirror.version)

    def unsubscribe(self, socket: Socket, topic: str) -> None:
        """Unsubscribe; nothing happens where there was no subscription."""
        if topic == "bell":
            self.bell.unsubscribe(socket)
        self._hub.unsubscribe(socket, f"{socket.actor.organisation}/{topic}")

    @staticmethod
    def _name(mirror: Mirror, topic: str) -> str:
        return f"{mirror.organisation}/{topic}"

    # --- states

    def _queue(self, mirror: Mirror, policy: Policy) -> m.QueueSnapshot:
        busy = mirror.visits.in_session
        return m.QueueSnapshot(
            topic="queue",
            epoch=mirror.epoch,
            version=mirror.version,
            rows=tuple(views.row(v) for v in mirror.visits.queue()),
            staff=tuple(views.staff(s, s.id in busy) for s in mirror.staff.values()),
            limits=m.QueueLimits(amber_ms=policy.amber_ms, red_ms=policy.red_ms),
        )

    async def _state(
        self, room: str, mirror: Mirror, visit: Visit
    ) -> m.VisitState | m.CaseState | m.PlaceState:
        if room == "case":
            guide = await self._service.guide(mirror.organisation, visit.guide_version)
            newest = mirror.visits.get(visit.id, visit)
            return self._case(mirror, newest, guide)
        if room == "place":
            policy = (await self._service.organisation(mirror.organisation)).policy
            return self._place(mirror, policy, visit.id, mirror.visits.place(visit.id))
        return self._visit(mirror, mirror.visits.get(visit.id, visit))

    @staticmethod
    def _visit(mirror: Mirror, visit: Visit) -> m.VisitState:
        return m.VisitState(
            topic=f"visit/{visit.id}",
            epoch=mirror.epoch,
            version=mirror.version,
            visit=views.visit_part(visit),
        )

    @staticmethod
    def _case(mirror: Mirror, visit: Visit, guide: Guide) -> m.CaseState:
        return m.CaseState(
            topic=f"case/{visit.id}",
            epoch=mirror.epoch,
            version=mirror.version,
            case=views.case(visit, guide),
        )

    def _place(self, mirror: Mirror, policy: Policy, visit_id: str, place: int | None) -> m.PlaceState:
        on_call = sum(s.on_call for s in mirror.staff.values())
        wait = None
        if place is not None and policy.show_wait:
            wait = waiting.expected_wait(place, mirror.claims_ms, on_call, self._service.store.clock_ms())
        low, high = wait if wait is not None else (None, None)
        return m.PlaceState(
            topic=f"place/{visit_id}",
            epoch=mirror.epoch,
            version=mirror.version,
            place=place if policy.show_place else None,
            waiting=mirror.visits.waiting if policy.show_place else None,
            wait_low_ms=low,
            wait_high_ms=high,
            on_call=on_call,
        )

    # --- news

    def news(self, news: Change | Reset) -> None:
        """Show what changed to those who hear it. Called by the mirrors, in order."""
        mirror = self._service.mirrors.known(news.organisation)
        if mirror is None:
            return
        if isinstance(news, Reset):
            self._reset(mirror)
        elif isinstance(news.after, Staff):
            colleague = news.before if isinstance(news.before, Staff) else None
            self._staff_changed(mirror, colleague, news.after)
        elif isinstance(news.after, Visit):
            before = news.before if isinstance(news.before, Visit) else None
            self._visit_changed(mirror, before, news.after)

    def _recheck(self, mirror: Mirror, sockets: Iterable[Socket]) -> None:
        """Take topics from sockets whose person may no longer hear them: rights do not outlive their reason."""
        for socket in sockets:
            for name in list(socket.topics):
                organisation, room, visit_id = (*name.split("/", 2), "")[:3]
                visit = mirror.visits.get(visit_id) if organisation == mirror.organisation else None
                allowed = VISIT_TOPICS.get(room) or (READS if room == "chat" else None)
                if visit is None or allowed is None:
                    continue
                if allowed.isdisjoint(relations(visit, socket.actor, mirror.staff)):
                    self._hub.unsubscribe(socket, name)

    def _visit_changed(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        for show in (self._show_visit, self._show_case, self._queue_changed, self._rights_changed):
            try:
                show(mirror, before, after)
            except Exception:
                # One topic that cannot be shown must not keep the others from the news, nor rights from ending.
                log.exception("topics.not_shown", what=show.__name__)

    def _show_visit(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        name = f"{mirror.organisation}/visit/{after.id}"
        if self._hub.has(name) and (before is None or views.visit_part(before) != views.visit_part(after)):
            self._hub.tell(name, self._visit(mirror, after))
        if before is not None and before.parties.keys() > after.parties.keys():
            self._part_with_guests(mirror, after)

    def _show_case(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        name = f"{mirror.organisation}/case/{after.id}"
        if self._hub.has(name):
            # A guide in use is known to this worker already, for somebody has subscribed to it.
            guide = self._service.known_guide(mirror.organisation, after.guide_version)
            if guide is not None and (
                before is None or views.case(before, guide) != views.case(after, guide)
            ):
                self._hub.tell(name, self._case(mirror, after, guide))

    def _rights_changed(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        if before is not None and (before.claimant != after.claimant or before.assignee != after.assignee):
            names = [f"{mirror.organisation}/{room}/{after.id}" for room in (*VISIT_TOPICS, "chat")]
            self._recheck(mirror, {s for name in names for s in self._hub.subscribers(name)})

    def _part_with_guests(self, mirror: Mirror, visit: Visit) -> None:
        """Guests who were dismissed have just been told so, and hear nothing more of the visit."""
        for room in ("visit", "chat"):
            name = f"{mirror.organisation}/{room}/{visit.id}"
            for socket in self._hub.subscribers(name):
                if socket.actor.role is Role.GUEST and socket.actor.id not in visit.parties:
                    self._hub.unsubscribe(socket, name)

    def _queue_changed(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        staff = self._session_changed(mirror, before, after)
        # Two messages of one event have a version each, or the second would be taken for a repetition.
        version = mirror.version - (staff is not None)
        was, is_ = (v is not None and v.status is Status.QUEUED for v in (before, after))
        if is_:
            row = views.row(after)
            fresh = views.is_fresh(before, after)
            if fresh or before is None or views.row(before) != row:
                self._tell_queue(mirror, m.QueueRow(topic="queue", version=version, fresh=fresh, row=row))
        elif was:
            gone = m.QueueGone(
                topic="queue",
                version=version,
                visit=after.id,
                why=views.why_gone(after),
                by=views.person(after.claimant),
            )
            self._tell_queue(mirror, gone)
        if staff is not None:
            self._tell_queue(mirror, staff)
        if was != is_:
            self._count_places(mirror)

    @staticmethod
    def _session_changed(mirror: Mirror, before: Visit | None, after: Visit) -> m.QueueStaff | None:
        """A visit that goes live or stops being so changes what its provider's colleagues see of them."""
        was, is_ = (v is not None and v.status is Status.LIVE for v in (before, after))
        if was == is_:
            return None
        claimant = after.claimant if is_ or before is None else before.claimant
        staff = mirror.staff.get(claimant.id) if claimant is not None else None
        return None if staff is None else _staff_news(mirror, staff)

    def _staff_changed(self, mirror: Mirror, before: Staff | None, staff: Staff) -> None:
        if before is not None and views.staff(before, in_session=False) == views.staff(
            staff, in_session=False
        ):
            return
        self._tell_queue(mirror, _staff_news(mirror, staff))
        self._count_places(mirror)
        if before is not None and before.on_call and not staff.on_call:
            self._recheck(mirror, self._hub.of_person(mirror.organisation, staff.id))

    def _tell_queue(self, mirror: Mirror, message: m.QueueRow | m.QueueGone | m.QueueStaff) -> None:
        self._hub.publish(queue_topic(mirror.organisation), message.version, message)

    def _count_places(self, mirror: Mirror) -> None:
        """Count the waiting patients' places anew, soon, and once for all that happens until then."""
        self._soon.do(f"{mirror.organisation}/places", partial(self._places, mirror), PLACE_TICK_S)

    async def _places(self, mirror: Mirror) -> None:
        policy = (await self._service.organisation(mirror.organisation)).policy
        for number, visit in enumerate(mirror.visits.queue(), 1):
            if number % PLACES_PER_TURN == 0:
                await asyncio.sleep(0)
            name = f"{mirror.organisation}/place/{visit.id}"
            if self._hub.has(name):
                # Asked anew, for others may have gone since the round began.
                self._hub.tell(name, self._place(mirror, policy, visit.id, mirror.visits.place(visit.id)))

    def _reset(self, mirror: Mirror) -> None:
        self._soon.do(f"{mirror.organisation}/reset", partial(self._show_anew, mirror), 0)

    async def _show_anew(self, mirror: Mirror) -> None:
        try:
            policy = (await self._service.organisation(mirror.organisation)).policy
        except LookupError:
            policy = Policy()  # the store has lost the organisation, too
        topic = queue_topic(mirror.organisation)
        self._hub.forget(topic, mirror.version)
        snapshot = self._queue(mirror, policy)
        for socket in self._hub.subscribers(topic):
            socket.send(snapshot)
        for socket in list(self._hub.sockets.values()):
            for name in list(socket.topics):
                organisation, room, visit_id = (*name.split("/", 2), "")[:3]
                allowed = VISIT_TOPICS.get(room) or (READS if room == "chat" else None)
                if organisation != mirror.organisation or allowed is None:
                    continue
                visit = await self._service.visit(organisation, visit_id)
                if visit is None or allowed.isdisjoint(relations(visit, socket.actor, mirror.staff)):
                    self._hub.unsubscribe(socket, name)
                    socket.send(m.Gone(topic=f"{room}/{visit_id}"))
                elif room in VISIT_TOPICS:
                    socket.send(await self._state(room, mirror, visit))
                    self._part_with_guests(mirror, visit)

    async def close(self) -> None:
        """Stop what is about to be shown."""
        await self._soon.close()


def _staff_news(mirror: Mirror, staff: Staff) -> m.QueueStaff:
    busy = staff.id in mirror.visits.in_session
    return m.QueueStaff(topic="queue", version=mirror.version, staff=views.staff(staff, busy))
