"""Plays several hundred clients that send, close, vanish, resume and are cut off at random, and compares what they saw
with what the worker keeps at the end.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling import worker as worker_module
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.sockets import handshake
from signalling.sockets.clean_up import socket_ended
from signalling.sockets.connection import Connection
from signalling.sockets.handlers import HANDLERS
from signalling.sockets.reader_websocket import ReaderWebSocket
from signalling.sockets.websocket import WebSocket
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, clinic, headers
from tests.signalling.waits import until
from web.peers.people.frames import CLOSE, FINAL, PING, PONG, TEXT, frame, take

SEED, CLIENTS, AT_ONCE = 1, 160, 40
ENDS = ("bye", "close", "invalid", "abort", "eof", "cut", "resume", "stay")
"""How a client ends: four ways of its own, two of its connection, a cut by the server, a resume, and the drain."""
INVALID = b"\xf1\x80abcd"  # a reserved bit is set


class Peer(asyncio.Protocol):
    """A client that keeps the ids of the server's replies in their order, and the code of its close frame."""

    def __init__(self) -> None:
        self.replies: list[int] = []
        self.sent: list[int] = []
        self.welcome: dict[str, Any] = {}
        self.code: int | None = None
        self.lost, self.greeted = asyncio.Event(), asyncio.Event()
        self._rest, self._upgraded = b"", b""

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self._upgraded:
            _, self._upgraded, self._rest = self._rest.partition(b"\r\n\r\n")
        self._rest = take(self._rest, self._message, self._other)

    def connection_lost(self, problem: Exception | None) -> None:
        self.lost.set()
        self.greeted.set()

    def _message(self, payload: bytes) -> None:
        message = json.loads(payload)
        if message["type"] == "welcome":
            self.welcome = message
            self.greeted.set()
        else:
            self.replies.append(message["reply_to"])

    def _other(self, first: int, payload: bytes) -> None:
        if first == FINAL | PONG:
            self.replies.append(int(payload))
        elif first == FINAL | CLOSE and self.code is None:
            self.code = int.from_bytes(payload[:2])
            self.transport.write(frame(CLOSE, payload))

    def requests(self, chance: random.Random) -> bytes:
        """Return the frames of some requests, and note their ids."""
        frames = []
        for _ in range(chance.randrange(8)):
            number = len(self.sent) + 10
            self.sent.append(number)
            kind = chance.choice(("ping", "media.restart", "frame"))
            text = json.dumps({"type": kind, "id": number, **({"visit": "v"} if "." in kind else {})})
            frames.append(frame(PING, b"%d" % number) if kind == "frame" else frame(TEXT, text.encode()))
        return b"".join(frames)


class Clients:
    """The clients of one worker. `chance` decides what they do."""

    def __init__(self, one: Clinic, chance: random.Random) -> None:
        self.one, self.chance = one, chance
        self.worker = one.workers[0]
        self.ended: Counter[str] = Counter()
        self.staying: list[Peer] = []

    async def open(self, first: bytes = b"", **resume: str) -> Peer:
        """Return a client that has sent its `hello` and the frames `first` in one write, after its `welcome`."""
        listening = self.one.servers[0]
        assert listening.port is not None
        _, peer = await asyncio.get_running_loop().create_connection(Peer, listening.host, listening.port)
        lines = (
            "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: Z3JlZW5yb29tIHRlc3RzIQ==\r\nSec-WebSocket-Protocol: greenroom.v1.json\r\n"
            f"X-Person: {headers(self.one.provider())['X-Person']}\r\n\r\n"
        )
        hello = json.dumps({"type": "hello", "id": 1, "role": "staff", **resume})
        peer.transport.write(lines.encode() + frame(TEXT, hello.encode()) + first)
        await peer.greeted.wait()
        return peer

    async def play(self, end: str) -> None:
        """Play one client, which ends as `end` says, and check what it saw."""
        chance = self.chance
        peer = await self.open()
        for _ in range(chance.randrange(4)):
            peer.transport.write(peer.requests(chance))
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.004)))
        last = peer.requests(chance)
        if end == "stay":
            peer.transport.write(last)
            self.staying.append(peer)
            return
        if end == "bye":
            last += frame(TEXT, b'{"type":"bye","id":9}') + frame(TEXT, b'{"type":"ping","id":8}')
        elif end == "close":
            last += frame(CLOSE, (1000).to_bytes(2)) + frame(TEXT, b'{"type":"ping","id":8}')
        elif end == "invalid":
            last += INVALID
        peer.transport.write(last)
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.004)))
        if end == "abort":
            peer.transport.abort()
        elif end == "eof":
            peer.transport.write_eof()
        elif end == "cut":
            self.worker.connections[peer.welcome["connection"]].socket.close(4201)
        elif end == "resume":
            newer = await self.open(resume=peer.welcome["resume"])
            newer.transport.write(newer.requests(chance) + frame(TEXT, b'{"type":"bye","id":9}'))
            await newer.lost.wait()
            check(newer, 1000, whole=True)
        await peer.lost.wait()
        codes = {"bye": 1000, "close": 1000, "invalid": 1002, "cut": 4201, "resume": 4203}
        check(peer, codes.get(end), whole=end in {"bye", "close", "invalid"})


def check(peer: Peer, code: int | None, *, whole: bool) -> None:
    """Check that a client received its replies in order, all of them if `whole` is True, and this close code."""
    assert peer.replies == peer.sent[: len(peer.replies)]
    assert (peer.code, len(peer.replies) == len(peer.sent) or not whole) == (code, True)


@pytest.fixture(params=[ReaderWebSocket, WebSocket], ids=["reader", "public"])
async def one(valkey: Redis, request: pytest.FixtureRequest) -> AsyncIterator[Clinic]:
    """A clinic of one worker. Each test runs twice: with `ReaderWebSocket`, and with `WebSocket`."""
    async with clinic(valkey, 1) as opened:
        opened.workers[0].websocket = request.param
        yield opened


async def test_clients_that_do_anything_get_their_replies_in_order_and_leave_nothing(
    one: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients, worker = (
        Clients(one, random.Random(SEED)),
        one.workers[0],
    )
    running, ended = Counter[int](), list[Connection]()

    async def slow(connection: Connection, request: client.MediaRestart) -> server.Message:
        running[id(connection)] += 1
        await asyncio.sleep(clients.chance.choice((0, 0.001, 0.003)))
        running[id(connection)] -= 1
        return server.Done(reply_to=request.id, version=0)

    def noted(worker: Any, connection: Connection, address: str) -> None:
        assert not running[id(connection)], "a request is being answered"
        ended.append(connection)
        socket_ended(worker, connection, address)

    monkeypatch.setitem(HANDLERS, client.MediaRestart, slow)
    monkeypatch.setattr(handshake, "socket_ended", noted)
    monkeypatch.setattr(worker_module, "DRAIN_JITTER_S", 0.05)
    places = asyncio.Semaphore(AT_ONCE)

    async def play(end: str) -> None:
        async with places:
            await clients.play(end)

    ends = [ENDS[number % len(ENDS)] for number in range(CLIENTS)]
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*map(play, ends))
        await worker.drain()
        for peer in clients.staying:
            await peer.lost.wait()
            check(peer, 1001, whole=False)
    assert Counter(ends)["resume"] + CLIENTS == len(ended) == len({id(found) for found in ended})
    await until(lambda: not worker._tasks)
    counts = worker.socket_counts
    kept = (worker.connections, worker.hub.sockets, worker.lingering, worker.hellos)
    assert not any(kept)
    assert not any((counts.before_hello, counts.by_address, counts.by_person))
