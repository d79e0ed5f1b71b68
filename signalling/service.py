"""Carries out commands on visits: loads the record, decides, and commits; repeats this if another commit came first.

Connects the pure rules with the store and with this worker's mirrors (its copies of the open visits). A
refusal is returned as `Refusal`, not raised. Raises `UnavailableError` if the store does not answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Protocol
from weakref import WeakValueDictionary

from msgspec.structs import replace

from signalling import counts
from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.store.mirror import Mirror, Mirrors, version_of
from signalling.store.past_visits import PastVisits
from signalling.store.photos import Photos
from signalling.store.pubsub import Bus
from signalling.store.records import Extra, Origin, Store, newest
from signalling.store.turns import Turn
from signalling.visit import queue_watch
from signalling.visit.commands import Command, Open
from signalling.visit.notifications import notices
from signalling.visit.queue_state import Watch
from signalling.visit.record import (
    Actor,
    ChatMessage,
    Notice,
    PatientInformation,
    Person,
    Policy,
    Staff,
    Visit,
)
from signalling.visit.relations import Context, Decided, Event, Refusal
from signalling.visit.rules import decide, next_deadline_ms
from signalling.visit.setup_guide import Guide

# the only refusal that depends on this worker's copy (mirror) of the staff, which may be old
OF_THE_MIRROR = "not_on_call"
# the most attempts to commit a command; an attempt fails if another command was committed first
ATTEMPTS = 100


class Organisation(Protocol):
    """The settings of one organisation, as far as the rules of a visit need them."""

    @property
    def policy(self) -> Policy: ...
    @property
    def guide(self) -> Guide: ...
    @property
    def area_names(self) -> Mapping[str, str]:
        """Return the waiting areas, id -> name; {} if the organisation has only one queue."""

    def guide_of(self, area: str, /) -> Guide:
        """Return the setup guide of a waiting area. `area`: its id, "" if the visit has none."""


class Organisations(Protocol):
    """Returns the settings of organisations, and the names of all organisations."""

    async def get(self, organisation: str, /) -> Organisation | None: ...
    async def read(self, organisation: str, /) -> Organisation | None:
        """Return an organisation's settings as the store has them now, never from a copy; None if there are none."""

    async def list(self) -> list[str]: ...


Consequences = Callable[[Organisation, Visit | None, Visit, Event], Iterable[Extra]]
"""Returns the jobs (mails, webhook calls) that an event causes. The commit of the event also adds them to
their queues.
"""
Closes = Callable[[Organisation, int, str], int | None]
"""Returns the time in ms at which an open area closes next, or at which a closed area has closed; None if the area
never closes.

Arguments: the organisation, the present time in ms, the id of the area ("" for none).
"""


class Accepted(Decided, frozen=True):
    """A command that was carried out. `version`: the version of the topics that show the change, 0 if nothing
    changed.
    """

    version: int


def new_id(prefix: str) -> str:
    """Return a new id that begins with `prefix` and cannot be guessed (96 random bits)."""
    return f"{prefix}_{secrets.token_urlsafe(12)}"


class Service:
    """Loads visits for one worker, and carries out commands on them."""

    def __init__(self, store: Store, bus: Bus, organisations: Organisations) -> None:
        self.store = store
        self.bus = bus
        self.organisations = organisations
        self.mirrors = Mirrors(store, self._subscribe)
        self.past = PastVisits(store, self.mirrors)
        self.photos = Photos(store)
        self.consequences: Consequences = lambda settings, before, after, event: ()
        self.closes: Closes = lambda settings, now_ms, area: None
        self.rooms_left: Callable[[], int | None] = lambda: None
        self._guides: dict[tuple[str, int], Guide] = {}
        self._turns: WeakValueDictionary[tuple[str, str], Turn] = WeakValueDictionary()
        bus.on_reconnected = self._bus_is_back

    def clock_ms(self) -> int:
        """Return the time of the store's clock, in ms since 1970."""
        return self.store.clock_ms()

    async def _subscribe(self, mirror: Mirror) -> None:
        await self.bus.subscribe(keys.EVENTS(mirror.organisation), mirror.receive)

    def _bus_is_back(self) -> None:
        for mirror in self.mirrors:
            mirror.repair()

    async def organisation(self, organisation: str) -> Organisation:
        """Return an organisation's settings. Raises LookupError if the organisation does not exist."""
        found = await self.organisations.get(organisation)
        if found is None:
            raise LookupError(organisation)
        return found

    async def guide(self, organisation: str, version: int) -> Guide:
        """Return the version `version` of an organisation's setup guide. Raises LookupError if it is not stored."""
        guide = self._guides.get((organisation, version)) or await self.store.guide(organisation, version)
        if guide is None:
            raise LookupError(f"guide {version}")
        self._guides[organisation, version] = guide
        return guide

    def known_guide(self, organisation: str, version: int) -> Guide | None:
        """Return the version `version` of an organisation's setup guide, None if this worker has not loaded it."""
        return self._guides.get((organisation, version))

    async def visit(self, organisation: str, visit_id: str) -> Visit | None:
        """Return a visit: an open visit from this worker's copy, an ended visit from the store; None if not found."""
        mirror = await self.mirrors.get(organisation)
        return mirror.visits.get(visit_id) or (await self.store.load(organisation, Visit, visit_id))[0]

    async def visit_now(self, organisation: str, visit_id: str) -> Visit | None:
        """Return a visit as the store has it now, or None. Called before a refusal, because the worker's copy may be
        old.
        """
        await (await self.mirrors.get(organisation)).catch_up()
        return await self.visit(organisation, visit_id)

    async def open(
        self,
        actor: Actor,
        information: PatientInformation,
        visit_id: str,
        booked_ms: int | None = None,
        area: str = "",
    ) -> Accepted | Refusal:
        """Open a visit, so that the patient enters the setup guide and the queue; return the result or a refusal.

        `booked_ms`: the booked time, None if not booked. `area`: the waiting area, "" for none.
        """
        settings = await self.organisation(actor.organisation)
        await self.store.keep_guide(actor.organisation, settings.guide_of(area))
        return await self.command(actor, visit_id, Open(visit_id, information, booked_ms, area))

    async def command(
        self, actor: Actor, visit_id: str, command: Command, origin: Origin | None = None
    ) -> Accepted | Refusal:
        """Carry out a command; return its result or a refusal. `origin`: the connection that asks, or None.

        Raises `SupersededError` if that connection has been resumed on another socket.
        """
        organisation = actor.organisation
        settings = await self.organisation(organisation)
        mirror = await self.mirrors.get(organisation)
        turn = self._turns.setdefault((organisation, visit_id), Turn())
        came_s = time.monotonic()
        mine = turn.take()
        try:
            while not mine:
                over = await turn.wait()
                seen = turn.seen if turn.seen_s > came_s else None
                guide = None if seen is None else self.known_guide(organisation, seen.guide_version)
                if guide is not None:
                    context = self._context(settings, guide, mirror, self.store.clock_ms())
                    decided = decide(seen, command, actor, context)
                    if isinstance(decided, Refusal) and decided.code != OF_THE_MIRROR:
                        # A refused command writes nothing, so it need not wait for earlier commands on the visit.
                        return counts.decided(command, decided)
                if not over:
                    break
                mine = turn.take()
            outcome = await self._carry_out(actor, visit_id, command, settings, mirror, turn, came_s, origin)
            return counts.decided(command, outcome)
        finally:
            if mine:
                turn.release()

    def _context(self, settings: Organisation, guide: Guide, mirror: Mirror, now_ms: int) -> Context:
        return Context(
            now_ms=now_ms,
            policy=settings.policy,
            guide=guide,
            staff=mirror.staff,
            in_session=mirror.visits.in_session,
            areas=settings.area_names,
            rooms_left=self.rooms_left(),
        )

    async def _carry_out(
        self,
        actor: Actor,
        visit_id: str,
        command: Command,
        settings: Organisation,
        mirror: Mirror,
        turn: Turn,
        came_s: float,
        origin: Origin | None,
    ) -> Accepted | Refusal:
        organisation, caught_up = actor.organisation, False
        # The first decision is made on this worker's copy of the visit, which saves a request to the store.
        # The decision is used only if it changes the visit, and the store has the same record as the copy.
        guess = None if turn.seen_s > came_s else mirror.guess(visit_id)
        for _ in range(ATTEMPTS):
            now_s, mark = time.monotonic(), b""
            visit: Visit | None
            if guess is not None:
                visit, mark = guess
                now_ms, guess = self.store.clock_ms(), None
            elif turn.seen_s > came_s:
                visit, now_ms = turn.seen, self.store.clock_ms()
            else:
                visit, now_ms = await self.store.load(organisation, Visit, visit_id)
                turn.saw(visit, now_s)
            if visit is None:
                guide = settings.guide_of(command.area if isinstance(command, Open) else "")
            else:
                guide = await self.guide(organisation, visit.guide_version)
            context = self._context(settings, guide, mirror, now_ms)
            if visit is None:
                # A new visit gets the number of the newest event, so that the order of visits does not depend on a
                # clock.
                context = replace(context, number=(await self.store.stream.head(organisation)).seq)
            decided = decide(visit, command, actor, context)
            if mark and (isinstance(decided, Refusal) or decided.event is None):
                continue
            if isinstance(decided, Refusal):
                if decided.code != OF_THE_MIRROR or caught_up:
                    return decided
                # This worker's copy may not show yet that the provider is On-Call. So the copy is brought up to date,
                # and the decision is made again.
                await mirror.catch_up()
                caught_up = True
                continue
            if decided.event is None:
                return Accepted(decided.visit, None, 0)
            after, now_s = decided.visit, time.monotonic()
            committed = await self.store.commit(
                organisation,
                after,
                decided.event,
                index_score=after.arrived_ms if after.is_open else None,
                deadline_ms=next_deadline_ms(after, settings.policy),
                notices=notices(visit, after, decided.event, mirror.staff, new_id("n")),
                extras=self.consequences(settings, visit, after, decided.event),
                origin=origin,
                mark=mark,
            )
            turn.forget()
            if committed is not None:
                turn.saw(after, now_s)
                mirror.committed(committed)
                counts.committed(visit, after, decided.event)
                return Accepted(after, decided.event, version_of(committed.seq))
        raise UnavailableError("overtaken too often")

    async def write(
        self, organisation: str, message: ChatMessage, by: Person | None, origin: Origin | None = None
    ) -> int | None:
        """Store a chat message; return the version of the topic `chat` that contains it.

        Return None if a message with the same id is stored already. `by`: the person who has sent the message. Raises
        `SupersededError` if the connection `origin` was resumed on another socket.
        """
        mirror = await self.mirrors.get(organisation)
        committed = await self.store.commit(
            organisation,
            message,
            Event("wrote", message.at_ms, by),
            index_score=newest(message.at_ms),
            origin=origin,
        )
        if committed is None:
            return None
        mirror.committed(committed)
        return version_of(committed.seq)

    async def set_on_call(
        self, actor: Actor, on: bool, *, notice: bool = False, origin: Origin | None = None
    ) -> int:
        """Turn a person's On-Call on or off. Return the version of the topics that show the change, 0 if nothing
        changed.

        `notice`: True sends the person a notification, because the server made the change.
        """
        organisation = actor.organisation
        mirror = await self.mirrors.get(organisation)
        for _ in range(ATTEMPTS):
            held, now_ms = await self.store.load(organisation, Staff, actor.id)
            before = held or Staff(id=actor.id, name=actor.name, role=actor.role)
            if held is not None and held.on_call == on:
                return 0
            after = replace(
                before, version=before.version + 1, on_call=on, on_call_since_ms=now_ms if on else None
            )
            event = Event("on_call" if on else "off_call", now_ms, actor.person)
            notices = [(actor.id, Notice(id=new_id("n"), kind="off_call", at_ms=now_ms))] if notice else []
            committed = await self.store.commit(
                organisation, after, event, index_score=0, notices=notices, origin=origin
            )
            if committed is not None:
                mirror.committed(committed)
                return version_of(committed.seq)
        raise UnavailableError("overtaken too often")

    async def watch_queue(self, mirror: Mirror) -> None:
        """Commit an event if the state of the whole queue has changed: its rules, closing times or alerts.

        Every worker calls this periodically.
        """
        organisation = mirror.organisation
        known = await self.organisation(organisation)
        if self._watched(mirror.watch, mirror, known, self.clock_ms()) == mirror.watch:
            return
        # The change is decided again with the newest settings: an old copy of them must not undo another worker's
        # change.
        settings = await self.organisations.read(organisation)
        held, now_ms = await self.store.load(organisation, Watch, mirror.watch.id)
        before = held or Watch()
        if settings is None or before.version != mirror.watch.version:
            # this worker's copy (mirror) is older than the store; the next periodic call tries again
            return
        after = self._watched(before, mirror, settings, now_ms)
        if after == before:
            return
        after = replace(after, version=before.version + 1)
        event = Event("queue_watched", now_ms)
        told = queue_watch.notices(before, after, mirror.visits, mirror.staff, now_ms, new_id("n"))
        committed = await self.store.commit(organisation, after, event, index_score=0, notices=told)
        if committed is not None:
            mirror.committed(committed)

    def _watched(self, watch: Watch, mirror: Mirror, settings: Organisation, now_ms: int) -> Watch:
        closes = partial(self.closes, settings, now_ms)
        return queue_watch.watched(watch, mirror.visits, settings.policy, now_ms, settings.area_names, closes)
