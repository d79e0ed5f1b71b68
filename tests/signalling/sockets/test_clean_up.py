"""Tests what happens after a client's socket is lost or resumed, without a store or a network."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from signalling.errors import SupersededError, UnavailableError
from signalling.sockets import clean_up, handshake
from signalling.visit.commands import Enter
from tests.signalling import visits
from tests.signalling.rooms.apart import Noted
from tests.signalling.sockets.apart import HELLO, ORIGIN, STAFF, FakeWorker, FakeWs
from tests.signalling.sockets.test_handshake_apart import serve


def lost(worker: FakeWorker, *, bye: bool = False, silent: bool = False) -> Any:
    """Return a connection whose socket has closed, after `bye` or a long silence, with two open pages."""
    noted: list[str] = []

    async def left(visit: str) -> None:
        noted.append(visit)
        if worker.problems:
            raise worker.problems.pop(0)

    return SimpleNamespace(
        id="c_lost",
        actor=STAFF,
        origin=ORIGIN,
        entered=frozenset({"v_1", "v_2"}),
        received_bye=bye,
        socket=SimpleNamespace(silent=silent),
        left=left,
        noted=noted,
    )


def test_the_times_in_which_a_client_may_come_back_are_these() -> None:
    assert (clean_up.LINGER_S, clean_up.OUTAGE_S, handshake.CLOSING_S, handshake.RETRY_S) == (3, 60, 3, 5)
    assert handshake.MOST_BEFORE_HELLO == 20


@pytest.mark.parametrize(
    ("how", "draining", "away", "asked", "waits", "left"),
    [
        ({"bye": True}, False, False, [("ended", ORIGIN, "c_lost", STAFF)], [], True),
        ({"silent": True}, False, False, [("lost",)], [], True),
        ({}, True, False, [("lost",)], [], False),
        ({}, False, False, [("lost",)], [("lingered", 3.0)], True),
        ({}, False, True, [], [("lingered", 3.0), ("until_store_is_back", 60.0)], True),
        ({"silent": True}, False, True, [], [], True),
    ],
    ids=["bye", "silent", "draining", "lost", "without the store", "silent without the store"],
)
async def test_a_person_leaves_the_pages_when_the_client_can_no_longer_come_back(
    how: dict[str, bool], draining: bool, away: bool, asked: list[Any], waits: list[Any], left: bool
) -> None:
    worker: Any = FakeWorker(FakeWs())
    worker.memberships.draining, worker.tokens.away = draining, away
    connection = lost(worker, **how)
    await clean_up._gone(worker, connection)
    assert (worker.tokens.calls, worker.noted) == (asked, waits)
    assert sorted(connection.noted) == (["v_1", "v_2"] if left else [])
    assert worker.lingering == set()


async def test_a_lost_connection_lingers_until_its_time_is_over() -> None:
    worker: Any = FakeWorker(FakeWs())
    seen: list[set[str]] = []

    async def lingered(seconds: float) -> None:
        seen.append(set(worker.lingering))

    worker.lingered = lingered
    await clean_up.left_behind(worker, connection := lost(worker))
    assert (seen, worker.lingering) == ([{"c_lost"}], set())
    assert sorted(connection.noted) == ["v_1", "v_2"]


async def test_a_client_that_came_back_to_this_worker_leaves_no_page() -> None:
    worker: Any = FakeWorker(FakeWs())
    connection = worker.connections["c_lost"] = lost(worker)
    await clean_up._leave_all(worker, connection)
    assert connection.noted == []


async def test_a_client_that_comes_back_while_its_pages_are_left_keeps_the_others() -> None:
    worker: Any = FakeWorker(FakeWs())
    connection = lost(worker)
    left = connection.left

    async def left_and_back(visit: str) -> None:
        await left(visit)
        worker.connections["c_lost"] = connection

    connection.left = left_and_back
    await clean_up._leave_all(worker, connection)
    assert len(connection.noted) == 1


async def test_a_page_that_cannot_be_left_without_the_store_does_not_keep_the_others() -> None:
    worker: Any = FakeWorker(FakeWs())
    worker.problems = [UnavailableError("store")]
    await clean_up._leave_all(worker, connection := lost(worker))
    assert sorted(connection.noted) == ["v_1", "v_2"]


# --- a connection that was resumed: its pages and calls are restored


def resumed(worker: FakeWorker) -> Any:
    """Return a connection that was resumed on this worker, with one open page."""
    connection = SimpleNamespace(
        id="c_held",
        actor=STAFF,
        origin=ORIGIN,
        entered=frozenset({visits.VISIT}),
        member=lambda visit, party: (visit, party),
    )
    worker.connections["c_held"] = connection
    return connection


ENTERED = ("command", visits.VISIT, Enter("c_held", "w-own"))


@pytest.mark.parametrize(
    ("visit", "restored"),
    [
        (None, []),
        (visits.queued(), []),
        (visits.claimed(), [ENTERED, ("rejoin", (visits.VISIT, "provider"), ORIGIN)]),
        (visits.live(), [ENTERED, ("rejoin", (visits.VISIT, "provider"), ORIGIN)]),
        (visits.ended(), [ENTERED]),
    ],
    ids=["no visit", "no longer the provider", "claimed", "live", "ended"],
)
async def test_a_resumed_connection_returns_to_its_pages_and_calls(visit: Any, restored: list[Any]) -> None:
    worker: Any = FakeWorker(FakeWs())
    worker.visit = visit
    await handshake._restore(worker, resumed(worker))
    assert worker.noted == [("superseded", "c_held"), *restored]


@pytest.mark.parametrize(
    ("problems", "tries", "paused_s"),
    [
        ([], 1, []),
        ([SupersededError()], 1, []),
        ([UnavailableError("store")], 2, [0.1]),
        ([UnavailableError("store")] * 9, 5, [0.1, 0.3, 1.0, 2.0, 4.0]),
    ],
)
async def test_a_connection_is_restored_in_several_tries(
    problems: list[Exception], tries: int, paused_s: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker: Any = FakeWorker(FakeWs())
    worker.visit, worker.problems = visits.claimed(), problems
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(handshake, "asyncio", SimpleNamespace(sleep=sleep))
    await handshake._restore(worker, resumed(worker))
    assert (worker.noted.count(ENTERED), slept) == (tries, paused_s)


@pytest.mark.parametrize(
    ("when", "restored"),
    [
        ("load", []),
        (
            "rejoin",
            [ENTERED, ("rejoin", (visits.VISIT, "provider"), ORIGIN), ("leave", "c_held", visits.VISIT)],
        ),
    ],
)
async def test_a_page_that_its_person_leaves_meanwhile_is_not_restored(
    when: str, restored: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker: Any = FakeWorker(FakeWs())
    worker.visit = visits.live()
    connection = resumed(worker)
    where = worker.service.store if when == "load" else worker.memberships
    done = getattr(where, when)

    async def left(*args: Any) -> Any:
        connection.entered = frozenset()
        return await done(*args)

    monkeypatch.setattr(where, when, left)
    await handshake._restore(worker, connection)
    assert worker.noted[1:] == restored


@pytest.mark.parametrize("when", ["at first", "between two tries"])
async def test_a_connection_that_another_has_replaced_is_not_restored(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker: Any = FakeWorker(FakeWs())
    worker.visit, worker.problems = visits.claimed(), [UnavailableError("store")]
    connection = resumed(worker)

    async def replaced(_: float) -> None:
        worker.connections["c_held"] = None

    if when == "at first":
        await replaced(0.0)
    monkeypatch.setattr(handshake, "asyncio", SimpleNamespace(sleep=replaced))
    await handshake._restore(worker, connection)
    assert worker.noted.count(ENTERED) == (when != "at first")


# --- the end of a socket that was welcomed


class Served(Noted):
    """A connection that was welcomed. `replaced`: True if another connection takes its place while it handles
    requests.
    """

    def __init__(self, worker: FakeWorker, closing: Any = None) -> None:
        super().__init__()
        self.id, self.actor, self.socket, self.closing = "c_1", STAFF, "socket", closing
        self.origin, self.received_bye, self.entered = ORIGIN, True, frozenset[str]()
        self.worker = worker
        self.replaced = False

        self.handled = self.wake = None
        self.ended: Any = None
        self.detached: Any = None

    def continue_on(self, detached: Any, ended: Any) -> None:
        self.detached, self.ended = detached, ended

    async def requests(self) -> None:
        if self.replaced:
            self.worker.connections["c_1"] = None


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_socket_that_ends_is_uncounted_and_cleaned_up_unless_the_client_has_a_new_one(
    replaced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = FakeWs(HELLO)
    worker = FakeWorker(ws)
    closing = asyncio.get_running_loop().create_future()
    closing.set_result(None)
    connection = Served(worker, closing)
    connection.replaced = replaced

    async def welcomed(*_: Any) -> Any:
        worker.connections["c_1"] = connection
        return connection

    monkeypatch.setattr(handshake, "_welcome", welcomed)
    assert await serve(ws, worker) is ws
    assert worker.hub.named("remove") == [("socket",)]
    assert worker.socket_counts.by_person == {}
    assert ("c_1" in worker.connections, len(worker.tasks)) == (replaced, not replaced)


async def test_a_socket_that_leaves_aiohttp_is_cleaned_up_when_it_ends_and_not_when_its_request_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ws = FakeWs(HELLO)
    worker = FakeWorker(ws)
    connection = Served(worker, None)
    detached = object()

    async def welcomed(*_: Any) -> Any:
        worker.connections["c_1"] = connection
        return connection

    monkeypatch.setattr(handshake, "_welcome", welcomed)
    monkeypatch.setattr(FakeWs, "detach", lambda *_: detached, raising=False)
    assert await serve(ws, worker) is ws
    assert connection.detached is detached
    assert (worker.hub.named("remove"), len(worker.socket_counts.by_person)) == ([], 1)
    connection.ended()
    assert (worker.hub.named("remove"), worker.socket_counts.by_person) == ([("socket",)], {})
    assert worker.connections == {}


async def test_the_close_of_a_socket_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    ws = FakeWs(HELLO)
    worker = FakeWorker(ws)
    never = asyncio.get_running_loop().create_future()
    connection = Served(worker, never)

    async def welcomed(*_: Any) -> Any:
        return connection

    monkeypatch.setattr(handshake, "_welcome", welcomed)
    monkeypatch.setattr(handshake, "CLOSING_S", 0.01)
    assert await serve(ws, worker) is ws
    assert not never.done()
