"""The data key: 32 random bytes in the data folder, which encrypt records about patients.

The key is one file, which several processes can create safely. Servers that share a store must share the key: copy
`secret.key` from the first server's data folder to the others' before they start; `check` stops a server that has
another key.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from signalling.store import keys
from web.errors import ConfigError

FILE = "secret.key"
BYTES = 32
RESTORING = b"restoring "
"""Begins the value of `keys.DATA_KEY` while a backup is being restored into a store; the backup's id follows."""


def make_data_key(folder: Path) -> None:
    """Create the key if the folder has none. Raises ConfigError if it cannot be written.

    Called only when a worker starts, so that a key that is lost later causes an error and is not replaced.
    """
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path, secrets.token_bytes(BYTES))
    except OSError as error:
        raise ConfigError(f"data.folder: {path} cannot be read or written ({error.strerror})") from None


def keep(folder: Path, key: bytes) -> None:
    """Write a key into a folder that has none. Raises OSError."""
    _create(folder / FILE, key)


def data_key(folder: Path) -> bytes:
    """Return the key in the folder. Raises ConfigError if it cannot be read or has the wrong length."""
    path = folder / FILE
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"data.folder: {path} cannot be read or written ({error.strerror})") from None
    if len(key) != BYTES:
        raise ConfigError(
            f"data.folder: {path} must hold {BYTES} bytes; without the right one nothing can be read"
        )
    return key


def _create(path: Path, key: bytes) -> None:
    """Write a key to a draft file and link it to its name, so that exactly one of several processes succeeds."""
    draft = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def key_id(key: bytes) -> bytes:
    """Return a short name for the key, from which the key cannot be derived."""
    return hashlib.sha256(b"greenroom key id" + key).hexdigest()[:8].encode()


def derived(key: bytes, purpose: str) -> bytes:
    """Return 32 bytes for one purpose; neither the key nor the bytes of another purpose can be derived (as in RFC
    5869).
    """
    return hmac.digest(key, purpose.encode(), "sha256")


async def check(redis: Redis, key: bytes) -> None:
    """Raise ConfigError if a server with another key encrypted the store's records."""
    name = keys.DATA_KEY()
    await redis.set(name, key_id(key), nx=True)
    held: Any = await redis.get(name)
    if held.startswith(RESTORING):
        raise ConfigError(
            "redis.url: a restore into this store has not finished: run the same `greenroom restore` again, or empty it"
        )
    if held != key_id(key):
        raise ConfigError(
            f"data.folder: {FILE} is not the key that this store's records are sealed with; copy the one of the server "
            "that used the store first"
        )
