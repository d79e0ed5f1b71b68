"""What workers say to each other, on a channel of each one's own: media requests on their way to the room's
worker, and back.

Pure: one frozen type per message, MessagePack.
"""

from __future__ import annotations

import msgspec

from signalling.protocol.messages import MediaKind


class Seat(msgspec.Struct, frozen=True, array_like=True):
    """Where a party sits: its side of the visit, its connection, the worker that holds it, and how it speaks."""

    organisation: str
    visit: str
    party: str
    connection: str
    worker: str
    codec: str


class WorkerMessage(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """One worker to another, as a list: all workers are of one version."""


class ToRoom(WorkerMessage, frozen=True):
    """A message to the worker that owns a room; `fence` is the number of the lease that the sender knows."""

    seat: Seat
    fence: int


class Join(ToRoom, frozen=True):
    """A party wants the room's media; the answer goes to request `id`, None where the room moved by itself."""

    id: int | None


class Answer(ToRoom, frozen=True):
    """A party's SDP answer."""

    id: int
    offer: int
    sdp: str


class Restart(ToRoom, frozen=True):
    """A party lost its path."""

    id: int


class Mute(ToRoom, frozen=True):
    """A party switched a kind off or on."""

    id: int
    kind: MediaKind
    muted: bool


class Leave(ToRoom, frozen=True):
    """A party's connection is gone."""


class Settle(ToRoom, frozen=True):
    """A party's connection is held by another worker now: what was said to it is said there."""


class Deliver(WorkerMessage, frozen=True):
    """A message for a connection of that worker, as it is written to it, from the owner of a room by this lease.

    `reply_to`: the request that it answers; None if it answers none. `unseats`: the seat is somebody else's now.
    """

    connection: str
    fence: int
    codec: str
    data: bytes
    reply_to: int | None
    unseats: bool


class Lost(WorkerMessage, frozen=True):
    """A visit's room has an owner with this fence: one with a lower fence gives it up, and its parties join anew."""

    visit: str
    fence: int


class Supersede(WorkerMessage, frozen=True):
    """The connection was resumed elsewhere."""

    connection: str


Request = Answer | Restart | Mute
"""What a party asks of its room, which answers."""

RoomMessage = Request | Join | Leave | Settle
AnyMessage = RoomMessage | Deliver | Lost | Supersede
encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(AnyMessage)


def decode(data: bytes) -> AnyMessage:
    """Return a worker's message; raise `msgspec.DecodeError` for anything else."""
    message: AnyMessage = _decoder.decode(data)
    return message


def channel(worker: str) -> str:
    """Return the channel on which a worker listens."""
    return f"worker:{worker}"
