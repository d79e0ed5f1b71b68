"""The messages that the server sends, with one frozen type per message of PROTOCOL.md, and the union of them all.

The docstring of a class is the message's meaning and names its section of PROTOCOL.md. `Meta(description=…)` is a
field's meaning (see `client_messages.py`). The maps inside messages are defined in `shapes.py`. Does no I/O.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from signalling.protocol.call_shapes import CallPart
from signalling.protocol.shapes import (
    BellPart,
    CasePart,
    ChatMessagePart,
    ClosingPart,
    HistoryPart,
    IceServer,
    Me,
    PastRow,
    PathState,
    PersonPart,
    QueueLimits,
    Row,
    SessionRow,
    StaffPart,
    VisitId,
    VisitPart,
)
from signalling.visit.call_quality import MediaKind

Rows = Meta(description="the rows, in order")
NewRow = Meta(description="the whole row")
Unread = Annotated[int, Meta(description="the number of unread notifications")]
ServerMs = Annotated[int, Meta(description="the time of the store's clock")]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all messages of the server."""


class Reply(Message, frozen=True, kw_only=True):
    """Base of the replies to accepted requests."""

    reply_to: Annotated[int, Meta(description="the `id` of the request")]


class Welcome(Reply, frozen=True, kw_only=True, tag="welcome"):
    """The connection has begun or is resumed; the reply to `hello`: PROTOCOL.md#hello-and-welcome."""

    connection: Annotated[str, Meta(description="the connection's public id")]
    resume: Annotated[
        str,
        Meta(
            description="the connection's private token: only for the next `hello`, never for a URL or a log"
        ),
    ]
    resumed: Annotated[bool, Meta(description="true if an earlier connection is resumed")]
    worker: Annotated[str, Meta(description="the worker that holds the connection; for trouble reports only")]
    me: Annotated[Me, Meta(description="the sender of `hello`, as the server knows them")]
    visit: Annotated[
        str | None,
        Meta(
            description="of a patient or guest: their visit; of staff: the open visit that they claimed last"
        ),
    ]
    server_ms: ServerMs


class Done(Reply, frozen=True, kw_only=True, tag="done"):
    """The request was carried out: PROTOCOL.md#commands."""

    version: Annotated[
        int, Meta(description="the version of the topics that shows the change; 0 if no topic changed")
    ]


class Subscribed(Reply, frozen=True, kw_only=True, tag="subscribed"):
    """The subscription has begun; from now on the server sends all changes: PROTOCOL.md#topics."""

    topic: Annotated[str, Meta(description="the name of the topic")]
    epoch: Annotated[
        str, Meta(description="the epoch of `version`; versions of two epochs cannot be compared")
    ]
    version: Annotated[
        int, Meta(description="the version that the client has after the messages sent with this reply")
    ]


class Gone(Message, frozen=True, kw_only=True, tag="gone"):
    """The topic has ended: its visit no longer exists, or is no longer shown to the receiver: PROTOCOL.md#topics."""

    topic: Annotated[str, Meta(description="the name of the topic")]


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """A request was refused and has changed nothing: PROTOCOL.md#errors."""

    reply_to: Annotated[int | None, Meta(description="the `id` of the request; null if it could not be read")]
    code: Annotated[str, Meta(description="a code of the table in Errors")]
    text: Annotated[str, Meta(description="a sentence for people, in English")]
    details: Annotated[dict[str, Any], Meta(description="the details that the table names for the code")] = {}


class Pong(Reply, frozen=True, kw_only=True, tag="pong"):
    """Reply to `ping`, which shows that the server still answers: PROTOCOL.md#ping."""

    server_ms: ServerMs


class Probe(Reply, frozen=True, kw_only=True, tag="probe"):
    """An SDP offer with which the client tests its network, without media: PROTOCOL.md#probes."""

    sdp: Annotated[str, Meta(description="an SDP offer; the client's answer is not sent")]
    ice_servers: Annotated[
        list[IceServer], Meta(description="TURN servers for the RTCPeerConnection; often none")
    ]


class TopicMessage(Message, frozen=True, kw_only=True):
    """Base of the updates of a topic. The part of a message's name before the dot is the kind of its topic."""

    topic: Annotated[str, Meta(description="the name of the topic")]
    version: Annotated[
        int, Meta(description="grows with every change; ignore a change whose version is not above yours")
    ]


class WholeMessage(TopicMessage, frozen=True, kw_only=True):
    """Base of the updates that contain the whole state of a topic."""

    epoch: Annotated[
        str, Meta(description="the epoch of `version`; versions of two epochs cannot be compared")
    ]


class QueueSnapshot(WholeMessage, frozen=True, kw_only=True, tag="queue.snapshot"):
    """The whole list of On-Demand Requests, which are the visits that wait for a provider: PROTOCOL.md#queue."""

    rows: Annotated[tuple[Row, ...], Rows]
    staff: Annotated[tuple[StaffPart, ...], Meta(description="all staff who can be on call")]
    limits: Annotated[QueueLimits, Meta(description="the rules of the queue")]


class QueueRow(TopicMessage, frozen=True, kw_only=True, tag="queue.row"):
    """A row of On-Demand Requests is new or has changed: PROTOCOL.md#queue."""

    fresh: Annotated[
        bool, Meta(description="true if the patient has just arrived or is back in the queue: play a sound")
    ]
    row: Annotated[Row, NewRow]


class QueueGone(TopicMessage, frozen=True, kw_only=True, tag="queue.gone"):
    """A row of On-Demand Requests was removed: PROTOCOL.md#queue."""

    visit: VisitId
    why: Annotated[
        str,
        Meta(
            description="why the row was removed",
            extra_json_schema={"enum": ["claimed", "declined", "withdrawn", "expired", "closed", "moved"]},
        ),
    ]
    by: Annotated[
        PersonPart | None, Meta(description="the member of staff who claimed the visit, if one did")
    ]


class QueueStaff(TopicMessage, frozen=True, kw_only=True, tag="queue.staff"):
    """The state of a member of staff, such as On-Call, has changed: PROTOCOL.md#queue."""

    staff: Annotated[StaffPart, Meta(description="their new state")]


class QueueChanged(TopicMessage, frozen=True, kw_only=True, tag="queue.changed"):
    """The organisation has changed its rules for the queue, such as the order of its rows: PROTOCOL.md#queue."""

    limits: Annotated[QueueLimits, Meta(description="the new rules")]


class SessionsSnapshot(WholeMessage, frozen=True, kw_only=True, tag="sessions.snapshot"):
    """The whole Sessions List: all visits that are claimed or live: PROTOCOL.md#sessions."""

    rows: Annotated[tuple[SessionRow, ...], Rows]


class SessionsRow(TopicMessage, frozen=True, kw_only=True, tag="sessions.row"):
    """A row of the Sessions List is new or has changed: PROTOCOL.md#sessions."""

    row: Annotated[SessionRow, NewRow]


class SessionsGone(TopicMessage, frozen=True, kw_only=True, tag="sessions.gone"):
    """A row of the Sessions List was removed: PROTOCOL.md#sessions."""

    visit: VisitId


class BellSnapshot(WholeMessage, frozen=True, kw_only=True, tag="bell.snapshot"):
    """All notifications of the receiver: PROTOCOL.md#bell."""

    unread: Unread
    items: Annotated[tuple[BellPart, ...], Meta(description="the notifications, newest first")]


class BellItem(TopicMessage, frozen=True, kw_only=True, tag="bell.item"):
    """A new notification for the receiver: PROTOCOL.md#bell."""

    unread: Unread
    item: Annotated[BellPart, Meta(description="the notification")]


class BellMarked(TopicMessage, frozen=True, kw_only=True, tag="bell.marked"):
    """The receiver has marked notifications as read: PROTOCOL.md#bell."""

    until_ms: Annotated[int, Meta(description="the time of the newest notification that was read")]
    unread: Unread


class ChatSnapshot(WholeMessage, frozen=True, kw_only=True, tag="chat.snapshot"):
    """The newest 500 chat messages of a visit: PROTOCOL.md#chat."""

    lines: Annotated[tuple[ChatMessagePart, ...], Meta(description="the chat messages, oldest first")]


class ChatLine(TopicMessage, frozen=True, kw_only=True, tag="chat.line"):
    """One new chat message of a visit: PROTOCOL.md#chat."""

    line: Annotated[ChatMessagePart, Meta(description="the chat message")]


class Invited(Reply, frozen=True, kw_only=True, tag="invited"):
    """A guest is invited; `path` is the guest's one-time link: PROTOCOL.md#staffs."""

    guest: Annotated[str, Meta(description="the guest's key among the visit's parties")]
    path: Annotated[str, Meta(description="the link, as a path on this server")]
    expires_ms: Annotated[int, Meta(description="the time at which the link expires")]


class History(Reply, frozen=True, kw_only=True, tag="history"):
    """The list of events of a visit: PROTOCOL.md#history."""

    visit: VisitId
    events: Annotated[tuple[HistoryPart, ...], Meta(description="the events, oldest first")]
    calls: Annotated[
        tuple[CallPart, ...], Meta(description="the quality of the call, for each party of a live visit")
    ] = ()


class Past(Reply, frozen=True, kw_only=True, tag="past"):
    """One page of ended visits, the newest first: PROTOCOL.md#history."""

    more: Annotated[bool, Meta(description="true if there are older visits, or may be")]
    rows: Annotated[tuple[PastRow, ...], Rows]
    unread: Annotated[
        int, Meta(description="the number of older visits that are not searched yet; ask again in a moment")
    ] = 0


class VisitState(WholeMessage, frozen=True, kw_only=True, tag="visit.state"):
    """The whole state of a visit, as its parties may see it: PROTOCOL.md#visit."""

    visit: Annotated[VisitPart, Meta(description="the whole visit")]


class CaseState(WholeMessage, frozen=True, kw_only=True, tag="case.state"):
    """The Case Information of a visit: the patient's form and answers, for staff: PROTOCOL.md#case."""

    case: Annotated[CasePart, Meta(description="the whole case")]


class PlaceState(WholeMessage, frozen=True, kw_only=True, tag="place.state"):
    """The place of a waiting patient in the queue, and the expected wait: PROTOCOL.md#place."""

    place: Annotated[
        int | None, Meta(description="from 1; null if it is not shown, or the visit is not in the queue")
    ]
    waiting: Annotated[int | None, Meta(description="the number of waiting patients; null if not shown")]
    wait_low_ms: Annotated[int | None, Meta(description="the shortest expected wait; null if unknown")]
    wait_high_ms: Annotated[int | None, Meta(description="the longest expected wait; null if unknown")]
    on_call: Annotated[int, Meta(description="the number of staff who are on call")]
    closing: Annotated[
        ClosingPart | None, Meta(description="the closing time, if it is near or has passed")
    ] = None


class MediaMessage(Message, frozen=True, kw_only=True):
    """Base of the messages about the media (sound, pictures and network paths) of a visit's call."""

    visit: VisitId


class MediaOffer(MediaMessage, frozen=True, kw_only=True, tag="media.offer"):
    """An SDP offer, which the client must answer: PROTOCOL.md#media."""

    offer: Annotated[int, Meta(description="the number of the offer, for the answer")]
    fresh: Annotated[bool, Meta(description="true if the offer is for a new RTCPeerConnection")]
    sdp: Annotated[str, Meta(description="the SDP offer")]
    ice_servers: Annotated[
        list[IceServer], Meta(description="TURN servers for the RTCPeerConnection; often none")
    ]


class MediaMuted(MediaMessage, frozen=True, kw_only=True, tag="media.muted"):
    """Another party turned a camera or microphone off or on, or has none: PROTOCOL.md#media."""

    party: Annotated[str, Meta(description="the key of that party")]
    kind: Annotated[MediaKind, Meta(description="`audio` for a microphone, `video` for a camera")]
    muted: Annotated[bool, Meta(description="true if it is off")]
    missing: Annotated[bool, Meta(description="true if the party has no such device")] = False


class MediaShared(MediaMessage, frozen=True, kw_only=True, tag="media.shared"):
    """A party shares its screen or has stopped sharing, or the patient is asked to share: PROTOCOL.md#screens."""

    sharing: Annotated[str | None, Meta(description="the key of the party whose video is its screen, if any")]
    asked: Annotated[bool, Meta(description="true while the patient is asked to share")]


PathReason = Literal["browser"]


class MediaPath(MediaMessage, frozen=True, kw_only=True, tag="media.path"):
    """A party's network path to the media was found, was lost, or was not found: PROTOCOL.md#media."""

    party: Annotated[str, Meta(description="the key of that party; the receiver's own only about `none`")]
    path: Annotated[PathState, Meta(description="whether media can flow between the server and that party")]
    reason: Annotated[
        PathReason | None,
        Meta(
            description="`browser` if that party's client cannot hold a call; null if the reason is not known"
        ),
    ] = None


class MediaPaused(MediaMessage, frozen=True, kw_only=True, tag="media.paused"):
    """The receiver gets no pictures, because its network is too weak, or gets them again: PROTOCOL.md#paths."""

    paused: Annotated[bool, Meta(description="true while only sound is sent to the receiver")]


class MediaSpeaker(MediaMessage, frozen=True, kw_only=True, tag="media.speaker"):
    """The current speaker in a call of more than two parties has changed: PROTOCOL.md#media."""

    party: Annotated[
        str | None,
        Meta(description="the key of the party, perhaps the receiver's own; null if nobody speaks"),
    ]


class MediaTakenOver(MediaMessage, frozen=True, tag="media.taken_over"):
    """Another tab or device of the same person has replaced the receiver in the call: PROTOCOL.md#media."""


class MediaGone(MediaMessage, frozen=True, tag="media.gone"):
    """The connection for media has ended; the client joins again to continue the call: PROTOCOL.md#media."""


ServerMessage = (
    Welcome
    | Done
    | Subscribed
    | Gone
    | Error
    | Pong
    | Probe
    | QueueSnapshot
    | QueueRow
    | QueueGone
    | QueueStaff
    | QueueChanged
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
    | MediaShared
    | MediaPath
    | MediaPaused
    | MediaSpeaker
    | MediaTakenOver
    | MediaGone
)
