"""The sweep: work that is done periodically for every organisation.

The sweep applies deadlines that passed, watches the whole queue, and removes connections of dead workers. It repairs
mirrors (copies of the open records) that missed the newest event, and detects that the store was replaced. For each
organisation, a few workers do this every PERIOD_S, and all other workers less often (`rooms/shares.py`). A change is
committed once, even if several workers try. Work that a crash interrupted is found again from the records.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Collection, Container, Iterable, Iterator
from typing import Protocol, TypeVar

import structlog

from signalling.errors import UnavailableError
from signalling.rooms.liveness import Liveness
from signalling.rooms.shares import Shares
from signalling.service import Accepted, Service
from signalling.store import keys
from signalling.store.event_stream import Pulse
from signalling.store.mirror import Mirror
from signalling.store.unavailable import answering
from signalling.ticks import tick
from signalling.visit.commands import Due, Enter, Leave
from signalling.visit.record import Actor, Role
from signalling.visit.relations import party_key
from signalling.visit.rules import next_deadline_ms

PERIOD_S = 0.5
# If other workers do the sweep of an organisation, this worker reads the organisation's state from the store only once
# in this time in s: the first value if it has connections of the organisation, otherwise the second value.
SHOWN_S, ELSEWHERE_S = 1.4, 10.0
# After a worker has lost its connection to the store, each of its sweeps reads all organisations, for this time in s.
DOUBT_S = 3.0
# After this time in s, this worker stores again which staff have a page open, even if they are still the same staff.
HERE_S = 5.0
# After the death of its worker, a connection has this time in s to resume on another worker.
BACK_S = 2.5
RETRY_MS = 60_000  # time in ms after which a visit that could not be read is tried again
log = structlog.get_logger()
T = TypeVar("T")


def system(organisation: str) -> Actor:
    """Return the actor that stands for the server, for changes that it makes by itself."""
    return Actor(organisation=organisation, id="system", name="", role=Role.SYSTEM)


class LocalConnection(Protocol):
    """A connection of this worker, as far as the sweep needs it. `entered`: the visits whose page it has open."""

    @property
    def id(self) -> str: ...
    @property
    def actor(self) -> Actor: ...
    @property
    def entered(self) -> frozenset[str]: ...


class LocalWorker(Protocol):
    """This worker, with the connections that it really has at this moment, even if the records differ.

    `present` returns the connections with an open socket. `holds` returns True for the id of a connection
    that has an open socket on this worker, or has lost it a moment ago.
    """

    @property
    def id(self) -> str: ...
    def present(self) -> Iterable[LocalConnection]: ...
    def holds(self, connection: str, /) -> bool: ...


class Sweep:
    """Does the periodic work of one worker for all organisations."""

    def __init__(self, service: Service, liveness: Liveness, here: LocalWorker, shares: Shares) -> None:
        self._service = service
        self._liveness = liveness
        self._here = here
        self._shares = shares
        # organisation -> the identity of its store at this worker's last sweep of the organisation
        self._identities: dict[str, str] = {}
        self._dead_since_s: dict[str, float] = {}
        self._opened = 0  # the number of times that the store's connection had been opened, at the last sweep
        self._doubted_until_s = 0.0
        # organisation -> the time in s at which this worker last read the organisation's state from the store
        self._looked_s: dict[str, float] = {}
        # organisation -> (the time in s at which this worker last stored which staff have a page open on it, the ids
        # of these staff)
        self._written: dict[str, tuple[float, frozenset[str]]] = {}

    async def run(self) -> None:
        """Do one sweep over all organisations every PERIOD_S, until cancelled."""
        while True:
            try:
                await self._round()
            except UnavailableError:
                log.debug("sweep.unavailable")  # the reason is already in the log
            await tick(PERIOD_S)

    async def _round(self) -> None:
        organisations = await self._service.organisations.list()
        known = [await _alone(self._service.mirrors.get(organisation)) for organisation in organisations]
        mirrors = [mirror for mirror in known if mirror is not None]
        # A store that has lost all data lists no organisation. So organisations with a loaded copy (mirror) are
        # checked as well.
        mirrors += [mirror for mirror in self._service.mirrors if mirror not in mirrors]
        present: dict[str, list[LocalConnection]] = {}
        for connection in self._here.present():
            present.setdefault(connection.actor.organisation, []).append(connection)
        looked = await self._looked([mirror for mirror in mirrors if self._is_due(mirror, present)])
        listed, dead = set(organisations), self._dead_for_a_while()
        for mirror in mirrors:
            if mirror.organisation in listed:
                pulse = looked.get(mirror)
                due = None if pulse is None else pulse.due
                await _alone(self._once(mirror, due, present.get(mirror.organisation, []), dead))

    def _is_due(self, mirror: Mirror, present: Container[str]) -> bool:
        """Return True if the present sweep must read the state of the organisation of `mirror` from the store.

        `present`: the organisations of which this worker has connections.
        """
        now_s, organisation = time.monotonic(), mirror.organisation
        opened = self._service.store.redis.opened
        if opened != self._opened:
            # The connection to the store was lost. A new connection may lead to another store, which all workers must
            # notice.
            self._opened, self._doubted_until_s = opened, now_s + DOUBT_S
        if self._shares.has(organisation) or now_s < self._doubted_until_s:
            wait_s = 0.0
        else:
            wait_s = SHOWN_S if organisation in present else ELSEWHERE_S
        if now_s - self._looked_s.get(organisation, -ELSEWHERE_S) < wait_s:
            return False
        # At the start of this worker, organisations for which other workers do the sweep get random times. So not all
        # of them are read in the same sweep.
        spread_s = 0.0 if organisation in self._looked_s else random.uniform(0, wait_s)  # noqa: S311
        self._looked_s[organisation] = now_s - spread_s
        return True

    async def _looked(self, mirrors: list[Mirror]) -> dict[Mirror, Pulse]:
        """Read the state of the organisations of these mirrors from the store, and return it. Repair each mirror that
        differs from the store.

        Raises `UnavailableError` if the store does not answer.
        """
        if not mirrors:
            return {}
        store = self._service.store
        pulses = await store.stream.pulses([mirror.organisation for mirror in mirrors], store.clock_ms())
        looked = dict(zip(mirrors, pulses, strict=True))
        await _alone(self._recognise(looked.items()))
        for mirror, pulse in looked.items():
            mirror.compare(pulse.head)
        return looked

    async def _recognise(self, looked: Iterable[tuple[Mirror, Pulse]]) -> None:
        """Begin a new epoch for each organisation whose epoch began in another store, for example before a failover.

        This store may have lost events, even if its last event and that of this worker's copy have the same number.
        `looked`: for each organisation, (this worker's mirror, the head of its event stream and the deadlines in the
        store). Raises `UnavailableError` if the store does not answer.
        """
        store, looked = self._service.store, list(looked)
        identities = await store.stream.identities([mirror.organisation for mirror, _ in looked])
        for (mirror, pulse), identity in zip(looked, identities, strict=True):
            head, before = pulse.head, self._identities.get(mirror.organisation, "")
            other = before not in ("", identity)
            if not head.epoch or head.store == identity:
                continue
            if head.store or other:
                await store.stream.begin_epoch(mirror.organisation, "store", head.store, identity)
                mirror.repair()
            else:
                await store.stream.adopt(mirror.organisation, identity)
        for (mirror, _), identity in zip(looked, identities, strict=True):
            self._identities[mirror.organisation] = identity

    async def _once(
        self,
        mirror: Mirror,
        due: Iterable[tuple[str, int]] | None,
        present: list[LocalConnection],
        dead: Collection[str],
    ) -> None:
        """Sweep the organisation of `mirror`, which is this worker's copy of its open visits.

        `due`: (visit, deadline in ms) for the deadlines that passed. If `due` is None, only compare the records with
        this worker's own connections. `present`: the organisation's connections on this worker. `dead`: the workers
        that have been dead for BACK_S or longer. Raises `UnavailableError` if the store does not answer.
        """
        organisation = mirror.organisation
        for visit_id, due_ms in due or ():
            await _alone(self._apply(organisation, visit_id, due_ms))
        if due is not None:
            await _alone(self._service.watch_queue(mirror))
        await self._off_call(mirror, present, turns_off=due is not None)
        for worker in (*(() if due is None else dead), self._here.id):
            for visit_id, connection in mirror.visits.held_by(worker):
                if worker in dead or not self._here.holds(connection):
                    leave = Leave(connection, worker)
                    await _alone(self._service.command(system(organisation), visit_id, leave))
        for connection_id, actor, visit_id in self._forgotten(mirror, present):
            enter = Enter(connection_id, self._here.id)
            await _alone(self._service.command(actor, visit_id, enter))

    async def _apply(self, organisation: str, visit_id: str, due_ms: int) -> None:
        """Apply a visit's deadline `due_ms` that has passed.

        If the visit does not change, store its new deadline, or none. Otherwise every sweep would find the same passed
        deadline again.

        Raises `UnavailableError` if the store does not answer.
        """
        done = await _alone(self._service.command(system(organisation), visit_id, Due()))
        if isinstance(done, Accepted) and done.event is not None:
            return
        # If the visit does not exist, it has no deadline.
        next_ms = None
        # Nothing changed, so the deadline was calculated with older settings. Calculate it anew.
        if isinstance(done, Accepted):
            policy = (await self._service.organisation(organisation)).policy
            next_ms = next_deadline_ms(done.visit, policy)
        elif done is None:
            # the visit's record cannot be read now, so its deadline is tried again later
            next_ms = self._service.clock_ms() + RETRY_MS
        await self._service.store.move_deadline(organisation, visit_id, due_ms, next_ms)

    def _dead_for_a_while(self) -> set[str]:
        now_s, dead = time.monotonic(), self._liveness.dead
        self._dead_since_s = {worker: self._dead_since_s.get(worker, now_s) for worker in dead}
        return {worker for worker, since_s in self._dead_since_s.items() if now_s - since_s >= BACK_S}

    def _forgotten(self, mirror: Mirror, present: list[LocalConnection]) -> Iterator[tuple[str, Actor, str]]:
        """Yield (connection, actor, visit) of connections that have a visit's page open but are missing in its
        record.

        `present`: this worker's connections. A connection can be missing because other workers treated this worker as
        dead, or because the visit was reopened.
        """
        for connection in present:
            if not connection.entered or not self._here.holds(connection.id):
                continue
            for visit_id in list(connection.entered):
                visit = mirror.visits.get(visit_id)
                side = party_key(visit, connection.actor) if visit is not None else None
                if visit is not None and side is not None:
                    party = visit.parties.get(side)
                    if party is not None and connection.id not in party.connections:
                        yield connection.id, connection.actor, visit_id

    async def _off_call(self, mirror: Mirror, present: list[LocalConnection], *, turns_off: bool) -> None:
        """Store which staff have a page open on this worker. If `turns_off`, turn off On-Call for absent
        staff.

        A member of staff is absent after having no page open on any worker for the organisation's time limit
        (`Policy.off_call_ms`). The staff with an open page are stored when they change, and again after
        HERE_S. `present`: the organisation's connections on this worker. Raises `UnavailableError` if the
        store does not answer.
        """
        service, organisation, now_s = self._service, mirror.organisation, time.monotonic()
        here = frozenset(connection.actor.id for connection in present if connection.actor.is_staff)
        away = [one for one in mirror.staff.values() if one.on_call and one.id not in here]
        written_s, before = self._written.get(organisation, (-HERE_S, frozenset()))
        turns_off = turns_off and bool(away)
        if not (here or before or turns_off):
            return
        limit_ms = (await service.organisation(organisation)).policy.off_call_ms
        if here == before and now_s - written_s < min(HERE_S, limit_ms / 4000):
            return
        key, now_ms, seen = keys.HERE(organisation), service.clock_ms(), list[float | None]()
        async with answering():
            if here or before:
                await service.store.redis.zadd(key, dict.fromkeys(here | before, now_ms))
            if turns_off:
                seen = await service.store.redis.zmscore(key, [one.id for one in away])
        self._written[organisation] = now_s, here
        for staff, seen_ms in zip(away, seen, strict=False):
            if now_ms - max(seen_ms or 0, staff.on_call_since_ms or now_ms) >= limit_ms:
                actor = Actor(organisation=organisation, id=staff.id, name=staff.name, role=staff.role)
                await service.set_on_call(actor, on=False, notice=True)

    def holders(self) -> Iterator[str]:
        """Yield the workers to which parties of visits are connected, in the organisations for which this worker does
        the sweep.

        `Liveness` watches these workers: after the death of a worker, the sweep removes its connections from the
        visits.
        """
        for mirror in self._service.mirrors:
            if self._shares.has(mirror.organisation):
                yield from mirror.visits.holders


async def _alone(work: Awaitable[T]) -> T | None:
    """Await `work`, one step of the sweep, and return its result. If it fails, log the error and return None, so that
    the next steps run.

    Raises `UnavailableError` if the store does not answer.
    """
    try:
        return await work
    except UnavailableError:
        raise
    except Exception:
        log.exception("sweep.failed")
        return None
