"""The Sessions List beside On-Demand Requests: visits claimed or live now, those that ended, and a visit's story."""

from __future__ import annotations

from signalling import messages as m
from signalling import views
from signalling.calls import calls_of
from signalling.hub import Hub, Socket
from signalling.mirror import Change, Mirror, Reset
from signalling.open_visits import TAKEN
from signalling.record import Actor, Visit
from signalling.service import Service

TOPIC = "sessions"
PAGE = 50
MOST_READ = 2000  # ended visits looked at for one page of a search


class Sessions:
    """The topic `sessions` of this worker's staff, and the questions about what was."""

    def __init__(self, hub: Hub, service: Service) -> None:
        self._hub = hub
        self._service = service
        service.mirrors.observers.append(self.news)

    async def subscribe(self, socket: Socket, request: m.Subscribe, mirror: Mirror) -> m.Subscribed | m.Error:
        """Subscribe staff."""
        if not socket.actor.is_staff:
            return m.error(request.id, "not_allowed")
        self._hub.subscribe(socket, f"{mirror.organisation}/{TOPIC}", mirror.version)
        socket.send(self._snapshot(mirror))
        return m.Subscribed(reply_to=request.id, topic=TOPIC, epoch=mirror.epoch, version=mirror.version)

    @staticmethod
    def _snapshot(mirror: Mirror) -> m.SessionsSnapshot:
        taken = sorted(mirror.visits.taken, key=lambda visit: (visit.claimed_ms or 0, visit.id))
        rows = tuple(views.session_row(visit) for visit in taken)
        return m.SessionsSnapshot(topic=TOPIC, epoch=mirror.epoch, version=mirror.version, rows=rows)

    def news(self, news: Change | Reset) -> None:
        """Show what changed. Called by the mirrors, in order."""
        mirror = self._service.mirrors.known(news.organisation)
        name = f"{news.organisation}/{TOPIC}"
        if mirror is None or not self._hub.has(name):
            return
        if isinstance(news, Reset):
            self._hub.tell(name, self._snapshot(mirror))
        elif isinstance(news.after, Visit):
            before = news.before if isinstance(news.before, Visit) else None
            was = views.session_row(before) if before is not None and before.status in TAKEN else None
            is_ = views.session_row(news.after) if news.after.status in TAKEN else None
            if is_ is not None and is_ != was:
                self._hub.tell(name, m.SessionsRow(topic=TOPIC, version=mirror.version, row=is_))
            elif is_ is None and was is not None:
                self._hub.tell(name, m.SessionsGone(topic=TOPIC, version=mirror.version, visit=was.visit))

    async def past(self, actor: Actor, request: m.SessionsPast) -> m.Past:
        """Return ended visits that fit the filters, newest first. Raises `Unavailable`."""
        policy = (await self._service.organisation(actor.organisation)).policy
        store, wanted = self._service.store, (request.text or "").casefold().strip()
        rows: list[m.PastRow] = []
        for offset in range(0, MOST_READ, PAGE * 2):
            found = await store.past(
                actor.organisation, request.since_ms, request.before_ms, offset, PAGE * 2
            )
            for visit in found:
                fits = (
                    (not wanted or wanted in visit.patient.name.casefold() or wanted in visit.id.casefold())
                    and request.outcome in (None, visit.outcome)
                    and (
                        request.provider is None
                        or (visit.claimant is not None and visit.claimant.id == request.provider)
                    )
                )
                if fits:
                    rows.append(views.past_row(visit, policy))
            if len(rows) > PAGE or len(found) < PAGE:
                break
        return m.Past(reply_to=request.id, more=len(rows) > PAGE, rows=tuple(rows[:PAGE]))

    async def history(self, actor: Actor, request: m.VisitHistory) -> m.History | m.Error:
        """Return a visit's story. Raises `Unavailable`."""
        if await self._service.visit(actor.organisation, request.visit) is None:
            return m.error(request.id, "not_found")
        events = await self._service.store.history(actor.organisation, request.visit)
        parts = tuple(
            m.HistoryPart(kind=e.kind, at_ms=e.at_ms, by=views.person(e.by), note=e.note) for e in events
        )
        tallies = await calls_of(self._service.store, actor.organisation, request.visit)
        calls = tuple(views.call(tally) for tally in tallies)
        return m.History(reply_to=request.id, visit=request.visit, events=parts, calls=calls)
