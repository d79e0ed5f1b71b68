"""Tests the receiving side of a socket after `hello`, on a transport that only records what it is asked to do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import EofStream, WebSocketError, WSMsgType

from signalling.sockets import open_socket
from signalling.sockets.open_socket import QUEUE_BYTES, OpenSocket
from web.peers.people.frames import CLOSE, FINAL, TEXT, frame

BYTES = 65_536


class Writing:
    """A transport that records what it is asked to do. `waiting`: the number of its unsent bytes."""

    def __init__(self, closing: bool = False, waiting: int = 0) -> None:
        self.done: list[Any] = []
        self.closing = closing
        self.get_write_buffer_size = lambda: waiting
        self.write = self.done.append

    def is_closing(self) -> bool:
        return self.closing

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.done.append(name)


class Reader:
    """The connection to which a socket passes messages. It handles all messages except those in `leaves`. `wakes`:
    how often it was woken.
    """

    def __init__(self, *leaves: bytes) -> None:
        self.leaves = leaves
        self.handled: list[bytes] = []
        self.wakes = 0

    def handle(self, message: Any) -> bool:
        if message.type is not WSMsgType.TEXT or message.data in self.leaves:
            return False
        self.handled.append(message.data)
        return True

    def wake(self) -> None:
        self.wakes += 1


def detached(*leaves: bytes, waiting: int = 0) -> tuple[OpenSocket, Writing, Reader]:
    """Return (a socket that aiohttp no longer handles, its transport, the connection that gets its messages)."""
    transport, reader = Writing(waiting=waiting), Reader(*leaves)
    made = OpenSocket(transport, BYTES)  # type: ignore[arg-type]
    made.welcome()
    made.detach(reader.handle, reader.wake)
    assert transport.done.pop() == "set_protocol"
    return made, transport, reader


def close(code: int) -> bytes:
    """Return a client's close frame with this code."""
    return frame(FINAL | CLOSE, code.to_bytes(2))


def closed(code: int) -> bytes:
    """Return the server's close frame with this code."""
    return b"\x88\x02" + code.to_bytes(2)


async def texts(made: OpenSocket) -> list[bytes]:
    """Receive all messages that wait on a socket; return their data."""
    found = []
    while (message := await made.receive()) is not None:
        found.append(message.data)
    return found


async def test_messages_behind_one_that_waits_wait_too_and_keep_their_order() -> None:
    made, transport, reader = detached(b"later")
    for text in (b"first", b"later", b"third"):
        made.data_received(frame(TEXT, text))
    assert (reader.handled, reader.wakes) == ([b"first"], 2)
    assert await texts(made) == [b"later", b"third"]
    made.data_received(frame(TEXT, b"fourth"))
    assert (reader.handled, transport.done) == ([b"first", b"fourth"], [])


async def test_messages_that_came_before_the_socket_left_aiohttp_are_received_first() -> None:
    transport, reader = Writing(), Reader()
    made = OpenSocket(transport, BYTES)  # type: ignore[arg-type]
    reading = asyncio.ensure_future(made.read())
    await asyncio.sleep(0)
    made.parser.feed_data(frame(TEXT, b"hello") + frame(TEXT, b"early"))
    assert (await reading).data == b"hello"
    made.detach(reader.handle, reader.wake)
    made.data_received(frame(TEXT, b"next"))
    assert (reader.handled, reader.wakes) == ([], 2)
    assert await texts(made) == [b"early", b"next"]


async def test_the_end_and_invalid_data_before_the_socket_left_aiohttp_end_the_wait_for_a_message() -> None:
    for data, problem in ((b"", EofStream), (b"\xf1\x80abcd", WebSocketError)):
        made = OpenSocket(Writing(), BYTES)  # type: ignore[arg-type]
        reading = asyncio.ensure_future(made.read())
        await asyncio.sleep(0)
        if data:
            made.parser.feed_data(data)
        else:
            made.parser.feed_eof()
        with pytest.raises(problem):
            await reading
        assert (made.is_eof(), made.exception() is not None) == (not data, bool(data))


async def test_a_client_whose_messages_wait_is_not_read_until_half_of_them_are_handled() -> None:
    made, transport, _ = detached(b"x" * 40_000)
    for _ in range(5):
        made.data_received(frame(TEXT, b"x" * 40_000))
    assert transport.done == ["pause_reading"]
    assert QUEUE_BYTES == 131_072, "four messages are more, and five pause only once"
    for number in range(4):
        assert "resume_reading" not in transport.done, number
        await made.receive()
    assert transport.done == ["pause_reading", "resume_reading"]


@pytest.mark.parametrize(("code", "answer"), [(1000, 1000), (1001, 1000), (4000, 1000), (1006, 1002)])
async def test_a_close_frame_is_answered_after_the_requests_before_it(code: int, answer: int) -> None:
    made, transport, reader = detached(b"later")
    made.data_received(frame(TEXT, b"later") + close(code))
    assert (await made.receive()).data == b"later"  # type: ignore[union-attr]
    assert (transport.done, made.ended) == ([], False)
    last = await made.receive()
    assert last is not None
    assert last.type is WSMsgType.CLOSE
    assert (transport.done, made.ended, reader.wakes) == ([closed(answer), "close"], True, 2)
    assert not await made.close(code=1000)


async def test_invalid_data_closes_the_connection_with_its_code() -> None:
    made, transport, reader = detached()
    made.data_received(b"\xf1\x80abcd")  # a reserved bit is set
    assert reader.wakes == 1
    last = await made.receive()
    assert last is not None
    assert last.type is WSMsgType.ERROR
    assert (transport.done, made.ended) == ([closed(1002), "close"], True)
    assert await made.receive() is None


async def test_after_the_servers_close_frame_only_the_clients_own_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_socket, "CLOSE_ANSWER_S", 0.01)
    made, transport, reader = detached()
    assert await made.close(code=4001)
    assert not await made.close(code=4002)
    made.data_received(frame(TEXT, b"late"))
    assert (transport.done, reader.handled, reader.wakes) == ([closed(4001)], [], 0)
    made.data_received(close(4001))
    assert transport.done == [closed(4001), "close"]
    await asyncio.sleep(0.02)
    assert transport.done[-1] == "abort", "a client that does not answer is disconnected"


async def test_the_clients_close_frame_is_read_although_its_requests_wait() -> None:
    made, transport, _ = detached(b"x" * 40_000)
    for _ in range(5):
        made.data_received(frame(TEXT, b"x" * 40_000))
    assert await made.close(code=1001)
    assert transport.done == ["pause_reading", closed(1001), "resume_reading"]
    made.data_received(close(1001))
    assert transport.done[-1] == "close"
    assert await made.receive() is None


async def test_a_server_does_not_wait_for_a_close_frame_that_has_come_behind_a_request() -> None:
    made, transport, _ = detached(b"later")
    made.data_received(frame(TEXT, b"later") + close(1000))
    assert await made.close(code=1001)
    assert transport.done == [closed(1001), "close"]


async def test_a_client_that_closes_and_does_not_read_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_socket, "CLOSE_ANSWER_S", 0.01)
    made, transport, _ = detached()
    made.data_received(close(1000))
    await made.receive()
    assert transport.done == [closed(1000), "close"]
    await asyncio.sleep(0.02)
    assert transport.done[-1] == "abort"


async def test_an_error_of_the_handler_closes_the_connection_with_1011_and_is_raised() -> None:
    transport, reader = Writing(), Reader()
    made = OpenSocket(transport, BYTES)  # type: ignore[arg-type]

    def fails(message: Any) -> bool:
        raise ValueError

    made.detach(fails, reader.wake)
    made.data_received(frame(TEXT, b"first"))
    assert reader.wakes == 1
    with pytest.raises(ValueError):
        await made.receive()
    assert (transport.done, made.ended) == (["set_protocol", closed(1011), "close"], True)


async def test_a_lost_connection_wakes_its_owner_and_ends_the_wait_for_the_clients_close_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_socket, "CLOSE_ANSWER_S", 0.01)
    made, transport, reader = detached()
    await made.close(code=4001)
    made.eof_received()
    made.connection_lost(None)
    assert (made.ended, reader.wakes) == (True, 1)
    await asyncio.sleep(0.02)
    assert transport.done == [closed(4001)]
    assert await made.receive() is None


@pytest.mark.parametrize(
    ("closing", "waiting", "done"),
    [
        (False, 0, ["frame", "close"]),
        (False, 1, ["abort"]),  # unsent bytes wait, so a close frame would wait behind them
        (True, 0, []),
        (True, 1, []),
    ],
)
def test_a_client_that_sends_what_it_may_not_gets_a_close_frame_if_it_reads(
    closing: bool, waiting: int, done: list[str]
) -> None:
    for cut_off, code in ((OpenSocket.flooded, 4005), (OpenSocket.malformed, 1002)):
        transport = Writing(closing, waiting)
        cut_off(OpenSocket(transport, 1))  # type: ignore[arg-type]
        assert transport.done == [closed(code) if what == "frame" else what for what in done]
