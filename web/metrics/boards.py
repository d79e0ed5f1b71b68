"""Keeps the newest metrics of each worker in memory that all workers share, so that any worker can answer a scrape.

A scrape is Prometheus's request for metrics. A worker writes its metrics once a second, and a scrape waits for no
worker: of a worker that hangs, it reads the last values, until they are FRESH_S seconds old. This module handles
bytes; `scrape.py` defines their meaning.
"""

from __future__ import annotations

import mmap
import struct
from zlib import crc32

# Each worker's slot (its part of the shared memory) begins with the time of writing (monotonic, in s), the length of
# the data, and the checksum of the data.
_HEAD = struct.Struct("<dII")
SLOT_BYTES = 65_536
FRESH_S = 5.0  # a worker that has not written its metrics for this time in s counts as hanging or ended
TRIES = 3


class Boards:
    """The shared memory, divided into slots; each worker has an index, and writes to the slot of this index.

    The master process makes this object before it starts the workers by forking.
    """

    def __init__(self, workers: int) -> None:
        # There are twice as many slots as workers, because a worker that stops and its successor run at the
        # same time.
        self._slots = 2 * workers
        self._memory = mmap.mmap(-1, self._slots * SLOT_BYTES)

    def write(self, index: int, data: bytes, now_s: float) -> None:
        """Write the data of the worker with this index. A worker that ends writes b"", so that it is no longer read.

        `now_s`: the time (monotonic). Raises ValueError if the data is larger than the slot.
        """
        if len(data) > SLOT_BYTES - _HEAD.size:
            raise ValueError(f"{len(data)} bytes of metrics do not fit")
        if index < self._slots:
            at = index * SLOT_BYTES
            self._memory[at + _HEAD.size : at + _HEAD.size + len(data)] = data
            _HEAD.pack_into(self._memory, at, now_s, len(data), crc32(data))

    def read(self, now_s: float) -> dict[int, bytes]:
        """Return the data that each running worker has written: index -> bytes.

        `now_s`: the time (monotonic).
        """
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
        # No data could be read, because the worker was writing at each try, or died while it wrote.
        return b""
