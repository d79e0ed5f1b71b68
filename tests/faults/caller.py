"""Plays a person in a call that a test disturbs: the person reconnects as the pages do, and records when media arrives.

The messages go over a real socket. The media is light: ICE, DTLS and SRTP are real, but the packets contain
no encoded picture or sound.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
from yarl import URL

from media.peers.raw import RawPeer
from media.protocols.codecs import OPUS
from media.transport.dtls import Identity
from media.transport.srtp import best_binding
from signalling.clients.client import MSGPACK, SignallingClient
from signalling.clients.reconnecting import pause_s
from signalling.errors import ClosedError, RequestError
from tests.faults.conftest import ALL
from tests.limits import WAIT_S

FRAME_S = 0.02
STEADY_S, ANSWER_S = (0.2, 5.0) if ALL else (1.0, 20.0)
"""Times in s: in how long five packets arrive if packets arrive steadily, and how long an answer may take. Both are
longer beside other tests on the same cores.
"""
IDENTITY = Identity(0.0)


class _Peer(RawPeer):
    """A party of the call that records when each RTP packet of the other party arrives."""

    def __init__(self, arrivals: list[float]) -> None:
        super().__init__(best_binding(), IDENTITY)
        self._arrivals = arrivals
        self._number = random.getrandbits(14)

    def _media(self, size: int) -> None:
        if not 191 < self._buffer[1] < 224:
            self._arrivals.append(time.monotonic())

    def speak(self) -> None:
        self._number += 1
        head = bytes((0x80, OPUS.payload_type)) + (self._number & 0xFFFF).to_bytes(2, "big")
        clock = int(time.monotonic() * OPUS.clock_rate) & 0xFFFFFFFF
        self.send_rtp(head + clock.to_bytes(4, "big") + self.audio_ssrc.to_bytes(4, "big") + bytes(60))


class Caller:
    """A person in a call.

    `headers` identify the person. `urls`: the URLs of WebSockets. The first URL is used at the beginning, and the
    next URL after each loss of the connection.

    `arrivals`: the monotonic times in s at which packets of the other party arrived. `rooms`: the number of
    SDP offers that began a new media connection, which is one for each room that the person joined.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        role: str,
        headers: Mapping[str, str],
        visit: str,
        urls: Sequence[str],
    ) -> None:
        self.role = role
        self.visit = visit
        self._headers = headers
        self.arrivals: list[float] = []
        self.rooms = 0
        self.closed_with: list[int] = []
        self._http = http
        self._urls = list(urls)
        self._peer: _Peer | None = None
        self._client: SignallingClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> SignallingClient:
        """Return the person's present connection to the server."""
        assert self._client is not None
        return self._client

    async def open(self) -> None:
        """Connect; staff also turn On-Call on.

        From then on, reconnect after each loss, and send sound while the media is connected.
        """
        await self._connect(self._urls[0], None)
        if self.role == "staff":
            await self.client.request("on_call", on=True)
        self._spawn(self._come_back())
        self._spawn(self._speak())

    async def join(self) -> None:
        """Enter the session page, join the media and press Start Session."""
        for request in ("visit.enter", "media.join", "visit.start"):
            await self.client.request(request, visit=self.visit)

    async def close(self) -> None:
        """End the tasks, the connection and the media."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
        self._take(None)

    def receives(self, since_s: float) -> bool:
        """Return True if packets arrive steadily: at least five in the last STEADY_S that came after
        `since_s`."""
        now_s = time.monotonic()
        recent = [at for at in self.arrivals[-20:] if at > max(since_s, now_s - STEADY_S)]
        return len(recent) >= 5

    def longest_gap_s(self, since_s: float) -> float:
        """Return the longest time in s without a packet, from `since_s` until now."""
        times = [since_s, *(at for at in self.arrivals if at > since_s), time.monotonic()]
        return max(later - earlier for earlier, later in pairwise(times))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, url: str, resume: str | None) -> None:
        self._client = await SignallingClient.connect(
            self._http,
            url,
            self.role,
            headers={**self._headers, "Origin": str(URL(url).origin()).replace("ws", "http", 1)},
            resume=resume,
            subprotocol=MSGPACK,
            timeout_s=ANSWER_S,
            listener=self._heard,
        )

    def _heard(self, message: dict[str, Any]) -> None:
        if message["type"] == "media.offer":
            self._answer(message)
        elif message["type"] == "media.gone":
            self._spawn(self._join_again())

    async def _join_again(self) -> None:
        while True:
            with contextlib.suppress(RequestError, ClosedError, TimeoutError):
                await self.client.request("media.join", visit=self.visit)
                return
            await asyncio.sleep(0.4)

    def _answer(self, offer: dict[str, Any]) -> None:
        if offer["fresh"]:
            self.rooms += 1
            self._take(_Peer(self.arrivals))
        assert self._peer is not None
        sdp = self._peer.answer(offer["sdp"])
        self._spawn(self._send_answer(offer["offer"], sdp))

    async def _send_answer(self, number: int, sdp: str) -> None:
        with contextlib.suppress(RequestError, ClosedError, TimeoutError):
            await self.client.request("media.answer", visit=self.visit, offer=number, sdp=sdp)

    def _take(self, leg: _Peer | None) -> None:
        loop = asyncio.get_running_loop()
        if self._peer is not None:
            loop.remove_reader(self._peer.sock.fileno())
            self._peer.close()
        self._peer = leg
        if leg is not None:
            loop.add_reader(leg.sock.fileno(), leg.readable)

    async def _speak(self) -> None:
        while True:
            await asyncio.sleep(FRAME_S)
            if self._peer is not None and self._peer.remote is not None:
                self._peer.tick(time.monotonic())
                if self._peer.ready:
                    self._peer.speak()

    async def _come_back(self) -> None:
        while True:
            code = await self.client.wait_closed(3600)
            self.closed_with.append(code)
            token = self.client.welcome["resume"]
            while True:
                await asyncio.sleep(pause_s(code, 0, random.random()))
                self._urls.append(self._urls.pop(0))
                with contextlib.suppress(OSError, aiohttp.ClientError, ClosedError, TimeoutError):
                    await self._connect(self._urls[0], token)
                    break


async def once_back(client: SignallingClient, request: str, **fields: Any) -> None:
    """Send a request, and send it again while the worker does not reach the store again."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await client.request(request, **fields)
                return
            except RequestError as refused:
                if refused.code != "unavailable":
                    raise
            await asyncio.sleep(0.1)


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 percent of these values do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


async def until_received(callers: Sequence[Caller], since_s: float, timeout_s: float) -> float:
    """Return the time in s from `since_s` until all callers receive each other's media. Raises TimeoutError after
    `timeout_s`.
    """
    async with asyncio.timeout(timeout_s):
        while not all(caller.receives(since_s) for caller in callers):  # noqa: ASYNC110 (packets are no event)
            await asyncio.sleep(0.02)
    return time.monotonic() - since_s


@asynccontextmanager
async def call(patient: Caller, provider: Caller) -> AsyncIterator[None]:
    """Bring both people into the call of their claimed visit, the provider first, and press Start Session for both.

    Close both at the end.
    """
    try:
        await patient.open()
        await provider.open()
        await provider.client.request("visit.claim", visit=provider.visit)
        await provider.join()
        await patient.join()
        await until_received((patient, provider), time.monotonic(), WAIT_S)
        yield
    finally:
        await patient.close()
        await provider.close()
