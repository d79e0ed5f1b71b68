"""The messages between workers, on one channel per receiver: requests to a room's owner, and its replies.

Pure: one frozen type per message, MessagePack.
"""

from __future__ import annotations

import msgspec

from signalling.protocol.client_messages import ScreenAct
from signalling.visit.call_quality import MediaKind
from signalling.visit.record import Visit


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A party's place in a room: its side of the visit, the person, their connection, its worker and its codec.

    `able`: False if the client cannot hold a call. It then joins so that the others can see this.
    """

    organisation: str
    visit: str
    party: str
    person: str
    connection: str
    worker: str
    codec: str
    able: bool = True

    def is_in(self, visit: Visit) -> bool:
        """Return True if the person still is this party of the visit; another provider may have claimed it by now."""
        party = visit.parties.get(self.party)
        return party is not None and party.id == self.person


class WorkerMessage(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages between workers. Encoded as a list, because all workers have the same version."""


class ToRoom(WorkerMessage, frozen=True):
    """A message to the worker that owns a room. `fence`: the number of the lease that the sender knows."""

    member: Member
    fence: int


class Join(ToRoom, frozen=True):
    """A party joins the room's media. `id`: the request that the reply answers; None if the room moved without a
    request.
    """

    id: int | None


class Answer(ToRoom, frozen=True):
    """A party's SDP answer."""

    id: int
    offer: int
    sdp: str


class Restart(ToRoom, frozen=True):
    """A party asks for new ICE credentials, because its network path failed."""

    id: int


class Mute(ToRoom, frozen=True):
    """A party turned one kind of media off or on. `missing`: True if it has no such device, False if it has one again;
    else None.
    """

    id: int
    kind: MediaKind
    muted: bool
    missing: bool | None


class Share(ToRoom, frozen=True):
    """A party shares its screen, ends that, asks for another's, or declines."""

    id: int
    act: ScreenAct


class Left(ToRoom, frozen=True):
    """A party's connection has ended."""


class Moved(ToRoom, frozen=True):
    """A party's connection has moved to another worker, which receives the room's messages from now on."""


class Deliver(WorkerMessage, frozen=True):
    """A message for a connection of the receiving worker, encoded by the owner of a room.

    `fence`: the owner's lease. `reply_to`: the request that it answers, or None. `replaced`: True if another connection
    has replaced this one.
    """

    connection: str
    fence: int
    codec: str
    data: bytes
    reply_to: int | None
    replaced: bool


class Lost(WorkerMessage, frozen=True):
    """A visit's room has an owner with this fence.

    An owner with a lower fence closes the room, and its parties join again.
    """

    visit: str
    fence: int


class Supersede(WorkerMessage, frozen=True):
    """The connection was resumed on another worker."""

    connection: str


Request = Answer | Restart | Mute | Share
"""The requests of a party to its room; the room replies to each."""

RoomMessage = Request | Join | Left | Moved
AnyMessage = RoomMessage | Deliver | Lost | Supersede
encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(AnyMessage)


def decode(data: bytes) -> AnyMessage:
    """Return another worker's message; raise `msgspec.DecodeError` for anything else."""
    message: AnyMessage = _decoder.decode(data)
    return message
