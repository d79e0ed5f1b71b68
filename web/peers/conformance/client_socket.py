"""Plays the server's side of one socket to a client under test. It checks each message and sends plausible answers.

Answers are the examples of PROTOCOL.md, with the topics, visits and ids of the client's requests filled in.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgpack
from aiohttp import web

from signalling.errors import BadMessageError
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL
from signalling.protocol.errors import error
from signalling.protocol.reference import client_types, examples, topic_messages
from web.peers.conformance.client_media import ClientMedia
from web.peers.conformance.judge import Judge

HELLO_S, TOPIC_S, AGAIN_S, PONG_S = 5.0, 15.0, 5.0, 5.0
# The time in s for which the server waits for the client's answer to an offer.
ANSWER_S = 10.0
WELCOME_AFTER_S, SETTLE_S, LOOK_S = 0.2, 0.3, 0.1
VISIT: Final = "v_1"
ME: Final = {
    "staff": {"id": "u_ana", "role": "provider", "name": "Dr M. Osei"},
    "patient": {"id": f"patient:{VISIT}", "role": "patient", "name": "Ana Ruiz"},
    "guest": {"id": "guest-3fK", "role": "guest", "name": "Rosa Diaz"},
}
ONCE: Final = ("chat.send", "visit.invite")  # requests that a client must not repeat by itself
CHANGES: Final = {
    "queue": "queue.gone",
    "sessions": "sessions.gone",
    "bell": "bell.marked",
    "chat": "chat.line",
}
Message = dict[str, Any]


class ClientSocket:
    """A client's socket. `held`: topic -> (epoch, version) that a client holds if it follows the rules.

    `document`: the text of PROTOCOL.md; `unanswered`: the requests that were left without an answer on
    purpose.
    """

    def __init__(
        self,
        judge: Judge,
        media: ClientMedia,
        document: str,
        held: dict[str, tuple[str, int]],
        unanswered: list[Message],
    ) -> None:
        self.done = asyncio.Event()
        self._opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._judge, self._media, self._held, self._unanswered = judge, media, held, unanswered
        self._examples = examples(document)
        self._ids: set[int] = set()
        self._subscribed: dict[str, Message] = {}
        self._count = 10
        self._epoch = "e_1"
        self._pong = False
        self._answering = True

    async def opened(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        """Serve the open socket `ws`, which `request` opened; return when the scripted server has finished with it."""
        self._ws, self._request = ws, request
        self._codec = CODECS.get(ws.ws_protocol or "", CODECS[JSON_SUBPROTOCOL])
        self._opened.set_result(True)
        await self.done.wait()

    def ended(self) -> None:
        """Record that the attempt to connect has ended, before or after the upgrade to a WebSocket."""
        if not self._opened.done():
            self._opened.set_result(False)

    async def is_open(self) -> bool:
        """Wait until the client's WebSocket is open; return False if the attempt ended before the upgrade."""
        return await self._opened

    # --- methods about the client's first message, hello

    async def hello(self) -> Message | None:
        """Return the client's hello, or None if its first message is something else."""
        message = await self._receive(HELLO_S)
        if message is None:
            self._judge.wrong("hello", "hello within 5 s", "nothing, or the end")
            return None
        self._judge.holds("hello", message.get("type") == "hello", "hello first", message)
        return message if message.get("type") == "hello" else None

    async def refuse_resume(self, hello: Message, code: str) -> Message | None:
        """Refuse the token of a hello with an error of this code.

        Return the client's next message if it is a hello without a token, otherwise None.
        """
        refusal = error(hello["id"], code)
        await self._send(
            {"type": "error", "reply_to": hello["id"], "code": code, "text": refusal.text, "details": {}}
        )
        again = await self._receive(HELLO_S)
        fits = again is not None and again.get("type") == "hello" and not again.get("resume")
        self._judge.holds(
            "anew", fits, "hello without `resume` on the same socket", again or "nothing", f"error {code}"
        )
        return again if fits else None

    async def welcome(self, hello: Message, *, resumed: bool, token: str = "") -> str:
        """Send the client `welcome`, after a moment in which the client must send nothing; return the new token.

        `hello`: the client's message; `resumed`: whether the connection continues; `token`: the token to send, "" for a
        new token.
        """
        early = await self._receive(WELCOME_AFTER_S)
        self._judge.holds("waits", early is None, "nothing until `welcome`", early)
        role = hello.get("role", "patient")
        token = token or f"r_conformance{id(self):x}{self._count}"
        await self._send(
            {
                **self._example("welcome"),
                "reply_to": hello["id"],
                "connection": "c_conformance",
                "resume": token,
                "resumed": resumed,
                "me": ME.get(role, ME["patient"]),
                "visit": None if role == "staff" else VISIT,
                "of_a_later_version": {"ignored": True},
            }
        )
        if early is not None:
            await self._answer(early)
        await self._ws.ping(b"conformance")
        return token

    # --- methods about the client's subscriptions to topics

    async def serve_topics(self) -> None:
        """Answer requests until the client has the state of a topic, and for SETTLE_S longer."""
        if await self._serve(lambda: bool(self._subscribed), TOPIC_S):
            await self.serve_for(SETTLE_S)

    async def strange_news(self) -> None:
        """Send new, old, repeated and unknown messages. The client must stay connected and keep the newest version."""
        for topic in list(self._subscribed):
            newest = self._held[topic][1] + 5
            kind = self._change(topic)
            for version in (newest, newest, newest - 3) if kind else ():
                await self._send(
                    {**self._example(kind), "topic": topic, "version": version, "of_a_later_version": 1}
                )
            if kind:
                self._held[topic] = (self._epoch, newest)
            else:
                for version in (newest, newest - 3):
                    await self._send(self._whole(topic, self._epoch, version))
                self._held[topic] = (self._epoch, newest)
        await self._send({"type": "weather.report", "sky": "clear"})
        await self._send({"type": "weather.snapshot", "topic": "weather", "epoch": "e_9", "version": 1})
        await self._send({**self._example("media.gone"), "visit": "v_unknown", "of_a_later_version": [1, 2]})
        stays = await self.serve_for(2 * SETTLE_S)
        if self._subscribed:
            self._judge.holds(
                "tolerant", stays, "the socket stays open", "it closed", "messages of a later version"
            )

    async def expect_topics_again(self, epoch: str, version: int) -> None:
        """Check that the client subscribes to its topics again, with the versions that it held before.

        Each subscription is answered with the topic's state in the new epoch `epoch`, with a version above `version`.
        """
        wanted = dict(self._held)
        self._epoch, self._count = epoch, version
        await self._serve(lambda: wanted.keys() <= self._subscribed.keys(), AGAIN_S)
        for topic, (held_epoch, held_version) in wanted.items():
            asked = self._subscribed.get(topic)
            self._judge.holds("again", asked is not None, f"subscribe to {topic} again", "nothing", "welcome")
            if asked is None or asked.get("epoch") is None:
                # A client may subscribe without the version that it has. The server then sends the whole state.
                continue
            received = f"epoch {asked['epoch']}, version {asked.get('version')}"
            rule = "stale" if held_epoch == "e_1" else "epoch"
            right = (asked["epoch"], asked.get("version")) == (held_epoch, held_version)
            self._judge.holds(
                rule, right, f"epoch {held_epoch}, version {held_version} held of {topic}", received
            )
        await self.serve_for(SETTLE_S)

    def _change(self, topic: str) -> str:
        """Return the type of the messages with changes of a topic; "" if the topic's state is always sent whole."""
        return CHANGES.get(topic.partition("/")[0], "")

    def _whole(self, topic: str, epoch: str, version: int) -> Message:
        names = (name for name in topic_messages(topic) if name != "gone")
        found = self._example(next(names, "queue.snapshot"))
        return {**found, "topic": topic, "epoch": epoch, "version": version}

    async def serve_media(self) -> None:
        """Answer requests until the client's media can be judged, and judge it.

        Return earlier if the client has received no offer, or does not answer it within ANSWER_S seconds.
        """
        await self._serve(lambda: not self._media.awaits_answer, ANSWER_S)
        if not self._media.answered:
            return
        while not self._ws.closed and not self._media.settled():
            await self.serve_for(LOOK_S)
        self._media.decide()

    # --- methods that answer the client's requests

    async def serve_for(self, seconds: float) -> bool:
        """Answer requests for this number of seconds; return whether the socket is still open."""
        await self._serve(lambda: False, seconds)
        return not self._ws.closed

    async def _serve(self, until: Callable[[], bool], within_s: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while not until() and not self._ws.closed and loop.time() < end:
            message = await self._receive(end - loop.time())
            if message is not None:
                await self._answer(message)
        return until()

    async def _receive(self, within_s: float) -> Message | None:
        """Return the client's next message after checking it, or None if none arrives in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within_s)):
                while not self._ws.closed:
                    frame = await self._ws.receive()
                    if frame.type is aiohttp.WSMsgType.PING:
                        await self._ws.pong(frame.data)
                    elif frame.type is aiohttp.WSMsgType.PONG:
                        self._pong = self._pong or bytes(frame.data) == b"conformance"
                    elif frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                        found = self._judged(frame)
                        if found is not None:
                            return found
                    else:
                        return None
        return None

    def _judged(self, frame: aiohttp.WSMessage) -> Message | None:
        text = frame.type is aiohttp.WSMsgType.TEXT
        if text is not self._codec.text:
            wanted = "text" if self._codec.text else "binary"
            self._judge.wrong("shape", f"{wanted} frames, as {self._codec.subprotocol} has them", frame.data)
            return None
        try:
            message = json.loads(frame.data) if text else msgpack.unpackb(frame.data)
            assert isinstance(message, dict)
        except (ValueError, AssertionError, RecursionError):
            self._judge.wrong("shape", "a map", frame.data)
            return None
        try:
            self._codec.decode(frame.data)
            self._judge.kept("shape")
        except BadMessageError as bad:
            self._judge.wrong(
                "shape", f"`{message.get('type')}` as the reference has it (at {bad.path})", message
            )
        request_id = message.get("id")
        if isinstance(request_id, int):
            self._judge.holds(
                "ids", request_id not in self._ids, "an id that was not used on this socket", message
            )
            self._ids.add(request_id)
        return message

    async def _answer(self, message: Message) -> None:
        kind, request_id = str(message.get("type")), message.get("id")
        self._judge_repetition(kind, message)
        if kind == "subscribe":
            await self._subscribe(message)
            return
        if kind == "unsubscribe":
            self._subscribed.pop(message.get("topic", ""), None)
            self._held.pop(message.get("topic", ""), None)
        if kind in ONCE:
            self._unanswered.append({k: v for k, v in message.items() if k != "id"})
            # The request is left without an answer. A check then observes whether the client sends it again after
            # the socket is lost.
            return
        if kind == "media.answer":
            self._media.accept(str(message.get("sdp")))
        request = client_types().get(kind)
        if request is not None and request.reply is not None:
            await self._send({**self._example(request.reply), "reply_to": request_id})
        if kind == "media.join":
            await self._send(
                {**self._example("media.offer"), "visit": message.get("visit"), "sdp": self._media.offer()}
            )

    async def _subscribe(self, message: Message) -> None:
        topic = str(message.get("topic"))
        self._count += 1
        self._subscribed[topic] = message
        self._held[topic] = (self._epoch, self._count)
        answer = {"type": "subscribed", "reply_to": message.get("id"), "topic": topic}
        await self._send({**answer, "epoch": self._epoch, "version": self._count})
        await self._send(self._whole(topic, self._epoch, self._count))

    def _judge_repetition(self, kind: str, message: Message) -> None:
        if kind in ONCE:
            again = {k: v for k, v in message.items() if k != "id"} in self._unanswered
            self._judge.holds("repeats", not again, f"`{kind}` is not sent again by itself", message)

    # --- methods that end the connection

    async def close(self, code: int) -> None:
        """Close the WebSocket with this code.

        First wait, at most PONG_S seconds, for the client's answer to the server's ping.
        """
        await self._end()
        await self._ws.close(code=code)

    async def lose(self) -> None:
        """Close the TCP connection without a close frame.

        First wait, at most PONG_S seconds, for the client's answer to the server's ping.
        """
        await self._end()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _end(self) -> None:
        await self._serve(lambda: self._pong, PONG_S)
        self._judge.holds(
            "pong", self._pong, "a pong with the ping’s data", "none", "a ping with `conformance`"
        )

    async def _send(self, message: Message) -> None:
        data = json.dumps(message) if self._codec.text else msgpack.packb(message)
        with contextlib.suppress(ConnectionError):
            await (self._ws.send_str(data) if isinstance(data, str) else self._ws.send_bytes(data))

    def _example(self, kind: str) -> Message:
        return copy.deepcopy(self._examples[kind][0])
