"""Provides what the topics of one worker need, without a store or sockets, and records which messages are sent."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from signalling.protocol.codec import CODECS
from signalling.store.mirror import Mirror
from signalling.visit.open_visits import OpenVisits
from signalling.visit.queue_state import Watch
from signalling.visit.record import Actor, Policy, Staff, Visit
from tests.signalling import visits
from tests.signalling.rooms.apart import Noted

ORG = visits.ORG


class Tab(Noted):
    """Replaces the socket of one tab of a person. `sent`: the messages that were sent on it."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self.actor, self.topics, self.codec = actor, frozenset[str](), CODECS["greenroom.v1.json"]
        self.sent: list[Any] = []
        self.written: list[bytes] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def write(self, data: bytes) -> None:
        self.written.append(data)


class FakeHub:
    """Replaces the hub. `topics`: name of a topic -> the sockets that are subscribed to it.

    `calls`: the name and arguments of each call about a topic.
    """

    def __init__(self) -> None:
        self.topics: dict[str, list[Tab]] = {}
        self.calls: list[tuple[Any, ...]] = []
        # The result of `since`: updates, or None if a snapshot is needed.
        self.missing: list[Any] | None = None
        self.counts: list[int] = []  # the results of the next calls of `sent`; all later calls return 0

    def has(self, name: str) -> bool:
        return name in self.topics

    def names(self, organisation: str) -> list[str]:
        return [name for name in self.topics if name.startswith(f"{organisation}/")]

    def sent(self, name: str) -> int:
        return self.counts.pop(0) if self.counts else 0

    def subscribers(self, name: str) -> Iterable[Tab]:
        return tuple(self.topics.get(name, ()))

    def subscribe(self, socket: Tab, name: str, version: int) -> None:
        self.topics.setdefault(name, []).append(socket)
        socket.topics |= {name}

    def unsubscribe(self, socket: Tab, name: str) -> None:
        socket.topics -= {name}
        self.topics[name].remove(socket)
        if not self.topics[name]:
            del self.topics[name]

    def of_person(self, organisation: str, person: str) -> list[Tab]:
        return list(
            dict.fromkeys(tab for tabs in self.topics.values() for tab in tabs if tab.actor.id == person)
        )

    def since(self, name: str, version: int) -> list[Any] | None:
        self.calls.append(("since", name, version))
        return self.missing

    def send(self, name: str, message: Any) -> None:
        self.calls.append(("send", name, message))

    def publish(self, name: str, version: int, message: Any) -> None:
        self.calls.append(("publish", name, version, message))

    def forget(self, name: str, version: int) -> None:
        self.calls.append(("forget", name, version))


class TopicsApart:
    """What topics need: a hub, a service, and a mirror (the worker's copy) of these visits.

    `policy`: limits of the organisation.
    """

    def __init__(self, *open_: Visit, staff: Iterable[Staff] = (), **policy: Any) -> None:
        self.hub = FakeHub()
        self.debouncer = Noted()
        self.policy = Policy(**policy)
        self.mirror: Any = SimpleNamespace(
            organisation=ORG,
            epoch="epoch",
            version=40,
            visits=OpenVisits(open_),
            staff={one.id: one for one in staff},
            claims=(),
            watch=Watch(),
        )
        self.known = True
        self.stored: dict[str, Visit] = {}
        self.now: dict[str, Visit] = {}
        self.service: Any = SimpleNamespace(
            mirrors=SimpleNamespace(observers=[], known=self._known, get=self._get),
            organisation=self._organisation,
            clock_ms=lambda: visits.T0,
            visit=self._visit,
            visit_now=self._visit_now,
            guide=self._guide,
            known_guide=lambda organisation, version: visits.GUIDE,
            past=None,
            store=None,
        )

    def _known(self, organisation: str) -> Mirror | None:
        return self.mirror if self.known else None

    async def _get(self, organisation: str) -> Any:
        return self.mirror

    async def _organisation(self, organisation: str) -> Any:
        return SimpleNamespace(policy=self.policy)

    async def _visit(self, organisation: str, visit: str) -> Visit | None:
        return self.mirror.visits.get(visit) or self.stored.get(visit)

    async def _visit_now(self, organisation: str, visit: str) -> Visit | None:
        return self.now.get(visit) or await self._visit(organisation, visit)

    async def _guide(self, organisation: str, version: int) -> Any:
        return visits.GUIDE

    def published(self) -> list[tuple[str, Any]]:
        """Return (topic's name without the organisation, message) of each message published since the last
        call.
        """
        found = [(call[1].partition("/")[2], call[3]) for call in self.hub.calls if call[0] == "publish"]
        assert all(call[2] == call[3].version for call in self.hub.calls if call[0] == "publish")
        self.hub.calls.clear()
        return found
