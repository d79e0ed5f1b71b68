"""Tests how a worker's copy of the open records follows the events, with a store in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from signalling import counts
from signalling.errors import UnavailableError
from signalling.store.event_stream import StreamHead
from signalling.store.mirror import Change, Mirror, Mirrors, Reset, version_of
from signalling.store.records import Committed
from signalling.visit.queue_state import Watch
from signalling.visit.record import ChatMessage, Staff
from signalling.visit.waiting import Paced
from tests.signalling import visits
from tests.signalling.store.apart import EPOCH, FakeStore
from tests.signalling.waits import until

ORG = visits.ORG
OSEI = Staff(id="osei", name="Osei", role=visits.CLAIMANT.role, version=1, on_call=True)
VISIT = replace(visits.queued(), version=1)


async def opened(*records: Any, **events: Any) -> tuple[Mirror, FakeStore, list[Any]]:
    """Return (an open mirror, its store, what the mirror reports) after one event for each record.

    A mirror is a worker's copy of the open records of one organisation.
    """
    store = FakeStore()
    for record in records:
        store.add(record)
    news: list[Any] = []
    mirror = Mirror(ORG, store, [news.append], **events)  # type: ignore[arg-type]
    await mirror.open()
    return mirror, store, news


def by_pubsub(store: FakeStore, mirror: Mirror, *, epoch: str | None = None, seq: int | None = None) -> None:
    """Let the mirror receive the newest event of the stream by pub/sub, with another `epoch` or number `seq` if
    given.
    """
    number, entry = store.events[-1]
    data = msgspec.msgpack.encode(entry)
    mirror.receive(b"%d %s %s" % (number if seq is None else seq, (epoch or store.epoch).encode(), data))


async def settled(mirror: Mirror) -> None:
    """Wait until no repair runs, and no event waits for earlier events."""
    await until(lambda: mirror._gap is None and mirror._repairing is None)


def test_a_topic_has_two_versions_for_each_event() -> None:
    assert [version_of(seq) for seq in (0, 1, 7)] == [0, 2, 14]


async def test_a_new_copy_has_all_open_records_and_the_number_of_the_last_event() -> None:
    watch = Watch(version=3)
    mirror, _, news = await opened(VISIT, OSEI, watch)
    assert (mirror.epoch, mirror.seq, mirror.version) == (EPOCH, 3, 6)
    assert (dict(mirror.visits), mirror.staff, mirror.watch) == ({"v_1": VISIT}, {"osei": OSEI}, watch)
    assert news == []
    empty = Mirror(ORG, FakeStore(), [])  # type: ignore[arg-type]
    assert (empty.epoch, empty.seq, empty.version, len(empty.claims)) == ("", 0, 0, 0)


@pytest.mark.parametrize("how", ["pub/sub", "own commit"])
async def test_the_next_event_is_applied_and_reported(how: str) -> None:
    mirror, store, news = await opened(VISIT)
    after = replace(VISIT, version=2, step="allergies")
    entry = store.add(after, "saved")
    if how == "pub/sub":
        by_pubsub(store, mirror)
    else:
        mirror.committed(Committed(2, EPOCH, entry))
    assert (mirror.seq, mirror.visits["v_1"]) == (2, after)
    assert news == [Change(ORG, 2, "saved", VISIT, after)]
    assert mirror._repairing is None


async def test_the_lag_of_an_event_is_measured_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror, store, _ = await opened(VISIT)
    observed: list[float] = []
    monkeypatch.setattr(counts, "EVENT_LAG_S", type("Lag", (), {"observe": observed.append}))
    store.add(replace(VISIT, version=2))
    for now_ms in (visits.T0 + 2_500, visits.T0 - 10):
        monkeypatch.setattr(store, "clock_ms", lambda now_ms=now_ms: now_ms)
        by_pubsub(store, mirror)
    assert observed == [2.5, 0.0]


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (visits.ended(), ({}, {"osei": OSEI}, 0)),
        (
            replace(OSEI, version=2, on_call=False),
            ({"v_1"}, {"osei": replace(OSEI, version=2, on_call=False)}, 0),
        ),
        (Watch(version=1), ({"v_1"}, {"osei": OSEI}, 1)),
    ],
)
async def test_each_kind_of_record_changes_its_part_of_the_copy(record: Any, shown: tuple[Any, ...]) -> None:
    mirror, store, news = await opened(VISIT, OSEI)
    store.add(record)
    by_pubsub(store, mirror)
    assert (set(mirror.visits), mirror.staff, mirror.watch.version) == (set(shown[0]), *shown[1:])
    assert [change.after for change in news] == [record]
    before: Any = {Staff: OSEI, Watch: None}.get(type(record), VISIT)  # type: ignore[call-overload]
    assert news[0].before == before


@pytest.mark.parametrize("record", [replace(VISIT, version=1), replace(OSEI, version=1), Watch(version=0)])
async def test_a_record_that_is_known_is_not_reported_again(record: Any) -> None:
    mirror, store, news = await opened(VISIT, OSEI)
    store.add(record)
    by_pubsub(store, mirror)
    assert (mirror.seq, news) == (3, [])
    assert (mirror.visits["v_1"], mirror.staff["osei"]) == (VISIT, OSEI)


async def test_a_record_of_no_copy_is_only_reported() -> None:
    mirror, store, news = await opened(VISIT)
    line = ChatMessage(id="l_1", visit="v_1", party="patient", name="Ana", text="Hello", at_ms=1)
    store.add(line)
    by_pubsub(store, mirror)
    assert [(change.before, change.after) for change in news] == [(None, line)]


async def test_a_claim_is_kept_for_the_estimate_of_waits_with_who_was_on_call() -> None:
    mirror, store, _ = await opened(VISIT, OSEI, replace(OSEI, id="lin", on_call=False))
    store.add(replace(visits.claimed(), version=9), "claimed")
    by_pubsub(store, mirror)
    store.add(replace(visits.claimed(), version=10), "saved")
    by_pubsub(store, mirror)
    assert list(mirror.claims) == [Paced(visits.T0, 1)]
    await mirror._load()
    assert list(mirror.claims) == [], "those of the store, and this store has none"


async def test_an_event_that_cannot_be_read_is_passed_over() -> None:
    mirror, store, news = await opened(VISIT)
    store.add(None)
    by_pubsub(store, mirror)
    assert (mirror.seq, news) == (2, [])


async def test_an_observer_that_fails_does_not_keep_the_others() -> None:
    store, news = FakeStore(), list[Any]()
    store.add(VISIT)

    def fails(_: Any) -> None:
        raise ValueError

    mirror = Mirror(ORG, store, [fails, news.append])  # type: ignore[arg-type]
    await mirror.open()
    store.add(replace(VISIT, version=2))
    by_pubsub(store, mirror)
    assert len(news) == 1


# --- events that are missing


async def test_events_that_arrive_while_the_copy_is_loaded_are_fetched_afterwards() -> None:
    store, news = FakeStore(), list[Any]()
    store.add(VISIT)
    mirror = Mirror(ORG, store, [news.append])  # type: ignore[arg-type]
    snapshot = store.snapshot

    async def late(organisation: str) -> Any:
        found = await snapshot(organisation)
        store.add(replace(VISIT, version=2))
        by_pubsub(store, mirror)
        return found

    store.snapshot = late  # type: ignore[method-assign]
    await mirror.open()
    await settled(mirror)
    assert (mirror.seq, [change.seq for change in news]) == (2, [2])


async def test_a_gap_is_filled_in_order_before_what_comes_after_it() -> None:
    mirror, store, news = await opened(VISIT)
    before = counts.REPAIRS["filled"]
    for version in (2, 3, 4):
        store.add(replace(VISIT, version=version))
    by_pubsub(store, mirror)
    assert news == []
    assert mirror._gap is not None
    assert mirror._gap.when() - asyncio.get_running_loop().time() <= 0.01, "a screen waits for the event"
    await settled(mirror)
    assert [change.seq for change in news] == [2, 3, 4]
    assert counts.REPAIRS["filled"] == before + 1
    by_pubsub(store, mirror)
    assert (len(news), mirror._repairing) == (3, None), "it is known by now"


async def test_a_gap_that_the_stream_no_longer_has_loads_everything_again() -> None:
    mirror, store, news = await opened(VISIT)
    for version in (2, 3):
        store.add(replace(VISIT, version=version))
    del store.events[:2]
    before = counts.REPAIRS["reloaded"]
    mirror.repair(3)
    await settled(mirror)
    assert (news, mirror.seq, mirror.visits["v_1"].version) == ([Reset(ORG)], 3, 3)
    assert counts.REPAIRS["reloaded"] == before + 1
    assert store.begun == []


async def test_an_event_of_another_epoch_loads_everything_again() -> None:
    mirror, store, news = await opened(VISIT)
    store.epoch = "e_2"
    store.add(replace(VISIT, version=2))
    by_pubsub(store, mirror)
    await settled(mirror)
    assert (mirror.epoch, mirror.seq, news) == ("e_2", 2, [Reset(ORG)])
    assert store.begun == []


@pytest.mark.parametrize("known", ["by pub/sub", "by the sweep", "while filling"])
async def test_another_event_with_a_known_number_begins_a_new_epoch(known: str) -> None:
    mirror, store, news = await opened(VISIT, replace(VISIT, version=2))
    before = counts.REPAIRS["epoch"]
    store.events[-1] = (2, store.entry(replace(VISIT, version=2, step="other")))
    if known == "by pub/sub":
        by_pubsub(store, mirror)
    elif known == "by the sweep":
        mirror.compare(await store.stream.head(ORG))
    else:
        store.add(replace(VISIT, version=3))
        mirror.repair(3)
    await settled(mirror)
    assert store.begun == [(ORG, "epoch", EPOCH)]
    assert (mirror.epoch, Reset(ORG) in news) == ("e_2", True)
    assert counts.REPAIRS["epoch"] == before + 1


async def test_a_store_that_lost_events_begins_a_new_epoch() -> None:
    mirror, store, news = await opened(VISIT, replace(VISIT, version=2))
    del store.events[1]
    mirror.repair()
    await settled(mirror)
    assert (len(store.begun), mirror.seq, news) == (1, 1, [Reset(ORG)])


@pytest.mark.parametrize(
    ("head", "repairs"),
    [
        (StreamHead(EPOCH, 1), False),
        (StreamHead(EPOCH, 1, b"record 0"), False),
        (StreamHead(EPOCH, 1, b"another"), True),
        (StreamHead(EPOCH, 2), True),
        (StreamHead("e_2", 1), True),
    ],
)
async def test_the_head_of_the_stream_shows_if_the_copy_is_old(head: StreamHead, repairs: bool) -> None:
    mirror, _, _ = await opened(VISIT)
    mirror.compare(head)
    assert (mirror._repairing is not None) is repairs
    assert mirror._wanted == (head.seq if repairs and head.epoch == EPOCH else 0)
    await mirror.close()


async def test_a_copy_of_no_event_takes_the_first_epoch_that_comes() -> None:
    mirror, store, news = await opened()
    assert mirror.epoch == ""
    store.add(VISIT)
    by_pubsub(store, mirror)
    assert (mirror.epoch, mirror.seq, len(news)) == (EPOCH, 1, 1)


async def test_a_repair_without_the_store_is_tried_again_after_longer_and_longer_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mirror, store, _ = await opened(VISIT)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    store.add(replace(VISIT, version=2))
    store.away = 7
    with monkeypatch.context() as patch:
        patch.setattr("signalling.store.mirror.asyncio.sleep", sleep)
        await mirror._repair()
    assert mirror.seq == 2
    assert slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


async def test_a_repair_that_fails_is_reported() -> None:
    failures: list[Any] = []
    mirror, store, _ = await opened(VISIT, failed=lambda *what: failures.append(what))

    async def fails(organisation: str) -> Any:
        raise ValueError

    store.stream.head = fails
    mirror.repair()
    await settled(mirror)
    assert [(name, type(problem)) for name, problem in failures] == [("mirror", ValueError)]


async def test_catching_up_waits_for_the_repair_and_a_close_ends_it() -> None:
    mirror, store, _ = await opened(VISIT)
    store.add(replace(VISIT, version=2))
    await mirror.catch_up()
    assert mirror.seq == 2
    await mirror.close()

    async def forever(organisation: str) -> Any:
        await asyncio.Event().wait()

    store.stream.head = forever
    mirror.repair()
    repairing = mirror._repairing
    await mirror.close()
    assert repairing is not None
    assert repairing.cancelled()


async def test_lost_events_are_counted_at_least() -> None:
    mirror, store, _ = await opened(VISIT)
    there = store.events[0][1]
    assert mirror._lost_since(4, b"", None) == 3
    assert mirror._lost_since(1, b"record 0", there) == 0
    assert mirror._lost_since(1, b"another", there) == 1
    assert mirror._lost_since(1, b"", there) == 0


# --- the copies of all organisations


async def test_a_copy_is_loaded_once_after_it_is_subscribed() -> None:
    store, subscribed = FakeStore(), list[Any]()
    store.add(VISIT)

    async def subscribe(mirror: Mirror) -> None:
        assert mirror.epoch == "", "events that come during the load must not be lost"
        subscribed.append(mirror)

    mirrors = Mirrors(store, subscribe)  # type: ignore[arg-type]
    assert (mirrors.known(ORG), list(mirrors)) == (None, [])
    found = await asyncio.gather(*(mirrors.get(ORG) for _ in range(3)))
    assert subscribed == [found[0]]
    assert found == [mirrors.known(ORG)] * 3
    assert list(mirrors) == [found[0]]
    store.away = 99
    found[0].repair()
    repairing = found[0]._repairing
    assert repairing is not None
    await mirrors.close()
    assert repairing.done()


async def test_a_copy_that_cannot_be_loaded_is_tried_again() -> None:
    store = FakeStore()
    store.add(VISIT)

    async def subscribe(mirror: Mirror) -> None:
        pass

    mirrors = Mirrors(store, subscribe)  # type: ignore[arg-type]
    store.away = 1
    with pytest.raises(UnavailableError):
        await mirrors.get(ORG)
    assert mirrors.known(ORG) is None
    assert (await mirrors.get(ORG)).seq == 1
