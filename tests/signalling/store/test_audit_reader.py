"""Tests which entries the reader of an audit log asks the store for, also while the log changes."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from signalling.store import audit_reader as reader
from signalling.store import keys
from signalling.store.audit_reader import AuditReader, NothingSeen
from tests.signalling.store.test_audit_log_apart import HEAD, One
from tests.signalling.visits import ORG, T0


class Stored:
    """A store with one list of five entries. As in Redis, a read includes the entry at its last position."""

    entries = (b"0", b"1", b"2", b"3", b"4")

    async def lrange(self, key: str, first: int, last: int) -> list[bytes]:
        """Return the entries from the position `first` to `last`."""
        assert key == keys.AUDIT(ORG)
        return list(self.entries[first : last + 1])

    async def llen(self, key: str) -> int:
        assert key == keys.AUDIT(ORG)
        return len(self.entries)


@pytest.mark.parametrize(
    ("start", "count", "found"), [(0, 1, "0"), (1, 2, "12"), (2, 3, "234"), (3, 9, "34"), (5, 1, "")]
)
async def test_a_number_of_entries_is_read_from_a_position_on(start: int, count: int, found: str) -> None:
    reader = AuditReader(Stored(), b"k" * 32, NothingSeen())
    assert b"".join(await reader.read(ORG, start, count)) == found.encode()
    assert await reader.length(ORG) == 5


async def test_a_check_during_which_old_entries_are_trimmed_begins_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = One()
    await one.written(3)
    read, reads = one.log.read, 0

    async def trimmed_first(organisation: str, start: int, count: int) -> list[bytes]:
        nonlocal reads
        reads += 1
        if reads == 1:
            await one.log.trim(ORG, T0 + 1)
        return await read(organisation, start, count)

    monkeypatch.setattr(one.log, "read", trimmed_first)
    verdict = await one.log.verify(ORG)
    assert (verdict.good, verdict.problem) == (2, "")


async def test_a_check_reads_page_by_page_and_not_the_entries_that_come_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = One()
    await one.written(5)
    assert await one.log.trim(ORG, T0 + 2) == 2
    read, pages, sleeps = one.log.read, list[tuple[int, int]](), list[float]()

    async def more_come(organisation: str, start: int, count: int) -> list[bytes]:
        pages.append((start, count))
        await one.written(1)
        return await read(organisation, start, count)

    async def sleep(delay_s: float) -> None:
        sleeps.append(delay_s)

    monkeypatch.setattr(reader, "READ", 2)
    monkeypatch.setattr(reader, "asyncio", SimpleNamespace(sleep=sleep, to_thread=asyncio.to_thread))
    monkeypatch.setattr(one.log, "read", more_come)
    verdict = await one.log.verify(ORG)
    assert (verdict.good, verdict.problem) == (3, "")
    assert (pages, sleeps) == ([(0, 2), (2, 1)], [0, 0])


async def test_the_file_of_seen_entries_is_never_read_or_written_by_the_thread_of_the_event_loop() -> None:
    one, threads = One(), list[str]()
    get, put = one.seen.get, one.seen.put

    def noted(work: Any) -> Any:
        def call(*args: Any) -> Any:
            threads.append(threading.current_thread().name)
            return work(*args)

        return call

    one.seen.get, one.seen.put = noted(get), noted(put)  # type: ignore[method-assign]
    await one.written(2)  # the first entry needs a new head
    await one.log._record_seen(ORG)
    assert (await one.log.verify(ORG)).problem == ""
    assert len(threads) >= 4
    assert threading.main_thread().name not in threads


@pytest.mark.parametrize(
    ("sealed", "problem"),
    [
        (None, "the end of the log is not recorded: it was removed"),
        (b"x" * 40, "the record of the log's beginning and end was changed"),
    ],
)
async def test_of_a_log_whose_head_is_gone_no_entry_is_good(sealed: bytes | None, problem: str) -> None:
    one = One()
    await one.written(2)
    await one.log.write(ORG, "u_osei", "case.read")
    del one.redis.strings[HEAD]
    if sealed is not None:
        one.redis.strings[HEAD] = sealed
    assert await one.log.verify(ORG) == reader.Verdict(0, 0, 1, problem)
