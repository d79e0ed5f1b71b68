"""Tests in which batches a store is read to encrypt its records again with a new key. The store is in memory."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.resealing import AT_ONCE, EVENTS_AT_ONCE, Kept, Resealing

OLD, NEW = {b"old": b"o" * 32}, {b"new": b"n" * 32}
BEFORE, AFTER = Seal(OLD), Seal(NEW)


class InMemory:
    """A store that returns its keys in two pages. `found`: what the script that looks for old values returns."""

    def __init__(self, *pages: list[str], size: int = 0) -> None:
        self.pages, self.size = pages, size
        self.found: list[list[Any]] = []
        self.swapped: list[tuple[list[str], list[bytes]]] = []
        self.events: list[tuple[bytes, dict[bytes, bytes]]] = []
        self.trimmed: list[tuple[str, str, bool]] = []

    def register_script(self, text: str) -> Any:
        return self._swap if "swapped" in text else self._find

    async def _find(self, *, keys: list[str], args: list[bytes]) -> list[list[Any]]:
        return self.found

    async def _swap(self, *, keys: list[str], args: list[bytes]) -> int:
        self.swapped.append((keys, args))
        return len(keys)

    async def dbsize(self) -> int:
        return self.size

    async def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        return (cursor + 1) % len(self.pages), [name.encode() for name in self.pages[cursor]]

    async def xrange(self, name: str, *, min: str, count: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        after = 0 if min == "-" else int(min.removeprefix("(").partition("-")[0])
        return [one for one in self.events if int(one[0].partition(b"-")[0]) > after][:count]

    async def xtrim(self, name: str, *, minid: str, approximate: bool) -> int:
        self.trimmed.append((name, minid, approximate))
        return int(minid.partition("-")[0]) - 1


def resealing(store: InMemory) -> Resealing:
    """Return the object that encrypts the records of this store again with the new key."""
    return Resealing(cast(Any, store), Seal({**OLD, **NEW}), b"old")


async def test_keys_are_read_twenty_at_a_time_and_photos_and_events_alone() -> None:
    visits = [keys.VISIT("demo", f"v_{number}") for number in range(21)]
    photos, events = keys.PHOTOS("demo", "v_1"), keys.EVENTS("demo")
    store = InMemory([*visits, photos, "unknown"], [events, keys.HISTORY("demo", "v_1")], size=30)
    progress: list[tuple[int, int]] = []
    found = [
        [one.name for one in batch]
        async for batch in resealing(store)._batches(lambda read, whole: progress.append((read, whole)))
    ]
    assert found == [[photos], visits[:AT_ONCE], visits[AT_ONCE:], [events], [keys.HISTORY("demo", "v_1")]]
    assert AT_ONCE == 20
    assert progress == [(23, 30), (25, 30)]


async def test_more_keys_than_there_were_at_the_beginning_are_shown_as_they_are() -> None:
    store, progress = InMemory(["a", "b"], size=1), list[tuple[int, int]]()
    assert await resealing(store).look(lambda *read: progress.append(read)) == (0, 0)
    assert progress == [(2, 2)]


@pytest.mark.parametrize(("kind", "in_loop"), [(keys.PHOTOS, False), (keys.VISIT, True)])
async def test_only_photos_are_encrypted_in_a_thread_so_that_the_loop_goes_on(
    kind: keys.Key, in_loop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, threads = Kept(kind("demo", "v_1"), kind, ("demo", "v_1")), list[threading.Thread]()
    store, place = InMemory(), "demo/photo/v_1/p_1" if kind is keys.PHOTOS else "demo/visit/v_1"
    store.found = [[0, b"p_1", BEFORE.close(b"bytes", place)]]
    sealing = resealing(store)
    other = sealing._other

    def noted(*args: Any) -> bytes:
        threads.append(threading.current_thread())
        return other(*args)

    monkeypatch.setattr(sealing, "_other", noted)
    assert await sealing._reseal([one]) == (1, 1)
    assert [thread is threading.main_thread() for thread in threads] == [in_loop]
    ((names, (at, old, new)),) = store.swapped
    assert (names, at, old) == ([one.name], b"p_1", store.found[0][2])
    assert AFTER.open(new, place) == b"bytes"


async def test_records_without_old_values_are_not_written() -> None:
    store = InMemory()
    assert await resealing(store)._reseal([Kept("x", keys.VISIT, ("demo", "v_1"))]) == (0, 0)
    assert store.swapped == []


@pytest.mark.parametrize(
    ("old", "trimmed"), [((), 0), ((1,), 1), ((1, EVENTS_AT_ONCE + 5), EVENTS_AT_ONCE + 5)]
)
async def test_exactly_the_events_up_to_the_last_old_one_are_removed(
    old: tuple[int, ...], trimmed: int
) -> None:
    store = InMemory()
    for number in range(1, EVENTS_AT_ONCE + 50):
        seal = BEFORE if number in old else AFTER
        store.events.append((b"%d-0" % number, {b"e": b"event " + seal.close(b"record", "x")}))
    assert await resealing(store)._trim("stream") == (trimmed, trimmed)
    assert store.trimmed == [("stream", f"{trimmed + 1}-0", False)] * bool(old)
