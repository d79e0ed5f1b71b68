"""The messages that the server sends: one frozen type per message of PROTOCOL.md, and the union of them all.

Pure. Replies carry `reply_to`, updates of a topic its version, updates of a visit's media the visit. The maps inside
messages are defined in `shapes.py`, the client's messages in `client_messages.py`.
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
from signalling.protocol.tags import tag
from signalling.visit.call_quality import MediaKind


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=tag):
    """Base of all messages of the server."""


class Welcome(Message, frozen=True, kw_only=True):
    """Reply to `hello`: PROTOCOL.md#hello-and-welcome."""

    reply_to: int
    connection: str
    resume: str
    resumed: bool
    worker: str
    me: Me
    visit: str | None
    server_ms: int


class Done(Message, frozen=True, kw_only=True):
    """A request was carried out. `version`: the topic's version that shows the change, 0 if nothing changed."""

    reply_to: int
    version: int


class Subscribed(Message, frozen=True, kw_only=True):
    """Reply to `subscribe`. The server sends updates of the topic from here on."""

    reply_to: int
    topic: str
    epoch: str
    version: int


class Gone(Message, frozen=True, kw_only=True):
    """A topic's visit no longer exists, or this person may no longer see it. The topic ends: PROTOCOL.md#topics."""

    topic: str


class Error(Message, frozen=True, kw_only=True):
    """A request was refused and changed nothing. `code` is stable, `text` is for people."""

    reply_to: int | None
    code: str
    text: str
    details: dict[str, Any] = {}


class Pong(Message, frozen=True, kw_only=True):
    """Reply to `ping`."""

    reply_to: int
    server_ms: int


class TopicMessage(Message, frozen=True, kw_only=True):
    """Base of the updates of a topic."""

    topic: str
    version: int


class QueueSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All rows of On-Demand Requests."""

    epoch: str
    rows: tuple[Row, ...]
    staff: tuple[StaffPart, ...]
    limits: QueueLimits


class QueueRow(TopicMessage, frozen=True, kw_only=True):
    """A row of On-Demand Requests is new or changed."""

    fresh: bool
    row: Row


class QueueGone(TopicMessage, frozen=True, kw_only=True):
    """A row left On-Demand Requests."""

    visit: str
    why: str
    by: PersonPart | None


class QueueStaff(TopicMessage, frozen=True, kw_only=True):
    """The state of a provider or admin changed."""

    staff: StaffPart


class SessionsSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All visits that are claimed or live."""

    epoch: str
    rows: tuple[SessionRow, ...]


class SessionsRow(TopicMessage, frozen=True, kw_only=True):
    """A row of the Sessions List is new or changed."""

    row: SessionRow


class SessionsGone(TopicMessage, frozen=True, kw_only=True):
    """A row left the Sessions List."""

    visit: str


class BellSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All notifications of a person: PROTOCOL.md#bell."""

    epoch: str
    unread: int
    items: tuple[BellPart, ...]


class BellItem(TopicMessage, frozen=True, kw_only=True):
    """A new notification."""

    unread: int
    item: BellPart


class BellMarked(TopicMessage, frozen=True, kw_only=True):
    """The person's notifications up to `until_ms` are read."""

    until_ms: int
    unread: int


class ChatSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All chat lines of a visit: PROTOCOL.md#chat."""

    epoch: str
    lines: tuple[LinePart, ...]


class ChatLine(TopicMessage, frozen=True, kw_only=True):
    """A new chat line."""

    line: LinePart


class Invited(Message, frozen=True, kw_only=True):
    """Reply to `visit.invite`: the one-time link of a guest, as a path on this server."""

    reply_to: int
    guest: str
    path: str
    expires_ms: int


class History(Message, frozen=True, kw_only=True):
    """A visit's events, oldest first, and the quality of each party's call."""

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
    """The state of a visit, for its parties: PROTOCOL.md#visit."""

    epoch: str
    visit: VisitPart


class CaseState(TopicMessage, frozen=True, kw_only=True):
    """Case Information of a visit: PROTOCOL.md#case."""

    epoch: str
    case: CasePart


class PlaceState(TopicMessage, frozen=True, kw_only=True):
    """A patient's place in the queue: PROTOCOL.md#place."""

    epoch: str
    place: int | None
    waiting: int | None
    wait_low_ms: int | None
    wait_high_ms: int | None
    on_call: int


class MediaMessage(Message, frozen=True, kw_only=True):
    """Base of the updates of a visit's media."""

    visit: str


class MediaOffer(MediaMessage, frozen=True, kw_only=True):
    """An SDP offer for the receiver's media connection: PROTOCOL.md#media."""

    offer: int
    fresh: bool
    sdp: str


class MediaMuted(MediaMessage, frozen=True, kw_only=True):
    """Another party turned a camera or microphone off or on."""

    party: str
    kind: MediaKind
    muted: bool


class MediaTakenOver(MediaMessage, frozen=True, kw_only=True):
    """Another tab or device of the same person has joined the media instead."""


class MediaGone(MediaMessage, frozen=True, kw_only=True):
    """The media connection ended; the client must join again to continue."""


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
