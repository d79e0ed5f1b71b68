"""Keeps the last known entry of each audit log in a file, outside the store.

If the log in the store lacks this entry, the store was replaced by an older copy. The files are in the data
folder, one per organisation. A file that cannot be read counts as missing; a failed write is logged.
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
    """The last known entry of an audit log: its number and its hash."""

    number: int
    hash: bytes


class SeenEntriesFile:
    """Reads and writes the files with the last known entries, below the data folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def get(self, organisation: str) -> tuple[int, bytes] | None:
        """Return the number and the hash of the last known entry of an organisation's log.

        Returns None if there is no file about this log.
        """
        if not NAME.fullmatch(organisation):
            return None
        try:
            found = msgspec.json.decode((self._folder / organisation).read_bytes(), type=Seen)
        except (OSError, msgspec.DecodeError):
            return None
        return found.number, found.hash

    def put(self, organisation: str, number: int, last: bytes) -> None:
        """Store the number and the hash (`last`) of the last known entry of an organisation's log.

        The file is replaced in one step.
        """
        if not NAME.fullmatch(organisation):
            return
        draft = self._folder / f".{organisation}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            draft.write_bytes(msgspec.json.encode(Seen(number, last)))
            draft.replace(self._folder / organisation)
        except OSError as error:
            log.warning("audit.last_entry_not_kept", error=type(error).__name__)
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
