"""Reads and writes the documents that hold the settings of organisations, and their earlier versions.

`settings.py` defines their content. Documents are small and read often, so a worker caches each document for two
seconds. A document in use is read again before these two seconds are over, together with the worker's other periodic
requests.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec
import structlog
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out
from signalling.ticks import tick
from web.organisations.settings import SLUG, Organisation, validated

log = structlog.get_logger("web.organisations")
KEEP_S = 2.0
REFRESH_S = 1.5
"""The time in s between two reads by which `run` refreshes the cached documents.

It is shorter than KEEP_S, so that the periodic tasks always find the documents in the cache.
"""
EDITS_KEPT = 200

REPLACE = """
local kept = redis.call('GET', KEYS[1])
if not kept or (cjson.decode(kept).revision or 0) ~= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1] + 1, ARGV[4])
redis.call('HDEL', KEYS[2], ARGV[1] - ARGV[5])
return 1
"""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One saved change of a document: the name of the person, the time, and the document after the change."""

    by: str
    at_ms: int
    document: Organisation


class Organisations:
    """Reads and writes the documents of organisations; a document has all settings of one organisation.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._replace = redis.register_script(REPLACE)
        # organisation -> (the time in s at which its document was read, its stored bytes, its decoded content)
        self._kept: dict[str, tuple[float, bytes | None, Organisation | None]] = {}
        self._used: set[str] = set()  # the ids with which `get` was called since the last refresh
        self._names: tuple[float, list[str]] | None = None
        self._changes = 0  # how often this object has written a document

    async def at_each(self, task: str, work: Callable[[Organisation], Awaitable[int]]) -> int:
        """Call `work` with the settings of each organisation, one after another; return the sum of the results.

        An error at one organisation is logged with the name `task`, and the next organisation follows.
        """
        count = 0
        for name in await self.list():
            try:
                organisation = await self.get(name)
                count += await work(organisation) if organisation is not None else 0
            except UnavailableError:
                raise
            except Exception:
                log.exception("organisation.task_failed", task=task, organisation=name)
        return count

    async def get(self, organisation: str) -> Organisation | None:
        """Return the settings of the organisation with this id, as they were at most two seconds ago; None if there
        is none.
        """
        if not SLUG.fullmatch(organisation):
            return None
        now_s = time.monotonic()
        kept = self._kept.get(organisation)
        self._used.add(organisation)
        if kept is not None and now_s - kept[0] < KEEP_S:
            return kept[2]
        async with answering():
            document = cast(bytes | None, await self._redis.get(keys.ORGANISATION(organisation)))
        # Names of organisations that do not exist are cached too, and anybody can send such names, so the cache needs
        # a limit.
        if len(self._kept) > 1000:
            self._kept.clear()
        return self._keep(organisation, now_s, document)

    def _keep(self, organisation: str, now_s: float, document: bytes | None) -> Organisation | None:
        """Cache the bytes of a document that was read at `now_s`; return the organisation in it.

        If the bytes have not changed since the previous read, they are not decoded again.
        """
        kept = self._kept.get(organisation)
        found = kept[2] if kept is not None and kept[1] == document else _decoded(document)
        self._kept[organisation] = now_s, document, found
        return found

    async def refresh(self) -> None:
        """Read the list of organisations, and the documents used since the last call, in one request."""
        names, self._used = sorted(self._used & self._kept.keys()), set()
        now_s, changes = time.monotonic(), self._changes
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.smembers(keys.ORGANISATIONS())
            for name in names:
                pipe.get(keys.ORGANISATION(name))
            listed, *documents = await pipe.execute()
        if changes != self._changes:
            return  # this object wrote a document during the read, so the data that was read may be older
        self._names = now_s, sorted(name.decode() for name in listed)
        for name, document in zip(names, documents, strict=True):
            with leaving_out(name, "organisation"):
                self._keep(name, now_s, document)

    async def run(self) -> None:
        """Refresh the cached documents every REFRESH_S seconds, until cancelled."""
        while True:
            with contextlib.suppress(UnavailableError):  # already logged; `refresh` runs again
                await self.refresh()
            await tick(REFRESH_S)

    async def read(self, organisation: str) -> Organisation | None:
        """Return the settings of an organisation as the store has them now, or None.

        Call this before a change, not `get`, whose result may be two seconds old.
        """
        if not SLUG.fullmatch(organisation):
            return None
        async with answering():
            document = cast(bytes | None, await self._redis.get(keys.ORGANISATION(organisation)))
        return _decoded(document)

    async def list(self) -> list[str]:
        """Return the ids of all organisations, in alphabetical order; the list is at most two seconds old."""
        now_s = time.monotonic()
        if self._names is None or now_s - self._names[0] >= KEEP_S:
            async with answering():
                names = cast(set[bytes], await self._redis.smembers(keys.ORGANISATIONS()))
            self._names = now_s, sorted(name.decode() for name in names)
        return list(self._names[1])

    async def save(self, organisation: Organisation) -> None:
        """Store an organisation's document. Raises OrganisationError if it is not valid."""
        validated(organisation)
        async with answering():
            await self._redis.set(keys.ORGANISATION(organisation.id), msgspec.json.encode(organisation))
            await self._redis.sadd(keys.ORGANISATIONS(), organisation.id)
        self._forget(organisation.id)

    async def replace(self, before: Organisation, after: Organisation, by: str) -> bool:
        """Store `after` as the next revision of `before`; return False if another change was stored first.

        `by`: the name of the person who changed it. Raises OrganisationError if `after` is not valid.
        """
        validated(after)
        after = msgspec.structs.replace(after, revision=before.revision + 1)
        async with answering():
            seconds, micros = await self._redis.time()
            edit = Edit(by=by, at_ms=seconds * 1000 + micros // 1000, document=after)
            first = Edit(by="", at_ms=0, document=before)
            documents = [msgspec.json.encode(document) for document in (after, first, edit)]
            args: list[bytes | int] = [before.revision, *documents, EDITS_KEPT]
            done = await self._replace(keys=[keys.ORGANISATION(after.id), keys.EDITS(after.id)], args=args)
        self._forget(after.id)
        return bool(done)

    async def edit(self, organisation: str, revision: int) -> Edit | None:
        """Return the change that made this revision of the document.

        Returns None if there is none, or if it is older than the last `EDITS_KEPT` changes.
        """
        async with answering():
            found = cast(bytes | None, await self._redis.hget(keys.EDITS(organisation), str(revision)))
        return None if found is None else msgspec.json.decode(found, type=Edit)

    async def add(self, organisation: Organisation) -> bool:
        """Store a new organisation; return False if the id is taken. Raises OrganisationError if it is not valid."""
        validated(organisation)
        async with answering():
            added = await self._redis.setnx(
                keys.ORGANISATION(organisation.id), msgspec.json.encode(organisation)
            )
            # A call that was interrupted between these two commands has left an organisation that is not in the list.
            await self._redis.sadd(keys.ORGANISATIONS(), organisation.id)
        self._forget(organisation.id)
        return bool(added)

    def _forget(self, organisation: str) -> None:
        """Remove from the cache an organisation that this object has just changed, and the list of organisations."""
        self._kept.pop(organisation, None)
        self._names = None
        self._changes += 1


def _decoded(document: bytes | None) -> Organisation | None:
    return None if document is None else msgspec.json.decode(document, type=Organisation)
