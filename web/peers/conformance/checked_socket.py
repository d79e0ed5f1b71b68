"""Defines a socket to a server under test that checks each received message against PROTOCOL.md.

The socket checks the shape and the frame type of messages, the answers to requests, and the versions of topics.
It raises ViolationError at the first deviation, and never waits longer than `WITHIN_S`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgpack
import msgspec

from signalling.protocol.codec import CODECS
from signalling.protocol.errors import TEXTS
from signalling.protocol.reference import server_types
from web.peers.errors import ViolationError, shown

WITHIN_S: Final = 5.0
QUIET_S: Final = 0.3  # the method `quiet` passes if nothing arrives for this time in s
ABNORMAL: Final = 1006
Message = dict[str, Any]
KNOWN: Final = server_types()


class CheckedSocket:
    """A socket to the server under test that checks what it receives.

    `sent`: the message that was sent last; `news`: the received messages that are not answers to requests; `held`:
    topic -> the newest version that this socket has received.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, subprotocol: str) -> None:
        self.ws = ws
        self.codec = CODECS[subprotocol]
        self.sent: object = ""
        self.news: deque[Message] = deque(maxlen=1000)
        self.held: dict[str, tuple[str, int]] = {}
        self.welcome: Message = {}
        self._ids = itertools.count(1)
        self._asked: set[int] = set()
        self._answered: set[int] = set()

    @property
    def visit(self) -> str:
        """The id of the patient's visit, which the server's `welcome` names."""
        return str(self.welcome.get("visit"))

    @property
    def me(self) -> Message:
        """The person of this socket, as messages name a person: `id` and `name`."""
        return {key: self.welcome["me"][key] for key in ("id", "name")}

    # --- methods that send messages

    def encoded(self, message: object) -> bytes:
        """Return a message as bytes in this socket's codec."""
        if self.codec.text:
            return json.dumps(message).encode()
        packed: bytes = msgpack.packb(message)
        return packed

    async def send(self, message: Message) -> None:
        """Send a message unchanged; it may be invalid on purpose."""
        if isinstance(message.get("id"), int):
            self._asked.add(message["id"])
        await self.send_frame(self.encoded(message), text=self.codec.text, shown=message)

    async def send_frame(self, data: bytes, *, text: bool, shown: object = None) -> None:
        """Send any bytes in a text frame (`text`) or a binary frame.

        `shown`: what an error's text shows as the sent message; None for the bytes themselves.
        """
        self.sent = data if shown is None else shown
        try:
            await (self.ws.send_str(data.decode()) if text else self.ws.send_bytes(data))
        except (aiohttp.ClientError, ConnectionError) as problem:
            raise ViolationError(
                "a socket that stays open", f"it is closed ({type(problem).__name__})", self.sent
            ) from None

    async def ask(self, kind: str, /, **fields: Any) -> Message:
        """Send a request and return its answer, which may be an error.

        `kind`: the request's type; `fields`: its fields.
        """
        request = {"type": kind, "id": next(self._ids), **fields}
        await self.send(request)
        return await self.answer(request["id"], kind)

    async def answer(self, request_id: int | None, kind: str = "the request") -> Message:
        """Return the answer to the request with this id; for None, return the error whose `reply_to` is null.

        `kind`: the request's type, for the text of a fault.
        """
        while True:
            message = await self.receive(f"an answer to {kind}, with reply_to {json.dumps(request_id)}")
            if "reply_to" in message and message["reply_to"] == request_id:
                return message
            self.news.append(message)

    async def get(self, kind: str, answer: str = "done", /, **fields: Any) -> Message:
        """Send a request of the type `kind` with these fields; return its answer, which must have the type `answer`."""
        found = await self.ask(kind, **fields)
        if found["type"] != answer:
            raise ViolationError(f"`{answer}`", found, self.sent)
        return found

    async def refused(self, code: str, kind: str, /, **fields: Any) -> Message:
        """Send a request of the type `kind` with these fields; check that the server refuses it with the error `code`.

        Returns the error's details.
        """
        return self.is_error(await self.ask(kind, **fields), code)

    def is_error(self, answer: Message, *codes: str) -> Message:
        """Return the details of an answer, after checking that it is an error with one of these codes."""
        if answer["type"] != "error" or answer["code"] not in codes:
            raise ViolationError(" or ".join(f"an error `{code}`" for code in codes), answer, self.sent)
        details: Message = answer["details"]
        return details

    # --- methods that receive messages

    async def receive(self, expected: str, within_s: float | None = None) -> Message:
        """Return the next message.

        `expected`: what should arrive, for the text of a fault. Raises ViolationError if no message arrives within
        `within_s` seconds (None: WITHIN_S), if the socket closes, or if the message is not valid.
        """
        frame = await self._frame(expected, WITHIN_S if within_s is None else within_s)
        if frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return self._read(frame)
        raise ViolationError(expected, f"the socket closed with {self.ws.close_code or ABNORMAL}", self.sent)

    async def _frame(self, expected: str, within_s: float) -> aiohttp.WSMessage:
        try:
            async with asyncio.timeout(within_s):
                while True:
                    frame = await self.ws.receive()
                    # Pings arrive here only on a connection that does not answer them by itself (`autoping=False`).
                    if frame.type is aiohttp.WSMsgType.PING:
                        await self.ws.pong(frame.data)
                    elif frame.type is not aiohttp.WSMsgType.PONG:
                        return frame
        except TimeoutError:
            raise ViolationError(expected, f"nothing within {within_s:g} s", self.sent) from None

    def _read(self, frame: aiohttp.WSMessage) -> Message:
        if (frame.type is aiohttp.WSMsgType.TEXT) is not self.codec.text:
            raise ViolationError(
                f"{'text' if self.codec.text else 'binary'} frames, as {self.codec.subprotocol} has them",
                frame.data,
            )
        try:
            message = json.loads(frame.data) if self.codec.text else msgpack.unpackb(frame.data)
        except (ValueError, RecursionError):
            raise ViolationError(f"a message in {self.codec.subprotocol}", frame.data, self.sent) from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ViolationError("a map with a `type`", message, self.sent)
        # Messages of unknown types are not checked, because a later version 1.x may have added them.
        if message["type"] in KNOWN:
            try:
                self.codec.decode_server(frame.data)
            except msgspec.DecodeError as problem:
                raise ViolationError(
                    f"`{message['type']}` as the reference has it: {problem}", message, self.sent
                ) from None
        self._one_answer(message)
        self._in_order(message)
        return message

    def _one_answer(self, message: Message) -> None:
        if message["type"] == "error":
            if message["code"] not in TEXTS:
                raise ViolationError("an error code of the table", message, self.sent)
            if not message["text"] or not isinstance(message.get("details"), dict):
                raise ViolationError(
                    "an error with a text for people and a map of details", message, self.sent
                )
        answers = message.get("reply_to")
        if answers is None:
            return
        if not isinstance(answers, int):
            raise ViolationError("a `reply_to` that is a whole number", message, self.sent)
        if answers in self._answered and message["type"] != "welcome":
            raise ViolationError("exactly one answer to each request", message, self.sent)
        if answers not in self._asked:
            raise ViolationError("`reply_to` is the id of a request of this socket", message, self.sent)
        self._answered.add(answers)

    def _in_order(self, message: Message) -> None:
        topic = message.get("topic")
        if message["type"] == "gone":
            self.held.pop(str(topic), None)
            return
        if not isinstance(topic, str) or "reply_to" in message:
            return
        version: int = message["version"]
        epoch: str | None = message.get("epoch")
        held = self.held.get(topic)
        if message["type"].endswith(".snapshot"):
            self.held[topic] = (str(epoch), version)
        elif epoch is not None:
            if held is not None and held[0] == epoch and version < held[1]:
                raise ViolationError(f"a version of {topic} that is not below {held[1]}", message, self.sent)
            self.held[topic] = (epoch, version)
        elif held is not None:
            if version <= held[1]:
                raise ViolationError(
                    f"a version of {topic} above {held[1]}, for each change has its own", message, self.sent
                )
            self.held[topic] = (held[0], version)

    async def expect(
        self,
        kind: str,
        fits: Callable[[Message], bool] = lambda _: True,
        what: str = "",
        within_s: float | None = None,
    ) -> Message:
        """Return the first message of the type `kind` for which `fits` returns True.

        `what`: names the message in the text of a fault; `within_s`: the time limit in s, None for WITHIN_S.
        """
        expected = f"`{kind}`" + (f" {what}" if what else "")
        loop = asyncio.get_running_loop()
        until = loop.time() + (WITHIN_S if within_s is None else within_s)
        while True:
            message = (
                self.news.popleft()
                if self.news
                else await self.receive(expected, max(0.01, until - loop.time()))
            )
            if message["type"] == kind and fits(message):
                return message

    async def quiet(self, expected: str, allowed: Callable[[Message], bool] = lambda _: False) -> None:
        """Check that no message arrives for QUIET_S seconds, except those for which `allowed` returns True.

        Raises ViolationError if another message arrives.
        `expected`: the text in the error about what the server should have done.
        """
        try:
            async with asyncio.timeout(QUIET_S):
                while True:
                    message = self.news.popleft() if self.news else self._read(await self.ws.receive())
                    if not allowed(message):
                        raise ViolationError(expected, message, self.sent)
        except TimeoutError:
            return

    async def closes(self, *codes: int, within_s: float | None = None) -> list[Message]:
        """Wait until the server closes the socket with one of these codes; return the messages received before.

        Raises ViolationError if the server does not close the socket within `within_s` seconds (None: WITHIN_S), or
        closes it with another code.
        """
        wanted, messages = " or ".join(map(str, codes)), []
        expected = f"the socket closed with {wanted}"
        loop = asyncio.get_running_loop()
        until = loop.time() + (WITHIN_S if within_s is None else within_s)
        while True:
            frame = await self._frame(expected, max(0.01, until - loop.time()))
            if frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                messages.append(self._read(frame))
                continue
            code = self.ws.close_code or ABNORMAL
            if code not in codes:
                raise ViolationError(expected, f"closed with {code}", self.sent)
            return messages

    def want(self, holds: bool, expected: str, got: object) -> None:
        """Raise ViolationError if `holds` is False. `expected`: the rule in words; `got`: what the server sent."""
        if not holds:
            raise ViolationError(expected, shown(got), self.sent)

    async def vanish(self) -> None:
        """Close the TCP connection without a close frame, like a device that loses its network."""
        connection = self.ws._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    async def close(self) -> None:
        """Close the socket with a close frame. A later socket can still resume this connection."""
        await self.ws.close()
