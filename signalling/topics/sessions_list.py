"""The Sessions List beside On-Demand Requests: claimed and live visits, ended visits, and a visit's history."""

from __future__ import annotations

from signalling.hub import Hub, Socket
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes, views
from signalling.protocol.errors import error
from signalling.rooms.quality_watch import calls_of
from signalling.service import Service
from signalling.store.mirror import Change, Mirror, Reset
from signalling.store.past_visits import Query
from signalling.store.records import NEWEST
from signalling.topics import rights
from signalling.visit.open_visits import TAKEN
from signalling.visit.record import Actor, Role, Visit

TOPIC = "sessions"
PAGE = 50


class Sessions:
    """Sends the topic `sessions` to this worker's sockets of staff; answers requests about ended visits."""

    def __init__(self, hub: Hub, service: Service) -> None:
        self._hub = hub
        self._service = service
        service.mirrors.observers.append(self.news)

    async def subscribe(
        self, socket: Socket, request: client.Subscribe, mirror: Mirror
    ) -> server.Subscribed | server.Error:
        """Subscribe a socket of staff to the Sessions List, send it the list, and return the reply."""
        self._hub.subscribe(socket, f"{mirror.organisation}/{TOPIC}", mirror.version)
        socket.send(self._snapshot(mirror))
        return server.Subscribed(reply_to=request.id, topic=TOPIC, epoch=mirror.epoch, version=mirror.version)

    async def show_whole(self, mirror: Mirror, _: str) -> None:
        """Send a snapshot of the Sessions List to all subscribers."""
        self._hub.send(f"{mirror.organisation}/{TOPIC}", self._snapshot(mirror))

    @staticmethod
    def _snapshot(mirror: Mirror) -> server.SessionsSnapshot:
        taken = sorted(mirror.visits.taken, key=lambda visit: (visit.claimed_ms or 0, visit.id))
        rows = tuple(views.session_row(visit) for visit in taken)
        return server.SessionsSnapshot(topic=TOPIC, epoch=mirror.epoch, version=mirror.version, rows=rows)

    def news(self, news: Change | Reset) -> None:
        """Send a change of the Sessions List to the subscribers. The mirror calls this for each event, in order."""
        mirror = self._service.mirrors.known(news.organisation)
        name = f"{news.organisation}/{TOPIC}"
        if mirror is None or isinstance(news, Reset) or not self._hub.has(name):
            return
        if isinstance(news.after, Visit):
            before = news.before if isinstance(news.before, Visit) else None
            was = views.session_row(before) if before is not None and before.status in TAKEN else None
            is_ = views.session_row(news.after) if news.after.status in TAKEN else None
            if is_ is not None and is_ != was:
                self._hub.send(name, server.SessionsRow(topic=TOPIC, version=mirror.version, row=is_))
            elif is_ is None and was is not None:
                self._hub.send(
                    name, server.SessionsGone(topic=TOPIC, version=mirror.version, visit=was.visit)
                )

    async def past(self, actor: Actor, request: client.SessionsPast) -> server.Past:
        """Return the ended visits that match the filters of the request, the newest first.

        Raises `UnavailableError` if the store does not answer.
        """
        policy = (await self._service.organisation(actor.organisation)).policy
        mirror = await self._service.mirrors.get(actor.organisation)
        query = Query(
            text=request.text or "",
            # A tag reveals something about a patient, so a search by tag finds only visits that the person may see: all
            # visits for an admin, otherwise the visits that the person has claimed.
            provider=request.provider if request.tag is None or actor.role is Role.ADMIN else actor.id,
            outcome=request.outcome,
            tag=request.tag,
            since_ms=request.since_ms,
            before=NEWEST if request.before_ms is None else (request.before_ms, request.before_visit or ""),
        )
        found = await self._service.past.find(actor.organisation, query, PAGE + 1)
        return server.Past(
            reply_to=request.id,
            more=len(found.visits) > PAGE or found.unread > 0,
            unread=found.unread,
            rows=tuple(
                views.past_row(visit, policy, with_texts=rights.may_see("visit", visit, actor, mirror.staff))
                for visit in found.visits[:PAGE]
            ),
        )

    async def history(self, actor: Actor, request: client.VisitHistory) -> server.History | server.Error:
        """Return a visit's history, or an error. The history has no texts if the actor may not see the visit.

        Raises `UnavailableError` if the store does not answer.
        """
        visit = await self._service.visit(actor.organisation, request.visit)
        if visit is None:
            return error(request.id, "not_found")
        mirror = await self._service.mirrors.get(actor.organisation)
        with_texts = rights.may_see("visit", visit, actor, mirror.staff)
        events = await self._service.store.history(actor.organisation, request.visit)
        parts = tuple(
            shapes.HistoryPart(
                kind=e.kind, at_ms=e.at_ms, by=views.person(e.by), note=e.note if with_texts else None
            )
            for e in events
        )
        tallies = await calls_of(self._service.store, actor.organisation, request.visit)
        calls = tuple(views.call(tally) for tally in tallies)
        return server.History(reply_to=request.id, visit=request.visit, events=parts, calls=calls)
