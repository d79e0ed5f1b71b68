"""WebSocket frames taken apart however the bytes are cut, and the benchmark's wire: what it hears, what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.wire import PeerError, Wire
from web.peers.people.frames import (
    BINARY,
    CLOSE,
    CONTINUED,
    FINAL,
    NO_MASK,
    PING,
    TEXT,
    frame,
    take,
)

SIZES = (0, 1, 125, 126, 65_535, 65_536)


def served(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame of a server's: the client's without its mask."""
    masked = frame(opcode, payload)
    head = masked[: len(masked) - len(payload) - len(NO_MASK)]
    return bytes((head[0] if final else opcode, head[1] & 0x7F)) + head[2:] + payload


@given(
    st.lists(
        st.tuples(
            st.sampled_from((TEXT, BINARY, CONTINUED, CLOSE, PING)), st.sampled_from(SIZES), st.booleans()
        ),
        max_size=5,
    ),
    st.lists(st.integers(0, 200_000), max_size=6),
)
def test_frames_are_the_same_however_their_bytes_are_cut(
    sent: Sequence[tuple[int, int, bool]], cuts: Sequence[int]
) -> None:
    data = b"".join(served(opcode, b"x" * size, final=final) for opcode, size, final in sent)
    heard: list[tuple[int, int]] = []
    left = b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        left = take(
            left + data[begin:end],
            lambda payload: heard.append((0, len(payload))),
            lambda first, payload: heard.append((first, len(payload))),
        )
    whole = [final and opcode in (TEXT, BINARY) for opcode, _, final in sent]
    expected = [
        (0 if one else (FINAL if final else 0) | opcode, size)
        for one, (opcode, size, final) in zip(whole, sent, strict=True)
    ]
    assert (heard, left) == (expected, b"")


class CheckedSocket:
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        self.written, self.gone = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.gone = True


class Listener(Wire):
    """Keeps what it heard, and when."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 1, "/")
        self.said: list[tuple[bytes, int]] = []
        self.problems: list[str] = []
        self.line = CheckedSocket()
        self.connection_made(cast(Any, self.line))

    def heard(self, payload: bytes) -> None:
        self.said.append((payload, self.read_ns))

    def lost(self, problem: PeerError) -> None:
        self.problems.append(str(problem))


async def test_the_benchmark_hears_whole_messages_with_the_time_they_were_read() -> None:
    wire = Listener()
    said = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + served(TEXT, b"one") + served(BINARY, b"two")
    for byte in said[:-1]:
        wire.data_received(bytes((byte,)))
    wire.data_received(said[-1:] + served(PING, b"?") + served(BINARY, b"three"))
    assert wire.upgraded.done()
    assert [payload for payload, _ in wire.said] == [b"one", b"two", b"three"]
    times = [read_ns for _, read_ns in wire.said]
    assert times[0] < times[1] == times[2], "what came in one read has one time"
    assert wire.line.written.endswith(b"\x8a\x81\0\0\0\0?")
    wire.data_received(served(CLOSE, (4201).to_bytes(2)) + served(TEXT, b"half", final=False))
    assert wire.problems == ["closed with 4201", "a message came in parts"]


async def test_an_upgrade_that_is_refused_is_said_once_with_its_status() -> None:
    wire = Listener()
    wire.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n\x82\x01x")
    wire.data_received(b"more\r\n\r\n")
    with pytest.raises(PeerError, match="503"):
        await wire.upgraded
    assert (wire.said, wire.line.gone) == ([], True)
