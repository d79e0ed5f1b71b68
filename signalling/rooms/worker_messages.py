"""The messages between workers: requests to the worker that owns a room (the owner), and the owner's replies.

Each worker receives these messages on its own pub/sub channel. There is one frozen type per message, encoded as
MessagePack. Does no I/O.
"""

from __future__ import annotations

import msgspec

from signalling.protocol.client_messages import ScreenAct
from signalling.visit.call_quality import MediaKind
from signalling.visit.record import Visit


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A party of a room: its person, its connection, and the connection's worker and codec.

    `party`: its key in `Visit.parties` ("patient", "provider" or "guest-…"). `able`: False if the client
    cannot hold a call; it joins so that the other parties can see this.
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
        """Return True if the member's person still is this party of the visit.

        Another provider may have claimed the visit since the member joined.
        """
        party = visit.parties.get(self.party)
        return party is not None and party.id == self.person


class WorkerMessage(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages between workers. They are encoded as lists, without the names of their fields.

    During an upgrade, workers of two releases exchange them: so a new field comes last and has a default.
    """


class ToRoom(WorkerMessage, frozen=True):
    """A message to the worker that owns a room.

    `fence`: the number of the newest lease of the room that the sender knows.
    """

    member: Member
    fence: int


class Join(ToRoom, frozen=True):
    """A party joins the call in a room.

    `id`: the request to answer; None if the party joins without a request because the room has moved to another worker.
    """

    id: int | None


class Answer(ToRoom, frozen=True):
    """The SDP answer of a party's browser. `offer`: the number of the offer that it answers."""

    id: int
    offer: int
    sdp: str


class Restart(ToRoom, frozen=True):
    """A party asks for new ICE credentials (a new search for a network path), because its path has failed."""

    id: int


class Mute(ToRoom, frozen=True):
    """A party reports about one kind of media: it was turned off or on (`muted`), or there is no device for it.

    `missing`: None if the report is about `muted`. Otherwise True if the party has no such device, False if the party
    has one again.
    """

    id: int
    kind: MediaKind
    muted: bool
    missing: bool | None


class Share(ToRoom, frozen=True):
    """A party shares its screen, stops sharing it, asks the patient to share, or declines the provider's request."""

    id: int
    act: ScreenAct


class Left(ToRoom, frozen=True):
    """A party's connection has ended, so the party leaves the room."""


class Moved(ToRoom, frozen=True):
    """A party's connection was resumed, maybe on another worker. The room now sends its messages to `member.worker`."""


class Deliver(WorkerMessage, frozen=True):
    """A message of a room's owner for a connection of the receiving worker, as bytes in the encoding `codec`.

    `fence`: the number of the owner's lease. `reply_to`: the request that the message answers, or None. `replaced`:
    True if another connection has taken the place of the receiving connection in the room.
    """

    connection: str
    fence: int
    codec: str
    data: bytes
    reply_to: int | None
    replaced: bool


class Lost(WorkerMessage, frozen=True):
    """Another worker owns the visit's room, with this `fence` (the number of its lease).

    A worker with a lower number closes its room, and the parties join again.
    """

    visit: str
    fence: int


class Supersede(WorkerMessage, frozen=True):
    """The connection was resumed on another worker, so the receiving worker closes the connection's old socket."""

    connection: str


Request = Answer | Restart | Mute | Share
"""The requests that a party sends to its room's owner, which replies to each."""

RoomMessage = Request | Join | Left | Moved
AnyMessage = RoomMessage | Deliver | Lost | Supersede
encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(AnyMessage)


def decode(data: bytes) -> AnyMessage:
    """Return the message in another worker's data. Raises `msgspec.DecodeError` if the data is no such message."""
    message: AnyMessage = _decoder.decode(data)
    return message
