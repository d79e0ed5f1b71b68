"""Restores a backup into an empty data folder, or into an empty store on another server.

The backup is read to its end before anything is written. The content of a data folder is first built in a temporary
folder, and moved when it is complete. A store on another server contains the mark of an unfinished restore until
everything is in it. So no server starts on half a backup, and the same command can be repeated.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from signalling.store import keys
from web.backups import store_content
from web.backups.sealed_file import About, read_about, read_parts
from web.backups.taking import FILE, KEYS, PATIENCE_S, Backup, Progress, check
from web.config import Settings
from web.errors import CommandError
from web.mail import outbox
from web.server import data_key as secret
from web.server.data_key import RESTORED, RESTORING
from web.server.redis_client import connect_now
from web.server.valkey import EmbeddedStore, LockedFolder

ALLOWED = frozenset({"lock", secret.FILE, RESTORED})


def restore(settings: Settings, path: Path, progress: Progress) -> Backup:
    """Restore the backup in the file `path`; return what it contains.

    `progress` is called with each step. Raises CommandError if the backup or the target cannot be used, and
    ConfigError if the store does not answer.
    """
    what = read_about(path)
    folder = LockedFolder(Path(settings.data.folder))
    try:
        key = _key(folder.path, what, path)
        found = check(path, key, progress)
        target = _own(settings, folder, what) if settings.redis.url else _embedded(folder)
        with target as (store, aside):
            store.set(keys.DATA_KEY(), RESTORING + what.id.encode())
            for done, part in read_parts(path, key):
                progress("restoring", done, found.size)
                if part[0] == KEYS:
                    store_content.write(store, part[1])
                elif part[0] == FILE:
                    _put(aside / outbox.OUTBOX, part[1], part[2])
            if what.secret:
                secret.keep(folder.path, what.secret)
            store.set(keys.DATA_KEY(), next(reversed(secret.keys_in(key))))
        return found
    except redis.ResponseError as refused:
        raise CommandError(f"the store takes no more: {refused}") from None
    except OSError as error:
        raise CommandError(f"{settings.data.folder} cannot be written ({error.strerror})") from None
    finally:
        folder.close()


def _key(folder: Path, what: About, path: Path) -> bytes:
    if (folder / secret.FILE).exists() or what.secret:
        return secret.content(folder) if (folder / secret.FILE).exists() else what.secret
    raise CommandError(
        f"{path} is encrypted with the data key {what.key}, which is not in it: put the secret.key of the server that "
        f"was backed up into {folder} first"
    )


@contextlib.contextmanager
def _embedded(folder: LockedFolder) -> "Iterator[tuple[redis.Redis, Path]]":
    """Yield a client of an empty store in a temporary folder, and that folder.

    If no error was raised in the context, move the store's files and the mails from the temporary folder into the
    data folder.
    """
    aside = folder.path / RESTORED
    _refuse_full(folder.path, begun=(aside / "valkey").exists())
    shutil.rmtree(aside, ignore_errors=True)
    lock = LockedFolder(aside)
    try:
        store = EmbeddedStore(lock)
        try:
            store.start()
            with redis.Redis.from_url(store.url, socket_timeout=PATIENCE_S) as client:
                # To restore faster, this store neither waits for the disk nor writes its file anew while the file
                # grows.
                client.execute_command("CONFIG SET", "appendfsync", "no", "auto-aof-rewrite-percentage", "0")
                yield client, aside
                client.execute_command("CONFIG SET", "appendfsync", "always")
                # Wait for the disk: this write changes nothing, but the store replies to it only when all earlier
                # writes are on the disk.
                client.append(keys.DATA_KEY(), b"")
        finally:
            store.stop()
        if (aside / outbox.OUTBOX).exists():
            shutil.rmtree(folder.path / outbox.OUTBOX, ignore_errors=True)
            (aside / outbox.OUTBOX).rename(folder.path / outbox.OUTBOX)
        (aside / "valkey").rename(folder.path / "valkey")
        _sync(folder.path)
    finally:
        lock.close()
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _own(settings: Settings, folder: LockedFolder, what: About) -> "Iterator[tuple[redis.Redis, Path]]":
    """Yield a client of the store in redis.url, and a folder for files.

    `what`: the first line of the backup. The store must be empty, or contain the mark of an unfinished
    restore of the same backup.
    """
    try:
        with connect_now(settings.redis, PATIENCE_S) as client:
            held: Any = client.get(keys.DATA_KEY())
            begun = held == RESTORING + what.id.encode()
            if not begun and client.dbsize():
                raise CommandError(
                    "redis.url: the store there is not empty; a backup is restored into an empty one"
                )
            _refuse_full(folder.path, begun=begun)
            yield client, folder.path
    except redis.ConnectionError as error:
        raise CommandError(f"redis.url: the store there does not answer ({type(error).__name__})") from None


def _refuse_full(folder: Path, *, begun: bool) -> None:
    allowed = ALLOWED | ({outbox.OUTBOX} if begun else set())
    full = sorted(path.name for path in folder.iterdir() if path.name not in allowed)
    if full:
        raise CommandError(
            f"{folder} is not empty ({', '.join(full)}); a backup is restored into a new folder, which holds at most "
            "secret.key: name one with --data"
        )


def _put(folder: Path, name: str, data: bytes) -> None:
    """Write a file with this name and content, which only its owner may read."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / Path(name).name
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(data)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
