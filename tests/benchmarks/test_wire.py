"""Tests the WebSocket of the benchmark: when each message was read, and which answers of a server are refused."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tests.benchmarks.wire import PeerError, TimedWire
from tests.web.peers.people.test_frames import served
from web.peers.people.frames import BINARY, CLOSE, CONTINUED, PING, TEXT
from web.peers.people.wire import ACCEPT

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"


class Written:
    """A transport that records the written bytes."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        pass


class Listener(TimedWire):
    """Records the received messages and their times."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 1, "/")
        self.said: list[tuple[bytes, int]] = []
        self.problems: list[str] = []
        self.to = Written()
        self.connection_made(cast(Any, self.to))

    def heard(self, payload: bytes) -> None:
        self.said.append((payload, self.read_ns))

    def lost(self, problem: PeerError) -> None:
        self.problems.append(str(problem))


async def test_the_benchmark_receives_whole_messages_with_the_time_they_were_read() -> None:
    wire = Listener()
    opening = asyncio.ensure_future(wire.upgrade("GET / HTTP/1.1\r\n", ""))
    await asyncio.sleep(0)
    said = UPGRADED + served(TEXT, b"one") + served(BINARY, b"two")
    for byte in said[:-1]:
        wire.data_received(bytes((byte,)))
    wire.data_received(said[-1:] + served(PING, b"?") + served(BINARY, b"three"))
    await opening
    assert b"Sec-WebSocket-Protocol" not in wire.to.data
    assert [payload for payload, _ in wire.said] == [b"one", b"two", b"three"]
    times = [read_ns for _, read_ns in wire.said]
    assert times[0] < times[1] == times[2], "what came in one read has one time"
    assert wire.to.data.endswith(b"\x8a\x81\0\0\0\0?")
    wire.data_received(served(TEXT, b"half, ", final=False) + served(CONTINUED, b"whole"))
    assert wire.said[-1][0] == b"half, whole"
    wire.data_received(served(CLOSE, (4201).to_bytes(2)))
    wire.connection_lost(None)
    assert wire.problems == ["closed with 4201"]
    with pytest.raises(PeerError, match="not open"):
        wire.say(b"more")


async def test_a_refused_upgrade_is_reported_with_its_status() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(PeerError, match="503"):
            await TimedWire("127.0.0.1", port, "/").open()
