"""The mirror: this worker's copy of an organisation's open records, updated by pub/sub and repaired from the event
stream.

All topics are read from this copy, so that showing a page causes no request to the store. `seq` is the number of the
newest event in the copy. If an event arrives before an event with a lower number, it waits GAP_S; then the missing
events are fetched and shown first, so that none is lost, repeated or out of order. If the store has lost events (its
newest number is lower than before, or a number now belongs to another event), a new epoch begins, and all records are
loaded and shown again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import structlog

from signalling import counts
from signalling.errors import SealError, UnavailableError
from signalling.store.event_stream import StreamEntry, StreamHead, decode_entry, mark_of
from signalling.store.records import Committed, Store
from signalling.supervision import Failed, unsupervised
from signalling.visit import waiting
from signalling.visit.open_visits import OpenVisits
from signalling.visit.queue_state import Watch
from signalling.visit.record import Record, Staff, Visit

log = structlog.get_logger()
GAP_S = 0.01
"""An event waits this time in s for missing events with lower numbers; then these are fetched from the store.

Often they arrive in this time: the reply to this worker's commit can overtake the message about an earlier commit.
"""
MOST_EARLY = 512
"""The greatest number of events that may wait for missing events. Further events are fetched from the stream later."""


class Change(msgspec.Struct, frozen=True):
    """One event, as the observers of a mirror receive it.

    `before`: the record before the event, None if there was no open record. `after`: the record after the
    event. `notices`: (person, encrypted notification) for each notification that the event causes. `trace`:
    the context of the trace (`Span.context`) if the change is traced.
    """

    organisation: str
    seq: int
    kind: str
    before: Visit | Staff | None
    after: Record
    notices: tuple[tuple[str, bytes], ...] = ()
    trace: bytes | None = None


class Reset(msgspec.Struct, frozen=True):
    """Reports to the observers of a mirror that some events are lost, so the observers must show everything again."""

    organisation: str


Observer = Callable[[Change | Reset], None]


def version_of(seq: int) -> int:
    """Return the version of the topics after the event with the number `seq`.

    It is `2 * seq`. If the event needs two messages, the first message has the version `2 * seq - 1`.
    """
    return 2 * seq


class Mirror:
    """This worker's copy of one organisation's open records. `watch`: the state of the organisation's queue.

    `observers` are called with each change, in order. `failed` is called if a repair fails.
    """

    def __init__(
        self, organisation: str, store: Store, observers: list[Observer], failed: Failed = unsupervised
    ) -> None:
        self.organisation = organisation
        self.failed = failed
        self.epoch = ""
        self.seq = 0
        self.visits = OpenVisits()
        self.staff: dict[str, Staff] = {}
        self.watch = Watch()
        self.claims: deque[waiting.Paced] = deque(maxlen=waiting.RECENT)
        self._store = store
        self._observers = observers
        self._repairing: asyncio.Task[None] | None = None
        self._wanted = 0
        self._loaded = False
        # number -> event that arrived before an event with a lower number; the timer `_gap` limits the wait
        self._early: dict[int, StreamEntry] = {}
        self._gap: asyncio.TimerHandle | None = None
        # True while all records are loaded anew: single events must not be applied during this time
        self._loading = False
        # visit -> the mark (`mark_of`) of its record, for the visits that have changed since this copy was loaded
        self._marks: dict[str, bytes] = {}
        # The mark of the event `seq` (bytes that distinguish it from any other), empty if unknown.
        self._mark = b""
        self._lost = False  # True if the store has another event with the number `seq` than this copy

    @property
    def version(self) -> int:
        """Return the version that the topics have now: the version after the newest event in this copy."""
        return version_of(self.seq)

    async def open(self) -> None:
        """Load the copy for the first time, after subscribing to the events.

        Raises `UnavailableError` if the store does not answer.
        """
        await self._load()
        self._loaded = True
        if self._wanted > self.seq:
            self.repair(self._wanted)

    async def _load(self) -> None:
        snapshot = await self._store.snapshot(self.organisation)
        head = snapshot.head
        self.epoch, self.seq, self._mark, self._lost = head.epoch, head.seq, head.mark, False
        self.visits, self.staff = OpenVisits(snapshot.visits.values()), snapshot.staff
        self.watch = snapshot.watch
        self._marks.clear()
        self.claims.clear()
        self.claims.extend(snapshot.claims)
        self._early.clear()

    def guess(self, visit_id: str) -> tuple[Visit, bytes] | None:
        """Return (an open visit as this copy has it, the mark of its record); None if the mark is not known.

        With the mark (`mark_of`), a commit finds out whether the store still has the same record.
        """
        mark = self._marks.get(visit_id)
        return None if mark is None else (self.visits[visit_id], mark)

    def receive(self, data: bytes) -> None:
        """Apply an event that has come by pub/sub. `data`: its number, epoch and entry, with a space between them."""
        seq, epoch, sealed = data.split(b" ", 2)
        entry = decode_entry(sealed)
        counts.EVENT_LAG_S.observe(max(0, self._store.clock_ms() - entry.at_ms) / 1000)
        self._take(int(seq), epoch.decode(), entry)

    def committed(self, commit: Committed) -> None:
        """Apply an event that this worker has just committed, without waiting for pub/sub."""
        self._take(commit.seq, commit.epoch, commit.entry)

    def _take(self, seq: int, epoch: str, entry: StreamEntry) -> None:
        if not self._loaded:
            self._wanted = max(self._wanted, seq)
        elif self.epoch in ("", epoch) and seq == self.seq + 1 and not (self._loading or self._lost):
            self.epoch = epoch
            self._apply(seq, entry)
            self._apply_early()
        elif epoch == self.epoch and seq > self.seq and not self._loading and len(self._early) < MOST_EARLY:
            self._early[seq] = entry
            if self._gap is None:
                self._gap = asyncio.get_running_loop().call_later(GAP_S, self._gap_stays)
        elif seq > self.seq or epoch != self.epoch:
            # Event numbers of two epochs cannot be compared. `_repair` reads the stream's head, which names the current
            # epoch.
            self.repair(seq if epoch == self.epoch else 0)
        elif seq == self.seq and self._is_another(mark_of(entry)) and self._repairing is None:
            self._lost = True
            self.repair()

    def _apply_early(self) -> None:
        """Apply events of `_early` up to the first missing number; apply none during a load, or if events are lost."""
        known = not (self._loading or self._lost)
        while known and (entry := self._early.pop(self.seq + 1, None)) is not None:
            self._apply(self.seq + 1, entry)
        if self._early:
            self._early = {seq: entry for seq, entry in self._early.items() if seq > self.seq}

    def _gap_stays(self) -> None:
        """After GAP_S, fetch the missing events from the store if events with higher numbers still wait for them."""
        self._gap = None
        self._apply_early()
        if self._early:
            self.repair(max(self._early))

    def _is_another(self, mark: bytes) -> bool:
        """Return True if `mark` and the mark of this copy's newest event are both known (not b""), and differ."""
        return bool(mark and self._mark) and mark != self._mark

    def _apply(self, seq: int, entry: StreamEntry) -> None:
        self.seq, self._mark = seq, mark_of(entry)
        try:
            record = self._store.unseal(self.organisation, entry.what, entry.member, entry.record)
        except (SealError, msgspec.DecodeError):
            log.error("mirror.unreadable_event", organisation=self.organisation, seq=seq)
            return
        if entry.kind == "claimed":
            on_call = sum(staff.on_call for staff in self.staff.values())
            self.claims.append(waiting.Paced(entry.at_ms, on_call))
        before: Visit | Staff | None
        if isinstance(record, Visit):
            before = self.visits.get(record.id)
            if before is not None and before.version >= record.version:
                return  # the mirror has this version of the record, or a later one
            if record.is_open:
                self.visits.put(record)
                self._marks[record.id] = self._mark
            else:
                self.visits.drop(record.id)
                self._marks.pop(record.id, None)
        elif isinstance(record, Staff):
            before = self.staff.get(record.id)
            if before is not None and before.version >= record.version:
                return
            self.staff[record.id] = record
        elif isinstance(record, Watch):
            if self.watch.version >= record.version:
                return
            before, self.watch = None, record
        else:
            before = None
        self._notify(Change(self.organisation, seq, entry.kind, before, record, entry.notices, entry.trace))

    def _notify(self, news: Change | Reset) -> None:
        for observer in self._observers:
            try:
                observer(news)
            except Exception:
                # An observer that fails must not prevent the other observers from receiving the change.
                log.exception("mirror.observer_failed")

    def repair(self, wanted: int = 0) -> None:
        """Fetch the missing events in the background, after a gap or a lost pub/sub connection.

        `wanted`: the number of the newest event that is known to exist, 0 if none is known.
        """
        self._wanted = max(self._wanted, wanted)
        if self._repairing is None:
            self._repairing = asyncio.create_task(self._repair())
            self._repairing.add_done_callback(self._repair_ended)

    def _repair_ended(self, task: asyncio.Task[None]) -> None:
        self._repairing = None
        if task.cancelled():
            return
        if (problem := task.exception()) is not None:
            self.failed("mirror", problem)
        elif self._wanted > self.seq:
            self.repair()  # a newer event was reported meanwhile

    async def _repair(self) -> None:
        pause = 0.05
        while True:
            try:
                # A commit updates the stream's head before it publishes the event. So the head that is read now
                # includes every event that was published before.
                self._wanted, known = 0, self.seq
                head = await self._store.stream.head(self.organisation)
                # this copy has no epoch if the organisation had no event when the copy was loaded
                self.epoch = self.epoch or head.epoch
                if head.epoch != self.epoch:
                    await self._reload()
                elif self._lost or head.seq < known or self._differs(head):
                    await self._begin_epoch()
                elif head.seq > self.seq:
                    await self._fill(head.seq)
                if self.seq >= self._wanted:
                    return
            except UnavailableError:
                # The loop tries again after a pause, which grows up to 1 s. The old state is shown until the store
                # answers.
                pass
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _differs(self, head: StreamHead) -> bool:
        return head.seq == self.seq and self._is_another(head.mark)

    async def _fill(self, newest: int) -> None:
        """Apply the events up to the number `newest`; if the stream lacks or has replaced one, load all records."""
        known, mark = self.seq, self._mark
        events = await self._store.stream.after(self.organisation, known - 1)
        if events and events[0][0] == known:
            stored = mark_of(events[0][1])
            if mark and stored and mark != stored:
                await self._begin_epoch()
                return
        # Events that came by pub/sub during the read are applied already, so they are skipped here.
        for seq, entry in events:
            if seq == self.seq + 1:
                self._apply(seq, entry)
        self._apply_early()
        if self.seq < newest:
            await self._reload()
        else:
            counts.REPAIRS["filled"] += 1

    async def _begin_epoch(self) -> None:
        """Begin a new epoch, because the store has lost events, and load all records again.

        Versions that clients received in the old epoch do not count as current in the new epoch.
        """
        self._loading = True
        try:
            await self._store.stream.begin_epoch(self.organisation, "epoch", self.epoch)
            counts.REPAIRS["epoch"] += 1
            await self._reload()
        finally:
            self._loading = False

    async def _reload(self) -> None:
        before, mark = self.seq, self._mark
        self._loading = True
        try:
            there = await self._store.stream.at(self.organisation, before)
            await self._load()
        finally:
            self._loading = False
        if lost := self._lost_since(before, mark, there):
            log.error("store.events_lost", organisation=self.organisation, count=lost)
        counts.REPAIRS["reloaded"] += 1
        self._notify(Reset(self.organisation))

    def _lost_since(self, before: int, mark: bytes, there: StreamEntry | None) -> int:
        """Return a lower limit for how many of the events with numbers up to `before` the store has lost.

        `mark`: the mark (`mark_of`) of the event `before`. `there`: the event that has the number `before` in the store
        now, or None. None alone does not prove a loss, because old events are removed from the stream.
        """
        another = there is not None and bool(mark) and mark_of(there) != mark
        return max(before - self.seq, int(another))

    def compare(self, head: StreamHead) -> None:
        """Compare this copy with the head of the stream, which has the number of the newest event; repair the copy if
        they differ.

        So the loss of the newest event is noticed, although no later event shows a gap.
        """
        if head.seq != self.seq or head.epoch != self.epoch or self._differs(head):
            self.repair(head.seq if head.epoch == self.epoch else 0)

    async def catch_up(self) -> None:
        """Wait until this copy has all events that the store had at the time of the call, at most 1 s.

        Raises `UnavailableError` if the store does not answer.
        """
        self.compare(await self._store.stream.head(self.organisation))
        if self._repairing is not None:
            await asyncio.wait([self._repairing], timeout=1)

    async def close(self) -> None:
        """End the repair of this copy that runs in the background, if there is one."""
        if self._gap is not None:
            self._gap.cancel()
            self._gap = None
        if self._repairing is not None:
            self._repairing.cancel()
            await asyncio.gather(self._repairing, return_exceptions=True)


class Mirrors:
    """The mirrors of the organisations that this worker serves. Each mirror (copy of open records) is loaded on
    first use.
    """

    def __init__(self, store: Store, subscribe: Callable[[Mirror], Awaitable[None]]) -> None:
        self._store = store
        self._subscribe = subscribe
        self._mirrors: dict[str, Mirror] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self.observers: list[Observer] = []
        self.failed: Failed = unsupervised

    def __iter__(self) -> Iterator[Mirror]:
        return iter(list(self._mirrors.values()))

    def known(self, organisation: str) -> Mirror | None:
        """Return the mirror (copy of the open records) of an organisation if it is loaded, otherwise None."""
        return self._mirrors.get(organisation)

    async def get(self, organisation: str) -> Mirror:
        """Return the mirror (copy of the open records) of an organisation, loaded if needed.

        Raises `UnavailableError` if the store does not answer.
        """
        mirror = self._mirrors.get(organisation)
        if mirror is not None:
            return mirror
        async with self._locks.setdefault(organisation, asyncio.Lock()):
            mirror = self._mirrors.get(organisation)
            if mirror is None:
                mirror = Mirror(organisation, self._store, self.observers, self.failed)
                await self._subscribe(mirror)
                await mirror.open()
                self._mirrors[organisation] = mirror
        return mirror

    async def close(self) -> None:
        """End the repairs of all mirrors (copies of open records) that run in the background."""
        await asyncio.gather(*(mirror.close() for mirror in self))
