"""The newest values of each worker of this machine, in memory that they share, so that any worker can answer a scrape.

A worker writes once a second, and nobody waits for it: also what a worker that hangs has counted can be read, for a
while. Knows bytes; `scrape.py` knows what they mean.
"""

from __future__ import annotations

import mmap
import struct
from zlib import crc32

# Of one slot: the time of writing (monotonic, s), the length and the checksum of what follows.
_HEAD = struct.Struct("<dII")
SLOT_BYTES = 65_536
FRESH_S = 5.0  # the time in s after which a worker that has not written counts as hanging or ended
TRIES = 3


class Boards:
    """One slot for each index of a worker; made by the master before it forks."""

    def __init__(self, workers: int) -> None:
        self._slots = 2 * workers  # twice as many: while a worker stops, its successor already runs
        self._memory = mmap.mmap(-1, self._slots * SLOT_BYTES)

    def write(self, index: int, data: bytes, now_s: float) -> None:
        """Write what the worker with this index has; nothing if it ends. Raises ValueError if it is too much."""
        if len(data) > SLOT_BYTES - _HEAD.size:
            raise ValueError(f"{len(data)} bytes of metrics do not fit")
        if index < self._slots:
            at = index * SLOT_BYTES
            self._memory[at + _HEAD.size : at + _HEAD.size + len(data)] = data
            _HEAD.pack_into(self._memory, at, now_s, len(data), crc32(data))

    def read(self, now_s: float) -> dict[int, bytes]:
        """Return what each worker that serves has written, by its index."""
        found = {index: self._slot(index, now_s) for index in range(self._slots)}
        return {index: data for index, data in found.items() if data}

    def _slot(self, index: int, now_s: float) -> bytes:
        at = index * SLOT_BYTES
        for _ in range(TRIES):
            written_s, length, checksum = _HEAD.unpack_from(self._memory, at)
            if written_s <= now_s - FRESH_S or length > SLOT_BYTES - _HEAD.size:
                return b""
            data = self._memory[at + _HEAD.size : at + _HEAD.size + length]
            if crc32(data) == checksum:
                return data
        return b""  # its worker wrote each time, or died while it wrote
