"""The messages between workers: requests to a room's owner, and its replies. Each worker receives on its own channel.

There is one frozen type per message, encoded as MessagePack. Does no I/O.
"""

from __future__ import annotations

import msgspec

from signalling.protocol.client_messages import ScreenAct
from signalling.visit.call_quality import MediaKind
from signalling.visit.record import Visit


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A party of a room: its key in the visit, the person, and the connection with its worker and its codec.

    `able`: False if the client cannot hold a call; it joins so that the others can see this.
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
        """Return True if the person still is this party of the visit.

        Another provider may have claimed it meanwhile.
        """
        party = visit.parties.get(self.party)
        return party is not None and party.id == self.person


class WorkerMessage(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages between workers. They are encoded as lists, because all workers have the same version."""


class ToRoom(WorkerMessage, frozen=True):
    """A message to the worker that owns a room. `fence`: the number of the newest lease that the sender knows."""

    member: Member
    fence: int


class Join(ToRoom, frozen=True):
    """A party joins the room's media. `id`: the request to answer; None without a request, after the room has moved."""

    id: int | None


class Answer(ToRoom, frozen=True):
    """A party's SDP answer. `offer`: the number of the offer that it answers."""

    id: int
    offer: int
    sdp: str


class Restart(ToRoom, frozen=True):
    """A party asks for new ICE credentials, because its network path has failed."""

    id: int


class Mute(ToRoom, frozen=True):
    """A party has turned one kind of media off or on (`muted`).

    `missing`: True if it has no such device, False if it has one again, otherwise None.
    """

    id: int
    kind: MediaKind
    muted: bool
    missing: bool | None


class Share(ToRoom, frozen=True):
    """A party shares its screen, ends that, asks the patient to share, or declines."""

    id: int
    act: ScreenAct


class Left(ToRoom, frozen=True):
    """A party's connection has ended."""


class Moved(ToRoom, frozen=True):
    """A party's connection has moved to another worker, which receives the room's messages from now on."""


class Deliver(WorkerMessage, frozen=True):
    """A message for a connection of the receiving worker, encoded in `codec` by the owner of a room.

    `fence`: that of the owner's lease. `reply_to`: the request that the message answers, or None. `replaced`: True if
    another connection has replaced this one.
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
    """Return the message in another worker's data. Raises `msgspec.DecodeError` if the data is no such message."""
    message: AnyMessage = _decoder.decode(data)
    return message
