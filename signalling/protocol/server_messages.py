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
    """The connection has begun or is resumed: PROTOCOL.md#hello-and-welcome."""

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
    """The subscription has begun; the server sends all changes of the topic from here on: PROTOCOL.md#topics."""

    topic: Annotated[str, Meta(description="the name of the topic")]
    epoch: Annotated[
        str, Meta(description="the epoch of `version`; versions of two epochs cannot be compared")
    ]
    version: Annotated[
        int, Meta(description="the version that the client has after the messages sent with this reply")
    ]


class Gone(Message, frozen=True, kw_only=True, tag="gone"):
    """The topic's visit no longer exists, or this person may no longer see it: PROTOCOL.md#topics."""

    topic: Annotated[str, Meta(description="the name of the topic")]


class Error(Message, frozen=True, kw_only=True, tag="error"):
    """The request was refused and has changed nothing: PROTOCOL.md#errors."""

    reply_to: Annotated[int | None, Meta(description="the `id` of the request; null if it could not be read")]
    code: Annotated[str, Meta(description="a code of the table in Errors")]
    text: Annotated[str, Meta(description="a sentence for people, in English")]
    details: Annotated[dict[str, Any], Meta(description="the details that the table names for the code")] = {}


class Pong(Reply, frozen=True, kw_only=True, tag="pong"):
    """The server answers: PROTOCOL.md#ping."""

    server_ms: ServerMs


class Probe(Reply, frozen=True, kw_only=True, tag="probe"):
    """An SDP offer with which the client tests its network: PROTOCOL.md#probes."""

    sdp: Annotated[str, Meta(description="an SDP offer; the client's answer is not sent")]
    ice_servers: Annotated[
        list[IceServer], Meta(description="TURN servers for the RTCPeerConnection; often none")
    ]


class TopicMessage(Message, frozen=True, kw_only=True):
    """Base of the updates of a topic. The part of the type before the dot is the topic's kind."""

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
    """The whole list of On-Demand Requests: PROTOCOL.md#queue."""

    rows: Annotated[tuple[Row, ...], Rows]
    staff: Annotated[tuple[StaffPart, ...], Meta(description="all staff who can be on call")]
    limits: Annotated[QueueLimits, Meta(description="the rules of the queue")]


class QueueRow(TopicMessage, frozen=True, kw_only=True, tag="queue.row"):
    """A row is new or has changed: PROTOCOL.md#queue."""

    fresh: Annotated[
        bool, Meta(description="true if the patient has just arrived or is back in the queue: play a sound")
    ]
    row: Annotated[Row, NewRow]


class QueueGone(TopicMessage, frozen=True, kw_only=True, tag="queue.gone"):
    """A row was removed: PROTOCOL.md#queue."""

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
    """The state of a member of staff has changed: PROTOCOL.md#queue."""

    staff: Annotated[StaffPart, Meta(description="their new state")]


class QueueChanged(TopicMessage, frozen=True, kw_only=True, tag="queue.changed"):
    """The organisation has changed its rules for the queue: PROTOCOL.md#queue."""

    limits: Annotated[QueueLimits, Meta(description="the new rules")]


class SessionsSnapshot(WholeMessage, frozen=True, kw_only=True, tag="sessions.snapshot"):
    """All visits that are claimed or live: PROTOCOL.md#sessions."""

    rows: Annotated[tuple[SessionRow, ...], Rows]


class SessionsRow(TopicMessage, frozen=True, kw_only=True, tag="sessions.row"):
    """A row is new or has changed: PROTOCOL.md#sessions."""

    row: Annotated[SessionRow, NewRow]


class SessionsGone(TopicMessage, frozen=True, kw_only=True, tag="sessions.gone"):
    """A row was removed: PROTOCOL.md#sessions."""

    visit: VisitId


class BellSnapshot(WholeMessage, frozen=True, kw_only=True, tag="bell.snapshot"):
    """All notifications of the receiver: PROTOCOL.md#bell."""

    unread: Unread
    items: Annotated[tuple[BellPart, ...], Meta(description="the notifications, newest first")]


class BellItem(TopicMessage, frozen=True, kw_only=True, tag="bell.item"):
    """A new notification: PROTOCOL.md#bell."""

    unread: Unread
    item: Annotated[BellPart, Meta(description="the notification")]


class BellMarked(TopicMessage, frozen=True, kw_only=True, tag="bell.marked"):
    """Notifications were marked as read: PROTOCOL.md#bell."""

    until_ms: Annotated[int, Meta(description="the time of the newest notification that was read")]
    unread: Unread


class ChatSnapshot(WholeMessage, frozen=True, kw_only=True, tag="chat.snapshot"):
    """All chat messages of a visit: PROTOCOL.md#chat."""

    lines: Annotated[tuple[ChatMessagePart, ...], Meta(description="the chat messages, oldest first")]


class ChatLine(TopicMessage, frozen=True, kw_only=True, tag="chat.line"):
    """A new chat message: PROTOCOL.md#chat."""

    line: Annotated[ChatMessagePart, Meta(description="the chat message")]


class Invited(Reply, frozen=True, kw_only=True, tag="invited"):
    """The guest is invited; `path` is the guest's one-time link: PROTOCOL.md#staffs."""

    guest: Annotated[str, Meta(description="the guest's key among the visit's parties")]
    path: Annotated[str, Meta(description="the link, as a path on this server")]
    expires_ms: Annotated[int, Meta(description="the time at which the link expires")]


class History(Reply, frozen=True, kw_only=True, tag="history"):
    """The events of a visit: PROTOCOL.md#history."""

    visit: VisitId
    events: Annotated[tuple[HistoryPart, ...], Meta(description="the events, oldest first")]
    calls: Annotated[
        tuple[CallPart, ...], Meta(description="the quality of the call, for each party of a live visit")
    ] = ()


class Past(Reply, frozen=True, kw_only=True, tag="past"):
    """Ended visits, newest first: PROTOCOL.md#history."""

    more: Annotated[bool, Meta(description="true if there are older visits, or may be")]
    rows: Annotated[tuple[PastRow, ...], Rows]
    unread: Annotated[
        int, Meta(description="the number of older visits that are not searched yet; ask again in a moment")
    ] = 0


class VisitState(WholeMessage, frozen=True, kw_only=True, tag="visit.state"):
    """The state of a visit, for its parties: PROTOCOL.md#visit."""

    visit: Annotated[VisitPart, Meta(description="the whole visit")]


class CaseState(WholeMessage, frozen=True, kw_only=True, tag="case.state"):
    """Case Information of a visit: PROTOCOL.md#case."""

    case: Annotated[CasePart, Meta(description="the whole case")]


class PlaceState(WholeMessage, frozen=True, kw_only=True, tag="place.state"):
    """The patient's place in the queue and expected wait: PROTOCOL.md#place."""

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
    """Base of the updates of a visit's media."""

    visit: VisitId


class MediaOffer(MediaMessage, frozen=True, kw_only=True, tag="media.offer"):
    """An SDP offer of the server: PROTOCOL.md#media."""

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
    """A party shares its screen, or no longer, or the patient is asked to: PROTOCOL.md#screens."""

    sharing: Annotated[str | None, Meta(description="the key of the party whose video is its screen, if any")]
    asked: Annotated[bool, Meta(description="true while the patient is asked to share")]


PathReason = Literal["browser"]


class MediaPath(MediaMessage, frozen=True, kw_only=True, tag="media.path"):
    """A party's network path to the media was found, lost, or not found: PROTOCOL.md#media."""

    party: Annotated[str, Meta(description="the key of that party; the receiver's own only about `none`")]
    path: Annotated[PathState, Meta(description="whether media can flow between the server and that party")]
    reason: Annotated[
        PathReason | None,
        Meta(
            description="`browser` if that party's client cannot hold a call; null if the reason is not known"
        ),
    ] = None


class MediaPaused(MediaMessage, frozen=True, kw_only=True, tag="media.paused"):
    """The receiver gets no pictures from now on, because its network is too weak, or gets them again:
    PROTOCOL.md#paths.
    """

    paused: Annotated[bool, Meta(description="true while only sound is sent to the receiver")]


class MediaSpeaker(MediaMessage, frozen=True, kw_only=True, tag="media.speaker"):
    """Another party speaks now, or none, in a room of more than two: PROTOCOL.md#media."""

    party: Annotated[
        str | None,
        Meta(description="the key of the party, perhaps the receiver's own; null if nobody speaks"),
    ]


class MediaTakenOver(MediaMessage, frozen=True, tag="media.taken_over"):
    """Another tab or device of the same person has joined the media instead: PROTOCOL.md#media."""


class MediaGone(MediaMessage, frozen=True, tag="media.gone"):
    """The media connection has ended; join again to continue: PROTOCOL.md#media."""


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
