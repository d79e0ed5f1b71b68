"""Jobs: work that is done outside of requests, such as sending mail. The store keeps each job until it is done.

A job is one encrypted member of a sorted set, whose score is the time at which the job is due. So the commit of an
event can add the jobs that the event causes (`entry`). A worker that takes a job gets a lease on it: no other
worker can take the job before the lease ends. If the worker dies, the job is due again when its lease ends. Each `Jobs`
object has one queue per organisation. Jobs that may wait for an external server have a separate queue. `web/jobs.py`
passes each job to its handler. All methods raise `UnavailableError` if the store does not answer.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering
from signalling.store.unreadable import readable

LEASE_MS = 120_000
FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 3_600_000
GIVE_UP_MS = 24 * 3_600_000
DEAD_KEPT, DEAD_KEPT_MS = 1_000, 30 * 24 * 3_600_000
"""The number of given-up jobs that are kept, and the time in ms for which they are kept, so that an operator can find
out why they failed.
"""

_SCRIPT = (Path(__file__).parent / "jobs.lua").read_text()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job to do. `kind` names its handler, which defines the form of `payload`. The stored payload is encrypted.

    `attempts` and `reason` are set only in a job that was given up: the number of attempts, and the last failure.
    """

    id: str
    kind: str
    payload: dict[str, Any]
    made_ms: int
    expires_ms: int | None = None
    """The time in ms after which a failed job is not tried again; None: a day after its first attempt."""
    attempts: int = 0
    reason: str = ""


class Taken(msgspec.Struct, frozen=True):
    """A job that this worker has leased. `member`: its bytes in the store.

    `attempt` counts from 1 and includes attempts of workers that died. `first_ms`: the time of the first attempt.
    """

    job: Job
    member: bytes
    attempt: int
    first_ms: int
    now_ms: int


class Waiting(msgspec.Struct, frozen=True):
    """A job that is not done yet, as an operator sees it.

    `begun`: True if it was taken at least once. `begins_ms`: the time of its first attempt, or the time at which it is
    due if there was no attempt. `reason`: the reason of the last failure, if any.
    """

    job: Job
    member: bytes
    begun: bool
    begins_ms: int
    attempts: int
    reason: str


def new_job(kind: str, payload: dict[str, Any], now_ms: int, *, expires_ms: int | None = None) -> Job:
    """Return a job with a new random id.

    `kind`: the name of its handler. `payload`: the values that the handler needs. `now_ms`: the time at which the job
    is made. `expires_ms`: the time after which a failed job is not tried again; None: a day after its first attempt.
    """
    return Job(
        id=f"j_{secrets.token_urlsafe(12)}", kind=kind, payload=payload, made_ms=now_ms, expires_ms=expires_ms
    )


def pause_ms(attempt: int) -> int:
    """Return the time in ms to wait after a failed attempt: 5 s after the first, then twice as long each time, at most
    1 h.
    """
    return min(FIRST_PAUSE_MS << min(attempt - 1, 20), LONGEST_PAUSE_MS)


def next_try_ms(taken: Taken, now_ms: int) -> int | None:
    """Return the time in ms at which a job that has just failed is due again; None if it must be given up.

    `now_ms`: the present time.
    """
    due_ms = now_ms + pause_ms(taken.attempt)
    return due_ms if due_ms <= last_try_ms(taken) else None


def last_try_ms(taken: Taken) -> int:
    """Return the time in ms after which a job is not tried again."""
    return taken.job.expires_ms or taken.first_ms + GIVE_UP_MS


class Jobs:
    """The job queues of all organisations, one queue each. `queue`: the name of the queue, "" for the queue of
    mails.
    """

    def __init__(self, redis: Redis, seal: Seal, queue: str = "") -> None:
        self._redis: Any = redis
        self._seal = seal
        self._queue = queue
        self._step: Any = redis.register_script(_SCRIPT)
        # the store's time in ms at the last call of `due`; 0 before the first call
        self._looked_ms = 0

    def entry(self, organisation: str, job: Job, due_ms: int | None = None) -> tuple[str, int, bytes]:
        """Return (key, score, member): the arguments of the ZADD by which the caller adds a job to its queue.

        `due_ms`: the time in ms at which the job is due, None for at once.
        """
        due_ms = job.made_ms if due_ms is None else due_ms
        return self.key(organisation), due_ms, self._sealed(organisation, job)

    async def add(self, organisation: str, job: Job, due_ms: int | None = None) -> None:
        """Store a job until it is done. `due_ms`: the time at which it is due, None for at once."""
        key, score, member = self.entry(organisation, job, due_ms)
        async with answering():
            await self._redis.zadd(key, {member: score})

    async def due(self, organisations: Sequence[str]) -> list[str]:
        """Return those of `organisations` that have a due job, in the same order. One request reads all
        organisations.

        The first call returns every organisation that has a job, even if no job is due. A call after the store's
        clock was set back does the same, because `take` then sets the times of the jobs back as well. In a cluster,
        this method uses the clock of one node for all organisations, and `take` uses the clock of the organisation's
        own node. If the clock of the one node is slow, the organisations of the other nodes are returned late.
        """
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.time()
            for organisation in organisations:
                pipe.zrange(self.key(organisation), 0, 0, withscores=True)
            (seconds, micros), *first = await pipe.execute()
        now_ms = seconds * 1000 + micros // 1000
        until_ms = now_ms if 0 < self._looked_ms <= now_ms else float("inf")
        self._looked_ms = now_ms
        return [
            organisation
            for organisation, found in zip(organisations, first, strict=True)
            if found and found[0][1] <= until_ms
        ]

    async def take(self, organisation: str, limit: int, lease_ms: int | None = None) -> list[Taken]:
        """Lease at most `limit` due jobs and return them. The job that has been due for the longest time comes first.

        No other worker receives a leased job. `lease_ms`: the length of the lease, None for LEASE_MS. A job that cannot
        be decrypted, because its key is gone, is given up at once.
        """
        async with answering():
            now_ms, found = await self._step(
                keys=self._keys(organisation), args=["take", limit, lease_ms or LEASE_MS]
            )
        taken = []
        for member, attempt, first_ms in found:
            job = self._opened(organisation, member)
            if job is None:
                await self._given_up(organisation, member, member)
                continue
            taken.append(Taken(job, member, int(attempt), int(first_ms), int(now_ms)))
        return taken

    async def done(self, organisation: str, taken: Taken) -> None:
        """Remove the finished job `taken` from its queue in the organisation."""
        async with answering():
            await self._step(keys=self._keys(organisation), args=["done", taken.member])

    async def later(self, organisation: str, taken: Taken, due_ms: int, reason: str = "") -> None:
        """Make the failed job `taken` due again at the time `due_ms`. Do nothing if another worker has finished it.

        `reason`: why it failed; it is kept with the job.
        """
        async with answering():
            await self._step(keys=self._keys(organisation), args=["later", taken.member, due_ms, reason])

    async def give_up(self, organisation: str, taken: Taken, reason: str = "") -> None:
        """Move the job `taken` to the given-up jobs, which are tried again only if an operator asks for another try.

        `reason`: why it failed; it is kept with the job.
        """
        dead = replace(taken.job, attempts=taken.attempt, reason=reason)
        await self._given_up(organisation, taken.member, self._sealed(organisation, dead))

    async def again(self, organisation: str, ids: Collection[str]) -> int:
        """Make given-up jobs with these ids due now, as if they were new; return their number.

        The jobs must be of kinds that belong to this queue. A job's own expiry time, which may have passed, is removed:
        the job is tried for a day, and its handler decides whether the work is still needed.
        """
        found = 0
        async with answering():
            members = await self._redis.zrange(keys.DEAD_JOBS(organisation), 0, -1)
        for member in members:
            job = self._opened(organisation, member)
            if job is None or job.id not in ids:
                continue
            fresh = self._sealed(organisation, replace(job, attempts=0, reason="", expires_ms=None))
            async with answering():
                found += await self._step(keys=self._keys(organisation), args=["again", member, fresh])
        return found

    async def soon(self, organisation: str, members: Sequence[bytes]) -> int:
        """Make waiting jobs due now; return how many were changed. A job that is due within LEASE_MS stays as it is,
        because a worker may have leased it.

        `members`: the bytes of the jobs in the store.
        """
        async with answering():
            return int(await self._step(keys=self._keys(organisation), args=["soon", LEASE_MS, *members]))

    async def put_off(self, organisation: str, taken: Taken, due_ms: int) -> None:
        """Return the leased job `taken`, which was not attempted, to the queue; it is due at the time
        `due_ms`.

        This does not count as an attempt.
        """
        async with answering():
            await self._step(keys=self._keys(organisation), args=["off", taken.member, due_ms])

    async def reseal(self, organisation: str, member: bytes, other: bytes) -> bool:
        """Replace the bytes `member` of a stored job by the bytes `other`: the same job, encrypted with another key.

        Return False, and change nothing, if a worker may have leased the job.
        """
        async with answering():
            args = ["reseal", member, other, LEASE_MS]
            return bool(await self._step(keys=self._keys(organisation), args=args))

    async def _given_up(self, organisation: str, member: bytes, kept: bytes) -> None:
        args = ["dead", member, DEAD_KEPT, DEAD_KEPT_MS, kept]
        async with answering():
            await self._step(keys=self._keys(organisation), args=args)

    async def listed(self, organisation: str, most: int) -> list[Waiting]:
        """Return at most `most` jobs of an organisation that are not done, the earliest due first."""
        async with answering():
            found = await self._redis.zrange(self.key(organisation), 0, most - 1, withscores=True)
            if not found:
                return []
            fields = [
                f"{hashlib.sha1(member, usedforsecurity=False).hexdigest()}:{part}"
                for member, _ in found
                for part in ("n", "at", "why")
            ]
            tries = iter(await self._redis.hmget(keys.JOB_TRIES(organisation), fields))
        listed = []
        for (member, due_ms), attempts, first_ms, reason in zip(found, tries, tries, tries, strict=True):
            job = self._opened(organisation, member)
            if job is not None:
                begun, begins_ms = first_ms is not None, int(first_ms or due_ms)
                why = (reason or b"").decode()
                listed.append(Waiting(job, member, begun, begins_ms, int(attempts or 0), why))
        return listed

    async def waiting(self, organisation: str) -> list[tuple[int, Job]]:
        """Return the jobs that are not done, each as (time in ms at which the job is due, job), the earliest first."""
        return await self._listed(organisation, self.key(organisation))

    async def dead(self, organisation: str) -> list[tuple[int, Job]]:
        """Return the given-up jobs of all queues, each as (time in ms at which the job was given up, job), the oldest
        first.

        Jobs that cannot be read are left out.
        """
        return await self._listed(organisation, keys.DEAD_JOBS(organisation))

    async def _listed(self, organisation: str, key: str) -> list[tuple[int, Job]]:
        async with answering():
            found = await self._redis.zrange(key, 0, -1, withscores=True)
        opened = ((int(score), self._opened(organisation, member)) for member, score in found)
        return [(at_ms, job) for at_ms, job in opened if job is not None]

    def _sealed(self, organisation: str, job: Job) -> bytes:
        return self._seal.close(msgspec.msgpack.encode(job), _place(organisation))

    def _opened(self, organisation: str, member: bytes) -> Job | None:
        """Return the job in the stored bytes `member`; None if it cannot be read."""
        place = _place(organisation)
        return readable(
            organisation,
            "job",
            member,
            lambda data: msgspec.msgpack.decode(self._seal.open(data, place), type=Job),
        )

    def key(self, organisation: str) -> str:
        """Return the name of the Redis key of an organisation's jobs: a sorted set, in the order of the times at
        which they are due.
        """
        return keys.QUEUE(organisation, self._queue) if self._queue else keys.JOBS(organisation)

    def _keys(self, organisation: str) -> list[str]:
        clock = keys.QUEUE_CLOCK(organisation, self._queue) if self._queue else keys.JOB_CLOCK(organisation)
        return [self.key(organisation), keys.JOB_TRIES(organisation), keys.DEAD_JOBS(organisation), clock]


def _place(organisation: str) -> str:
    return f"{organisation}/job"
