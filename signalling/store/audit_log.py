"""Stores the audit log: a queue to which every worker writes, and the log, whose entries are chained by hashes.

An encrypted entry is added to the queue at once: in the same script as a commit, otherwise at the next flush. Shortly
afterwards one worker chains the queued entries to the last entry of the log. If two workers try, the store accepts the
entries of one of them, so that there is one chain. While the store does not answer, up to MOST entries wait in memory;
they are flushed before the worker stops. `audit_reader.py` reads and checks the log, `audit_entries.py` defines
entries. All methods except `note`, `run` and `close` raise `UnavailableError` if the store does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from signalling.errors import BrokenHeadError, SealError, UnavailableError
from signalling.store import keys
from signalling.store.audit_reader import READ, AuditReader, NothingSeen, SeenEntries
from signalling.store.records import Store
from signalling.store.unavailable import answering
from signalling.visit import audit_entries as audit
from signalling.visit.audit_entries import Act, Chain, Head

MOST = 20_000  # if more entries than this wait in memory for the store, `ready` raises an error
AT_ONCE = 200  # the greatest number of new entries that one call of `bind` chains to the log
FLUSH_S = 0.05
BIND_S = 0.25
LEFT_S = 20.0  # time in s between two searches for entries that dead workers have written but not chained
RECORD_S = 10.0
STOP_S = 5.0
_SCRIPTS = {name: (Path(__file__).parent / f"{name}.lua").read_text() for name in ("bind", "trim")}
log = structlog.get_logger()


class OrganisationList(Protocol):
    """Returns the names of the organisations that have an audit log."""

    async def list(self) -> list[str]: ...


def key_of(root: bytes) -> bytes:
    """Return the key of the chain's hashes, 32 bytes. `root`: the root key, which no rotation of keys changes."""
    return hmac.digest(root, b"audit", "sha256")


class AuditLog(AuditReader):
    """Writes the audit logs of all organisations. `key`: 32 bytes for the hashes of the chain, used for nothing else.

    `seen_entries`: records on this machine the last entry of each log, so that a shortened log is noticed; None to
    record nothing.
    """

    def __init__(
        self,
        store: Store,
        key: bytes,
        organisations: OrganisationList,
        seen_entries: SeenEntries | None = None,
    ) -> None:
        super().__init__(store.redis, key, seen_entries or NothingSeen())
        self._store = store
        self._organisations = organisations
        self._bind: Any = self._redis.register_script(_SCRIPTS["bind"])
        self._trim: Any = self._redis.register_script(_SCRIPTS["trim"])
        self._noted: dict[str, list[bytes]] = {}
        self._count = 0
        self._touched: set[str] = set()
        self._awake = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._recorded_s: dict[str, float] = {}
        store.on_audited = self._touch

    # --- adding entries to the buffer and the queue

    def ready(self) -> None:
        """Raise `UnavailableError` if the buffer of unwritten entries is full. Called before patient data is shown."""
        if self._count >= MOST:
            raise UnavailableError("audit")

    @property
    def unwritten(self) -> int:
        """Return the number of audit entries that wait in this worker's memory until the store answers."""
        return self._count

    def note(self, organisation: str, who: str, what: str, about: str = "", to: str = "") -> None:
        """Add an entry to the buffer without waiting. `run` writes it shortly afterwards.

        `who`: the id of the actor. `what`: the name of the entry. `about`: the id of the visit or of other data, "" for
        none. `to`: the id of the provider to whom the visit is assigned, "" for none.
        """
        self._note(organisation, audit.act(self._store.clock_ms(), who, what, about, to))

    def _note(self, organisation: str, act: Act) -> None:
        self._noted.setdefault(organisation, []).append(self._store.sealed_act(organisation, act))
        self._count += 1
        self._touch(organisation)

    async def write(self, organisation: str, who: str, what: str, about: str = "", to: str = "") -> None:
        """Add an entry to an organisation's log, and wait until it is in the store.

        `who`: the id of the actor. `what`: the name of the entry. `about`: the id of the visit or of other data, "" for
        none. `to`: the id of the provider to whom the visit is assigned, "" for none.
        """
        self.note(organisation, who, what, about, to)
        await self.flush()

    def _touch(self, organisation: str) -> None:
        self._touched.add(organisation)
        self._awake.set()

    async def flush(self) -> None:
        """Write the entries of the buffer to the store.

        If the store does not answer, the entries stay in the buffer. An entry may be written twice, but none is lost.
        """
        async with self._flushing:
            for organisation, items in list(self._noted.items()):
                while some := items[:READ]:
                    async with answering():
                        await self._redis.rpush(keys.AUDIT_QUEUE(organisation), *some)
                    del items[: len(some)]
                    self._count -= len(some)

    # --- chaining the queued entries to the log

    async def bind(self, organisation: str) -> bool:
        """Chain at most AT_ONCE entries from the queue of an organisation's audit log to the log; return True if more
        may be waiting.
        """
        chain = self.chain(organisation)
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.lindex(keys.AUDIT(organisation), -1)
            pipe.get(keys.AUDIT_HEAD(organisation))
            pipe.lrange(keys.AUDIT_QUEUE(organisation), 0, AT_ONCE - 1)
            newest, sealed, queued = await pipe.execute()
        if not queued:
            return False
        acts = [self._opened(organisation, data) for data in queued]
        head, sound = await self._head(organisation, sealed, newest)
        if not sound:
            acts.insert(0, audit.act(acts[0].at_ms, "system", audit.BROKEN))
        after, kept = chain.bind(head, acts)
        async with answering():
            args = [sealed or b"", chain.seal(after), len(queued), *kept]
            bound = await self._bind(
                keys=[
                    keys.AUDIT_QUEUE(organisation),
                    keys.AUDIT(organisation),
                    keys.AUDIT_HEAD(organisation),
                ],
                args=args,
            )
        if bound and not sound:
            log.error("audit.broken", organisation=organisation)
        return not bound or len(queued) == AT_ONCE

    def _opened(self, organisation: str, data: bytes) -> Act:
        try:
            return audit.decode(self._store.seal.open(data, f"{organisation}/audit"))
        except (SealError, msgspec.DecodeError, UnicodeDecodeError):
            log.error("audit.forged", organisation=organisation)
            return audit.act(self._store.clock_ms(), "system", audit.FORGED)

    async def _head(self, organisation: str, sealed: bytes | None, newest: bytes | None) -> tuple[Head, bool]:
        """Return (the head of the log, True if no other program has changed the head).

        The head records the log's first and last entry. `sealed`: the stored head, None if there is none. `newest`: the
        stored last entry, None if there is none. If another program has changed or removed the head, return a new head,
        which continues from the highest entry number that is known.
        """
        chain = self.chain(organisation)
        with contextlib.suppress(BrokenHeadError):
            if sealed is not None:
                return chain.open(sealed), True
        seen = await self._last_seen(organisation)
        if sealed is None and newest is None and seen is None:
            return chain.begin, True
        entry = audit.entry_of(newest) if newest is not None else None
        number = max(entry.number if entry is not None else 0, seen[0] if seen is not None else 0)
        last = audit.hash_of(newest) if newest is not None else chain.begin.last
        return Head(1, chain.begin.anchor, number, last), False

    async def bind_all(self, organisation: str) -> None:
        """Chain all entries from the queue of the audit log to the log, unless another worker chains them first."""
        while await self.bind(organisation):
            pass

    async def run(self) -> None:
        """Write the entries of the buffer to the store and chain the queued entries, again and again until
        cancelled.
        """
        looked_s = 0.0
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEFT_S / 2):
                    await self._awake.wait()
            self._awake.clear()
            try:
                await asyncio.sleep(FLUSH_S)
                await self.flush()
                await asyncio.sleep(BIND_S - FLUSH_S)
                await self.flush()
                if loop.time() - looked_s > LEFT_S:
                    looked_s = loop.time()
                    self._touched |= set(await self._left())
                await self._bind_touched()
            except UnavailableError:
                pass  # `answering` has logged the error, and the loop tries again
                await asyncio.sleep(1.0)
                self._awake.set()

    async def _bind_touched(self) -> None:
        # Entries that arrive during this loop are chained when the loop runs again. To chain many entries at once
        # costs less than to chain each alone.
        for organisation in list(self._touched):
            self._touched.discard(organisation)
            try:
                await self.bind_all(organisation)
                await self._record_seen(organisation)
            except (UnavailableError, asyncio.CancelledError):
                self._touched.add(organisation)
                raise
            except Exception:
                # An error in one organisation's log must not stop the work on other logs. This log is tried
                # again later.
                self._touched.add(organisation)
                log.exception("audit.not_bound", organisation=organisation)

    async def _left(self) -> list[str]:
        organisations = await self._organisations.list()
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            for organisation in organisations:
                pipe.llen(keys.AUDIT_QUEUE(organisation))
            waiting = await pipe.execute() if organisations else []
        return [organisation for organisation, count in zip(organisations, waiting, strict=True) if count]

    async def close(self) -> None:
        """Write the entries of the buffer before the worker stops.

        Entries that the store does not accept within STOP_S are lost; their number is logged.
        """
        with contextlib.suppress(UnavailableError, TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self.flush()
                await self._bind_touched()
        for organisation in list(self._recorded_s):
            self._recorded_s[organisation] = -RECORD_S
            with contextlib.suppress(UnavailableError, TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._record_seen(organisation)
        if self._count:
            log.error("audit.entries_lost", count=self._count)

    # --- the last entry that this machine has seen

    async def _record_seen(self, organisation: str) -> None:
        """Record the log's last entry on this machine, at most every RECORD_S.

        If the log no longer has the entry that this machine recorded before, nothing is recorded: the old record
        proves that entries were removed from the log.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s - self._recorded_s.get(organisation, -RECORD_S) < RECORD_S:
            return
        self._recorded_s[organisation] = now_s
        head = await self.head(organisation)
        seen = await self._last_seen(organisation)
        if head is None or (seen is not None and seen[0] >= head.count):
            return
        if seen is not None and seen[0] >= head.first:
            kept = await self.read(organisation, seen[0] - head.first, 1)
            if not kept or audit.hash_of(kept[0]) != seen[1]:
                log.error("audit.broken", organisation=organisation)
                return
        await asyncio.to_thread(self._seen_entries.put, organisation, head.count, head.last)

    # --- removing old entries from the log

    async def trim(self, organisation: str, before_ms: int) -> int:
        """Remove the entries of an organisation's log that are older than `before_ms`; return their number.

        A log that was changed by another program stays as it is.
        """
        chain, gone = self.chain(organisation), 0
        while True:
            async with answering():
                sealed = await self._redis.get(keys.AUDIT_HEAD(organisation))
            if sealed is None:
                return gone
            try:
                head = chain.open(sealed)
            except BrokenHeadError:
                return gone
            after, count = self._trimmed(chain, head, await self.read(organisation, 0, READ), before_ms)
            if not count:
                return gone
            async with answering():
                trimmed = await self._trim(
                    keys=[keys.AUDIT(organisation), keys.AUDIT_HEAD(organisation)],
                    args=[sealed, chain.seal(after), count],
                )
            gone += count if trimmed else 0

    @staticmethod
    def _trimmed(chain: Chain, head: Head, found: list[bytes], before_ms: int) -> tuple[Head, int]:
        count, last, since_ms = 0, head.anchor, head.since_ms
        for kept in found:
            entry = audit.entry_of(kept)
            if entry is None or not chain.follows(last, kept):
                return head, 0
            since_ms = entry.act.at_ms
            if entry.act.at_ms >= before_ms:
                break
            count, last = count + 1, audit.hash_of(kept)
        return Head(head.first + count, last, head.count, head.last, since_ms), count
