"""Defines the messages between the machines of one run, and the channel that carries them.

A message is MessagePack of one of the types below; all other bytes are refused. The channel is a WebSocket over TLS.
The helper compares the coordinator's certificate with the fingerprint that the coordinator prints, and only then
sends the run's key, as a bearer token. No message contains a credential or an absolute time.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import web

from web.peers.errors import ChannelLostError, PlanError, UnknownMessageError
from web.peers.run.plan import SharedPlan

PORT = 7700
LARGEST = 16 * 2**20
"""The greatest length in bytes of a message between two machines. Observations are sent in pieces of at most PIECE
bytes.
"""
PIECE = 2**19
HEARTBEAT_S = 15.0
ANSWER_S = 20.0
"""The longest time in s to wait for an answer of the other machine, and the longest time to send one message."""
CLOSE_S = 5.0
OTHER_VERSION = 4400
T = TypeVar("T")
Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse

Number = Annotated[int, msgspec.Meta(ge=0, lt=65536)]
Seconds = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
Name = Annotated[str, msgspec.Meta(max_length=80)]
Sentence = Annotated[str, msgspec.Meta(max_length=1000)]
Lines = Annotated[bytes, msgspec.Meta(max_length=LARGEST)]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The base of all messages: a map whose `type` is the name of its class."""


class Join(Message, frozen=True):
    """A helper's first message: the name of its machine, its version of Greenroom, and its number of processes."""

    machine: Name
    greenroom: Name
    processes: Annotated[int, msgspec.Meta(ge=1, le=256)]


class Present(Message, frozen=True):
    """Sent by a helper after it has understood the plan and reached the plan's server."""


class Ready(Message, frozen=True):
    """Reports that a process of a helper is ready: all staff that it plays are On-Call.

    `process`: the number of the process in the helper, from 0.
    """

    process: Number


class News(Message, frozen=True):
    """Contains the observations of a process since its previous message, as lines of JSON."""

    process: Number
    lines: Lines


class Done(Message, frozen=True):
    """Contains the last observations of a process that has finished."""

    process: Number
    lines: Lines


class Broken(Message, frozen=True):
    """Reports that a process has failed. `why`: the reason in words."""

    process: Number
    why: Sentence


class Leaving(Message, frozen=True):
    """Reports that a helper ends early.

    If the run has not begun, the helper takes no part in it. Otherwise it still sends its last observations.
    """

    why: Sentence


class Welcome(Message, frozen=True):
    """Answers `Join` with the plan and the numbers of the shares (parts of the plan) that the helper plays.

    `digests`: a hash of the people of each share; `of`: the number of all shares; `greenroom`: the coordinator's
    version. The run begins, or is given up, within `within_s` seconds.
    """

    plan: SharedPlan
    shares: tuple[Number, ...]
    digests: tuple[Name, ...]
    of: Annotated[int, msgspec.Meta(ge=1, lt=65536)]
    greenroom: Name
    within_s: Seconds


class Open(Message, frozen=True):
    """Orders a helper to sign its staff in, because all helpers have joined."""


class Go(Message, frozen=True):
    """Orders a process to begin in `in_s` seconds.

    The process must count the times of its observations from the start of the run, which was `ago_s` seconds ago.
    """

    process: Number
    in_s: Seconds
    ago_s: Seconds


class Stop(Message, frozen=True):
    """Orders a process to stop: no further patient arrives, and all people leave."""

    process: Number


class Over(Message, frozen=True):
    """The coordinator's last message to a helper.

    `why`: why the coordinator ends the run or plays it without this helper; "" if all its observations have arrived.
    """

    why: Sentence


FromHelper = Join | Present | Ready | News | Done | Broken | Leaving
FromCoordinator = Welcome | Open | Go | Stop | Over
HELPERS: msgspec.msgpack.Decoder[FromHelper] = msgspec.msgpack.Decoder(FromHelper)
COORDINATORS: msgspec.msgpack.Decoder[FromCoordinator] = msgspec.msgpack.Decoder(FromCoordinator)


class Channel(Generic[T]):
    """One end of a channel between two machines. `decoder` decodes the messages that may arrive."""

    def __init__(self, socket: Socket, decoder: msgspec.msgpack.Decoder[T]) -> None:
        self._socket, self._decoder = socket, decoder

    async def send(self, message: Message) -> None:
        """Send one message. Raises ChannelLostError if the channel is closed or sending takes more than ANSWER_S s."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._socket.send_bytes(msgspec.msgpack.encode(message))
        except (TimeoutError, OSError, aiohttp.ClientError, RuntimeError) as problem:
            raise ChannelLostError(f"it takes nothing more ({type(problem).__name__})") from None

    async def receive(self, within_s: float | None = ANSWER_S) -> T:
        """Return the next message. `within_s`: the time limit in s; None to wait as long as the channel is open.

        Raises ChannelLostError if the channel is closed or no message arrives in time, and UnknownMessageError if the
        message is not defined here.
        """
        try:
            async with asyncio.timeout(within_s):
                frame = await self._socket.receive()
        except TimeoutError:
            raise ChannelLostError(f"it said nothing for {within_s:.0f} s") from None
        if frame.type is aiohttp.WSMsgType.TEXT:
            raise UnknownMessageError("a text")
        if frame.type is not aiohttp.WSMsgType.BINARY:
            raise ChannelLostError("it has hung up", self._socket.close_code)
        try:
            return self._decoder.decode(frame.data)
        except msgspec.MsgspecError as problem:
            raise UnknownMessageError(str(problem)) from None

    async def close(self, code: int = aiohttp.WSCloseCode.OK) -> None:
        """Close the channel; wait at most CLOSE_S seconds until the other machine has closed it too."""
        await self._socket.close(code=code)


class Address(NamedTuple):
    """The host and port at which helpers reach a coordinator."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """Return the address that `host:7700` or `[::1]:7700` means; for a host alone, the port is PORT.

    Raises PlanError if the text is no such address.
    """
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # fails if the network cannot look this name up
    except ValueError:
        host = port = None
    if not host or parts.path or parts.username is not None or parts.query:
        raise PlanError(f"expected an address like 192.0.2.7:{PORT}; found {text!r}")
    return Address(host, PORT if port is None else port)


def pieces(lines: bytes) -> list[bytes]:
    """Return `lines`, lines of JSON, divided into pieces of whole lines. If `lines` is empty, return one empty piece.

    A piece has at most PIECE bytes, unless it is one longer line.
    """
    found = []
    while len(lines) > PIECE:
        cut = lines.rfind(b"\n", 0, PIECE) + 1 or lines.find(b"\n") + 1 or len(lines)
        found.append(lines[:cut])
        lines = lines[cut:]
    return [*found, lines]
