"""Tests how a worker handles its tasks, its connections and other workers' messages, without a store."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from signalling import worker as module
from signalling.errors import UnavailableError
from signalling.rooms import worker_messages as wire
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.worker import DRAIN_JITTER_S, MOVED_S, Limits, Worker
from tests.limits import WAIT_S
from tests.signalling.clinic import Organisations
from tests.signalling.rooms.apart import Noted, member
from tests.signalling.sockets.apart import ORIGIN


class Redis:
    """A client that registers scripts and does nothing else."""

    def register_script(self, script: str) -> Any:
        return None


class Connected(Noted):
    """A connection with this id. `closed`: the codes with which its socket was closed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.id, self.origin, self.closed = name, ORIGIN, list[int]()
        self.socket = SimpleNamespace(close=self.closed.append)


class WorkerApart(Worker):
    """A worker whose parts only record the calls that they get. `limits`: the limits of the worker's clients."""

    def __init__(self, **limits: Any) -> None:
        redis: Any = Redis()
        relay: Any = Noted()
        super().__init__(
            redis, Seal({b"1": b"k" * 32}), b"k" * 32, Organisations(), relay, Limits(**limits), 3
        )
        self.done: list[Any] = []
        self.holder: Any = "another"

        async def holder(origin: Any) -> Any:
            if isinstance(self.holder, Exception):
                raise self.holder
            return self.holder

        self.tokens = SimpleNamespace(holder=holder)  # type: ignore[assignment]

    def does(self, name: str, problem: Exception | None = None) -> Any:
        """Return a coroutine function that notes its call under this name, or raises `problem`."""

        async def noted(*args: Any) -> Any:
            self.done.append((name, *args))
            if problem is not None:
                raise problem

        return noted


def test_the_limits_of_a_client_and_the_times_of_a_drain_are_these() -> None:
    limits = Limits()
    assert (limits.message_bytes, limits.unsent_bytes, limits.hello_s) == (65_536, 1 << 20, 5.0)
    assert (limits.sockets_before_hello, limits.sockets_per_address, limits.sockets_per_person) == (0, 0, 0)
    assert (limits.rooms_max, DRAIN_JITTER_S, MOVED_S) == (0, 2.0, 3.0)


async def test_a_worker_has_a_new_name_with_its_number_and_its_parts_report_to_it() -> None:
    one, other = WorkerApart(), WorkerApart()
    assert one.id.startswith("w3-")
    assert (len(one.id), one.id == other.id) == (11, False)
    assert one.service.mirrors.failed == one.supervisor.failed
    assert one.service.rooms_left == one._registry.left
    assert one.rooms is one.memberships.rooms
    assert (one.draining, one.changed.is_set(), one.connections, one.hellos) == (False, False, {}, set())
    assert one.services.worker == one.id


# --- the tasks of a worker


async def test_a_task_that_fails_is_logged_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerApart()
    logged: list[str] = []
    monkeypatch.setattr(module, "log", SimpleNamespace(error=lambda event, **_: logged.append(event)))
    tasks = list[asyncio.Task[None]]()
    for problem in (None, ValueError()):
        tasks.append(worker.spawn(worker.does("work", problem)()))
    waiting = worker.spawn(asyncio.Event().wait())  # type: ignore[arg-type]
    waiting.cancel()
    assert len(worker._tasks) == 3
    await asyncio.gather(*tasks, waiting, return_exceptions=True)
    await asyncio.sleep(0)
    assert (worker._tasks, logged) == (set(), ["worker.task_failed"])


@pytest.mark.parametrize(("rooms_max", "registry"), [(0, False), (5, True)])
async def test_a_start_subscribes_the_worker_and_keeps_its_tasks(
    rooms_max: int, registry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerApart(rooms_max=rooms_max)
    subscribed: list[Any] = []

    async def subscribe(channel: str, handler: Any) -> None:
        subscribed.append((channel, handler))
        raise UnavailableError("store")

    monkeypatch.setattr(worker.bus, "subscribe", subscribe)
    kept: dict[str, Any] = {}
    monkeypatch.setattr(worker.supervisor, "keep", kept.__setitem__)
    await worker.start()
    assert subscribed == [
        (keys.worker_channel(worker.id), worker._receive),
        (keys.DEATHS_CHANNEL, worker.liveness.announced),
    ]
    always = ["bus", "liveness", "rooms", "shares", "sweep", "heartbeat", "audit_log"]
    assert list(kept) == [*always, *(["registry"] if registry else [])]
    assert kept["rooms"] == worker.rooms.run
    assert kept["liveness"].args == (worker.memberships.move_from, worker.rooms.doubt)


# --- messages of other workers


async def test_each_message_of_another_worker_goes_to_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerApart()
    memberships = worker.memberships = Noted()  # type: ignore[assignment]
    rooms = worker.rooms = Noted()  # type: ignore[assignment]
    deliver = wire.Deliver("c_1", 7, "greenroom.v1.json", b"{}", None, False)
    left = wire.Left(member(), 7)
    for message in (deliver, wire.Lost("v_1", 9), wire.Supersede("c_1"), left):
        worker._receive(wire.encode(message))
    await asyncio.gather(*worker._tasks)
    assert memberships.calls == [("delivered", deliver), ("superseded", "c_1")]
    assert rooms.calls == [("lost", "v_1", 9), ("receive_from_worker", left)]
    monkeypatch.setattr(worker.bus, "publish", worker.does("publish"))
    await worker.supersede("w-other", "c_1")
    assert worker.done == [("publish", keys.worker_channel("w-other"), wire.encode(wire.Supersede("c_1")))]


@pytest.mark.parametrize(
    ("holder", "closed"), [("another", [4203]), ("own", []), (UnavailableError("store"), [])]
)
async def test_the_old_socket_of_a_connection_is_closed_if_another_worker_has_it(
    holder: Any, closed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerApart()
    memberships = worker.memberships = Noted()  # type: ignore[assignment]
    worker.holder = worker.id if holder == "own" else holder
    connection: Any = Connected("c_1")
    worker.connections["c_1"] = connection
    left: list[Any] = []

    async def left_behind(of: Any, held: Any) -> None:
        left.append(held)

    monkeypatch.setattr(module, "left_behind", left_behind)
    await worker.superseded("c_1")
    await asyncio.gather(*worker._tasks)
    assert (connection.closed, left) == (closed, [connection] * len(closed))
    assert ("c_1" in worker.connections) is not bool(closed)
    assert memberships.calls == [("superseded", "c_1")] * len(closed)


async def test_a_connection_that_was_resumed_here_meanwhile_is_not_closed() -> None:
    worker = WorkerApart()
    worker.memberships = Noted()  # type: ignore[assignment]
    old: Any = Connected("c_1")
    new: Any = Connected("c_1")
    worker.connections["c_1"] = old

    async def holder(origin: Any) -> str:
        worker.connections["c_1"] = new
        return "another"

    worker.tokens = SimpleNamespace(holder=holder)  # type: ignore[assignment]
    await worker.superseded("c_1")
    assert (old.closed, new.closed, worker.connections) == ([], [], {"c_1": new})


# --- waiting for the store


async def test_a_wait_for_the_store_ends_with_the_store_the_time_or_the_worker() -> None:
    worker = WorkerApart()
    worker.liveness.healthy = True
    await worker.until_store_is_back(3600.0)
    worker.liveness.healthy = False
    await worker.until_store_is_back(-1.0)
    waiting = asyncio.create_task(worker.until_store_is_back(3600.0))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    worker._stopping.set()
    await waiting
    await worker.lingered(3600.0)
    fresh = WorkerApart()
    await fresh.lingered(0.001)
    assert not fresh.draining


# --- the end of a worker


@pytest.mark.parametrize("problem", [None, UnavailableError("store")])
async def test_a_drain_sends_all_clients_away_then_leaves_the_rooms_and_resigns(
    problem: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = WorkerApart()
    monkeypatch.setattr(module, "DRAIN_JITTER_S", 0.0)
    monkeypatch.setattr(worker.rooms, "drain", worker.does("drain"))
    monkeypatch.setattr(worker.liveness, "resign", worker.does("resign", problem))
    waits, over = Noted(), Noted()
    waits.expired = lambda: False  # type: ignore[attr-defined]
    over.expired = lambda: True  # type: ignore[attr-defined]
    worker.hellos |= {waits, over}  # type: ignore[arg-type]
    connection: Any = Connected("c_1")

    def close(code: int) -> None:
        connection.closed.append(code)
        worker.connections.clear()

    connection.socket = SimpleNamespace(close=close)
    worker.connections["c_1"] = connection
    async with asyncio.timeout(WAIT_S):
        await worker.drain()
    assert (worker.draining, worker.changed.is_set(), worker.memberships.draining) == (True, True, True)
    assert (waits.named("reschedule"), over.named("reschedule")) == ([(0,)], [])
    assert connection.closed == [1001]
    assert worker.done == [("drain", 3.0), ("resign",)]


async def test_the_oldest_connections_outside_calls_are_moved() -> None:
    worker = WorkerApart()
    held: list[Any] = [Connected(f"c_{number}") for number in range(4)]
    worker.connections = {connection.id: connection for connection in held}
    worker.memberships.holds = lambda connection: connection == "c_1"  # type: ignore[method-assign]
    worker.lingering.add("c_gone")
    assert [worker.holds(name) for name in ("c_1", "c_gone", "c_unknown")] == [True, True, False]
    assert list(worker.present()) == held
    worker.move(2)
    assert [connection.closed for connection in held] == [[1001], [], [1001], []]


async def test_a_close_waits_for_tasks_then_cancels_them_and_closes_all_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = WorkerApart()
    for name, part in (
        ("supervisor", worker.supervisor),
        ("audit_log", worker.audit_log),
        ("topics", worker.topics),
        ("past", worker.service.past),
        ("mirrors", worker.service.mirrors),
        ("bus", worker.bus),
    ):
        monkeypatch.setattr(part, "close", worker.does(name))
    monkeypatch.setattr(worker.rooms, "close", lambda: worker.done.append(("rooms",)))
    wait, waited = asyncio.wait, list[Any]()

    async def at_once(tasks: Any, timeout: float | None = None) -> Any:
        waited.append(timeout)
        return await wait(tasks, timeout=0.01)

    monkeypatch.setattr(asyncio, "wait", at_once)
    task = worker.spawn(asyncio.Event().wait())  # type: ignore[arg-type]
    await worker.close()
    assert (task.cancelled(), worker.draining, waited) == (True, True, [5, 0.5])
    assert [call[0] for call in worker.done] == [
        "supervisor",
        "rooms",
        "audit_log",
        "topics",
        "past",
        "mirrors",
        "bus",
    ]
    await worker.close()
    assert len(waited) == 2
