"""The topics of PROTOCOL.md: turns changes of the organisation's records into messages for the subscribers.

This module decides which topics a change concerns. `rights.py` defines who may see a topic, which is checked again at
each change that could end a right. `views.py` defines what a message shows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog

from signalling import counts
from signalling.errors import UnavailableError
from signalling.hub import Hub, Socket
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import views
from signalling.protocol.errors import error
from signalling.service import Service
from signalling.store.mirror import Change, Mirror, Reset
from signalling.supervision import Failed, unsupervised
from signalling.topics import rights
from signalling.topics.bell import Bell
from signalling.topics.chat import Chat
from signalling.topics.debounce import Debouncer
from signalling.topics.queue import Queue
from signalling.topics.sessions_list import Sessions
from signalling.visit.record import Actor, Staff, Visit
from signalling.visit.setup_guide import Guide

AT_ONCE = 32  # the number of topics whose whole state is sent at the same time, after a loss of events
log = structlog.get_logger()

Subscribe = Callable[[Socket, client.Subscribe, Mirror], Awaitable[server.Subscribed | server.Error]]
Whole = Callable[[Mirror, str], Awaitable[None]]
"""Sends the whole state of a topic to its subscribers.

The second argument is the second result of `kind_of`, such as a visit's id.
"""


class Topics:
    """Holds the subscriptions of this worker's sockets, and sends them updates."""

    def __init__(self, hub: Hub, service: Service, failed: Failed = unsupervised) -> None:
        self._hub = hub
        self._service = service
        self._debouncer = Debouncer(failed)
        self.bell = Bell(hub, service)
        self.chat = Chat(hub, service)
        self.sessions = Sessions(hub, service)
        service.mirrors.observers.append(self.news)
        self.queue = Queue(hub, service, self._debouncer)
        self._subscribe_staff: dict[str, Subscribe] = {
            "queue": self.queue.subscribe,
            "sessions": self.sessions.subscribe,
            "bell": self.bell.subscribe,
        }
        self._whole: dict[str, Whole] = {
            "queue": self.queue.show_whole,
            "sessions": self.sessions.show_whole,
            **{kind: partial(self._whole_visit, kind) for kind in rights.OF_VISITS},
            "bell": self.bell.show_whole,
        }

    # --- subscribing and unsubscribing

    async def subscribe(self, socket: Socket, request: client.Subscribe) -> server.Subscribed | server.Error:
        """Subscribe a socket to a topic, send it the state or the updates that it lacks, and return the reply.

        Raises `UnavailableError` if the store does not answer.
        """
        mirror = await self._service.mirrors.get(socket.actor.organisation)
        if request.topic in rights.OF_STAFF:
            if not rights.may_see_staffs(request.topic, socket.actor):
                return error(request.id, "not_allowed")
            return await self._subscribe_staff[request.topic](socket, request, mirror)
        kind, _, visit_id = request.topic.partition("/")
        visit = await self._seen_by(socket.actor, kind, mirror, visit_id)
        if visit is None:
            return error(request.id, "not_found")  # The answer does not reveal whether the visit exists
        return await self._subscribe_visit(socket, request, mirror, kind, visit)

    async def _seen_by(self, actor: Actor, kind: str, mirror: Mirror, visit_id: str) -> Visit | None:
        """Return a visit if the actor may see its topic of this `kind` (such as "chat"), otherwise None.

        Raises `UnavailableError` if the store does not answer.
        """
        if kind not in rights.OF_VISITS:
            return None
        visit = await self._service.visit(mirror.organisation, visit_id)
        if visit is None or rights.may_see(kind, visit, actor, mirror.staff):
            return visit
        if not actor.is_staff and actor.visit != visit_id:
            return None
        # This worker's copy may lack the newest change, such as a claim or an On-Call change that another worker has
        # made a moment ago.
        visit = await self._service.visit_now(mirror.organisation, visit_id)
        return visit if visit is not None and rights.may_see(kind, visit, actor, mirror.staff) else None

    async def _subscribe_visit(
        self, socket: Socket, request: client.Subscribe, mirror: Mirror, kind: str, visit: Visit
    ) -> server.Subscribed | server.Error:
        name = self._name(mirror, request.topic)
        held = name in socket.topics
        # The socket is subscribed first, so that it misses no change, not even a change that ends the right to see the
        # topic.
        self._hub.subscribe(socket, name, mirror.version)
        try:
            message = await self._state(kind, mirror, visit, socket.actor)
        except BaseException:
            if not held:
                self._hub.unsubscribe(socket, name)
            raise
        if name not in socket.topics:
            return error(request.id, "not_found")  # the right to see the topic ended while the state was read
        socket.send(message)
        return server.Subscribed(
            reply_to=request.id, topic=request.topic, epoch=mirror.epoch, version=message.version
        )

    def unsubscribe(self, socket: Socket, topic: str) -> None:
        """End the subscription of a socket to a topic, if there is one."""
        if topic == "bell":
            self.bell.unsubscribe(socket)
        if topic == "queue":
            self.queue.unsubscribe(socket)
        self._hub.unsubscribe(socket, f"{socket.actor.organisation}/{topic}")

    @staticmethod
    def _name(mirror: Mirror, topic: str) -> str:
        return f"{mirror.organisation}/{topic}"

    # --- the whole states of topics

    async def _state(
        self, kind: str, mirror: Mirror, visit: Visit, actor: Actor
    ) -> server.VisitState | server.CaseState | server.PlaceState | server.ChatSnapshot:
        if kind == "chat":
            return await self.chat.snapshot(mirror, visit)
        if kind == "case":
            guide = await self._service.guide(mirror.organisation, visit.guide_version)
            newest = mirror.visits.get(visit.id, visit)
            return self._case(mirror, newest, guide)
        if kind == "place":
            policy = (await self._service.organisation(mirror.organisation)).policy
            return self.queue.place(mirror, policy, visit.id)
        newest = mirror.visits.get(visit.id, visit)
        return self._visit(mirror, newest, of_staff=actor.is_staff)

    @staticmethod
    def _visit(mirror: Mirror, visit: Visit, *, of_staff: bool) -> server.VisitState:
        """Return the state of a visit, for its staff if `of_staff`, otherwise for its patient and guests."""
        seen = views.visit_part if visit.is_open else views.visit_over
        return server.VisitState(
            topic=f"visit/{visit.id}",
            epoch=mirror.epoch,
            version=mirror.version,
            visit=views.visit_of_staff(visit) if of_staff else seen(visit),
        )

    @staticmethod
    def _case(mirror: Mirror, visit: Visit, guide: Guide) -> server.CaseState:
        return server.CaseState(
            topic=f"case/{visit.id}",
            epoch=mirror.epoch,
            version=mirror.version,
            case=views.case(visit, guide),
        )

    # --- sending changes

    def news(self, news: Change | Reset) -> None:
        """Send a change to the subscribers of the topics that it concerns.

        The mirror calls this for each event, in order.
        """
        mirror = self._service.mirrors.known(news.organisation)
        if mirror is None:
            return
        if isinstance(news, Reset):
            self._reset(mirror)
        elif isinstance(news.after, Staff):
            if isinstance(news.before, Staff) and _lost(news.before, news.after):
                self._recheck(mirror, self._hub.of_person(mirror.organisation, news.after.id))
        elif isinstance(news.after, Visit):
            before = news.before if isinstance(news.before, Visit) else None
            self._visit_changed(mirror, before, news.after)

    def _recheck(self, mirror: Mirror, sockets: Iterable[Socket]) -> None:
        """For each socket, end the subscriptions to topics that the socket's person may no longer see."""
        for socket in sockets:
            for name in list(socket.topics):
                organisation, kind, visit_id = (*name.split("/", 2), "")[:3]
                visit = mirror.visits.get(visit_id) if organisation == mirror.organisation else None
                if visit is not None and kind in rights.OF_VISITS:
                    self._end_unseen(mirror, kind, visit, (socket,))

    def _end_unseen(self, mirror: Mirror, kind: str, visit: Visit, sockets: Iterable[Socket]) -> None:
        """End the subscription of each socket whose person may not see a visit's topic; send these sockets
        `gone`.

        `kind`: the topic's kind, such as "chat".
        """
        topic = f"{kind}/{visit.id}"
        for socket in sockets:
            if not rights.may_see(kind, visit, socket.actor, mirror.staff):
                self._hub.unsubscribe(socket, f"{mirror.organisation}/{topic}")
                socket.send(server.Gone(topic=topic))

    def _visit_changed(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        for show in (
            self._end_others_unseen,
            self._show_visit,
            self._end_visit_unseen,
            self._show_case,
        ):
            try:
                show(mirror, before, after)
            except Exception:
                # An error in one topic must not prevent the updates of other topics. Nor must it prevent the end of the
                # subscriptions of persons who have lost a right.
                log.exception("topics.not_shown", what=show.__name__)

    def _end_others_unseen(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        if before is None or _people(before) != _people(after):
            for kind in rights.OF_VISITS:
                if kind != "visit":
                    self._end_unseen(mirror, kind, after, self._subscribers(mirror, kind, after))

    def _end_visit_unseen(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        """End the topic `visit` for persons who may no longer see it, after they received the change that ended their
        right.

        `before`, `after`: the visit before and after the change.
        """
        if before is None or _people(before) != _people(after):
            self._end_unseen(mirror, "visit", after, self._subscribers(mirror, "visit", after))

    def _show_visit(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        name = f"{mirror.organisation}/visit/{after.id}"
        if not self._hub.has(name):
            return
        state, others = (self._visit(mirror, after, of_staff=of_staff) for of_staff in (True, False))
        if before is not None and views.visit_of_staff(before) == state.visit:
            return
        for socket in self._hub.subscribers(name):
            counts.shown(socket.actor.role, before, after, self._service.clock_ms())
        if state == others:
            self._hub.send(name, state)
        else:
            for socket in self._hub.subscribers(name):
                socket.send(state if socket.actor.is_staff else others)

    def _show_case(self, mirror: Mirror, before: Visit | None, after: Visit) -> None:
        name = f"{mirror.organisation}/case/{after.id}"
        if self._hub.has(name):
            # The guide is already loaded: each subscription to the topic loads it, and this message is sent only to
            # subscribers.
            guide = self._service.known_guide(mirror.organisation, after.guide_version)
            if guide is not None:
                state = self._case(mirror, after, guide)
                if before is None or views.case(before, guide) != state.case:
                    self._hub.send(name, state)

    def _subscribers(self, mirror: Mirror, kind: str, visit: Visit) -> Iterable[Socket]:
        return self._hub.subscribers(f"{mirror.organisation}/{kind}/{visit.id}")

    def _reset(self, mirror: Mirror) -> None:
        self._debouncer.run(f"{mirror.organisation}/reset", partial(self._show_all, mirror), 0)

    async def _show_all(self, mirror: Mirror) -> None:
        """Send the whole state of all topics to their subscribers, because it is unknown which changes this worker has
        missed.
        """
        # The queue and the Sessions List are sent first: they have many subscribers, and are in this worker's copy.
        order = list(self._whole)
        names = sorted(self._hub.names(mirror.organisation), key=lambda name: order.index(kind_of(name)[0]))
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            shown = await asyncio.gather(
                *(self._show_whole(mirror, name) for name in some), return_exceptions=True
            )
            for name, problem in zip(some, shown, strict=True):
                if isinstance(problem, UnavailableError):
                    raise problem
                if isinstance(problem, Exception):
                    # One topic that cannot be shown must not prevent other topics from being shown.
                    log.error("topics.not_shown", what=kind_of(name)[0], exc_info=problem)

    async def _show_whole(self, mirror: Mirror, name: str) -> None:
        kind, about = kind_of(name)
        await self._whole[kind](mirror, about)

    async def _whole_visit(self, kind: str, mirror: Mirror, visit_id: str) -> None:
        name = self._name(mirror, f"{kind}/{visit_id}")
        visit = await self._service.visit(mirror.organisation, visit_id)
        for socket in self._hub.subscribers(name):
            if visit is None:
                self._hub.unsubscribe(socket, name)
                socket.send(server.Gone(topic=f"{kind}/{visit_id}"))
            elif kind == "visit" or rights.may_see(kind, visit, socket.actor, mirror.staff):
                state = await self._state(kind, mirror, visit, socket.actor)
                # If the person lost the right to see the topic while its state was read, the socket is no longer
                # subscribed, and receives nothing.
                if name in socket.topics:
                    socket.send(state)
            if visit is not None and name in socket.topics:
                self._end_unseen(mirror, kind, visit, (socket,))

    async def close(self) -> None:
        """Cancel the updates of topics that wait to be sent."""
        await self._debouncer.close()


def _lost(before: Staff, after: Staff) -> bool:
    """Return True if the change of a staff record from `before` to `after` may end the person's right to see some
    topics.
    """
    return (before.on_call and not after.on_call) or before.areas != after.areas


def kind_of(name: str) -> tuple[str, str]:
    """Return (the kind of a topic, the rest) from the topic's name in the hub.

    The rest is the id of a visit or a person, or the name of a part of the queue; "" if the name has only the kind.
    """
    kind, *about = re.split("[/:]", name.partition("/")[2], maxsplit=1)
    return kind, about[0] if about else ""


def _people(visit: Visit) -> tuple[object, ...]:
    """Return the parts of a visit's record that decide who may see its topics."""
    return visit.status, visit.claimant, visit.assignee, visit.parties.keys()
