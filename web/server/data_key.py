"""Creates and reads the data key: 32 random bytes in the data folder, which encrypt records about patients.

The key is one file, which several processes can create safely. Servers that share a store must share the
key: copy `secret.key` from the first server's data folder to those of the other servers before they start;
`check` stops a server that has another key.

After a rotation (`key_rotation.py`) the file holds several keys of 32 bytes in a row. The first is the root key, which
never changes: links and the audit log's hashes are derived from it. The keys after it encrypt records: usually there is
one, and two until a rotation has finished. If the file has only one key, this key serves both purposes.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from signalling.store import keys
from web.errors import ConfigError

FILE = "secret.key"
BYTES = 32
MOST = 3
RESTORING = b"restoring "
"""The beginning of the value of `keys.DATA_KEY` while a backup is being restored into a store; the backup's id
follows."""
RESTORED = "restoring"
"""The subfolder of a data folder into which a backup is restored. At the end, its files move to the data folder."""


def make_data_key(folder: Path) -> None:
    """Create the key if the folder has none. Raises ConfigError if it cannot be written.

    This is called when a worker starts, and by `greenroom init`. Code that only needs the key calls `data_key`, so that
    a lost key causes an error and is not replaced.
    """
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path, secrets.token_bytes(BYTES))
    except OSError as error:
        raise ConfigError(f"data.folder: {path} cannot be read or written ({error.strerror})") from None


def keep(folder: Path, key: bytes) -> None:
    """Write a key into a folder that has none. Raises OSError if it cannot be written."""
    _create(folder / FILE, key)


def content(folder: Path) -> bytes:
    """Return the bytes of the key file: all its keys in a row.

    Raises ConfigError if the file cannot be read or has a wrong length.
    """
    path = folder / FILE
    try:
        found = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"data.folder: {path} cannot be read or written ({error.strerror})") from None
    if len(found) not in range(BYTES, MOST * BYTES + 1, BYTES):
        raise ConfigError(
            f"data.folder: {path} must hold {BYTES} bytes, or after a rotation of keys {BYTES} for each key; without "
            "the right one nothing can be read"
        )
    return found


def data_key(folder: Path) -> bytes:
    """Return the root key in the folder. Raises ConfigError if it cannot be read or has a wrong length."""
    return content(folder)[:BYTES]


def keys_in(found: bytes) -> dict[bytes, bytes]:
    """Return the keys that encrypt records: id -> key, the newest last. `found`: the content of a key file."""
    rows = [found[at : at + BYTES] for at in range(0, len(found), BYTES)]
    return {key_id(key): key for key in rows[1:] or rows}


def ordered(found: Mapping[bytes, bytes], newest: bytes) -> dict[bytes, bytes]:
    """Return the keys in another order: the key with the id `newest`, which encrypts new records, comes last."""
    return {**{name: key for name, key in found.items() if name != newest}, newest: found[newest]}


def replace(folder: Path, found: bytes) -> None:
    """Replace the content of the key file in `folder` by `found` in one step, keeping its owner.

    Raises OSError if the file cannot be written.
    """
    path = folder / FILE
    owner, draft = path.stat(), _draft(path, found)
    try:
        # The group is not set, because only root may set any group. This does no harm: the mode of the new file gives
        # its group no right.
        os.chown(draft, owner.st_uid, -1)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(path: Path, key: bytes) -> None:
    """Write a key to a temporary file and link `path` to it; if `path` exists already, keep the key that it has."""
    draft = _draft(path, key)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _draft(path: Path, found: bytes) -> Path:
    """Write the bytes `found` to a temporary file beside `path`, and to the disk; return the temporary file's path.

    Raises OSError if that fails; the temporary file is then removed.
    """
    draft = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(found)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink()
        raise
    return draft


def key_id(key: bytes) -> bytes:
    """Return the id of a key: a short hash, from which the key cannot be calculated."""
    return hashlib.sha256(b"greenroom key id" + key).hexdigest()[:8].encode()


def derived(key: bytes, purpose: str) -> bytes:
    """Return 32 bytes that are derived from the key for one purpose, as in RFC 5869.

    Neither the key nor the bytes for another purpose can be calculated from them.
    """
    return hmac.digest(key, purpose.encode(), "sha256")


async def check(redis: Redis, found: bytes) -> dict[bytes, bytes]:
    """Check that the keys of a key file belong to the store; return them: id of a key -> key.

    The last key of the result is the key that encrypts the store's new records. If the store names no such key yet, its
    name is written into the store. `found`: the content of the file. Raises ConfigError if the file does not contain
    that key, or if a restore into the store has not finished.
    """
    name, known = keys.DATA_KEY(), keys_in(found)
    await redis.set(name, next(iter(known)), nx=True)
    held: Any = await redis.get(name)
    judge(held, known)
    return ordered(known, held)


def judge(held: bytes, known: Mapping[bytes, bytes]) -> None:
    """Raise ConfigError if the store's records cannot be read, or if a restore into the store has not finished.

    `held`: the store's value of `keys.DATA_KEY`; `known`: the keys of the key file by their ids.
    """
    if held.startswith(RESTORING):
        raise ConfigError(
            "redis.url: a restore into this store has not finished: run the same `greenroom restore` again, or empty it"
        )
    if held not in known:
        lacks = f"{FILE} is not the key" if known else f"{FILE} is missing, the key"
        raise ConfigError(
            f"data.folder: {lacks} that this store's records are sealed with; copy the one of the server that used the "
            "store first, or that rotated the keys"
        )


def refuse_half_restored(folder: Path) -> None:
    """Raise ConfigError if a `greenroom restore` into a data folder has not finished."""
    half = folder / RESTORED
    if (half / "valkey").exists():
        raise ConfigError(
            f"data.folder: a restore into {folder} has not finished: run the same `greenroom restore` again, or remove "
            f"{half}"
        )
