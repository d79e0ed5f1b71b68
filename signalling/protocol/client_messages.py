"""The messages that a client sends: one frozen type per message of PROTOCOL.md. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from signalling.protocol.tags import Epoch, Id, Relation, RequestId, Sdp, Topic, tag
from signalling.visit.call_quality import MediaKind


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=tag):
    """Base of all messages of a client. The reply carries `id` as `reply_to`."""

    id: RequestId


class Hello(Request, frozen=True, kw_only=True):
    """Begin a connection: PROTOCOL.md#hello-and-welcome."""

    role: Literal["patient", "staff", "guest"]
    resume: Id | None = None


class Bye(Request, frozen=True, kw_only=True):
    """End the connection for good: PROTOCOL.md#bye."""


class Ping(Request, frozen=True, kw_only=True):
    """Ask for a `pong`: PROTOCOL.md#odds."""


class Subscribe(Request, frozen=True, kw_only=True):
    """Subscribe to a topic: PROTOCOL.md#topics. `epoch` and `version`: the state that the client already has."""

    topic: Topic
    epoch: Epoch | None = None
    version: int | None = None


class Unsubscribe(Request, frozen=True, kw_only=True):
    """End a subscription: PROTOCOL.md#topics."""

    topic: Topic


class OnCall(Request, frozen=True, kw_only=True):
    """Turn the sender's On-Call switch on or off."""

    on: bool


class VisitRequest(Request, frozen=True, kw_only=True):
    """Base of the requests about one visit."""

    visit: Id


class VisitSave(VisitRequest, frozen=True, kw_only=True):
    """Keep the answer to a step of the setup guide: PROTOCOL.md#the-patients."""

    step: Id
    answer: str | bool | dict[str, str | bool | None] | None
    left: bool


class VisitFinish(VisitRequest, frozen=True, kw_only=True):
    """Complete the setup guide."""


class VisitWithdraw(VisitRequest, frozen=True, kw_only=True):
    """Leave the queue."""


class VisitHangUp(VisitRequest, frozen=True, kw_only=True):
    """Leave the call; the visit goes on."""


class VisitClaim(VisitRequest, frozen=True, kw_only=True):
    """Claim a waiting visit."""


class VisitRelease(VisitRequest, frozen=True, kw_only=True):
    """Put a claimed visit back into the queue."""


class VisitEnd(VisitRequest, frozen=True, kw_only=True):
    """End a visit."""


class VisitAssign(VisitRequest, frozen=True, kw_only=True):
    """Assign a waiting visit to a provider who is on call."""

    to: Id


class VisitUnassign(VisitRequest, frozen=True, kw_only=True):
    """Take the assignment back."""


class VisitDecline(VisitRequest, frozen=True, kw_only=True):
    """Decline a waiting visit."""

    reason: Annotated[str, Meta(max_length=1000)] | None = None


class VisitTransfer(VisitRequest, frozen=True, kw_only=True):
    """Put a claimed visit back into the queue, assigned to another provider who is on call."""

    to: Id


class VisitReopen(VisitRequest, frozen=True, kw_only=True):
    """Reopen an ended visit."""


class VisitInvite(VisitRequest, frozen=True, kw_only=True):
    """Invite a guest with a one-time link."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    relation: Relation


class VisitDismiss(VisitRequest, frozen=True, kw_only=True):
    """Remove a guest from the visit."""

    guest: Id


class VisitHistory(VisitRequest, frozen=True, kw_only=True):
    """Ask for a visit's history: PROTOCOL.md#what-was."""


class SessionsPast(Request, frozen=True, kw_only=True):
    """Ask for ended visits: PROTOCOL.md#what-was."""

    text: Annotated[str, Meta(max_length=100)] | None = None
    provider: Id | None = None
    outcome: Literal["completed", "declined", "withdrawn", "expired"] | None = None
    since_ms: int | None = None
    before_ms: int | None = None
    before_visit: Id | None = None


class BellMark(Request, frozen=True, kw_only=True):
    """Mark the notifications up to a time as read: PROTOCOL.md#bell."""

    until_ms: int


class ChatSend(VisitRequest, frozen=True, kw_only=True):
    """Write a chat line in a visit: PROTOCOL.md#chat."""

    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class VisitEnter(VisitRequest, frozen=True, kw_only=True):
    """Report that the sender opened the visit's page."""


class VisitLeave(VisitRequest, frozen=True, kw_only=True):
    """Report that the sender left the visit's page."""


class VisitStart(VisitRequest, frozen=True, kw_only=True):
    """Report that the sender pressed Start Session."""


class MediaJoin(VisitRequest, frozen=True, kw_only=True):
    """Join the visit's media: PROTOCOL.md#media."""


class MediaAnswer(VisitRequest, frozen=True, kw_only=True):
    """Answer the `media.offer` with the number `offer`."""

    offer: int
    sdp: Sdp


class MediaRestart(VisitRequest, frozen=True, kw_only=True):
    """Ask for new ICE credentials."""


class MediaMute(VisitRequest, frozen=True, kw_only=True):
    """Report that the sender turned a camera or microphone off, or on again."""

    kind: MediaKind
    muted: bool


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
    | VisitDecline
    | VisitTransfer
    | VisitReopen
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
    | MediaMute
)
