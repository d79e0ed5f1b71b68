"""Tests which figures of a call are measured, when, and when they are written, with a clock and a store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from signalling import counts
from signalling.errors import SealError, UnavailableError
from signalling.rooms import quality_watch as module
from signalling.rooms.participants import Participant, Room
from signalling.rooms.ports import Connected, Disconnected, Speaking
from signalling.rooms.quality_watch import CallWatch, calls_of
from signalling.store import keys
from signalling.visit.call_quality import Tally
from tests.signalling.rooms.apart import VISIT, member
from tests.signalling.visits import ORG

TALLY = msgspec.msgpack.Decoder(Tally)


class InMemory:
    """A store that encrypts nothing. `past`: the packed visit or None."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.past: Any = None
        self.away = False
        self.redis = self.seal = self.packed = self

    @staticmethod
    def close(data: bytes, place: str) -> bytes:
        return place.encode() + b" " + data

    @staticmethod
    def open(data: bytes, place: str) -> bytes:
        begin = place.encode() + b" "
        if not data.startswith(begin):
            raise SealError("another place")
        return data[len(begin) :]

    async def add_beside(
        self, organisation: str, visit: str, kind: keys.Key, fields: dict[str, bytes]
    ) -> bool:
        if self.away:
            raise UnavailableError("store")
        assert kind(organisation, visit) == keys.CALLS(ORG, VISIT)
        self.parts |= fields
        return True

    async def beside(self, organisation: str, visit: str, ask: Any) -> tuple[Any, Any]:
        asked: list[str] = []
        ask(SimpleNamespace(hvals=asked.append))
        assert asked == [keys.CALLS(organisation, visit)]
        return list(self.parts.values()), self.past

    def kept(self) -> dict[str, Tally]:
        """Return party -> the measurements of its call that were written to the store."""
        found = [TALLY.decode(self.open(data, f"{ORG}/calls/{VISIT}")) for data in self.parts.values()]
        return {tally.party: tally for tally in found}


class Watched:
    """A room of two connected parties, and the object that measures its call. `now_s`: the time that this object
    reads.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.store, self.tasks = InMemory(), list[Any]()
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        quality = SimpleNamespace(rtt_ms=80.0, sent={}, received={})
        self.room = Room(ORG, SimpleNamespace(), 7, {})
        for party in ("patient", "provider"):
            media: Any = SimpleNamespace(connected=True, quality=lambda: quality)
            self.room.participants[party] = Participant(member(party), media, 0)
        store: Any = self.store
        self.watch = CallWatch({VISIT: self.room}, store, self.tasks.append)

    def tick(self) -> None:
        """Measure all calls as the timer does, and leave no other timer than the new one."""
        self.watch.close()
        self.watch._tick()

    def connected_ms(self) -> dict[str, float]:
        """Return party -> how long it was connected, in ms, according to the measurements of the call."""
        return {party: tally.connected_ms for (party, _), tally in self.room.tallies.items()}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    watched = Watched(monkeypatch)
    yield watched
    watched.watch.close()
    for task in watched.tasks:
        task.close()


NAMES = {"patient": "Ana", "provider": "Osei"}


async def test_the_time_of_those_who_talk_is_counted_while_they_are_connected(watched: Watched) -> None:
    watched.watch.talking(watched.room, {"patient": "Ana"})
    watched.now_s += 2
    before = sum(counts.ROUND_TRIP_S.numbers)
    watched.watch.look(watched.room)
    assert watched.connected_ms() == {"patient": 2000.0}
    assert sum(counts.ROUND_TRIP_S.numbers) == before + 1
    assert watched.room.tallies["patient", "Ana"].seen == {"round_trip": {80: 1}}
    watched.watch.talking(watched.room, NAMES)
    watched.room.participants["patient"].media.connected = False  # type: ignore[misc]
    watched.now_s += 1
    watched.watch.look(watched.room)
    watched.now_s += 5
    watched.watch.look(watched.room)
    assert watched.connected_ms() == {"patient": 3000.0, "provider": 6000.0}
    del watched.room.participants["provider"]
    watched.watch.look(watched.room)
    assert watched.room.since_s == {}


async def test_only_a_path_that_was_counted_is_interrupted(watched: Watched) -> None:
    watched.watch.follow(watched.room, "patient", Disconnected("timeout"))
    assert watched.room.tallies == {}
    watched.watch.talking(watched.room, NAMES)
    watched.now_s += 1
    watched.watch.follow(watched.room, "patient", Speaking("patient"))
    assert watched.connected_ms() == {}, "who speaks is no reason to measure"
    watched.watch.follow(watched.room, "patient", Disconnected("timeout"))
    watched.watch.follow(watched.room, "provider", Connected())
    assert watched.connected_ms() == {"patient": 1000.0, "provider": 1000.0}
    assert [tally.interruptions for tally in watched.room.tallies.values()] == [1, 0]


async def test_the_same_names_again_change_nothing_and_other_names_are_other_calls(watched: Watched) -> None:
    watched.watch.talking(watched.room, NAMES)
    timer = watched.watch._timer
    watched.now_s += 1
    watched.watch.talking(watched.room, dict(NAMES))
    assert watched.connected_ms() == {}
    assert watched.room.kept_s == 100.0
    watched.watch.talking(watched.room, {**NAMES, "provider": "Lin"})
    assert (watched.room.kept_s, watched.watch._timer) == (100.0, timer)
    watched.now_s += 1
    watched.watch.look(watched.room)
    assert {key: tally.connected_ms for key, tally in watched.room.tallies.items()} == {
        ("patient", "Ana"): 2000.0, ("provider", "Osei"): 1000.0, ("provider", "Lin"): 1000.0
    }  # fmt: skip


async def test_a_call_is_measured_every_two_seconds_and_written_every_thirty(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: list[tuple[float, Any]] = []

    def call_later(delay_s: float, call: Any) -> str:
        later.append((delay_s, call))
        return "timer"

    loop = SimpleNamespace(call_later=call_later)
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
    watched.watch.talking(watched.room, {})
    assert later == [], "nobody talks"
    watched.watch.talking(watched.room, NAMES)
    written: list[float] = []

    def keep(visit: str, room: Room) -> None:
        written.append(watched.now_s)
        watched.watch._parts(visit, room)

    monkeypatch.setattr(watched.watch, "keep", keep)
    for _ in range(31):
        delay_s, tick = later.pop(0)
        assert delay_s == 2.0
        watched.now_s += delay_s
        tick()
    assert written == [130.0, 160.0]
    watched.watch.talking(watched.room, {})
    later.pop(0)[1]()
    assert (later, watched.watch._timer) == ([], None)


async def test_a_call_is_measured_no_longer_after_its_worker_has_stopped(watched: Watched) -> None:
    watched.watch.talking(watched.room, NAMES)
    timer = watched.watch._timer
    for _ in range(2):
        watched.watch.close()
    assert timer is not None
    assert (timer.cancelled(), watched.watch._timer) == (True, None)


async def test_a_room_that_cannot_be_measured_does_not_stop_the_others(watched: Watched) -> None:
    rooms: Any = watched.watch._rooms
    rooms["v_0"] = Room(ORG, SimpleNamespace(), 7, {})
    rooms["v_0"].talking, rooms["v_0"].participants = NAMES, None
    watched.watch._rooms = {"v_0": rooms["v_0"], VISIT: watched.room}
    watched.watch.talking(watched.room, NAMES)
    watched.now_s += 2
    with capture_logs() as logs:
        watched.tick()
    assert [(line["event"], line["visit"]) for line in logs] == [("room.not_looked_at", "v_0")]
    assert watched.connected_ms() == {"patient": 2000.0, "provider": 2000.0}
    assert watched.watch._timer is not None


@pytest.mark.parametrize(("passed_ms", "kept"), [(0.9, False), (1.1, True)])
async def test_counts_are_written_with_their_visit_if_there_are_any(
    watched: Watched, passed_ms: float, kept: bool
) -> None:
    watched.watch.talking(watched.room, {"patient": "Ana"})
    watched.now_s += passed_ms / 1000
    watched.watch.look(watched.room)
    watched.watch.keep(VISIT, watched.room)
    assert len(watched.tasks) == kept
    await asyncio.gather(*watched.tasks)
    assert list(watched.store.kept()) == ["patient"] * kept
    assert list(watched.store.parts) == [f"{watched.room.name}/0"] * kept
    assert watched.room.kept_s == watched.now_s


async def test_the_last_counts_are_written_before_a_room_is_given_up(watched: Watched) -> None:
    watched.watch.talking(watched.room, NAMES)
    watched.now_s += 3
    await watched.watch.finish(VISIT, watched.room)
    assert {party: tally.connected_ms for party, tally in watched.store.kept().items()} == {
        "patient": 3000.0, "provider": 3000.0
    }  # fmt: skip
    assert watched.room.talking == {}
    store: Any = watched.store
    assert [tally.party for tally in await calls_of(store, ORG, VISIT)] == ["patient", "provider"]


async def test_while_the_store_is_away_the_call_goes_on_and_that_is_logged(watched: Watched) -> None:
    watched.watch.talking(watched.room, NAMES)
    watched.now_s += 3
    watched.store.away = True
    with capture_logs() as logs:
        await watched.watch.finish(VISIT, watched.room)
    assert [line["event"] for line in logs if line["event"].startswith("room.")] == ["room.quality_not_kept"]


async def test_counts_that_cannot_be_read_are_left_out_and_those_of_a_packed_visit_are_used() -> None:
    store = InMemory()
    good = store.close(
        msgspec.msgpack.encode(Tally(party="patient", name="Ana", connected_ms=5.0)), f"{ORG}/calls/{VISIT}"
    )
    store.parts = {"w/0": b"forged", "w/1": good, "w/2": store.close(b"\xff", f"{ORG}/calls/{VISIT}")}
    with capture_logs() as logs:
        (found,) = await calls_of(store, ORG, VISIT)  # type: ignore[arg-type]
    assert (found.party, found.connected_ms) == ("patient", 5.0)
    assert [(line["event"], line["what"]) for line in logs] == [("store.unreadable_record", "calls")] * 2
    store.past = SimpleNamespace(calls=(Tally(party="guest-1", name="Rosa"),))
    assert [tally.party for tally in await calls_of(store, ORG, VISIT)] == ["guest-1"]  # type: ignore[arg-type]
