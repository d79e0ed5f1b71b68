"""Tests a store that returns with fewer events: screens match it again, and lost visits are reported.

A second store continues from an earlier state of the first one. Its count of events is then smaller than, equal to or
larger than the count that workers and screens know. Then its data replaces the data of the first store. This is row 26
of docs/RELIABILITY.md.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.clients.reconnecting import Subscription
from signalling.protocol import views
from signalling.service import Accepted, Service
from signalling.store.encryption import Seal
from signalling.store.pubsub import Bus
from signalling.store.records import Snapshot, Store
from signalling.store.redis_connection import SharedRedis
from signalling.visit import commands as c
from signalling.visit.record import Actor
from tests.faults.conftest import ALL, Measured
from tests.limits import WAIT_S
from tests.signalling.clinic import ORG, Clinic, Organisations, clinic
from tests.signalling.waits import until
from web.server.valkey import EmbeddedStore, LockedFolder

WITHIN_S = 2.0


class Page:
    """What one client's page shows of its topics, by the rules of PROTOCOL.md#topics.

    `gone`: the topics that have ended.
    """

    def __init__(self) -> None:
        self.held: dict[str, Subscription] = {}
        self.shown: dict[str, dict[str, Any]] = {}
        self.rows: dict[str, dict[str, dict[str, Any]]] = {"queue": {}, "sessions": {}}
        self.gone: set[str] = set()

    def take(self, message: dict[str, Any]) -> None:
        """Apply a message of the server to what the page shows."""
        topic = message.get("topic", "")
        if message["type"] == "gone":
            self.gone.add(topic)
        elif "version" in message and topic:
            held = self.held.setdefault(topic, Subscription(self._show, lambda refused: None))
            held.take(message)

    def _show(self, message: dict[str, Any]) -> None:
        topic, kind = message["topic"], message["type"].partition(".")[2]
        if topic not in self.rows:
            self.shown[topic] = message
        elif kind == "snapshot":
            self.rows[topic] = {row["visit"]: row for row in message["rows"]}
        elif kind == "row":
            self.rows[topic][message["row"]["visit"]] = message["row"]
        elif kind == "gone":
            self.rows[topic].pop(message["visit"], None)


async def page_of(at: Clinic, actor: Actor, worker: int, *topics: str) -> tuple[Page, SignallingClient]:
    """Connect `actor` to a worker of the clinic `at`, and subscribe to these topics; return (the person's page, the
    client).
    """
    page = Page()
    client = await at.connect(actor, worker, listener=page.take)
    for topic in topics:
        await client.request("subscribe", topic=topic)
    return page, client


@contextlib.contextmanager
def valkey_in(folder: Path) -> Iterator[EmbeddedStore]:
    """Start a Valkey for this test only; yield it. `folder`: the folder for its files."""
    locked = LockedFolder(folder)
    store = EmbeddedStore(locked)
    store.start()
    try:
        yield store
    finally:
        store.stop()
        locked.close()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Redis]:
    """Yield a client of the store at `url`. In `make faults`, its time-outs are as short as those of workers."""
    timeout_s = 1 if ALL else 10
    redis = SharedRedis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
    try:
        yield redis
    finally:
        await redis.aclose()


def data_of(folder: Path) -> Path:
    """Return the folder in which a Valkey writes its log of commands. `folder`: the folder in which it was
    started."""
    return folder / "valkey" / "appendonlydir"


@contextlib.asynccontextmanager
async def another_history(folder: Path, data: Path) -> AsyncIterator[tuple[EmbeddedStore, Redis, Service]]:
    """Yield (a store that continues from a copy of the folder `data`, its client, the service of a worker on it).

    `folder`: an empty folder for the store.
    """
    data_of(folder).parent.mkdir(parents=True)
    shutil.copytree(data, data_of(folder))
    with valkey_in(folder) as store:
        async with connected(store.url) as redis:
            bus = Bus(redis)
            service = Service(Store(redis, Seal({b"1": b"k" * 32})), bus, Organisations())
            try:
                yield store, redis, service
            finally:
                await service.mirrors.close()
                await bus.close()


async def replaced(own: EmbeddedStore, folder: Path, earlier: Path) -> None:
    """Kill the store `own`, and start it again with older data, a copy of the folder `earlier`.

    `folder`: the folder in which `own` was started.
    """
    assert own.pid is not None
    os.kill(own.pid, signal.SIGKILL)
    await until(lambda: own.pid is None)
    shutil.rmtree(data_of(folder))
    shutil.copytree(earlier, data_of(folder))
    await asyncio.to_thread(own.start)


async def restored(redis: Redis, other: Redis) -> None:
    """Replace everything in the store of the client `redis` by a copy of what the store of the client `other` has."""
    names = await other.keys("*")
    dumps = [(name, await other.dump(name) or b"", max(0, await other.pttl(name))) for name in names]
    pipe = redis.pipeline(transaction=True)
    pipe.flushall()
    for name, dump, ttl_ms in dumps:
        pipe.restore(name, ttl_ms, dump)
    await pipe.execute()


def plain(part: Any) -> dict[str, Any]:
    """Return a part of a message as a client decodes it."""
    found: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(part))
    return found


class Four:
    """The pages of four people, spread over both workers: a patient, a provider, an administrator, and a patient whose
    visit gets lost.
    """

    def __init__(self, at: Clinic, store: Store, patient: Actor, lost: Actor) -> None:
        self.at, self.store, self.patient, self.lost = at, store, patient, lost

    async def open(self) -> None:
        """Open the page of each of the four people."""
        osei, admin = self.at.provider(), self.at.provider("Dr A. Admin")
        visit = self.patient.visit
        self.patients, _ = await page_of(self.at, self.patient, 0, f"visit/{visit}", f"place/{visit}")
        self.providers, _ = await page_of(self.at, osei, 1, "sessions", f"visit/{visit}")
        self.admins, _ = await page_of(self.at, admin, 0, "queue", "sessions")
        gone = self.lost.visit
        self.losers, _ = await page_of(
            self.at, self.lost, 1, f"visit/{gone}", f"case/{gone}", f"place/{gone}", f"chat/{gone}"
        )

    async def wrong(self) -> list[str]:
        """Return a text for each screen that differs from the store; [] if all are right."""
        there: Snapshot = await self.store.snapshot(ORG)
        visit = there.visits[f"{self.patient.visit}"]
        topic = f"visit/{visit.id}"
        queue = {v.id: plain(views.row(v)) for v in there.visits.values() if v.status == "queued"}
        taken = {
            v.id: plain(views.session_row(v))
            for v in there.visits.values()
            if v.status in ("claimed", "live")
        }
        page = plain(views.visit_part(visit))
        lost = self.lost.visit
        found = {
            "patient": self.patients.shown[topic]["visit"] == page,
            "provider's sessions": self.providers.rows["sessions"] == taken,
            "administrator's list": self.admins.rows["queue"] == queue,
            "administrator's sessions": self.admins.rows["sessions"] == taken,
            "session page": self.providers.shown[topic]["visit"] == page,
            "the lost patient": self.losers.gone
            == {f"{room}/{lost}" for room in ("visit", "case", "place", "chat")},
        }
        return [name for name, right in found.items() if not right]

    async def right(self) -> bool:
        """Return True if all screens show what the store has, False if they do not or the store does not answer."""
        try:
            return not await self.wrong()
        except Exception:  # noqa: BLE001 - the store is not back yet
            return False


async def lives_apart(at: Clinic, service: Service, patient: Actor, events: int) -> None:
    """Write `events` other events to the store of `service`, which continues from an earlier state of the first store.

    Another provider of the clinic `at` goes on call and claims the patient. Then the patient answers a step of the
    guide, again and again.
    """
    lin = at.provider("Dr B. Lin")
    await service.set_on_call(lin, on=True)
    claimed = await service.command(lin, f"{patient.visit}", c.Claim())
    assert isinstance(claimed, Accepted)
    for number in range(events - 2):
        saved = await service.command(
            patient, f"{patient.visit}", c.Save("allergies", f"{number}", left=False)
        )
        assert isinstance(saved, Accepted)


@pytest.mark.parametrize(
    ("how", "count"),
    [
        pytest.param("after a crash", "smaller", marks=pytest.mark.minutes),
        ("after a crash", "equal"),
        ("after a crash", "larger"),
        ("while it runs", "equal"),
        pytest.param("while it runs", "smaller", marks=pytest.mark.minutes),
        pytest.param("while it runs", "larger", marks=pytest.mark.minutes),
    ],
)
async def test_r26_every_screen_equals_a_store_that_lost_events_and_shows_lost_visits(
    tmp_path: Path, measured: Measured, how: str, count: str
) -> None:
    folder = tmp_path / "own"
    with valkey_in(folder) as own:
        async with connected(own.url) as redis, clinic(redis) as at:
            osei = at.provider()
            service = at.workers[0].service
            await service.set_on_call(osei, on=True)
            patient = await at.arrive()
            await at.arrive(1)
            before = await service.store.stream.head(ORG)
            earlier = tmp_path / "earlier"
            shutil.copytree(data_of(folder), earlier)

            claimed = await service.command(osei, f"{patient.visit}", c.Claim())
            assert isinstance(claimed, Accepted)
            lost = await at.arrive(1)
            for word in ("p", "pe", "pen"):
                await at.workers[1].service.command(
                    lost, f"{lost.visit}", c.Save("allergies", word, left=False)
                )
            screens = Four(at, service.store, patient, lost)
            await screens.open()
            seen = (await service.store.stream.head(ORG)).seq

            events = seen - before.seq + {"smaller": -1, "equal": 0, "larger": 2}[count]
            async with another_history(tmp_path / "other", earlier) as (other, elsewhere, apart):
                await lives_apart(at, apart, patient, events)
                there = await apart.store.stream.head(ORG)
                assert (there.epoch, there.seq) == (before.epoch, before.seq + events)
                if how == "while it runs":
                    await restored(redis, elsewhere)
                else:
                    other.stop()
                    await replaced(own, folder, data_of(tmp_path / "other"))
            try:
                took_s = await until(screens.right, 8 if ALL else WAIT_S)
            except AssertionError:
                raise AssertionError(f"wrong: {await screens.wrong()}") from None
            measured("R26", f"all screens right, {how}, {count} count", took_s, "s", at_most=WITHIN_S)
            assert (await service.store.stream.head(ORG)).epoch != before.epoch
            # From here on, new events are shown on all screens as usual.
            later = await at.arrive(1)
            await until(lambda: later.visit in screens.admins.rows["queue"])


async def test_r26_workers_that_start_beside_an_older_store_begin_a_new_epoch_once(tmp_path: Path) -> None:
    folder, earlier = tmp_path / "own", tmp_path / "earlier"
    with valkey_in(folder) as own:
        async with connected(own.url) as redis:
            async with clinic(redis) as at:
                await at.arrive()
                before = at.workers[0].service.store

                async def belongs_to_a_store() -> bool:
                    return bool((await before.stream.head(ORG)).store)

                await until(belongs_to_a_store)
                epoch = (await before.stream.head(ORG)).epoch
                shutil.copytree(data_of(folder), earlier)
            await replaced(own, folder, earlier)
            async with clinic(redis) as again:
                patient = await again.arrive()
                store = again.workers[1].service.store

                async def anew() -> bool:
                    return (await store.stream.head(ORG)).epoch != epoch

                await until(anew, WITHIN_S if ALL else WAIT_S)
                newest = await store.stream.head(ORG)
                await asyncio.sleep(0.6)
                assert (await store.stream.head(ORG)).epoch == newest.epoch, (
                    "one new epoch, however many workers look"
                )
                page, _ = await page_of(again, patient, 1, f"visit/{patient.visit}")
                await until(lambda: f"visit/{patient.visit}" in page.shown)
                assert page.shown[f"visit/{patient.visit}"]["epoch"] == newest.epoch
