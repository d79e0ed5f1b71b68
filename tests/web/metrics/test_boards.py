"""Tests the shared memory in which each worker of a machine reads the metrics of the other workers."""

import struct

import pytest

from web.metrics.boards import FRESH_S, SLOT_BYTES, Boards


def test_what_each_worker_has_written_is_read_until_it_ends_or_hangs() -> None:
    boards = Boards(2)
    boards.write(0, b"one", 10.0)
    boards.write(1, b"two", 11.0)
    boards.write(3, b"a successor", 12.0)
    assert boards.read(12.0) == {0: b"one", 1: b"two", 3: b"a successor"}
    boards.write(1, b"", 12.5)
    assert boards.read(12.5) == {0: b"one", 3: b"a successor"}
    assert boards.read(10.0 + FRESH_S) == {3: b"a successor"}


def test_a_slot_that_is_written_at_this_moment_is_not_read() -> None:
    boards = Boards(1)
    boards.write(0, b"whole", 10.0)
    head = struct.calcsize("<dII")
    boards._memory[head : head + 2] = b"XX"
    assert boards.read(10.0) == {}


def test_data_that_is_too_large_is_refused_and_an_index_that_is_too_large_has_no_slot() -> None:
    boards = Boards(1)
    with pytest.raises(ValueError, match="do not fit"):
        boards.write(0, b"x" * SLOT_BYTES, 10.0)
    boards.write(2, b"nowhere", 10.0)
    assert boards.read(10.0) == {}
