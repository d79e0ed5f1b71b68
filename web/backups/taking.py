"""Takes a backup of a running server, or checks a backup: the store and the files of one moment, in one file.

Each server of the store sends a snapshot. A second store in the data folder loads the snapshot, and the backup reads
this second store, so that it does not slow the server's store. The process has a low priority while it takes a backup.
"""

import contextlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import redis

from signalling.store import keys
from web.backups import snapshot, store_content
from web.backups.sealed_file import Writer, about, read_about, read_parts
from web.config import Settings
from web.errors import CommandError, ConfigError
from web.mail import outbox
from web.server import scheduling
from web.server.data_key import content, keys_in
from web.server.valkey import EmbeddedStore, LockedFolder

COPY = "backing-up"
"""The folder in the data folder in which the second store works while a backup is taken."""
BASE = "appendonly.aof.1.base.rdb"
PATIENCE_S = 60.0
NICE = 10
"""The niceness of this process and of its second store while a backup is taken, so that visits go first."""
SLICE_NS = 100_000
"""How long, in ns, this process may keep a processor that another process needs. Linux accepts no shorter time. With
the default, about 3 ms, a claim would wait too long, because it passes through four processes.
"""
KEYS, FILE, END = "keys", "file", "end"
Progress = Callable[[str, int, int], None]
"""Receives the name of a step, the amount that is done, and the whole amount (in bytes or keys; 0 if unknown)."""


class Counts(msgspec.Struct):
    """The numbers of visits, keys and files in a backup."""

    visits: int = 0
    keys: int = 0
    files: int = 0

    def add(self, part: Any) -> None:
        """Add the visits, keys and files that `part`, one part of the backup, contains."""
        if part[0] == KEYS:
            self.keys += len(part[1])
            self.visits += sum(b"}:visit:" in name or b"}:past:" in name for name, _, _ in part[1])
        elif part[0] == FILE:
            self.files += 1


class Backup(NamedTuple):
    """A backup that was read completely.

    `size`: the size of the file in bytes. `key`: the id of the data key. `made`: the time at which the backup was begun
    (ISO 8601, UTC). `counts`: how much the backup contains.
    """

    path: Path
    size: int
    key: str
    made: str
    counts: Counts


def take(settings: Settings, path: Path, progress: Progress, *, with_key: bool) -> Backup:
    """Back up the store in `redis.url` of these settings, and the data folder, into the file `path`; return the result.

    `progress` is called with each step; `with_key`: True to put the data key into the file. Raises
    CommandError if the backup is not possible, and ConfigError if the store does not answer.
    """
    folder = Path(settings.data.folder)
    key = content(folder)
    newest, *older = reversed(keys_in(key))
    if older:
        raise CommandError(
            "a rotation of the data key has not finished: run `greenroom rotate-keys` again first"
        )
    if path.exists():
        raise CommandError(f"{path} exists; name a new file")
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    what = about(
        datetime.now(UTC).isoformat(timespec="seconds"),
        key,
        importlib.metadata.version("greenroom"),
        with_key=with_key,
    )
    counts = Counts()
    try:
        with (
            _low_priority(),
            Writer(draft, what, key) as file,
            contextlib.closing(_parts(folder, settings, newest, progress)) as parts,
        ):
            for part in parts:
                counts.add(part)
                file.part(part)
            file.part([END, counts])
        found = check(draft, key, progress)
        if found.counts != counts:
            raise CommandError(f"{path} does not hold what was written to it; look at the disk")
        draft.rename(path)
    except OSError as error:
        raise CommandError(f"{error.filename or folder} cannot be written ({error.strerror})") from None
    finally:
        draft.unlink(missing_ok=True)
    return found._replace(path=path)


def check(path: Path, key: bytes, progress: Progress) -> Backup:
    """Read a whole backup and return what it contains.

    `key`: the data key; `progress` is called with the number of bytes read so far. Raises CommandError if the
    file is not exactly as it was written.
    """
    what, size, counts, end = read_about(path), path.stat().st_size, Counts(), None
    for done, part in read_parts(path, key):
        progress("checking", done, size)
        counts.add(part)
        if part[0] == END:
            end = msgspec.convert(part[1], Counts)
    if end != counts:
        raise CommandError(f"{path} was changed or cut after it was written; use another backup")
    return Backup(path, size, what.key, what.made, counts)


@contextlib.contextmanager
def _low_priority() -> Iterator[None]:
    """Lower the priority of this process, and of those that it starts, within this context.

    Niceness is not enough: since version 6.6, Linux lets even a nice process run until its time slice (SLICE_NS) ends.
    At the end of the context, the old priority is set again if the system allows that.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, NICE))
    scheduling.set_slice(SLICE_NS)
    try:
        yield
    finally:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)
            scheduling.set_slice(0)


def _parts(folder: Path, settings: Settings, key: bytes, progress: Progress) -> Generator[list[Any]]:
    """Yield the parts of a backup: the store's keys, and the files of the data folder.

    `key`: the id of the data key. Raises CommandError if the store's records are encrypted with another key.
    """
    with contextlib.closing(_frozen(folder, settings, progress)) as stores:
        for store in stores:
            if store.get(keys.DATA_KEY()) not in (None, key):
                raise CommandError("the store’s records are not encrypted with the data folder’s secret.key")
            size: Any = store.dbsize()
            for looked, entries in store_content.read(store):
                progress("writing", looked, size)
                yield [KEYS, entries]
    for path in sorted((folder / outbox.OUTBOX).glob("*")):
        # a mail may have been erased or sent since the folder was listed
        with contextlib.suppress(FileNotFoundError):
            yield [FILE, path.name, path.read_bytes()]


def _frozen(folder: Path, settings: Settings, progress: Progress) -> "Generator[redis.Redis]":
    """Yield, for each server of the store in turn, a client of a second store with the content of that server.

    Before the first client is yielded, a snapshot is received from each server, one soon after the other. The files of
    the second store and the snapshots are below `folder`, and are removed at the end.
    """
    lock = LockedFolder(folder / COPY)
    received = lock.path / "received"
    try:
        # Remove the files that remain if an earlier backup was killed.
        shutil.rmtree(received, ignore_errors=True)
        received.mkdir(mode=0o700)
        for file in snapshot.receive_all(
            settings.redis, received, lambda size: progress("receiving", size, 0)
        ):
            progress("loading", 0, 0)
            with _loaded(lock, file) as store:
                yield store
    finally:
        lock.close()
        shutil.rmtree(lock.path, ignore_errors=True)


@contextlib.contextmanager
def _loaded(lock: LockedFolder, file: Path) -> "Iterator[redis.Redis]":
    """Start a second store with the content of the snapshot in `file`, yield a client of it, and stop the store.

    `lock`: the folder of the second store. The snapshot is removed as soon as the store has loaded it.
    """
    files = lock.path / "valkey" / "appendonlydir"
    shutil.rmtree(files.parent, ignore_errors=True)
    files.parent.mkdir(mode=0o700)
    files.mkdir(mode=0o700)
    file.rename(files / BASE)
    (files / "appendonly.aof.manifest").write_text(f"file {BASE} seq 1 type b\n", "utf-8")
    store = EmbeddedStore(lock)
    try:
        try:
            store.start()
        except ConfigError as problem:
            raise CommandError(f"the store’s snapshot cannot be read here: {problem}") from None
        # The second, temporary store has loaded the snapshot into memory. The file is removed now, so that it does
        # not stay if the backup is killed.
        (files / BASE).unlink()
        with redis.Redis.from_url(store.url, socket_timeout=PATIENCE_S) as client:
            yield client
    finally:
        store.stop()
