"""Tests what the audit log writes, chains, records and trims, and when, with lists and strings in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from signalling.errors import UnavailableError
from signalling.store import audit_log as module
from signalling.store import keys
from signalling.store.audit_log import AT_ONCE, AuditLog, key_of
from signalling.store.encryption import Seal
from signalling.visit import audit_entries as audit
from signalling.visit.audit_entries import Entry
from tests.signalling.store.test_audit_log import Memory
from tests.signalling.visits import ORG, OTHER, T0

KEY = b"k" * 32
QUEUE, LOG, HEAD = keys.AUDIT_QUEUE(ORG), keys.AUDIT(ORG), keys.AUDIT_HEAD(ORG)


class InMemory:
    """The lists and strings of the store. `first`: a function that is called before each script, and can change the
    store like another worker.
    """

    def __init__(self) -> None:
        self.lists: dict[str, list[bytes]] = {}
        self.strings: dict[str, bytes] = {}
        self.first: Callable[[], None] = lambda: None

    def register_script(self, text: str) -> Any:
        return self._bind if "RPUSH" in text else self._trim

    def pipeline(self, *, transaction: bool) -> InMemoryPipeline:
        assert not transaction, "the queues may be at several nodes"
        return InMemoryPipeline(self)

    async def rpush(self, key: str, *items: bytes) -> None:
        self.lists.setdefault(key, []).extend(items)

    async def get(self, key: str) -> bytes | None:
        return self.strings.get(key)

    async def llen(self, key: str) -> int:
        return len(self.lists.get(key, ()))

    async def lindex(self, key: str, at: int) -> bytes | None:
        found = self.lists.get(key)
        return found[at] if found else None

    async def lrange(self, key: str, first: int, last: int) -> list[bytes]:
        return self.lists.get(key, [])[first : last + 1]

    async def _bind(self, *, keys: list[str], args: list[Any]) -> int:
        self.first()
        queue, entries, head = keys
        if self.strings.get(head, b"") != args[0]:
            return 0
        self.lists.setdefault(entries, []).extend(args[3:])
        del self.lists[queue][: args[2]]
        self.strings[head] = args[1]
        return 1

    async def _trim(self, *, keys: list[str], args: list[Any]) -> int:
        self.first()
        entries, head = keys
        if self.strings.get(head) != args[0]:
            return 0
        del self.lists[entries][: args[2]]
        self.strings[head] = args[1]
        return 1


class InMemoryPipeline:
    """Several commands whose results are returned together."""

    def __init__(self, store: InMemory) -> None:
        self._store = store
        self._asked: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self._asked.append(getattr(self._store, name)(*args))

    async def execute(self) -> list[Any]:
        return [await asked for asked in self._asked]


class One:
    """An audit log with a store in memory. `now_ms`: the time of new entries."""

    def __init__(self) -> None:
        self.redis, self.seen, self.now_ms = InMemory(), Memory(), T0
        seal = Seal({b"1": KEY})
        self.store: Any = SimpleNamespace(
            redis=self.redis,
            seal=seal,
            clock_ms=lambda: self.now_ms,
            sealed_act=lambda organisation, act: seal.close(audit.encode(act), f"{organisation}/audit"),
        )
        organisations: Any = SimpleNamespace(list=self._organisations)
        self.log = AuditLog(cast(Any, self.store), KEY, organisations, self.seen)

    async def _organisations(self) -> list[str]:
        return [ORG, OTHER]

    async def written(self, count: int) -> AuditLog:
        """Write this number of entries, one millisecond apart, and chain them; return the log."""
        for _ in range(count):
            self.log.note(ORG, "u_osei", "case.read", "v_1", "u_lin")
            self.now_ms += 1
        await self.log.flush()
        await self.log.bind_all(ORG)
        return self.log

    @property
    def entries(self) -> list[Entry | None]:
        return [audit.entry_of(kept) for kept in self.redis.lists.get(LOG, ())]

    @property
    def said(self) -> list[tuple[int, str, str]]:
        """Return (number, actor, name) of each entry of the log."""
        return [(e.number, e.act.who, e.act.what) for e in self.entries if e is not None]


@pytest.fixture
def one() -> One:
    """An audit log with a store in memory."""
    return One()


async def test_an_entry_waits_in_memory_until_it_is_flushed_and_a_written_one_does_not(one: One) -> None:
    one.log.note(ORG, "u_osei", "case.read")
    assert (one.log.unwritten, one.redis.lists) == (1, {})
    await one.log.write(ORG, "u_osei", "case.read")
    assert (one.log.unwritten, len(one.redis.lists[QUEUE])) == (0, 2)
    assert one.log._touched == {ORG}


def test_the_key_of_the_hashes_stays_the_same_for_a_root_key() -> None:
    # With another key, every log that was written before would count as changed.
    assert key_of(KEY).hex() == ("55126933432833ebbfb7fd01c3ff1aefd0e1e7ece0746bf8a7fa95fdd8c00d8a")


def test_a_commit_wakes_the_writer_for_its_organisation(one: One) -> None:
    assert not one.log._awake.is_set()
    one.store.on_audited(OTHER)
    assert (one.log._touched, one.log._awake.is_set()) == ({OTHER}, True)


def test_at_20_000_unwritten_entries_no_more_patient_data_is_shown(one: One) -> None:
    one.log._count = 19_999
    one.log.ready()
    one.log._count = 20_000
    with pytest.raises(UnavailableError):
        one.log.ready()


@pytest.mark.parametrize(
    ("queued", "more", "chained"),
    [(0, False, 0), (1, False, 1), (AT_ONCE - 1, False, AT_ONCE - 1), (AT_ONCE, True, AT_ONCE)],
)
async def test_two_hundred_entries_are_chained_in_one_step(
    one: One, queued: int, more: bool, chained: int
) -> None:
    for _ in range(queued):
        one.log.note(ORG, "u_osei", "case.read", "v_1")
    await one.log.flush()
    assert await one.log.bind(ORG) is more
    assert [number for number, *_ in one.said] == list(range(1, chained + 1))


async def test_a_worker_that_comes_second_chains_nothing_and_tries_again(one: One) -> None:
    await one.written(1)
    one.log.note(ORG, "u_osei", "case.read")
    await one.log.flush()
    head = one.redis.strings.pop(HEAD)
    one.redis.first = lambda: one.redis.strings.setdefault(HEAD, head)  # type: ignore[assignment]
    with capture_logs() as logs:
        assert await one.log.bind(ORG) is True
    assert (len(one.said), logs) == (1, []), "the head was not missing in truth"


@pytest.mark.parametrize(
    ("head", "log", "seen", "first"),
    [
        (True, 2, 0, (3, "u_osei", "case.read")),
        (True, 2, 9, (3, "u_osei", "case.read")),
        (False, 2, 0, (3, "system", "trail.broken")),
        (False, 2, 9, (10, "system", "trail.broken")),
        (False, 0, 9, (10, "system", "trail.broken")),
        (False, 0, 0, (1, "u_osei", "case.read")),
    ],
)
async def test_a_log_without_a_head_continues_after_the_highest_number_that_is_known(
    one: One, head: bool, log: int, seen: int, first: tuple[int, str, str]
) -> None:
    await one.written(2)
    del one.redis.lists[LOG][log:]
    if not head:
        del one.redis.strings[HEAD]
    if seen:
        one.seen.put(ORG, seen, b"hash")
    with capture_logs() as logs:
        await one.written(1)
    broken = first[2] == "trail.broken"
    assert one.said[log] == first
    assert [line["event"] for line in logs] == ["audit.broken"] * broken
    last = one.redis.lists[LOG][log - 1] if log else None
    chain = one.log.chain(ORG)
    assert chain.follows(audit.hash_of(last) if last else chain.begin.last, one.redis.lists[LOG][log])


async def test_bytes_in_the_queue_that_no_server_wrote_become_an_entry_of_the_system(one: One) -> None:
    await one.redis.rpush(QUEUE, b"forged")
    with capture_logs() as logs:
        await one.log.bind_all(ORG)
    assert one.said == [(1, "system", "trail.forged")]
    assert [(line["event"], line["organisation"]) for line in logs] == [("audit.forged", ORG)]


async def test_organisations_whose_queue_a_dead_worker_left_are_found(one: One) -> None:
    assert await one.log._left() == []
    await one.redis.rpush(keys.AUDIT_QUEUE(OTHER), b"x")
    assert await one.log._left() == [OTHER]


@pytest.mark.parametrize(
    ("problem", "raised"),
    [(ValueError(), False), (UnavailableError("store"), True), (asyncio.CancelledError(), True)],
)
async def test_a_log_that_could_not_be_chained_is_tried_again(
    one: One, problem: BaseException, raised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bind_all(organisation: str) -> None:
        if organisation == ORG:
            raise problem

    monkeypatch.setattr(one.log, "bind_all", bind_all)
    one.log._touched = {ORG} if raised else {ORG, OTHER}
    found = await asyncio.gather(one.log._bind_touched(), return_exceptions=True)
    assert [type(each) for each in found] == [type(problem) if raised else type(None)]
    assert one.log._touched == {ORG}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the audit log, which does not really wait. `now_s`: the time.

    `sleeps`, `timeouts`: the length of each sleep and time-out so far, in s. The seventh sleep is cancelled.
    """
    clock = SimpleNamespace(now_s=100.0, sleeps=[], timeouts=[])

    async def sleep(delay_s: float) -> None:
        if len(clock.sleeps) == 6:
            raise asyncio.CancelledError
        clock.sleeps.append(round(delay_s, 6))
        clock.now_s += delay_s

    def timeout(after_s: float) -> asyncio.Timeout:
        clock.timeouts.append(after_s)
        return asyncio.timeout(0 if after_s == module.LEFT_S / 2 else 60)

    replaced = {
        "sleep": sleep,
        "timeout": timeout,
        "get_running_loop": lambda: SimpleNamespace(time=lambda: clock.now_s),
    }
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), **replaced}))
    return clock


async def test_entries_are_flushed_after_50_ms_and_again_before_they_are_chained(
    one: One, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[tuple[float, str]] = []

    def step(name: str, result: Any = None) -> Any:
        async def run() -> Any:
            did.append((round(clock.now_s, 3), name))
            if name == "left":
                clock.now_s += 19.8 if len(did) < 9 else 0
            return result

        return run

    for name, result in (("flush", None), ("_left", [OTHER]), ("_bind_touched", None)):
        monkeypatch.setattr(one.log, name, step(name.strip("_"), result))
    with pytest.raises(asyncio.CancelledError):
        await one.log.run()
    assert clock.timeouts == [10.0] * 4
    assert clock.sleeps == [0.05, 0.2] * 3
    assert did == [
        (100.05, "flush"), (100.25, "flush"), (100.25, "left"), (120.05, "bind_touched"),
        (120.1, "flush"), (120.3, "flush"), (120.3, "left"), (140.1, "bind_touched"),
        (140.15, "flush"), (140.35, "flush"), (140.35, "left"), (140.35, "bind_touched"),
    ]  # fmt: skip
    assert one.log._touched == {OTHER}


async def test_a_store_that_does_not_answer_is_tried_again_after_a_second(
    one: One, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def flush() -> None:
        raise UnavailableError("store")

    monkeypatch.setattr(one.log, "flush", flush)
    with pytest.raises(asyncio.CancelledError):
        await one.log.run()
    assert clock.sleeps == [0.05, 1.0] * 3


async def test_the_newest_entry_is_recorded_every_ten_seconds_and_at_the_end(
    one: One, clock: SimpleNamespace
) -> None:
    recorded: list[int] = []
    for after_s in (0.0, 9.9, 0.1, 5.0):
        clock.now_s += after_s
        await one.written(1)
        await one.log._bind_touched()
        recorded.append(one.seen.seen[ORG][0])
    assert recorded == [1, 1, 3, 3]
    await one.log.close()
    assert one.seen.seen[ORG] == (4, audit.hash_of(one.redis.lists[LOG][-1]))
    assert set(clock.timeouts) == {5.0}


@pytest.mark.parametrize(
    ("seen", "same", "recorded"),
    [(None, True, True), (2, True, True), (3, True, True), (4, True, True), (3, False, False), (4, False, False),
     (5, False, False), (9, False, False), (2, False, True)],
)  # fmt: skip
async def test_a_record_of_an_entry_that_the_log_lacks_is_kept(
    one: One, seen: int | None, same: bool, recorded: bool
) -> None:
    await one.written(5)
    assert await one.log.trim(ORG, T0 + 2) == 2, "entry 3 is the first"
    if seen is not None:
        kept = one.redis.lists[LOG][max(0, seen - 3)] if seen <= 5 else b"x"
        one.seen.put(ORG, seen, audit.hash_of(kept) if same else b"another")
    before = one.seen.get(ORG)
    with capture_logs() as logs:
        await one.log._record_seen(ORG)
    newest = 5, audit.hash_of(one.redis.lists[LOG][-1])
    assert one.seen.seen[ORG] == (newest if recorded else before)
    assert [line["event"] for line in logs] == ["audit.broken"] * (not same and seen in (3, 4))


@pytest.mark.parametrize(("before_ms", "gone"), [(T0, 0), (T0 + 1, 1), (T0 + 3, 3), (T0 + 9, 3)])
async def test_entries_before_a_time_are_trimmed(one: One, before_ms: int, gone: int) -> None:
    await one.written(3)
    assert await one.log.trim(ORG, before_ms) == gone
    assert [number for number, *_ in one.said] == list(range(gone + 1, 4))
    assert (await one.log.verify(ORG)).problem == ""


async def test_entries_that_another_worker_trims_are_not_counted(one: One) -> None:
    await one.written(3)
    before = one.redis.strings[HEAD]

    def first() -> None:
        one.redis.first = lambda: None
        one.redis.strings[HEAD] = before + b"x"

    one.redis.first = first
    assert await one.log.trim(ORG, T0 + 9) == 0
    assert len(one.said) == 3
