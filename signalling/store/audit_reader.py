"""Reads the audit log, and checks that it is unchanged since it was written.

`audit_log.py` writes the log, `audit_entries.py` defines entries. All methods raise `UnavailableError` if the store
does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Protocol

from signalling.errors import BrokenHeadError
from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.visit import audit_entries as audit
from signalling.visit.audit_entries import Chain, Checker, Entry, Head

READ = 1000  # the number of entries of the log that one request to the store reads


class SeenEntries(Protocol):
    """Stores, for each organisation's log, the last entry that this machine has seen.

    The entry is stored in a file on this machine, beside the secret keys, and not in the store.
    """

    def get(self, organisation: str) -> tuple[int, bytes] | None:
        """Return (number, hash) of the last entry that this machine has seen; None if it has seen none."""

    def put(self, organisation: str, number: int, last: bytes) -> None:
        """Record the last entry that this machine has seen in an organisation's log.

        `number`: the number of the entry. `last`: the hash of the entry.
        """


class NothingSeen:
    """A `SeenEntries` that records nothing, for machines that keep no file of seen entries."""

    def get(self, organisation: str) -> tuple[int, bytes] | None:
        """Return None, because nothing is recorded."""

    def put(self, organisation: str, number: int, last: bytes) -> None:
        """Do nothing: this class records no entries."""


class Verdict(NamedTuple):
    """The result of a check of an organisation's audit log.

    `good`: the number of unchanged entries. `since_ms`: the time in ms from which the log has entries. `waiting`: the
    number of new entries that are not yet chained to the log. `problem`: the first problem as a text, "" if there is
    none.
    """

    good: int
    since_ms: int
    waiting: int
    problem: str


class AuditReader:
    """Reads the audit logs of all organisations. `key`: 32 bytes for the hashes of the chain, used for nothing else."""

    def __init__(self, redis: Any, key: bytes, seen_entries: SeenEntries) -> None:
        self._redis = redis
        self._key = key
        self._seen_entries = seen_entries

    def chain(self, organisation: str) -> Chain:
        """Return the hash chain of an organisation's log, which calculates and checks the hashes of entries."""
        return Chain(self._key, organisation)

    async def head(self, organisation: str) -> Head | None:
        """Return the head of an organisation's log, which records its first and last entry.

        Return None if there is no head, or if another program has changed it.
        """
        async with answering():
            sealed = await self._redis.get(keys.AUDIT_HEAD(organisation))
        try:
            return None if sealed is None else self.chain(organisation).open(sealed)
        except BrokenHeadError:
            return None

    async def _last_seen(self, organisation: str) -> tuple[int, bytes] | None:
        """Return (number, hash) of the last entry that this machine has seen, read from its file in a thread."""
        return await asyncio.to_thread(self._seen_entries.get, organisation)

    async def read(self, organisation: str, start: int, count: int) -> list[bytes]:
        """Return at most `count` stored entries, as bytes, from the position `start` on (0 is the oldest)."""
        async with answering():
            found: list[bytes] = await self._redis.lrange(keys.AUDIT(organisation), start, start + count - 1)
        return found

    async def length(self, organisation: str) -> int:
        """Return the number of entries that are stored in an organisation's audit log."""
        async with answering():
            return int(await self._redis.llen(keys.AUDIT(organisation)))

    async def entries(self, organisation: str) -> AsyncIterator[Entry]:
        """Yield all entries, the oldest first. Bytes that are no entry are left out; `verify` reports them."""
        start = 0
        while found := await self.read(organisation, start, READ):
            for entry in map(audit.entry_of, found):
                if entry is not None:
                    yield entry
            start += len(found)

    async def verify(self, organisation: str) -> Verdict:
        """Check the whole log of an organisation; return the result, with the first problem if it was changed."""
        while True:
            verdict, head = await self._verify(organisation)
            after = await self.head(organisation)
            if head is None or after is None or after.first == head.first:
                # If the number of the first entry has changed, old entries were removed during the check. Then the
                # check begins again.
                return verdict

    async def _verify(self, organisation: str) -> tuple[Verdict, Head | None]:
        chain = self.chain(organisation)
        # An entry may be added between two of these reads. The last seen entry is read before the head, so the head
        # counts it; the head is read before the entries, so all entries that it counts are there. In another order, the
        # new entry could be counted but not be found, and would be reported as cut from the end.
        seen = await self._last_seen(organisation)
        async with answering():
            sealed = await self._redis.get(keys.AUDIT_HEAD(organisation))
            length, waiting = (
                await self.length(organisation),
                int(await self._redis.llen(keys.AUDIT_QUEUE(organisation))),
            )
        if sealed is None:
            gone = length or seen is not None
            problem = "the end of the log is not recorded: it was removed" if gone else ""
            return Verdict(0, 0, waiting, problem), None
        try:
            head = chain.open(sealed)
        except BrokenHeadError:
            return Verdict(0, 0, waiting, "the record of the log's beginning and end was changed"), None
        checker, start, wanted = Checker(chain, head, seen), 0, head.count - head.first + 1
        while start < wanted:
            found = await self.read(organisation, start, min(READ, wanted - start))
            if not found or not all(map(checker.read, found)):
                break
            start += len(found)
            await asyncio.sleep(0)
        problem = checker.end()
        if not problem:
            problem = await self._added(organisation, sealed, wanted, head)
        return Verdict(checker.count, head.since_ms, waiting, problem), head

    async def _added(self, organisation: str, sealed: bytes, wanted: int, head: Head) -> str:
        length = await self.length(organisation)
        async with answering():
            same = await self._redis.get(keys.AUDIT_HEAD(organisation)) == sealed
        return f"entry {head.count + 1} was added after the end" if same and length > wanted else ""
