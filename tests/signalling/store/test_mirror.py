"""Tests that each worker's mirror (copy of the open records) equals the store, even if pub/sub loses messages.

No event is lost, repeated or out of order.
"""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling import sweep
from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.event_stream import StreamHead
from signalling.store.mirror import Change, Mirror, Reset
from signalling.store.records import SNAPSHOT_TRIES, Committed, Snapshot, Store
from signalling.visit import commands as c
from tests.signalling.clinic import ANA, ORG, Clinic, clinic
from tests.signalling.screen import Screen, screen
from tests.signalling.waits import until


class Seen:
    """Records all events that a worker's mirror (copy of the open records) reports, in order."""

    def __init__(self, clinic_: Clinic, worker: int) -> None:
        self.news: list[Change | Reset] = []
        self.mirrors = clinic_.workers[worker].service.mirrors
        self.mirrors.observers.append(self.note)

    def note(self, news: Change | Reset) -> None:
        """Record an event of the organisation; ignore other organisations."""
        if news.organisation == ORG:
            self.news.append(news)

    @property
    def mirror(self) -> Mirror:
        """Return the worker's mirror (copy of the open records) of the organisation."""
        found = self.mirrors.known(ORG)
        assert found is not None
        return found

    def sequences(self) -> list[int]:
        """Return the numbers of the recorded events, in order."""
        return [news.seq for news in self.news if isinstance(news, Change)]


async def caught_up(seen: Seen, store: Store) -> bool:
    """Return True if the mirror (the worker's copy of the open records) has applied the newest event of the store."""
    head = await store.stream.head(ORG)
    return (seen.mirror.epoch, seen.mirror.seq) == (head.epoch, head.seq)


def shows(shown: Screen, other: Screen) -> bool:
    """Return True if the screen `shown` has the same rows as `other`, after all messages that have arrived."""
    return shown.drained().same_as(other)


async def live_through(open_: Clinic, rounds: int) -> None:
    """Play `rounds` visits through both workers: each patient arrives and types, and a provider claims the visit.

    Some visits begin a session, and most are released.
    """
    provider = open_.provider()
    for i in range(rounds):
        service = open_.workers[i % 2].service
        patient = await open_.arrive(i % 2)
        assert patient.visit is not None
        await service.command(patient, patient.visit, c.Save("allergies", f"{i}", left=False))
        await open_.workers[(i + 1) % 2].service.command(provider, patient.visit, c.Claim())
        if i % 3 == 0:
            await service.command(provider, patient.visit, c.Enter("c_x", open_.workers[0].id))
            await service.command(provider, patient.visit, c.Start())
            await service.command(patient, patient.visit, c.Start())
        if i % 4:
            await service.command(provider, patient.visit, c.Release())


async def test_no_event_is_lost_although_the_bus_is_cut_repeatedly(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        providers = [
            await two.on_call(two.provider("Dr M. Osei"), 0),
            await two.connect(two.provider("Dr B. Lin"), 1),
        ]
        screens = [await screen(p) for p in providers]
        seen = [Seen(two, 0), Seen(two, 1)]
        cuts = 0

        async def saboteur() -> None:
            nonlocal cuts
            while cuts <= 10:
                cuts += await valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]
                await asyncio.sleep(0.03)

        cutting = asyncio.create_task(saboteur())
        while not cutting.done():
            await live_through(two, 10)
        await cutting
        store = two.workers[0].service.store
        for one in seen:
            await until(partial(caught_up, one, store))
        snapshot = await store.snapshot(ORG)
        for one in seen:
            assert not any(isinstance(news, Reset) for news in one.news), "the stream had all of it"
            told = one.sequences()
            assert told == list(range(told[0], told[0] + len(told))), (
                "none lost, none twice, none out of order"
            )
            assert (dict(one.mirror.visits), one.mirror.staff) == (snapshot.visits, snapshot.staff)
        fresh = await screen(await two.connect(two.provider("Dr C. Ray"), 1))
        for shown in screens:
            await until(partial(shows, shown, fresh))
            assert shown.shown == sorted(set(shown.shown)), "versions rise"
            assert shown.snapshots == 1


async def test_the_very_last_message_lost_is_noticed_by_the_next_sweep(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.sweep.PERIOD_S", 3600.0)
    async with clinic(valkey) as two:
        provider = await two.connect(two.provider(), 1)
        shown = await screen(provider)
        two.workers[1].service.bus._handlers.pop(keys.EVENTS(ORG).encode())
        patient = await two.arrive(0)
        await two.workers[1].sweep._round()
        await until(lambda: patient.visit in shown.drained().rows)


def test_a_worker_sweeps_twice_a_second() -> None:
    assert sweep.PERIOD_S <= 0.5


async def alone(redis: Redis, news: list[Change | Reset]) -> Mirror:
    """Return a mirror (copy of the open records) that is loaded but receives no pub/sub messages.

    `news`: gets the events that it reports.
    """
    mirror = Mirror(ORG, Store(redis, Seal({b"1": b"k" * 32})), [news.append])
    await mirror.open()
    return mirror


async def settled(mirror: Mirror) -> None:
    """Make the mirror compare itself with the end of the store's event stream, and wait until it has
    repaired itself.
    """
    mirror.compare(await mirror._store.stream.head(ORG))
    await until(lambda: mirror._repairing is None)


async def test_a_mirror_that_missed_more_events_than_the_stream_keeps_is_reset(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        news: list[Change | Reset] = []
        mirror = await alone(valkey, news)
        for _ in range(9):
            await one.arrive()
        await valkey.xtrim(keys.EVENTS(ORG), maxlen=3, approximate=False)
        await settled(mirror)
        assert news == [Reset(ORG)]
        assert len(mirror.visits) == 10
        await one.arrive()
        await settled(mirror)
        assert [type(n) for n in news] == [Reset, Change]


async def test_a_mirror_that_missed_no_event_that_the_stream_has_dropped_is_not_reset(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        news: list[Change | Reset] = []
        mirror = await alone(valkey, news)
        await one.arrive()
        await valkey.xtrim(keys.EVENTS(ORG), maxlen=1, approximate=False)
        await settled(mirror)
        assert [type(n) for n in news] == [Change]


async def test_an_event_that_is_received_while_the_copy_is_loaded_is_not_lost(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        store = Store(valkey, Seal({b"1": b"k" * 32}))
        mirror, read = Mirror(ORG, store, []), store.snapshot

        async def snapshot(organisation: str) -> Snapshot:
            found = await read(organisation)
            await one.arrive()
            seq, entry = (await store.stream.after(ORG, found.head.seq))[-1]
            mirror.committed(Committed(seq, found.head.epoch, entry))
            return found

        monkeypatch.setattr(store, "snapshot", snapshot)
        await mirror.open()
        await until(lambda: len(mirror.visits) == 2)


async def test_an_event_that_is_missed_while_a_repair_reads_the_head_is_fetched(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        store = Store(valkey, Seal({b"1": b"k" * 32}))
        mirror, read = Mirror(ORG, store, []), store.stream.head
        await mirror.open()

        async def head(organisation: str) -> StreamHead:
            found = await read(organisation)
            monkeypatch.setattr(store.stream, "head", read)
            await one.arrive()
            mirror.repair(found.seq + 1)
            return found

        monkeypatch.setattr(store.stream, "head", head)
        mirror.repair()
        await until(lambda: len(mirror.visits) == 2)


@pytest.mark.parametrize("ahead", [-3, 3])
async def test_another_epoch_resets_the_mirror(valkey: Redis, ahead: int) -> None:
    async with clinic(valkey, 1) as one:
        for _ in range(5):
            await one.arrive()
        news: list[Change | Reset] = []
        mirror = await alone(valkey, news)
        await valkey.hset(keys.HEAD(ORG), mapping={"epoch": "e_new", "seq": 5 + ahead})
        await settled(mirror)
        assert news == [Reset(ORG)]
        assert (mirror.epoch, mirror.seq) == ("e_new", 5 + ahead)


async def test_a_late_message_of_an_old_epoch_delays_nothing(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        mirror = await alone(valkey, [])
        _, entry = (await one.workers[0].service.store.stream.after(ORG, 0))[0]
        mirror._take(900, "e_old", entry)
        await until(lambda: mirror._repairing is None)
        assert mirror.seq == 1


async def test_an_event_that_comes_twice_asks_the_store_for_nothing(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        news: list[Change | Reset] = []
        mirror = await alone(valkey, news)
        (seq, entry), *_ = await one.workers[0].service.store.stream.after(ORG, mirror.seq - 1)
        mirror._take(seq, mirror.epoch, entry)
        assert (mirror._repairing, news) == (None, [])


async def test_another_event_under_a_known_number_begins_a_new_epoch(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        news: list[Change | Reset] = []
        mirror = await alone(valkey, news)
        epoch = mirror.epoch
        (seq, entry), *_ = await one.workers[0].service.store.stream.after(ORG, mirror.seq - 1)
        mirror._take(seq, epoch, replace(entry, record=entry.record[::-1]))
        await until(lambda: mirror._repairing is None)
        assert mirror.epoch != epoch
        assert news == [Reset(ORG)]


async def test_after_a_new_epoch_screens_are_reset_and_updated_from_there(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        provider = await two.connect(two.provider(), 1)
        shown = await screen(provider)
        patient = await two.arrive(0)
        row = f"{patient.visit}"
        await until(lambda: row in shown.drained().rows)
        before = shown.version
        await valkey.hset(keys.HEAD(ORG), mapping={"epoch": "e_new", "seq": 0})
        await valkey.delete(keys.EVENTS(ORG))
        await until(lambda: shown.drained().epoch == "e_new")
        assert row in shown.rows
        assert shown.version < before
        later = await two.arrive(0)
        await until(lambda: later.visit in shown.drained().rows)


async def test_an_event_that_cannot_be_read_does_not_stop_those_after_it(valkey: Redis) -> None:
    async with clinic(valkey, 1) as one:
        first = await one.arrive()
        mirror = await alone(valkey, [])
        (_, entry), *_ = await one.workers[0].service.store.stream.after(ORG, 0)
        foreign = type(entry)("visit", "v_other", 1, "opened", entry.at_ms, entry.record)
        mirror._take(2, mirror.epoch, foreign)
        await one.arrive(information=ANA)
        await settled(mirror)
        assert first.visit in mirror.visits
        assert mirror.seq == 2


async def test_two_messages_of_one_event_both_reach_the_screen(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        actor = two.provider()
        provider = await two.on_call(actor, 0)
        colleague = await two.connect(two.provider("Dr B. Lin"), 1)
        shown: Screen = await screen(colleague)
        patient = await two.arrive()
        visit = f"{patient.visit}"
        await provider.request("visit.claim", visit=visit)
        await provider.request("visit.start", visit=visit)
        await two.workers[0].service.command(patient, visit, c.Start())
        await until(lambda: shown.drained().staff[actor.id]["in_session"])
        done = await provider.request("visit.release", visit=visit)
        await until(lambda: visit in shown.drained().rows)
        await until(lambda: not shown.drained().staff[actor.id]["in_session"])
        assert shown.version >= done["version"]


async def test_r25_a_mirror_that_cannot_be_repaired_is_counted_and_repaired_at_the_next_request(
    valkey: Redis,
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        failed: list[str] = []
        mirror = Mirror(
            ORG,
            Store(valkey, Seal({b"1": b"k" * 32})),
            [],
            lambda name, problem: failed.append(name),
        )
        await mirror.open()
        await one.arrive()
        head = await valkey.hgetall(keys.HEAD(ORG))
        await valkey.hset(keys.HEAD(ORG), "seq", "unreadable")
        mirror.repair()
        await until(lambda: failed == ["mirror"])
        await valkey.hset(keys.HEAD(ORG), "seq", head[b"seq"])
        await settled(mirror)
        assert mirror.seq == int(head[b"seq"])
        await mirror.close()


async def test_a_screen_that_resumes_at_a_worker_shows_what_happened_while_the_copy_there_was_loaded(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey) as two:
        provider = two.provider()
        ends = await two.arrive(0)
        shown = await screen(await two.connect(provider, 0))
        assert list(shown.rows) == [ends.visit]
        stream = two.workers[1].service.store.stream
        read, arrived = stream.head, list[str | None]()

        async def head(organisation: str) -> StreamHead:
            found = await read(organisation)
            if not arrived:
                arrived.append((await two.arrive(0)).visit)
                await two.workers[0].service.command(ends, f"{ends.visit}", c.Withdraw())
            return found

        monkeypatch.setattr(stream, "head", head)
        two.workers[1].service.mirrors._mirrors.pop(ORG, None)
        shown.client = await two.connect(provider, 1)
        await shown.client.request("subscribe", topic="queue", epoch=shown.epoch, version=shown.version)
        await until(lambda: list(shown.drained().rows) == arrived)
        assert list(Seen(two, 1).mirror.visits) == arrived


async def test_a_copy_is_not_loaded_from_a_stream_that_was_cut_meanwhile(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with clinic(valkey, 1) as one:
        await one.arrive()
        store = Store(valkey, Seal({b"1": b"k" * 32}))
        read, cuts = store.stream.head, [1, 1]

        async def head(organisation: str) -> StreamHead:
            found = await read(organisation)
            if cuts:
                await one.arrive()
                await one.arrive()
                await valkey.xtrim(keys.EVENTS(ORG), maxlen=cuts.pop(), approximate=False)
            return found

        monkeypatch.setattr(store.stream, "head", head)
        assert len((await store.snapshot(ORG)).visits) == 5
        cuts += [1] * SNAPSHOT_TRIES
        with pytest.raises(UnavailableError):
            await store.snapshot(ORG)
