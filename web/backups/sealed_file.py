"""Writes and reads the file of a backup: one line in clear text, then encrypted parts that can only be read in order.

The key is derived from the data key for this one file. The reader detects if a part was changed, moved or
removed, and if the end is missing. `taking.py` defines what the parts contain.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from web.errors import CommandError
from web.server.data_key import derived, key_id

MAGIC = b"greenroom backup 1\n"
HEADER_BYTES = 4096
LONGEST_PART = 1 << 30
SYNC_PARTS = 8
"""Each time that this number of parts has been written, of about a mebibyte each, the file is flushed to the disk."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a backup, which is not encrypted.

    `key`: the id of the data key. `secret`: the data key itself; empty if the operator did not ask to include it.
    """

    id: str
    made: str
    key: str
    version: str
    secret: bytes = b""


def about(made: str, key: bytes, version: str, *, with_key: bool) -> About:
    """Return the first line of a new backup.

    `made`: the time (ISO 8601, UTC); `key`: the data key; `version`: the version of Greenroom; `with_key`: True to
    put the data key into the line.
    """
    return About(
        id=secrets.token_hex(16),
        made=made,
        key=key_id(key).decode(),
        version=version,
        secret=key if with_key else b"",
    )


class _Cipher:
    """Encrypts or decrypts the parts of one file, in their order."""

    def __init__(self, line: bytes, name: str, key: bytes) -> None:
        self._aes = AESGCM(derived(key, f"backup {name}"))
        self._line = hashlib.sha256(line).digest()
        self._number = 0

    def _place(self) -> tuple[bytes, bytes]:
        # The part's number is a safe nonce, because no other file is encrypted with this key.
        self._number += 1
        return self._number.to_bytes(12, "big"), self._line

    def close(self, data: bytes) -> bytes:
        nonce, line = self._place()
        return self._aes.encrypt(nonce, data, line)

    def open(self, data: bytes) -> bytes:
        nonce, line = self._place()
        return self._aes.decrypt(nonce, data, line)


class Writer:
    """Writes a backup to a new file, which only its owner may read.

    Its methods raise CommandError if a write fails.
    """

    def __init__(self, path: Path, what: About, key: bytes) -> None:
        self._path = path
        line = msgspec.json.encode(what) + b"\n"
        self._cipher = _Cipher(line, what.id, key)
        try:
            path.touch(0o600, exist_ok=False)
            self._file = path.open("wb")
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror})") from None
        self._parts = 0
        self._put(MAGIC + line)

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise CommandError(f"{self._path} cannot be written ({error.strerror})") from None

    def part(self, content: Any) -> None:
        """Add a part, which is any value that msgpack can encode."""
        sealed = self._cipher.close(msgspec.msgpack.encode(content))
        self._put(len(sealed).to_bytes(4, "big") + sealed)
        self._parts += 1
        if self._parts % SYNC_PARTS == 0:
            self._file.flush()
            os.fdatasync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            if kind is None:
                raise CommandError(f"{self._path} cannot be written ({error.strerror})") from None


def read_about(path: Path) -> About:
    """Return the first line of the backup at `path`. Raises CommandError if the file is no backup."""
    with _opened(path) as file:
        return _about(path, file)[0]


def read_parts(path: Path, key: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the parts of a backup, each with the number of bytes read so far.

    Raises CommandError if the file is not exactly as it was written, or if the key is wrong.
    """
    with _opened(path) as file:
        what, line = _about(path, file)
        if what.key != key_id(key).decode():
            raise CommandError(
                f"{path} is encrypted with the data key {what.key}; the one here is {key_id(key).decode()}: put the "
                "secret.key of the server that was backed up into the data folder"
            )
        cipher = _Cipher(line, what.id, key)
        while head := file.read(4):
            length = int.from_bytes(head, "big")
            sealed = file.read(length) if length < LONGEST_PART else b""
            try:
                yield file.tell(), msgspec.msgpack.decode(cipher.open(sealed))
            except (InvalidTag, ValueError):
                raise CommandError(
                    f"{path} was changed or cut after it was written; use another backup"
                ) from None


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror})") from None


def _about(path: Path, file: BinaryIO) -> tuple[About, bytes]:
    if file.readline(HEADER_BYTES) != MAGIC:
        raise CommandError(f"{path} is no backup of Greenroom")
    line = file.readline(HEADER_BYTES)
    try:
        return msgspec.json.decode(line, type=About), line
    except msgspec.DecodeError:
        raise CommandError(f"{path} was changed or cut after it was written; use another backup") from None
