"""The topics of PROTOCOL.md: turns changes of the mirror into messages for the hub.

Knows which topic a change concerns. Who may see a topic is defined in `rights.py` and checked again at each change that
could end a right; the form of a state is defined in `views.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog

from signalling.hub import Hub, Socket
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes, views
from signalling.protocol.errors import error
from signalling.service import Service
from signalling.store.mirror import Change, Mirror, Reset
from signalling.store.records import Unavailable
from signalling.supervision import Failed, unsupervised
from signalling.topics import rights
from signalling.topics.bell import Bell
from signalling.topics.chat import Chat
from signalling.topics.debounce import Soon
from signalling.topics.sessions_list import Sessions
from signalling.visit import waiting
from signalling.visit.record import Actor, Policy, Staff, Status, Visit
from signalling.visit.setup_guide import Guide

PLACE_TICK_S = 0.25  # patients' places are counted at most this often
PLACES_PER_TURN = 64
AT_ONCE = 32  # how many topics are sent whole at the same time after a reset
log = structlog.get_logger()

Subscribe = Callable[[Socket, client.Subscribe, Mirror], Awaitable[server.Subscribed | server.Error]]
Whole = Callable[[Mirror, str], Awaitable[None]]
"""Sends the whole state of a topic to its subscribers. The second argument is a visit's or a person's id."""


def queue_topic(organisation: str) -> str:
    """Return the hub's name of an organisation's queue."""
    return f"{organisation}/queue"


class Topics:
    """The subscriptions of this worker's sockets, and the updates they receive."""

    def __init__(self, hub: Hub, service: Service, failed: Failed = unsupervised) -> None:
        self._hub = hub
        self._service = service
        self._soon = Soon(failed)
        self.bell = Bell(hub, service)
        self.chat = Chat(hub, service)
        self.sessions = Sessions(hub, service)
        self._staffs: dict[str, Subscribe] = {
            "queue": self._subscribe_queue,
            "sessions": self.sessions.subscribe,
            "bell": self.bell.subscribe,
        }
        self._whole: dict[str, Whole] = {
            "queue": self._whole_queue,
            "sessions": self.sessions.show_whole,
            **{room: partial(self._whole_visit, room) for room in rights.OF_VISITS},
            "bell": self.bell.show_whole,
        }
        service.mirrors.observers.append(self.news)

    # --- subscribing

    async def subscribe(self, socket: Socket, request: client.Subscribe) -> server.Subscribed | server.Error:
        """Subscribe a socket, send it the state that it lacks, and return the reply. Raises `Unavailable`."""
        mirror = await self._service.mirrors.get(socket.actor.organisation)
        if request.topic in rights.OF_STAFF:
            if not rights.may_see_staffs(request.topic, socket.actor):
                return error(request.id, "not_allowed")
            return await self._staffs[request.topic](socket, request, mirror)
        room, _, visit_id = request.topic.partition("/")
        visit = await self._seen_by(socket.actor, room, mirror, visit_id)
        if visit is None:
            return error(request.id, "not_found")  # also for a visit that the actor may not see
        return await self._subscribe_visit(socket, request, mirror, room, visit)

    async def _seen_by(self, actor: Actor, room: str, mirror: Mirror, visit_id: str) -> Visit | None:
        """Return the visit if the actor may see that topic of it, otherwise None. Raises `Unavailable`."""
        if room not in rights.OF_VISITS:
            return None
        visit = await self._service.visit(mirror.organisation, visit_id)
        if visit is None or rights.may_see(room, visit, actor, mirror.staff):
            return visit
        if not actor.is_staff and actor.visit != visit_id:
            return None
        # A claim or an On-Call change made through another worker a moment ago may not be in this mirror yet.
        visit = await self._service.visit_now(mirror.organisation, visit_id)
        return visit if visit is not None and rights.may_see(room, visit, actor, mirror.staff) else None

    async def _subscribe_visit(
        self, socket: Socket, request: client.Subscribe, mirror: Mirror, room: str, visit: Visit
    ) -> server.Subscribed | server.Error:
        name = self._name(mirror, request.topic)
        held = name in socket.topics
        # First, so that no change is missed meanwhile, also none that ends the right.
        self._hub.subscribe(socket, name, mirror.version)
        try:
            message = await self._state(room, mirror, visit, socket.actor)
        except BaseException:
            if not held:
                self._hub.unsubscribe(socket, name)
            raise
        if name not in socket.topics:
            return error(request.id, "not_found")  # the right ended meanwhile
        socket.send(message)
        return server.Subscribed(
            reply_to=request.id, topic=request.topic, epoch=mirror.epoch, version=message.version
        )

    async def _subscribe_queue(
        self, socket: Socket, request: client.Subscribe, mirror: Mirror
    ) -> server.Subscribed | server.Error:
        policy = (await self._service.organisation(mirror.organisation)).policy
        # No await from here on: snapshot, subscription and later updates must fit together.
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
        return server.Subscribed(
            reply_to=request.id, topic="queue", epoch=mirror.epoch, version=mirror.version
        )

    def unsubscribe(self, socket: Socket, topic: str) -> None:
        """End a subscription. Does nothing if there is none."""
        if topic == "bell":
            self.bell.unsubscribe(socket)
        self._hub.unsubscribe(socket, f"{socket.actor.organisation}/{topic}")

    @staticmethod
    def _name(mirror: Mirror, topic: str) -> str:
        return f"{mirror.organisation}/{topic}"

    # --- states

    def _queue(self, mirror: Mirror, policy: Policy) -> server.QueueSnapshot:
        busy = mirror.visits.in_session
        return server.QueueSnapshot(
            topic="queue",
            epoch=mirror.epoch,
            version=mirror.version,
            rows=tuple(views.row(v) for v in mirror.visits.queue()),
            staff=tuple(views.staff(s, s.id in busy) for s in mirror.staff.values()),
            limits=shapes.QueueLimits(amber_ms=policy.amber_ms, red_ms=policy.red_ms),
        )

    async def _state(
        self, room: str, mirror: Mirror, visit: Visit, actor: Actor
    ) -> server.VisitState | server.CaseState | server.PlaceState | server.ChatSnapshot:
        if room == "chat":
            return await self.chat.snapshot(mirror, visit)
        if room == "case":
            guide = await self._service.guide(mirror.organisation, visit.guide_version)
            newest = mirror.visits.get(visit.id, visit)
            return self._case(mirror, newest, guide)
        if room == "place":
            policy = (await self._service.organisation(mirror.organisation)).policy
            return self._place(mirror, policy, visit.id, mirror.visits.place(visit.id))
        return self._visit(mirror, mirror.visits.get(visit.id, visit), actor)

    @staticmethod
    def _visit(mirror: Mirror, visit: Visit, actor: Actor | None = None) -> server.VisitState:
        """Return the state of a visit. After its end, `actor` decides how much of it is shown."""
        over = not visit.is_open and actor is not None and not actor.is_staff
        return server.VisitState(
            topic=f"visit/{visit.id}",
            epoch=mirror.epoch,
            version=mirror.version,
            visit=views.visit_over(visit) if over else views.visit_part(visit),
        )

    @staticmethod
    def _case(mirror: Mirror, visit: Visit, guide: Guide) -> server.CaseState:
        return server.CaseState(
            topic=f"case/{visit.id}",
            epoch=mirror.epoch,
            version=mirror.version,
            case=views.case(visit, guide),
        )

    def _place(self, mirror: Mirror, policy: Policy, visit_id: str, place: int | None) -> server.PlaceState:
        on_call = sum(s.on_call for s in mirror.staff.values())
        wait = None
        if place is not None and policy.show_wait:
            wait = waiting.expected_wait(place, mirror.claims_ms, on_call, self._service.store.clock_ms())
        low, high = wait if wait is not None else (None, None)
        return server.PlaceState(
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
        """Send a change to the subscribers. Called by the mirrors, in order."""
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
        """End the subscriptions that the sockets' person may no longer see."""
        for socket in sockets:
            for name in list(socket.topics):
                organisation, room, visit_id = (*name.split("/", 2), "")[:3]
                visit = mirror.visits.get(visit_id) if organisation == mirror.organisation else None
                if visit is not None and room in rights.OF_VISITS:
                    self._end_unseen(mirror, room, visit, (socket,))

    def _end_unseen(self, mirror: Mirror, room: str, visit: Visit, sockets: Iterable[Socket]) -> None:
        """End a topic for the sockets whose person may not see it, and send them `gone`."""
        topic = f"{room}/{visit.id}"
        for socket in sockets:
            if not rights.may_see(room, visit, socket.actor, mirror.staff):
                self._hub.unsubscribe(socket, f"{mirror.organisation}/{topic}")
                socket.send(server.Gone(topic=topic))

    def _visit_changed(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        for show in (
            self._end_others_unseen,
            self._show_visit,
            self._end_visit_unseen,
            self._show_case,
            self._queue_changed,
        ):
            try:
                show(mirror, before, after)
            except Exception:
                # One topic that cannot be shown must not keep updates from the others, nor keep rights from ending.
                log.exception("topics.not_shown", what=show.__name__)

    def _end_others_unseen(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        if before is None or _people(before) != _people(after):
            for room in rights.OF_VISITS:
                if room != "visit":
                    self._end_unseen(mirror, room, after, self._subscribers(mirror, room, after))

    def _end_visit_unseen(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        """End the topic `visit` for those who lost the right, after sending them the change that ended it."""
        if before is None or _people(before) != _people(after):
            self._end_unseen(mirror, "visit", after, self._subscribers(mirror, "visit", after))

    def _show_visit(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        name = f"{mirror.organisation}/visit/{after.id}"
        if not self._hub.has(name):
            return
        if not after.is_open:
            for socket in self._hub.subscribers(name):
                socket.send(self._visit(mirror, after, socket.actor))
        elif before is None or views.visit_part(before) != views.visit_part(after):
            self._hub.tell(name, self._visit(mirror, after))

    def _show_case(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        name = f"{mirror.organisation}/case/{after.id}"
        if self._hub.has(name):
            # A guide in use is known to this worker, because subscribing to a case loads it.
            guide = self._service.known_guide(mirror.organisation, after.guide_version)
            if guide is not None and (
                before is None or views.case(before, guide) != views.case(after, guide)
            ):
                self._hub.tell(name, self._case(mirror, after, guide))

    def _subscribers(self, mirror: Mirror, room: str, visit: Visit) -> Iterable[Socket]:
        return self._hub.subscribers(f"{mirror.organisation}/{room}/{visit.id}")

    def _queue_changed(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        staff = self._session_changed(mirror, before, after)
        # Two messages of one event have different versions, or the second would be taken for a repetition.
        version = mirror.version - (staff is not None)
        was, is_ = (v is not None and v.status is Status.QUEUED for v in (before, after))
        if is_:
            row = views.row(after)
            fresh = views.is_fresh(before, after)
            if fresh or before is None or views.row(before) != row:
                self._tell_queue(
                    mirror, server.QueueRow(topic="queue", version=version, fresh=fresh, row=row)
                )
        elif was:
            gone = server.QueueGone(
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
    def _session_changed(mirror: Mirror, before: Visit | None, after: Visit) -> server.QueueStaff | None:
        """Return the news of a provider whose visit went live or stopped being live; None if neither happened."""
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

    def _tell_queue(
        self, mirror: Mirror, message: server.QueueRow | server.QueueGone | server.QueueStaff
    ) -> None:
        self._hub.publish(queue_topic(mirror.organisation), message.version, message)

    def _count_places(self, mirror: Mirror) -> None:
        """Count the places of waiting patients after a short delay, once for all changes until then."""
        self._soon.do(f"{mirror.organisation}/places", partial(self._places, mirror), PLACE_TICK_S)

    async def _places(self, mirror: Mirror) -> None:
        policy = (await self._service.organisation(mirror.organisation)).policy
        for number, visit in enumerate(mirror.visits.queue(), 1):
            if number % PLACES_PER_TURN == 0:
                await asyncio.sleep(0)
            name = f"{mirror.organisation}/place/{visit.id}"
            if self._hub.has(name):
                # The place is read again, because the queue may have changed since the loop began.
                self._hub.tell(name, self._place(mirror, policy, visit.id, mirror.visits.place(visit.id)))

    def _reset(self, mirror: Mirror) -> None:
        self._soon.do(f"{mirror.organisation}/reset", partial(self._show_anew, mirror), 0)

    async def _show_anew(self, mirror: Mirror) -> None:
        """Send all topics whole, because it is unknown which changes were missed."""
        order = list(self._whole)  # topics with many subscribers and no cost to the store first
        names = sorted(self._hub.names(mirror.organisation), key=lambda name: order.index(kind_of(name)[0]))
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            shown = await asyncio.gather(
                *(self._show_whole(mirror, name) for name in some), return_exceptions=True
            )
            for name, problem in zip(some, shown, strict=True):
                if isinstance(problem, Unavailable):
                    raise problem
                if isinstance(problem, Exception):
                    # One topic that cannot be shown must not keep the others from being shown.
                    log.error("topics.not_shown", what=kind_of(name)[0], exc_info=problem)

    async def _show_whole(self, mirror: Mirror, name: str) -> None:
        kind, about = kind_of(name)
        await self._whole[kind](mirror, about)

    async def _whole_queue(self, mirror: Mirror, _: str) -> None:
        try:
            policy = (await self._service.organisation(mirror.organisation)).policy
        except LookupError:
            policy = Policy()  # the store has lost the organisation, too
        topic = queue_topic(mirror.organisation)
        self._hub.forget(topic, mirror.version)
        self._hub.tell(topic, self._queue(mirror, policy))

    async def _whole_visit(self, room: str, mirror: Mirror, visit_id: str) -> None:
        name = self._name(mirror, f"{room}/{visit_id}")
        visit = await self._service.visit(mirror.organisation, visit_id)
        for socket in self._hub.subscribers(name):
            if visit is None:
                self._hub.unsubscribe(socket, name)
                socket.send(server.Gone(topic=f"{room}/{visit_id}"))
            elif room == "visit" or rights.may_see(room, visit, socket.actor, mirror.staff):
                state = await self._state(room, mirror, visit, socket.actor)
                if name in socket.topics:  # else the right ended meanwhile
                    socket.send(state)
            if visit is not None and name in socket.topics:
                self._end_unseen(mirror, room, visit, (socket,))

    async def close(self) -> None:
        """Stop the waiting updates."""
        await self._soon.close()


def kind_of(name: str) -> tuple[str, str]:
    """Return the kind of a topic from its hub name, and the id that it is about ("" if there is none)."""
    kind, *about = re.split("[/:]", name.partition("/")[2], maxsplit=1)
    return kind, about[0] if about else ""


def _people(visit: Visit) -> tuple[object, ...]:
    """Return the parts of a visit that rights to its topics depend on."""
    return visit.status, visit.claimant, visit.assignee, visit.parties.keys()


def _staff_news(mirror: Mirror, staff: Staff) -> server.QueueStaff:
    busy = staff.id in mirror.visits.in_session
    return server.QueueStaff(topic="queue", version=mirror.version, staff=views.staff(staff, busy))
