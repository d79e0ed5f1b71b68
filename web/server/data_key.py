"""The data key: 32 random bytes beside the data, with which records about patients are sealed.

Knows one file and how several processes agree on it. Servers that share a store must share the key: copy `secret.key`
from the first one's data folder to the others' before they start; `check` stops a server that has another.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from redis.asyncio import Redis

from web.config import ConfigError

FILE = "secret.key"
BYTES = 32


def make_data_key(folder: Path) -> None:
    """Makes the key where there is none. Workers do so as they start, and nobody later, so that a key that was lost is
    missed, not replaced. Raises ConfigError where it cannot be written.
    """
    path = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
    except OSError as error:
        raise ConfigError(f"data.folder: {path} cannot be read or written ({error.strerror})") from None


def data_key(folder: Path) -> bytes:
    """The key in the folder. Raises ConfigError where it cannot be read or is not one."""
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


def _create(path: Path) -> None:
    """Writes a new key under a name of its own and links it, so that of several processes one wins, whole."""
    draft = path.with_name(f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def key_id(key: bytes) -> bytes:
    """A short name of the key that tells nothing about it."""
    return hashlib.sha256(b"greenroom key id" + key).hexdigest()[:8].encode()


def derived(key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, from which neither the key nor another purpose's can be told (RFC 5869's idea)."""
    return hmac.digest(key, purpose.encode(), "sha256")


async def check(redis: Redis, key: bytes) -> None:
    """Raises ConfigError where the store's records were sealed by a server with another key."""
    name = "greenroom:key"
    await redis.set(name, key_id(key), nx=True)
    if await redis.get(name) != key_id(key):
        raise ConfigError(
            f"data.folder: {FILE} is not the key that this store's records are sealed with; copy the one of the server "
            "that used the store first"
        )
