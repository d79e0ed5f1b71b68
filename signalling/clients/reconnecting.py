"""A client that reconnects: a person's connection and its topics continue over several sockets.

`SignallingClient` is one socket. This class adds what a long-running program needs: resuming, pauses between attempts,
versions of topics, and the close codes after which it must not reconnect (PROTOCOL.md#resume, #topics, #close-codes).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from signalling.clients.client import Received, SignallingClient
from signalling.errors import ClosedError, RequestError
from signalling.protocol.errors import TEXTS

FIRST_S, MOST_S, DRAIN_S = 0.5, 15.0, 2.0
STAY_AWAY_FROM, BYE, DRAINS, LOST, NOT_SIGNED_IN = 4200, 1000, 1001, 1006, 4202
PING_EVERY_S = 20.0
# The greatest number of changes of a topic that are kept until the first whole state of the topic arrives. If more
# changes arrive, the oldest is dropped.
MOST_EARLY = 256
ASK_AGAIN_S = 1.0
Connect = Callable[..., Awaitable[SignallingClient]]
Handler = Callable[[Received], None]
Refused = Callable[[RequestError], None]


def stays_away(code: int) -> bool:
    """Return True if a client must not reconnect after this close code, until its user asks for it."""
    return code == BYE or code >= STAY_AWAY_FROM


def pause_s(code: int, attempt: int, chance: float) -> float:
    """Return the time in s that a client must wait after this close code before it connects again.

    `attempt`: the number of attempts before this one. `chance`: a random number from 0 to 1, so that clients do not all
    reconnect at once.
    """
    if code == DRAINS:
        return chance * DRAIN_S
    return float(min(MOST_S, FIRST_S * 2.0 ** min(attempt, 10))) * (0.5 + chance / 2)


class Subscription:
    """A topic to which the client is subscribed: its handlers, and the version of the newest state received."""

    def __init__(self, handler: Handler, refused: Refused) -> None:
        self.refused = refused
        self._handler = handler
        self._early: list[Received] = []
        self.epoch: str | None = None
        self.version = -1

    def take(self, message: Received) -> None:
        """Call the handler with a message of the topic, unless it is a change that the client already has.

        A change that comes before the first whole state is kept, and handled after that state (PROTOCOL.md#topics).
        """
        version, epoch = message["version"], message.get("epoch")
        if epoch is None and self.epoch is None:
            self._early = [*self._early, message][-MOST_EARLY:]
            return
        known = self.epoch is not None and epoch in (None, self.epoch) and version <= self.version
        if known and not message["type"].endswith(".snapshot"):
            return
        # An organisation without any event has the epoch "", so None marks that no epoch is known yet.
        self.epoch, self.version = self.epoch if epoch is None else epoch, version
        self._handler(message)
        early, self._early = self._early, []
        for change in early:
            self.take(change)

    def restart(self) -> None:
        """Drop the changes that came before a whole state: they are of a lost socket, perhaps of another epoch."""
        self._early = []


class ReturningClient:
    """A client whose connection continues over several sockets: if a socket is lost, it opens another and resumes.

    Run `run` in a task; meanwhile call `hold` to subscribe to topics, and `request`. `connect` opens a socket; it takes
    `resume`, `or_anew` and `listener`, as `SignallingClient.connect` does. `heard` is called with each message that
    belongs to no topic (`media.offer`, …). `connected` is an event that is set while a socket is open.
    """

    def __init__(self, connect: Connect, heard: Handler = lambda _: None) -> None:
        self._connect = connect
        self._heard = heard
        self._held: dict[str, Subscription] = {}
        self._resume: str | None = None
        self._client: SignallingClient | None = None
        self.connected = asyncio.Event()
        self._over = asyncio.Event()
        self._code = LOST
        self._attempt = 0
        self.welcome: Received = {}

    @classmethod
    def to(
        cls,
        http: aiohttp.ClientSession,
        url: str,
        role: str,
        *,
        headers: Mapping[str, str] | None = None,
        heard: Handler = lambda _: None,
        **how: Any,
    ) -> ReturningClient:
        """Return a client for a server's WebSocket.

        `http`, `url`, `role`, `headers` and `how`: the arguments of `SignallingClient.connect`. `heard` is called with
        each message that belongs to no topic.
        """

        def connect(**more: Any) -> Awaitable[SignallingClient]:
            return SignallingClient.connect(http, url, role, headers=headers, **how, **more)

        return cls(connect, heard)

    async def hold(self, topic: str, handler: Handler, refused: Refused = lambda _: None) -> None:
        """Subscribe to a topic; call `handler` with its whole state and then with each change, in order and once.

        The subscription continues after a lost socket. `refused` is called if the server does not allow the topic, now
        or later. Raises `ClosedError` if the socket is closed meanwhile, `TimeoutError` without a reply.
        """
        self._held[topic] = held = Subscription(handler, refused)
        if self._client is not None and self.connected.is_set():
            await self._ask(self._client, topic, held)

    async def let_go(self, topic: str) -> None:
        """End the subscription to a topic.

        Raises `RequestError` if the server refuses, `ClosedError` if the socket is closed, `TimeoutError` without a
        reply.
        """
        self._held.pop(topic, None)
        if self._client is not None and self.connected.is_set():
            await self._client.request("unsubscribe", topic=topic)

    async def request(self, message_type: str, **fields: Any) -> Received:
        """Wait until a socket is open, send a request of the type `message_type` with these fields, and return its
        reply.

        If the socket is lost before the reply, the request is not repeated: the topics show whether it was carried out.
        Raises `RequestError` if the server refuses it, `ClosedError` if the socket is lost or `run` has ended,
        `TimeoutError` without a reply.
        """
        while not self.connected.is_set():
            if self._over.is_set():
                raise ClosedError(self._code)
            waits = [asyncio.ensure_future(event.wait()) for event in (self.connected, self._over)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waits:
                    one.cancel()
        assert self._client is not None
        return await self._client.request(message_type, **fields)

    async def run(self) -> int:
        """Stay connected until a close code forbids the client to reconnect; return that code.

        To disconnect earlier, cancel the task that runs this method.
        """
        self._over.clear()
        try:
            while True:
                self._code = code = await self._one_socket()
                if stays_away(code):
                    return code
                await asyncio.sleep(pause_s(code, self._attempt, random.random()))  # noqa: S311 - the pause is no secret
                self._attempt += code != DRAINS
        finally:
            self._over.set()

    async def _one_socket(self) -> int:
        """Connect, subscribe again to all topics of this client, and wait until the socket is closed; return the
        close code.
        """
        try:
            client = await self._connect(resume=self._resume, or_anew=True, listener=self._listen)
        except ClosedError as closed:
            return closed.code
        except RequestError as refused:
            return NOT_SIGNED_IN if refused.code == "not_signed_in" else LOST
        except (aiohttp.ClientError, TimeoutError, OSError):
            return LOST
        try:
            self._client, self._attempt = client, 0
            self.welcome, self._resume = client.welcome, client.welcome["resume"]
            self.connected.set()
            for topic, held in list(self._held.items()):
                held.restart()
                await self._ask(client, topic, held)
            while client.closed_with is None:
                try:
                    return await client.wait_closed(PING_EVERY_S)
                except TimeoutError:
                    # A socket reports no error if its network is lost. Only a ping without a reply shows the loss.
                    await client.request("ping")
            return client.closed_with
        except ClosedError as closed:
            return closed.code
        except TimeoutError:
            # A server that answers no ping answers no close frame, for which `close` would wait.
            client.vanish()
            return LOST
        finally:
            self.connected.clear()
            await client.close()

    async def _ask(self, client: SignallingClient, topic: str, held: Subscription) -> None:
        while self._held.get(topic) is held:
            mine = {} if held.epoch is None else {"epoch": held.epoch, "version": held.version}
            try:
                await client.request("subscribe", topic=topic, **mine)
                return
            except RequestError as refused:
                if refused.code != "unavailable":
                    if self._held.get(topic) is held:
                        del self._held[topic]
                    held.refused(refused)
                    return
            await asyncio.sleep(ASK_AGAIN_S)

    def _listen(self, message: Received) -> None:
        held = self._held.get(message.get("topic", ""))
        if held is not None and message["type"] == "gone":
            self._held.pop(message["topic"], None)
            held.refused(RequestError("not_found", TEXTS["not_found"], {}))
        elif held is not None and "version" in message:
            held.take(message)
        elif "topic" not in message:
            self._heard(message)
