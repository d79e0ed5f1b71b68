"""What this machine has seen of each audit trail, in the data folder: a store that is put back cannot hide it.

Knows one small file for each organisation. A file that cannot be read is none; one that cannot be written is logged.
"""

import contextlib
import os
import re
import secrets
from pathlib import Path

import msgspec
import structlog

FOLDER = "audit"
NAME = re.compile(r"[a-z0-9-]{1,64}")
log = structlog.get_logger("web.audit")


class Seen(msgspec.Struct, frozen=True):
    """The last entry that was seen: its number, and its hash."""

    number: int
    hash: bytes


class FileWitness:
    """The files below a data folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def get(self, organisation: str) -> tuple[int, bytes] | None:
        """Return (number, hash) of the last entry that was seen."""
        if not NAME.fullmatch(organisation):
            return None
        try:
            found = msgspec.json.decode((self._folder / organisation).read_bytes(), type=Seen)
        except (OSError, msgspec.DecodeError):
            return None
        return found.number, found.hash

    def put(self, organisation: str, number: int, last: bytes) -> None:
        """Keep what was seen; whole or not at all."""
        if not NAME.fullmatch(organisation):
            return
        draft = self._folder / f".{organisation}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(Seen(number, last)))
            draft.replace(self._folder / organisation)
        except OSError as error:
            log.warning("the audit trail has no witness", error=type(error).__name__)
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
