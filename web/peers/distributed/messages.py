"""What machines say to each other that play one run together, and the sealed line that they say it on.

Messages are MessagePack of the types below, and nothing else is understood. Both ends prove that they know the run's
key, which never travels: everything is sealed with it (ChaCha20-Poly1305, RFC 8439), in its order, since a helper signs
its staff in where it is told to. No message holds a credential or a moment of anybody's clock. Knows no process.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated, Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from web.peers.errors import ChannelLostError, PlanError, UnknownMessageError
from web.peers.run.plan import SharedPlan

PORT = 7700
GREETING = b"greenroom peers 1 "
NONCE = 32
LARGEST = 16 * 2**20
"""How many bytes a message may have; what was seen is told in pieces of PIECE."""
PIECE = 2**19
HEARTBEAT_S = 15.0
ANSWER_S = 20.0
"""How long one step of getting to know each other may take, or a message to leave."""
CLOSE_S = 5.0
WRONG_KEY = 4401
OTHER_VERSION = 4400
T = TypeVar("T")
Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class WrongKey(Exception):
    """What came was not sealed with our key."""


Number = Annotated[int, msgspec.Meta(ge=0, lt=65536)]
Seconds = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
Name = Annotated[str, msgspec.Meta(max_length=80)]
Sentence = Annotated[str, msgspec.Meta(max_length=1000)]
Lines = Annotated[bytes, msgspec.Meta(max_length=LARGEST)]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What each message is: a map whose `type` is the name of its class."""


class Join(Message, frozen=True):
    """A helper's first: what its machine is called, its Greenroom, and for how many processes it has room."""

    machine: Name
    greenroom: Name
    processes: Annotated[int, msgspec.Meta(ge=1, le=256)]


class Present(Message, frozen=True):
    """A helper has understood the plan, and reaches the server that it is about."""


class Ready(Message, frozen=True):
    """The staff of a helper's process is On-Call; it is the so-manieth of that helper, from 0."""

    process: Number


class News(Message, frozen=True):
    """What a process saw since it last told, as `Observations.news` has it."""

    process: Number
    lines: Lines


class Done(Message, frozen=True):
    """The same for the last time."""

    process: Number
    lines: Lines


class Broken(Message, frozen=True):
    """A process cannot go on."""

    process: Number
    why: Sentence


class Leaving(Message, frozen=True):
    """A helper ends early: before the run it will not take part, during it what it saw is told to the end."""

    why: Sentence


class Welcome(Message, frozen=True):
    """The plan, and which of so many shares are the helper's; the run begins or is given up within `within_s`."""

    plan: SharedPlan
    shares: tuple[Number, ...]
    digests: tuple[Name, ...]
    of: Annotated[int, msgspec.Meta(ge=1, lt=65536)]
    greenroom: Name
    within_s: Seconds


class Open(Message, frozen=True):
    """Everybody is there: sign the staff in."""


class Go(Message, frozen=True):
    """A process is to begin `in_s` from now, in a run that began `ago_s` ago."""

    process: Number
    in_s: Seconds
    ago_s: Seconds


class Stop(Message, frozen=True):
    """Nobody else comes to a process; who is there says goodbye."""

    process: Number


class Over(Message, frozen=True):
    """The last word to a helper: it is not needed, or no longer. Without a `why` all that it saw has been taken in."""

    why: Sentence


FromHelper = Join | Present | Ready | News | Done | Broken | Leaving
FromCoordinator = Welcome | Open | Go | Stop | Over
HELPERS: msgspec.msgpack.Decoder[FromHelper] = msgspec.msgpack.Decoder(FromHelper)
COORDINATORS: msgspec.msgpack.Decoder[FromCoordinator] = msgspec.msgpack.Decoder(FromCoordinator)


class Line(Generic[T]):
    """One end of a line. What `decoder` knows is what may come."""

    def __init__(
        self, socket: Socket, ours: bytes, theirs: bytes, decoder: msgspec.msgpack.Decoder[T]
    ) -> None:
        self._socket, self._decoder = socket, decoder
        self._seal, self._unseal = ChaCha20Poly1305(ours), ChaCha20Poly1305(theirs)
        self._sent = self._heard = 0
        self._turn = asyncio.Lock()

    async def say(self, message: Message) -> None:
        """Send one message. Raises ChannelLostError."""
        data = msgspec.msgpack.encode(message)
        try:
            async with asyncio.timeout(ANSWER_S), self._turn:
                # Each number is used once with a key, as the cipher wants it; one out of turn does not open.
                sealed = self._seal.encrypt(self._sent.to_bytes(12), data, None)
                self._sent += 1
                await self._socket.send_bytes(sealed)
        except (TimeoutError, OSError, aiohttp.ClientError, RuntimeError) as problem:
            raise ChannelLostError(f"it takes nothing more ({type(problem).__name__})") from None

    async def hear(self, within_s: float | None = ANSWER_S) -> T:
        """The next message; without a time, for as long as heartbeats come. Raises ChannelLostError, WrongKey, UnknownMessageError."""
        sealed = await _received(self._socket, within_s)
        try:
            data = self._unseal.decrypt(self._heard.to_bytes(12), sealed, None)
        except InvalidTag:
            raise WrongKey from None
        self._heard += 1
        try:
            return self._decoder.decode(data)
        except msgspec.MsgspecError as problem:
            raise UnknownMessageError(str(problem)) from None

    async def close(self) -> None:
        """Hang up."""
        await self._socket.close()


async def answered(socket: web.WebSocketResponse, key: str) -> Line[FromHelper]:
    """The coordinator's end of a line with somebody who has come. Raises ChannelLostError, UnknownMessageError."""
    ours = secrets.token_bytes(NONCE)
    await _sent(socket, GREETING + ours)
    theirs = await _received(socket, ANSWER_S)
    if len(theirs) != NONCE:
        raise UnknownMessageError("no number used once")
    down, up = _keys(key, ours + theirs)
    return Line(socket, down, up, HELPERS)


async def greeted(socket: aiohttp.ClientWebSocketResponse, key: str) -> Line[FromCoordinator]:
    """A helper's end of a line. Raises ChannelLostError, UnknownMessageError."""
    greeting = await _received(socket, ANSWER_S)
    if not greeting.startswith(GREETING) or len(greeting) != len(GREETING) + NONCE:
        raise UnknownMessageError("no greeting of ours")
    ours = secrets.token_bytes(NONCE)
    await _sent(socket, ours)
    down, up = _keys(key, greeting[len(GREETING) :] + ours)
    return Line(socket, up, down, COORDINATORS)


async def _sent(socket: Socket, data: bytes) -> None:
    try:
        async with asyncio.timeout(ANSWER_S):
            await socket.send_bytes(data)
    except (TimeoutError, OSError, aiohttp.ClientError, RuntimeError):
        raise ChannelLostError("it takes nothing") from None


async def _received(socket: Socket, within_s: float | None) -> bytes:
    try:
        async with asyncio.timeout(within_s):
            frame = await socket.receive()
    except TimeoutError:
        raise ChannelLostError(f"it said nothing for {within_s:.0f} s") from None
    if frame.type is not aiohttp.WSMsgType.BINARY:
        raise ChannelLostError("it has hung up", socket.close_code)
    data: bytes = frame.data
    return data


def _keys(key: str, salt: bytes) -> tuple[bytes, bytes]:
    """The keys of one line, down to the helper and up from it (RFC 5869)."""
    made = HKDF(SHA256(), 64, salt, b"greenroom peers").derive(key.encode())
    return made[:32], made[32:]


class Address(NamedTuple):
    """Where the coordinator listens, or is found."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """Read `host:7700`, `[::1]:7700` or a host alone. Raises PlanError."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.path or parts.username is not None or parts.query:
        raise PlanError(f"expected an address like 192.0.2.7:{PORT}; found {text!r}")
    return Address(host, PORT if port is None else port)


def pieces(lines: bytes) -> list[bytes]:
    """Lines in pieces of PIECE bytes at most, each of whole lines; at least one piece, which may be empty."""
    found = []
    while len(lines) > PIECE:
        cut = lines.rfind(b"\n", 0, PIECE) + 1 or lines.find(b"\n") + 1 or len(lines)
        found.append(lines[:cut])
        lines = lines[cut:]
    return [*found, lines]
