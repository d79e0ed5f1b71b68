"""Tests when a worker asks for a store's identity, and how it reads the head (epoch and newest number) of an event
stream.

The store's replies are in memory.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from signalling.store import keys
from signalling.store.event_stream import EventStream, Pulse, StreamEnd, StreamHead, _head
from tests.signalling.visits import ORG, OTHER


class Connection:
    """A connection to the store. `opened`: how often it was opened."""

    def __init__(self) -> None:
        self.opened = 1


class InMemory:
    """A cluster of two nodes, one for each organisation."""

    def __init__(self) -> None:
        self.connections = {keys.HEAD(one): Connection() for one in (ORG, OTHER)}
        self.ids = {keys.HEAD(ORG): "first", keys.HEAD(OTHER): "second"}
        self.asked: list[str] = []
        self.reopens = False
        self.replies: list[Any] = []
        self.commands: list[tuple[Any, ...]] = []
        self.begun = 1
        self.transactions: list[bool] = []

    def register_script(self, text: str) -> Any:
        async def run(*, keys: list[str], args: list[str]) -> int:
            self.commands.append((*keys, *args))
            return self.begun

        return run

    async def connection_of(self, key: str) -> Any:
        return self.connections[key]

    async def info_of(self, key: str, section: str) -> dict[str, str]:
        assert section == "server"
        self.asked.append(key)
        if self.reopens:
            self.connections[key].opened += 1
        return {"run_id": self.ids[key]} if key in self.ids else {}

    def pipeline(self, *, transaction: bool) -> InMemory:
        self.transactions.append(transaction)
        return self

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **how: self.commands.append((name, *args, how))

    async def execute(self) -> list[Any]:
        return self.replies


@pytest.fixture
def store() -> InMemory:
    """A store of two nodes."""
    return InMemory()


async def test_a_process_is_asked_once_for_each_connection_to_it(store: InMemory) -> None:
    stream = EventStream(cast(Any, store))
    for _ in range(2):
        assert await stream.identities([ORG, OTHER, ORG]) == ["first", "second", "first"]
    assert store.asked == [keys.HEAD(ORG), keys.HEAD(OTHER)]
    store.connections[keys.HEAD(ORG)].opened = 2
    store.ids[keys.HEAD(ORG)] = "restarted"
    assert await stream.identities([ORG, OTHER]) == ["restarted", "second"]
    assert store.asked[2:] == [keys.HEAD(ORG)]


async def test_the_answer_of_a_connection_that_was_lost_meanwhile_is_not_kept(store: InMemory) -> None:
    stream = EventStream(cast(Any, store))
    store.reopens = True
    assert await stream.identities([ORG]) == ["first"]
    store.reopens = False
    assert await stream.identities([ORG]) == ["first"]
    assert len(store.asked) == 2
    del store.ids[keys.HEAD(OTHER)]
    assert await stream.identities([OTHER]) == [""], "a store that does not say"


async def test_a_sweep_reads_the_deadlines_that_have_passed_and_the_stores_clock_in_one_request(
    store: InMemory,
) -> None:
    clock: list[Any] = []
    stream = EventStream(cast(Any, store), clock.append)
    store.replies = [(5, 7), [b"e_1", b"9", b"m", b"here"], [(b"v_1", 3.0)], [None] * 4, []]
    found = await stream.pulses([ORG, OTHER], 100)
    assert found == [Pulse(StreamHead("e_1", 9, b"m", "here"), [("v_1", 3)]), Pulse(StreamHead("", 0), [])]
    assert clock == [(5, 7)]
    fields = ("epoch", "seq", "mark", "store")
    of_one = [
        [("hmget", keys.HEAD(one), fields, {}),
         ("zrangebyscore", keys.DEADLINES(one), "-inf", 100, {"start": 0, "num": 200, "withscores": True})]
        for one in (ORG, OTHER)
    ]  # fmt: skip
    assert store.commands == [("time", {}), *of_one[0], *of_one[1]]
    assert store.transactions == [False], "the organisations may be at several nodes"


async def test_the_parts_of_the_end_of_a_stream_are_read_in_one_transaction(store: InMemory) -> None:
    store.replies = [[b"e_1", b"9", b"m", b"here"], [], []]
    assert await EventStream(cast(Any, store)).end(ORG, 6) == StreamEnd(
        StreamHead("e_1", 9, b"m", "here"), [], []
    )
    stream = keys.EVENTS(ORG)
    assert store.commands == [
        ("hmget", keys.HEAD(ORG), ("epoch", "seq", "mark", "store"), {}),
        ("xrange", stream, {"min": "7-0"}),
        ("xrevrange", stream, {"count": 500}),
    ]
    assert store.transactions == [True], "another event could come between two of them"


@pytest.mark.parametrize(
    ("field", "reason"),
    [("epoch", "events were lost"), ("store", "another store, or the same after a restart")],
)
async def test_a_new_epoch_is_logged_with_its_reason_by_the_worker_that_began_it(
    field: str, reason: str, store: InMemory
) -> None:
    stream = EventStream(cast(Any, store))
    with capture_logs() as logs:
        assert await stream.begin_epoch(ORG, field, "held", "here") is True
        store.begun = 0
        assert await stream.begin_epoch(ORG, field, "held") is False
    assert [(line["event"], line["organisation"], line["reason"]) for line in logs] == [
        ("store.new_epoch", ORG, reason)
    ]
    first, second = store.commands
    assert (first[:4], first[5]) == ((keys.HEAD(ORG), keys.EVENTS(ORG), field, "held"), "here")
    assert second[5] == "", "the identity is not known"
    assert first[4].startswith("e_")
    assert first[4] != second[4]


def test_an_empty_head_is_that_of_an_organisation_without_events() -> None:
    assert _head([None] * 4) == StreamHead("", 0, b"", "")
