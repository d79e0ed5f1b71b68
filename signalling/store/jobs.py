"""Jobs: what is to be done outside of any request, kept until it is done, per organisation.

A job is one sealed member of the sorted set `{organisation}:jobs`, scored by when it is due, so that it can be written
in the same commit as the event that causes it (`entry`). Taking one leases it: it is due again where its worker died.
Knows no kind of job. All methods raise `Unavailable` where the store does not answer.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis

from signalling.store.encryption import Seal, SealError
from signalling.store.records import answering

LEASE_MS = 120_000
FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 3_600_000
GIVE_UP_MS = 24 * 3_600_000
DEAD_KEPT, DEAD_KEPT_MS = 1_000, 30 * 24 * 3_600_000
"""So many jobs that were given up are kept, and no longer than this, for whoever asks why."""

_SCRIPT = (Path(__file__).parent / "jobs.lua").read_text()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done. `kind` names who does it; the payload is theirs, and sealed at rest."""

    id: str
    kind: str
    payload: dict[str, Any]
    made_ms: int
    expires_ms: int | None = None
    """Failed after this, it is not tried again; None: a day after it was first due."""


class Taken(msgspec.Struct, frozen=True):
    """A job on lease. `attempt` counts from 1, those included that a dying worker began; `first_ms`: its first."""

    job: Job
    member: bytes
    attempt: int
    first_ms: int
    now_ms: int


def new_job(kind: str, payload: dict[str, Any], now_ms: int, *, expires_ms: int | None = None) -> Job:
    """Return a job with an id that nothing else has."""
    return Job(
        id=f"j_{secrets.token_urlsafe(12)}", kind=kind, payload=payload, made_ms=now_ms, expires_ms=expires_ms
    )


def pause_ms(attempt: int) -> int:
    """Return how long to wait after a failed attempt: doubling from 5 s, an hour at most."""
    return min(FIRST_PAUSE_MS << min(attempt - 1, 20), LONGEST_PAUSE_MS)


def next_try_ms(taken: Taken, now_ms: int) -> int | None:
    """Return when a failed job is due again; None where it is time to give it up."""
    due_ms = now_ms + pause_ms(taken.attempt)
    last_ms = taken.job.expires_ms or taken.first_ms + GIVE_UP_MS
    return due_ms if due_ms <= last_ms else None


class Jobs:
    """The queues of all organisations."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._step: Any = redis.register_script(_SCRIPT)

    def entry(self, organisation: str, job: Job, due_ms: int | None = None) -> tuple[str, int, bytes]:
        """Return (key, score, member) for a ZADD of one's own; due at once unless a time is given."""
        member = self._seal.close(msgspec.msgpack.encode(job), _place(organisation))
        return _keys(organisation)[0], job.made_ms if due_ms is None else due_ms, member

    async def add(self, organisation: str, job: Job, due_ms: int | None = None) -> None:
        """Keep a job until it is due and done."""
        key, score, member = self.entry(organisation, job, due_ms)
        async with answering():
            await self._redis.zadd(key, {member: score})

    async def take(self, organisation: str, limit: int, lease_ms: int | None = None) -> list[Taken]:
        """Return jobs that are due, longest first; nobody else gets them while the lease lasts.

        A job that does not open (its key is gone) is given up at once: nothing can be said of it but that.
        """
        async with answering():
            now_ms, found = await self._step(
                keys=_keys(organisation), args=["take", limit, lease_ms or LEASE_MS]
            )
        taken = []
        for member, attempt, first_ms in found:
            try:
                data = self._seal.open(member, _place(organisation))
            except SealError:
                await self._given_up(organisation, member)
                continue
            job = msgspec.msgpack.decode(data, type=Job)
            taken.append(Taken(job, member, int(attempt), int(first_ms), int(now_ms)))
        return taken

    async def done(self, organisation: str, taken: Taken) -> None:
        """Forget a job that was done."""
        async with answering():
            await self._step(keys=_keys(organisation), args=["done", taken.member])

    async def later(self, organisation: str, taken: Taken, due_ms: int) -> None:
        """Try a job again at that time; nothing where somebody else has done it since."""
        async with answering():
            await self._step(keys=_keys(organisation), args=["later", taken.member, due_ms])

    async def give_up(self, organisation: str, taken: Taken) -> None:
        """Put a job among those that nobody tries any more."""
        await self._given_up(organisation, taken.member)

    async def _given_up(self, organisation: str, member: bytes) -> None:
        async with answering():
            await self._step(keys=_keys(organisation), args=["dead", member, DEAD_KEPT, DEAD_KEPT_MS])

    async def waiting(self, organisation: str) -> list[tuple[int, Job]]:
        """Return the jobs that are not done, as (due_ms, job), the next one first."""
        return await self._listed(organisation, 0)

    async def dead(self, organisation: str) -> list[tuple[int, Job]]:
        """Return the jobs that were given up, as (when in ms, job), the oldest first."""
        return await self._listed(organisation, 2)

    async def _listed(self, organisation: str, which: int) -> list[tuple[int, Job]]:
        async with answering():
            found = await self._redis.zrange(_keys(organisation)[which], 0, -1, withscores=True)
        place = _place(organisation)
        return [
            (int(score), msgspec.msgpack.decode(self._seal.open(member, place), type=Job))
            for member, score in found
        ]


def _keys(organisation: str) -> list[str]:
    prefix = f"{{{organisation}}}:jobs"
    return [prefix, f"{prefix}:tries", f"{prefix}:dead", f"{prefix}:clock"]


def _place(organisation: str) -> str:
    return f"{organisation}/job"
