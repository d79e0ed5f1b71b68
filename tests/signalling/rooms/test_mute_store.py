"""Tests that muted kinds of media are stored at once, and that a client that mutes very often causes few writes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from signalling.errors import UnavailableError
from signalling.rooms import mute_store
from signalling.rooms.mute_store import MuteStore
from signalling.rooms.participants import Room
from signalling.rooms.worker_messages import Member

ANA = Member("clinic", "v_1", "patient", "patient:v_1", "c1", "w1", "json")


class Leases:
    """Keeps muted kinds of media in memory instead of the store. While `away`, it raises UnavailableError."""

    def __init__(self) -> None:
        self.written: list[tuple[int, frozenset[str]]] = []
        self.away = False

    async def keep_muted(self, member: Member, fence: int, kinds: frozenset[Any]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise UnavailableError
        self.written.append((fence, kinds))


def _made() -> tuple[MuteStore, Leases, Room, list[asyncio.Task[None]]]:
    leases, tasks = Leases(), list[asyncio.Task[None]]()
    made: Any = MuteStore(leases, lambda work: tasks.append(asyncio.ensure_future(work)))  # type: ignore[arg-type]
    room: Any = Room("clinic", None, 7, {})  # type: ignore[arg-type]
    return made, leases, room, tasks


def _mute(store: MuteStore, room: Room, *kinds: Any) -> None:
    room.muted[ANA.party, ANA.person] = frozenset(kinds)
    store.keep(room, ANA)


async def test_the_first_change_is_stored_at_once() -> None:
    store, leases, room, _tasks = _made()
    _mute(store, room, "audio")
    for _ in range(5):
        await asyncio.sleep(0)
    assert leases.written == [(7, frozenset({"audio"}))]


def test_a_change_that_its_worker_could_lose_waits_less_than_half_a_second() -> None:
    assert mute_store.EVERY_S < 0.5


async def test_of_many_changes_the_newest_is_stored_and_few_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mute_store, "EVERY_S", 0.1)
    store, leases, room, tasks = _made()
    began = time.monotonic()
    for number in range(500):
        _mute(store, room, *(("audio",) if number % 2 == 0 else ()))
        await asyncio.sleep(0)
    _mute(store, room, "audio", "video")
    await asyncio.gather(*tasks)
    assert leases.written[-1] == (7, frozenset({"audio", "video"}))
    assert len(leases.written) <= 2 + (time.monotonic() - began) / 0.1
    assert len(tasks) == 1


async def test_a_store_that_is_away_ends_nothing_and_the_next_change_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mute_store, "EVERY_S", 0.01)
    store, leases, room, tasks = _made()
    leases.away = True
    _mute(store, room, "audio")
    await asyncio.gather(*tasks)
    leases.away = False
    _mute(store, room)
    await asyncio.gather(*tasks)
    assert leases.written == [(7, frozenset())]
