"""Rotates the data key: the steps of `greenroom rotate-keys`, and what the running workers do meanwhile.

The new key is put beside the old key in `secret.key`. When all workers know the new key, the store names it as the key
to encrypt with. When all workers use it, everything in the store is encrypted again, and the old key is removed from
the file. After each step, the file or the store shows how far the rotation is. So if the command is killed, the next
`greenroom rotate-keys` continues the rotation.
"""

import asyncio
import contextlib
import errno
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalling.errors import SealError, UnavailableError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.resealing import Resealing
from signalling.store.unavailable import answering
from signalling.ticks import tick
from web.config import Settings
from web.config.store_address import Kind, store_address
from web.errors import CommandError, ConfigError
from web.keys import REDIS, SEAL, SETTINGS, SUPERVISOR
from web.metrics.report import Report, reports
from web.server import data_key as secret
from web.server.redis_client import connect
from web.server.store_rewriting import UNMARK, mark

LOOK_S = 1.0
"""Every LOOK_S seconds, a worker checks whether the store names another key, or `secret.key` has changed."""
PATIENCE_S = 15.0
"""The longest time in s to wait for workers.

The report of a worker that has ended expires sooner, so the rotation does not wait for such a worker.
"""
LEASE_MS = 5_000
TASK = "web.server.key_rotation"
MOUNTED = (
    "is mounted as a file, as in a container, and cannot be replaced: give the command a copy in another folder, as "
    "docs/OPERATIONS.md says in its section A new data key"
)
COPY = "copy secret.key from the server that rotated the keys"
SWITCH = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end"

Progress = Callable[[str, int, int], None]
"""A function that is called with the name of a step, the amount of its work that is done, and the whole amount.

The two numbers are 0 if they are unknown."""
log = structlog.get_logger("web.rotation")


class Follower:
    """Gives a worker the keys in the file `secret.key`, and makes it encrypt with the key that the store names."""

    def __init__(self, redis: Redis, folder: Path, seal: Seal) -> None:
        self._redis: Any = redis
        self._folder = folder
        self._seal = seal
        # the time of change, size and inode of the file when it was last read; None if it must be read
        self._read: tuple[int, int, int] | None = None
        self._known: dict[bytes, bytes] = {}
        self._missed = b""

    async def run(self) -> None:
        """Check every LOOK_S seconds, until cancelled, whether the data keys, or the key to encrypt with, have
        changed.
        """
        while True:
            # After an error of the store, the check is repeated in a second.
            with contextlib.suppress(UnavailableError):
                await self.look()
            await tick(LOOK_S)

    async def look(self) -> None:
        """Use the keys of the file, and the key to encrypt with that the store names, if one of the two has changed.

        Do nothing if the store names a key that is not in the file. Log this once as an error, unless the worker has
        that key already.
        """
        async with answering():
            newest = await self._redis.get(keys.DATA_KEY())
        if newest is None or newest.startswith(secret.RESTORING):
            return
        try:
            stat = (self._folder / secret.FILE).stat()
            looks = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if looks != self._read:
                self._known, self._read = secret.keys_in(secret.content(self._folder)), looks
        except (OSError, ConfigError):
            # The key file is being written, or is lost. The worker keeps the keys in `_seal`, and tries the file again
            # at the next call.
            self._known, self._read = {}, None
        if newest not in self._known:
            if newest not in self._seal.ids and newest != self._missed:
                log.error("key.missing", hint=COPY)
                self._missed = newest
            return
        wanted = secret.ordered(self._known, newest)
        if tuple(wanted) != self._seal.ids:
            self._seal.replace(wanted)
            log.info("key.taken_up", count=len(wanted))


async def running(app: web.Application) -> AsyncIterator[None]:
    """Use changed data keys in this worker, from the start of the app to its end.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    folder = Path(app[SETTINGS].data.folder)
    app[SUPERVISOR].keep(TASK, Follower(app[REDIS], folder, app[SEAL]).run)
    yield
    await app[SUPERVISOR].stop(TASK)


class Rotated(NamedTuple):
    """The result of a rotation.

    `key`: the id of the new key. `records`: the number of records that were encrypted again. `elsewhere`: the names of
    other machines with workers, to which the operator must copy the key file once more.
    """

    key: str
    records: int
    elsewhere: list[str]


class Rotation:
    """One rotation of the data key of a store and a data folder."""

    def __init__(self, redis: Redis, settings: Settings, progress: Progress) -> None:
        self._redis: Any = redis
        self._folder = Path(settings.data.folder)
        self._late_s = settings.redis.socket_timeout_s + 1
        self._progress = progress
        self._switch: Any = redis.register_script(SWITCH)
        self._unmark: Any = redis.register_script(UNMARK)

    async def run(self) -> Rotated:
        """Begin a rotation, or continue an unfinished rotation; return its result.

        Raises CommandError if a step is not possible, ConfigError if the key file cannot be read or belongs to another
        store, and redis-py's errors.
        """
        async with self._alone():
            old, new = await self._begun()
            await self._workers(lambda ids: new in ids, "know the new key")
            await self._switch(keys=[keys.DATA_KEY()], args=[old, new])
            await self._workers(lambda ids: ids[-1:] == (new,), "encrypt with the new key")
            records = await self._reseal(old)
            await self._workers(lambda ids: ids[-1:] == (new,), "encrypt with the new key")
            found = secret.content(self._folder)
            secret.replace(self._folder, found[: secret.BYTES] + secret.keys_in(found)[new])
            # The store's file on the disk still contains records that are encrypted with the old key, so it
            # must be rewritten.
            await mark(self._redis)
            machines = {one.machine for one in await reports(self._redis)} - {socket.gethostname()}
            return Rotated(new.decode(), records, sorted(machines))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold a lock in the store within this context, so that no second rotation runs at the same time.

        The lock of a command that was killed expires by itself.
        """
        token, end_s = secrets.token_hex(8), _now() + PATIENCE_S
        while not await self._redis.set(keys.ROTATING(), token, nx=True, px=LEASE_MS):
            if _now() > end_s:
                raise CommandError(
                    "another `greenroom rotate-keys` is at work on this store: wait for its end"
                )
            self._progress("waiting for another rotation", 0, 0)
            await asyncio.sleep(0.5)
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._unmark(keys=[keys.ROTATING()], args=[token])

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_MS / 5000)
            with suppress(RedisError):  # the lock's next extension, a second later, is still in time
                await self._redis.pexpire(keys.ROTATING(), LEASE_MS)

    async def _begun(self) -> tuple[bytes, bytes]:
        """Put a new key into the file `secret.key`; return the ids of the old and of the new key.

        If an interrupted rotation has put a new key into the file already, no other key is added.
        """
        found = secret.content(self._folder)
        await secret.check(self._redis, found)
        if len(secret.keys_in(found)) == 1:
            found = found[: secret.BYTES] + found[-secret.BYTES :] + secrets.token_bytes(secret.BYTES)
            secret.replace(self._folder, found)
        old, new = secret.keys_in(found)
        return old, new

    async def _workers(self, ready: Callable[[tuple[bytes, ...]], bool], what: str) -> None:
        """Wait until all workers that report to the store are ready for the next step.

        `ready`: is called with the ids of a worker's keys, and returns whether the worker is ready. `what`: what a
        worker must do to be ready, in words for the error. Raises CommandError after PATIENCE_S seconds.
        """

        def lacks(one: Report) -> bool:
            return not ready(tuple(key.encode() for key in one.keys))

        end_s = _now() + PATIENCE_S
        while lacking := sorted({one.machine for one in await reports(self._redis) if lacks(one)}):
            if _now() > end_s:
                raise CommandError(
                    f"the workers of {', '.join(lacking)} do not {what} yet: copy {self._folder / secret.FILE} into "
                    "the data folder of each such server while it runs (upgrade one that is older first), then run "
                    "`greenroom rotate-keys` again"
                )
            self._progress("waiting for workers", 0, 0)
            await asyncio.sleep(LOOK_S / 2)

    async def _reseal(self, old: bytes) -> int:
        """Encrypt again until no record is left that is encrypted with the old key; return the number of records.

        A worker may have sent a record with the old key to the store just before it began to use the new key. So the
        last search begins only when no such command can reach the store any longer.
        """
        seal = Seal(await secret.check(self._redis, secret.content(self._folder)))
        resealing, records, late_s = Resealing(self._redis, seal, old), 0, _now() + self._late_s
        while True:
            began_s = _now()
            try:
                passed = await resealing.look(lambda done, whole: self._progress("encrypting", done, whole))
            except SealError as problem:
                raise CommandError(
                    f"a value in the store cannot be decrypted, so the old key stays ({problem}): remove it or restore "
                    "it, then run `greenroom rotate-keys` again"
                ) from None
            records += passed.changed
            if not passed.found and began_s > late_s:
                return records
            if not passed.changed:
                # the pause lets a worker finish a job that it has taken
                await asyncio.sleep(max(0.5, _now() - began_s))


def _now() -> float:
    return asyncio.get_running_loop().time()


async def rotate(settings: Settings, progress: Progress) -> Rotated:
    """Rotate the data key of a store and a data folder; return the result. `progress` is called with each step.

    Raises CommandError if a step is not possible, ConfigError if the key file cannot be read or belongs to another
    store, and redis-py's errors.
    """
    if settings.redis.url and store_address(settings.redis.url).kind is Kind.CLUSTER:
        raise CommandError("redis.url: the key of a store that is a cluster cannot be rotated")
    redis = connect(settings)
    try:
        return await Rotation(redis, settings, progress).run()
    except OSError as error:
        if error.filename is None:
            # An OSError without a file name comes from the connection to the store.
            raise
        why = MOUNTED if error.errno == errno.EBUSY else f"cannot be written ({error.strerror})"
        # An error of a replacement has two file names; the second is that of the file to replace.
        raise CommandError(f"{error.filename2 or error.filename} {why}") from None
    finally:
        await redis.aclose()
