"""Tests what a commit writes to the store, and how a read uses the store's answers, which are in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.errors import SupersededError, UnavailableError
from signalling.store import keys
from signalling.store import records as module
from signalling.store.encryption import Seal
from signalling.store.event_stream import StreamEnd, StreamEntry, StreamHead
from signalling.store.records import NEWEST, OLDEST, SNAPSHOT_TRIES, Origin, Store, newest
from signalling.visit.queue_state import Watch
from signalling.visit.record import ChatMessage, Notice, Staff, Visit
from signalling.visit.relations import Event
from tests.signalling import visits
from tests.signalling.rooms.apart import Noted

ORG = visits.ORG
QUEUED = replace(visits.queued(), version=3)
OSEI = Staff(id="osei", name="Osei", role=visits.CLAIMANT.role, version=1, on_call=True)
LINE = ChatMessage(id="l_1", visit="v_1", party="patient", name="Ana", text="Hello", at_ms=1)


class Answers:
    """Replaces a client of the store. `answers`: one for each of the next pipelines and scripts.

    `asked`: the commands that were sent.
    """

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[tuple[Any, ...]] = []
        self.transactions: list[bool] = []

    def register_script(self, script: str) -> Any:
        async def run(keys: list[str], args: list[Any]) -> Any:
            self.asked.append(("script", keys, args))
            return self.answers.pop(0)

        return run

    def pipeline(self, transaction: bool = True) -> Any:
        self.transactions.append(transaction)
        pipe = Noted()

        async def execute() -> Any:
            self.asked += pipe.calls
            return self.answers.pop(0)

        pipe.execute = execute  # type: ignore[attr-defined]
        return pipe

    async def get(self, key: str) -> Any:
        return self.answers.pop(0)


class StoreApart(Store):
    """A store whose answers are in memory. `past`: the packed visit, or None. `unpacked`: the visits to be unpacked."""

    def __init__(self) -> None:
        self.client = Answers()
        client: Any = self.client
        super().__init__(client, Seal({b"1": b"k" * 32}))
        self.redis = client
        self.past: Any = None
        self.unpacked: list[Any] = []
        self.packed = SimpleNamespace(beside=self._beside, unpack=self._unpack, visits=self._packed)  # type: ignore[assignment]
        self.found: Any = None
        self.packed_visits: list[dict[str, Visit]] = []
        self.audited: list[str] = []
        self.on_audited = self.audited.append

    async def _beside(self, organisation: str, visit: str, read: Any) -> Any:
        found = self.found.pop(0) if isinstance(self.found, list) else self.found
        return found, self.past

    async def _unpack(self, *visit: Any) -> None:
        self.unpacked.append(visit)

    async def _packed(self, organisation: str, names: list[str]) -> dict[str, Visit]:
        return self.packed_visits.pop(0) if self.packed_visits else {}

    def sealed(self, record: Any, what: str = "visit") -> bytes:
        """Return the encrypted bytes of a record, as the store has them. `what`: the name of its kind."""
        return self.seal.close(module._encode(record), f"{ORG}/{what}/{record.id}")

    def script(self) -> tuple[list[str], list[Any]]:
        """Return (keys, arguments) of the last script."""
        return self.client.asked[-1][1:]


def test_the_bounds_of_places_and_the_number_of_tries_are_these() -> None:
    assert (OLDEST, NEWEST, SNAPSHOT_TRIES) == ((0, ""), (2**53, ""), 3)
    assert newest(5) == ">5"


def test_the_stores_clock_goes_on_with_the_clock_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = StoreApart(), SimpleNamespace(s=10.0)
    clock = SimpleNamespace(time=lambda: 1.5, monotonic=lambda: now.s)
    monkeypatch.setattr(module, "time", clock)
    assert store.clock_ms() == 1500
    assert store._read_clock((5, 999_000)) == 5_999
    now.s = 12.0
    assert store.clock_ms() == 7_999


# --- commits and reads of one record


@pytest.mark.parametrize(
    ("answer", "past", "what", "found"),
    [
        (True, None, Visit, QUEUED),
        (None, None, Visit, None),
        (None, visits.ended(), Visit, visits.ended()),
        (None, visits.ended(), Staff, None),
    ],
)
async def test_a_visit_that_is_not_there_may_be_packed(answer: Any, past: Any, what: Any, found: Any) -> None:
    store = StoreApart()
    store.client.answers = [[(5, 0), store.sealed(QUEUED) if answer else None]]
    store.past = None if past is None else SimpleNamespace(visit=past)
    assert await store.load(ORG, what, "v_1") == (found, 5_000)
    assert store.client.transactions == [False]


async def test_a_visit_that_was_unpacked_meanwhile_is_read() -> None:
    store = StoreApart()
    store.client.answers = [[(5, 0), None]]
    store.found = store.sealed(QUEUED)
    assert (await store.load(ORG, Visit, "v_1"))[0] == QUEUED


DONE = [7, b"7", b"e_1"]


async def commit(store: StoreApart, record: Any, kind: str = "claimed", **how: Any) -> Any:
    """Commit a record, as an event of this kind at the time T0."""
    return await store.commit(ORG, record, Event(kind, visits.T0), **{"index_score": 1, **how})


async def test_a_commit_names_its_versions_its_place_and_its_deadline() -> None:
    store = StoreApart()
    store.client.answers = [DONE, DONE]
    done = await commit(store, QUEUED, deadline_ms=9)
    assert (done.seq, done.epoch) == (7, "e_1")
    assert (done.entry.what, done.entry.member, done.entry.version) == ("visit", "v_1", 3)
    assert (done.entry.kind, done.entry.at_ms, done.entry.trace) == ("claimed", visits.T0, None)
    names, args = store.script()
    assert names == [
        keys.VISIT(ORG, "v_1"), keys.OPEN(ORG), keys.DEADLINES(ORG), keys.HEAD(ORG), keys.EVENTS(ORG),
        keys.HISTORY(ORG, "v_1"), keys.AUDIT_QUEUE(ORG), keys.HEAD(ORG),
    ]  # fmt: skip
    assert (args[:2], args[4:9]) == ([2, 3], [keys.EVENTS(ORG), "v_1", 1, 9, 4096])
    assert (bool(args[10]), bool(args[11]), args[12]) == (True, True, "")
    assert store.audited == [ORG]
    await commit(store, OSEI, "on_call", index_score=None)
    _, args = store.script()
    assert (args[6], args[7], args[10]) == ("", "", b"")


async def test_a_notification_and_other_entries_are_written_in_the_same_commit() -> None:
    store = StoreApart()
    store.client.answers = [DONE]
    notice = Notice(id="n_1", kind="assigned", at_ms=visits.T0)
    done = await commit(store, QUEUED, notices=[("osei", notice)], extras=[("queue", 4, b"mail")])
    names, args = store.script()
    assert names[8:] == [keys.BELL(ORG, "osei"), "queue"]
    ((person, sealed),) = done.entry.notices
    assert (person, args[14:]) == ("osei", [f">{visits.T0}", sealed, 4, b"mail"])


@pytest.mark.parametrize(("record", "more"), [(visits.ended(), 2), (QUEUED, 0), (OSEI, 0)])
async def test_an_ended_visit_is_listed_by_its_end_and_to_be_packed(record: Any, more: int) -> None:
    store = StoreApart()
    store.client.answers = [DONE]
    await commit(store, record, "ended")
    names, args = store.script()
    assert names[8:] == [keys.ENDED(ORG), keys.UNPACKED(ORG)][:more]
    if more:
        assert args[14:] == [record.ended_ms, b"v_1", visits.T0, b"v_1"]


@pytest.mark.parametrize(
    ("answer", "outcome", "unpacked", "audited"),
    [
        (DONE, "committed", 0, 1),
        ([0, b"5"], None, 0, 0),
        ([0, b"0"], None, 1, 0),
        ([-1], SupersededError, 0, 0),
    ],
)
async def test_a_commit_that_came_second_returns_nothing_and_a_packed_visit_is_unpacked(
    answer: Any, outcome: Any, unpacked: int, audited: int
) -> None:
    store, trace = StoreApart(), Noted()
    trace.decided = lambda: b"context"  # type: ignore[attr-defined]
    store.client.answers = [answer]
    made: Any = trace
    if outcome is SupersededError:
        with pytest.raises(SupersededError):
            await commit(store, QUEUED, origin=Origin("key", 4, made))
    else:
        done = await commit(store, QUEUED, origin=Origin("key", 4, made))
        assert (done is not None) is (outcome == "committed")
    names, args = store.script()
    assert (names[7], args[12]) == ("key", 4)
    assert trace.named("committed") == [(outcome == "committed",)]
    assert (len(store.unpacked), len(store.audited)) == (unpacked, audited)


async def test_another_record_than_a_visit_is_never_packed() -> None:
    store = StoreApart()
    store.client.answers = [[0, b"0"]]
    assert await commit(store, OSEI, "on_call") is None
    assert store.unpacked == []


# --- reads of all open records


def entry(store: StoreApart, record: Any, what: str = "visit", kind: str = "saved") -> StreamEntry:
    """Return the event of this `kind` that made a record. `what`: the name of the record's kind."""
    return StreamEntry(what, record.id, record.version, kind, visits.T0, store.sealed(record, what))


def reads(store: StoreApart, head: StreamHead, *ends: StreamEnd) -> None:
    """Let each of the next reads find one open visit and one member of staff.

    `head`: the stream's head before each read. `ends`: the stream's end after each read, one after another.
    """
    found = list(ends)

    async def read_head(organisation: str) -> StreamHead:
        return head

    async def read_end(organisation: str, seq: int) -> StreamEnd:
        store.client.asked.append(("end", seq))
        return found.pop(0)

    store.stream = SimpleNamespace(head=read_head, end=read_end)  # type: ignore[assignment]
    for _ in ends:
        store.client.answers += [
            [[b"v_1"], [b"osei"], []],
            [store.sealed(QUEUED)],
            [store.sealed(OSEI, "staff")],
        ]


async def test_the_open_records_are_those_of_the_newest_event() -> None:
    store = StoreApart()
    newer, second = replace(QUEUED, version=4), replace(QUEUED, id="v_2", version=1)
    watch = Watch(version=2)
    events = [
        (6, entry(store, newer)),
        (7, entry(store, second)),
        (8, entry(store, watch, "watch")),
        (9, entry(store, replace(QUEUED, version=5))),
    ]
    head = StreamHead("e_1", 8)
    reads(store, StreamHead("e_1", 5), StreamEnd(head, events, [entry(store, newer, kind="claimed")]))
    found = await store.snapshot(ORG)
    assert (found.head, found.visits, found.staff) == (head, {"v_1": newer, "v_2": second}, {"osei": OSEI})
    assert (found.watch, len(found.claims), found.claims[0].on_call) == (watch, 1, 1)
    assert ("end", 5) in store.client.asked
    assert set(store.client.transactions) == {False}


async def test_a_visit_that_ended_during_the_read_is_not_open() -> None:
    store = StoreApart()
    ended = replace(visits.ended(), version=9)
    reads(store, StreamHead("e_1", 5), StreamEnd(StreamHead("e_1", 6), [(6, entry(store, ended))], []))
    found = await store.snapshot(ORG)
    assert (found.visits, found.watch) == ({}, Watch())


@pytest.mark.parametrize("cut", [StreamHead("e_2", 5), StreamHead("e_1", 7)])
async def test_a_read_is_repeated_if_the_stream_was_cut_or_began_anew(cut: StreamHead) -> None:
    store = StoreApart()
    whole = StreamEnd(StreamHead("e_1", 5), [], [])
    events = [(7, entry(store, QUEUED))] if cut.seq == 7 else []
    reads(store, StreamHead("e_1", 5), StreamEnd(cut, events, []), whole)
    assert (await store.snapshot(ORG)).head == whole.head
    reads(store, StreamHead("e_1", 5), *[StreamEnd(cut, events, [])] * 3)
    with pytest.raises(UnavailableError, match="cut"):
        await store.snapshot(ORG)


async def test_an_event_changes_a_record_only_if_it_is_newer_and_can_be_read() -> None:
    store = StoreApart()
    found: dict[str, dict[str, Any]] = {"visit": {"v_1": QUEUED}}
    for version in (2, 3):
        store._apply(ORG, entry(store, replace(QUEUED, version=version, step="other")), found)
    store._apply(ORG, entry(store, OSEI, "staff"), found)
    store._apply(ORG, replace(entry(store, replace(QUEUED, version=9)), record=b"unreadable"), found)
    assert found == {"visit": {"v_1": QUEUED}}
    later = replace(QUEUED, version=4)
    store._apply(ORG, entry(store, later), found)
    assert found == {"visit": {"v_1": later}}


async def test_records_are_read_in_groups_of_500_without_those_that_are_gone_or_unreadable() -> None:
    store = StoreApart()
    names = [b"v_%d" % number for number in range(501)]
    first = [None, b"unreadable", store.sealed(replace(QUEUED, id="v_2")), *[None] * 497]
    store.client.answers = [first, [store.sealed(replace(QUEUED, id="v_500"))]]
    assert list(await store._many(ORG, "visit", names)) == ["v_2", "v_500"]
    assert store.client.transactions == [False, False]


# --- chat, ended visits and guides


async def test_messages_are_read_again_if_the_visit_was_packed_meanwhile() -> None:
    store = StoreApart()
    store.found = [[b"l_1"], [b"l_1"]]
    store.client.answers = [[None], [store.sealed(LINE, "line")]]
    assert await store.lines(ORG, "v_1") == [LINE]
    store.found = [[b"l_1"], []]
    store.client.answers = [[store.sealed(LINE, "line")]]
    assert await store.lines(ORG, "v_1") == [LINE]
    assert store.found == [[]], "all were there at once"
    store.found = None
    store.past = SimpleNamespace(messages=[LINE, replace(LINE, id="l_2")])
    assert await store.lines(ORG, "v_1", 1) == [replace(LINE, id="l_2")]


async def test_ended_visits_are_packed_or_not_and_have_their_place() -> None:
    store = StoreApart()
    one, two, three = (replace(visits.ended(), id=f"v_{n}", ended_ms=n) for n in (1, 2, 3))
    store.packed_visits = [{"v_1": one}, {"v_3": three}]
    store.client.answers = [[store.sealed(two), None, None]]
    places = [(1, "v_1"), (2, "v_2"), (9, "v_3"), (4, "v_4")]
    assert await store.visits(ORG, places) == [one, two, None, None]
    asked = [call[1] for call in store.client.asked if call[0] == "hget"]
    assert asked == [keys.VISIT(ORG, f"v_{n}") for n in (2, 3, 4)]


@pytest.mark.parametrize(("deadline_ms", "written"), [(9_000, 9_000), (0, 0), (None, "")])
async def test_a_deadline_is_replaced_or_removed_if_it_is_still_the_one_that_was_read(
    deadline_ms: int | None, written: int | str
) -> None:
    store = StoreApart()
    store.client.answers = [1]
    await store.move_deadline(ORG, "v_1", 7_000, deadline_ms)
    assert store.script() == ([keys.DEADLINES(ORG)], ["v_1", 7_000, written])


async def test_a_guide_that_is_not_stored_is_none() -> None:
    store = StoreApart()
    store.client.answers = [None, module._encode(visits.GUIDE)]
    assert await store.guide(ORG, 1) is None
    assert await store.guide(ORG, 1) == visits.GUIDE
