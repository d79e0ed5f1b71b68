"""Clients of our server that cost little CPU, many in one process. They use a part of PROTOCOL.md.

They send hello and requests, and receive answers and updates, as JSON or MessagePack. The WebSocket itself is in
`wire.py`.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from tests.benchmarks.wire import OPEN_S, PeerError, TimedWire, settle
from tests.limits import WAIT_S
from web.peers.people.frames import BINARY, TEXT

ANSWER_S = WAIT_S
AT_ONCE = 64
ROUNDS = 60

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode
encode_text = msgspec.json.Encoder().encode
decode_text = msgspec.json.Decoder().decode


class Endpoint(NamedTuple):
    """The address of the server, and the organisation to whose WebSocket clients connect."""

    host: str
    port: int
    organisation: str


class Login(NamedTuple):
    """What identifies a client to the server: the Cookie header of a browser, and the role."""

    cookie: str
    role: str


News = Callable[["Peer", bytes, int], None]
"""A function that is called with each message that answers no request: (peer, message, monotonic time of reading in
ns).
"""


class Peer(TimedWire):
    """One client with its socket. `worker` and `me`: the ids of the worker and of the person, from the server's
    welcome.

    If `text`, the client sends JSON, as a browser does, otherwise MessagePack.
    """

    def __init__(self, endpoint: Endpoint, login: Login, news: News, text: bool = False) -> None:
        codec = "json" if text else "msgpack"
        super().__init__(
            endpoint.host,
            endpoint.port,
            f"/{endpoint.organisation}/ws",
            f"greenroom.v1.{codec}",
            f"Cookie: {login.cookie}\r\n",
        )
        self.login, self.news = login, news
        self.worker = ""
        self.me = ""
        self._opcode = TEXT if text else BINARY
        self._encode, self._decode = (encode_text, decode_text) if text else (encode, decode)
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def hello(self) -> None:
        """Send hello; keep the ids of the worker and of the person in the welcome. Raises PeerError if the server
        refuses, TimeoutError if it does not answer.
        """
        async with asyncio.timeout(OPEN_S):
            welcome = await self.ask("hello", role=self.login.role)
        self.worker, self.me = refuse_errors(welcome)["worker"], welcome["me"]["id"]

    def ask(self, kind: str, /, **fields: Any) -> asyncio.Future[dict[str, Any]]:
        """Send the request `kind` at once; return a future of its answer, which may be an error of the protocol."""
        request = next(self._ids)
        answer = self._answers[request] = asyncio.get_running_loop().create_future()
        self.say(self._encode({"type": kind, "id": request, **fields}), self._opcode)
        return answer

    async def bye(self) -> None:
        """Send bye, and return when the server has closed. Raises TimeoutError if it does not."""
        async with asyncio.timeout(ANSWER_S):
            with suppress(PeerError):
                await self.ask("bye")
        self.abort()

    def heard(self, payload: bytes) -> None:
        """Give an answer to the request that waits for it, and every other message to the function `news`."""
        if b"reply_to" in payload:
            message = self._decode(payload)
            answer = self._answers.pop(message.get("reply_to"), None)
            if answer is not None and not answer.done():
                answer.set_result(message)
        else:
            self.news(self, payload, self.read_ns)

    def lost(self, problem: PeerError) -> None:
        """Make all requests that wait for an answer fail with `problem`."""
        settle(list(self._answers.values()), problem)
        self._answers.clear()


def refuse_errors(answer: dict[str, Any]) -> dict[str, Any]:
    """Return `answer` unchanged. Raises PeerError if it is an error of the protocol."""
    if answer["type"] == "error":
        raise PeerError(answer["code"])
    return answer


def no_news(peer: Peer, payload: bytes, now: int) -> None:
    """Ignore the message `payload` that `peer` has read: the function `news` of clients that need no updates."""


async def enter(endpoint: Endpoint, login: Login, news: News = no_news, text: bool = False) -> Peer:
    """Connect a client; return it when it has received its welcome. `login`: the person whom the client plays.

    `news`: called with each message that answers no request. `text`: True to send JSON, False for MessagePack. Raises
    PeerError if the server refuses, OSError or TimeoutError if it does not answer.
    """
    peer = Peer(endpoint, login, news, text)
    await peer.open()
    await peer.hello()
    return peer


async def enter_all(
    endpoint: Endpoint,
    logins: Sequence[Login],
    news: News = no_news,
    tell: Callable[[float], None] = lambda _: None,
    text: bool = False,
) -> list[Peer]:
    """Connect a client for each login, several at the same time; return them. The kernel chooses the worker of each.

    `news`: called with each message that answers no request. `tell`: called with the progress (0.0 to 1.0). `text`:
    True to send JSON, False for MessagePack. Raises PeerError, OSError or TimeoutError if a client cannot connect.
    """
    peers: list[Peer] = []
    for start in range(0, len(logins), AT_ONCE):
        batch = [enter(endpoint, login, news, text) for login in logins[start : start + AT_ONCE]]
        peers += await asyncio.gather(*batch)
        tell(len(peers) / len(logins))
    return peers


async def enter_evenly(endpoint: Endpoint, logins: Sequence[Login], news: News = no_news) -> list[Peer]:
    """Connect a client for each login, half of them on each of two workers; return them.

    `news`: called with each message that answers no request. Raises PeerError if the kernel does not spread the
    connections evenly.
    """
    kept: list[Peer] = []
    share: Counter[str] = Counter()
    missing = list(logins)
    for _ in range(ROUNDS):
        tried = list(itertools.islice(itertools.cycle(missing), max(4, len(missing))))
        for peer in await enter_all(endpoint, tried, news):
            if peer.login in missing and share[peer.worker] < len(logins) // 2:
                share[peer.worker] += 1
                kept.append(peer)
                missing.remove(peer.login)
            else:
                peer.abort()
        if not missing:
            return kept
    raise PeerError(f"the workers share connections too unevenly: {dict(share)}")


async def answers(asked: Sequence[asyncio.Future[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the answers to the requests `asked`, in their order.

    Raises PeerError if a connection is lost, TimeoutError if an answer is missing after ANSWER_S.
    """
    async with asyncio.timeout(ANSWER_S):
        return list(await asyncio.gather(*asked))
