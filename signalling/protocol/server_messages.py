"""What a worker says: one frozen type per message of PROTOCOL.md, and the union of them all.

Pure. Answers carry `reply_to`, news of a topic its version, news of a visit's media the visit. The maps inside them
stand in `shapes.py`, what a client says in `client_messages.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.protocol.shapes import (
    BellPart,
    CallPart,
    CasePart,
    HistoryPart,
    LinePart,
    Me,
    PastRow,
    PersonPart,
    QueueLimits,
    Row,
    SessionRow,
    StaffPart,
    VisitPart,
)
from signalling.protocol.tags import MediaKind, tag


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=tag):
    """What a worker says."""


class Welcome(Message, frozen=True, kw_only=True):
    """PROTOCOL.md#hello-and-welcome."""

    reply_to: int
    connection: str
    resume: str
    resumed: bool
    worker: str
    me: Me
    visit: str | None
    server_ms: int


class Done(Message, frozen=True, kw_only=True):
    """A request was carried out; `version` is the topic version at which it is seen, 0 where nothing changed."""

    reply_to: int
    version: int


class Subscribed(Message, frozen=True, kw_only=True):
    """From here on the topic is kept fresh."""

    reply_to: int
    topic: str
    epoch: str
    version: int


class Gone(Message, frozen=True, kw_only=True):
    """A topic's visit is not there any more, or not for this person. Nothing more comes of it: PROTOCOL.md#topics."""

    topic: str


class Error(Message, frozen=True, kw_only=True):
    """A request was not carried out, and changed nothing. `code` is stable, `text` is for people."""

    reply_to: int | None
    code: str
    text: str
    details: dict[str, Any] = {}


class Pong(Message, frozen=True, kw_only=True):
    """The answer to ping."""

    reply_to: int
    server_ms: int


class TopicMessage(Message, frozen=True, kw_only=True):
    """News of a topic."""

    topic: str
    version: int


class QueueSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All of On-Demand Requests."""

    epoch: str
    rows: tuple[Row, ...]
    staff: tuple[StaffPart, ...]
    limits: QueueLimits


class QueueRow(TopicMessage, frozen=True, kw_only=True):
    """A row appeared or changed."""

    fresh: bool
    row: Row


class QueueGone(TopicMessage, frozen=True, kw_only=True):
    """A row left."""

    visit: str
    why: str
    by: PersonPart | None


class QueueStaff(TopicMessage, frozen=True, kw_only=True):
    """A member of staff changed."""

    staff: StaffPart


class SessionsSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All that is claimed or live."""

    epoch: str
    rows: tuple[SessionRow, ...]


class SessionsRow(TopicMessage, frozen=True, kw_only=True):
    """A row appeared or changed."""

    row: SessionRow


class SessionsGone(TopicMessage, frozen=True, kw_only=True):
    """A row left."""

    visit: str


class BellSnapshot(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#bell."""

    epoch: str
    unread: int
    items: tuple[BellPart, ...]


class BellItem(TopicMessage, frozen=True, kw_only=True):
    """A new notification."""

    unread: int
    item: BellPart


class BellMarked(TopicMessage, frozen=True, kw_only=True):
    """Read, up to there."""

    until_ms: int
    unread: int


class ChatSnapshot(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#chat."""

    epoch: str
    lines: tuple[LinePart, ...]


class ChatLine(TopicMessage, frozen=True, kw_only=True):
    """Somebody wrote."""

    line: LinePart


class Invited(Message, frozen=True, kw_only=True):
    """The one-time link of a guest: a path on this server."""

    reply_to: int
    guest: str
    path: str
    expires_ms: int


class History(Message, frozen=True, kw_only=True):
    """A visit's story, oldest first, and how good its call was for each who took part."""

    reply_to: int
    visit: str
    events: tuple[HistoryPart, ...]
    calls: tuple[CallPart, ...] = ()


class Past(Message, frozen=True, kw_only=True):
    """Ended visits, newest first."""

    reply_to: int
    more: bool
    rows: tuple[PastRow, ...]
    unread: int = 0


class VisitState(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#visit."""

    epoch: str
    visit: VisitPart


class CaseState(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#case."""

    epoch: str
    case: CasePart


class PlaceState(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#place."""

    epoch: str
    place: int | None
    waiting: int | None
    wait_low_ms: int | None
    wait_high_ms: int | None
    on_call: int


class MediaMessage(Message, frozen=True, kw_only=True):
    """News of a visit's media."""

    visit: str


class MediaOffer(MediaMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#media."""

    offer: int
    fresh: bool
    sdp: str


class MediaMuted(MediaMessage, frozen=True, kw_only=True):
    """The other side switched a camera or microphone off or on."""

    party: str
    kind: MediaKind
    muted: bool


class MediaTakenOver(MediaMessage, frozen=True, kw_only=True):
    """Another tab or device of the same person has the media now."""


class MediaGone(MediaMessage, frozen=True, kw_only=True):
    """Join again."""


ServerMessage = (
    Welcome
    | Done
    | Subscribed
    | Gone
    | Error
    | Pong
    | QueueSnapshot
    | QueueRow
    | QueueGone
    | QueueStaff
    | SessionsSnapshot
    | SessionsRow
    | SessionsGone
    | BellSnapshot
    | BellItem
    | BellMarked
    | ChatSnapshot
    | ChatLine
    | Invited
    | History
    | Past
    | VisitState
    | CaseState
    | PlaceState
    | MediaOffer
    | MediaMuted
    | MediaTakenOver
    | MediaGone
)
