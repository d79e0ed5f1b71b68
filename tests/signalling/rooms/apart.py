"""Makes rooms and memberships of one worker for tests, without a store, a relay or sockets, and records their calls."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

from signalling.errors import UnavailableError
from signalling.protocol import server_messages as server
from signalling.rooms.lease import Lease
from signalling.rooms.memberships import Memberships
from signalling.rooms.rooms import Rooms
from signalling.rooms.worker_messages import Join, Member
from signalling.store import keys
from signalling.visit.record import Visit
from tests.signalling import visits

OWN, OTHER, THIRD = "w-own", "w-other", "w-third"
VISIT = visits.VISIT


def member(party: str = "patient", worker: str = OWN, connection: str | None = None, **more: Any) -> Member:
    """Return a member: a party of the visit in `tests/signalling/visits.py`, whose socket is on `worker`."""
    person = {"patient": f"patient:{VISIT}", "provider": "osei"}.get(party, party)
    return Member(
        visits.ORG,
        VISIT,
        party,
        person,
        connection or f"c_{party}",
        worker,
        **{"codec": "greenroom.v1.json", **more},
    )


class Noted:
    """An object that records each call of any method: (name, its arguments), in `calls`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **_: self.calls.append((name, *args))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        """Return the arguments of each call of the method with this name."""
        return [call[1:] for call in self.calls if call[0] == name]


class Media(Noted):
    """Replaces the media of one party. `fails`: the name of a method -> the exception that it raises."""

    def __init__(self, **fails: Exception) -> None:
        super().__init__()
        self.fails = fails

    def _made(self, name: str, *args: Any) -> str:
        self.calls.append((name, *args))
        if name in self.fails:
            raise self.fails[name]
        return f"sdp of {name}"

    def offer(self) -> str:
        return self._made("offer")

    def restart_ice(self) -> str:
        return self._made("restart_ice")

    def accept(self, answer: str) -> None:
        self._made("accept", answer)


class MediaRoom(Noted):
    """Replaces the media of one room. `parties`: key of a party that has joined -> its media."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = False
        self.parties: dict[str, Media] = {}
        self.full: Exception | None = None

    def set_gate(self, open: bool) -> None:
        self.gate = open

    def join(self, party: str, listener: Any, **how: Any) -> Media:
        if self.full is not None:
            raise self.full
        self.calls.append(("join", party, how["opposite"], how["admitted"]))
        self.parties[party] = Media()
        self.listener = listener
        return self.parties[party]


class FakeLeases:
    """Replaces the leases in the store. `held`: the visit's lease or None. `taken`: the lease that `take` returns."""

    def __init__(self) -> None:
        self.held: Lease | None = Lease(OWN, 7)
        self.taken = Lease(OWN, 8)
        self.muted_in_store: dict[tuple[str, str], frozenset[Any]] = {}
        self.given_back: list[tuple[str, str, int]] = []
        self.known: list[int] = []
        self.away = False

    async def holder(self, organisation: str, visit: str) -> Lease | None:
        return self.held

    async def holders(self, rooms: Any) -> list[Lease | None]:
        if self.away:
            raise UnavailableError("store")
        return [self.held for _ in rooms]

    async def take(self, *_visit: Any, known: int = 0, **_how: Any) -> Lease:
        self.known.append(known)
        return self.taken

    async def muted(self, organisation: str, visit: str) -> dict[tuple[str, str], frozenset[Any]]:
        return dict(self.muted_in_store)

    async def give_back(self, organisation: str, visit: str, fence: int) -> None:
        if self.away:
            raise UnavailableError("store")
        self.given_back.append((organisation, visit, fence))


class RoomsApart:
    """The rooms of OWN, which is the worker under test. `visit`: the worker's copy of the visit.

    `now`: the visit in the store. At first it is the same as `visit`.
    """

    def __init__(self, visit: Visit | None) -> None:
        self.visit = self.now = visit
        self.reads = 0
        self.leases = FakeLeases()
        self.parties, self.mutes, self.calls = Noted(), Noted(), Noted()
        self.media: list[MediaRoom] = []
        self.tasks: list[Coroutine[Any, Any, None]] = []
        self.changes = 0
        self.mirror: Any = None
        service: Any = SimpleNamespace(
            mirrors=SimpleNamespace(observers=[], known=lambda _: self.mirror),
            store=None,
            visit=self._visit,
            visit_now=self._visit_now,
        )
        relay: Any = SimpleNamespace(room=self._room, ice_servers=lambda: [])
        leases: Any = self.leases
        parties: Any = self.parties
        self.rooms = Rooms(service, relay, leases, OWN, self.tasks.append, parties, self._changed)
        self.rooms.calls, self.rooms._mutes = self.calls, self.mutes  # type: ignore[assignment]

    async def _visit(self, organisation: str, visit: str) -> Visit | None:
        return self.visit

    async def _visit_now(self, organisation: str, visit: str) -> Visit | None:
        self.reads += 1
        return self.now

    def _room(self, name: str) -> MediaRoom:
        self.media.append(MediaRoom())
        return self.media[-1]

    def _changed(self) -> None:
        self.changes += 1

    async def run(self) -> None:
        """Run the tasks that the rooms have started, to their end."""
        while self.tasks:
            await self.tasks.pop(0)

    async def join(self, *joining: Member, fence: int = 7, request: int | None = 1) -> None:
        """Let these parties join the room, then forget the messages that they were sent.

        `fence`: the number of the room's lease. `request`: the number of each party's request.
        """
        for one in joining:
            await self.rooms.join(Join(one, fence, request))
        self.parties.calls.clear()

    def sent(self) -> list[tuple[str, server.Message]]:
        """Return (party, message) of all messages to parties since the last call."""
        found = [(to.party, message) for to, _, message in self.parties.named("send")]
        self.parties.calls = [call for call in self.parties.calls if call[0] != "send"]
        return found

    def codes(self) -> list[str]:
        """Return the code of each error, and the type of each other message, since the last call."""
        return [getattr(message, "code", type(message).__name__) for _, message in self.sent()]


class FakeSocket(Noted):
    """Replaces the socket of a client. `codec`: the codec of its messages."""

    def __init__(self, codec: Any) -> None:
        super().__init__()
        self.codec = codec


class MembershipsApart:
    """The memberships of OWN, which is the worker under test.

    `published`: (worker, message) of each message to another worker.
    """

    def __init__(self) -> None:
        self.sockets: dict[str, Any] = {}
        self.published: list[tuple[str, bytes]] = []
        self.failures: list[Any] = []  # functions to call if a message to another worker cannot be sent
        self.cut_off = self.away = False
        self.dead: set[str] = set()
        self.leases = FakeLeases()
        self.own = Noted()
        self.joined: list[Join] = []
        self.tasks: list[Coroutine[Any, Any, None]] = []
        self.mirror: Any = None
        self.near: list[str] = []
        bus = SimpleNamespace(publish=self._publish, publish_nowait=self._publish_nowait)
        service: Any = SimpleNamespace(
            bus=bus, mirrors=SimpleNamespace(observers=[], known=lambda _: self.mirror)
        )
        self.service = service
        hub: Any = SimpleNamespace(sockets=self.sockets)
        liveness: Any = SimpleNamespace(is_dead=self._is_dead)
        leases: Any = self.leases
        registry: Any = SimpleNamespace(choose=self._choose)
        self.memberships = Memberships(service, hub, liveness, leases, registry, OWN, self.tasks.append)
        self.memberships.rooms = SimpleNamespace(
            join=self._join, receive=lambda message: self.own.receive(message)
        )

    async def _publish(self, channel: str, data: bytes) -> bool:
        if self.away:
            raise UnavailableError("store")
        self.published.append((channel.removeprefix(keys.worker_channel("")), data))
        return not self.cut_off

    def _publish_nowait(self, channel: str, data: bytes, failed: Any = None) -> None:
        if self.away:
            raise UnavailableError("store")
        self.published.append((channel.removeprefix(keys.worker_channel("")), data))
        self.failures.append(failed)

    async def _is_dead(self, worker: str) -> bool:
        await asyncio.sleep(0)
        return worker in self.dead

    async def _choose(self, near: list[str]) -> str:
        self.near = near
        return near[0]

    async def _join(self, join: Join) -> None:
        self.joined.append(join)

    async def run(self) -> None:
        """Run the tasks that the memberships have started, to their end."""
        while self.tasks:
            await self.tasks.pop(0)
