"""Tests the slice of a process (sched_setattr(2))."""

from __future__ import annotations

import ctypes
import platform
import struct
import subprocess
import sys
import threading

import pytest

from web.server import scheduling

SHORT_NS = 100_000
ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr (sched_setattr(2)); the slice in ns is its sixth field."""


def slice_of(process: int) -> int:
    """Return the slice in ns of a process or thread; 0 if the system does not report it."""
    if sys.platform != "linux" or platform.machine() not in scheduling.NUMBERS:
        return 0
    found = ctypes.create_string_buffer(ATTRIBUTES.size)
    # On all architectures, the number of sched_getattr is that of sched_setattr plus 1.
    number = scheduling.NUMBERS[platform.machine()] + 1
    if ctypes.CDLL(None).syscall(number, process, found, ATTRIBUTES.size, 0):
        return 0
    return int(ATTRIBUTES.unpack(found.raw)[5])


def in_a_thread(slice_ns: int) -> tuple[bool, int, int]:
    """Set the slice of a new thread to `slice_ns`; return (whether it is set, the slice of the thread, the slice of a
    process that the thread starts).
    """
    found: list[tuple[bool, int, int]] = []

    def run() -> None:
        done = scheduling.set_slice(slice_ns)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            found.append((done, slice_of(0), slice_of(child.pid)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_a_slice_is_that_of_the_thread_and_of_the_processes_that_it_starts() -> None:
    before = slice_of(0)
    # Linux before 6.12 has no slices, and reports 0.
    short_ns = SHORT_NS if before else 0
    assert in_a_thread(SHORT_NS) == (True, short_ns, short_ns)
    assert slice_of(0) == before, "other threads keep theirs"
    assert in_a_thread(0)[0]


def test_an_unknown_processor_keeps_the_slice_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "NUMBERS", {})
    assert in_a_thread(SHORT_NS) == (False, 0, 0)
