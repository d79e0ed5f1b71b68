"""Erases data that is older than the organisation's time for keeping it: visits, notifications, mails, audit entries.

It deletes all keys in the store that hold data of an ended visit or a booked visit, and mails in the data
folder. Every worker checks once an hour; it finds nothing if another worker has erased the data already.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.service import Service
from signalling.store import keys, notices
from signalling.store.audit_log import AuditLog
from signalling.store.event_stream import decode_entry
from signalling.store.jobs import DEAD_KEPT_MS
from signalling.store.unavailable import answering
from signalling.store.unreadable import leaving_out
from signalling.store.visit_erasure import VisitErasure
from web.emergency.erasing import erase_without_visit
from web.keys import AUDIT_LOG, ORGANISATIONS, REDIS, SERVICE, SETTINGS, SUPERVISOR
from web.mail import outbox
from web.organisations.documents import Organisations
from web.server.store_rewriting import erasing, mark

DAY_MS = 86_400_000
FIRST_S, PERIOD_S = 60.0, 3600.0
AT_ONCE = 200
log = structlog.get_logger("web.retention")


class Retention:
    """Erases old data of all organisations. All methods raise `UnavailableError` if the store does not answer."""

    def __init__(
        self,
        redis: Redis,
        service: Service,
        organisations: Organisations,
        data: Path,
        audit_log: AuditLog,
        audit_days: int,
    ) -> None:
        self._redis: Any = redis
        self._data = data
        self._service = service
        self._organisations = organisations
        self._audit_log = audit_log
        self._audit_days = audit_days
        self._visit_erasure = VisitErasure(service.store)

    async def run(self) -> None:
        """Erase data that is too old, every hour, until cancelled."""
        await asyncio.sleep(FIRST_S)
        while True:
            # After an error of the store, the erasure is tried again in an hour.
            with contextlib.suppress(UnavailableError):
                for organisation in await self._organisations.list():
                    await self._erase_all(organisation)
                await self.erase_mails(self._service.clock_ms())
            await asyncio.sleep(PERIOD_S)

    async def _erase_all(self, organisation: str) -> None:
        async with _step(organisation):
            await self.erase(organisation, self._service.clock_ms())
        async with answering():
            is_first = await self._redis.set(keys.SWEPT(organisation), b"1", nx=True, ex=DAY_MS // 1000)
        if is_first:
            async with _step(organisation):
                await self.erase_left(organisation)
            async with _step(organisation):
                await erase_without_visit(self._service.store, organisation)
        async with _step(organisation):
            await self.erase_audit(organisation, self._service.clock_ms())

    async def erase_audit(self, organisation: str, now_ms: int) -> int:
        """Erase the organisation's audit entries that are older at `now_ms` than it keeps them; return their number."""
        gone = await self._audit_log.trim(organisation, now_ms - self._audit_days * DAY_MS)
        if gone:
            async with answering():
                await mark(self._redis)
            log.info("retention.audit_erased", organisation=organisation, count=gone)
        return gone

    async def erase_mails(self, now_ms: int) -> int:
        """Erase the mails in the data folder that are too old at the time `now_ms`; return their number."""
        before_ms = {}
        for organisation in await self._organisations.list():
            with leaving_out(organisation, "organisation"):
                settings = await self._organisations.get(organisation)
                if settings is not None:
                    before_ms[organisation] = now_ms - settings.retention_days * DAY_MS
        erased = await asyncio.to_thread(outbox.erase, self._data, before_ms)
        if erased:
            log.info("retention.mails_erased", count=erased)
        return erased

    async def erase(self, organisation: str, now_ms: int) -> int:
        """Erase the visits and booked visits that are older at `now_ms` than the organisation keeps them; return
        their number.
        """
        settings = await self._organisations.get(organisation)
        if settings is None:
            return 0
        before_ms, visits, booked = now_ms - settings.retention_days * DAY_MS, 0, 0
        async with _step(organisation):
            visits = await self._visits(organisation, before_ms)
        async with _step(organisation):
            if visits:
                await erase_without_visit(self._service.store, organisation)
        async with _step(organisation):
            booked = await self._booked(organisation, before_ms)
        async with _step(organisation):
            await self._events(organisation, before_ms)
        async with _step(organisation):
            await self._by_score(organisation, now_ms, before_ms)
        self._service.past.erase(organisation, before_ms)
        erased = visits + booked
        if erased:
            log.info("retention.visits_erased", organisation=organisation, count=erased)
        return erased

    async def _visits(self, organisation: str, before_ms: int) -> int:
        erased, ended = 0, keys.ENDED(organisation)
        while names := await self._redis.zrangebyscore(ended, "-inf", f"({before_ms}", start=0, num=AT_ONCE):
            for visit_id in (name.decode() for name in names):
                erased += await self._visit(organisation, visit_id)
        return erased

    async def _visit(self, organisation: str, visit_id: str) -> bool:
        """Erase a visit, and return True; if it is open, remove it from the index of ended visits, and return False.

        A visit that cannot be read is erased too, so that it does not prevent the erasure of later visits.
        """
        while True:
            found = await self._visit_erasure.read(organisation, visit_id)
            if found.is_open:
                # A visit that was reopened is not erased. When it ends again, it is added to the index again.
                done = await self._visit_erasure.unlist(found)
            else:
                async with erasing(self._redis):
                    done = await self._visit_erasure.erase(found)
            if done:
                return not found.is_open

    async def erase_left(self, organisation: str) -> int:
        """Erase packed (compressed) visits that are not in the index of ended visits any more; return their number.

        Such a visit was erased by a server of an older version, which does not know packed visits and leaves their
        packed form. No visit is packed while an older server reports to the store. But if an older server hangs, its
        report expires. Visits are then packed, and the older server may continue later and erase some of them.
        """
        left, ended = 0, keys.ENDED(organisation)
        prefix = keys.PAST(organisation, "")
        names = [name async for name in self._redis.scan_iter(match=f"{prefix}*", count=1000)]
        for first in range(0, len(names), AT_ONCE):
            some = names[first : first + AT_ONCE]
            ids = [name.decode().removeprefix(prefix) for name in some]
            scores = await self._redis.zmscore(ended, ids)
            lost = [name for name, score in zip(some, scores, strict=True) if score is None]
            if lost:
                async with erasing(self._redis):
                    await self._redis.delete(*lost)
            left += len(lost)
        if left:
            log.warning("retention.left_erased", organisation=organisation, count=left)
        return left

    async def _booked(self, organisation: str, before_ms: int) -> int:
        erased, index = 0, keys.APPOINTMENTS(organisation)
        while names := await self._redis.zrangebyscore(index, "-inf", f"({before_ms}", start=0, num=AT_ONCE):
            async with erasing(self._redis):
                await self._redis.delete(*(keys.APPOINTMENT(organisation, name.decode()) for name in names))
            await self._redis.zrem(index, *names)
            erased += len(names)
        return erased

    async def _events(self, organisation: str, before_ms: int) -> None:
        """Delete all events before `before_ms` from the stream of events, because they contain copies of records.

        An event that cannot be decoded is deleted at once: its time is unknown, and no worker can use it. The stream
        begins with the oldest event. So the search ends at the first group of AT_ONCE events without an event to
        delete.
        """
        stream = keys.EVENTS(organisation)
        while True:
            found = await self._redis.xrange(stream, count=AT_ONCE)
            kept = set[bytes]()
            for name, fields in found:
                with leaving_out(organisation, "event"):
                    if decode_entry(fields.get(b"e", b"")).at_ms >= before_ms:
                        kept.add(name)
            old = [name for name, _ in found if name not in kept]
            if not old:
                return
            async with erasing(self._redis):
                await self._redis.xdel(stream, *old)

    async def _by_score(self, organisation: str, now_ms: int, before_ms: int) -> None:
        """Erase old notifications, jobs that were given up, and records of emergency access; they may name patients.

        An item is old if it is from before `before_ms`, or, except for emergency access, older than the limit of its
        kind (KEPT_MS, DEAD_KEPT_MS). The store has the items in sorted sets, with their times in ms as scores.
        """
        ends = {
            keys.BELL(organisation, person): max(before_ms, now_ms - notices.KEPT_MS)
            for person in await notices.people(self._redis, organisation)
        }
        ends[keys.DEAD_JOBS(organisation)] = max(before_ms, now_ms - DEAD_KEPT_MS)
        ends[keys.EMERGENCIES(organisation)] = before_ms
        pipe = self._redis.pipeline(transaction=False)
        for name, end_ms in ends.items():
            pipe.zcount(name, "-inf", f"({end_ms}")
        old = [name for name, count in zip(ends, await pipe.execute(), strict=True) if count]
        for name in old:
            async with erasing(self._redis):
                await self._redis.zremrangebyscore(name, "-inf", f"({ends[name]}")


@contextlib.asynccontextmanager
async def _step(organisation: str) -> AsyncIterator[None]:
    """Log an error in one step of the erasure for an organisation, so that the other steps follow.

    Raises `UnavailableError` if the store does not answer.
    """
    try:
        async with answering():
            yield
    except UnavailableError:
        raise
    except Exception as error:
        log.error("retention.failed", organisation=organisation, exc_info=error)


async def running(app: web.Application) -> AsyncIterator[None]:
    """Erase old data from the start of the app to its end.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    settings = app[SETTINGS]
    kept = Retention(
        app[REDIS],
        app[SERVICE],
        app[ORGANISATIONS],
        Path(settings.data.folder),
        app[AUDIT_LOG],
        settings.retention.audit_days,
    )
    app[SUPERVISOR].keep("web.retention", kept.run)
    yield
    await app[SUPERVISOR].stop("web.retention")
