"""Makes the sweep (periodic work) of one worker for tests, and records what it changes.

Its clock, mirrors and store are in memory.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from signalling import sweep as module
from signalling.store import keys
from signalling.store.event_stream import Pulse, StreamHead
from signalling.sweep import Sweep
from signalling.visit.open_visits import OpenVisits
from signalling.visit.record import Policy, Staff, Visit
from tests.signalling.visits import ORG, OTHER, T0

# The worker of the patient's connection, and the worker of the provider's, in `visits.claimed()`.
OWN, DEAD = "w1", "w2"


class Mirror:
    """The copy of one organisation's records."""

    def __init__(self, organisation: str, *open_: Visit, staff: tuple[Staff, ...] = ()) -> None:
        self.organisation = organisation
        self.visits = OpenVisits(open_)
        self.staff = {one.id: one for one in staff}
        self.compared: list[StreamHead] = []
        self.repairs = 0

    def compare(self, head: StreamHead) -> None:
        self.compared.append(head)

    def repair(self) -> None:
        self.repairs += 1


class Apart:
    """The sweep of OWN, which is the worker under test, with these mirrors.

    `now_s`: the time of the clock. `does`: what the sweep has changed.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *mirrors: Mirror) -> None:
        self.now_s, self.mine, self.listed = 1000.0, {ORG}, [mirror.organisation for mirror in mirrors]
        self.mirrors = list(mirrors)
        self.does: list[tuple[Any, ...]] = []
        self.answers: list[Any] = []
        self.identity = {ORG: "here", OTHER: "here"}
        self.heads: dict[str, StreamHead] = {}
        self.due: list[tuple[str, int]] = []
        self.dead: frozenset[str] = frozenset()
        self.tabs: list[Any] = []
        self.holds = {"c_ana"}
        self.opened = 1
        self.scores: list[float | None] = []
        self.off_call_ms = 60_000
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda low, high: (low + high) / 2))
        redis = SimpleNamespace(zadd=self._zadd, zmscore=self._zmscore, opened=1)
        self.redis = redis
        stream = SimpleNamespace(
            pulses=self._pulses,
            identities=self._identities,
            begin_epoch=self._noted("epoch"),
            adopt=self._noted("adopt"),
        )
        store = SimpleNamespace(
            redis=redis, stream=stream, clock_ms=lambda: T0, move_deadline=self._noted("move")
        )
        service: Any = SimpleNamespace(
            store=store,
            organisations=SimpleNamespace(list=self._list),
            mirrors=self,
            organisation=self._organisation,
            command=self._command,
            clock_ms=lambda: T0,
            watch_queue=self._noted("watch"),
            set_on_call=self._set_on_call,
        )
        here: Any = SimpleNamespace(id=OWN, present=lambda: self.tabs, holds=self.holds.__contains__)
        shares: Any = SimpleNamespace(has=self.mine.__contains__)
        liveness: Any = self
        self.sweep = Sweep(service, liveness, here, shares)

    def __iter__(self) -> Any:
        return iter(self.mirrors)

    async def get(self, organisation: str) -> Mirror:
        return next(mirror for mirror in self.mirrors if mirror.organisation == organisation)

    def _noted(self, name: str) -> Any:
        async def noted(*args: Any) -> None:
            self.does.append((name, *args))

        return noted

    async def _list(self) -> list[str]:
        return self.listed

    async def _organisation(self, organisation: str) -> Any:
        return SimpleNamespace(policy=Policy(off_call_ms=self.off_call_ms))

    async def _command(self, actor: Any, visit: str, command: Any) -> Any:
        self.does.append((actor.id, visit, command))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _set_on_call(self, actor: Any, *, on: bool, notice: bool) -> None:
        self.does.append(("on call", actor, on, notice))

    async def _pulses(self, organisations: list[str], now_ms: int) -> list[Pulse]:
        assert now_ms == T0
        self.does.append(("pulses", *organisations))
        return [Pulse(self.heads.get(one, StreamHead("", 0)), self.due) for one in organisations]

    async def _identities(self, organisations: list[str]) -> list[str]:
        return [self.identity[one] for one in organisations]

    async def _zadd(self, key: str, members: dict[str, int]) -> None:
        self.does.append(("here", key, members))

    async def _zmscore(self, key: str, members: list[str]) -> list[float | None]:
        assert key == keys.HERE(ORG)
        self.does.append(("seen", members))
        return self.scores


def tab(actor: Any, connection: str = "c_tab", *entered: str) -> Any:
    """Return a connection of this worker. `entered`: the visits whose page it has open."""
    return SimpleNamespace(id=connection, actor=actor, entered=frozenset(entered))
