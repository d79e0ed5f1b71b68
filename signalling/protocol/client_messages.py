"""The messages that a client sends, with one frozen type per message of PROTOCOL.md. Does no I/O.

PROTOCOL.md's reference, the AsyncAPI file and the browser's types are made from these types. The docstring of a class
is the message's meaning and names its section of PROTOCOL.md. `Meta(description=…)` is a field's meaning, `reply` the
type of the reply.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from signalling.visit.call_quality import MediaKind
from signalling.visit.survey import Tag
from signalling.visit.urgency import Urgency

RequestId = Annotated[
    int, Meta(ge=0, le=2**53, description="a number that the client chooses, unique on its socket")
]
Id = Annotated[str, Meta(min_length=1, max_length=80)]
Topic = Annotated[str, Meta(min_length=1, max_length=120, description="the name of the topic")]
Sdp = Annotated[str, Meta(max_length=32_768)]

ScreenAct = Literal["share", "end", "ask", "decline"]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all messages that a client sends. Each has an `id`; the server's reply repeats it as `reply_to`.

    `reply`: the name on the wire of the reply, None if there is none. The server may reply with an `error` instead.
    """

    reply: ClassVar[str | None] = "done"
    id: RequestId


class Hello(Request, frozen=True, kw_only=True, tag="hello"):
    """Begin or resume a connection; the first message on every socket: PROTOCOL.md#hello-and-welcome."""

    reply: ClassVar[str | None] = "welcome"
    role: Annotated[Literal["patient", "staff", "guest"], Meta(description="the role of the sender")]
    resume: Annotated[
        Id | None, Meta(description="the private token of the connection to resume, if there is one")
    ] = None


class Bye(Request, frozen=True, tag="bye"):
    """End the connection so that it cannot be resumed; the server closes the socket with code 1000: PROTOCOL.md#bye."""

    reply: ClassVar[str | None] = None


class Ping(Request, frozen=True, tag="ping"):
    """Ask whether the server still answers: PROTOCOL.md#ping."""

    reply: ClassVar[str | None] = "pong"


class Subscribe(Request, frozen=True, kw_only=True, tag="subscribe"):
    """Subscribe to a topic, such as the queue: the server sends its state and each change: PROTOCOL.md#topics."""

    reply: ClassVar[str | None] = "subscribed"
    topic: Topic
    epoch: Annotated[
        Annotated[str, Meta(max_length=80)] | None,
        Meta(description="the epoch of the state that the client has, if any"),
    ] = None
    version: Annotated[int | None, Meta(description="the version of that state, if any")] = None
    counted: Annotated[
        bool,
        Meta(description="of `queue`: only what is needed to count the rows, nothing about the patients"),
    ] = False


class Unsubscribe(Request, frozen=True, kw_only=True, tag="unsubscribe"):
    """End a subscription; no error if the sender is not subscribed: PROTOCOL.md#topics."""

    topic: Topic


class OnCall(Request, frozen=True, kw_only=True, tag="on_call"):
    """Turn the sender's On-Call switch on or off, which says whether the sender takes visits: PROTOCOL.md#staffs."""

    on: Annotated[bool, Meta(description="true for On-Call, false for off call")]


class VisitRequest(Request, frozen=True, kw_only=True):
    """Base of the messages of a client that are about one visit."""

    visit: Annotated[Id, Meta(description="the visit's id")]


class VisitSave(VisitRequest, frozen=True, kw_only=True, tag="visit.save"):
    """Save the patient's answer to one step of the setup guide: PROTOCOL.md#the-patients."""

    step: Annotated[Id, Meta(description="the step's id")]
    answer: Annotated[
        str | bool | dict[str, str | bool | None] | None,
        Meta(description="the answer so far; null removes it"),
    ]
    left: Annotated[
        bool,
        Meta(description="true if the patient leaves the step: the answer is checked; false while typing"),
    ]


class VisitFinish(VisitRequest, frozen=True, tag="visit.finish"):
    """Complete the setup guide, after all its questions are answered: PROTOCOL.md#the-patients."""


class VisitWithdraw(VisitRequest, frozen=True, tag="visit.withdraw"):
    """End the patient's visit as `withdrawn`, or as `completed` if it was live before: PROTOCOL.md#the-patients."""


class VisitHangUp(VisitRequest, frozen=True, tag="visit.hang_up"):
    """Leave the call, without ending the visit: PROTOCOL.md#the-patients."""


class VisitClaim(VisitRequest, frozen=True, tag="visit.claim"):
    """Claim a waiting visit; if several people claim it at once, only the first succeeds: PROTOCOL.md#staffs."""


class VisitRelease(VisitRequest, frozen=True, tag="visit.release"):
    """Give up a claimed visit, which returns to the queue: PROTOCOL.md#staffs."""


class VisitEnd(VisitRequest, frozen=True, tag="visit.end"):
    """End a visit for all its parties: PROTOCOL.md#staffs."""

    by_phone: Annotated[
        bool, Meta(description="true if the visit was held by phone; it ends as `by_phone`")
    ] = False


class VisitAssign(VisitRequest, frozen=True, kw_only=True, tag="visit.assign"):
    """Assign a waiting visit to a member of staff who is on call: PROTOCOL.md#admins."""

    to: Annotated[Id, Meta(description="the id of a member of staff who is on call")]


class VisitUnassign(VisitRequest, frozen=True, tag="visit.unassign"):
    """Take back the assignment of a waiting visit, so that any provider may claim it: PROTOCOL.md#admins."""


class VisitMove(VisitRequest, frozen=True, kw_only=True, tag="visit.move"):
    """Move a waiting visit to another waiting area: PROTOCOL.md#staffs."""

    area: Annotated[
        Annotated[str, Meta(max_length=40)], Meta(description="the id of the area; empty for none of them")
    ]


class VisitUrgency(VisitRequest, frozen=True, kw_only=True, tag="visit.urgency"):
    """Set how urgent a waiting visit is: PROTOCOL.md#staffs."""

    level: Annotated[Urgency, Meta(description="the level; set again to undo")]


class VisitDecline(VisitRequest, frozen=True, kw_only=True, tag="visit.decline"):
    """Decline a waiting visit; it ends as `declined`: PROTOCOL.md#admins."""

    reason: Annotated[
        Annotated[str, Meta(max_length=1000)] | None,
        Meta(description="a reason that is shown to the patient"),
    ] = None


class VisitClose(VisitRequest, frozen=True, tag="visit.close"):
    """End a waiting visit because the clinic closes; it ends as `closed`: PROTOCOL.md#admins."""


class VisitTransfer(VisitRequest, frozen=True, kw_only=True, tag="visit.transfer"):
    """Put a claimed visit back into the queue, assigned to a colleague of the sender: PROTOCOL.md#staffs."""

    to: Annotated[Id, Meta(description="the id of a member of staff who is on call")]


class VisitReopen(VisitRequest, frozen=True, tag="visit.reopen"):
    """Reopen an ended visit: PROTOCOL.md#staffs."""


class VisitTag(VisitRequest, frozen=True, kw_only=True, tag="visit.tag"):
    """Replace the tags of a visit, the words by which staff can find the visit: PROTOCOL.md#staffs."""

    tags: Annotated[
        tuple[Tag, ...], Meta(max_length=10, description="tags of the organisation, or those that it has")
    ]


class VisitSurvey(VisitRequest, frozen=True, kw_only=True, tag="visit.survey"):
    """Answer the survey after the visit; a second, different answer is refused: PROTOCOL.md#the-patients."""

    choice: Annotated[int, Meta(ge=1, le=5, description="the number of the chosen words, from 1")]
    text: Annotated[str, Meta(max_length=1000, description="the patient's own words; may be empty")] = ""


class VisitInvite(VisitRequest, frozen=True, kw_only=True, tag="visit.invite"):
    """Invite a guest with a one-time link: PROTOCOL.md#staffs."""

    reply: ClassVar[str | None] = "invited"
    name: Annotated[str, Meta(min_length=1, max_length=100, description="the guest's name")]
    relation: Annotated[
        Literal["interpreter", "family", "specialist", "trainee"],
        Meta(description="the guest's part in the visit"),
    ]


class VisitDismiss(VisitRequest, frozen=True, kw_only=True, tag="visit.dismiss"):
    """Remove a guest, such as an interpreter, from the visit: PROTOCOL.md#staffs."""

    guest: Annotated[Id, Meta(description="the guest's key")]


class VisitHistory(VisitRequest, frozen=True, tag="visit.history"):
    """Ask for the list of all events of a visit, from its opening on: PROTOCOL.md#history."""

    reply: ClassVar[str | None] = "history"


class SessionsPast(Request, frozen=True, kw_only=True, tag="sessions.past"):
    """Ask for ended visits, newest first: PROTOCOL.md#history."""

    reply: ClassVar[str | None] = "past"
    text: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="a part of the patient's name or of the visit's id"),
    ] = None
    provider: Annotated[
        Id | None, Meta(description="the id of the member of staff who claimed the visit")
    ] = None
    outcome: Annotated[
        Literal["completed", "declined", "withdrawn", "expired", "by_phone", "closed"] | None,
        Meta(description="how the visit ended"),
    ] = None
    tag: Annotated[
        Tag | None, Meta(description="a tag of the visit; for staff who are no admins, of their own visits")
    ] = None
    since_ms: Annotated[int | None, Meta(description="only visits that ended at this time or later")] = None
    before_ms: Annotated[int | None, Meta(description="only visits that ended before this time")] = None
    before_visit: Annotated[
        Id | None,
        Meta(description="for the next page: the id of the last row; `before_ms` is that row's `ended_ms`"),
    ] = None


class BellMark(Request, frozen=True, kw_only=True, tag="bell.mark"):
    """Mark all notifications up to a given time as read, in all tabs of the sender: PROTOCOL.md#bell."""

    until_ms: Annotated[int, Meta(description="the time of the newest notification that was read")]


class ChatSend(VisitRequest, frozen=True, kw_only=True, tag="chat.send"):
    """Send a chat message in a visit: PROTOCOL.md#chat."""

    text: Annotated[str, Meta(min_length=1, max_length=2000, description="the text of the chat message")]


class VisitEnter(VisitRequest, frozen=True, tag="visit.enter"):
    """Report that the sender has opened the visit's page: PROTOCOL.md#both-parties."""


class VisitLeave(VisitRequest, frozen=True, tag="visit.leave"):
    """Report that the sender has left the visit's page: PROTOCOL.md#both-parties."""


class VisitStart(VisitRequest, frozen=True, tag="visit.start"):
    """Report that the sender has pressed Start Session: PROTOCOL.md#both-parties."""


class MediaJoin(VisitRequest, frozen=True, tag="media.join"):
    """Join the call of a visit: after the reply, the server sends an SDP offer in `media.offer`: PROTOCOL.md#media."""

    able: Annotated[
        bool,
        Meta(description="false if the client cannot hold a call, and joins only so that the others know"),
    ] = True


class MediaAnswer(VisitRequest, frozen=True, kw_only=True, tag="media.answer"):
    """Send the browser's SDP answer to an offer of the server: PROTOCOL.md#media."""

    offer: Annotated[int, Meta(description="the number of the offer")]
    sdp: Annotated[Sdp, Meta(description="the SDP answer")]


class MediaRestart(VisitRequest, frozen=True, tag="media.restart"):
    """Ask for new ICE credentials because the network path was lost: PROTOCOL.md#media."""


class MediaMute(VisitRequest, frozen=True, kw_only=True, tag="media.mute"):
    """Report that the sender has turned a camera or microphone off or on, or has none: PROTOCOL.md#media."""

    kind: Annotated[MediaKind, Meta(description="`audio` for a microphone, `video` for a camera")]
    muted: Annotated[bool, Meta(description="true if it is off")]
    missing: Annotated[
        bool | None,
        Meta(
            description="true if the sender has no such device, false if it has one again; `muted` is then not read"
        ),
    ] = None


class MediaShare(VisitRequest, frozen=True, kw_only=True, tag="media.share"):
    """Start or stop sharing the sender's screen, ask the patient to share, or decline to share: PROTOCOL.md#screens."""

    act: Annotated[
        ScreenAct,
        Meta(description="`share` or `end` the own screen, `ask` the patient to share, `decline` to share"),
    ]


ProbedPath = Literal["udp", "tcp", "turn", "none"]


class MediaProbe(Request, frozen=True, tag="media.probe"):
    """Ask for an SDP offer with which the client tests its network, without media: PROTOCOL.md#probes."""

    reply: ClassVar[str | None] = "probe"


class MediaProbed(Request, frozen=True, kw_only=True, tag="media.probed"):
    """Report which network path the test with a probe's SDP offer has found: PROTOCOL.md#probes."""

    path: Annotated[ProbedPath, Meta(description="the first path that works; `none` if none does")]


ClientMessage = (
    Hello
    | Bye
    | Ping
    | Subscribe
    | Unsubscribe
    | OnCall
    | VisitSave
    | VisitFinish
    | VisitWithdraw
    | VisitHangUp
    | VisitClaim
    | VisitRelease
    | VisitEnd
    | VisitAssign
    | VisitUnassign
    | VisitMove
    | VisitUrgency
    | VisitDecline
    | VisitClose
    | VisitTransfer
    | VisitReopen
    | VisitTag
    | VisitSurvey
    | VisitInvite
    | VisitDismiss
    | VisitHistory
    | SessionsPast
    | BellMark
    | ChatSend
    | VisitEnter
    | VisitLeave
    | VisitStart
    | MediaJoin
    | MediaAnswer
    | MediaRestart
    | MediaProbe
    | MediaProbed
    | MediaMute
    | MediaShare
)
