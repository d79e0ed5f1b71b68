"""Tests the slice of a process (sched_setattr(2))."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from web.server import scheduling

SHORT_NS = 100_000


def in_a_thread(slice_ns: int) -> tuple[bool, int, int]:
    """Set the slice of a new thread to `slice_ns`; return (whether it is set, the slice of the thread, the slice of a
    process that the thread starts).
    """
    found: list[tuple[bool, int, int]] = []

    def run() -> None:
        done = scheduling.set_slice(slice_ns)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            found.append((done, scheduling.slice_of(0), scheduling.slice_of(child.pid)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_a_slice_is_that_of_the_thread_and_of_the_processes_that_it_starts() -> None:
    before = scheduling.slice_of(0)
    # Linux before 6.12 has no slices, and reports 0.
    short_ns = SHORT_NS if before else 0
    assert in_a_thread(SHORT_NS) == (True, short_ns, short_ns)
    assert scheduling.slice_of(0) == before, "other threads keep theirs"
    assert in_a_thread(0)[0]


def test_an_unknown_processor_keeps_the_slice_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "NUMBERS", {})
    assert in_a_thread(SHORT_NS) == (False, 0, 0)


def test_a_process_that_does_not_exist_has_no_slice() -> None:
    assert scheduling.slice_of(-1) == 0
