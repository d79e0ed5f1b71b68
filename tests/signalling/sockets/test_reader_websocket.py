"""Tests the cases of the Autobahn test suite (`autobahn.py`) against a worker, with `ReaderWebSocket` and
`WebSocket`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import uvloop
from aiohttp import web
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling.clients.client import JSON, MSGPACK
from signalling.protocol.codec import CODECS
from signalling.sockets import open_socket
from signalling.sockets.frame_limits import WINDOW_S
from signalling.sockets.reader_websocket import ReaderWebSocket
from signalling.sockets.websocket import WebSocket
from signalling.worker import Limits
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, clinic, headers
from tests.signalling.protocol.test_protocol import DOCUMENT
from tests.signalling.sockets.autobahn import (
    CASES,
    COMPRESSION,
    FRAMES,
    NO_COMPRESSION,
    WHOLE,
    Answer,
    Case,
    close,
    more,
    reserved,
)
from tests.signalling.waits import until
from web.peers.people.frames import BINARY, CLOSE, FINAL, PONG, TEXT, frame, take
from web.server.tls import self_signed

HELLO = {
    False: frame(TEXT, b'{"type":"hello","id":1,"role":"staff"}'),
    True: frame(BINARY, b"\x83\xa4type\xa5hello\xa2id\x01\xa4role\xa5staff"),
}
"""The first frame of a client, its `hello`: the key is True for MessagePack, False for JSON."""


@pytest.fixture(params=[ReaderWebSocket, WebSocket], ids=["reader", "public"])
async def one(valkey: Redis, request: pytest.FixtureRequest) -> AsyncIterator[Clinic]:
    """A clinic of one worker. Each test runs twice: with `ReaderWebSocket`, and with `WebSocket`."""
    async with clinic(valkey, 1) as opened:
        opened.workers[0].websocket = request.param
        yield opened


class Peer(asyncio.Protocol):
    """A client that sends bytes as they are, and keeps the server's frames."""

    def __init__(self, binary: bool) -> None:
        self.codec = CODECS[MSGPACK if binary else JSON]
        self.head = b""
        self.answers: list[Answer] = []
        self.code: int | None = None
        self.closed = False
        self.lost = asyncio.Event()
        self._arrived = asyncio.Event()
        self._rest = b""
        self._opcode = BINARY if binary else TEXT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self.head:
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                return
            self.head, self._rest = head, rest
        self._rest = take(self._rest, self._message, self._other)
        self._arrived.set()

    def connection_lost(self, problem: Exception | None) -> None:
        self.lost.set()
        self._arrived.set()

    def _message(self, payload: bytes) -> None:
        self.answers.append(Answer(self._opcode, self.codec.decode_server(payload).reply_to))  # type: ignore[union-attr]

    def _other(self, first: int, payload: bytes) -> None:
        if first == FINAL | PONG:
            self.answers.append(Answer(PONG, payload))
        elif first == FINAL | CLOSE and self.code is None:
            self.code = int.from_bytes(payload[:2])
            if not self.closed:
                self.transport.write(close(self.code))

    async def receive(self, number: int) -> None:
        """Return as soon as this number of answers has arrived, or the connection has ended."""
        while len(self.answers) < number and not self.lost.is_set():
            self._arrived.clear()
            await self._arrived.wait()


async def upgraded(one: Clinic, first: bytes, binary: bool = False, offer: str = "") -> Peer:
    """Return a client that has sent its upgrade and the frame `first`.

    `binary`: True for MessagePack, False for JSON. `offer`: the extensions that the client offers.
    """
    server = one.servers[0]
    assert server.port is not None
    loop = asyncio.get_running_loop()
    _, peer = await loop.create_connection(lambda: Peer(binary), server.host, server.port)
    lines = {
        "Host": "x",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "Z3JlZW5yb29tIHRlc3RzIQ==",
        "Sec-WebSocket-Protocol": peer.codec.subprotocol,
        **({"Sec-WebSocket-Extensions": offer} if offer else {}),
        **headers(one.provider()),
    }
    request = "GET /ws HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    peer.transport.write(request.encode() + first)
    return peer


async def opened(one: Clinic, binary: bool = False, offer: str = "") -> Peer:
    """Return a client after its `welcome`. `binary`: True for MessagePack. `offer`: the extensions that it offers."""
    peer = await upgraded(one, HELLO[binary], binary, offer)
    await peer.receive(1)
    assert peer.answers.pop(0).about == 1, "welcome"
    return peer


def writes(case: Case) -> list[bytes]:
    """Return the bytes of each write by which the frames of a case are sent."""
    if case.chop == FRAMES:
        return case.frames
    whole = b"".join(case.frames)
    size = len(whole) if case.chop == WHOLE else case.chop
    return [whole[at : at + size] for at in range(0, len(whole), size)]


async def converse(peer: Peer, case: Case) -> None:
    """Send the frames of a case, and wait until the server has closed the connection."""
    for data in writes(case):
        if peer.lost.is_set():
            break
        peer.transport.write(data)
        await asyncio.sleep(0)
    if case.code == 1000 and not peer.closed:
        await peer.receive(len(case.answers))
        peer.closed = True
        peer.transport.write(close())
    await peer.lost.wait()


async def outcome(one: Clinic, case: Case) -> tuple[list[Answer], int | None]:
    """Run a case; return the server's answers, and its close code."""
    peer = await opened(one, case.binary)
    peer.closed = any(sent[0] & 0xF == CLOSE for sent in case.frames)
    try:
        async with asyncio.timeout(WAIT_S):
            await converse(peer, case)
    except TimeoutError:
        peer.transport.abort()
        return peer.answers, None
    return peer.answers, peer.code


async def test_autobahn_cases_end_with_the_answers_and_the_close_code_of_the_table(one: Clinic) -> None:
    witness = await one.connect(one.provider("Dr Witness"))
    differ = dict[str, tuple[list[Answer], int | None]]()
    with capture_logs() as logged:
        for name, case in CASES.items():
            answers, code = await outcome(one, case)
            if code == 4005:  # the server closed for too many requests, and may have answered some of them
                answers = answers[: len(case.answers)]
            if (answers, code) != (case.answers, case.code):
                differ[name] = answers[:5], code
    assert not differ
    assert [entry for entry in logged if entry["log_level"] in ("error", "critical")] == []
    await witness.request("ping")
    await until(lambda: len(one.workers[0].hub.sockets) == 1)
    await witness.close()


async def test_autobahn_cases_of_compression_meet_a_server_that_offers_none(one: Clinic) -> None:
    for offer in sorted(set(COMPRESSION.values())):
        async with asyncio.timeout(WAIT_S):
            peer = await opened(one, offer=offer)
            assert b"extensions" not in peer.head.lower(), offer
            peer.transport.write(reserved(TEXT, 4, b"\xaaV*\xa9,HU\xb2R*\xc8\xccK\x07\x00"))
            await peer.lost.wait()
        assert (peer.answers, peer.code) == ([], 1002)


async def test_a_hello_that_is_not_utf8_closes_with_1007(one: Clinic) -> None:
    async with asyncio.timeout(WAIT_S):
        peer = await upgraded(one, frame(TEXT, b'{"type":"hello","id":1,"role":"\xed\xa0\x80"}'))
        await peer.lost.wait()
    assert (peer.answers, peer.code) == ([], 1007)


@pytest.mark.parametrize("one", [ReaderWebSocket], indirect=True)
@pytest.mark.parametrize(
    "frames",
    [b"\x81\x16" + b'{"type":"ping","id":7}', more(TEXT, b"") + frame(TEXT, b'{"type":"ping","id":7}')],
    ids=["no mask", "a message within an empty one"],
)
async def test_faults_that_aiohttp_overlooks_close_with_1002_and_have_no_answer(
    one: Clinic, frames: bytes
) -> None:
    peer = await opened(one)
    async with asyncio.timeout(WAIT_S):
        peer.transport.write(frames)
        await peer.lost.wait()
    assert (peer.answers, peer.code) == ([], 1002)


def test_the_document_counts_the_autobahn_cases() -> None:
    explained = Counter(case.explained for case in CASES.values())
    expected = explained.pop("")
    explained[NO_COMPRESSION] = len(COMPRESSION)
    assert not CASES.keys() & COMPRESSION.keys()
    text = " ".join(DOCUMENT.split())
    assert f"Of its {len(CASES) + len(COMPRESSION)} cases, {expected} end as Autobahn expects" in text
    for why, number in explained.items():
        assert f"{number} because {why}" in text


async def test_only_a_socket_that_was_not_taken_from_aiohttp_is_closed_at_the_end_of_its_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[WebSocket] = []

    async def write_eof(socket: WebSocket, data: bytes = b"") -> None:
        closed.append(socket)

    monkeypatch.setattr(WebSocket, "write_eof", write_eof)
    refused, taken = ReaderWebSocket((), 1024), ReaderWebSocket((), 1024)
    taken._detached = True
    for socket in (refused, taken):
        await socket.write_eof()
    assert closed == [refused]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_socket_whose_tls_connection_was_just_lost_ends(run: Callable[..., None], tmp_path: Path) -> None:
    run(_lost_while_it_leaves_aiohttp(tmp_path))


async def _lost_while_it_leaves_aiohttp(folder: Path) -> None:
    """Serve sockets by TLS that leave aiohttp in one of the turns of the event loop in which a connection is lost."""
    certificate, key = self_signed(folder, datetime.now(UTC))
    served, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=certificate)
    served.load_cert_chain(certificate, key)
    ended = list[str]()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        ws = ReaderWebSocket((), 1024)
        await ws.prepare(request)
        await ws.receive()
        assert request.transport is not None, "the client stays"
        request.transport.abort()
        for _ in range(int(request.query["turns"])):
            await asyncio.sleep(0)
        found = ws.detach(request, lambda _: True, lambda: None)
        receiver = ws if found is None else found
        while not receiver.ended:
            await receiver.receive()
            await asyncio.sleep(0.001)
        ended.append(request.query["turns"])
        return ws

    server = web.Server(serve)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", 0, ssl=served)
    host, port = listening.sockets[0].getsockname()
    async with aiohttp.ClientSession() as http:
        for turns in range(4):
            ws = await http.ws_connect(f"wss://{host}:{port}/?turns={turns}", ssl=trust)
            await ws.send_str("hello")
            await until(lambda: str(turns) in ended)  # noqa: B023 (called only in this turn of the loop)
    listening.close()
    await server.shutdown(0)


def test_the_limits_of_frames_and_bytes_are_those_of_the_document() -> None:
    text = " ".join(DOCUMENT.split())
    assert "Before `welcome`: 100 frames" in text
    assert "over 2,000 or 4 MiB in 10 s" in text
    assert (open_socket.HELLO_FRAMES, open_socket.FRAMES, WINDOW_S) == (100, 2000, 10.0)
    assert open_socket.MESSAGES * Limits().message_bytes == 4 << 20
    assert open_socket.HELLO_MESSAGES == 2, "a client sends one `hello`, and may correct it"
