"""Tests that requests are processed as they are read, and answered in order, even if one answer has to wait."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiohttp.web_protocol import RequestHandler
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling.clients.client import JSON
from signalling.sockets import open_socket, websocket
from signalling.sockets.connection import Connection
from signalling.sockets.frame_limits import Counted
from signalling.sockets.open_socket import OpenSocket
from signalling.sockets.reader_websocket import ReaderWebSocket
from signalling.sockets.websocket import WebSocket
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, clinic, headers
from tests.signalling.waits import until
from web.peers.people.frames import PONG, TEXT, frame, take


@pytest.fixture(params=[ReaderWebSocket, WebSocket], ids=["reader", "public"])
async def one(valkey: Redis, request: pytest.FixtureRequest) -> AsyncIterator[Clinic]:
    """A clinic of one worker. Each test runs twice, with two ways to process the messages of clients.

    `ReaderWebSocket` processes them inside aiohttp's reader, `WebSocket` by aiohttp's public methods only.
    """
    async with clinic(valkey, 1) as opened:
        opened.workers[0].websocket = request.param
        yield opened


class Telnet:
    """A client on a raw TCP socket, with which a test decides which bytes are sent together."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._rest = b""
        self._received: list[dict[str, Any]] = []

    def upgrade(self, one: Clinic) -> bytes:
        """Return the HTTP request with which a provider opens a WebSocket."""
        lines = {
            "Host": "x",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "Z3JlZW5yb29tIHRlc3RzIQ==",
            "Sec-WebSocket-Protocol": JSON,
            **headers(one.provider()),
        }
        return ("GET /ws HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode()

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def upgraded(self) -> None:
        """Return as soon as the server has accepted the WebSocket."""
        async with asyncio.timeout(WAIT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head

    async def receive(self, number: int) -> list[dict[str, Any]]:
        """Return the next `number` messages of the server."""
        while len(self._received) < number:
            async with asyncio.timeout(WAIT_S):
                self._rest += await self._reader.read(65536)
            self._rest = take(self._rest, lambda p: self._received.append(json.loads(p)), lambda *_: None)
        said, self._received = self._received[:number], self._received[number:]
        return said


@pytest.fixture
async def telnet(one: Clinic) -> AsyncIterator[Telnet]:
    server = one.servers[0]
    reader, writer = await asyncio.open_connection(server.host, server.port)
    yield Telnet(reader, writer)
    writer.close()


def asks(kind: str, number: int, /, **fields: Any) -> bytes:
    """Return a request of the type `kind` as a WebSocket frame. `number`: its id."""
    return frame(TEXT, json.dumps({"type": kind, "id": number, **fields}).encode())


HELLO = asks("hello", 1, role="staff")


@pytest.mark.parametrize("apart", [False, True])
async def test_answers_arrive_in_the_order_of_the_requests_even_if_one_must_wait(
    one: Clinic, telnet: Telnet, apart: bool
) -> None:
    patient = await one.arrive()
    telnet.write(telnet.upgrade(one))
    await telnet.upgraded()
    telnet.write(HELLO)
    await telnet.receive(1)
    requests = [
        asks("ping", 2),
        asks("on_call", 3, on=True),  # the answer to this request waits for the store
        asks("ping", 4),
        b"\x81\x80abcd",  # a text frame without content, which is never a valid message
        asks("visit.claim", 5, visit=patient.visit),
        asks("media.mute", 6, visit=patient.visit, kind="audio", muted=True),
        asks("unsubscribe", 7, topic="queue"),
    ]
    if apart:
        for request in requests:
            telnet.write(request)
            await asyncio.sleep(0)
    else:
        telnet.write(b"".join(requests))
    said = [(answer["type"], answer.get("reply_to")) for answer in await telnet.receive(len(requests))]
    assert said == [
        ("pong", 2),
        ("done", 3),
        ("pong", 4),
        ("error", None),
        ("done", 5),
        ("error", 6),  # request 6 is refused: this provider has not joined the media yet
        ("done", 7),
    ]


async def test_a_message_sent_together_with_the_upgrade_is_received(one: Clinic, telnet: Telnet) -> None:
    telnet.write(telnet.upgrade(one) + HELLO + asks("ping", 2) + asks("ping", 3)[:5])
    await telnet.upgraded()
    assert [answer["type"] for answer in await telnet.receive(2)] == ["welcome", "pong"]
    telnet.write(asks("ping", 3)[5:])
    assert (await telnet.receive(1))[0]["reply_to"] == 3


async def test_a_message_in_parts_with_a_ping_between_is_one_message(one: Clinic, telnet: Telnet) -> None:
    telnet.write(telnet.upgrade(one) + HELLO)
    await telnet.upgraded()
    await telnet.receive(1)
    whole = json.dumps({"type": "ping", "id": 9}).encode()
    first, second = frame(TEXT, whole[:7]), frame(0, whole[7:])
    telnet.write(bytes((first[0] & 0x7F,)) + first[1:] + frame(0x9, b"are you there") + second)
    pong = (await telnet.receive(1))[0]
    assert (pong["type"], pong["reply_to"]) == ("pong", 9)
    assert abs(pong["server_ms"] - time.time() * 1000) < 3_600_000


async def test_a_client_that_leaves_before_its_answer_leaves_nothing_behind(
    one: Clinic, telnet: Telnet
) -> None:
    patient = await one.arrive()
    telnet.write(telnet.upgrade(one) + HELLO)
    await telnet.upgraded()
    await telnet.receive(1)
    telnet.write(asks("on_call", 2, on=True) + asks("visit.claim", 3, visit=patient.visit) + asks("bye", 4))
    worker = one.workers[0]
    await until(lambda: not worker.connections and not worker.hub.sockets)
    visit = await worker.service.visit(patient.organisation, patient.visit or "")
    assert visit is not None
    assert visit.claimant is not None, "what was asked before the goodbye is done"


async def test_the_class_that_handles_messages_in_the_reader_is_used_if_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "TEST_S", WAIT_S)
    assert await websocket.fastest() is ReaderWebSocket
    assert not await websocket.handles_messages(WebSocket), "every message is received"


def loses_early_messages(patch: pytest.MonkeyPatch) -> None:
    """Make aiohttp look like a version that stores the bytes after the upgrade in an attribute with another name."""
    start = ReaderWebSocket._post_start

    def renamed(self: ReaderWebSocket, request: Any, protocol: Any, writer: Any) -> None:
        request.protocol._message_tail = b""
        start(self, request, protocol, writer)

    patch.setattr(ReaderWebSocket, "_post_start", renamed)


def has_no_reader(patch: pytest.MonkeyPatch) -> None:
    """Make the import of `reader_websocket.py` fail, as with a version of aiohttp without the reader class that it
    uses.
    """
    patch.setitem(sys.modules, "signalling.sockets.reader_websocket", None)


def has_another_reader(patch: pytest.MonkeyPatch) -> None:
    """Make aiohttp look like a version whose reader is made with other arguments."""
    patch.setattr(open_socket, "WebSocketReader", lambda: None)


def never_asks_the_handler(patch: pytest.MonkeyPatch) -> None:
    """Make aiohttp look like a version that fills its queue by another method."""
    patch.delattr(open_socket.OpenSocket, "feed_data")


def keeps_the_connection(patch: pytest.MonkeyPatch) -> None:
    """Make aiohttp look like a version that keeps a connection after `connection_lost`."""
    patch.setattr(RequestHandler, "connection_lost", lambda protocol, problem: None)


def closes_at_the_end_of_the_request(patch: pytest.MonkeyPatch) -> None:
    """Make aiohttp look like a version that ends a WebSocket by another method when its handler returns."""
    patch.delattr(ReaderWebSocket, "write_eof")


def cannot_raise_its_limits(patch: pytest.MonkeyPatch) -> None:
    """Make aiohttp look like a version in which the limits of a socket cannot be raised after `hello`."""

    def welcome(_: object) -> None:
        raise AttributeError

    patch.setattr(ReaderWebSocket, "welcome", welcome)


@pytest.mark.parametrize(
    "changed",
    [
        loses_early_messages,
        cannot_raise_its_limits,
        has_no_reader,
        has_another_reader,
        never_asks_the_handler,
        keeps_the_connection,
        closes_at_the_end_of_the_request,
    ],
)
async def test_the_public_interface_is_used_if_aiohttps_reader_has_changed(
    changed: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(monkeypatch)
    monkeypatch.setattr(websocket, "TEST_S", 0.2)
    with capture_logs() as logs:
        assert await websocket.fastest() is WebSocket
    assert [entry["event"] for entry in logs] == ["websocket.reader_changed"]


async def test_a_pong_shows_that_the_client_is_alive(one: Clinic, telnet: Telnet) -> None:
    telnet.write(telnet.upgrade(one))
    await telnet.upgraded()
    telnet.write(HELLO)
    await telnet.receive(1)
    [socket] = one.workers[0].hub.sockets.values()
    before_s = socket.received_s
    telnet.write(frame(PONG, b""))
    await until(lambda: socket.received_s > before_s)


def kept(before: Sequence[object] = ()) -> list[object]:
    """Return all objects in memory that belong to a connection, without those in `before`.

    The small `Socket` is left out, because `Heartbeat` keeps it until it would send the next ping.
    """
    types, known = (Connection, OpenSocket, Counted, RequestHandler), {id(each) for each in before}
    return [each for each in gc.get_objects() if isinstance(each, types) and id(each) not in known]


@pytest.mark.parametrize("one", [ReaderWebSocket], indirect=True)
@pytest.mark.parametrize("how", ["bye", "close", "lost"])
async def test_a_connection_is_freed_at_its_end_without_a_garbage_collection(one: Clinic, how: str) -> None:
    # The garbage collector runs so rarely that thousands of ended connections would stay in memory until then.
    worker = one.workers[0]
    gc.collect()
    before = kept()
    gc.disable()
    try:
        client = await one.connect(one.provider())
        assert kept(before)
        if how == "bye":
            await client.send({"type": "bye", "id": 9})
        elif how == "close":
            await client.close()
        else:
            client.vanish()
        await until(lambda: not worker.connections and not worker.lingering)
        await until(lambda: not kept(before))
    finally:
        gc.enable()
