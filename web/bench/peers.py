"""Many cheap WebSocket clients in one process: just enough of RFC 6455 and PROTOCOL.md to load a server and listen.

Knows frames, hello, requests and their answers. A client from the shelf would cost more than the server it measures.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

import msgspec

OPEN_S = 20.0
ANSWER_S = 10.0
AT_ONCE = 64
ROUNDS = 60
KEY = "Z3JlZW5yb29tIGJlbmNoIQ=="  # any 16 bytes will do (RFC 6455 §4.1); the answer to it is not checked
NO_MASK = b"\0\0\0\0"

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode


class Door(NamedTuple):
    """Where the server is, and the organisation whose socket is meant."""

    host: str
    port: int
    organisation: str


class Seat(NamedTuple):
    """As whom a peer comes in: the Cookie header of a browser, and the role in which it speaks."""

    cookie: str
    role: str


class PeerError(Exception):
    """The server did not answer as PROTOCOL.md says."""


News = Callable[["Peer", bytes, int], None]
"""A message that answers no request: the peer, its MessagePack, and when it was read (monotonic ns)."""


class Peer(asyncio.Protocol):
    """One socket. `worker` and `me` are who answered and as whom."""

    def __init__(self, door: Door, seat: Seat, news: News) -> None:
        loop = asyncio.get_running_loop()
        self.door, self.seat, self.news = door, seat, news
        self.worker = ""
        self.me = ""
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._upgraded: asyncio.Future[None] = loop.create_future()
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    async def hello(self) -> None:
        """Says hello and keeps who answered. Raises PeerError, TimeoutError."""
        async with asyncio.timeout(OPEN_S):
            await self._upgraded
            welcome = await self.ask("hello", role=self.seat.role)
        self.worker, self.me = refuse_errors(welcome)["worker"], welcome["me"]["id"]

    def ask(self, kind: str, **fields: Any) -> asyncio.Future[dict[str, Any]]:
        """Sends a request at once; the future is its answer, an error of the protocol included."""
        request = next(self._ids)
        answer = self._answers[request] = asyncio.get_running_loop().create_future()
        self._send(0x82, encode({"type": kind, "id": request, **fields}))
        return answer

    async def bye(self) -> None:
        """Leaves for good, and returns once the server has closed. Raises PeerError, TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            with suppress(PeerError):
                await self.ask("bye")
        self.close()

    def close(self) -> None:
        """Lets go of the socket."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, first: int, payload: bytes) -> None:
        if self._transport is None or len(payload) > 125:
            raise PeerError("not open" if self._transport is None else "too long for a peer's request")
        self._transport.write(bytes((first, 0x80 | len(payload))) + NO_MASK + payload)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: asks for the upgrade."""
        self._transport = transport = cast(
            asyncio.Transport, transport
        )  # uvloop's is one in all but its bases
        host = f"{self.door.host}:{self.door.port}"
        transport.write(
            f"GET /{self.door.organisation}/ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: greenroom.v1.msgpack\r\n"
            f"Cookie: {self.seat.cookie}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """asyncio's: takes whole frames apart."""
        now = time.monotonic_ns()
        self._buffer = data = self._buffer + data if self._buffer else data
        at = 0
        if not self._upgraded.done():
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                return
            self._upgrade(data[:at])
        while len(data) - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                if len(data) < start:
                    break
                size = int.from_bytes(data[at + 2 : start])
            if len(data) < start + size:
                break
            self._frame(data[at] & 0x0F, data[start : start + size], now)
            at = start + size
        self._buffer = data[at:]

    def _upgrade(self, head: bytes) -> None:
        status = head.split(b"\r\n", 1)[0].decode("ascii", "replace")
        if " 101 " in status:
            self._upgraded.set_result(None)
        else:
            self._upgraded.set_exception(PeerError(status))

    def _frame(self, opcode: int, payload: bytes, now: int) -> None:
        if opcode == 0x9:
            self._send(0x8A, payload)
        elif opcode == 0x8:
            self._fail(PeerError(f"closed with {int.from_bytes(payload[:2])}"))
        elif b"reply_to" in payload:
            message = decode(payload)
            answer = self._answers.pop(message.get("reply_to"), None)
            if answer is not None and not answer.done():
                answer.set_result(message)
        else:
            self.news(self, payload, now)

    def connection_lost(self, problem: Exception | None) -> None:
        """asyncio's: whoever waits hears of it."""
        self._transport = None
        self._fail(PeerError("the connection was lost"))

    def _fail(self, problem: PeerError) -> None:
        waiting: list[asyncio.Future[Any]] = [*self._answers.values(), self._upgraded]
        self._answers.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(problem)


def refuse_errors(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, where it is a yes. Raises PeerError for an error of the protocol."""
    if answer["type"] == "error":
        raise PeerError(answer["code"])
    return answer


def no_news(peer: Peer, payload: bytes, now: int) -> None:
    """For peers that listen to nothing."""


async def enter(door: Door, seat: Seat, news: News = no_news) -> Peer:
    """A peer that was welcomed. Raises PeerError, OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(OPEN_S):
        _, peer = await loop.create_connection(lambda: Peer(door, seat, news), door.host, door.port)
    await peer.hello()
    return peer


async def enter_all(
    door: Door,
    seats: Sequence[Seat],
    news: News = no_news,
    tell: Callable[[float], None] = lambda _: None,
) -> list[Peer]:
    """A peer for each seat, some at a time; they spread over the workers as the kernel likes."""
    peers: list[Peer] = []
    for start in range(0, len(seats), AT_ONCE):
        batch = [enter(door, seat, news) for seat in seats[start : start + AT_ONCE]]
        peers += await asyncio.gather(*batch)
        tell(len(peers) / len(seats))
    return peers


async def enter_evenly(door: Door, seats: Sequence[Seat], news: News = no_news) -> list[Peer]:
    """A peer for each seat, half of them on each of two workers. Raises PeerError where one worker takes them all."""
    kept: list[Peer] = []
    share: Counter[str] = Counter()
    missing = list(seats)
    for _ in range(ROUNDS):
        tried = list(itertools.islice(itertools.cycle(missing), max(4, len(missing))))
        for peer in await enter_all(door, tried, news):
            if peer.seat in missing and share[peer.worker] < len(seats) // 2:
                share[peer.worker] += 1
                kept.append(peer)
                missing.remove(peer.seat)
            else:
                peer.close()
        if not missing:
            return kept
    raise PeerError(f"the workers share connections too unevenly: {dict(share)}")


async def answers(asked: Sequence[asyncio.Future[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The answers to several requests, in their order. Raises PeerError, TimeoutError."""
    async with asyncio.timeout(ANSWER_S):
        return list(await asyncio.gather(*asked))
