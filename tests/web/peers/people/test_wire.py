"""Tests the connection of synthetic people: HTTP and WebSocket, wherever bytes are cut, and invalid input."""

import asyncio
import contextlib
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.clients.client import NO_CODE
from web.peers.errors import HttpError
from web.peers.people.frames import CLOSE
from web.peers.people.wire import ACCEPT, Answer, Wire

UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\nSec-WebSocket-Protocol: greenroom.v1.msgpack\r\n\r\n"
)


class Other:
    """The server's end of a connection. It records the bytes that are written to it, and whether the connection was
    closed.
    """

    def __init__(self) -> None:
        self.written = b""
        self.gone = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.gone = True

    close = abort


def wire() -> tuple[Wire, Other]:
    made, other = Wire(), Other()
    made.connection_made(cast(Any, other))
    return made, other


def feed(made: Wire, data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        if end > begin:
            made.data_received(data[begin:end])


async def asked(said: bytes, cuts: list[int]) -> Answer:
    made, _ = wire()
    asking = asyncio.ensure_future(made.request("GET / HTTP/1.1\r\n"))
    await asyncio.sleep(0)
    feed(made, said, cuts)
    made.eof_received()
    made.connection_lost(None)
    return await asking


@given(st.lists(st.integers(0, 10_000), max_size=6))
def test_an_answer_is_the_same_however_its_bytes_are_cut(cuts: list[int]) -> None:
    said = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n"
        b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nSET-COOKIE: a=1\r\nSet-Cookie: b=2\r\n\r\nhello",
    ]
    for one in said:
        answer = asyncio.run(asked(one, cuts))
        assert (answer.status, answer.body) == (200, b"hello")
        assert answer.headers["set-cookie"] == "a=1\nb=2"


def test_an_answer_without_a_body_is_whole_with_its_head() -> None:
    for status in (b"204 No Content", b"304 Not Modified"):
        assert asyncio.run(asked(b"HTTP/1.1 " + status + b"\r\n\r\n", [])).body == b""


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=3))
def test_malformed_responses_raise_a_typed_error(said: bytes, cuts: list[int]) -> None:
    with contextlib.suppress(HttpError):
        asyncio.run(asked(said, cuts))


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"x" * 70_000],
)
def test_a_lost_connection_or_no_web_server_is_reported(said: bytes) -> None:
    with pytest.raises(HttpError):
        asyncio.run(asked(said, []))


def frame(payload: bytes, first: int = 0x82) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


async def upgraded() -> tuple[Wire, Other, list[bytes], list[int]]:
    made, other = wire()
    messages: list[bytes] = []
    ends: list[int] = []
    made.on_message, made.on_end = messages.append, ends.append
    opening = asyncio.ensure_future(made.upgrade("GET /demo/ws HTTP/1.1\r\n"))
    await asyncio.sleep(0)
    made.data_received(UPGRADED)
    await opening
    other.written = b""
    return made, other, messages, ends


@given(
    st.lists(st.sampled_from([b"", b"a", b"b" * 125, b"c" * 126, b"d" * 70_000]), max_size=5),
    st.lists(st.integers(0, 10_000), max_size=8),
)
def test_messages_are_the_same_however_their_frames_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    async def play() -> list[bytes]:
        made, _, messages, _ = await upgraded()
        feed(made, b"".join(map(frame, sent)), cuts)
        return messages

    assert asyncio.run(play()) == sent


async def test_a_message_in_pieces_is_one_and_pings_between_them_are_answered() -> None:
    made, other, messages, _ = await upgraded()
    made.data_received(frame(b"one ", 0x02) + frame(b"?", 0x89) + frame(b"two", 0x80))
    assert messages == [b"one two"]
    assert other.written == b"\x8a\x81\0\0\0\0?"


async def test_a_close_frame_is_answered_and_its_code_is_reported() -> None:
    made, other, _, ends = await upgraded()
    made.data_received(frame((4201).to_bytes(2) + b"signed out", 0x80 | CLOSE))
    assert other.gone
    made.connection_lost(None)
    assert ends == [4201]


async def test_a_socket_that_is_lost_without_a_close_frame_has_code_1006() -> None:
    made, _, _, ends = await upgraded()
    made.connection_lost(ConnectionResetError())
    assert ends == [NO_CODE]


async def test_a_server_that_does_not_upgrade_is_refused() -> None:
    for said in (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", UPGRADED.replace(ACCEPT, b"bm8=")):
        made, other = wire()
        opening = asyncio.ensure_future(made.upgrade("GET /demo/ws HTTP/1.1\r\n"))
        await asyncio.sleep(0)
        made.data_received(said)
        with pytest.raises(HttpError):
            await opening
        assert other.gone
